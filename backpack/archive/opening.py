"""Opening the archive in a folder: a new one, one that was closed, one that was left by a crash, one that is damaged.

Everything is read before anything is written, and a crash in the middle of opening leaves what the next opening can
use:

1. Read the manifest, scan the logs, plan (`recovery.py`). Damage ends here: only a reader goes on (`reading.py`).
2. Put what is cut off aside.
3. After an unclean end nothing that was not synced is believed to be on disk, whatever the cache shows: the blobs of
   commits that were not synced are copied, and the logs are sealed, which writes all of them anew.
4. Take the mark of the clean close away, begin a log or go on in the last one.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from backpack.archive.archive import Archive
from backpack.archive.broken import place_of
from backpack.archive.cache import Cache
from backpack.archive.checkpoints import checkpoints_in
from backpack.archive.dormant import Dormant
from backpack.archive.doubting import cut_doubtful
from backpack.archive.files import READERS
from backpack.archive.manifest import CLEAN, MANIFEST, Manifest, publish_manifest, read_clean, read_manifest
from backpack.archive.opened import ASIDE, Opened
from backpack.archive.parts import Part
from backpack.archive.placing import Placer
from backpack.archive.recovery import Damage, Plan, planned
from backpack.archive.scanning import Fault, Log
from backpack.archive.segment import Segment
from backpack.archive.testifying import acknowledged_in
from backpack.archive.writing import Writer, log_name
from backpack.blobs.store import Blobs
from backpack.errors import (
    CorruptionError,
    DiskFullError,
    InvalidArgumentError,
    MissingFileError,
    StorageError,
    StoreNotFoundError,
    WrongKeyError,
)
from backpack.storage.cover import Covers
from backpack.storage.pooling import PooledFile
from backpack.storage.protocol import Folder, Lock, publish

BLOBS: Final = "blobs"
LOCK: Final = "lock"
_CHUNK: Final = 1 << 20

MakeRandom = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What opening found and did after a store was not closed: `dropped_bytes`, `kept_in` and `head`."""

    dropped_bytes: int
    """Bytes that were cut off: frames that had not been acknowledged as durable."""
    kept_in: tuple[str, ...]
    """The files that hold them, as paths from the folder of the store: `aside/000000000001-223.cut`."""
    head: int
    """The newest commit that is there."""


def make_store(folder: Folder, covers: Covers, make_random: MakeRandom, store_id: bytes, secret: bytes) -> Manifest:
    """The manifest of a new store, published. Refuses a folder that holds something else."""
    half_made = {LOCK, READERS, MANIFEST + ".tmp"}  # what a crash in here leaves
    if folder.has(BLOBS) and not folder.folder(BLOBS).names():
        half_made.add(BLOBS)
    others = [name for name in folder.names() if name not in half_made]
    if others:
        raise InvalidArgumentError(
            f"the folder holds something that is no store: path={folder.path!r} has={others[0]!r}; name an empty "
            "folder or one that is not there"
        )
    folder.secure()
    folder.folder(BLOBS)
    if not folder.has(READERS):
        folder.create(READERS).close()
    manifest = Manifest(store_id, [(make_random(16), 1)], secret=secret)
    publish_manifest(folder, manifest, covers)
    return manifest


def open_archive(
    folder: Folder, covers: Covers, manifest: Manifest, lock: Lock, make_random: MakeRandom
) -> tuple[Opened, Recovery | None]:
    """The archive of a store, for its writer. `CorruptionError` when acknowledged data is damaged."""
    folder.secure()
    cache = Cache()
    blobs = Blobs(folder.folder(BLOBS), covers)
    logs, faults, torn = _scan(folder, covers, manifest)
    mark = read_clean(folder)
    segments = _segments(folder, covers, cache, manifest)
    if mark is None:
        cut_doubtful(logs, faults, segments, blobs, manifest.head)
    outcome = planned(manifest, logs, faults, torn, mark, folder.boot)
    if isinstance(outcome, Damage):
        raise outcome.error
    plan = outcome
    placer = Placer(lambda payload: blobs.put_bytes(payload, is_durable=False))
    checkpoints = checkpoints_in(manifest, plan.logs)
    archive = Archive(blobs, [*segments, *plan.logs], placer, None, manifest.first_seq)
    archive.kept = {seq for seq, _ in checkpoints.values() if seq < manifest.first_seq}
    recovery = None
    if not plan.is_clean and (plan.logs or plan.cut):
        recovery = _put_aside(folder, plan)
    writer = Writer(folder, covers, manifest.store_id, placer, lambda: make_random(8), plan.head)
    writer.synced_upto = plan.synced_upto
    opened = Opened(folder, covers, cache, manifest, archive, checkpoints, lock, writer)
    try:
        _continue(opened, writer, plan, covers)
        _sweep(folder, opened.manifest)
        if not plan.is_clean:
            blobs.sweep_temporary()
    except BaseException:
        opened.close(is_clean=False)
        raise
    archive.writer = writer
    _lay_to_sleep(archive)
    return opened, recovery


