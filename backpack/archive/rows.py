"""A chunk of the rows of a segment, by key and then by commit: names, changes, and where the sources begin that these
use first. Columns, of which nothing is parsed.

Looking up a key is one bisection in the names, then one in the commits of its rows. Nothing that is read here is
believed: a number is held against what it may be when it is used, so bytes that somebody else made, with right
checksums, are `ValueError` or `IndexError` at worst.
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from backpack.archive.columns import cast
from backpack.archive.content import Change, SourceId, Value
from backpack.archive.details import Details
from backpack.archive.dormant import Newest, newest_of
from backpack.archive.frames import KINDS
from backpack.archive.layout import HAS_VALUE, IS_DETAILED, IS_LARGE, IS_PURGED, KIND_MASK, SEQ_MAX
from backpack.archive.tablet import Shape, Tablet

ROWS: Final = Shape(4, (0, 0, 1, 1, 1, 1, 2, 2, 3))
"""Counts: keys, rows, sources, sources and one."""
_GAPS: Final = 0
_FIRST_VERSIONS: Final = 1
_SEQS: Final = 2
_KINDS: Final = 3
_VERSIONS: Final = 4
_OFFSETS: Final = 5
_ORIGINS: Final = 6
_NUMBERS: Final = 7
_STARTS: Final = 8

_COUNTS_AT: Final = ROWS.counts_at
_SEQS_WIDTH, _SEQS_BASE = ROWS.widths_at + _SEQS, ROWS.bases_at + _SEQS
_KINDS_WIDTH, _KINDS_BASE = ROWS.widths_at + _KINDS, ROWS.bases_at + _KINDS
_OFFSETS_WIDTH, _OFFSETS_BASE = ROWS.widths_at + _OFFSETS, ROWS.bases_at + _OFFSETS

_FAULT: Final = "some rows of the index say what none says"


class Rows(Tablet):
    """One chunk. Rows, keys and sources are numbered from 0 in each."""

    __slots__ = ("_details", "key_count", "row_count", "source_count")

    shape = ROWS

    def __init__(self, data: bytes) -> None:
        """ValueError when it is too short to be one. Cost: 1 us."""
        Tablet.__init__(self, data)
        self.key_count, self.row_count, self.source_count, _ = self.head[_COUNTS_AT:]
        self._details: Details | None = None

    # -- keys --------------------------------------------------------------------------------------------------------

    def key_names(self) -> list[str]:
        """The names of all keys."""
        return [str(name, "utf-8") for name in self.names(self.key_count)]

    def place_at(self, row: int) -> int:
        """The place of the key of a row."""
        if not 0 <= row < self.row_count:
            raise ValueError("a commit names a change that is not there")
        place = bisect_right(range(self.key_count), row, key=self._start_of) - 1
        if place < 0:
            raise ValueError(_FAULT)
        return place

    def rows_of(self, place: int) -> tuple[int, int]:
        """The first row of a key here and the one behind its last; none for -1."""
        if place < 0:
            return 0, 0
        if self.key_count == self.row_count and self.is_zero(_GAPS) and place < self.row_count:
            return place, place + 1
        if place + 1 < self.key_count:
            start, stop = self.pair_at(_GAPS, place)
            start, stop = start + place, stop + place + 1
        else:
            start, stop = self._start_of(place), self.row_count
        if not 0 <= start < stop <= self.row_count:
            raise ValueError(_FAULT)
        return start, stop

    def row_before(self, place: int, seq: int) -> int:
        """The newest row of a key at or before a commit; -1 when there is none."""
        start, stop = self.rows_of(place)
        if stop - start <= 1:
            return start if stop > start and self.at(_SEQS, start) <= seq else -1
        base, width = self.head[_SEQS_BASE], self.head[_SEQS_WIDTH]
        if not width:
            return stop - 1 if base <= seq else -1
        before = self.head[_SEQS]
        seqs = cast(memoryview(self.data)[before + start * width : before + stop * width], width)
        row = start + bisect_right(seqs, seq - base) - 1
        return row if row >= start else -1

    def _start_of(self, place: int) -> int:
        return place + self.at(_GAPS, place)

    # -- rows --------------------------------------------------------------------------------------------------------

    def seq_of(self, row: int) -> int:
        """The commit of a row."""
        return self.at(_SEQS, row)

    def seqs(self, start: int, stop: int) -> list[int]:
        """The commits of some rows."""
        seqs = self.column(_SEQS)
        return [seqs.base + seq for seq in seqs.data[start:stop].tolist()]

    def change(self, row: int, key: str, place: int) -> Change:
        """What stands in a row of the key at that place."""
        return self.found(row, key, place)[0]

    def found(self, row: int, key: str, place: int) -> tuple[Change, int]:
        """The same, and where the source begins that is the whole of its value; -1 when it isn't one."""
        at = self.at
        kind, seq = at(_KINDS, row), at(_SEQS, row)
        code = kind & KIND_MASK
        version = at(_FIRST_VERSIONS, place) + row - self._start_of(place) + at(_VERSIONS, row)
        if code >= len(KINDS) or not 0 < seq < SEQ_MAX or not 0 < version < SEQ_MAX:
            raise ValueError("a change says what none says")
        value: Value | None = None
        reason = ""
        start = -1
        if kind & (IS_DETAILED | IS_PURGED):
            value, reason = self.details().value(row + at(_OFFSETS, row), bool(kind & IS_PURGED))
            if not kind & HAS_VALUE:
                value = None
        elif kind & HAS_VALUE:
            source = row + at(_OFFSETS, row)
            start, stop = self.span_at(source)
            value = Value(((*self.id_at(source), 0, stop - start),), size=stop - start)
        change = Change(
            key,
            seq,
            KINDS[code],
            version,
            value,
            is_large=bool(kind & IS_LARGE),
            is_purged=bool(kind & IS_PURGED),
            reason=reason,
        )
        return change, start

    def plain_span(self, row: int) -> tuple[int, int] | None:
        """Where the bytes of a row begin and end that packs the whole of one source, as most do; None of any other."""
        head = self.head
        # most often all rows are alike, and nothing is to be looked up
        kind = self.at(_KINDS, row) if head[_KINDS_WIDTH] else head[_KINDS_BASE]
        if kind != HAS_VALUE:
            return None
        return self.span_at(row + (self.at(_OFFSETS, row) if head[_OFFSETS_WIDTH] else head[_OFFSETS_BASE]))

    def newest(self, seq: int) -> Iterator[tuple[str, Newest]]:
        """The last change here of each key at or before a commit. Cost: O(keys)."""
        kinds, versions, offsets = self.column(_KINDS), self.column(_VERSIONS), self.column(_OFFSETS)
        firsts, starts = self.column(_FIRST_VERSIONS), self.column(_STARTS)
        seqs = self.column(_SEQS)
        for place, key in enumerate(self.key_names()):
            first, stop = self.rows_of(place)
            row = bisect_right(seqs.data, seq - seqs.base, first, stop) - 1
            if row < first:
                continue
            kind = kinds[row]
            code = kind & KIND_MASK
            source = row + offsets[row]
            if kind & (IS_DETAILED | IS_PURGED) or not kind & HAS_VALUE or not 0 <= source < self.source_count:
                yield key, newest_of(self.change(row, key, place))
                continue
            found, version = seqs[row], firsts[place] + row - first + versions[row]
            size = starts[source + 1] - starts[source]
            if code >= len(KINDS) or not 0 < found < SEQ_MAX or not 0 < version < SEQ_MAX or size < 0:
                raise ValueError("a change says what none says")
            yield key, Newest(found, KINDS[code], version, size, bool(kind & IS_LARGE))

    def details(self) -> Details:
        """The values that are more than the whole of one source."""
        if self._details is None:
            self._details = Details(self.tail())
        return self._details

    def digests(self) -> set[bytes]:
        """The names of all blobs that values are cut from."""
        return self.details().digests() if self.tail() else set()

    # -- sources -----------------------------------------------------------------------------------------------------

    def id_at(self, source: int) -> SourceId:
        """Which source it is."""
        at = self.at
        number = at(_NUMBERS, source)
        if source < self.row_count:
            number += self.at(_SEQS, source)
        return at(_ORIGINS, source), number

    def span_at(self, source: int) -> tuple[int, int]:
        """Where its bytes begin and end in the address space."""
        if not 0 <= source < self.source_count:
            raise ValueError("a value without a source")
        start, stop = self.pair_at(_STARTS, source)
        if not 0 <= start <= stop:
            raise ValueError(_FAULT)
        return start, stop
