"""What the archive asks of a disk: files that are read anywhere and appended to, and folders of them.

Everything that can go wrong is one of our errors: `DiskFullError` when there is no room, `StorageError` for any other
refusal. An I/O error on reading is never the end of the file.
"""

from collections.abc import Iterable
from typing import Protocol


class File(Protocol):
    """One open file. Any number of threads may `pread`; one at a time may append."""

    @property
    def name(self) -> str:
        """What an error calls it: the path from the folder of the store."""
        ...

    def pread(self, size: int, offset: int, /) -> bytes:
        """`size` bytes from there; fewer only at the end of the file."""
        ...

    def append(self, data: bytes, /) -> None:
        """All of it at the end. After an error the file may be longer by a part of it: truncate."""
        ...

    def size(self) -> int:
        """Bytes in it now."""
        ...

    def truncate(self, size: int, /) -> None:
        """Cut it to that size."""
        ...

    def sync(self) -> None:
        """Its bytes survive a power loss from here on. Never to be tried again after it failed."""
        ...

    def close(self) -> None:
        """Idempotent."""
        ...


class Lock(Protocol):
    """A lock on a folder that is held; it goes with the process, however that ends."""

    def release(self) -> None:
        """Idempotent; never unlinks the file."""
        ...


class Folder(Protocol):
    """One folder. Names are flat and made by us: decimal numbers, hex digits, lower case words."""

    @property
    def path(self) -> str:
        """What an error calls it."""
        ...

    def names(self) -> list[str]:
        """The files and folders in it, sorted."""
        ...

    def has(self, name: str, /) -> bool:
        """Is there a file or folder of that name?"""
        ...

    def open(self, name: str, /) -> File:
        """A file that is there, for reading; `StorageError` (a FileNotFoundError) when it isn't."""
        ...

    def create(self, name: str, /) -> File:
        """A new file, for appending and reading; `StorageError` when there is one of that name."""
        ...

    def reopen(self, name: str, /) -> File:
        """A file that is there, for appending and reading."""
        ...

    def rename(self, old: str, new: str, /) -> None:
        """Atomically, replacing what stood under the new name."""
        ...

    def remove(self, name: str, /) -> None:
        """Take a file away; one that is missing is fine."""
        ...

    def sync(self) -> None:
        """Its entries survive a power loss from here on."""
        ...

    def folder(self, name: str, /) -> "Folder":
        """A folder in it, made when missing (and the store may be written)."""
        ...

    def lock(self, name: str, /, *, shared: bool = False) -> Lock:
        """Hold the lock of that name; `StoreLockedError` names the pid that has it."""
        ...


def publish(folder: Folder, name: str, chunks: Iterable[bytes]) -> None:
    """Put a whole file in place: after a crash at any point there is the old one, or the new one, or none.

    Written under another name, synced, renamed, and the folder synced.
    """
    temporary = name + ".tmp"
    folder.remove(temporary)
    file = folder.create(temporary)
    try:
        for chunk in chunks:
            file.append(chunk)
        file.sync()
    finally:
        file.close()
    folder.rename(temporary, name)
    folder.sync()
