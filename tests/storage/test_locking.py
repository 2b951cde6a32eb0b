"""The lock of a store, with processes that are killed, fork and start others."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backpack.errors import StorageError, StoreLockedError
from backpack.storage.disk import DiskFolder
from backpack.storage.opening import open_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="stores on disk need POSIX")

HOLDER = """
import os, sys
from backpack.storage.opening import open_folder
folder = open_folder(sys.argv[1], create=True, writable=sys.argv[2] != "reader")
lock = folder.lock("lock", shared=sys.argv[2] != "exclusive")
print(os.getpid(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def folder(path: Path) -> Iterator[DiskFolder]:
    folder = open_folder(path, create=True, writable=True)
    yield folder
    folder.close()


class Holder:
    """Another process that holds the lock until it is told to end, or killed."""

    def __init__(self, path: Path, kind: str, program: str = HOLDER) -> None:
        command = [sys.executable, "-c", program, str(path), kind]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline().split()

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def end(self) -> None:
        self.process.communicate()


@pytest.fixture
def holders() -> Iterator[list[Holder]]:
    holders: list[Holder] = []
    yield holders
    for holder in holders:
        holder.kill()


def test_another_process_is_told_who_holds_it(path: Path, folder: DiskFolder, holders: list[Holder]) -> None:
    holders.append(Holder(path, "exclusive"))
    for shared in (False, True):
        with pytest.raises(StoreLockedError) as caught:
            folder.lock("lock", shared=shared)
        assert caught.value.pid == holders[0].pid
        assert f"pid={holders[0].pid}" in str(caught.value)
    holders[0].end()
    folder.lock("lock").release()


def test_a_killed_holder_blocks_nobody(path: Path, folder: DiskFolder, holders: list[Holder]) -> None:
    holders.append(Holder(path, "exclusive"))
    holders[0].kill()
    assert f"pid={holders[0].pid} ".encode() in (path / "lock").read_bytes()
    lock = folder.lock("lock")
    assert (path / "lock").read_bytes().startswith(b"pid=%d host=" % os.getpid())
    lock.release()


def test_readers_share_and_are_no_longer_there_when_killed(
    path: Path, folder: DiskFolder, holders: list[Holder]
) -> None:
    folder.create("lock").close()
    holders += [Holder(path, "reader"), Holder(path, "shared")]
    with pytest.raises(StoreLockedError) as caught:
        folder.lock("lock")
    assert caught.value.path == str(path) and f"path={str(path)!r}" in str(caught.value)
    assert caught.value.pid == 0, "readers write down nothing"
    holders[0].kill()
    folder.lock("lock", shared=True).release()
    holders[1].kill()
    folder.lock("lock").release()
    assert (path / "lock").stat().st_ino


def test_a_pid_that_a_dead_process_left_is_named_to_nobody(
    path: Path, folder: DiskFolder, holders: list[Holder]
) -> None:
    holders.append(Holder(path, "exclusive"))
    holders[0].kill()
    holders.append(Holder(path, "reader"))
    with pytest.raises(StoreLockedError) as caught:
        folder.lock("lock")
    assert caught.value.pid == 0


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 600, b"pid=1", b"pid=99999999999999999999 host=a start=1\n", b"pid=-1 host=a start=1\n"]
)
def test_nothing_is_believed_of_what_stands_in_the_file(
    path: Path, folder: DiskFolder, holders: list[Holder], content: bytes
) -> None:
    holders.append(Holder(path, "exclusive"))
    (path / "lock").write_bytes(content)
    with pytest.raises(StoreLockedError) as caught:
        folder.lock("lock")
    assert caught.value.pid == 0
    holders[0].end()
    folder.lock("lock").release()


def test_the_second_of_a_process_is_caught_though_the_file_was_removed(path: Path, folder: DiskFolder) -> None:
    lock = folder.lock("lock")
    (path / "lock").unlink()
    with pytest.raises(StoreLockedError) as caught:
        open_folder(path, create=False, writable=True).lock("lock")
    assert caught.value.pid == os.getpid()
    lock.release()
    folder.lock("lock").release()


def test_two_ways_to_one_store_are_one_store(tmp_path: Path, path: Path, folder: DiskFolder) -> None:
    lock = folder.lock("lock")
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(StoreLockedError):
        open_folder(tmp_path / "link", create=False, writable=True).lock("lock")
    lock.release()


