"""A folder in memory that records what is done to it, fails when told to, and can crash at any moment.

    folder = CrashingFolder()                       # or CrashingFolder(image): all of it is on the disk already
    run_some_store_on(folder)
    for at in folder.machine.moments():
        for image in folder.machine.images(at):     # what a power loss there can leave; each is a MemoryFolder
            reopen_the_store_on(image.folder)

Every act that changes something, or that should make changes last, is an `Operation` with a number: create, append,
cut, rename, remove, make (a folder), sync, sync folder. `machine.position` is the number of the next one, so a test
that notes it when a commit is acknowledged knows for each moment what must be there. What a crash leaves of the
operations before it, and why, is in `tests.storage.survival`.

`machine.fail_at(number, errno.EIO)` makes that operation fail, with `part` after a share of its bytes, with `lasting`
and all after it too. A sync that fails does what Linux does: the pages count as clean from then on, so what was written
can be read and no later sync makes it last. `machine.room` is how many bytes still fit. `machine.unreadable` holds the
names of files that can't be read.

A crash in a recovery is `CrashingFolder(image.folder)`. `machine.restart()` is the other half of the story: the process
dies, the machine goes on, and what wasn't synced still isn't.
"""

import errno
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from backpack.errors import StorageError
from backpack.storage.faults import storage_error
from backpack.storage.memory import MemoryFile, MemoryFolder, MemoryLock
from tests.storage.survival import (
    SHARES,
    Image,
    Inode,
    Operation,
    ordered_images,
    scattered_images,
    stopped_images,
)

ROOT: Final = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """How an operation fails."""

    errno: int
    part: float
    """Share of the bytes of an append that are written all the same."""
    lasting: bool


class Machine:
    """The disk and the page cache under a CrashingFolder and its subfolders."""

    def __init__(self, image: MemoryFolder) -> None:
        self.operations: list[Operation] = []
        self.room: int | None = None
        self.unreadable: set[str] = set()
        self.inodes: list[Inode] = []
        self.live = MemoryFolder(path=image.path)
        self.life = 0
        self.lock = threading.RLock()
        self._failures: dict[int, Failure] = {}
        self._adopt(image, self.live)

    # -- what a test asks --------------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """The number of the next operation."""
        return len(self.operations)

    def moments(self) -> range:
        """Before each operation, and after the last."""
        return range(len(self.operations) + 1)

    def fail_at(self, number: int, code: int = errno.EIO, *, part: float = 0.0, lasting: bool = False) -> None:
        """The operation of that number fails with that errno."""
        self._failures[number] = Failure(code, part, lasting)

    def images(self, at: int | None = None, *, seeds: int = 4) -> Iterator[Image]:
        """What a power loss after the first `at` operations can leave, under both models, each content once."""
        seen: set[str] = set()
        for images in (self.scattered(at, seeds=seeds), self.ordered(at, seeds=seeds)):
            for image in images:
                if image.digest not in seen:
                    seen.add(image.digest)
                    yield image

    def scattered(self, at: int | None = None, *, seeds: int = 4) -> Iterator[Image]:
        """Power loss, any subset of what wasn't synced survives."""
        return scattered_images(self.operations, self.inodes, self._moment(at), seeds)

    def ordered(self, at: int | None = None, *, shares: Sequence[float] = SHARES, seeds: int = 0) -> Iterator[Image]:
        """Power loss, entries survive in order and appends are cut short."""
        return ordered_images(self.operations, self.inodes, self._moment(at), shares, seeds)

    def stopped(self, at: int | None = None) -> Iterator[Image]:
        """The process is killed there: all that was written is there, and of the append that ran some part."""
        return stopped_images(self.operations, self.inodes, self._moment(at))

    def restart(self) -> "CrashingFolder":
        """The process died and the machine didn't: locks are free, old files and folders of no use."""
        with self.lock:
            self.life += 1
            _unlock(self.live)
            return self.folder()

    def folder(self) -> "CrashingFolder":
        """The root, opened once more, as after a close."""
        live = MemoryFolder._open(self.live._content, self.live.path, "", is_writable=True)
        return CrashingFolder._of(self, live, ROOT)

    def _moment(self, at: int | None) -> int:
        at = self.position if at is None else at
        assert 0 <= at <= self.position
        return at

    # -- what the folders tell ---------------------------------------------------------------------------------

    def do(self, operation: Operation, act: Callable[[], None], name: str) -> None:
        """Carry it out and note it, or fail as planned."""
        failure = self._failure()
        if failure is None:
            act()
            self._note(operation)
        else:
            self._note(replace(operation, failed=True))
            raise storage_error(f"failed as planned: {operation.verb}", _fault(failure.errno), name)

    def append(self, inode: int, file: MemoryFile, data: bytes) -> None:
        """As `do`, with all, a part, or nothing of the bytes."""
        failure = self._failure()
        fits = len(data) if self.room is None else min(len(data), self.room)
        if failure is not None:
            fits = min(fits, int(len(data) * failure.part))
        offset = file.size()
        file.append(data[:fits])
        if self.room is not None:
            self.room -= fits
        whole = failure is None and fits == len(data)
        self._note(Operation("append", inode, offset=offset, data=bytes(data[:fits]), failed=not whole))
        if not whole:
            code = errno.ENOSPC if failure is None else failure.errno
            raise storage_error("failed as planned: append", _fault(code), file.name)

    def _failure(self) -> Failure | None:
        """How the next operation fails."""
        lasting = (found for at, found in self._failures.items() if found.lasting and at < self.position)
        return self._failures.get(self.position) or next(lasting, None)

    def new_inode(self, *, is_folder: bool) -> int:
        self.inodes.append(Inode(is_folder=is_folder))
        return len(self.inodes) - 1

    def freed(self, size: int) -> None:
        """That many bytes fit again."""
        if self.room is not None:
            self.room += size

    def _note(self, operation: Operation) -> None:
        number = self.position
        self.operations.append(operation)
        inode = self.inodes[operation.inode]
        if operation.verb in ("sync", "sync folder"):
            inode.settle(number, operation.failed)
        elif not operation.failed or operation.data:
            inode.change(number, operation)

    def _adopt(self, image: MemoryFolder, live: MemoryFolder) -> int:
        number = self.new_inode(is_folder=True)
        inode = self.inodes[number]
        content = image._content
        for name in image.names():
            if name in content.folders:
                inode.entries[name] = self._adopt(image.folder(name), live.folder(name))
            else:
                data = bytes(content.files[name])
                live.create(name).append(data)
                file = inode.entries[name] = self.new_inode(is_folder=False)
                self.inodes[file].data += data
                self.inodes[file].bases[0] = (-1, data)
        inode.first_entries = dict(inode.entries)
        return number


