"""A folder that tells which thread did what, counts what is read, and holds up or fails a sync when told to."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from backpack import Backpack
from backpack.core.limits import Limits
from backpack.storage.memory import MemoryFolder
from backpack.store.opening import open_in


class Record:
    """What happened in a folder and those in it."""

    def __init__(self) -> None:
        self.threads: dict[str, set[int]] = {"pread": set(), "sync": set(), "append": set()}
        self.counts: Counter[str] = Counter()
        self.read_sizes: Counter[str] = Counter()
        """By the folder in front of the name: `"blobs/"`, or nothing."""
        self.before: dict[str, Callable[[], None]] = {}
        """What to do before an operation, each time; it may raise."""

    def forget(self) -> None:
        for threads in self.threads.values():
            threads.clear()
        self.counts.clear()
        self.read_sizes.clear()

    def tell(self, operation: str) -> None:
        self.counts[operation] += 1
        self.threads[operation].add(threading.get_ident())
        self.before.get(operation, lambda: None)()


class RecordingFile:
    def __init__(self, file: Any, record: Record) -> None:
        self._file = file
        self._record = record

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def pread(self, size: int, offset: int) -> bytes:
        self._record.tell("pread")
        data: bytes = self._file.pread(size, offset)
        self._record.read_sizes[self._file.name.rpartition("/")[0]] += len(data)
        return data

    def append(self, data: bytes) -> None:
        self._record.tell("append")
        self._file.append(data)

    def sync(self) -> None:
        self._record.tell("sync")
        self._file.sync()


class RecordingFolder:
    def __init__(self, inner: Any, record: Record | None = None) -> None:
        self.inner = inner
        self.record = record or Record()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def open(self, name: str) -> RecordingFile:
        return RecordingFile(self.inner.open(name), self.record)

    def create(self, name: str) -> RecordingFile:
        return RecordingFile(self.inner.create(name), self.record)

    def reopen(self, name: str) -> RecordingFile:
        return RecordingFile(self.inner.reopen(name), self.record)

    def sync(self) -> None:
        self.record.tell("sync")
        self.inner.sync()

    def folder(self, name: str) -> RecordingFolder:
        return RecordingFolder(self.inner.folder(name), self.record)


def opened(folder: Any, *, durability: str = "process", mode: str = "rw", **limits: Any) -> Backpack:
    """A store in such a folder."""
    found = Limits(100 * 1024, 50 * 1024 * 1024, None, "oldest", 0.2, False).changed(limits)
    return open_in(folder, found, is_writable=mode == "rw", durability=durability)


def recording() -> RecordingFolder:
    """A new one, in memory."""
    return RecordingFolder(MemoryFolder())
