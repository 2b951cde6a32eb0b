"""The files of an opened store: logs that begin and are sealed, syncs, the manifest, the mark of a clean close.

What a crash at any point leaves is always the same: the manifest that was published last, the segments it lists, and
the logs behind them. Everything here is done in the order that keeps this true: a segment is whole and synced before
the manifest lists it, the manifest is synced before the log that it replaces goes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from threading import RLock
from typing import Any, Final

from backpack.archive.archive import Archive, Part, engine_over
from backpack.archive.cache import Cache
from backpack.archive.compacting import based, erased, sealed
from backpack.archive.contents import Contents
from backpack.archive.derived import Derived, remove_derived
from backpack.archive.foreseeing import LEVEL, Beside, Foreseen
from backpack.archive.gathering import gathered
from backpack.archive.holding import blobs_in_use
from backpack.archive.holed import HoledArchive
from backpack.archive.inbox import Inbox
from backpack.archive.keeping import Keeper
from backpack.archive.keyframe import Keyframe
from backpack.archive.keyframing import keyframe_after, keyframe_at, keyframe_joined
from backpack.archive.layout import cover_name
from backpack.archive.letters import Letter
from backpack.archive.manifest import CleanMark, Manifest, SegmentInfo, publish_clean, publish_manifest
from backpack.archive.merging import joined
from backpack.archive.retention import Retention
from backpack.archive.scanning import Log
from backpack.archive.sealing import seal
from backpack.archive.segment import Segment
from backpack.archive.syncing import Syncer
from backpack.archive.tiering import to_merge, weight_of
from backpack.archive.writing import Writer, log_name, stopped_error
from backpack.archive.yielding import Yielding
from backpack.core.engine import Engine
from backpack.core.ids import Epoch
from backpack.core.limits import Limits
from backpack.errors import BackpackError, ClosedError, CorruptionError, DiskFullError, StorageError, StoreLockedError
from backpack.storage.cover import Covers
from backpack.storage.pooling import PooledFile
from backpack.storage.protocol import File, Folder, Lock, publish

SEGMENT_SIZE: Final = 4 * 1024 * 1024
"""A log longer than this is followed by the next one and sealed."""

LOGS_OF_A_LIMIT: Final = 8
"""Where the archive is to be kept small, a log has at most one in so many parts of what is kept, so that whole segments
are small enough to go one by one; and at least half as much as what is carried forward when one goes."""

LOG_SIZE_MIN: Final = 64 * 1024
"""But no log ends below this size for that: sealing costs a few syncs."""

UNTENDED_MAX: Final = 8
"""What is too much for the limits is taken away when no full log waits: those would be read for it, and count with more
than they are going to take. But not later than after so many."""

LOGS_WAITING_MAX: Final = 1
"""With more full logs than this they are sealed whether or not there is a pause."""

SEAL_SIZE_MIN: Final = 64 * 1024
"""A log shorter than this is left as it is when the store is closed: the next writer goes on in it."""

ASIDE: Final = "aside"
READERS: Final = "readers"
RESERVE: Final = "reserve"
RESERVE_SIZE: Final = 4096
"""A file of so many bytes that closing takes away first: on a full disk the mark of a clean close has its place."""

LEVEL_LAST: Final = 6
"""Of zstd, for the log that is sealed at closing: 2 to 3 % less, for twice the time, when nobody commits beside it."""

MERGES_MAX: Final = 1 << 62

Checkpoints = dict[str, tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Health:
    """How an opened store fares.

    `ok` (True when nothing has failed), `problem` (what failed last), `unsealed_logs` and `unsynced_commits` (how much
    waits for the background), `refused_letters` (of the inbox). Of a store in memory: ok, and nothing waits.
    """

    ok: bool
    problem: str
    """What failed last, in the background or on the disk; empty when nothing did."""
    unsealed_logs: int
    """Logs that wait to be sealed, the one that is written included."""
    unsynced_commits: int
    """Commits that a power loss now could take."""
    refused_letters: int = 0
    """Letters in the inbox that could not be adopted: damaged, or more than the store has room for. See `verify`."""


class Opened:
    """An archive with its files, and with the right to change them unless it is a reader's."""

    def __init__(
        self,
        folder: Folder,
        covers: Covers,
        cache: Cache,
        manifest: Manifest,
        archive: Archive,
        checkpoints: Checkpoints,
        lock: Lock,
        writer: Writer | None,
    ) -> None:
        self.folder = folder
        self.covers = covers
        self.cache = cache
        self.manifest = manifest
        self.archive = archive
        self.writer = writer
        self._sealed_checkpoints: Checkpoints = {name: (seq, notes) for name, seq, notes in manifest.checkpoints}
        self.checkpoints = checkpoints
        """As of the head: those of the manifest and the notes of the logs. The engine's from the opening on."""
        self._lock = lock
        self._parts_lock = RLock()
        self._rewriting = RLock()
        """Held while the manifest changes."""
        self.retention = Retention()
        """What the archive is to keep when nothing else is said."""
        self._untended = 0
        """Logs that were sealed since that was called."""
        self._commit_size = 0
        """Bytes of a commit in the log that ended last, about; 0 before that."""
        self._leaving: list[int] = []
        """Of each compaction under way: the commits before that one are about to go. Wants the store's lock."""
        self.tend: Callable[[], None] | None = None
        """Called by the keeper after it has sealed a log, when something is to be kept only."""
        self.damage: BackpackError | None = None
        """Why a reader can't read all of the store, or the keeper of a writer couldn't."""
        self.known: object = None
        """A reader's: what it knows about the head, for when it looks again."""
        self.inbox = Inbox(folder, covers, manifest.store_id)
        self.refused: dict[str, BackpackError] = {}
        """By name: the letters that could not be adopted, or not be read, and why."""
        self.adopting = RLock()
        """Held by who adopts letters, and by who must not be come in between by that. Who has letters at rest tells
        subscribers under it: so it is taken before any lock that they may want."""
        self.is_adopting = False
        """Its holder wants no other letter to be adopted."""
        self.not_adopting: set[int] = set()
        """The threads that adopt nothing at present: they hold a lock that comes after `adopting`."""
        self.letters: dict[str, Letter] = {}
        """By name: the letters that a reader has opened already."""
        self._testified = 0
        """The newest commit that a flush was told of in the log."""
        self._unsynced: list[File] = []
        self._is_folder_unsynced = False
        self._is_closed = False
        self._is_released = False
        """Are the files another writer's from here on?"""
        self._seen = -1
        """The newest commit when the keeper looked last whether there is a pause."""
        self._last: Part | None = None
        """The newest log, once nothing will be written to it any more."""
        self._merges = MERGES_MAX
        """How often the keeper may still merge segments."""
        self._left_alone: set[str] = set()
        """The segments that could not be read when they were to be merged."""
        self._closing = RLock()
        self.syncer = Syncer(self._sync, manifest.head if writer is None else writer.synced_upto)
        self._keeper = Keeper(self._seal_next, self._is_busy)
        if writer is not None:
            writer.roll_at = self._full
            writer.roll = self._roll
            archive.retreat = self.syncer.retreat
            self.syncer.tell = self._settled

    def engine(self, limits: Limits) -> Engine:
        """An engine over the archive, with its checkpoints."""
        epoch: Epoch | None = None
        for secret, first_seq in self.manifest.epochs:
            epoch = Epoch(secret, first_seq, epoch)
        assert epoch is not None
        engine = engine_over(self.archive, limits, epoch, None if self.writer is None else self.archive)
        for name, (seq, notes) in self.checkpoints.items():
            engine.pins.add(name, seq, notes)
        if isinstance(self.archive, HoledArchive):
            self.archive.doubt(engine)
        return engine

    # -- durability ----------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Everything so far is on disk for good. Raises what failed in the background since the last time."""
        self.syncer.sync()
        self.catch_up()
        self._raise_failure()

    @property
    def is_behind(self) -> bool:
        """Is the archive to be kept small, and at the moment perhaps larger than that?"""
        return bool(self.retention) and self.writer is not None and not self._keeper.is_idle

    def catch_up(self) -> None:
        """Where the archive is to be kept small, wait until it is."""
        if self.is_behind:
            self._keeper.drain()

    async def aflush(self) -> None:
        """As `flush`, in a task: the thread of its loop neither syncs nor waits."""
        await self.syncer.settled()
        self._raise_failure()

    def testify(self, time_ns: int) -> None:
        """Leave a frame that says how far everything is on disk for good, unless the last frame does. Wants the store's
        lock. Cost: an append; the frame itself is not synced: it is about those before it."""
        writer = self.writer
        assert writer is not None
        if writer.synced_upto > self._testified and writer.failure is None:
            with suppress(DiskFullError):  # it promises nothing: what there is is on disk
                writer.note(time_ns, {"synced": writer.synced_upto})
            self._testified = writer.synced_upto

    def note(self, time_ns: int, note: Mapping[str, Any]) -> None:
        """Write down something about the store. Wants the store's lock."""
        assert self.writer is not None
        self.writer.note(time_ns, note)

    def health(self) -> Health:
        """How it fares."""
        writer = self.writer
        refused = list(self.refused.values())
        failure: BackpackError | None = self._keeper.failure or self.syncer.failure or self.damage
        failure = failure or next(iter(refused), None)
        logs = sum(isinstance(part, Log) for part in self.archive.parts)
        if writer is None:
            return Health(failure is None, str(failure or ""), logs, 0, len(refused))
        failure = writer.failure or failure
        unsynced = writer.last_seq - self.syncer.synced
        return Health(failure is None, str(failure or ""), logs, unsynced, len(refused))

    def close(self, *, is_clean: bool = True) -> None:
        """Have everything on disk, sealed where that is worth it and there is room, and let go, even when it raises.
        Idempotent."""
        with self._closing:  # who comes second returns when it is closed, not before
            if self._is_closed:
                return
            self._is_closed = True
            try:
                if self.writer is not None and is_clean:
                    if self.writer.failure is not None:
                        raise stopped_error(self.writer.failure)
                    self._finish(self.writer)
            finally:
                try:
                    self._keeper.stop()
                    self.syncer.join()
                    with self._rewriting:  # whoever compacts or erases in another thread ends first
                        self._is_released = True
                        self.archive.close()
                finally:
                    self._lock.release()

    @property
    def is_closed(self) -> bool:
        """Was it closed, or is it being closed?"""
        return self._is_closed

    def drain(self) -> None:
        """Wait until every log but the newest is sealed. Raises what failed."""
        self._keeper.drain()
        failure = self._keeper.take_failure()
        if failure is not None:
            raise failure

    def keep(self, retention: Retention, tend: Callable[[], None]) -> None:
        """What the archive is to keep from here on; `tend` takes the rest away and is called after each sealing."""
        self.retention = retention
        self.tend = tend
        if self.writer is not None:
            self.writer.roll_at = self._full

    def hold_reserve(self) -> None:
        """Keep a little room for closing, if there is any."""
        self.folder.remove(RESERVE)  # a power loss may have left an empty one
        with suppress(DiskFullError):
            file = self.folder.create(RESERVE)
            try:
                file.append(bytes(RESERVE_SIZE))
            finally:
                file.close()

    def begin_tail(self) -> None:
        """The log that the writer has just begun is the newest part."""
        writer = self.writer
        assert writer is not None
        tail = Log(writer.file, writer.head, self.covers)
        tail.follow(lambda: writer.size)
        self.archive.set_parts([*self.archive.parts, tail])
        writer.roll_at = min(SEGMENT_SIZE, self._full << min(self._waiting, 10))  # longer while sealing falls behind

    def publish(self, manifest: Manifest) -> None:
        """Make it the manifest."""
        publish_manifest(self.folder, manifest, self.covers)
        self.manifest = manifest

    # -- inside --------------------------------------------------------------------------------------------------

    def _raise_failure(self) -> None:
        """What failed in the background, once; it is tried again."""
        failure = self._keeper.take_failure()
        if failure is not None:
            self._keeper.wake()
            raise failure

    def _finish(self, writer: Writer) -> None:
        """Seal what is worth it, and say how the store was left.

        A disk without room for a segment leaves the logs as they are: all that was acknowledged is in them. The mark
        goes where the reserve was. Without room even for that the next opening takes the store, which has everything,
        for one that was not closed.
        """
        self._merges = 0
        has_room = self._has_sealed()
        self.syncer.sync()
        if has_room and writer.size > SEAL_SIZE_MIN:
            self._last = self.archive.parts[-1]  # by the keeper's thread, whose memory is at hand for it
            has_room = self._has_sealed()
        if has_room:
            self._merges = 1  # closing costs no more than sealing one log once more, however many wait to be merged
            self._has_sealed()
        self._keeper.stop()
        self.folder.remove(log_name(writer.segment + 1))  # what an interrupt may have left of beginning it
        mark = CleanMark(writer.segment, writer.size, writer.head_sum, writer.last_seq)
        if self.manifest.next_segment > writer.segment:
            mark = CleanMark(0, 0, 0, writer.last_seq)
        with suppress(DiskFullError):
            self.folder.remove(RESERVE)
            publish_clean(self.folder, mark)

    def _has_sealed(self) -> bool:
        """Have the keeper do what it may. False when the disk had no room for it."""
        try:
            self.drain()
        except DiskFullError:
            return False
        return True

    def _sync(self) -> int:
        """What the syncer calls."""
        writer = self.writer
        assert writer is not None
        seq = writer.last_seq
        with self._parts_lock:
            files = [*self._unsynced, writer.file]
            is_folder_unsynced, self._is_folder_unsynced = self._is_folder_unsynced, False
        try:
            if not self.archive.blobs.is_synced:
                self.archive.blobs.sync_all()
            for file in files:
                file.sync()
            if is_folder_unsynced:
                self.folder.sync()
        except BaseException as error:
            with self._parts_lock:
                self._is_folder_unsynced |= is_folder_unsynced
            if isinstance(error, StorageError):
                writer.failure = error
            raise
        with self._parts_lock:
            done = files[:-1]
            self._unsynced = [file for file in self._unsynced if file not in done]
        return seq

    @property
    def _full(self) -> int:
        """The size at which a log ends, and up to which segments are merged: smaller where little is to be kept."""
        wanted = [SEGMENT_SIZE]
        if self.retention.max_archive_size is not None:
            wanted.append(self.retention.max_archive_size // LOGS_OF_A_LIMIT)
        if self.retention.keep_commits is not None:
            wanted.append(self.retention.keep_commits * self._commit_size // LOGS_OF_A_LIMIT)
        first = next(iter(self.archive.parts), None)
        has_base = first is not None and first.first_seq < self.archive.first_seq
        base = weight_of(first) // 2 if isinstance(first, Segment) and has_base else 0
        return min(SEGMENT_SIZE, max(min(wanted), base, LOG_SIZE_MIN))

    def _settled(self, seq: int) -> None:
        """What the syncer tells: the frames to come say that everything up to there is on disk."""
        assert self.writer is not None
        self.writer.synced_upto = max(self.writer.synced_upto, seq)

    def _roll(self) -> None:
        """Begin the next log. What the writer calls, under the store's lock."""
        writer = self.writer
        assert writer is not None
        old, end = writer.file, writer.size
        self._commit_size = (end - writer.head.size) // max(writer.last_seq - writer.first_seq + 1, 1)
        with self._parts_lock:
            tail = self.archive.parts[-1]
            assert isinstance(tail, Log)
            begun = writer.begun(writer.segment + 1, writer.head_sum)  # a full disk refuses here: nothing has happened
            try:
                self._unsynced.append(old)
                self._is_folder_unsynced = True
                tail.follow(lambda: end)
                writer.take(*begun)
                self.begin_tail()
            except BaseException as error:  # an interrupt: which log is the newest can't be said here any more
                writer.failure = StorageError(f"the next log was not begun: {type(error).__name__}", file=begun[0].name)
                raise
        self._keeper.wake()

    def _is_busy(self) -> bool:
        """Were there commits since this was asked last, and may the sealing wait?"""
        assert self.writer is not None
        before, self._seen = self._seen, self.writer.last_seq
        return before != self._seen and self._waiting <= LOGS_WAITING_MAX

    @property
    def _waiting(self) -> int:
        """Full logs that wait to be sealed."""
        return sum(isinstance(part, Log) for part in self.archive.parts) - 1

    def _seal_next(self) -> bool:
        """One piece of work for the keeper: the oldest log that nothing is written to any more."""
        parts = self.archive.parts
        for part in parts[:-1]:
            if isinstance(part, Log):
                self.seal(part, is_last=False)
                self._untended += 1
                if self.tend is not None and (not self._waiting or self._untended >= UNTENDED_MAX):
                    self._untended = 0
                    self.tend()
                return True
        last, self._last = self._last, None
        if isinstance(last, Log):
            self.seal(last, is_last=True)
            return True
        if self._merges:
            self._merges -= 1
            return self.merge()
        return False

    def seal(self, log: Log, *, is_last: bool) -> None:
        """Make a segment of a log, have the manifest list it, take the log away."""
        with self._rewrite():
            if any(part is log for part in self.archive.parts):
                self._seal(log, is_last=is_last)

    def _seal(self, log: Log, *, is_last: bool) -> None:
        segment = log.head.segment
        infos = list(self.manifest.segments)
        part: Part | None = None
        index, contents = gathered(log, self._yielding())
        self._require_whole(index, log, is_last=is_last)
        if index.commit_count:
            keyframe = keyframe_after(self.archive, index, is_last=is_last)
            level = LEVEL_LAST if is_last else LEVEL
            info, part = self._sealed(f"{segment:012d}.seg", contents, keyframe, level)
            infos.append(info)
        apply_notes(self._sealed_checkpoints, index.notes)
        newest = self.archive.parts[-1].origins[1]
        if not is_last:
            self.syncer.sync()  # the manifest is going to say that the newest log is there
        manifest = replace(
            self.manifest,
            segments=infos,
            next_segment=segment + 1,
            last_log=max(self.manifest.last_log, segment) if is_last else newest,
            previous=index.head_sum & 0xFFFFFFFF,
            head=index.last_seq,
            last_ns=max(self.manifest.last_ns, index.last_ns),
            checkpoints=[(name, seq, notes) for name, (seq, notes) in self._sealed_checkpoints.items()],
        )
        self.publish(manifest)
        with self._parts_lock:
            self.archive.set_parts(list(_replaced(self.archive.parts, log, part)))
        self.syncer.advance(index.last_seq)
        self.folder.remove(log_name(segment))

    def _require_whole(self, index: Log, log: Log, *, is_last: bool) -> None:
        """`StorageError` when there is more in a log than what was read of it: it goes once it is sealed."""
        writer, parts = self.writer, self.archive.parts
        assert writer is not None
        if writer.segment == log.head.segment:
            end = writer.last_seq, writer.head_sum & 0xFFFFFFFF
        elif is_last:  # at opening, which has read it
            end = log.last_seq, log.head_sum & 0xFFFFFFFF
        else:
            follower = parts[next(place for place, part in enumerate(parts) if part is log) + 1]
            assert isinstance(follower, Log)
            end = follower.first_seq - 1, follower.head.previous & 0xFFFFFFFF
        if (index.last_seq, index.head_sum & 0xFFFFFFFF) != end:
            raise StorageError(
                f"the log goes on where it was taken to end: commit={index.last_seq}", file=log.file.name
            )

    @contextmanager
    def _rewrite(self) -> Iterator[None]:
        """Nobody else changes which files there are meanwhile. `ClosedError` when that is not for this to do any
        more."""
        with self._rewriting:
            if self._is_released:
                raise ClosedError("the store is closed: open it again")
            yield

    def _yielding(self) -> Yielding:
        writer = self.writer
        assert writer is not None
        return Yielding(lambda: writer.last_seq)

    def _sealed(
        self, name: str, contents: Contents, keyframe: Keyframe | None, level: int = LEVEL
    ) -> tuple[SegmentInfo, Segment]:
        """A new segment, whole and on disk for good."""
        cover = self.covers.fresh(cover_name(contents.origins))
        chunks = seal(contents, store_id=self.manifest.store_id, cover=cover, keyframe=keyframe, level=level)
        publish(self.folder, name, self._yielding().between(chunks))
        new = Segment(PooledFile(self.folder, name), self.cache, self.covers, self.manifest.store_id)
        info = new.info(name)
        return info, new

    def merge(self) -> bool:
        """Have one segment in place of several small ones, if there are some. Nothing else is changed by it.

        Cost: that of sealing one log, at most about.
        """
        with self._rewrite():
            segments = sealed(self.archive)
            full = self._full
            weights = [full if one.name in self._left_alone else weight_of(one) for one in segments]
            places = to_merge(weights, full)
            if places is None:
                return False
            old = segments[places.start : places.stop]
            try:
                contents = joined(old)
                info, new = self._sealed(self._new_name(contents), contents, keyframe_joined(self.archive, old))
            except CorruptionError as error:  # nothing is lost by leaving them as they are
                self.damage = error
                self._left_alone.update(one.name for one in old)
                return True
            infos = list(self.manifest.segments)
            infos[places.start : places.stop] = [info]
            self.publish(replace(self.manifest, segments=infos))
            with self._parts_lock:
                parts = list(self.archive.parts)
                parts[places.start : places.stop] = [new]
                self.archive.set_parts(parts)
            del segments, parts
            self._remove(old)
            return True

    def _new_name(self, contents: Contents) -> str:
        """For a segment that is written anew: no other has it."""
        return f"{contents.origins[0]:012d}-{self.manifest.generation}.seg"

    # -- rewriting -----------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Have everything so far in logs that nothing is written to any more, and let nothing new point there. Wants
        the store's lock."""
        writer = self.writer
        assert writer is not None
        if writer.size > writer.head.size:
            self._roll()
        writer.placer.forget(writer.segment)

    @contextmanager
    def leaving(self, boundary: int) -> Iterator[None]:
        """A compaction: commits before that one are about to go, and it was decided which of them are checkpoints.
        Begun under the store's lock."""
        self._leaving.append(boundary)
        try:
            yield
        finally:
            self._leaving.remove(boundary)

    def is_leaving(self, seq: int) -> bool:
        """Is the commit about to go, unless it is a checkpoint already? Wants the store's lock."""
        return seq < max(self._leaving, default=0)

    def rebase(self, boundary: int, checkpoints: Iterable[int]) -> int:
        """Take the segments before a commit away, but for what is needed of them. Returns the bytes that went.

        `settle` was called before, and all logs but the newest are sealed.
        """
        with self._rewrite():
            going, contents, pinned = based(self.archive, boundary, checkpoints)
            if not going:
                return 0
            keyframe = keyframe_at(self.archive, boundary - 1)
            info, base = self._sealed(self._new_name(contents), contents, keyframe)
            listed = {id(segment) for segment in going}
            infos = [info, *self.manifest.segments[len(going) :]]
            self.syncer.sync()  # a checkpoint whose deletion a power loss undoes would be one of nothing
            self.publish(replace(self.manifest, segments=infos, first_seq=boundary))
            with self._parts_lock:
                self.archive.first_seq = boundary
                self.archive.set_parts([base, *(part for part in self.archive.parts if id(part) not in listed)])
                self.archive.kept = pinned
            return sum(segment.size for segment in going) - info.size + self._remove(going)

    def foresee(self, retention: Retention, checkpoints: Iterable[int], now_ns: int) -> Foreseen:
        """What a compaction would do now. Nothing is changed, and nobody else changes which files there are meanwhile.

        Cost: that of compacting, but for what it writes."""
        with self._rewrite():
            beside = Beside(
                self.archive,
                self.covers,
                self.manifest.store_id,
                self._full,
                self._left_alone,
            )
            usual = Retention() if self.tend is None else self.retention
            return beside.run(retention, usual, checkpoints, now_ns)

    def erase(self, keys: set[str], upto: int) -> int:
        """Write every segment that has values of these keys, from commits up to `upto`, anew without them. Returns how
        many bytes smaller they are.

        As with `rebase`, `settle` comes first.
        """
        freed = 0
        with self._rewrite():
            infos = list(self.manifest.segments)
            parts: list[Part] = list(self.archive.parts)
            old = []
            for segment, contents in erased(self.archive, keys, upto):
                info, new = self._sealed(self._new_name(contents), contents, segment.keyframe())
                infos = [info if one.origins == segment.origins else one for one in infos]
                parts = [new if part is segment else part for part in parts]
                freed += segment.size - new.size
                old.append(segment)
            if old:
                self.publish(replace(self.manifest, segments=infos))
                with self._parts_lock:
                    changed = {part.origins: part for part in parts}
                    self.archive.set_parts([changed.get(part.origins, part) for part in self.archive.parts])
                self._remove(old)
        return freed

    def discard_aside(self) -> None:
        """Take away, for good, what recovery once put aside: nobody can say what values it holds."""
        if self.folder.has(ASIDE):
            aside = self.folder.folder(ASIDE)
            for name in aside.names():
                aside.remove(name)
            aside.sync()

    def derived(self) -> Derived | None:
        """Where files derived from it may be; None where there may be none: in memory, or of an encrypted one."""
        path = None if self.manifest.secret else self.folder.location()
        if path is None:
            return None
        return Derived(self.folder, path, self.manifest.store_id.hex(), self.writer is not None)

    def discard_derived(self) -> None:
        """Take away, for good, all that was derived from the store."""
        remove_derived(self.folder)

    def _remove(self, old: list[Segment]) -> int:
        """Take the files of segments away, which forks and iterators can still read. One after the other: those that
        nobody reads are closed at once."""
        while old:
            segment = old.pop()
            segment.pieces.file.keep()
            self.folder.remove(segment.pieces.file.name.rpartition("/")[2])
        self.folder.sync()
        return 0

    def sweep(self, *, beside_readers: bool) -> int:
        """Remove the blobs that no value points to. Returns how many bytes that gave. Wants the store's lock.

        `beside_readers`: even when readers have the store open; else those find every blob for as long as they do.
        """
        guard: Lock | None = None
        if not beside_readers:
            try:
                guard = self.folder.lock(READERS)
            except StoreLockedError:
                return 0
        try:
            with self._rewrite():
                used = blobs_in_use(self.archive)
                freed = 0
                blobs = self.archive.blobs
                for digest in list(blobs.digests()):
                    if digest not in used:
                        freed += blobs.size_of(digest)
                        blobs.remove(digest)
                return freed
        finally:
            if guard is not None:
                guard.release()


def _replaced(parts: Sequence[Part], old: Part, new: Part | None) -> Iterator[Part]:
    for part in parts:
        if part is not old:
            yield part
        elif new is not None:
            yield new


def apply_notes(checkpoints: Checkpoints, notes: Sequence[tuple[int, Any]]) -> None:
    """Checkpoints as they are after what was noted. Notes of another kind are left alone."""
    for _, note in notes:
        if not isinstance(note, dict):
            continue
        name = note.get("checkpoint")
        seq, text = note.get("seq"), note.get("notes")
        if isinstance(name, str) and isinstance(seq, int) and isinstance(text, str):
            checkpoints[name] = (seq, text)
        name = note.get("forget")
        if isinstance(name, str):
            checkpoints.pop(name, None)


MakeRandom = Callable[[int], bytes]
