"""Files and folders on a disk, by system calls relative to an open folder.

A folder is opened once and everything in it is named relative to its descriptor, so that nobody can exchange a folder
on the way, and renaming the store under a running process does no harm. Files are 0600 and folders 0700 whatever the
umask. Appending is one `write` and two comparisons: 0.1 us beside the system call.

`_writer` says at once who may change something: the pid of the process that opened it for writing, or `READER`, or
after a sync that failed the number of that error, negative. A forked child has another pid and is refused; it may read.
"""

import errno
import os
import stat
import sys
from typing import Final

from backpack.errors import (
    InvalidArgumentError,
    MissingFileError,
    ReadOnlyError,
    StorageError,
)
from backpack.limits import MIB
from backpack.storage import descriptors, locking, process
from backpack.storage.faults import storage_error
from backpack.storage.held import Held
from backpack.storage.mounts import network_type
from backpack.storage.protocol import check_name, is_name

if sys.platform == "darwin":
    import fcntl

READER: Final = 0

_READ_AT_ONCE: Final = MIB
"""Reads above it ask for the size of the file first: a size from a damaged file reserves no memory."""

_HAS_FDATASYNC: Final = hasattr(os, "fdatasync")


def _sync(descriptor: int) -> None:
    """Have the bytes of a file on the disk. Functions of `os` are looked up at each call here and below, so that a test
    of any program can have one fail."""
    if sys.platform == "darwin":  # there fsync leaves the bytes in the cache of the disk
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    elif _HAS_FDATASYNC:
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


class DiskFile:
    """One open file on a disk."""

    __slots__ = ("_descriptor", "_held", "_name", "_writer")

    def __init__(self, held: Held, name: str, writer: int) -> None:
        self._held = held
        self._descriptor = held.number
        self._name = name
        self._writer = writer

    @property
    def name(self) -> str:
        return self._name

    def pread(self, size: int, offset: int) -> bytes:
        if size > _READ_AT_ONCE:
            size = max(0, min(size, self.size() - offset))
        try:
            data = os.pread(self._descriptor, size, offset)
            if len(data) == size or not data:
                return data
            parts = [data]
            size -= len(data)
            while size:
                offset += len(data)
                data = os.pread(self._descriptor, size, offset)
                if not data:
                    break
                parts.append(data)
                size -= len(data)
        except OverflowError:
            return b""  # farther than any file goes
        except OSError as error:
            raise storage_error("the file could not be read", error, self._name) from error
        return b"".join(parts)

    def append(self, data: bytes) -> None:
        if self._writer != process.pid:
            raise _refusal(self._writer, self._descriptor, self._name)
        try:
            count = os.write(self._descriptor, data)
            if count != len(data):
                self._append_rest(data, count)
        except OSError as error:
            raise storage_error("the file could not be written", error, self._name) from error

    def _append_rest(self, data: bytes, count: int) -> None:
        """A disk that is nearly full, or a signal, cut the write short: go on until it is done or refused."""
        left = memoryview(data)[count:]
        while left:
            count = os.write(self._descriptor, left)
            if not count:
                raise OSError(errno.EIO, "the disk took nothing")
            left = left[count:]

    def size(self) -> int:
        try:
            return os.fstat(self._descriptor).st_size
        except OSError as error:
            raise storage_error("the size of the file could not be read", error, self._name) from error

    def truncate(self, size: int) -> None:
        if self._writer != process.pid:
            raise _refusal(self._writer, self._descriptor, self._name)
        present = self.size()
        if not 0 <= size <= present:
            raise InvalidArgumentError(f"a file can only be cut shorter: file={self._name!r} {size=} {present=}")
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            raise storage_error("the file could not be cut", error, self._name) from error

    def sync(self) -> None:
        if self._writer != process.pid:
            raise _refusal(self._writer, self._descriptor, self._name)
        try:
            _sync(self._descriptor)
        except OSError as error:
            self._writer = -(error.errno or errno.EIO)
            raise storage_error("the file could not be synced", error, self._name) from error

    def close(self) -> None:
        self._descriptor = -1
        self._writer = READER
        try:
            self._held.close()
        except OSError as error:
            raise storage_error("the file could not be closed", error, self._name) from error


