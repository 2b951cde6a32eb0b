"""A folder that tells what was asked of it, and fails where it is told to."""

from collections.abc import Callable

from backpack.errors import DiskFullError, StorageError
from backpack.storage.memory import MemoryFile, MemoryFolder, MemoryLock


class Watch:
    """What happened, in order: `("append", "0.tmp")`; how many bytes were read, and in how many calls."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.read_size = 0
        self.read_count = 0
        self.open_count = 0
        self.fail: dict[str, int] = {}
        """Name of an operation -> how many of them still succeed."""
        self.before: dict[str, Callable[[], None]] = {}
        """Name of an operation -> what another thread does at that moment, once."""

    def tell(self, operation: str, name: str) -> None:
        self.before.pop(operation, lambda: None)()
        if operation in self.fail:
            if not self.fail[operation]:
                error = DiskFullError if operation == "append" else StorageError
                raise error(f"no {operation}", file=name)
            self.fail[operation] -= 1
        self.events.append((operation, name))


class WatchedFile:
    def __init__(self, file: MemoryFile, watch: Watch) -> None:
        self._file = file
        self._watch = watch
        self._is_open = True
        watch.open_count += 1

    @property
    def name(self) -> str:
        return self._file.name

    def pread(self, size: int, offset: int) -> bytes:
        data = self._file.pread(size, offset)
        self._watch.tell("pread", self.name)
        self._watch.read_size += len(data)
        self._watch.read_count += 1
        return data

    def append(self, data: bytes) -> None:
        self._watch.tell("append", self.name)
        self._file.append(data)

    def size(self) -> int:
        return self._file.size()

    def truncate(self, size: int) -> None:
        self._file.truncate(size)

    def sync(self) -> None:
        self._watch.tell("sync", self.name)
        self._file.sync()

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._watch.open_count -= 1
        self._file.close()


class WatchedFolder:
    def __init__(self, folder: MemoryFolder) -> None:
        self.inner = folder
        self.watch = Watch()

    @property
    def path(self) -> str:
        return self.inner.path

    def location(self) -> str | None:
        return self.inner.location()

    boot = 0

    def names(self) -> list[str]:
        return self.inner.names()

    def has(self, name: str) -> bool:
        return self.inner.has(name)

    def open(self, name: str) -> WatchedFile:
        return WatchedFile(self.inner.open(name), self.watch)

    def create(self, name: str) -> WatchedFile:
        self.watch.tell("create", name)
        return WatchedFile(self.inner.create(name), self.watch)

    def reopen(self, name: str) -> WatchedFile:
        self.watch.tell("reopen", name)
        return WatchedFile(self.inner.reopen(name), self.watch)

    def rename(self, old: str, new: str) -> None:
        self.watch.tell("rename", new)
        self.inner.rename(old, new)

    def remove(self, name: str) -> None:
        if self.inner.has(name):
            self.watch.tell("remove", name)
        self.inner.remove(name)

    def sync(self) -> None:
        self.watch.tell("sync", "")

    def folder(self, name: str) -> "WatchedFolder":
        return WatchedFolder(self.inner.folder(name))

    def secure(self) -> None:
        self.inner.secure()

    def lock(self, name: str, *, shared: bool = False) -> MemoryLock:
        return self.inner.lock(name, shared=shared)

    def close(self) -> None:
        self.inner.close()
