"""A set of what lives still: who drops the last other link to something takes it out of the set."""

from collections.abc import Hashable, Iterator
from threading import RLock
from typing import Generic, TypeVar
from weakref import WeakSet

_One = TypeVar("_One", bound=Hashable)


class Living(Generic[_One]):
    """Several threads may use it: a weak set of the library can't be gone through while another thread adds to it."""

    __slots__ = ("_lock", "_ones")

    def __init__(self) -> None:
        self._ones: WeakSet[_One] = WeakSet()
        self._lock = RLock()

    def add(self, one: _One) -> None:
        """It is one of them for as long as it lives."""
        with self._lock:
            self._ones.add(one)

    def discard(self, one: _One) -> None:
        """It is none of them any more."""
        with self._lock:
            self._ones.discard(one)

    def __iter__(self) -> Iterator[_One]:
        with self._lock:
            return iter(list(self._ones))

    def __len__(self) -> int:
        return len(self._ones)
