"""The rows of a segment that is being sealed: taken in by commit, given out by key.

Few steps a row, all in columns: sealing runs beside the threads that commit. Every method that takes long is a
generator that stops now and then, so that its caller can give way to them.
"""

from array import array
from collections.abc import Generator, Sequence
from operator import itemgetter
from typing import Final, TypeVar

from backpack.archive.columns import COUNT_MAX
from backpack.archive.content import BLOB, Change, SourceId
from backpack.archive.contents import Contents, UsualRun
from backpack.archive.frames import KIND_CODES
from backpack.archive.layout import HAS_VALUE, IS_DETAILED, IS_LARGE, IS_PURGED
from backpack.core.commit import Label
from backpack.errors import InvalidArgumentError

Pauses = Generator[bytes, None, None]
"""Yields nothing, now and then."""

_STEP: Final = 64
"""Commits between two pauses."""
_STEP_RUN: Final = 256
"""The same of a run."""
_STEP_LONG: Final = 2048
"""Numbers between two pauses, where little is done to each."""
_NO_ORIGIN: Final = BLOB - 1
_Item = TypeVar("_Item")
_WHOLE_KINDS: Final = {kind: code | HAS_VALUE for kind, code in KIND_CODES.items()}


def picked(items: Sequence[_Item], places: Sequence[int]) -> Generator[bytes, None, list[_Item]]:
    """Those that stand at these places."""
    found: list[_Item] = []
    for start in range(0, len(places), _STEP_LONG):
        some = places[start : start + _STEP_LONG]
        found += itemgetter(*some)(items) if len(some) > 1 else [items[some[0]]]
        yield b""
    return found


