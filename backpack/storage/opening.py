"""The folder of a store, opened and where that is asked for made."""

import os
from contextlib import suppress

from backpack.errors import InvalidArgumentError, StorageError, StoreNotFoundError
from backpack.storage import descriptors, process
from backpack.storage.disk import READER, DiskFolder
from backpack.storage.faults import storage_error
from backpack.storage.held import Held
from backpack.storage.mounts import network_type


def path_text(path: str | os.PathLike[str]) -> str:
    """The path as a str; `InvalidArgumentError` when it can't be one of a folder or file."""
    text: object = None
    with suppress(TypeError):
        text = os.fspath(path)
    if not isinstance(text, str):
        raise InvalidArgumentError(
            f"no path of a folder: it must be a str or an os.PathLike of one, not {type(path).__name__}"
        )
    if not text or "\0" in text:
        raise InvalidArgumentError(f"no path of a folder: path={text!r}")
    return text


def open_folder(
    path: str | os.PathLike[str], *, create: bool, writable: bool, allow_network: bool = False
) -> DiskFolder:
    """The folder of a store. The path may be a link of the user's; nothing inside may be.

    With `create` one that is missing is made (0700, in a folder that is there) and survives a power loss when this
    returns. `StoreNotFoundError` when it is missing; `StorageError` when it is no folder, belongs to someone else and
    is to be written, or is on a network file system (`allow_network`).
    """
    if os.name != "posix":
        raise StorageError("a store on disk needs POSIX (Linux, macOS, BSD); use Backpack() and export here")
    label = path_text(path)
    try:
        held = _open_root(label, create=create and writable)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            parent = os.path.dirname(os.path.abspath(label))
            what, remedy = "there is no store", ""
            if create and not os.path.isdir(parent):
                what, remedy = "there is no folder that the store could be made in", f"; make {parent!r} first"
            raise StoreNotFoundError(f"{what}: path={label!r}{remedy}", path=label) from error
        if isinstance(error, NotADirectoryError) and os.path.isfile(label):
            raise StorageError(
                f"that is a file, and a store is a folder: path={label!r}; Backpack.load(path) reads what export wrote",
                file=label,
            ) from error
        raise storage_error("the folder of the store could not be opened", error, label) from error
    folder = DiskFolder(held, label, "", os.fstat(held.number).st_uid, process.pid if writable else READER)
    try:
        if not allow_network:
            _refuse_network(held.number, label)
        if writable and folder.owner != os.geteuid():
            raise StorageError(
                f"the folder of the store belongs to someone else: path={label!r} owner={folder.owner} "
                f"we={os.geteuid()}; open it for reading, or as its owner",
                file=label,
            )
    except BaseException:
        folder.close()
        raise
    return folder


def _refuse_network(descriptor: int, path: str) -> None:
    kind = network_type(descriptor)
    if kind is not None:
        raise StorageError(
            f"the folder is on a network file system, where locks and syncs can't be relied on: path={path!r} "
            f"type={kind}; use a local disk, or allow_network=True when one machine alone uses it",
            file=path,
        )


def _open_root(path: str, *, create: bool) -> Held:
    try:
        return descriptors.open_root(path)
    except FileNotFoundError:
        if not create:
            raise
    with descriptors.open_root(os.path.dirname(os.path.abspath(path))) as parent:
        name = os.path.basename(os.path.abspath(path))
        try:
            os.mkdir(name, descriptors.FOLDER_MODE, dir_fd=parent)
        except FileExistsError:
            return descriptors.open_root(path)  # another process was first; a link that leads nowhere is an error
        held = descriptors.open_root(path)
        try:
            os.fchmod(held.number, descriptors.FOLDER_MODE)
            os.fsync(parent)
        except BaseException:
            held.close()
            raise
        return held
