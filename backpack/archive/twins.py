"""The archives of forks that read the files of one store, for as long as somebody has them."""

from collections.abc import Iterator
from threading import RLock
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from backpack.archive.archive import Archive


class Twins:
    """A set of them that several threads may use: forks are made and closed while the store is swept."""

    __slots__ = ("_archives", "_lock")

    def __init__(self) -> None:
        self._archives: WeakSet[Archive] = WeakSet()
        self._lock = RLock()

    def add(self, archive: "Archive") -> None:
        """It reads the files too."""
        with self._lock:
            self._archives.add(archive)

    def discard(self, archive: "Archive") -> None:
        """It does not any more."""
        with self._lock:
            self._archives.discard(archive)

    def __iter__(self) -> Iterator["Archive"]:
        with self._lock:
            return iter(list(self._archives))

    def __len__(self) -> int:
        return len(self._archives)