class Draft:
    """Rows in the order they came in, and how they stand in the segment."""

    __slots__ = (
        "_only_origin",
        "_positions",
        "by_key",
        "commits",
        "contents",
        "counts",
        "details",
        "id_places",
        "ids",
        "is_plain",
        "is_sorted",
        "kinds",
        "labels",
        "names",
        "order",
        "place_counts",
        "place_ids",
        "refs",
        "row_of",
        "seqs",
        "sizes",
        "starts",
        "times",
        "versions",
    )

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        sources = contents.sources
        self.ids: list[SourceId] = sorted(sources)
        self.sizes = list(map(sources.__getitem__, self.ids))
        self._only_origin = _NO_ORIGIN
        """The origin of all sources where they have all numbers from 0 on, as they have but for merged segments."""
        self._positions: dict[SourceId, int] = {}
        """Of all sources, where there is no such origin."""
        if self.ids and self.ids[0][1] == 0 and self.ids[-1] == (self.ids[0][0], len(self.ids) - 1):
            self._only_origin = self.ids[0][0]
        else:
            self._positions = dict(zip(self.ids, range(len(self.ids)), strict=True))
        self.by_key: dict[str, list[int]] = {}
        self.seqs: array[int] = array("Q")
        self.versions: array[int] = array("Q")
        self.kinds = bytearray()
        self.refs: array[int] = array("q")
        """Of a row whose value is a whole source: its position. Of another one: the number of its detail."""
        self.details: list[Change] = []
        self.commits: array[int] = array("Q")
        self.times: array[int] = array("q")
        self.labels: list[Label] = []
        self.counts: array[int] = array("I")
        self.names: list[str] = []
        self.order: list[int] = []
        """Rows as they stand, each by when it came in."""
        self.row_of: array[int] = array("I")
        """The reverse."""
        self.id_places: array[int] = array("I")
        self.place_ids: array[int] = array("I")
        self.place_counts: array[int] = array("I")
        """How many sources are used by the rows before each row, in order, and by all."""
        self.starts: list[int] = []
        """By place, in the address space; with one more, where the last ends."""
        self.is_sorted = True
        self.is_plain = self._only_origin != _NO_ORIGIN
        """Does each row pack the whole of one source that no other row uses, as those of runs do, and is there no other
        source? Then each has the number of its position."""

    def take(self) -> Pauses:
        """Take in all rows."""
        contents = self.contents
        if contents.base_rows:
            self._take(contents.base_rows)
            self.is_sorted = False
        last = contents.first_seq - 1
        changes: list[Change] = []
        for row in contents.commits:
            if isinstance(row, UsualRun):
                self._take(changes)
                changes = []
                count = len(row.keys)
                if not last < row.first_seq <= contents.last_seq - count + 1:
                    raise InvalidArgumentError(f"the commits to be sealed are not in order: seq={row.first_seq}")
                last = row.first_seq + count - 1
                yield from self._take_run(row, count)
                continue
            if not last < row.seq <= contents.last_seq:
                raise InvalidArgumentError(f"the commits to be sealed are not in order: seq={row.seq}")
            last = row.seq
            changes += row.changes
            self.commits.append(last)
            self.times.append(row.time_ns)
            self.labels.append(row.label)
            self.counts.append(len(row.changes))
            if not len(self.commits) % _STEP:
                self._take(changes)
                changes = []
                yield b""
        self._take(changes)
        if len(self.kinds) > COUNT_MAX or len(self.ids) > COUNT_MAX:
            raise InvalidArgumentError(f"too much for one segment: changes={len(self.kinds)} sources={len(self.ids)}")

    def _take_run(self, run: UsualRun, count: int) -> Pauses:
        by_key, kind = self.by_key, bytes((_WHOLE_KINDS["pack"],))
        for start in range(0, count, _STEP_RUN):
            stop = min(start + _STEP_RUN, count)
            for row, key in enumerate(run.keys[start:stop], len(self.kinds)):
                rows = by_key.get(key)
                if rows is None:
                    rows = by_key[key] = []
                rows.append(row)
            seqs = range(run.first_seq + start, run.first_seq + stop)
            self.seqs.extend(seqs)
            self.commits.extend(seqs)
            self.refs.extend(range(run.first_number + start, run.first_number + stop))
            self.kinds += kind * (stop - start)
            self.counts.extend(bytes((1,)) * (stop - start))
            self.versions.extend(run.versions[start:stop])
            self.times.extend(run.times[start:stop])
            self.labels += run.labels[start:stop]
            yield b""

    def _take(self, changes: Sequence[Change]) -> None:
        if changes:
            self.is_plain = False
        by_key, kinds, sizes, refs = self.by_key, self.kinds, self.sizes, self.refs
        only_origin, count, positions = self._only_origin, len(self.ids), self._positions
        self.seqs.extend([change.seq for change in changes])
        self.versions.extend([change.version for change in changes])
        for change in changes:
            rows = by_key.get(change.key)
            if rows is None:
                rows = by_key[change.key] = []
            rows.append(len(kinds))
            value = change.value
            if value is not None and len(value.cuts) == 1 and not change.is_purged and not change.reason:
                origin, number, start, stop = value.cuts[0]
                if origin != only_origin:
                    number = positions.get((origin, number), -1)
                if 0 <= number < count and not start and stop == sizes[number] and not value.own and not value.blobs:
                    refs.append(number)
                    kind = _WHOLE_KINDS[change.kind]
                    kinds.append(kind | IS_LARGE if change.is_large else kind)
                    continue
            kind = KIND_CODES[change.kind] | (IS_LARGE if change.is_large else 0)
            if value is None and not change.reason and not change.is_purged:
                refs.append(0)
                kinds.append(kind)
                continue
            refs.append(len(self.details))
            self.details.append(change)
            kind |= IS_DETAILED | (IS_PURGED if change.is_purged else 0) | (0 if value is None else HAS_VALUE)
            kinds.append(kind)

    def _position_of(self, origin: int, number: int) -> int:
        if origin == self._only_origin:
            return number if number < len(self.ids) else -1
        return self._positions.get((origin, number), -1)

    # -- the order -----------------------------------------------------------------------------------------------

    def arrange(self) -> Pauses:
        """Put rows in order by key and seq, and sources in the order in which these first use them."""
        by_key = self.by_key
        self.names = names = sorted(by_key)
        order = self.order
        for name in names:
            rows = by_key[name]
            if not self.is_sorted:
                rows.sort(key=self.seqs.__getitem__)
            order += rows
        yield b""
        row_of = self.row_of = array("I", bytes(4 * len(order)))
        for row, came in enumerate(order):
            row_of[came] = row
        yield b""
        yield from self._place()

    def _place(self) -> Pauses:
        count, refs = len(self.ids), self.refs
        self.is_plain = self.is_plain and len(refs) == count
        if self.is_plain:
            self.place_ids = array("I", (yield from picked(refs, self.order)))
            self.place_counts = array("I", range(count + 1))
        else:
            yield from self._place_each()
        place_ids = self.place_ids
        id_places = self.id_places = array("I", bytes(4 * count))
        for start in range(0, count, _STEP_LONG):
            for place, position in enumerate(place_ids[start : start + _STEP_LONG], start):
                id_places[position] = place
            yield b""

    def _place_each(self) -> Pauses:
        """Put sources in order where that of a row may be another's too, or none."""
        count = len(self.ids)
        refs, kinds, position_of = self.refs, self.kinds, self._position_of
        is_placed = bytearray(count)
        place_ids, place_counts = self.place_ids, self.place_counts
        for index, came in enumerate(self.order):
            place_counts.append(len(place_ids))
            kind = kinds[came]
            if kind & IS_DETAILED:
                value = self.details[refs[came]].value
                used = [] if value is None else [position_of(cut[0], cut[1]) for cut in value.cuts]
                for position in used:
                    if position >= 0 and not is_placed[position]:
                        is_placed[position] = 1
                        place_ids.append(position)
            elif kind & HAS_VALUE:
                position = refs[came]
                if not is_placed[position]:
                    is_placed[position] = 1
                    place_ids.append(position)
            if not index % _STEP_LONG:
                yield b""
        place_counts.append(len(place_ids))
        if len(place_ids) < count:
            place_ids.extend([position for position in range(count) if not is_placed[position]])