class CrashingFile:
    """One open file of a CrashingFolder."""

    def __init__(self, machine: Machine, file: MemoryFile, inode: int) -> None:
        self._machine = machine
        self._life = machine.life
        self._file = file
        self._inode = inode
        self._has_failed = False

    @property
    def name(self) -> str:
        return self._file.name

    def pread(self, size: int, offset: int) -> bytes:
        self._check_life()
        if self.name in self._machine.unreadable:
            raise storage_error("failed as planned: read", _fault(errno.EIO), self.name)
        return self._file.pread(size, offset)

    def append(self, data: bytes) -> None:
        with self._machine.lock:
            self._check()
            self._machine.append(self._inode, self._file, data)

    def size(self) -> int:
        self._check_life()
        return self._file.size()

    def truncate(self, size: int) -> None:
        with self._machine.lock:
            self._check()
            before = self._file.size()
            operation = Operation("cut", self._inode, size=size)
            self._machine.do(operation, lambda: self._file.truncate(size), self.name)
            self._machine.freed(before - size)

    def sync(self) -> None:
        with self._machine.lock:
            self._check()
            try:
                self._machine.do(Operation("sync", self._inode), lambda: None, self.name)
            except StorageError:
                self._has_failed = True
                raise

    def close(self) -> None:
        self._file.close()

    def _check_life(self) -> None:
        if self._life != self._machine.life:
            raise StorageError(f"the process that opened it has died: file={self.name!r}", file=self.name)

    def _check(self) -> None:
        self._check_life()
        self._file._writable()
        if self._has_failed:
            raise StorageError(f"a sync failed: file={self.name!r}", file=self.name)


