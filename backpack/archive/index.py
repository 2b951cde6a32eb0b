"""The index of a segment: in which chunk a key's changes are, in which one a source's place, and where the blocks are.

The rows stand in chunks of a few KB, and so do the ids of sources; what stands here is how each chunk begins, where it
is and its checksum. Looking up a key is a look at the sieve and one bisection among the names that chunks begin with;
then one chunk is read. Nothing that is read here is believed: a number is held against what it may be when it is used,
so bytes that somebody else made, with right checksums, are `ValueError` at worst.
"""

from bisect import bisect_left, bisect_right
from itertools import islice
from operator import ge
from typing import Final

from backpack.archive.columns import COUNT_MAX, Column, read_table
from backpack.archive.content import SourceId
from backpack.archive.layout import INDEX_COLUMNS, SECTION_SIZE_MAX, Place, hash_of
from backpack.archive.sieve import passes
from backpack.archive.tablet import Shape, Tablet

IDS: Final = Shape(1, (0, 0, 0))
"""Origins and numbers, above those of ids without a gap; places."""
IN_PLACE: Final = -1
"""As all places of a chunk: each source stands where its id does in their order."""
_FAULT: Final = "the index says what none says"


class Chunks:
    """Where the chunks of one kind stand."""

    __slots__ = ("_checksums", "_sizes", "_starts", "count", "ends", "total")

    def __init__(self, starts: Column, offsets: Column, sizes: Column, checksums: Column) -> None:
        """`starts`: how many items there are before each chunk, and in all. ValueError when they are none."""
        self.count = len(sizes)
        if not len(starts) == len(offsets) == self.count + 1 or len(checksums) != self.count:
            raise ValueError("the columns of the chunks do not belong together")
        if starts.base or offsets.base or sizes.base or checksums.base or starts.data[0]:
            raise ValueError("the chunks begin where none begin")
        self._starts, self._sizes, self._checksums = starts.data, sizes.data, checksums.data
        self.ends = offsets.data
        """Where each begins in the file, and where the last ends."""
        self.total = starts.data[self.count]
        """Items in all of them."""
        if self.total > COUNT_MAX:
            raise ValueError("more items than a segment has")

    def place(self, number: int) -> Place:
        """Where a chunk stands; ValueError when there is none."""
        if not 0 <= number < self.count:
            raise ValueError("there is no such chunk")
        offset, size = self.ends[number], self._sizes[number]
        if not 0 < size <= SECTION_SIZE_MAX:
            raise ValueError("a chunk is longer than one can be")
        return Place(offset, self.ends[number + 1] - offset, size, self._checksums[number])

    def span(self, number: int) -> tuple[int, int]:
        """The first item of a chunk and the one behind its last."""
        start, stop = self._starts[number], self._starts[number + 1]
        if not start <= stop <= self.total:
            raise ValueError("a chunk has less than nothing")
        return start, stop

    def of(self, item: int) -> int:
        """The chunk that has an item."""
        return bisect_right(self._starts, item, 0, self.count) - 1


