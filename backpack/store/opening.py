"""`backpack.open`: a store in a directory."""

import os
from pathlib import Path
from typing import Final, Literal

from backpack.archive.archive import engine_over
from backpack.archive.opening import LOCK, READERS, find_manifest, make_store, open_archive
from backpack.core.ids import Epoch
from backpack.core.limits import Limits
from backpack.errors import InvalidArgumentError, StoreNotFoundError
from backpack.limits import HISTORY_SIZE_LIMIT_DEFAULT, PRUNE_PERCENTAGE_DEFAULT, VALUE_SIZE_LIMIT_DEFAULT
from backpack.storage.cover import PLAIN
from backpack.storage.opening import open_folder
from backpack.storage.protocol import Folder
from backpack.store.store import Backpack

MODES: Final = ("rw", "r")
DURABILITIES: Final = ("none", "process", "power")


def open(
    path: str | os.PathLike[str],
    mode: Literal["rw", "r"] = "rw",
    *,
    durability: Literal["none", "process", "power"] = "process",
    allow_network: bool = False,
    max_value_size: int = VALUE_SIZE_LIMIT_DEFAULT,
    max_history_size: int = HISTORY_SIZE_LIMIT_DEFAULT,
    max_commits: int | None = None,
    prune_strategy: str = "oldest",
    prune_percentage: float = PRUNE_PERCENTAGE_DEFAULT,
    hard_limit: bool = False,
) -> Backpack:
    """The store in a directory: every commit is written there, and what leaves memory stays readable.

    `mode` "rw" makes the directory when it is missing (its parent must be there) and lets one process write; "r" reads,
    also beside a writer, and changes no file. `durability`: with "process" an acknowledged commit survives the end of
    the process, even kill -9; with "power" a power loss too (`pack` returns when it is synced); "none" promises nothing
    before `flush()`. Limits are those of `Backpack`.

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
    is_writable = mode == "rw"
    if not is_writable and not Path(path).exists():
        raise StoreNotFoundError(f"there is no store: path={str(path)!r}", path=str(path))
    folder = open_folder(path, create=is_writable, writable=is_writable, allow_network=allow_network)
    return open_in(folder, limits, is_writable=is_writable, durability=durability)


def open_in(folder: Folder, limits: Limits, *, is_writable: bool, durability: str = "process") -> Backpack:
    """The store in a folder of any kind."""
    covers = PLAIN
    if is_writable:
        lock = folder.lock(LOCK)
    else:
        manifest = find_manifest(folder, covers)
        lock = folder.lock(READERS, shared=True)
    try:
        if is_writable:
            is_new = "manifest" not in folder.names()
            manifest = make_store(folder, covers, os.urandom, b"") if is_new else find_manifest(folder, covers)
        opened, recovery = open_archive(folder, covers, manifest, lock, os.urandom, is_writable=is_writable)
    except BaseException:
        lock.release()
        raise
    archive = opened.archive
    epoch: Epoch | None = None
    for secret, first_seq in manifest.epochs:
        epoch = Epoch(secret, first_seq, epoch)
    assert epoch is not None
    engine = engine_over(archive, limits, epoch, archive if is_writable else None)
    for name, (seq, notes) in opened.checkpoints.items():
        engine.add_checkpoint(name, seq, notes)
    store = Backpack._from_engine(engine, archive.last_ns, opened, archive)
    store._begin(durability, recovery)
    return store
