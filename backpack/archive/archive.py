"""The archive of one store: all its commits on disk, in sealed segments and the logs that are not sealed yet.

It is the past of the engine: what has left memory, and the keys that were not asked for yet. Parts are kept in the
order of their commits; a read as of commit s begins at the part that holds s and goes back from part to part; behind a
few of them the first part with a keyframe says where the key changed last, so the way is never long. Nothing is
replayed.

The tuple of parts is replaced as a whole, never changed: readers take it once and need no lock. What a part needs of
its own (the tail grows while it is read) it guards itself.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol, TypeVar
from weakref import WeakSet

from backpack.archive.content import BLOB, OWN, Change, CommitRow, Value, facts_of
from backpack.archive.dormant import Columns, Dormant, Newest
from backpack.archive.frames import damaged
from backpack.archive.layout import hash_of
from backpack.archive.placing import Placer
from backpack.archive.reading import OpenBlobs, checked_blob, reader_of
from backpack.archive.scanning import Log
from backpack.archive.twins import Twins
from backpack.archive.writing import Writer, log_name
from backpack.blobs.blob import Blob
from backpack.blobs.reading import Reader
from backpack.blobs.store import Blobs
from backpack.core.commit import Label, RawChange
from backpack.core.engine import Engine
from backpack.core.ids import Epoch
from backpack.core.journal import Journal
from backpack.core.limits import Limits
from backpack.core.past import Woken
from backpack.core.payload import Buffer, Content, LargeRef, Pieces, join, make_cuts
from backpack.errors import ClosedError, CorruptionError

AT_ONCE_MAX: Final = 256 * 1024
"""A value up to this size is read as a whole; of a longer one its slices, when they are asked for."""

_VISIBLE: Final = frozenset({"pack", "release"})
_NAMED: Final = frozenset({"pack", "release", "quarantine"})
_PASSED: Final = 8
"""Parts to look into before a keyframe is asked: that a key is not in one costs less to find out than where it is."""


Faults = list[CorruptionError]

Replaced = Mapping[tuple[str, int], Content]
"""What to put in the place of values that are not within reach, by key and the commit of the change."""


class Part(Protocol):
    """A run of commits: a sealed segment, or a log."""

    @property
    def origins(self) -> tuple[int, int]: ...
    @property
    def first_seq(self) -> int: ...
    @property
    def last_seq(self) -> int: ...
    @property
    def commit_count(self) -> int: ...
    @property
    def has_keyframe(self) -> bool: ...
    @property
    def size(self) -> int: ...
    def keyframe_seq_of(self, key: str, /) -> int: ...
    def lacks(self, hashed: int, /) -> bool: ...
    def find(self, key: str, seq: int, /) -> Change | None: ...
    def find_bytes(self, key: str, seq: int, /) -> bytes | Change | None: ...
    def commit(self, seq: int, /) -> CommitRow | None: ...
    def commits(self, stop: int, start: int, /) -> Iterator[CommitRow]: ...
    def lost_from(self, stop: int, /) -> int: ...
    def seqs(self, key: str, /) -> Sequence[int]: ...
    def newest(self, seq: int, /) -> Iterator[tuple[str, Newest]]: ...
    def keyframe(self) -> Columns | None: ...
    def seq_at(self, time_ns: int, /) -> int: ...
    def read(self, origin: int, number: int, start: int, stop: int, /) -> bytes: ...
    def blobs(self) -> set[bytes]: ...
    def keys(self) -> list[str]: ...


class Stored(Buffer):
    """A part of a large value that stays on disk: its bytes are read when they are asked for, each time."""

    __slots__ = ("_archive", "value")

    def __init__(self, archive: "Archive", value: Value) -> None:
        self._archive = archive
        self.value = value
        self.is_sealed = True
        self.is_large = True

    @property
    def data(self) -> bytes:  # type: ignore[override]
        """All its bytes. `CorruptionError`, `StorageError`."""
        return self._archive.payload(self.value)

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self.value.size

    def part(self, start: int, stop: int) -> bytes:
        """Some of them. Cost: these."""
        return self._archive.slice(self.value, start, min(stop, self.value.size))

    def reader(self, opened: OpenBlobs) -> Reader:
        """To read them in slices. `opened`: the blobs that are open, for all parts of one value."""
        return reader_of(self.value, self._archive.slice, self._archive.open_blob, opened)


class Archive:
    """Reads anything that was ever committed. `writer`: who writes more, None for readers."""

    def __init__(
        self, blobs: Blobs, parts: Sequence[Part], placer: Placer, writer: Writer | None, first_seq: int
    ) -> None:
        self.blobs = blobs
        self.placer = placer
        self.writer = writer
        self.first_seq = first_seq
        self.kept: set[int] = set()
        """The commits before `first_seq` that can be read all the same: checkpoints."""
        self.loaded: WeakSet[Any] = WeakSet()
        """States that have bytes in memory which a purge has to reach."""
        self.erasures = 0
        """How many purges have come to these states so far."""
        self._on_disk: WeakSet[Stored] = WeakSet()
        self.twins = Twins()
        """What forks read of it: the blobs that they point to stay."""
        self._lender: Archive | None = None
        """Large values of an engine over this may be read from there: the two engines share them."""
        self._borrowers: WeakSet[Archive] = WeakSet()
        self._is_let_go = False
        self._limit: int | None = None
        self._replaced: Replaced = {}
        self._erased: Mapping[str, int] = {}
        """Of a fork, whose files are another store's: the keys that were purged, and up to which commit."""
        self.dormant = Dormant(None, {})
        self._refusal = ""
        """Why nothing is read any more."""
        self.set_parts(parts)

    def set_parts(self, parts: Sequence[Part]) -> None:
        """Other parts from here on; commits and sources must be the same."""
        parts = tuple(parts)
        self._state = (parts, [part.first_seq for part in parts], [part.origins[0] for part in parts])
        self.missing_count = self._count_missing(parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """In the order of their commits."""
        return self._state[0]

    @property
    def head(self) -> int:
        """The newest commit."""
        if self._limit is not None:
            return self._limit
        parts = self.parts
        return self.writer.last_seq if self.writer is not None else parts[-1].last_seq if parts else 0

    def until(self, seq: int, replaced: Mapping[str, Content]) -> "Archive":
        """The same up to a commit, to read only: what a fork has before its first commit.

        `replaced`: what to put where the bytes of values are not within reach. Files stay readable for as long as one
        of the two lives.
        """
        twin = Archive(self.blobs, self.parts, Placer(_no_blob), None, self.first_seq)
        self.twins.add(twin)
        twin.twins = self.twins
        twin._limit = seq
        twin.kept = self.kept
        twin._erased = self._erased
        twin.dormant = Dormant(*self.newest_at(seq))
        twin.replace(self.replaced(), replaced)
        return twin

    def shadow(self) -> "Archive":
        """The same up to the newest commit, of which somebody may say that it has other parts. Never to be closed."""
        twin = Archive(self.blobs, self.parts, Placer(_no_blob), None, self.first_seq)
        twin.kept, twin.twins, twin._on_disk = self.kept, self.twins, self._on_disk
        twin._limit = self.head
        return twin

    @property
    def last_ns(self) -> int:
        """The time of the newest commit; 0 when there is none."""
        row = self.row(self.head)
        return 0 if row is None else row.time_ns

    @property
    def commit_count(self) -> int:
        """Commits that can be read. Cost: O(parts)."""
        return self.head - self.first_seq + 1 + len(self.kept) - self.missing_count

    @property
    def archive_bytes(self) -> int:
        """Bytes of segments and logs on disk. Cost: O(parts)."""
        parts = self.parts
        size = sum(part.size for part in parts)
        if self.writer is not None and parts:
            size += self.writer.size - parts[-1].size
        return size

    @property
    def blob_bytes(self) -> int:
        """Bytes of blobs on disk."""
        return self.blobs.total_size

    def awake(self) -> "Archive":
        """The same, to read only, for an engine that has all its keys in memory."""
        twin = self.until(self.head, {})
        twin.dormant = Dormant(None, {})
        twin._lender = self
        self._borrowers.add(twin)
        return twin

    # -- what a fork has purged ----------------------------------------------------------------------------------

    def erase(self, keys: Iterable[str]) -> None:
        """From here on these keys have lost all the values that they had. For a fork: the files are not its own."""
        self._erased = {**self._erased, **dict.fromkeys(keys, self.head)}

    @property
    def erased(self) -> Iterable[str]:
        """The keys that were."""
        return self._erased

    def is_erased(self, change: Change) -> bool:
        """Was its value purged here, though the files have it still?"""
        return change.seq <= self._erased.get(change.key, 0) and change.has_value

    def as_purged(self, change: Change) -> Change:
        """The change as it is to be seen here."""
        if change.seq <= self._erased.get(change.key, 0):
            return change.without_value()
        content = self._replaced.get((change.key, change.seq))
        return change if content is None else change.with_value(join(content), is_large=isinstance(content, Pieces))

    def replace(self, known: "Replaced", replaced: Mapping[str, Content]) -> None:
        """Put these in the place of values that are not within reach, in the newest changes of keys."""
        newest = {key: self.dormant.peek(key) for key in replaced}
        self._replaced = {**known, **{(key, one.seq): replaced[key] for key, one in newest.items() if one is not None}}

    def replaced(self) -> "Replaced":
        """What stands in the place of values that were not within reach."""
        return self._replaced

    @property
    def readable_parts(self) -> Sequence[Part]:
        """Those that are not lost."""
        return self.parts

    # -- the past of the engine ----------------------------------------------------------------------------------

    @property
    def dormant_bytes(self) -> int:
        """Live bytes of the keys that have not woken."""
        return self.dormant.live_bytes

    @property
    def dormant_large(self) -> int:
        """How many of them have a large value."""
        return self.dormant.large_count

    def dormant_sizes(self) -> Iterator[int]:
        """The packed sizes of their values, from what is stored of them."""
        return self.dormant.sizes()

    def dormant_kinds(self) -> Iterator[tuple[str, str]]:
        """The keys that sleep, each with the kind of its newest change."""
        return self.dormant.kinds()

    def names(self) -> tuple[list[str], list[str]]:
        """The keys that sleep and were not deleted, and those of them with a visible value; sorted."""
        return self.dormant.names(_NAMED), self.dormant.names(_VISIBLE)

    def wake(self, key: str) -> Woken | None:
        """The newest change of a key that sleeps. Cost: one cold read."""
        newest = self.dormant.peek(key)
        if newest is None:
            return None
        change = self.find(key, newest.seq)
        if change is None or change.seq != newest.seq:
            what = f"the newest change of a key is not where it should be (commit {newest.seq})"
            raise damaged(self._file_of(newest.seq), 0, what)
        value = change.value
        instead = self._replaced.get((key, change.seq))
        if instead is not None and not change.is_purged:
            return _woken_instead(change, instead)
        form: bytes | LargeRef | None = None
        content: Content | None = None
        if value is not None and not change.is_purged:
            if change.is_large:
                content = self._stored(value)
                form = LargeRef(content)
            else:
                form = self.payload(value)
                self.placer.know(form, value)
        return Woken(key, change.seq, change.kind, change.version, form, content, change.reason)

    def woke(self, key: str) -> None:
        """The key does not sleep any more."""
        self.dormant.take(key)

    def has(self, seq: int) -> bool:
        """Can the commit be read?"""
        if self.missing_count and self.first_seq <= seq <= self.head:
            return self.row(seq) is not None
        return self.first_seq <= seq <= self.head or (seq in self.kept and seq <= self.head)

    def knows(self, seq: int) -> bool:
        """Is it known who made the commit, even if it can't be read any more?"""
        if seq >= self.first_seq and not self.missing_count:
            return seq <= self.head
        return 0 < seq <= self.head and self.row(seq) is not None

    def setter_of(self, key: str, seq: int) -> int:
        """The commit that brought the value which the key has as of another one: behind a quarantine and a release the
        pack before them. 0 where that is lost. Cost: a cold read for each of these."""
        change = self.find(key, seq)
        while change is not None and change.carries_on:
            change = self.find(key, change.seq - 1)
        return 0 if change is None else change.seq

    def facts(self, seq: int) -> tuple[int, Label, tuple[RawChange, ...]]:
        """`(time, label, changes)` of a commit."""
        row = self.row(seq)
        if row is None:
            raise damaged(self._file_of(seq), 0, f"commit {seq} is not where it should be")
        return facts_of(row)

    def seq_at(self, time_ns: int) -> int:
        """The last commit made at or before a time; 0 when all came later. Cost: O(parts)."""
        for part in reversed(self.parts):
            seq = part.seq_at(time_ns)
            if seq:
                return min(seq, self.head)
        return 0

    def content(self, key: str, seq: int) -> Content | None:
        """The bytes of what a commit put at a key; None when they are not within reach."""
        change = self.find(key, seq)
        if change is None or change.seq != seq or change.value is None or change.is_purged:
            return None
        return self.content_of(change)

    # -- reading -------------------------------------------------------------------------------------------------

    def find(self, key: str, seq: int) -> Change | None:
        """The newest change of the key at or before a commit; None when there is none."""
        found = self._newest(key, seq, with_bytes=False)
        assert not isinstance(found, bytes)
        return None if found is None else self.as_purged(found)

    def at_hand(self, key: str, seq: int) -> bytes | None:
        """The packed bytes of a small value as of a commit, by the shortest way: what says where they stand is not made
        where they are the whole of one source. None says nothing: `find`. Cost: one cold read."""
        if self._erased or self._replaced:
            return None
        found = self._newest(key, seq, with_bytes=True)
        if found is None or isinstance(found, bytes):
            return found
        if found.value is None or found.is_large or found.is_purged or not found.is_visible:
            return None
        return self.payload(found.value)

    def _newest(self, key: str, seq: int, *, with_bytes: bool) -> bytes | Change | None:
        parts, firsts, _ = self._state
        self._check_open()
        seq = self._within(seq)
        first = index = bisect_right(firsts, seq) - 1
        hashed = hash_of(key.encode("utf-8", "surrogatepass"))
        while index >= 0:
            part = parts[index]
            if not part.lacks(hashed):
                found = part.find_bytes(key, seq) if with_bytes else part.find(key, seq)
                if found is not None:
                    return found
            index -= 1
            if 0 <= index < first - _PASSED and parts[index].has_keyframe:
                last = parts[index].keyframe_seq_of(key)
                if not last:
                    return None
                index = bisect_right(firsts, last) - 1
                change = parts[index].find(key, last)
                if change is None or change.seq != last:
                    raise damaged(
                        self._file_of(last), 0, f"a keyframe names a change that is not there (commit {last})"
                    )
                return change
        return None

    def row(self, seq: int) -> CommitRow | None:
        """A commit; None when it is not there (any more)."""
        parts, firsts, _ = self._state
        self._check_open()
        index = bisect_right(firsts, seq) - 1
        return parts[index].commit(seq) if index >= 0 and seq == self._within(seq) else None

    def rows(self, stop: int, start: int, lost: Faults | None = None) -> Iterator[CommitRow]:
        """The commits before `stop` and behind `start`, newest first, read as they are asked for.

        `lost`: takes the errors of those that can't be read, which are passed over; without it the first one raises.
        """
        if lost is not None:
            yield from self._readable_rows(stop, start, lost)
            return
        parts, firsts, _ = self._state
        self._check_open()
        stop = self._within(stop - 1) + 1
        index = bisect_right(firsts, stop - 1) - 1
        while index >= 0:
            for row in parts[index].commits(stop, start):
                if row.seq >= self.first_seq or row.seq in self.kept:
                    yield row
            index = -1 if firsts[index] <= start + 1 else index - 1

    def _readable_rows(self, stop: int, start: int, lost: Faults) -> Iterator[CommitRow]:
        parts, firsts, _ = self._state
        rows = self.rows(stop, start)
        while stop > start + 1:
            try:
                row = next(rows, None)
            except CorruptionError as error:
                lost.append(error)
                part = parts[max(bisect_right(firsts, stop - 1) - 1, 0)]
                stop = max(min(part.lost_from(stop), stop - 1), start + 1)
                rows = self.rows(stop, start)
                continue
            if row is None:
                return
            stop = row.seq
            yield row

    def rows_of(self, key: str, stop: int, start: int, lost: Faults | None = None) -> Iterator[CommitRow]:
        """Those of them that changed the key."""
        parts, firsts, _ = self._state
        self._check_open()
        stop = self._within(stop - 1) + 1
        index = bisect_right(firsts, stop - 1) - 1
        while index >= 0:
            part = parts[index]
            for seq in reversed(told(lost, partial(part.seqs, key)) or ()):
                if start < seq < stop and (seq >= self.first_seq or seq in self.kept):
                    row = told(lost, partial(part.commit, seq))
                    if row is not None:
                        yield row
            index = -1 if firsts[index] <= start + 1 else index - 1

    def newest_at(self, seq: int) -> tuple[Columns | None, dict[str, Newest]]:
        """The newest change of every key as of a commit: those of the keyframe before it, and those after that.

        Cost: O(changes since the keyframe).
        """
        parts, firsts, _ = self._state
        self._check_open()
        later: dict[str, Newest] = {}
        for index in range(bisect_right(firsts, seq) - 1, -1, -1):
            part = parts[index]
            if part.has_keyframe and part.last_seq <= seq:
                return part.keyframe(), later
            for key, newest in part.newest(seq):
                later.setdefault(key, newest)
        return None, later

    def payload(self, value: Value) -> bytes:
        """All bytes of a value."""
        return self.slice(value, 0, value.size)

    def slice(self, value: Value, start: int, stop: int) -> bytes:
        """Some bytes of a value. Cost: those, at most `CUTS_MAX` reads."""
        chunks = []
        before = 0
        for origin, number, first, last in value.cuts:
            size = last - first
            begin, end = max(start - before, 0), min(stop - before, size)
            if begin < end:
                chunks.append(self._cut(value, origin, number, first + begin, first + end))
            before += size
            if before >= stop:
                break
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def content_of(self, change: Change) -> Content:
        """The bytes of a change that has some: of a long value, to be read when they are asked for."""
        value = change.value
        assert value is not None
        return self._stored(value) if change.is_large or value.size > AT_ONCE_MAX else self.payload(value)

    def put_aside(self, payload: bytes) -> tuple[Pieces, int]:
        """Bytes as content that stays on disk: a blob. And how many bytes that takes. Wants the store's lock until the
        commit that has it is made: before that nothing else points to the blob."""
        digest = self.blobs.put_bytes(payload, is_durable=False)
        value = Value(((BLOB, 0, 0, len(payload)),), b"", (digest,), len(payload))
        return self._stored(value), self.blobs.size_of(digest)

    def blobs_of(self, buffer: Buffer) -> list[tuple[int, int, bytes, int]]:
        """Where bytes that memory has stand in blobs, which know their lines: see `Placer`. None when it is closed."""
        return [] if self._refusal else self.placer.blobs_of(buffer)

    def stored_values(self) -> list[Value]:
        """Where the large values stand that memory has and has not read: what they are cut from has to stay."""
        return [source.value for source in self._on_disk]

    def close(self) -> None:
        """Let go of the files. A fork that still reads some keeps these open."""
        self._refusal = "the store is closed: open it again"
        self.set_parts(())

    def let_go(self) -> None:
        """The fork that read this is closed: nothing has to stay for it. What it shares with forks of its own is read
        until these are closed too."""
        self.twins.discard(self)
        self._is_let_go = True
        self._close_unread()

    def abandon(self) -> None:
        """This is a forked child, and the files are its parent's: nothing is read any more."""
        self._refusal = "the store was opened by another process, and this is a fork of it: open it here"
        self.set_parts(())

    def open_blob(self, digest: bytes) -> Blob:
        """A blob to read from; let go of it."""
        self._check_open()
        return self.blobs.open(digest)

    # -- inside --------------------------------------------------------------------------------------------------

    def _within(self, seq: int) -> int:
        """The commit, or the newest one of this: files that a fork reads go on with commits that are not its own."""
        return seq if self._limit is None else min(seq, self._limit)

    def _file_of(self, seq: int) -> str:
        """The file in which a commit should stand."""
        parts, firsts, _ = self._state
        return log_name(parts[max(bisect_right(firsts, seq) - 1, 0)].origins[0]) if parts else ""

    def _count_missing(self, parts: Sequence[Part]) -> int:
        count, expected = 0, self.first_seq
        for part in parts:
            if part.last_seq >= self.first_seq or isinstance(part, Log):
                count += max(part.first_seq - expected, 0)
                if isinstance(part, Log):  # it has none missing, and may be growing
                    return count
                count += part.last_seq - part.first_seq + 1 - part.commit_count
                expected = part.last_seq + 1
        return count

    def _close_unread(self) -> None:
        if self._is_let_go and not self._borrowers:
            self.close()
            lender, self._lender = self._lender, None
            if lender is not None:
                lender._borrowers.discard(self)
                lender._close_unread()

    def _check_open(self) -> None:
        if self._refusal:
            raise ClosedError(self._refusal)

    def _cut(self, value: Value, origin: int, number: int, start: int, stop: int) -> bytes:
        if origin == OWN:
            return value.own[start:stop]
        if origin == BLOB:
            with self.open_blob(value.blobs[number]) as blob:
                return checked_blob(blob, value.blobs[number], stop).read(start, stop - start)
        parts, _, origins = self._state
        self._check_open()
        index = bisect_right(origins, origin) - 1
        if index < 0:
            raise damaged(log_name(origin), 0, "a value points to a log, or the segment made of it, that is not there")
        return parts[index].read(origin, number, start, stop)

    def _stored(self, value: Value) -> Pieces:
        """A large value whose bytes stay where they are."""
        sources = []
        flat: list[int] = []
        own = bytearray()
        for origin, number, start, stop in value.cuts:
            if origin == OWN:
                flat += (0, len(own), len(own) + stop - start)
                own += value.own[start:stop]
                continue
            blobs = (value.blobs[number],) if origin == BLOB else ()
            one = Value(((origin, 0 if blobs else number, start, stop),), b"", blobs, stop - start)
            source = Stored(self, one)
            self._on_disk.add(source)
            self.placer.know(source, one)
            sources.append(source)
            flat += (len(sources), 0, stop - start)
        return Pieces(value.size, bytes(own), tuple(sources), make_cuts(flat))


Answer = TypeVar("Answer")


def told(lost: Faults | None, ask: Callable[[], Answer]) -> Answer | None:
    """The answer; None, and the error is taken down, where it can't be read and somebody takes these down."""
    try:
        return ask()
    except CorruptionError as error:
        if lost is None:
            raise
        lost.append(error)
        return None


def _no_blob(_: bytes) -> bytes:
    raise NotImplementedError


def _woken_instead(change: Change, content: Content) -> Woken:
    form = LargeRef(content) if isinstance(content, Pieces) else content
    return Woken(
        change.key,
        change.seq,
        change.kind,
        change.version,
        form,
        content if isinstance(form, LargeRef) else None,
        change.reason,
    )


def engine_over(past: Archive, limits: Limits, epoch: Epoch, journal: Journal | None = None) -> Engine:
    """An engine whose past is an archive: it has the names of all keys and no commit in memory."""
    engine = Engine(limits, epoch, head=past.head, journal=journal, past=past)
    names, visible = past.names()
    engine.names.update(names)
    engine.visible.update(visible)
    if past.head:
        engine.timeline.front_time = 0
    return engine
