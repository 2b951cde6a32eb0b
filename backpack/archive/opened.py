"""An opened store beside its calls: logs that begin and end, syncs, the keeper's work, the mark of a clean close.

What is done to files, and in which order, is in `files.py`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import RLock
from typing import Any, Final

from backpack.archive.archive import Archive, engine_over
from backpack.archive.cache import Cache
from backpack.archive.checkpoints import Checkpoints
from backpack.archive.derived import Derived, remove_derived
from backpack.archive.files import Files
from backpack.archive.foreseeing import Beside, Foreseen
from backpack.archive.holed import HoledArchive
from backpack.archive.inbox import Inbox
from backpack.archive.journal import LogJournal
from backpack.archive.keeping import Keeper
from backpack.archive.letters import Letter
from backpack.archive.manifest import CleanMark, Manifest, publish_clean
from backpack.archive.parts import Part
from backpack.archive.retention import Retention
from backpack.archive.scanning import Log
from backpack.archive.segment import Segment
from backpack.archive.tiering import weight_of
from backpack.archive.writing import Writer, log_name, stopped_error
from backpack.core.engine import Engine
from backpack.core.ids import Epoch
from backpack.core.limits import Limits
from backpack.errors import BackpackError, DiskFullError, StorageError
from backpack.storage.cover import Covers
from backpack.storage.protocol import Folder, Lock

SEGMENT_SIZE: Final = 2560 * 1024
"""A log longer than this is followed by the next one and sealed."""

LOGS_OF_A_LIMIT: Final = 8
"""Where the archive is to be kept small, a log has at most one in so many parts of what is kept, so that whole segments
are small enough to go one by one; and at least half as much as what is carried forward when one goes."""

LOG_SIZE_MIN: Final = 64 * 1024
"""But no log ends below this size for that: sealing costs a few syncs."""

UNTENDED_MAX: Final = 8
"""What is too much for the limits is taken away when no full log waits: those would be read for it, and count with more
than they are going to take. But not later than after so many, or as many as wait: what waits is read each time."""

UNSYNCED_LOGS_MAX: Final = 64
"""Each is open until it is synced. Where there are so many that are not, the next ones are twice as long."""

LOGS_WAITING_MAX: Final = 1
"""With more full logs than this they are sealed whether or not there is a pause."""

SEAL_SIZE_MIN: Final = 64 * 1024
"""A log shorter than this is left as it is when the store is closed: the next writer goes on in it."""

ASIDE: Final = "aside"
RESERVE: Final = "reserve"
RESERVE_SIZE: Final = 4096
"""A file of so many bytes that closing takes away first: on a full disk the mark of a clean close has its place."""

MERGES_MAX: Final = 1 << 62


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


class Opened(Files):
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
        super().__init__(folder, covers, cache, manifest, archive, writer)
        self.checkpoints = checkpoints
        """As of the head: those of the manifest and the notes of the logs. The engine's from the opening on."""
        self._lock = lock
        self._engine: Engine | None = None
        self.retention = Retention()
        """What the archive is to keep when nothing else is said."""
        self._untended = 0
        """Logs that were sealed since that was called."""
        self._wanted = 0
        """Somebody waits until the limits are kept for all that is in logs before this one."""
        self._tended = 0
        """And they were for all before this one."""
        self._commit_size = 0
        """Bytes of a commit in the log that ended last, about; 0 before that."""
        self._leaving: list[int] = []
        """Of each compaction under way: the commits before that one are about to go. Wants the store's lock."""
        self.tend: Callable[[], None] | None = None
        """Called by the keeper after it has sealed a log, when something is to be kept only."""
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
        self._seen = -1
        """The newest commit when the keeper looked last whether there is a pause."""
        self._last: Part | None = None
        """The newest log, once nothing will be written to it any more."""
        self._merges = MERGES_MAX
        """How often the keeper may still merge segments."""
        self._closing = RLock()
        self._keeper = Keeper(self._seal_next, self._is_busy)
        self.journal = None if writer is None else LogJournal(archive, writer, self.syncer.retreat)
        if writer is not None:
            writer.roll_at = self._full
            writer.roll = self._roll
            self.syncer.tell = self._settled

    def engine(self, limits: Limits) -> Engine:
        """An engine over the archive, with its checkpoints."""
        epoch: Epoch | None = None
        for secret, first_seq in self.manifest.epochs:
            epoch = Epoch(secret, first_seq, epoch)
        assert epoch is not None
        engine = engine_over(self.archive, limits, epoch, self.journal)
        for name, (seq, notes) in self.checkpoints.items():
            engine.pins.add(name, seq, notes)
        if isinstance(self.archive, HoledArchive):
            self.archive.doubt(engine)
        self._engine = engine
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
        """Where the archive is to be kept small, wait until it is, with the newest log of when this was called among
        what counts; not for what comes later, for others may go on without end."""
        if self.is_behind:
            assert self.writer is not None
            wanted = self.writer.segment + 1
            self._wanted = max(self._wanted, wanted)
            self._keeper.drain(lambda: self._tended >= wanted)

    async def aflush(self) -> None:
        """As `flush`, in a task: the thread of its loop neither syncs nor waits."""
        await self.syncer.settled()
        self._raise_failure()

    def testify(self, time_ns: int) -> None:
        """Leave a frame that says how far everything is on disk for good, unless the last frame does. Wants the store's
        lock. Cost: an append; the frame itself is not synced: it is about those before it."""
        writer = self.writer
        assert writer is not None
        self.take_back()
        if writer.synced_upto > self._testified and writer.failure is None:
            with suppress(DiskFullError):  # it promises nothing: what there is is on disk
                writer.note(time_ns, {"synced": writer.synced_upto})
            self._testified = writer.synced_upto

    def note(self, time_ns: int, note: Mapping[str, Any]) -> None:
        """Write down something about the store. Wants the store's lock."""
        assert self.writer is not None
        self.take_back()
        self.writer.note(time_ns, note)

    def take_back(self) -> None:
        """Take the last commit out of the log if an interrupt kept it from being adopted: behind another frame it could
        not be taken out any more. Wants the store's lock, and no change under way."""
        writer, engine, journal = self.writer, self._engine, self.journal
        if writer is not None and journal is not None and engine is not None and writer.last_seq > engine.timeline.head:
            journal.retract(writer.last_seq)

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
        full = self._full << min(self._waiting, 10)  # longer while sealing falls behind
        writer.roll_at = min(full, SEGMENT_SIZE << min(len(self._unsynced) // UNSYNCED_LOGS_MAX, 6))

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
                if self.tend is not None and self._is_tending_due():
                    self._untended = 0
                    self.tend()
                    self._tended = part.head.segment + 1
                return True
        last, self._last = self._last, None
        if isinstance(last, Log):
            self.seal(last, is_last=True)
            return True
        if self._merges:
            self._merges -= 1
            return self.merge()
        return False

    def _is_tending_due(self) -> bool:
        """A log was sealed: is what is too much for the limits to be taken away now?"""
        waiting = [part for part in self.archive.parts if isinstance(part, Log)][:-1]
        if not waiting or self._untended >= max(UNTENDED_MAX, len(waiting)):
            return True
        return self._tended < self._wanted <= waiting[0].head.segment

    # -- rewriting -----------------------------------------------------------------------------------------------

    def merge(self) -> bool:
        """Have one segment in place of several small ones, if there are some. Nothing else is changed by it.

        Cost: that of sealing one log, at most about.
        """
        return self.merge_below(self._full)

    def settle(self) -> None:
        """Have everything so far in logs that nothing is written to any more, and let nothing new point there. Wants
        the store's lock."""
        writer = self.writer
        assert writer is not None
        self.take_back()
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

    def foresee(self, retention: Retention, checkpoints: Iterable[int], now_ns: int) -> Foreseen:
        """What a compaction would do now. Nothing is changed, and nobody else changes which files there are meanwhile.

        Cost: that of compacting, but for what it writes."""
        with self.rewrite():
            beside = Beside(self.archive, self.covers, self.manifest.store_id, self._full, self.left_alone)
            usual = Retention() if self.tend is None else self.retention
            return beside.run(retention, usual, checkpoints, now_ns)

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
