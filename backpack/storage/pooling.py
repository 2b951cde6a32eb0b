"""Files to read that are not all open at a time: thousands of segments, and of logs that wait to be sealed, and a
process that may open a thousand files.

A `PooledFile` is a name in a folder. The file behind it stands in one pool of the process, in the order of use; who was
used longest ago leaves when there are too many, and is opened again by its name when it is read again. The pool only
lets go of a file: whoever is reading it at that moment has it, and it closes when nobody does.

Opened again it has to be the same file: as long as before, and with the same bytes at both ends. The archive writes
each segment once under its name, and no log gets longer once the next one has begun; it holds every piece of them
against checksums, so nothing else is ever believed; this says so earlier, and better.

Whoever takes the name away calls `keep` before: from then on the file stays open for as long as the `PooledFile` is
needed, whatever the pool has room for. What another process takes away can be read on while it stands in the pool; a
reader of more files than that, beside a writer who replaces some of them, is told to look again.

No lock: each step is one operation of a dict, and what two threads can do to each other is to open a file twice.
"""

from itertools import count
from typing import Final

from backpack.errors import MissingFileError, StorageError
from backpack.storage.protocol import File, Folder

try:
    import resource
except ImportError:  # pragma: no cover - there is no such limit
    resource = None  # type: ignore[assignment]

OPEN_MAX: Final = 512
"""Files in the pool, and never more than half of what the process may open."""

_END_SIZE: Final = 64
"""Bytes at either end that are remembered: they hold the checksums of head and directory."""

_numbers = count()
_pool: dict[int, File] = {}
"""By the number of the `PooledFile`, the one used last at the end."""


class PooledFile:
    """A file to be read, open while there is room for it."""

    __slots__ = ("__weakref__", "_ends", "_folder", "_is_closed", "_kept", "_leaf", "_number", "_size", "name")

    def __init__(self, folder: Folder, name: str) -> None:
        """Opens it: `MissingFileError`, `StorageError`."""
        self._folder = folder
        self._leaf = name
        self._number = next(_numbers)
        self._kept: File | None = None
        self._is_closed = False
        file = folder.open(name)
        self.name = file.name
        self._size = file.size()
        self._ends = self._ends_of(file)
        self._put(file)

    def pread(self, size: int, offset: int, /) -> bytes:
        """As `File.pread`. Cost: that, and two look-ups; a file that left the pool is opened again."""
        number = self._number
        file = _pool.pop(number, None)
        if file is None:
            file = self._opened()
        else:
            _pool[number] = file  # at the end
        return file.pread(size, offset)

    def size(self) -> int:
        """Bytes in it: it never grows."""
        return self._size

    def append(self, data: bytes, /) -> None:
        """Refused: it is open for reading."""
        self._opened().append(data)

    def truncate(self, size: int, /) -> None:
        """Refused: it is open for reading."""
        self._opened().truncate(size)

    def sync(self) -> None:
        """Refused: it is open for reading."""
        self._opened().sync()

    def keep(self) -> None:
        """Hold it open from now on: its name is going to be taken away."""
        if self._kept is None:
            self._kept = self._opened()
            _pool.pop(self._number, None)

    def close(self) -> None:
        """Idempotent."""
        self._is_closed = True
        self._kept = None
        _pool.pop(self._number, None)

    def __del__(self) -> None:
        _pool.pop(self._number, None)

    # -- inside --------------------------------------------------------------------------------------------------

    def _opened(self) -> File:
        if self._kept is not None:
            return self._kept
        if self._is_closed:
            raise StorageError(f"it is closed: file={self.name!r}", file=self.name)
        file = _pool.pop(self._number, None)
        if file is None:
            file = self._opened_again()
            self._put(file)
        else:
            _pool[self._number] = file  # at the end
        return file

    def _opened_again(self) -> File:
        try:
            file = self._folder.open(self._leaf)
        except MissingFileError:
            is_same = False
        else:
            is_same = file.size() == self._size and self._ends_of(file) == self._ends
        if is_same:
            return file
        raise StorageError(
            f"the file was replaced by a writer, and there were too many to hold all open: file={self.name!r}; "
            "refresh the store, or open it again",
            file=self.name,
        )

    def _put(self, file: File) -> None:
        _pool[self._number] = file
        if len(_pool) > _TIGHT:
            room = open_max()
            for number in list(_pool)[: max(len(_pool) - room, 0)]:
                _pool.pop(number, None)

    def _ends_of(self, file: File) -> bytes:
        return file.pread(_END_SIZE, 0) + file.pread(_END_SIZE, max(self._size - _END_SIZE, 0))


_TIGHT: Final = 8
"""So many are open without a look at the limit."""


def open_max() -> int:
    """How many files may stand in the pool now. Cost: a system call."""
    if resource is None:
        return OPEN_MAX
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return OPEN_MAX if limit == resource.RLIM_INFINITY else max(min(OPEN_MAX, limit // 2), _TIGHT)


def open_count() -> int:
    """How many stand there."""
    return len(_pool)
