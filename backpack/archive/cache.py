"""What was read from segments lately, up to so many bytes for all segments of a store together.

Two tables in the order of use: whatever was used longest ago leaves first. Values are immutable, so who has one keeps
it when it leaves here. A look-up is single operations of a table and takes no lock; the lock is held while something
comes or leaves, never while it is read or decompressed: two threads may read the same thing at the same time, and one
of the two results stays.

A Ctrl-C may come between a table and the count of its bytes. So a change says that it is under way, and the next one
that finds it said counts anew.
"""

from collections import OrderedDict
from collections.abc import Hashable
from itertools import count
from threading import Lock
from typing import Final

from backpack.limits import MIB

CACHE_SIZE_DEFAULT: Final = 16 * MIB
"""Enough for the chunks of all indexes of a million small commits of a few keys, and a thousand of their blocks."""

ENTRY_SIZE: Final = 240
"""What an entry costs beside its value: the key, its place in the table, the pair."""

BRIEF_SHARE: Final = 4
"""One in so many bytes is for what is brief, whatever else there is."""

TOOL_COUNT: Final = 96
"""Decompressors of 96 KB, each with the dictionary of a segment: those of the segments that were read last. A million
small commits are in 80, so that none of these has to be made twice."""


class Tools:
    """Things that are dear to make and that one thread at a time may use: whoever takes one has it alone.

    No lock: each step is one operation of a table whose keys are numbers.
    """

    __slots__ = ("_tools",)

    def __init__(self) -> None:
        self._tools: OrderedDict[int, object] = OrderedDict()

    def take(self, key: int) -> object:
        """The one that was given back last for that key, out of here; None when there is none."""
        return self._tools.pop(key, None)

    def give_back(self, key: int, tool: object) -> None:
        """Keep it for the next who asks."""
        self._tools[key] = tool
        if len(self._tools) > TOOL_COUNT:
            self._tools.popitem(last=False)


class Cache:
    """At most `size_max` bytes, by what each entry is said to take.

    What is *brief* is hardly asked for twice, as the blocks are that a cold read is made of: it has what room there is,
    but leaves first where it has more than a quarter of all. Else a read of many values would drive out the chunks of
    the indexes that the next one needs.
    """

    __slots__ = ("_brief", "_brief_size", "_entries", "_is_changing", "_lock", "_numbers", "size", "size_max", "tools")

    def __init__(self, size_max: int = CACHE_SIZE_DEFAULT) -> None:
        self.size_max = size_max
        self.size = 0
        self._entries: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()
        self._brief: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()
        self._brief_size = 0
        self._is_changing = False
        self._lock = Lock()
        self._numbers = count(1)
        self.tools = Tools()

    def number(self) -> int:
        """A number that no other segment of this cache has, for its keys."""
        return next(self._numbers)

    def get(self, key: Hashable) -> object:
        """What was put there, if it is there still; None else."""
        return _used(self._entries, key)

    def get_brief(self, key: Hashable) -> object:
        """The same of what is brief."""
        return _used(self._brief, key)

    def put(self, key: Hashable, value: object, size: int) -> None:
        """Keep a value of so many bytes. One that takes more than half of all room is not kept."""
        self._put(self._entries, key, value, size + ENTRY_SIZE)

    def put_brief(self, key: Hashable, value: object, size: int) -> None:
        """Keep it as one that is brief."""
        self._put(self._brief, key, value, size + ENTRY_SIZE)

    def forget(self, number: int) -> None:
        """Let go of everything of one segment (whose keys are tuples that begin with its number). O(entries)."""
        with self._lock:
            self._begin()
            for entries in (self._entries, self._brief):
                for key in list(entries):  # in one operation, for somebody may look something up meanwhile
                    if isinstance(key, tuple) and key[0] == number:
                        self._take(entries, key)
            self._is_changing = False

    def check(self) -> None:
        """Every invariant."""
        with self._lock:
            if self._is_changing:
                self._count()
            assert self._brief_size == sum(size for _, size in list(self._brief.values()))
            assert self.size == self._brief_size + sum(size for _, size in list(self._entries.values()))
            assert self.size <= self.size_max

    def _put(self, entries: OrderedDict[Hashable, tuple[object, int]], key: Hashable, value: object, size: int) -> None:
        if size > self.size_max // 2:
            return
        with self._lock:
            self._begin()
            if key in entries:
                self._take(entries, key)
            entries[key] = (value, size)
            self.size += size
            if entries is self._brief:
                self._brief_size += size
            self._make_room()
            self._is_changing = False

    def _begin(self) -> None:
        """A change begins. The one before it was interrupted, where it is still under way: count anew, O(entries)."""
        if self._is_changing:
            self._count()
        self._is_changing = True

    def _count(self) -> None:
        self._brief_size = sum(size for _, size in list(self._brief.values()))
        self.size = self._brief_size + sum(size for _, size in list(self._entries.values()))
        self._make_room()

    def _make_room(self) -> None:
        while self.size > self.size_max:
            goes = self._brief if self._brief_size * BRIEF_SHARE > self.size_max else self._entries
            goes = goes or self._brief
            self._gone(goes, goes.popitem(last=False)[1][1])

    def _take(self, entries: OrderedDict[Hashable, tuple[object, int]], key: Hashable) -> None:
        self._gone(entries, entries.pop(key)[1])

    def _gone(self, entries: OrderedDict[Hashable, tuple[object, int]], size: int) -> None:
        self.size -= size
        if entries is self._brief:
            self._brief_size -= size


def _used(entries: OrderedDict[Hashable, tuple[object, int]], key: Hashable) -> object:
    """What is there under a key, which is the one used last from now on."""
    entry = entries.get(key)
    if entry is None:
        return None
    try:
        entries.move_to_end(key)
    except KeyError:  # it has left meanwhile
        return None
    return entry[0]
