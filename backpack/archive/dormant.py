"""The keys of a store that was opened again and has not been asked for them yet: names and numbers, no objects.

They come from the last keyframe (columns, sorted by name) and from what changed since (a dict). Making an object for
each of 100,000 keys would take as long as opening may take in all; so a key becomes a chain when somebody asks for it.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from operator import gt, not_
from typing import NamedTuple, Protocol

from backpack.archive.content import Change
from backpack.archive.frames import KINDS


class Newest(NamedTuple):
    """The newest change of a key, without its value."""

    seq: int
    kind: str
    version: int
    size: int
    """The packed size of the value, in sight or not; 0 for a delete."""
    is_large: bool


def newest_of(change: Change) -> Newest:
    """A change without its value."""
    size = 0 if change.value is None else change.value.size
    return Newest(change.seq, change.kind, change.version, size, change.is_large)


class Columns(Protocol):
    """The newest changes of all keys as of a commit, sorted by name: what a keyframe holds."""

    @property
    def names(self) -> Sequence[str]: ...
    @property
    def seqs(self) -> Sequence[int]: ...
    @property
    def versions(self) -> Sequence[int]: ...
    @property
    def kinds(self) -> Sequence[int]:
        """Codes: places in `frames.KINDS`."""
        ...

    @property
    def sizes(self) -> Sequence[int]: ...
    @property
    def larges(self) -> Sequence[int]: ...


class Dormant:
    """The newest change of each key that has not woken. Wants the store's lock."""

    __slots__ = ("_columns", "_later", "_taken", "large_count", "live_bytes")

    def __init__(self, columns: Columns | None, later: Mapping[str, Newest]) -> None:
        """`later`: what changed since the columns were written."""
        self._columns = columns
        self._later = dict(later)
        self._taken = bytearray(0 if columns is None else len(columns.names))
        """By the place in the columns: has woken, or was changed since."""
        self.live_bytes = 0
        """Packed sizes of their values, added up, each for itself: equal ones are known as such once they wake."""
        self.large_count = 0
        if columns is not None:
            names = columns.names
            for key in self._later:
                place = bisect_left(names, key)
                if place < len(names) and names[place] == key:
                    self._taken[place] = 1
            sizes, taken = columns.sizes, self._taken
            self.live_bytes = sum(sizes)
            self.large_count = sum(columns.larges)
            if self._later:
                self.live_bytes -= sum(compress(sizes, taken))
                self.large_count -= sum(compress(columns.larges, taken))
        self.live_bytes += sum(newest.size for newest in self._later.values())
        self.large_count += sum(newest.is_large for newest in self._later.values())

    def peek(self, key: str) -> Newest | None:
        """The newest change of a key that sleeps."""
        newest = self._later.get(key)
        if newest is not None:
            return newest
        place = self._place(key)
        return None if place < 0 else self._at(place)

    def take(self, key: str) -> Newest | None:
        """The same, once: the key has woken."""
        newest = self.peek(key)
        if newest is None:
            return None
        place = -1 if key in self._later else self._place(key)
        # no call from here on: an interrupt finds it taken and counted, or not
        if place < 0:
            del self._later[key]
        else:
            self._taken[place] = 1
        self.live_bytes -= newest.size
        self.large_count -= newest.is_large
        return newest

    def add(self, key: str, newest: Newest) -> None:
        """A key of a store of which it was not known which keys there are. Once: nothing happens when it is known."""
        if self.peek(key) is None:
            self._later[key] = newest
            self.live_bytes += newest.size
            self.large_count += newest.is_large

    def sizes(self) -> Iterator[int]:
        """The packed sizes of their values, one by one: what `live_bytes` adds up."""
        yield from (newest.size for newest in self._later.values())
        if self._columns is not None:
            yield from compress(self._columns.sizes, map(not_, self._taken))

    def kinds(self) -> Iterator[tuple[str, str]]:
        """The keys that sleep, each with the kind of its newest change."""
        for key, newest in self._later.items():
            yield key, newest.kind
        if self._columns is not None:
            kinds = self._columns.kinds
            for place, name in enumerate(self._columns.names):
                if not self._taken[place]:
                    yield name, KINDS[kinds[place]]

    def names(self, kinds: frozenset[str]) -> list[str]:
        """The keys whose newest change is of one of those kinds, sorted. Cost: O(keys), little for each."""
        columns = self._columns
        later = [key for key, newest in self._later.items() if newest.kind in kinds]
        if columns is None:
            return sorted(later)
        codes = {KINDS.index(kind) for kind in kinds}
        wanted = bytes(columns.kinds).translate(bytes(code in codes for code in range(256)))
        if self._taken.count(1):
            wanted = bytes(map(gt, wanted, self._taken))
        names = list(columns.names) if 0 not in wanted else list(compress(columns.names, wanted))
        return sorted([*names, *later]) if later else names

    def _place(self, key: str) -> int:
        if self._columns is None:
            return -1
        names = self._columns.names
        place = bisect_left(names, key)
        if place == len(names) or names[place] != key or self._taken[place]:
            return -1
        return place

    def _at(self, place: int) -> Newest:
        columns = self._columns
        assert columns is not None
        return Newest(
            columns.seqs[place],
            KINDS[columns.kinds[place]],
            columns.versions[place],
            columns.sizes[place],
            bool(columns.larges[place]),
        )
