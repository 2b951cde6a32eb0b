"""The index of a segment: where a key's changes and a source's bytes are. Columns, of which nothing is parsed.

Looking up a key is one bisection in the hashes of all keys and a comparison of its name, then one in the commits of
its rows. Nothing that is read here is believed: a number is held against what it may be when it is used, so bytes that
somebody else made, with right checksums, are `ValueError` at worst.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final

from backpack.archive.columns import Column, read_table
from backpack.archive.content import BLOB, CUTS_MAX, OWN, Change, Cut, SourceId, Value
from backpack.archive.frames import KINDS
from backpack.archive.layout import (
    HAS_VALUE,
    INDEX_COLUMNS,
    IS_DETAILED,
    IS_LARGE,
    IS_PURGED,
    KIND_MASK,
    SEQ_MAX,
    hash_of,
)
from backpack.limits import KEY_SIZE_MAX
from backpack.storage.cover import DIGEST_SIZE

_FAULT: Final = "the index says what none says"


class Index:
    """The columns of one segment."""

    __slots__ = (
        "_first_versions",
        "_hash_keys",
        "_hashes",
        "_id_places",
        "_id_starts",
        "_kinds",
        "_name_starts",
        "_names",
        "_numbers",
        "_offsets",
        "_only_origin",
        "_origins",
        "_place_ids",
        "_row_starts",
        "_seq_base",
        "_seqs",
        "_starts",
        "_versions",
        "block_checksums",
        "block_count",
        "block_offsets",
        "block_starts",
        "details",
        "key_count",
        "row_count",
        "size",
        "source_count",
    )

    def __init__(self, data: bytes) -> None:
        """ValueError when it isn't one. Cost: O(columns)."""
        columns = read_table(data, INDEX_COLUMNS)
        hashes, hash_keys, name_starts, names, row_starts, first_versions = columns[:6]
        seqs, kinds, self._versions, self._offsets = columns[6:10]
        self._origins, self._id_starts, self._numbers, id_places, place_ids, starts = columns[10:16]
        block_starts, block_offsets, block_checksums = columns[16:19]
        self.details = Details(columns[19:])
        self.size = len(data) + 4096
        """What it takes in memory."""
        self.key_count = len(hashes)
        self.row_count = len(seqs)
        self.source_count = len(id_places)
        self.block_count = len(block_checksums)
        groups = (
            (self.key_count, hash_keys, first_versions),
            (self.key_count + 1, name_starts, row_starts),
            (self.row_count, kinds, self._versions, self._offsets),
            (len(self._origins) + 1, self._id_starts),
            (len(self._numbers) and self.source_count, self._numbers),
            (self.source_count, place_ids),
            (self.source_count + 1, starts),
            (self.block_count + 1, block_starts, block_offsets),
        )
        if any(len(column) != count for count, *group in groups for column in group):
            raise ValueError("the columns of the index do not belong together")
        plain = (hashes, hash_keys, name_starts, names, row_starts, id_places, place_ids, starts)
        if any(column.base for column in (*plain, block_starts, block_offsets, block_checksums)):
            raise ValueError(_FAULT)
        if row_starts[0] or row_starts[self.key_count] != self.row_count:
            raise ValueError(_FAULT)
        self._hashes, self._hash_keys = hashes.data, hash_keys.data
        self._names, self._name_starts = names.data, name_starts.data
        self._row_starts, self._first_versions = row_starts.data, first_versions
        self._seqs, self._seq_base, self._kinds = seqs.data, seqs.base, kinds
        self._id_places, self._place_ids, self._starts = id_places.data, place_ids.data, starts.data
        self.block_starts, self.block_offsets = block_starts.data, block_offsets.data
        self.block_checksums = block_checksums.data
        self._only_origin = 0
        """The origin of all sources, where these are numbered from 0 without a gap: the usual segment."""
        if len(self._origins) == 1 and not len(self._numbers) and not self._id_starts[0]:
            self._only_origin = self._origins[0]

    # -- keys --------------------------------------------------------------------------------------------------------

    def number_of(self, key: str) -> int:
        """The number of a key, in the order of their names; -1 when it is not changed here."""
        name = key.encode("utf-8", "surrogatepass")
        hashes = self._hashes
        wanted = hash_of(name)
        at = bisect_left(hashes, wanted)
        while at < self.key_count and hashes[at] == wanted:
            number = self._hash_keys[at]
            if number >= self.key_count:
                raise ValueError(_FAULT)
            if self._names[self._name_starts[number] : self._name_starts[number + 1]] == name:
                return number
            at += 1
        return -1

    def number_at(self, row: int) -> int:
        """The number of the key of a row."""
        if not 0 <= row < self.row_count:
            raise ValueError("a commit names a change that is not there")
        return bisect_right(self._row_starts, row, 0, self.key_count) - 1

    def rows_of(self, number: int) -> tuple[int, int]:
        """The first row of a key and the one behind its last; none for -1."""
        if number < 0:
            return 0, 0
        start, stop = self._row_starts[number], self._row_starts[number + 1]
        if not start < stop <= self.row_count:
            raise ValueError(_FAULT)
        return start, stop

    def row_before(self, number: int, seq: int) -> int:
        """The newest row of a key at or before a commit; -1 when there is none."""
        start, stop = self.rows_of(number)
        row = bisect_right(self._seqs, seq - self._seq_base, start, stop) - 1
        return row if row >= start else -1

    def name_of(self, number: int) -> str:
        """The name of a key; keys are numbered in the order of their names."""
        start, stop = self._name_starts[number], self._name_starts[number + 1]
        if not 0 < stop - start <= KEY_SIZE_MAX or stop > len(self._names):
            raise ValueError("a key is not as long as one can be")
        return str(self._names[start:stop], "utf-8")

    # -- rows --------------------------------------------------------------------------------------------------------

    def seq_of(self, row: int) -> int:
        """The commit of a row."""
        return self._seq_base + self._seqs[row]

    def seqs(self, start: int, stop: int) -> list[int]:
        """The commits of some rows."""
        base = self._seq_base
        return [base + seq for seq in self._seqs[start:stop].tolist()]

    def change(self, row: int, key: str, number: int) -> Change:
        """What stands in a row of the key of that number."""
        kind = self._kinds[row]
        code = kind & KIND_MASK
        seq = self._seq_base + self._seqs[row]
        version = self._first_versions[number] + row - self._row_starts[number] + self._versions[row]
        if code >= len(KINDS) or not 0 < seq < SEQ_MAX or not 0 < version < SEQ_MAX:
            raise ValueError("a change says what none says")
        value: Value | None = None
        reason = ""
        if kind & (IS_DETAILED | IS_PURGED):
            value, reason = self.details.value(row + self._offsets[row], bool(kind & IS_PURGED))
            if not kind & HAS_VALUE:
                value = None
        elif kind & HAS_VALUE:
            place = row + self._offsets[row]
            if not 0 <= place < self.source_count:
                raise ValueError("a value without a source")
            size = self._starts[place + 1] - self._starts[place]
            if size < 0:
                raise ValueError(_FAULT)
            position = self._place_ids[place]
            origin = self._only_origin
            if not origin:
                origin, position = self.id_at(position)
            value = Value(((origin, position, 0, size),), size=size)
        return Change(
            key,
            seq,
            KINDS[code],
            version,
            value,
            is_large=bool(kind & IS_LARGE),
            is_purged=bool(kind & IS_PURGED),
            reason=reason,
        )

    # -- sources -----------------------------------------------------------------------------------------------------

    def id_at(self, position: int) -> SourceId:
        """The source at a position in the order of the ids."""
        if not 0 <= position < self.source_count:
            raise ValueError(_FAULT)
        run = bisect_right(self._id_starts, position, 0, len(self._origins)) - 1
        if run < 0:
            raise ValueError(_FAULT)
        number = self._numbers[position] if len(self._numbers) else position - self._id_starts[run]
        return self._origins[run], number

    def ids(self) -> Iterator[SourceId]:
        """All sources, in order."""
        return map(self.id_at, range(self.source_count))

    def span_of(self, origin: int, number: int) -> tuple[int, int]:
        """Where the bytes of a source begin and end in the address space; `(-1, -1)` when it is not here."""
        position = number if origin == self._only_origin > 0 else self._position(origin, number)
        if not 0 <= position < self.source_count:
            return -1, -1
        place = self._id_places[position]
        if place >= self.source_count:
            raise ValueError(_FAULT)
        start, stop = self._starts[place], self._starts[place + 1]
        if not start <= stop:
            raise ValueError(_FAULT)
        return start, stop

    def _position(self, origin: int, number: int) -> int:
        origins = self._origins
        run = bisect_left(origins, origin)
        if run == len(origins) or origins[run] != origin:
            return -1
        start, stop = self._id_starts[run], self._id_starts[run + 1]
        if not 0 <= start <= stop <= self.source_count:
            raise ValueError(_FAULT)
        if not len(self._numbers):
            return start + number if 0 <= number < stop - start else -1
        position = bisect_left(self._numbers, number, start, stop)
        return position if position < stop and self._numbers[position] == number else -1


