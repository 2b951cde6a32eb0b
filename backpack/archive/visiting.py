"""Opening a store to read, and looking again: beside a writer that goes on, and where the store is damaged.

A writer replaces files while a reader opens them: it seals a log and takes it away, it writes segments anew. So what
fails is tried again from the manifest; only what fails in the same way over and over, under one manifest, is damage.
Then the reader goes on with what can be read (`salvaging.py`). A reader changes no file. It holds files open, so that
what is removed can still be read, and the lock `readers`, so that no blob is swept away.
"""

from collections.abc import Callable
from typing import Final

from backpack.archive.archive import Archive
from backpack.archive.cache import Cache
from backpack.archive.checkpoints import Checkpoints, checkpoints_in
from backpack.archive.content import CommitRow, facts_of
from backpack.archive.dormant import Columns, Dormant, Newest, newest_of
from backpack.archive.encrypting import covers_of
from backpack.archive.files import READERS
from backpack.archive.frames import LOG_HEAD_SIZE_MAX, damaged, read_log_head
from backpack.archive.holed import HoledArchive
from backpack.archive.manifest import MANIFEST, Manifest, SegmentInfo, read_clean, read_manifest
from backpack.archive.opened import Opened
from backpack.archive.parts import Part
from backpack.archive.placing import Placer
from backpack.archive.recovery import Damage, planned
from backpack.archive.salvaging import log_numbers, open_listed, salvaged
from backpack.archive.scanning import Fault, Log
from backpack.archive.segment import Segment
from backpack.archive.writing import log_name
from backpack.blobs.store import Blobs
from backpack.errors import (
    BackpackError,
    CorruptionError,
    MissingFileError,
    StorageError,
    StoreLockedError,
    StoreNotFoundError,
)
from backpack.storage.cover import Covers
from backpack.storage.encryption import Key
from backpack.storage.memory import MemoryFolder
from backpack.storage.pooling import PooledFile
from backpack.storage.protocol import File, Folder, Lock

BLOBS: Final = "blobs"
TRIES: Final = 100
"""How often a reader begins again from the manifest: each time the writer has published another one meanwhile."""

_SAME_MAX: Final = 3
"""So often the same is wrong under the same manifest, then it is damage."""

_LOCK_TRIES: Final = 500
_LOCK_WAIT_S: Final = 0.01

Wait = Callable[[float], None]


class NoLock:
    """In the place of a lock whose file is not there."""

    __slots__ = ()

    def release(self) -> None:
        """Nothing."""


class Known:
    """What a look found out about the head."""

    __slots__ = ("columns", "head", "later")

    def __init__(self, columns: Columns | None, later: dict[str, Newest], head: CommitRow | None) -> None:
        self.columns = columns
        self.later = later
        """With the columns the newest change of every key: see `Archive.newest_at`."""
        self.head = None if head is None else facts_of(head)
        """Who made the newest commit, when, and what it changed: read once, for a writer may take it out again."""


class View:
    """A store as it was found."""

    __slots__ = ("archive", "checkpoints", "covers", "damage", "known", "manifest")

    def __init__(
        self,
        covers: Covers,
        manifest: Manifest,
        archive: Archive,
        checkpoints: Checkpoints,
        damage: CorruptionError | None = None,
        known: Known | None = None,
    ) -> None:
        self.covers = covers
        self.manifest = manifest
        self.archive = archive
        self.checkpoints = checkpoints
        self.damage = damage
        """Why not all of it can be read."""
        self.known = known


class Before:
    """What an earlier look has opened already."""

    __slots__ = ("archive", "known", "logs", "segments")

    def __init__(self, opened: Opened | None = None) -> None:
        self.segments: dict[str, Segment] = {}
        """By name: segments never change."""
        self.logs: dict[int, Log] = {}
        self.archive = None if opened is None else opened.archive
        known = None if opened is None else opened.known
        self.known = known if isinstance(known, Known) else None
        for part in () if opened is None else opened.archive.parts:
            if isinstance(part, Segment):
                self.segments[part.pieces.file.name.rpartition("/")[2]] = part
            elif type(part) is Log:
                self.logs[part.head.segment] = part


