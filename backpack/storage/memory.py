"""Files and folders in memory: a store that is read from one file, and the images that tests crash into.

A name leads to the bytes of a file, as on a disk: a file that is open stays readable when its name goes or leads
elsewhere. Locks hold among all who have the folder, like those between processes.
"""

import os
from collections.abc import Iterator, Mapping

from backpack.errors import InvalidArgumentError, MissingFileError, ReadOnlyError, StorageError, StoreLockedError
from backpack.storage.protocol import check_name


class MemoryFile:
    """One open file in memory."""

    __slots__ = ("_data", "_is_writable", "_name")

    def __init__(self, data: bytearray, name: str, *, is_writable: bool) -> None:
        self._data: bytearray | None = data
        self._name = name
        self._is_writable = is_writable

    @property
    def name(self) -> str:
        return self._name

    def pread(self, size: int, offset: int) -> bytes:
        if size < 0 or offset < 0:
            raise StorageError(f"the file could not be read: file={self._name!r} {size=} {offset=}", file=self._name)
        return bytes(self._opened()[offset : offset + size])

    def append(self, data: bytes) -> None:
        content = self._writable()
        content += data

    def size(self) -> int:
        return len(self._opened())

    def truncate(self, size: int) -> None:
        content = self._writable()
        if not 0 <= size <= len(content):
            raise InvalidArgumentError(
                f"a file can only be cut shorter: file={self._name!r} {size=} present={len(content)}"
            )
        del content[size:]

    def sync(self) -> None:
        self._writable()

    def close(self) -> None:
        self._data = None

    def _opened(self) -> bytearray:
        if self._data is None:
            raise StorageError(f"it is closed: file={self._name!r}", file=self._name)
        return self._data

    def _writable(self) -> bytearray:
        data = self._opened()
        if not self._is_writable:
            raise ReadOnlyError(f"it is open for reading: file={self._name!r}", file=self._name)
        return data


class MemoryLock:
    """A lock that is held, or was."""

    __slots__ = ("_holders",)

    def __init__(self, holders: "list[tuple[MemoryLock, bool]]") -> None:
        self._holders = holders

    def release(self) -> None:
        self._holders[:] = [held for held in self._holders if held[0] is not self]


class _Content:
    """What a folder holds, for all who have it open."""

    __slots__ = ("files", "folders", "locks")

    def __init__(self) -> None:
        self.files: dict[str, bytearray] = {}
        self.folders: dict[str, _Content] = {}
        self.locks: dict[str, list[tuple[MemoryLock, bool]]] = {}


