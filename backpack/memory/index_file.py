"""The file of a full-text index in the folder of a store: made, checked, opened, let go of.

It is derived, so nothing here fails for it: a file that is missing, foreign, damaged or in the way is made anew by the
writer, and a reader does without. SQLite notices some damage by itself; a flipped bit in the words of a document it
doesn't. So beside a file that was closed stands its sum, which is held against it before it is opened again. The sum
goes before the first change: after a crash there is none, and SQLite's own journal makes the file whole.

SQLite locks a file by POSIX locks, which a process loses when it closes any descriptor of the file. So its bytes are
never read here while this process has an index open on it.
"""

import os
import sqlite3
from collections import Counter
from threading import Lock
from typing import Final

from xxhash import xxh3_64

from backpack.archive.derived import Derived
from backpack.errors import MissingFileError, StorageError
from backpack.hashing import blake2b
from backpack.memory.search_index import Connect, Index
from backpack.storage.protocol import publish

DEFAULT_NAMESPACE: Final = "memory"

_CHUNK: Final = 1 << 20
_SUM_SIZE_MAX: Final = 64

_open: Counter[tuple[int, int]] = Counter()
"""The files that this process has an index open on, by device and number."""
_opening = Lock()


class IndexFile:
    """The file of one namespace. Not for several threads at a time."""

    def __init__(self, derived: Derived, namespace: str, *, connect: Connect = sqlite3.connect) -> None:
        self._derived = derived
        self._connect = connect
        self.name = file_name(namespace)
        self._path = os.path.join(derived.path, self.name)
        self.index: Index | None = None
        self._place: tuple[int, int] | None = None
        self._is_changed = False

    def open(self) -> Index | None:
        """The index as it is there; the writer's is made when there is none that is right. None when it can't be.

        `SearchUnavailableError` without FTS5.
        """
        with _opening:
            try:
                if not self._is_right() and not self._made():
                    return None
                self._connected()
            except (sqlite3.Error, StorageError):
                if not self._made():
                    return None
                try:
                    self._connected()
                except (sqlite3.Error, StorageError):
                    return None
        return self.index

    def is_there(self) -> bool:
        """Is what is open still the file in the folder?"""
        return self.index is not None and self._place is not None and _place_of(self._path) == self._place

    def begin_change(self) -> None:
        """From here on the file is no longer what its sum says."""
        if not self._is_changed:
            self._derived.folder.remove(self.name + ".sum")
            self._is_changed = True

    def close(self) -> None:
        """Let go of it, and leave its sum when it was changed. `StorageError`, and it is closed anyway."""
        is_whole = self._is_changed and self.is_there()
        self._let_go()
        if is_whole:
            with _opening:
                publish(self._derived.folder, self.name + ".sum", (self._sum(),))

    def discard(self) -> None:
        """Let go of it and, if this may, take it away."""
        self._let_go()
        self._removed()

    # -- inside --------------------------------------------------------------------------------------------------

    def _connected(self) -> None:
        place = _place_of(self._path)
        if place is None:
            raise MissingFileError(f"the index is not there: file={self.name!r}", file=self.name)
        self.index = Index(self._path, is_writable=self._derived.is_writable, connect=self._connect)
        self._place = place
        _open[place] += 1

    def _let_go(self) -> None:
        index, self.index = self.index, None
        self._is_changed = False
        if index is not None:
            with _opening:
                index.close()
                if self._place is not None:
                    _open[self._place] -= 1
                    if not _open[self._place]:
                        del _open[self._place]
        self._place = None

    def _is_right(self) -> bool:
        """Is it a plain file of ours, and what its sum says if there is one?"""
        place = _place_of(self._path)
        if place is None:
            return False
        if _open[place]:
            return True  # it was looked at when it was opened
        written = self._written_sum()
        if written is None:
            self._derived.folder.open(self.name).close()  # refuses what is no plain file
            return True
        return self._sum() == written or self._written_sum() != written  # else a writer has begun to change it

    def _written_sum(self) -> bytes | None:
        try:
            file = self._derived.folder.open(self.name + ".sum")
        except MissingFileError:
            return None
        try:
            return file.pread(_SUM_SIZE_MAX, 0)
        finally:
            file.close()

    def _sum(self) -> bytes:
        """Of the file as it is. Cost: reading it, 0.1 s a GB where the system has it in memory."""
        state = xxh3_64()
        file = self._derived.folder.open(self.name)
        try:
            size = 0
            while data := file.pread(_CHUNK, size):
                state.update(data)
                size += len(data)
        finally:
            file.close()
        return b"%d %s\n" % (size, state.hexdigest().encode())

    def _made(self) -> bool:
        """Put an empty file in its place; False where this may not, or the disk refuses."""
        if not self._removed():
            return False
        try:
            self._derived.folder.create(self.name).close()
        except StorageError:
            return False
        self._is_changed = True
        return True

    def _removed(self) -> bool:
        if not self._derived.is_writable:
            return False
        try:
            for suffix in ("", "-journal", ".sum"):  # the journal last: it would be played into what comes next
                self._derived.folder.remove(self.name + suffix)
        except StorageError:
            return False
        return True


def file_name(namespace: str) -> str:
    """The name of the file of a namespace: nothing of a name that users give goes into it."""
    if namespace == DEFAULT_NAMESPACE:
        return "search.sqlite"
    return f"search-{blake2b(namespace.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}.sqlite"


def _place_of(path: str) -> tuple[int, int] | None:
    """Which file that is."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
