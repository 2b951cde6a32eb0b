"""One writer for a store, by `flock`.

The lock is on a file that is never unlinked: two processes that lock two files of one name both believe that they are
alone. It is held by the open file and goes with the process, however that ends, so a dead holder blocks nobody. Pid,
host and start of the process stand in the file as information for the message, and nothing is decided by them.

`flock` and not `lockf`: the latter is lost when any descriptor of the file is closed. Two locks of one process exclude
each other as those of two processes do; a table of the locks held here, by the device and inode of the folder, also
catches the second when someone has removed the file. A forked child has a copy of the descriptor, which keeps the lock
alive after its owner's death, so it is closed there at once; the child never unlocks.
"""

import os
import platform
import re
import sys
from contextlib import suppress
from typing import Final

from backpack.errors import StorageError, StoreLockedError
from backpack.storage import process
from backpack.storage.descriptors import LOCKING, READING, open_file
from backpack.storage.faults import storage_error
from backpack.storage.held import Held

if sys.platform != "win32":
    import fcntl

_Place = tuple[int, int, str]
"""Device and inode of the folder, and the name in it."""

_HOLDER: Final = re.compile(rb"pid=(\d{1,10}) host=([^\s=]{1,255}) start=(\d{1,20})\n")
_TRIES: Final = 3

_held: dict[_Place, "DiskLock"] = {}
"""The exclusive locks of this process. `setdefault` is atomic and only who holds one takes it out, so it needs no lock
of its own."""

_open: set["DiskLock"] = set()
"""All locks of this process whose descriptor is open."""


class DiskLock:
    """A lock that is held, or was."""

    __slots__ = ("_file", "_inode", "_pid", "_place")

    def __init__(self, file: Held, place: _Place) -> None:
        self._file = file
        self._place = place
        self._pid = process.pid
        status = os.fstat(file.number)
        self._inode = (status.st_dev, status.st_ino)

    @property
    def _descriptor(self) -> int:
        return self._file.number

    def release(self) -> None:
        try:
            if self._place in _held and _held[self._place] is self:
                del _held[self._place]
            _open.discard(self)
            if self._descriptor >= 0 and self._pid == os.getpid():  # else a child of a fork made without Python
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        finally:
            self._file.close()

    def _abandon(self) -> None:
        """In a forked child: the lock stays the parent's."""
        self._file.close()


def take(name: str, folder: int, owner: int, label: str, path: str, *, shared: bool, is_writable: bool) -> DiskLock:
    """The lock of that name in an open folder, at once or not at all. `path`: what the folder is called.

    `StoreLockedError` names the pid of the holder (our own too), 0 where it isn't known. Without `is_writable` the file
    must be there and is opened for reading only.
    """
    status = os.fstat(folder)
    place = (status.st_dev, status.st_ino, name)
    for _ in range(_TRIES):
        lock = _attempt(name, folder, owner, label, path, place, shared=shared, is_writable=is_writable)
        try:
            if _is_named(lock, name, folder, label):
                return lock
        except BaseException:
            lock.release()
            raise
        lock.release()
    raise StorageError(f"someone removes the lock file again and again: file={label!r}", file=label)


def _attempt(
    name: str, folder: int, owner: int, label: str, path: str, place: _Place, *, shared: bool, is_writable: bool
) -> DiskLock:
    lock = DiskLock(open_file(name, LOCKING if is_writable else READING, folder, owner, label), place)
    descriptor = lock._descriptor
    try:
        _open.add(lock)
        if not shared and _held.setdefault(place, lock) is not lock:
            raise _locked(path, label, os.getpid())
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _locked(path, label, _holder(lock)) from error
        if not shared:
            _write_holder(descriptor)
    except BaseException as error:
        lock.release()
        if isinstance(error, OSError) and not isinstance(error, StorageError | StoreLockedError):
            raise storage_error("the store could not be locked", error, label) from error
        raise
    return lock


def _is_named(lock: DiskLock, name: str, folder: int, label: str) -> bool:
    """Is the file that was locked still the one of that name?"""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise storage_error("the store could not be locked", error, label) from error
    return lock._inode == (status.st_dev, status.st_ino)


def _locked(path: str, label: str, pid: int) -> StoreLockedError:
    if not pid:
        who = "by a process that is not known (a reader, or one that is just opening it)"
    elif pid == os.getpid():
        who = f"by this very process: pid={pid}"
    else:
        who = f"by another process: pid={pid}"
    reason = f"the store is locked {who}; close it there first: path={path!r}"
    return StoreLockedError(reason, pid=pid, path=path, file=label)


def _holder(lock: DiskLock) -> int:
    """The pid of whoever holds the file: this process, or as it stands in the file if that one lives. 0: not known."""
    if any(other._inode == lock._inode for other in list(_open) if other is not lock):
        return os.getpid()
    try:
        found = _HOLDER.fullmatch(os.pread(lock._descriptor, 512, 0))
    except OSError:
        return 0
    if found is None:
        return 0
    pid, host, start = int(found.group(1)), found.group(2).decode("ascii", "replace"), int(found.group(3))
    if host == _host() and _start(pid) not in (start, 0):
        return 0  # left there by a process that died
    return pid


def _write_holder(descriptor: int) -> None:
    """Information for others; a disk that is full is no reason not to lock."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"pid=%d host=%s start=%d\n" % (os.getpid(), _host().encode(), _start(os.getpid())), 0)


def _host() -> str:
    return re.sub(r"[^!-<>-~]", "_", platform.node())[:255] or "_"


def _start(pid: int) -> int:
    """When that process began, in ticks since the machine did: tells it from a later one of the same pid. 0: not known;
    -1: there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as status:
            return int(status.read().rpartition(b")")[2].split()[19])
    except FileNotFoundError:
        return -1 if os.path.exists("/proc/self/stat") else 0
    except (OSError, IndexError, ValueError):
        return 0


def _abandon_all() -> None:
    for lock in _open:
        lock._abandon()
    _open.clear()
    _held.clear()


process.after_fork(_abandon_all)
