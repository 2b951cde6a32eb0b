"""Whole stores on their way to another place: a fork with a path of its own, an export with the archive, and back."""

import os
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from backpack.archive.archive import Archive
from backpack.archive.copying import copied, write_store
from backpack.archive.encrypting import new_covers
from backpack.archive.files import READERS
from backpack.archive.finding import Replaced
from backpack.archive.manifest import CLEAN, MANIFEST, Manifest, publish_manifest
from backpack.archive.opening import BLOBS, LOCK
from backpack.blobs.store import Blobs
from backpack.core.addresses import At, resolve_whole
from backpack.core.engine import Engine
from backpack.core.ids import Epoch
from backpack.core.limits import Limits
from backpack.errors import InvalidArgumentError
from backpack.storage.encryption import Key
from backpack.storage.memory import MemoryFolder
from backpack.storage.opening import open_folder
from backpack.storage.protocol import Folder
from backpack.store.abandoned import expect_loss
from backpack.store.export import write_files
from backpack.store.opening import open_in
from backpack.store.records import File
from backpack.store.store import Backpack
from backpack.store.travel import replacements
from backpack.store.travelling import Travelling

_NOTHING: Final[Replaced] = MappingProxyType({})


def copy_to(
    store: Travelling, seq: int, folder: Folder, key: Key | None, *, is_fork: bool, replaced: Replaced = _NOTHING
) -> None:
    """Everything up to a commit as a store in an empty folder. The commits of a fork get ids of its own."""
    if key is None and store._is_secret():
        raise InvalidArgumentError(
            "the store is encrypted, or a fork of one that is: give a key= for the copy too, it would be readable by "
            "anyone; where that is wanted make a new store of the values: Backpack(bp.snapshot().to_dict())"
        )
    store_id = os.urandom(16)
    covers, secret = new_covers(store_id, key)
    blobs = Blobs(folder.folder(BLOBS), covers)

    def put_blob(chunks: Iterator[bytes]) -> bytes:
        return blobs.put(chunks, is_durable=True)[0]

    with store._lock:
        engine, archive = store._engine, store._archive
        if not folder.has(READERS):
            folder.create(READERS).close()
        if not seq:  # as a store is that was just made
            publish_manifest(folder, Manifest(store_id, [(os.urandom(16), 1)], secret=secret), covers)
            return
        memory = None if store._opened is not None else engine
        known = {} if archive is None else archive.replaced()
        contents = copied(archive, memory, seq, put_blob, {**known, **replaced})
        epochs = epochs_of(engine.epoch, seq)
        if is_fork:
            epochs.append((os.urandom(16), seq + 1))
        checkpoints = [(name, at, notes) for name, (at, notes) in engine.pins.checkpoints.items() if at <= seq]
        manifest = Manifest(store_id, epochs, checkpoints=checkpoints, secret=secret)
        first_seq = _first_whole(engine, archive, seq)
        write_store(folder, covers, manifest, contents, min(first_seq, seq), store._last_ns)


def _first_whole(engine: Engine, archive: Archive | None, seq: int) -> int:
    """The first commit behind which none is missing up to that one: those before it can't be read in a copy. What is
    copied of a commit that has left memory says who set a value, and not all of the state then."""
    timeline = engine.timeline
    head = 0 if archive is None else archive.head
    gaps = [behind for behind in timeline.gaps if behind <= seq]
    if archive is not None and (seq <= head or (not gaps and timeline.first <= head + 1)):
        return archive.first_seq
    return max(gaps, default=timeline.first)


def epochs_of(epoch: Epoch, seq: int) -> list[tuple[bytes, int]]:
    """The epochs that made the commits up to one, oldest first; at least one."""
    epochs: list[tuple[bytes, int]] = []
    one: Epoch | None = epoch
    while one is not None:
        if one.first_seq <= max(seq, 1) or one.parent is None:
            epochs.append((one.secret, one.first_seq))
        one = one.parent
    return epochs[::-1]


def fork_to(
    store: Travelling, at: At | None, path: str | os.PathLike[str], key: Key | None, substitute: bytes | None
) -> Backpack:
    """A fork that is an opened store in a directory of its own. `substitute`: see `replacements`."""
    with store._lock:
        seq = resolve_whole(store._engine, at)
        if at is not None:
            store._engine.timeline.touch(seq)
        state = store._state(seq)
        replaced = {}
        for name, content in replacements(state, store._engine.large_size, substitute).items():
            found = state.find(name)
            assert found is not None
            replaced[name, found.seq] = content
    folder = open_folder(path, create=True, writable=True)
    lock = folder.lock(LOCK)
    try:
        others = [name for name in folder.names() if name != LOCK]
        if others:
            raise InvalidArgumentError(f"a fork needs an empty directory: path={os.fspath(path)!r} has={others[0]!r}")
        copy_to(store, seq, folder, key, is_fork=True, replaced=replaced)
    finally:
        lock.release()
    return expect_loss(open_in(folder, store.limits, is_writable=True, key=key))


def export_to(store: Travelling, file: File, key: Key | None) -> None:
    """An export of a store with an archive: its files, made anew in memory."""
    folder = MemoryFolder()
    with store._lock:
        seq = store._engine.timeline.head
    copy_to(store, seq, folder, key, is_fork=False)
    names = (CLEAN, MANIFEST)
    files = (
        (name, data)
        for name, data in folder.walk()
        if data is not None and (name in names or name.endswith(".seg") or name.startswith(BLOBS + "/"))
    )
    write_files(store.limits, files, file)


def load_from(limits: Limits, files: dict[str, bytes], key: Key | None) -> Backpack:
    """The store in the files of an export, in memory. `CorruptionError` when they are none."""
    store = open_in(MemoryFolder({**files, READERS: b""}), limits, is_writable=True, key=key)
    store._check()
    store._engine.begin_epoch(os.urandom(16))  # it goes on by itself, and so does the store that it came from
    return expect_loss(store)
