"""Open a file or a folder inside a store and see that it is what it should be.

Whoever can write into the folder of a store could lay a link, a pipe or a file of someone else's there. So nothing is
opened through a symbolic link (`O_NOFOLLOW`) or waits for the other end of a pipe (`O_NONBLOCK`), and what was opened
is a regular file with one link, or a folder, of the owner that the store's own folder has.
"""

import os
import stat
from typing import Final

from backpack.errors import StorageError
from backpack.storage.faults import storage_error
from backpack.storage.held import Held

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700

_GUARDED: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK if os.name == "posix" else 0
READING: Final = os.O_RDONLY | _GUARDED
APPENDING: Final = os.O_RDWR | os.O_APPEND | _GUARDED
CREATING: Final = APPENDING | os.O_CREAT | os.O_EXCL
LOCKING: Final = os.O_RDWR | os.O_CREAT | _GUARDED

_FOLDER: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY if os.name == "posix" else 0


def open_file(name: str, flags: int, folder: int, owner: int, label: str) -> Held:
    """A file in the folder with that descriptor. One that is to be written has exactly mode 0600.

    `MissingFileError`, or `StorageError` when it can't be opened or is no plain file of that owner.
    """
    try:
        held = Held(name, flags, FILE_MODE, folder=folder)
    except OSError as error:
        raise storage_error("the file could not be opened", error, label) from error
    try:
        status = os.fstat(held.number)
        if not stat.S_ISREG(status.st_mode):
            raise StorageError(f"it is no regular file: file={label!r}; take it out of the store", file=label)
        if status.st_nlink > 1:
            raise StorageError(
                f"the file has other names: file={label!r} links={status.st_nlink}; copy the store, don't link it",
                file=label,
            )
        _check_owner(status, owner, label)
        if flags & os.O_RDWR and stat.S_IMODE(status.st_mode) != FILE_MODE:
            os.fchmod(held.number, FILE_MODE)
    except BaseException as error:
        held.close()
        if isinstance(error, StorageError) or not isinstance(error, OSError):
            raise
        raise storage_error("the file could not be opened", error, label) from error
    return held


def open_subfolder(name: str, folder: int, owner: int, label: str, *, is_writable: bool) -> Held:
    """A folder in another; 0700 when it may be written."""
    try:
        held = Held(name, _FOLDER | os.O_NOFOLLOW, folder=folder)
    except OSError as error:
        raise storage_error("the folder could not be opened", error, label) from error
    try:
        status = os.fstat(held.number)
        _check_owner(status, owner, label)
        if is_writable and stat.S_IMODE(status.st_mode) != FOLDER_MODE:
            os.fchmod(held.number, FOLDER_MODE)
    except BaseException as error:
        held.close()
        if isinstance(error, StorageError) or not isinstance(error, OSError):
            raise
        raise storage_error("the folder could not be opened", error, label) from error
    return held


def open_root(path: str) -> Held:
    """A folder that the user named: the name may be a link. An OSError as the system raised it."""
    return Held(path, _FOLDER)


def _check_owner(status: os.stat_result, owner: int, label: str) -> None:
    if status.st_uid != owner:
        raise StorageError(
            f"it belongs to someone else: file={label!r} owner={status.st_uid} expected={owner}; "
            "take it out of the store, or give the whole store to one owner",
            file=label,
        )