def _scan(
    folder: Folder, covers: Covers, manifest: Manifest
) -> tuple[list[Log], list[Fault | None], list[tuple[str, int]]]:
    """The logs that are not sealed, each read as far as it is right; and files that can't be logs at all."""
    logs: list[Log] = []
    faults: list[Fault | None] = []
    torn: list[tuple[str, int]] = []
    for name in folder.names():
        number = name.removesuffix(".log")
        if number == name or not number.isdigit() or int(number) < manifest.next_segment:
            continue
        file = PooledFile(folder, name)
        try:
            log = Log.opened(file, covers, manifest.store_id)
            if log_name(log.head.segment) != name:
                raise CorruptionError(f"the log is another one: file={name} offset=0", file=name, offset=0)
        except CorruptionError:
            torn.append((name, acknowledged_in(file)))
            file.close()
            continue
        logs.append(log)
        faults.append(log.scan())
    return logs, faults, torn


def _segments(folder: Folder, covers: Covers, cache: Cache, manifest: Manifest) -> list[Part]:
    parts: list[Part] = []
    for info in manifest.segments:
        parts.append(Segment(PooledFile(folder, info.name), cache, covers, manifest.store_id))
    return parts


def _lay_to_sleep(archive: Archive) -> None:
    """Know the newest change of every key, without reading any."""
    columns, later = archive.newest_at(archive.head)
    archive.dormant = Dormant(columns, later)


def _put_aside(folder: Folder, plan: Plan) -> Recovery:
    """Copy what is cut off."""
    kept = []
    dropped = 0
    for name, offset in plan.cut:
        file = folder.open(name)
        try:
            size = file.size()
            dropped += size - offset
            if size > offset:
                aside = folder.folder(ASIDE)
                copy = f"{name.removesuffix('.log')}-{offset}.cut"
                publish(aside, copy, (file.pread(_CHUNK, at) for at in range(offset, size, _CHUNK)))
                kept.append(f"{ASIDE}/{copy}")
        finally:
            file.close()
    return Recovery(dropped, tuple(kept), plan.head)


def _continue(opened: Opened, writer: Writer, plan: Plan, covers: Covers) -> None:
    """Have a log to write to."""
    folder = opened.folder
    last = plan.logs[-1] if plan.logs else None
    if plan.is_clean and last is not None:
        folder.remove(CLEAN)
        opened.hold_reserve()
        folder.sync()
        cover = covers.known(b"log:%d" % last.head.segment, last.head.cover_header)
        last.file = folder.reopen(log_name(last.head.segment))
        writer.take(last.file, last.head, cover, last.stop, last.head_sum, last.next_source)
        last.follow(lambda: writer.size)
        return
    opened.archive.blobs.sync_all()  # those that unsynced commits refer to: written anew, as the commits are
    segment = max([opened.manifest.next_segment, *(log.head.segment + 1 for log in plan.logs)])
    for log in plan.logs:
        opened.seal(log, is_last=True)
    for name, _ in plan.cut:
        with suppress(StorageError):
            folder.remove(name)
    folder.remove(CLEAN)
    opened.hold_reserve()
    folder.sync()  # a log beside the mark of a close would be damage
    writer.start(segment, opened.manifest.previous)
    writer.file.sync()
    folder.sync()
    opened.publish(replace(opened.manifest, next_segment=segment, last_log=segment))
    opened.begin_tail()
    if not plan.is_clean:
        with suppress(DiskFullError):  # it can be done another time
            opened.merge()  # who never closes the store makes a segment each time


def _sweep(folder: Folder, manifest: Manifest) -> None:
    """Take away what a crash left half done: nothing that the manifest lists, no log that is not sealed."""
    listed = {info.name for info in manifest.segments}
    for name in folder.names():
        stem, _, suffix = name.rpartition(".")
        is_orphan = suffix == "seg" and name not in listed
        is_sealed = suffix == "log" and stem.isdigit() and int(stem) < manifest.next_segment
        if suffix == "tmp" or is_orphan or is_sealed:
            folder.remove(name)


def find_manifest(folder: Folder, covers: Covers) -> Manifest:
    """The manifest of the store in a folder; `StoreNotFoundError` when there is none."""
    if not folder.has(MANIFEST):
        raise StoreNotFoundError(f"there is no store: path={folder.path!r}", path=folder.path)
    return read_manifest(folder, covers)


def refusal(error: BaseException) -> CorruptionError | None:
    """What to tell a writer of a store that is damaged; None when it is another error."""
    if isinstance(error, WrongKeyError) or not isinstance(error, CorruptionError | MissingFileError):
        return None
    file, offset = place_of(error)
    return CorruptionError(
        f"the store is damaged, and can only be opened to read: {error}; backpack.verify tells all that is wrong, "
        "backpack.recover makes a new store of all that verifies",
        file=file,
        offset=offset,
    )