class CrashingFolder:
    """One folder that records; see above."""

    def __init__(self, image: MemoryFolder | None = None) -> None:
        self.machine = Machine(MemoryFolder(path="crashing") if image is None else image)
        self._life = 0
        self._live: MemoryFolder = self.machine.folder()._live
        self._inode = ROOT
        self._has_failed = False

    @classmethod
    def _of(cls, machine: Machine, live: MemoryFolder, inode: int) -> "CrashingFolder":
        folder = cls.__new__(cls)
        folder.machine, folder._life, folder._live, folder._inode = machine, machine.life, live, inode
        folder._has_failed = False
        return folder

    def reader(self) -> "CrashingFolder":
        """The same folder, for reading."""
        return self._of(self.machine, self._live.reader(), self._inode)

    @property
    def path(self) -> str:
        return self._live.path

    def location(self) -> str | None:
        return None

    boot = 0

    def names(self) -> list[str]:
        self._check_life()
        return self._live.names()

    def has(self, name: str) -> bool:
        self._check_life()
        return self._live.has(name)

    def open(self, name: str) -> CrashingFile:
        with self.machine.lock:
            self._check_life()
            return CrashingFile(self.machine, self._live.open(name), self._entries.get(name, ROOT))

    def create(self, name: str) -> CrashingFile:
        with self.machine.lock:
            self._check(name)
            if self._live.has(name):
                self._live.create(name)  # raises what there is to raise
            inode = self.machine.new_inode(is_folder=False)
            made: list[MemoryFile] = []
            operation = Operation("create", self._inode, name=name, target=inode)
            self.machine.do(operation, lambda: made.append(self._live.create(name)), name)
            return CrashingFile(self.machine, made[0], inode)

    def reopen(self, name: str) -> CrashingFile:
        with self.machine.lock:
            self._check(name)
            return CrashingFile(self.machine, self._live.reopen(name), self._entries[name])

    def rename(self, old: str, new: str) -> None:
        with self.machine.lock:
            self._check(old)
            replaced = self._size(new) if old != new else 0
            operation = Operation("rename", self._inode, name=old, new=new, target=self._entries.get(old, ROOT))
            self._trial(lambda folder: folder.rename(old, new))
            self.machine.do(operation, lambda: self._live.rename(old, new), old)
            self.machine.freed(replaced)

    def remove(self, name: str) -> None:
        with self.machine.lock:
            self._check(name)
            if not self._live.has(name):
                return
            freed = self._size(name)
            operation = Operation("remove", self._inode, name=name, target=self._entries[name])
            self._trial(lambda folder: folder.remove(name))
            self.machine.do(operation, lambda: self._live.remove(name), name)
            self.machine.freed(freed)

    def sync(self) -> None:
        with self.machine.lock:
            self._check()
            try:
                self.machine.do(Operation("sync folder", self._inode), lambda: None, self.path)
            except StorageError:
                self._has_failed = True
                raise

    def folder(self, name: str) -> "CrashingFolder":
        with self.machine.lock:
            self._check_life()
            if not self._live.has(name) and self._live._is_writable:
                self._check(name)
                inode = self.machine.new_inode(is_folder=True)
                operation = Operation("make", self._inode, name=name, target=inode)
                self.machine.do(operation, lambda: self._live.folder(name).close(), name)
                self.sync()
            return self._of(self.machine, self._live.folder(name), self._entries.get(name, ROOT))

    def secure(self) -> None:
        """A crash leaves it private, or as it was."""

    def lock(self, name: str, *, shared: bool = False) -> MemoryLock:
        with self.machine.lock:
            self._check_life()
            if not self._live.has(name) and self._live._is_writable:
                self.create(name).close()
            return self._live.lock(name, shared=shared)

    def close(self) -> None:
        self._live.close()

    @property
    def _entries(self) -> dict[str, int]:
        return self.machine.inodes[self._inode].entries

    def _size(self, name: str) -> int:
        return len(self._live._content.files.get(name, b""))

    def _trial(self, act: Callable[[MemoryFolder], None]) -> None:
        """Raise what the act would, and do nothing: a call that is refused is no operation."""
        trial = MemoryFolder(dict.fromkeys(self._live._content.files, b""), path=self.path)
        trial._prefix = self._live._prefix
        for name in self._live._content.folders:
            trial.folder(name)
        act(trial)

    def _check_life(self) -> None:
        if self._life != self.machine.life:
            raise StorageError(f"the process that opened it has died: path={self.path!r}", file=self.path)

    def _check(self, name: str | None = None) -> None:
        self._check_life()
        self._live._writable(name)
        if self._has_failed:
            raise StorageError(f"a sync failed: path={self.path!r}", file=self.path)


def _fault(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def _unlock(folder: MemoryFolder) -> None:
    folder._content.locks.clear()
    for name in folder._content.folders:
        _unlock(folder.folder(name))
