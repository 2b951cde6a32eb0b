"""Contents that were decoded lately, under a budget of bytes and for an hour at most.

What is in here is known by its digest and never changes; whether it may still be given is asked of the store each time.
"""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final, Generic, TypeVar

from backpack.limits import MIB

HOT_SIZE_MAX: Final = 16 * MIB
HOT_TIME_S: Final = 3600.0

_T = TypeVar("_T")


class Hot(Generic[_T]):
    """Things by name. Any number of threads."""

    __slots__ = ("_clock", "_items", "_lock", "_size", "_size_max", "_time_s")

    def __init__(self, size_max: int, time_s: float, clock: Callable[[], float]) -> None:
        """`size_max`: bytes of all together, 0 for none; `time_s`: how long one stays."""
        self._size_max = size_max
        self._time_s = time_s
        self._clock = clock
        self._items: OrderedDict[str, tuple[_T, int, float]] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    @property
    def size(self) -> int:
        """Bytes of what is here."""
        return self._size

    def get(self, name: str) -> _T | None:
        """What was put there, if it is not too old. It is the last to leave from now on."""
        now = self._clock()
        with self._lock:
            item = self._items.get(name)
            if item is None:
                return None
            if not 0 <= now - item[2] < self._time_s:
                self._remove(name)
                return None
            self._items.move_to_end(name)
            return item[0]

    def put(self, name: str, thing: _T, size: int) -> None:
        """Keep it, unless it is larger than all may be together; what was used least lately makes room."""
        if size > self._size_max:
            return
        now = self._clock()
        with self._lock:
            self._remove(name)
            self._items[name] = (thing, size, now)
            self._size += size
            while self._size > self._size_max:
                self._remove(next(iter(self._items)))

    def drop(self, name: str) -> None:
        """Let go of it."""
        with self._lock:
            self._remove(name)

    def _remove(self, name: str) -> None:
        item = self._items.pop(name, None)
        if item is not None:
            self._size -= item[1]
