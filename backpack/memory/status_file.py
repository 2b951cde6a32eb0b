"""One file that somebody else writes to as well: read, and replaced as a whole.

A new file is written beside it, synced and renamed over it, with its mode. So a crash leaves the old one or the new
one, and whoever reads sees one of them whole. If it was changed while the new one was being made, it is read again.
A link is not followed: the directory may be anybody's, and what it leads to may be no file for this.
"""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from backpack.errors import InvalidArgumentError, MissingFileError, StorageError
from backpack.limits import MIB
from backpack.storage.faults import storage_error
from backpack.storage.held import Held

NAME: Final = "STATUS.md"
SIZE_MAX: Final = 4 * MIB
"""Nobody reads a longer one; it is refused."""

_TRIES: Final = 5
_GUARDED: Final = os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")

_Seen = tuple[int, int, int, int] | None
"""Which file it was and when it was changed; None when there was none."""


class StatusFile:
    """`STATUS.md` in a directory that is there."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """`MissingFileError` when there is no such directory."""
        if not isinstance(directory, str | os.PathLike):
            raise InvalidArgumentError(f"a directory is a str or a path of one, not {type(directory).__name__}")
        self.directory = os.fspath(directory)
        if not isinstance(self.directory, str) or not self.directory or "\0" in self.directory:
            raise InvalidArgumentError(f"no path of a directory: directory={self.directory!r}")
        if not os.path.isdir(self.directory):
            raise MissingFileError(
                f"there is no such directory: directory={self.directory!r}; make it first", file=self.directory
            )
        self.path = os.path.join(self.directory, NAME)

    def read(self) -> bytes:
        """Its bytes; none when it is not there. `StorageError` when it is no plain file, or can't be read."""
        return self._read()[0]

    def rewrite(self, change: Callable[[bytes], bytes]) -> bytes:
        """Replace its bytes by what `change` makes of them, and return those. `StorageError`, and it is as it was."""
        for _ in range(_TRIES):
            old, mode, seen = self._read()
            new = change(old)
            if len(new) > SIZE_MAX:
                raise self._too_long(len(new))
            if self._replaced(new, mode, seen):
                return new
        raise StorageError(f"it is changed all the time: file={self.path!r}; try again", file=self.path)

    def _read(self) -> tuple[bytes, int | None, _Seen]:
        try:
            held = Held(self.path, os.O_RDONLY | _GUARDED)
        except FileNotFoundError:
            return b"", None, None
        except OSError as error:
            if os.path.islink(self.path):
                raise StorageError(
                    f"it is a link, which is not followed: file={self.path!r}; put a plain file there", file=self.path
                ) from error
            raise storage_error("the status could not be read", error, self.path) from error
        with held as descriptor:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise StorageError(f"it is no plain file: file={self.path!r}", file=self.path)
            if status.st_size > SIZE_MAX:
                raise self._too_long(status.st_size)
            try:
                with open(descriptor, "rb", closefd=False) as file:
                    data = file.read(SIZE_MAX + 1)
            except OSError as error:
                raise storage_error("the status could not be read", error, self.path) from error
        if data.startswith(_UTF_16):
            raise StorageError(f"it is UTF-16: file={self.path!r}; save it as UTF-8", file=self.path)
        return data, stat.S_IMODE(status.st_mode), _seen(status)

    def _replaced(self, data: bytes, mode: int | None, seen: _Seen) -> bool:
        """Put it in place, unless somebody has changed it since it was read."""
        temporary = os.path.join(self.directory, f".{NAME}.{os.urandom(8).hex()}.tmp")
        try:
            try:
                held = Held(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _GUARDED, 0o666)
                with held as descriptor, open(descriptor, "wb", closefd=False) as file:
                    file.write(data)
                    file.flush()
                    if mode is not None:
                        os.fchmod(descriptor, mode)
                    os.fsync(descriptor)
                if self._present() != seen:
                    return False
                os.rename(temporary, self.path)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)
        except OSError as error:
            raise storage_error("the status could not be written", error, self.path) from error
        return True

    def _present(self) -> _Seen:
        try:
            return _seen(os.lstat(self.path))
        except FileNotFoundError:
            return None

    def _too_long(self, size: int) -> StorageError:
        return StorageError(
            f"it is too long for a status: file={self.path!r} size={size} limit={SIZE_MAX}", file=self.path
        )


def _seen(status: os.stat_result) -> _Seen:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