class MemoryFolder:
    """One folder in memory. `files` maps names to bytes: `"log.1"`, `"blobs/ab"` (in a folder)."""

    __slots__ = ("_content", "_is_open", "_is_writable", "_path", "_prefix", "boot")

    def __init__(self, files: Mapping[str, bytes] | None = None, *, path: str = "memory", boot: int = 0) -> None:
        self._content = _Content()
        self.boot = boot
        self._path = path
        self._prefix = ""
        self._is_writable = True
        self._is_open = True
        for name, data in (files or {}).items():
            *above, last = name.split("/")
            content = self._content
            for part in above:
                check_name(part)
                content = content.folders.setdefault(part, _Content())
            check_name(last)
            content.files[last] = bytearray(data)

    def reader(self) -> "MemoryFolder":
        """The same folder, for reading."""
        return self._open(self._content, self._path, self._prefix, is_writable=False, boot=self.boot)

    def walk(self) -> Iterator[tuple[str, bytes | None]]:
        """Every file with its bytes, in order of the names; folders go before what is in them and have None."""
        yield from _walk(self._content, "")

    @property
    def path(self) -> str:
        return self._path

    def location(self) -> str | None:
        return None

    def names(self) -> list[str]:
        content = self._opened()
        return sorted([*content.files, *content.folders])

    def has(self, name: str) -> bool:
        content = self._opened(name)
        return name in content.files or name in content.folders

    def open(self, name: str) -> MemoryFile:
        return self._file(self._opened(name), name, is_writable=False)

    def create(self, name: str) -> MemoryFile:
        content = self._writable(name)
        if self.has(name):
            raise StorageError(f"there is a file of that name: file={self._prefix + name!r}", file=self._prefix + name)
        content.files[name] = bytearray()
        return self._file(content, name, is_writable=True)

    def reopen(self, name: str) -> MemoryFile:
        return self._file(self._writable(name), name, is_writable=True)

    def _file(self, content: _Content, name: str, *, is_writable: bool) -> MemoryFile:
        self._refuse_folder(content, name)
        data = content.files.get(name)
        if data is None:
            raise self._missing(name)
        return MemoryFile(data, self._prefix + name, is_writable=is_writable)

    def rename(self, old: str, new: str) -> None:
        content = self._writable(old)
        check_name(new)
        self._refuse_folder(content, old)
        self._refuse_folder(content, new)
        if old not in content.files:
            raise self._missing(old)
        content.files[new] = content.files.pop(old)

    def remove(self, name: str) -> None:
        content = self._writable(name)
        self._refuse_folder(content, name)
        content.files.pop(name, None)

    def sync(self) -> None:
        self._writable()

    def folder(self, name: str) -> "MemoryFolder":
        content = self._opened(name)
        label = self._prefix + name
        if name in content.files:
            raise StorageError(f"it is no folder: file={label!r}", file=label)
        if name not in content.folders:
            if not self._is_writable:
                raise self._missing(name)
            content.folders[name] = _Content()
        return self._open(
            content.folders[name],
            os.path.join(self._path, name),
            label + "/",
            is_writable=self._is_writable,
            boot=self.boot,
        )

    def secure(self) -> None:
        """It is in memory: nobody else can enter it."""

    def lock(self, name: str, *, shared: bool = False) -> MemoryLock:
        content = self._opened(name)
        if not self._is_writable and not shared:
            raise ReadOnlyError(f"the store is open for reading: path={self._path!r}")
        if name not in content.files:
            if not self._is_writable:
                raise self._missing(name)
            content.files[name] = bytearray()
        holders = content.locks.setdefault(name, [])
        if any(not (shared and other) for _, other in holders):
            label = self._prefix + name
            raise StoreLockedError(
                f"the store is locked by this very process: pid={os.getpid()}; close it there first: file={label!r}",
                pid=os.getpid(),
                file=label,
            )
        lock = MemoryLock(holders)
        holders.append((lock, shared))
        return lock

    def close(self) -> None:
        self._is_open = False

    @staticmethod
    def _open(content: _Content, path: str, prefix: str, *, is_writable: bool, boot: int = 0) -> "MemoryFolder":
        folder = MemoryFolder(path=path, boot=boot)
        folder._content = content
        folder._prefix = prefix
        folder._is_writable = is_writable
        return folder

    def _opened(self, name: str | None = None) -> _Content:
        if name is not None:
            check_name(name)
        if not self._is_open:
            raise StorageError(f"it is closed: file={self._path!r}", file=self._path)
        return self._content

    def _writable(self, name: str | None = None) -> _Content:
        content = self._opened(name)
        if not self._is_writable:
            raise ReadOnlyError(f"it is open for reading: file={self._path!r}", file=self._path)
        return content

    def _refuse_folder(self, content: _Content, name: str) -> None:
        if name in content.folders:
            raise StorageError(f"it is a folder: file={self._prefix + name!r}", file=self._prefix + name)

    def _missing(self, name: str) -> MissingFileError:
        label = self._prefix + name
        return MissingFileError(f"there is no file of that name: file={label!r}", file=label)


def _walk(content: _Content, prefix: str) -> Iterator[tuple[str, bytes | None]]:
    for name in sorted([*content.files, *content.folders]):
        if name in content.folders:
            yield prefix + name, None
            yield from _walk(content.folders[name], f"{prefix}{name}/")
        else:
            yield prefix + name, bytes(content.files[name])