def lock_to_read(folder: Folder, wait: Wait) -> Lock:
    """The lock that readers share. A writer that sweeps blobs holds it for a moment: that is waited for.

    Without its file there is none: a reader makes no file. `StoreLockedError`.
    """
    for number in range(_LOCK_TRIES):
        try:
            return folder.lock(READERS, shared=True)
        except MissingFileError:
            return NoLock()
        except StoreLockedError:
            if number == _LOCK_TRIES - 1:
                raise
            wait(_LOCK_WAIT_S)
    raise AssertionError("unreachable")


def has_lost_manifest(folder: Folder) -> bool:
    """Are there segments or logs without a manifest?"""
    return not folder.has(MANIFEST) and any(name.endswith((".seg", ".log")) for name in folder.names())


def missing_store(folder: Folder) -> BackpackError:
    """The error for a folder without a manifest."""
    if not has_lost_manifest(folder):
        return StoreNotFoundError(f"there is no store: path={folder.path!r}", path=folder.path)
    return CorruptionError(
        f"the manifest of the store is missing: file={MANIFEST} offset=0; "
        "backpack.recover makes a new store of all that verifies",
        file=MANIFEST,
        offset=0,
    )


def open_to_read(folder: Folder, key: Key | None, lock: Lock) -> Opened:
    """The archive of a store, as of now. `CorruptionError` when not even the manifest can be read, or no commit."""
    cache = Cache()
    view = _looked(folder, lambda: covers_of(folder, key)[0], cache, blobs_to_read, Before())
    opened = Opened(folder, view.covers, cache, view.manifest, view.archive, view.checkpoints, lock, None)
    opened.damage, opened.known = view.damage, view.known
    return opened


def look_again(opened: Opened) -> bool | None:
    """Have a reader's archive be the store as it is now. Who reads the old archive goes on with that.

    True when there is something new, False when only the files are others, None when all is as it was. Cost: what is
    new, and O(keys) unless all is as it was.
    """
    old, manifest, checkpoints = opened.archive, opened.manifest, opened.checkpoints
    before = Before(opened)
    view = _looked(opened.folder, lambda: opened.covers, opened.cache, lambda *_: old.blobs, before)
    archive = view.archive
    is_same = (archive.head, archive.first_seq, view.checkpoints) == (old.head, old.first_seq, checkpoints)
    is_same = is_same and str(view.damage) == str(opened.damage)
    is_same = is_same and (before.known is None or _has_head(archive, old.head, before.known))
    if is_same and view.manifest.generation == manifest.generation:
        return None
    opened.archive, opened.manifest, opened.checkpoints = archive, view.manifest, view.checkpoints
    opened.damage, opened.known = view.damage, view.known
    return not is_same


def blobs_to_read(folder: Folder, covers: Covers) -> Blobs:
    """The blobs of a store; none at all when their folder is gone."""
    try:
        return Blobs(folder.folder(BLOBS), covers)
    except MissingFileError:
        return Blobs(MemoryFolder(path=folder.path).folder(BLOBS), covers)


def _looked(
    folder: Folder,
    find_covers: Callable[[], Covers],
    cache: Cache,
    blobs_of: Callable[[Folder, Covers], Blobs],
    before: Before,
) -> View:
    seen: tuple[int, str] = (-1, "")
    count = 0
    for _ in range(TRIES):
        covers = find_covers()
        manifest = read_manifest(folder, covers)
        try:
            return _view(folder, covers, cache, manifest, blobs_of(folder, covers), before)
        except (CorruptionError, StorageError) as error:
            found = (manifest.generation, str(error))
            fault = error if isinstance(error, CorruptionError) else damaged("", 0, str(error))
        count = count + 1 if found == seen else 1
        seen = found
        if count == _SAME_MAX:
            return _damaged_view(folder, covers, cache, manifest, blobs_of(folder, covers), fault)
    raise StorageError(
        f"the store changes faster than it can be opened: path={folder.path!r}; try again", file=folder.path
    )


