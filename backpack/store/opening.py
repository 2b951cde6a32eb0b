"""`backpack.open`: a store in a directory."""

import os
import time
from collections.abc import Callable
from typing import Final, Literal
from weakref import ref

from backpack.archive.encrypting import covers_of, new_covers, rotate
from backpack.archive.manifest import MANIFEST
from backpack.archive.opening import LOCK, Recovery, find_manifest, make_store, open_archive, refusal
from backpack.archive.retention import Retention
from backpack.archive.visiting import has_lost_manifest, lock_to_read, missing_store, open_to_read
from backpack.core.limits import Limits
from backpack.errors import InvalidArgumentError, StoreNotFoundError
from backpack.limits import HISTORY_SIZE_LIMIT_DEFAULT, PRUNE_PERCENTAGE_DEFAULT, VALUE_SIZE_LIMIT_DEFAULT
from backpack.storage.encryption import Key
from backpack.storage.opening import open_folder, path_text
from backpack.storage.protocol import Folder
from backpack.store.abandoned import expect_loss, unless_abandoned
from backpack.store.adopting import sweep_inbox
from backpack.store.names import checked_retention
from backpack.store.store import Backpack

MODES: Final = ("rw", "r")
DURABILITIES: Final = ("none", "process", "power")


def open(
    path: str | os.PathLike[str],
    mode: Literal["rw", "r"] = "rw",
    *,
    durability: Literal["none", "process", "power"] = "process",
    key: Key | None = None,
    allow_network: bool = False,
    max_archive_size: int | None = None,
    keep_days: float | None = None,
    keep_commits: int | None = None,
    max_value_size: int = VALUE_SIZE_LIMIT_DEFAULT,
    max_history_size: int = HISTORY_SIZE_LIMIT_DEFAULT,
    max_commits: int | None = None,
    prune_strategy: str = "oldest",
    prune_percentage: float = PRUNE_PERCENTAGE_DEFAULT,
    hard_limit: bool = False,
) -> Backpack:
    """The store in a directory: every commit is written there, and what leaves memory stays readable.

    `mode` "rw" makes the directory when it is missing (its parent must be there), sees that it is 0700, and lets one
    process write; "r" reads, also beside a writer, and changes no file. `durability`: with "process" an acknowledged
    commit survives the end of the process, even kill -9; with "power" a power loss too (`pack` returns when it is
    synced); "none" promises nothing before `flush()`. `key` encrypts everything on disk: 32 bytes, or a callable that
    is given "" or the id of a key (it needs the extra `encryption`); a store is encrypted from its beginning or never.
    Limits are those of `Backpack`, and what the archive is to keep: see `compact`.

    Raises `StoreLockedError` (another writer), `StoreNotFoundError` (nothing to read), `CorruptionError` (acknowledged
    data is damaged: see `backpack.verify` and `backpack.recover`), `StorageError`, `InvalidArgumentError` (nonsense).
    """
    if mode not in MODES:
        raise InvalidArgumentError(f"no such mode: mode={mode!r}; it is one of {', '.join(MODES)}")
    if durability not in DURABILITIES:
        raise InvalidArgumentError(
            f"no such durability: durability={durability!r}; it is one of {', '.join(DURABILITIES)}"
        )
    limits = Limits(max_value_size, max_history_size, max_commits, prune_strategy, prune_percentage, hard_limit)
    retention = checked_retention(max_archive_size, keep_days, keep_commits)
    is_writable = mode == "rw"
    label = path_text(path)
    if not is_writable and not os.path.exists(label):
        raise StoreNotFoundError(f"there is no store: path={label!r}", path=label)
    folder = open_folder(path, create=is_writable, writable=is_writable, allow_network=allow_network)

    def open_store() -> Backpack:
        return open_in(folder, limits, is_writable=is_writable, durability=durability, key=key, retention=retention)

    return expect_loss(unless_abandoned(open_store))


def open_in(
    folder: Folder,
    limits: Limits,
    *,
    is_writable: bool,
    durability: str = "process",
    key: Key | None = None,
    retention: Retention | None = None,
    make_random: Callable[[int], bytes] = os.urandom,
) -> Backpack:
    """The store in a folder of any kind. `make_random`: so many bytes that nobody can guess."""
    if not folder.has(MANIFEST) and (not is_writable or has_lost_manifest(folder)):
        raise missing_store(folder)
    lock = folder.lock(LOCK) if is_writable else lock_to_read(folder, time.sleep)
    recovery: Recovery | None = None
    try:
        if not is_writable:
            opened = open_to_read(folder, key, lock)
        else:
            if folder.has(MANIFEST):
                covers, _ = covers_of(folder, key)
                manifest = find_manifest(folder, covers)
            else:
                store_id = make_random(16)
                covers, secret = new_covers(store_id, key)
                manifest = make_store(folder, covers, make_random, store_id, secret)
            opened, recovery = open_archive(folder, covers, manifest, lock, make_random)
    except BaseException as error:
        lock.release()
        refused = refusal(error) if is_writable else None
        if refused is None:
            raise
    else:
        refused = None
    if refused is not None:
        raise refused
    archive = opened.archive
    try:
        store = Backpack._from_engine(opened.engine(limits), archive.last_ns, opened, archive)
        store._begin(durability, recovery)
    except BaseException as error:  # the newest commit is read for it
        opened.close(is_clean=False)
        refused = refusal(error) if is_writable else None
        if refused is None:
            raise
    if refused is not None:
        raise refused
    if retention and is_writable:
        opened.keep(retention, _tending(ref(store)))
    if is_writable:
        try:
            sweep_inbox(opened)
            store._adopt()
        except BaseException:  # an interrupt: what the disk refused is kept for `health()`
            opened.close(is_clean=False)
            raise
    return store


def rotate_key(path: str | os.PathLike[str], key: Key, new_key: bytes) -> None:
    """Have an encrypted store open with another key from here on. Nobody may have it open for writing.

    Only the key of the store is wrapped anew, in one new manifest: who has the old key and an old copy of the manifest
    can still read what there is. `StoreLockedError`, `WrongKeyError`, `InvalidArgumentError` (not encrypted).
    """
    folder = open_folder(path, create=False, writable=True)
    lock = folder.lock(LOCK)
    try:
        rotate(folder, key, new_key)
    finally:
        lock.release()


def _tending(link: "ref[Backpack]") -> Callable[[], None]:
    """Compacts for as long as the store lives."""

    def tend() -> None:
        store = link()
        if store is not None:
            store._tend()

    return tend