class Index:
    """How one segment begins to be searched."""

    __slots__ = (
        "__weakref__",
        "_first_ids",
        "_names",
        "_seqs",
        "block_checksums",
        "block_count",
        "block_offsets",
        "block_starts",
        "ids",
        "places",
        "row_count",
        "rows",
        "sieve",
        "size",
        "source_count",
    )

    def __init__(self, data: bytes) -> None:
        """ValueError when it isn't one. Cost: O(chunks)."""
        columns = read_table(data, INDEX_COLUMNS)
        name_starts, names, self._seqs, rows, places = columns[:5]
        self.rows = Chunks(rows, *columns[5:8])
        """The chunks of rows, by row."""
        if len(places) != len(rows) or places.base or places.data[0]:
            raise ValueError("the columns of the chunks do not belong together")
        self.places = places.data
        """How many sources there are in the chunks of rows before each of them, and in all."""
        origins, numbers, positions = columns[8:11]
        self.ids = Chunks(positions, *columns[11:14])
        """Those of the ids of sources, by their order."""
        block_starts, block_offsets, block_checksums, sieve = columns[14:]
        self._names = texts_of(name_starts, names)
        if not len(self._names) == len(self._seqs) <= self.rows.count:
            raise ValueError("the columns of the index do not belong together")
        if not len(origins) == len(numbers) == self.ids.count:
            raise ValueError("the columns of the index do not belong together")
        self._first_ids: list[SourceId] = list(zip(origins.list(), numbers.list(), strict=True))
        self.block_count = len(block_checksums)
        if not len(block_starts) == len(block_offsets) == self.block_count + 1:
            raise ValueError("the columns of the index do not belong together")
        if (
            any(column.base for column in (block_starts, block_offsets, block_checksums, sieve))
            or not len(sieve)
            or sieve.data.itemsize > 1
        ):
            raise ValueError(_FAULT)
        self.block_starts, self.block_offsets = block_starts.data, block_offsets.data
        self.block_checksums = block_checksums.data
        self.sieve = sieve.data
        self.row_count = self.rows.total
        self.source_count = self.places[self.rows.count]
        if self.source_count != self.ids.total:
            raise ValueError(_FAULT)
        self.size = len(data) + len(names) + 64 * len(self._names) + 160 * len(origins) + 6144
        """What it takes in memory."""

    # -- keys --------------------------------------------------------------------------------------------------------

    def may_have(self, name: bytes) -> bool:
        """Is it not certain that a key is not changed here?"""
        return passes(self.sieve, hash_of(name))

    def chunk_before(self, name: bytes, seq: int) -> int:
        """The chunk with the newest row of a key at or before a commit, if there is one; -1 when there is none."""
        names = self._names
        number = bisect_right(names, name) - 1
        if number >= 0 and names[number] == name:
            first = bisect_left(names, name)
            number = bisect_right(self._seqs.data, seq - self._seqs.base, first, number + 1) - 1
        return number

    def chunks_of(self, name: bytes) -> range:
        """The chunks that may have rows of a key, in order."""
        first = bisect_left(self._names, name)
        return range(max(first - 1, 0), bisect_right(self._names, name))

    def first_of(self, number: int) -> tuple[bytes, int] | None:
        """What a chunk should begin with: the name and the commit of its first row; None for one without rows."""
        return (self._names[number], self._seqs[number]) if number < len(self._names) else None

    # -- sources -----------------------------------------------------------------------------------------------------

    def chunk_of_id(self, source: SourceId) -> int:
        """The chunk of ids that has a source, if any has; -1 when none can."""
        return bisect_right(self._first_ids, source) - 1

    def first_id(self, number: int) -> SourceId:
        """The first source of a chunk of ids."""
        return self._first_ids[number]

    def chunk_of_place(self, place: int) -> int:
        """The chunk of rows that says where the source at a place begins."""
        if not 0 <= place < self.source_count:
            raise ValueError(_FAULT)
        return bisect_right(self.places, place, 0, self.rows.count) - 1

    def places_of(self, number: int) -> tuple[int, int]:
        """The first place in a chunk of rows and the one behind its last."""
        start, stop = self.places[number], self.places[number + 1]
        if not start <= stop <= self.source_count:
            raise ValueError(_FAULT)
        return start, stop


class Ids(Tablet):
    """A chunk of the ids of sources, in order: which place each has in the address space."""

    __slots__ = ("_count", "_first", "_is_dense", "_start")

    shape = IDS

    def __init__(self, data: bytes, start: int, first: SourceId) -> None:
        """`start`: how many ids there are in the chunks before. ValueError when it is too short. Cost: 1 us."""
        super().__init__(data)
        self._count = self.head[-1]
        self._start = start
        self._first = first
        self._is_dense = self.is_zero(0) and self.is_zero(1)
        """Is each the next one? So it is in all segments but those that were written anew."""

    def id_at(self, position: int) -> SourceId:
        """The id at a position, from 0 in each chunk."""
        origin, number = self._first
        if self._is_dense:
            return origin, number + position
        return origin + self.at(0, position), number + position + self.at(1, position)

    def place_of_id(self, source: SourceId) -> int:
        """The place of a source; -1 when it is not here."""
        if self._is_dense:
            position = source[1] - self._first[1] if source[0] == self._first[0] else -1
            if not 0 <= position < self._count:
                return -1
        else:
            position = bisect_left(range(self._count), source, key=self.id_at)
            if position == self._count or self.id_at(position) != source:
                return -1
        place = self.at(2, position)
        return self._start + position if place == IN_PLACE else place


def texts_of(starts: Column, data: Column) -> list[bytes]:
    """The names that chunks begin with; ValueError when they are none."""
    whole, ends = bytes(data.data), starts.list()
    if starts.base or not ends or ends[0] or ends[-1] != len(whole) or any(map(ge, ends, islice(ends, 1, None))):
        raise ValueError("the chunks begin with names that are none")
    return [whole[start:stop] for start, stop in zip(ends, islice(ends, 1, None), strict=False)]
