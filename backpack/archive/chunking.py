"""The rows of a segment that is being sealed, and the ids of its sources, cut into chunks.

Every method that takes long is a generator that stops now and then; one chunk is made in about 200 us.
"""

from bisect import bisect_right
from collections.abc import Generator, Sequence
from itertools import accumulate
from operator import sub
from typing import Final

from backpack.archive.columns import Packed, pack_bytes, pack_column
from backpack.archive.details import Detail, detail_of, pack_details
from backpack.archive.drafting import Draft, picked
from backpack.archive.frames import KINDS
from backpack.archive.index import IDS, IN_PLACE
from backpack.archive.layout import CHUNK_COUNT, CHUNK_SIZE, HAS_VALUE, IS_DETAILED, IS_LARGE
from backpack.archive.rows import ROWS
from backpack.archive.sieve import pack_sieve
from backpack.archive.tablet import pack_tablet

_ROW_SIZE: Final = 5
"""Bytes of a row and its source, about."""
_KEY_SIZE: Final = 4
"""Those of a key, beside its name."""
_STEP: Final = 2048
_WHOLE: Final = frozenset(code | HAS_VALUE | large for code in range(len(KINDS)) for large in (0, IS_LARGE))
"""Kinds of rows whose value is the whole of a source."""


class RowChunks:
    """The chunks of rows."""

    __slots__ = ("_draft", "_kinds", "_names", "_places", "_refs", "_row_starts", "_seqs", "_versions", "ends")

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._names: list[bytes] = []
        self._row_starts: list[int] = []
        self._seqs: list[int] = []
        self._versions: list[int] = []
        self._kinds: list[int] = []
        self._refs: list[int] = []
        self._places: list[int] = []
        """How many sources are used by the rows before each chunk."""
        self.ends: list[int] = []
        """The row behind the last of each chunk."""

    def cut(self) -> Generator[bytes, None, None]:
        """Put the rows in order, and see where the chunks end."""
        draft = self._draft
        order = draft.order
        self._seqs = yield from picked(draft.seqs, order)
        self._versions = yield from picked(draft.versions, order)
        if not draft.is_plain:
            self._kinds = yield from picked(draft.kinds, order)
            self._refs = yield from picked(draft.refs, order)
        self._names = [name.encode() for name in draft.names]
        yield b""
        by_key = draft.by_key
        self._row_starts = starts = [0, *accumulate(len(by_key[name]) for name in draft.names)]
        yield b""
        sizes = [_ROW_SIZE] * len(order)
        for name, start in zip(self._names, starts, strict=False):
            sizes[start] += len(name) + _KEY_SIZE
        yield b""
        if draft.details:
            for row, kind in enumerate(self._kinds):
                if kind & IS_DETAILED:
                    sizes[row] += detail_of(draft.details[self._refs[row]]).stored_size
                if not row % _STEP:
                    yield b""
        before = list(accumulate(sizes, initial=0))
        yield b""
        row, counts = 0, draft.place_counts
        while row < len(order):
            room = bisect_right(before, before[row] + CHUNK_SIZE, row) - 1
            self._places.append(counts[row])
            row = max(row + 1, min(room, row + CHUNK_COUNT))
            self.ends.append(row)
        place = counts[-1]
        while place < len(draft.ids):
            # sources that no row uses
            self._places.append(place)
            self.ends.append(row)
            place += CHUNK_COUNT
        self._places.append(len(draft.ids))

    def sieve(self) -> Generator[bytes, None, bytes]:
        """Of all keys."""
        return (yield from pack_sieve(self._names))

    def fences(self) -> list[Packed]:
        """The columns of the index that say how the chunks begin."""
        starts = [0, *self.ends]
        firsts = [start for start in starts if start < len(self._seqs)]
        names = [self._names[self._key_of(start)] for start in firsts]
        return [
            pack_column([0, *accumulate(map(len, names))], is_plain=True),
            pack_bytes(b"".join(names)),
            pack_column([self._seqs[start] for start in firsts]),
            pack_column(starts, is_plain=True),
            pack_column(self._places, is_plain=True),
        ]

    def table(self, number: int) -> bytes:
        """A chunk."""
        start, stop = self.ends[number - 1] if number else 0, self.ends[number]
        place, place_stop = self._places[number], self._places[number + 1]
        names: list[bytes] = []
        row_gaps: list[int] = []
        gaps: list[int] = []
        first_versions: list[int] = []
        key, row = self._key_of(start), start
        versions = self._versions
        while row < stop:
            row_gaps.append(row - start - len(names))
            names.append(self._names[key])
            key += 1
            end = min(self._row_starts[key], stop)
            column = versions[row:end]
            first = column[0]
            first_versions.append(first)
            if column[-1] - first == len(column) - 1 and column == list(range(first, first + len(column))):
                gaps += bytes(len(column))
            else:
                gaps += [version - first - index for index, version in enumerate(column)]
            row = end
        kinds, offsets, details = self._values(start, stop, place, place_stop)
        seqs = self._seqs[start:stop]
        draft = self._draft
        origins, numbers = self._sources(place, place_stop)
        numbers[: len(seqs)] = map(sub, numbers, seqs)
        columns = [
            pack_column(row_gaps),
            pack_column(first_versions),
            pack_column(seqs),
            pack_column(kinds),
            pack_column(gaps),
            pack_column(offsets),
            pack_column(origins),
            pack_column(numbers),
            pack_column(draft.starts[place : place_stop + 1]),
        ]
        counts = (len(names), stop - start, len(numbers), len(numbers) + 1)
        return pack_tablet(ROWS, counts, columns, names, pack_details(details) if details else b"")

    def _sources(self, place: int, place_stop: int) -> tuple[list[int], list[int]]:
        """The origins and numbers of those at some places."""
        draft = self._draft
        positions = draft.place_ids[place:place_stop].tolist()
        if draft.is_plain:
            return [draft.ids[0][0]] * len(positions), positions
        ids = [draft.ids[position] for position in positions]
        return [origin for origin, _ in ids], [number for _, number in ids]

    def _values(self, start: int, stop: int, place: int, place_stop: int) -> tuple[list[int], list[int], list[Detail]]:
        """`(kinds, offsets, details)` of some rows."""
        draft = self._draft
        if draft.is_plain:
            return [draft.kinds[0]] * (stop - start), [0] * (stop - start), []
        kinds = self._kinds[start:stop]
        refs = self._refs[start:stop]
        if set(kinds) <= _WHOLE and list(map(draft.id_places.__getitem__, refs)) == list(range(place, place_stop)):
            return kinds, [0] * len(kinds), []  # each row brings the source of its value, as most do
        offsets: list[int] = []
        details: list[Detail] = []
        for row, ref in enumerate(refs):
            kind = kinds[row]
            if kind & IS_DETAILED:
                offsets.append(len(details) - row)
                details.append(detail_of(draft.details[ref]))
            elif not kind & HAS_VALUE:
                offsets.append(0)
            elif place <= draft.id_places[ref] < place_stop:
                offsets.append(draft.id_places[ref] - place - row)
            else:
                # the source of a row in another chunk
                kinds[row] = kind | IS_DETAILED
                offsets.append(len(details) - row)
                details.append(Detail([(*draft.ids[ref], 0, draft.sizes[ref])]))
        return kinds, offsets, details

    def _key_of(self, row: int) -> int:
        return bisect_right(self._row_starts, row) - 1


