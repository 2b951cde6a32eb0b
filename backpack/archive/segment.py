"""A sealed segment as something to read from: an immutable file of commits, through a cache that it shares.

Opening reads the two ends of the file. The index, pages of commits and blocks of bytes are read when they are asked
for and kept by the cache for as long as there is room. A cold read of a small value is two bisections, one pread of
about 1 KB and its decompression; nothing here has state of its own, so any number of threads may read.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from backpack.archive.cache import Cache
from backpack.archive.content import Change, CommitRow, SourceId
from backpack.archive.dormant import Newest
from backpack.archive.frames import damaged
from backpack.archive.index import Index
from backpack.archive.inspecting import Fault, faults_of
from backpack.archive.keyframe import Keyframe, joined
from backpack.archive.layout import INDEX, KEYFRAME, PAGES
from backpack.archive.manifest import SegmentInfo
from backpack.archive.pages import Page
from backpack.archive.pieces import Pieces, believing
from backpack.archive.rows import Rows
from backpack.archive.sieve import passes
from backpack.core.commit import Label
from backpack.errors import CorruptionError
from backpack.storage.cover import Covers
from backpack.storage.pooling import PooledFile

Accept = Callable[[Label], bool]
"""Is a commit with this label wanted?"""

_NOTHING: Final = (0, -1, -1, -1)


class Segment:
    """One sealed segment."""

    __slots__ = ("_counted", "_found", "pieces")

    def __init__(
        self, file: PooledFile, cache: Cache, covers: Covers, store_id: bytes, *, end: int | None = None
    ) -> None:
        """Reads the two ends; `CorruptionError` when they are not those of a segment of this store. `end`: see
        `Pieces`."""
        self.pieces = Pieces(file, cache, covers, store_id, end=end)
        self._counted = (0, 0)
        """What `count_before` was asked last, and answered. Replaced as a whole, so any thread may."""
        self._found = _NOTHING
        """`(origin, number, start, stop)` of the source that was found last. Replaced as a whole, so any thread may."""

    def info(self, name: str) -> SegmentInfo:
        """How a manifest lists the file of that name."""
        return SegmentInfo(
            name, self.origins, self.first_seq, self.last_seq, self.commit_count, self.size, self.has_keyframe
        )

    @property
    def name(self) -> str:
        """Of the file."""
        return self.pieces.file.name

    @property
    def size(self) -> int:
        """Of the file, in bytes."""
        return self.pieces.size

    @property
    def origins(self) -> tuple[int, int]:
        """The first and last number of the segments whose sources stand here."""
        return self.pieces.origins

    @property
    def first_seq(self) -> int:
        """The first commit it answers for."""
        return self.pieces.directory.first_seq

    @property
    def last_seq(self) -> int:
        """The last commit it answers for."""
        return self.pieces.directory.last_seq

    @property
    def commit_count(self) -> int:
        """Commits that can be read."""
        return self.pieces.directory.commit_count

    @property
    def last_ns(self) -> int:
        """The time of the newest commit; 0 when there is none."""
        return self.pieces.directory.last_time

    @property
    def raw_size(self) -> int:
        """Bytes of all its sources."""
        return self.pieces.directory.size

    @property
    def row_count(self) -> int:
        """Changes in it."""
        return self.pieces.index().row_count

    @property
    def has_keyframe(self) -> bool:
        """Does it say where every key stands as of its last commit?"""
        return self.pieces.directory.places[KEYFRAME].size > 0

    def close(self) -> None:
        """Let go of the file and of what the cache has of it. Idempotent."""
        self.pieces.close()

    # -- changes -------------------------------------------------------------------------------------------------

    def lacks(self, hashed: int) -> bool:
        """Is it certain that the key whose name has this hash is not changed here? Cost: a few bits."""
        return not passes(self.pieces.index_at_hand().sieve, hashed)

    @believing(INDEX)
    def find(self, key: str, seq: int) -> Change | None:
        """The newest change of a key at or before a commit, if it stands here. Cost: one chunk of the index, also
        where the key is not changed here: ask `lacks` first."""
        pieces = self.pieces
        found = pieces.newest(pieces.index(), key.encode("utf-8", "surrogatepass"), seq)
        if found is None:
            return None
        rows, row, place = found
        change, start = rows.found(row, key, place)
        if start >= 0 and change.value is not None:
            # whoever asks for the change asks for its bytes next
            origin, which, _, size = change.value.cuts[0]
            self._found = (origin, which, start, start + size)
        return change

    @believing(INDEX)
    def find_bytes(self, key: str, seq: int) -> bytes | Change | None:
        """As `find`; where a value was packed that is the whole of one source, as most are, its bytes. Cost: that of
        `find`, and the blocks they stand in."""
        pieces = self.pieces
        index = pieces.index()
        found = pieces.newest(index, key.encode("utf-8", "surrogatepass"), seq)
        if found is None:
            return None
        rows, row, place = found
        span = rows.plain_span(row)
        return rows.change(row, key, place) if span is None else self._bytes(index, *span)

    @believing(INDEX)
    def changes(self, key: str) -> list[Change]:
        """Every change of a key, oldest first."""
        return [
            rows.change(row, key, place) for rows, place in self._runs_of(key) for row in range(*rows.rows_of(place))
        ]

    @believing(INDEX)
    def seqs(self, key: str) -> Sequence[int]:
        """The commits that changed a key, oldest first."""
        return [seq for rows, place in self._runs_of(key) for seq in rows.seqs(*rows.rows_of(place))]

    @believing(INDEX)
    def keys(self) -> list[str]:
        """Every key that is changed here, sorted."""
        names: list[str] = []
        index = self.pieces.index()
        for number in range(index.rows.count):
            rows = self.pieces.rows(index, number)
            for name in rows.key_names():
                if not names or names[-1] != name:
                    names.append(name)
        return names

    def newest(self, seq: int) -> Iterator[tuple[str, Newest]]:
        """The last change of each key at or before a commit. Cost: O(keys)."""
        last: tuple[str, Newest] | None = None
        for number in range(self._chunk_count()):
            for found in self._newest(number, seq):
                if last is not None and last[0] != found[0]:
                    yield last
                last = found
        if last is not None:
            yield last

    def rows(self) -> Iterator[Change]:
        """Every change, by key and then by commit."""
        for number in range(self._chunk_count()):
            yield from self._rows_of(number)

    @believing(INDEX)
    def _chunk_count(self) -> int:
        return self.pieces.index().rows.count

    def _runs_of(self, key: str) -> Iterator[tuple[Rows, int]]:
        """The chunks that have rows of a key, each with its place there."""
        name = key.encode("utf-8", "surrogatepass")
        index = self.pieces.index()
        if index.may_have(name):
            for number in index.chunks_of(name):
                rows = self.pieces.rows(index, number)
                place = rows.place_of(name)
                if place >= 0:
                    yield rows, place

    @believing(INDEX)
    def _newest(self, number: int, seq: int) -> list[tuple[str, Newest]]:
        return list(self.pieces.rows(self.pieces.index(), number).newest(seq))

    @believing(INDEX)
    def _rows_of(self, number: int) -> list[Change]:
        rows = self.pieces.rows(self.pieces.index(), number)
        changes = []
        for place, key in enumerate(rows.key_names()):
            changes += [rows.change(row, key, place) for row in range(*rows.rows_of(place))]
        return changes

    # -- commits -------------------------------------------------------------------------------------------------

    @believing(PAGES)
    def commit(self, seq: int) -> CommitRow | None:
        """A commit with its changes; None when it is not here."""
        number = bisect_right(self.pieces.page_table().first_seqs, seq) - 1
        if number < 0:
            return None
        page = self.pieces.page(number)
        at = bisect_left(page.seqs, seq)
        return self._row(page, at) if at < len(page.seqs) and page.seqs[at] == seq else None

    def commits(self, stop: int, start: int, accept: Accept | None = None) -> Iterator[CommitRow]:
        """The commits before `stop` and behind `start`, newest first, page by page as they are asked for.

        `accept` is asked once for each label of a page: a page without one that it accepts is passed over.
        """
        for page, at in self._positions(stop, start, accept):
            yield self._row(page, at)

    def lost_from(self, stop: int) -> int:
        """The first of the commits that are lost with the one before `stop`, where that can't be read: those of its
        page, if it is that."""
        try:
            number = self._page_before(stop)
        except CorruptionError:
            return self.first_seq
        if number < 0:
            return self.first_seq
        try:
            page = self.pieces.page(number)
        except CorruptionError:
            return self.pieces.page_table().first_seqs[number]
        return page.seqs[bisect_left(page.seqs, stop) - 1]

    def facts(self, stop: int, start: int, accept: Accept | None = None) -> Iterator[tuple[int, int, Label]]:
        """`(seq, time, label)` of the same commits, without their changes: much cheaper."""
        for page, at in self._positions(stop, start, accept):
            yield page.seqs[at], page.times[at], page.labels[page.numbers[at]]

    def count_before(self, seq: int) -> int:
        """How many of its commits come before that one. Cost: their pages, the first time."""
        asked, count = self._counted
        if asked != seq:
            count = sum(1 for _ in self._positions(seq, 0, None))
            self._counted = (seq, count)
        return count

    def ascending(self) -> Iterator[tuple[CommitRow, list[int]]]:
        """Every commit, oldest first, and the numbers of its changes in the order of `rows`."""
        for number in range(self.pieces.page_table().count):
            page = self.pieces.page(number)
            for at in range(len(page.seqs)):
                yield self._row(page, at), page.rows_at(at)

    def row_numbers(self) -> Iterator[tuple[int, list[int]]]:
        """The seqs of the same commits, with the numbers of their changes; cheaper."""
        count = self.row_count
        for number in range(self.pieces.page_table().count):
            page = self.pieces.page(number)
            for at, seq in enumerate(page.seqs):
                rows = page.rows_at(at)
                if rows and not 0 <= min(rows) <= max(rows) < count:
                    raise self.pieces.damaged(PAGES, "a commit names a change that is not there")
                yield seq, rows

    @believing(PAGES)
    def seq_at(self, time_ns: int) -> int:
        """The last commit made at or before a time; 0 when all came later. Cost: two bisections."""
        number = bisect_right(self.pieces.page_table().first_times, time_ns) - 1
        if number < 0:
            return 0
        page = self.pieces.page(number)
        return page.seqs[max(bisect_right(page.times, time_ns) - 1, 0)]

    def _positions(self, stop: int, start: int, accept: Accept | None) -> Iterator[tuple[Page, int]]:
        number = self._page_before(stop)
        while number >= 0:
            page = self.pieces.page(number)
            accepted = None if accept is None else [accept(label) for label in page.labels]
            if accepted is None or any(accepted):
                for at in range(bisect_left(page.seqs, stop) - 1, -1, -1):
                    if page.seqs[at] <= start:
                        return
                    if accepted is None or accepted[page.numbers[at]]:
                        yield page, at
            if page.seqs[0] <= start + 1:
                return
            number -= 1

    @believing(PAGES)
    def _page_before(self, stop: int) -> int:
        return bisect_left(self.pieces.page_table().first_seqs, stop) - 1

    @believing(INDEX)
    def _row(self, page: Page, at: int) -> CommitRow:
        index = self.pieces.index()
        changes = []
        for number in page.rows_at(at):
            rows, row = self.pieces.row_at(index, number)
            place = rows.place_at(row)
            changes.append(rows.change(row, rows.key_names()[place], place))
        if any(change.seq != page.seqs[at] for change in changes):
            raise ValueError("a commit names the change of another one")
        return CommitRow(page.seqs[at], page.times[at], page.labels[page.numbers[at]], changes)

    # -- bytes ---------------------------------------------------------------------------------------------------

    @believing(INDEX)
    def size_of(self, source: SourceId) -> int:
        """Bytes of a source; `CorruptionError` when it is not here."""
        start, stop = self._span_of(source)
        if start < 0:
            raise damaged(self.name, 0, f"a value points to what the segment does not hold: source={source}")
        return stop - start

    @believing(INDEX)
    def sources(self) -> list[SourceId]:
        """All sources that stand here, in order."""
        found: list[SourceId] = []
        index = self.pieces.index()
        for number in range(index.ids.count):
            start, stop = index.ids.span(number)
            found += map(self.pieces.ids(index, number).id_at, range(stop - start))
        return found

    @believing(INDEX)
    def blobs(self) -> set[bytes]:
        """The digests of all blobs that values here are cut from. Cost: the index."""
        found: set[bytes] = set()
        index = self.pieces.index()
        for number in range(index.rows.count):
            found |= self.pieces.rows(index, number).digests()
        return found

    def _span_of(self, source: SourceId) -> tuple[int, int]:
        """Where the bytes of a source begin and end in the address space; `(-1, -1)` when it is not here.

        Cost: two chunks of the index; none for what the last `find` has found.
        """
        found = self._found
        return found[2:] if found[:2] == source else self.pieces.span_of(self.pieces.index(), source)

    @believing(INDEX)
    def read(self, origin: int, number: int, start: int, stop: int) -> bytes:
        """A slice of a source. Cost: the blocks it touches, and `span_of`. `CorruptionError` when it is not here."""
        index = self.pieces.index()
        first, last = self._span_of((origin, number))
        if first < 0 or not 0 <= start <= stop <= last - first:
            place = f"source={origin, number} {start=} {stop=}"
            raise damaged(self.name, 0, f"a value points to what the segment does not hold: {place}")
        return self._bytes(index, start + first, stop + first)

    def _bytes(self, index: Index, start: int, stop: int) -> bytes:
        """A slice of the address space."""
        if start == stop:
            return b""
        starts = index.block_starts
        number = bisect_right(starts, start) - 1
        data = self.pieces.block(index, number)
        before = starts[number]
        if stop <= before + len(data):
            return data[start - before : stop - before]
        chunks = [data[start - before :]]
        before += len(data)
        while before < stop:
            number += 1
            data = self.pieces.block(index, number)
            chunks.append(data[: stop - before])
            before += len(data)
        return b"".join(chunks)

    # -- the keyframe --------------------------------------------------------------------------------------------

    @believing(KEYFRAME)
    def keyframe(self) -> Keyframe | None:
        """The newest change of every key as of `last_seq`, if it was written. Cost: an object for each name."""
        if not self.has_keyframe:
            return None
        table = self.pieces.keyframe()
        return joined([self.pieces.read_keys(table, number) for number in range(table.chunks.count)])

    @believing(KEYFRAME)
    def keyframe_seq_of(self, key: str) -> int:
        """The newest commit up to `last_seq` that changed a key; 0 when none did. Cost: one chunk of the keyframe."""
        name = key.encode("utf-8", "surrogatepass")
        table = self.pieces.keyframe()
        number = table.chunk_of(name)
        return self.pieces.keys(table, number).seq_of(name) if number >= 0 else 0

    # -- faults --------------------------------------------------------------------------------------------------

    def check(self) -> Iterator[Fault]:
        """Read everything and tell every fault; raises nothing for damage."""
        return faults_of(self.pieces)