def test_a_file_that_is_removed_while_it_is_locked_is_locked_anew(
    path: Path, folder: DiskFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backpack.storage import locking

    real, removals = locking._attempt, iter([True, True, False])
    before = set(locking._held), set(locking._open)

    def attempt(*arguments: object, **options: object) -> locking.DiskLock:
        lock = real(*arguments, **options)  # type: ignore[arg-type]
        if next(removals):
            (path / "lock").unlink()
        return lock

    monkeypatch.setattr(locking, "_attempt", attempt)
    lock = folder.lock("lock")
    assert (path / "lock").stat().st_ino == os.fstat(lock._descriptor).st_ino
    lock.release()
    removals = iter([True] * 9)
    with pytest.raises(StorageError, match="again and again"):
        folder.lock("lock")
    assert (set(locking._held), set(locking._open)) == before


@pytest.mark.parametrize("act", ["lock.release()", "pass"])
def test_a_forked_child_does_not_unlock_nor_hold(
    path: Path, folder: DiskFolder, holders: list[Holder], act: str
) -> None:
    program = """
import os, sys
from backpack.errors import StoreLockedError
from backpack.storage.opening import open_folder
folder = open_folder(sys.argv[1], create=True, writable=True)
lock = folder.lock("lock")
child = os.fork()
if not child:
    ACT
    try:
        open_folder(sys.argv[1], create=False, writable=True).lock("lock")
    except StoreLockedError as error:
        assert error.pid == os.getppid(), error
        print(os.getpid(), flush=True)
    os.closerange(0, 1)
    os.read(os.open(sys.argv[2], os.O_RDONLY), 1)  # lives on until the test lets it go
    os._exit(0)
sys.stdin.read()
"""
    pipe = path.parent / "pipe"
    os.mkfifo(pipe)
    holder = Holder(path, str(pipe), program.replace("ACT", act))
    holders.append(holder)
    assert len(holder.said) == 1, "the child got the lock of its parent"
    child = int(holder.said[0])
    try:
        with pytest.raises(StoreLockedError) as caught:
            folder.lock("lock")
        assert caught.value.pid == holder.pid
        holder.process.kill()
        holder.process.wait()
        os.kill(child, 0)  # it lives
        folder.lock("lock").release()
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_release_unlocks_whoever_has_a_copy_of_the_descriptor(folder: DiskFolder) -> None:
    lock = folder.lock("lock")
    copy = os.dup(lock._descriptor)  # as the child of a fork that was made without Python
    lock.release()
    folder.lock("lock").release()
    os.close(copy)


def test_a_process_that_did_not_take_the_lock_does_not_unlock(folder: DiskFolder) -> None:
    lock = folder.lock("lock")
    copy = os.dup(lock._descriptor)  # as its parent
    lock._pid += 1
    lock.release()
    with pytest.raises(StoreLockedError):
        folder.lock("lock")
    os.close(copy)
    folder.lock("lock").release()


def test_a_child_that_was_started_does_not_hold(path: Path, folder: DiskFolder, holders: list[Holder]) -> None:
    program = """
import subprocess, sys
from backpack.storage.opening import open_folder
lock = open_folder(sys.argv[1], create=True, writable=True).lock("lock")
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], close_fds=False)
print(child.pid, flush=True)
sys.stdin.read()
"""
    holder = Holder(path, "", program)
    holders.append(holder)
    holder.process.kill()
    holder.process.wait()
    os.kill(int(holder.said[0]), 0)
    folder.lock("lock").release()


def test_one_of_many_processes_gets_it(path: Path, folder: DiskFolder) -> None:
    program = """
import os, sys
from backpack.errors import StoreLockedError
from backpack.storage.opening import open_folder
folder = open_folder(sys.argv[1], create=True, writable=True)
print("ready", flush=True)
sys.stdin.readline()
try:
    lock = folder.lock("lock")
    print("won", flush=True)
except StoreLockedError:
    print("lost", flush=True)
sys.stdin.readline()
"""
    command = [sys.executable, "-c", program, str(path)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(5)
    ]
    try:
        for process in processes:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
        said = [process.stdout.readline() for process in processes if process.stdout is not None]
        assert sorted(said) == ["lost\n"] * 4 + ["won\n"]
    finally:
        for process in processes:
            process.communicate("\n")