class DiskFolder:
    """One folder of a store on a disk; `opening.open_folder` has the first."""

    __slots__ = ("_descriptor", "_held", "_location", "_owner", "_path", "_prefix", "_writer")

    def __init__(self, held: Held, path: str, prefix: str, owner: int, writer: int) -> None:
        self._held = held
        self._descriptor = held.number
        self._path = path
        self._location = os.path.abspath(path)
        self._prefix = prefix
        self._owner = owner
        self._writer = writer

    @property
    def path(self) -> str:
        return self._path

    def location(self) -> str | None:
        try:
            there, here = os.stat(self._location), os.fstat(self._descriptor)
        except OSError:
            return None
        return self._location if os.path.samestat(there, here) else None

    @property
    def boot(self) -> int:
        return 0 if network_type(self._descriptor) else process.boot()  # a server may have been restarted

    @property
    def owner(self) -> int:
        """Whose folder and files these are."""
        return self._owner

    def names(self) -> list[str]:
        self._check_open()
        try:
            return sorted(name for name in os.listdir(self._descriptor) if is_name(name))
        except OSError as error:
            raise storage_error("the folder could not be read", error, self._path) from error

    def has(self, name: str) -> bool:
        check_name(name)
        self._check_open()
        try:
            os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise storage_error("the folder could not be read", error, self._prefix + name) from error
        return True

    def open(self, name: str) -> DiskFile:
        check_name(name)
        self._check_open()
        return self._file(name, descriptors.READING, READER)

    def create(self, name: str) -> DiskFile:
        self._check(name)
        return self._file(name, descriptors.CREATING, self._writer)

    def reopen(self, name: str) -> DiskFile:
        self._check(name)
        return self._file(name, descriptors.APPENDING, self._writer)

    def _file(self, name: str, flags: int, writer: int) -> DiskFile:
        label = self._prefix + name
        return DiskFile(descriptors.open_file(name, flags, self._descriptor, self._owner, label), label, writer)

    def rename(self, old: str, new: str) -> None:
        self._check(old)
        check_name(new)
        try:
            os.rename(old, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        except OSError as error:
            raise storage_error("the file could not be renamed", error, self._prefix + old) from error

    def remove(self, name: str) -> None:
        self._check(name)
        try:
            os.unlink(name, dir_fd=self._descriptor)
        except FileNotFoundError:
            return
        except OSError as error:
            raise storage_error("the file could not be removed", error, self._prefix + name) from error

    def sync(self) -> None:
        self._check()
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            self._writer = -(error.errno or errno.EIO)
            raise storage_error("the folder could not be synced", error, self._path) from error

    def folder(self, name: str) -> "DiskFolder":
        check_name(name)
        self._check_open()
        label = self._prefix + name
        is_writable = self._writer == process.pid
        try:
            held = descriptors.open_subfolder(name, self._descriptor, self._owner, label, is_writable=is_writable)
        except MissingFileError:
            if self._writer == READER:
                raise
            self._check()
            self._make(name, label)
            held = descriptors.open_subfolder(name, self._descriptor, self._owner, label, is_writable=True)
        return DiskFolder(held, os.path.join(self._path, name), label + "/", self._owner, self._writer)

    def _make(self, name: str, label: str) -> None:
        try:
            os.mkdir(name, descriptors.FOLDER_MODE, dir_fd=self._descriptor)
        except FileExistsError:
            pass  # another thread was first
        except OSError as error:
            raise storage_error("the folder could not be made", error, label) from error
        self.sync()

    def lock(self, name: str, *, shared: bool = False) -> locking.DiskLock:
        check_name(name)
        self._check_open()
        if self._writer != READER:
            self._check()
        elif not shared:
            raise ReadOnlyError(f"the store is open for reading: path={self._path!r}")
        label = self._prefix + name
        return locking.take(
            name, self._descriptor, self._owner, label, self._path, shared=shared, is_writable=self._writer != READER
        )

    def secure(self) -> None:
        """Make it 0700: for a folder known to be a store. `open_folder` leaves the mode of one that was there alone."""
        self._check()
        try:
            if stat.S_IMODE(os.fstat(self._descriptor).st_mode) != descriptors.FOLDER_MODE:
                os.fchmod(self._descriptor, descriptors.FOLDER_MODE)
        except OSError as error:
            raise storage_error("the folder could not be made private", error, self._path) from error

    def close(self) -> None:
        self._descriptor = -1
        self._held.close()

    def _check(self, name: str | None = None) -> None:
        """May this process change something here, under that name?"""
        if name is not None:
            check_name(name)
        if self._writer != process.pid or self._descriptor < 0:
            raise _refusal(self._writer, self._descriptor, self._path)

    def _check_open(self) -> None:
        if self._descriptor < 0:  # the system would take -1 for the folder we are in
            raise _refusal(self._writer, self._descriptor, self._path)


def _refusal(writer: int, descriptor: int, name: str) -> Exception:
    """Why nothing may be changed."""
    if descriptor < 0:
        return StorageError(f"it is closed: file={name!r}", file=name)
    if writer == READER:
        return ReadOnlyError(f"it is open for reading: file={name!r}", file=name)
    if writer < 0:
        return StorageError(
            f"a sync failed: file={name!r}; only opening the store again recovers", file=name, errno=-writer
        )
    return StorageError(
        f"it was opened by another process, and this is a fork of it: file={name!r} pid={writer}; "
        "open the store in this process",
        file=name,
    )