def _view(folder: Folder, covers: Covers, cache: Cache, manifest: Manifest, blobs: Blobs, before: Before) -> View:
    """The store, if nothing is wrong with it."""
    parts: list[Part] = [_segment(folder, covers, cache, manifest, info, before) for info in manifest.segments]
    logs, faults, torn = read_logs(folder, covers, manifest, before)
    plan = planned(manifest, logs, faults, torn, read_clean(folder), folder.boot)
    if isinstance(plan, Damage):
        raise plan.error
    checkpoints = checkpoints_in(manifest, plan.logs)
    archive = Archive(blobs, [*parts, *plan.logs], Placer(_no_blob), None, manifest.first_seq)
    archive.kept = {seq for seq, _ in checkpoints.values() if seq < manifest.first_seq}
    known = _known(archive, before)
    archive.dormant = Dormant(known.columns, known.later)
    return View(covers, manifest, archive, checkpoints, None, known)


def read_logs(
    folder: Folder, covers: Covers, manifest: Manifest, before: Before
) -> tuple[list[Log], list[Fault | None], list[tuple[str, int]]]:
    """`(the logs that are not sealed, where each ends early, files that can't be logs)`: see `planned`."""
    logs: list[Log] = []
    faults: list[Fault | None] = []
    torn: list[tuple[str, int]] = []
    numbers = log_numbers(folder, manifest)
    for number in numbers:
        name = log_name(number)
        try:  # only the newest may get longer while it is read
            file = folder.open(name) if number == numbers[-1] else PooledFile(folder, name)
            log, fault = _log(file, covers, manifest, number, before)
        except CorruptionError:
            torn.append((name, 0))
            continue
        logs.append(log)
        faults.append(fault)
    return logs, faults, torn


def _damaged_view(
    folder: Folder, covers: Covers, cache: Cache, manifest: Manifest, blobs: Blobs, fault: CorruptionError
) -> View:
    salvage = salvaged(folder, covers, cache, manifest)
    if not salvage.head:
        raise fault
    checkpoints = checkpoints_in(manifest, salvage.logs)
    checkpoints = {name: one for name, one in checkpoints.items() if one[0] <= salvage.head}
    placer = Placer(_no_blob)
    archive = HoledArchive(blobs, salvage.parts, placer, manifest.first_seq, salvage.holes, salvage.head)
    archive.kept = {seq for seq, _ in checkpoints.values() if seq < manifest.first_seq}
    archive.lay_to_sleep()
    return View(covers, manifest, archive, checkpoints, fault)


def _segment(
    folder: Folder, covers: Covers, cache: Cache, manifest: Manifest, info: SegmentInfo, before: Before
) -> Segment:
    segment = before.segments.get(info.name)
    if segment is None:
        segment = before.segments[info.name] = open_listed(folder, covers, cache, manifest, info)
    return segment


def _log(file: File, covers: Covers, manifest: Manifest, number: int, before: Before) -> tuple[Log, Fault | None]:
    """A log, read as far as it is right: from where it was read to before, where that goes on."""
    old, size = before.logs.get(number), file.size()
    if old is not None and size >= old.stop:
        head = read_log_head(file.pread(LOG_HEAD_SIZE_MAX, 0), file.name)
        if head.salt == old.head.salt and head.store_id == manifest.store_id:
            if size == old.stop:
                old.file = file
                return old, None
            log = old.copied(file)
            if log.scan() is None:
                return log, None
    log = Log.opened(file, covers, manifest.store_id)
    if log.head.segment != number:
        raise damaged(file.name, 0, "the log is another one")
    return log, log.scan()


def _known(archive: Archive, before: Before) -> Known:
    """The newest change of every key. Where an earlier look knows them up to its head, only what came since is read."""
    head = archive.row(archive.head) if archive.head else None
    old, known = before.archive, before.known
    if old is None or known is None or old.head > archive.head or not _has_head(archive, old.head, known):
        return Known(*archive.newest_at(archive.head), head)
    fresh: dict[str, Newest] = {}
    for row in archive.rows(archive.head + 1, old.head):
        for change in row.changes:
            fresh.setdefault(change.key, newest_of(change))
    return Known(known.columns, {**known.later, **fresh}, head)


def _has_head(archive: Archive, head: int, known: Known) -> bool:
    """Is the commit that was the newest still that commit? A writer may have taken it out again."""
    row = archive.row(head) if head else None
    return (None if row is None else facts_of(row)) == known.head


def _no_blob(_: bytes) -> bytes:
    raise NotImplementedError