class Details:
    """Values that are more than the whole of one source."""

    __slots__ = (
        "_blob_starts",
        "_blobs",
        "_cut_starts",
        "_cuts",
        "_own",
        "_own_starts",
        "_reason_starts",
        "_reasons",
        "_sizes",
    )

    def __init__(self, columns: list[Column]) -> None:
        self._cut_starts, self._own_starts, self._blob_starts, self._reason_starts, self._sizes = columns[:5]
        self._cuts = tuple(columns[5:9])
        self._own, self._blobs, self._reasons = (column.data for column in columns[9:])
        count = len(self._sizes) + 1
        if any(len(column) != count for column in columns[:4]) or len({len(column) for column in self._cuts}) != 1:
            raise ValueError("the columns of the details do not belong together")
        if any(column.base for column in columns[9:]):
            raise ValueError(_FAULT)

    def __len__(self) -> int:
        return len(self._sizes)

    def digests(self) -> set[bytes]:
        """All names of blobs."""
        whole = bytes(self._blobs)
        if len(whole) % DIGEST_SIZE:
            raise ValueError("not the name of a blob")
        return {whole[at : at + DIGEST_SIZE] for at in range(0, len(whole), DIGEST_SIZE)}

    def value(self, number: int, is_purged: bool) -> tuple[Value, str]:
        """`(value, reason)` of a detail."""
        if not 0 <= number < len(self._sizes):
            raise ValueError("a change without its detail")
        reason = str(_run(self._reason_starts, number, self._reasons, len(self._reasons)), "utf-8")
        if is_purged:
            return Value((), size=_bounded(self._sizes[number])), reason
        own = bytes(_run(self._own_starts, number, self._own, len(self._own)))
        digests = bytes(_run(self._blob_starts, number, self._blobs, CUTS_MAX * DIGEST_SIZE))
        if len(digests) % DIGEST_SIZE:
            raise ValueError("not the name of a blob")
        blobs = tuple([digests[at : at + DIGEST_SIZE] for at in range(0, len(digests), DIGEST_SIZE)])
        first, last = self._cut_starts[number], self._cut_starts[number + 1]
        origins, numbers, starts, stops = self._cuts
        if not 0 <= first <= last <= len(origins) or last - first > CUTS_MAX:
            raise ValueError("a value without its cuts")
        cuts: list[Cut] = []
        for at in range(first, last):
            origin, which, start, stop = origins[at], numbers[at], starts[at], stops[at]
            if not (BLOB <= origin < SEQ_MAX and 0 <= which < SEQ_MAX and 0 <= start <= stop < SEQ_MAX):
                raise ValueError("a cut says what none says")
            if (origin == OWN and stop > len(own)) or (origin == BLOB and which >= len(blobs)):
                raise ValueError("a cut of nothing")
            cuts.append((origin, which, start, stop))
        return Value(tuple(cuts), own, blobs), reason


def _run(starts: Column, number: int, data: "memoryview[int]", size_max: int) -> "memoryview[int]":
    start, stop = starts[number], starts[number + 1]
    if not 0 <= start <= stop <= len(data) or stop - start > size_max:
        raise ValueError("a detail outside of the details")
    return data[start:stop]


def _bounded(size: int) -> int:
    if not 0 <= size < SEQ_MAX:
        raise ValueError("a size that none has")
    return size