class IdChunks:
    """The chunks of the ids of sources."""

    __slots__ = ("_draft", "starts")

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self.starts = [*range(0, len(draft.ids), CHUNK_COUNT), len(draft.ids)]

    def fences(self) -> list[Packed]:
        """The columns of the index that say how they begin."""
        firsts = [self._draft.ids[start] for start in self.starts[:-1]]
        return [
            pack_column([origin for origin, _ in firsts]),
            pack_column([number for _, number in firsts]),
            pack_column(self.starts, is_plain=True),
        ]

    def table(self, number: int) -> bytes:
        """A chunk."""
        start, stop = self.starts[number], self.starts[number + 1]
        ids = self._draft.ids[start:stop]
        origin, first = ids[0]
        gaps: tuple[Sequence[int], Sequence[int]] = bytes(len(ids)), bytes(len(ids))
        if not self._draft.is_plain:
            gaps = (
                [one - origin for one, _ in ids],
                [number - first - index for index, (_, number) in enumerate(ids)],
            )
        places: Sequence[int] = self._draft.id_places[start:stop]
        if places[0] == start and list(places) == list(range(start, stop)):
            places = [IN_PLACE] * len(ids)
        columns = [
            *map(pack_column, gaps),
            pack_column(places),
        ]
        return pack_tablet(IDS, (len(ids),), columns)
