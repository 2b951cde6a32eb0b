"""What the archive asks of a disk: files that are read anywhere and appended to, and folders of them.

Everything that can go wrong is one of our errors: `DiskFullError` when there is no room, `StorageError` for any other
refusal. An I/O error on reading is never the end of the file.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, Protocol

from backpack.errors import InvalidArgumentError, StorageError

_NAME: Final = re.compile(r"[a-z0-9_-][a-z0-9._-]{0,127}")


def is_name(name: str) -> bool:
    """Can a file of a store have that name? Lower case, so that no two names are one anywhere; no leading dot."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> None:
    """`InvalidArgumentError` for a name that a file of a store can't have: nothing foreign becomes a path."""
    if not is_name(name):
        raise InvalidArgumentError(f"no name for a file of a store: name={name!r}; use a-z, 0-9 and . - _", name=name)


class File(Protocol):
    """One open file. Any number of threads may `pread`; one at a time may append.

    A file that nobody refers to any more is closed. So whoever can't know that no other thread is reading lets go of
    the file and doesn't `close` it.
    """

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
        """Cut it to that size; `InvalidArgumentError` when it is shorter."""
        ...

    def sync(self) -> None:
        """Its bytes survive a power loss from here on. After one that failed every change is refused: what was written
        can be read and may be lost, and a second try would say that all is well."""
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

    def location(self) -> str | None:
        """Its absolute path, as long as it is still there; None when it was moved, or stands on no disk."""
        ...

    @property
    def boot(self) -> int:
        """A number of 32 bits for when the machine began to run that keeps what was written and not synced: another one
        after a restart. 0 where that can't be known."""
        ...

    def names(self) -> list[str]:
        """The files and folders in it, sorted; not those whose names aren't of a store's making."""
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
        """Its entries survive a power loss from here on. After one that failed every change is refused."""
        ...

    def folder(self, name: str, /) -> "Folder":
        """A folder in it; made when missing and the store may be written, and then its entry is synced."""
        ...

    def lock(self, name: str, /, *, shared: bool = False) -> Lock:
        """Hold the lock of that name; `StoreLockedError` names the pid that has it."""
        ...

    def secure(self) -> None:
        """Nobody but its owner may enter it from here on. For the folder of a store: those in it are made so."""
        ...

    def close(self) -> None:
        """Idempotent; files and folders that were opened in it stay open. A folder that nobody refers to is closed."""
        ...


def publish(folder: Folder, name: str, chunks: Iterable[bytes]) -> None:
    """Put a whole file in place: after a crash at any point there is the old one, or the new one, or none.

    Written under another name, synced, renamed, and the folder synced. An error from the last step leaves the new one
    in place: whether it survives a power loss isn't known.
    """
    temporary = name + ".tmp"
    folder.remove(temporary)
    file = folder.create(temporary)
    try:
        try:
            for chunk in chunks:
                file.append(chunk)
            file.sync()
        finally:
            file.close()
        folder.rename(temporary, name)
    except BaseException:
        with suppress(StorageError):  # it takes room that the store may need; the next publication removes it too
            folder.remove(temporary)
        raise
    folder.sync()
