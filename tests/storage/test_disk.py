"""Files and folders on a disk: what only a disk has."""

import errno
import gc
import os
import signal
import socket
import stat
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backpack.errors import DiskFullError, MissingFileError, ReadOnlyError, StorageError, StoreNotFoundError
from backpack.storage import disk
from backpack.storage.disk import DiskFile, DiskFolder
from backpack.storage.opening import open_folder
from backpack.storage.protocol import publish
from tests.storage.folder_contract import FolderContract

pytestmark = pytest.mark.skipif(os.name != "posix", reason="stores on disk need POSIX")
is_root = hasattr(os, "geteuid") and os.geteuid() == 0


class TestDiskFolder(FolderContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Iterator[DiskFolder]:
        folder = open_folder(tmp_path / "store", create=True, writable=True)
        yield folder
        folder.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def folder(path: Path) -> Iterator[DiskFolder]:
    folder = open_folder(path, create=True, writable=True)
    yield folder
    folder.close()


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def run(program: str, *arguments: Any) -> str:
    """Run it in another process, and what it printed."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# -- modes and owners ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o177, 0o777], ids=oct)
def test_files_are_0600_and_folders_0700_whatever_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        folder = open_folder(path, create=True, writable=True)
        folder.create("a").append(b"x")
        folder.folder("inner").create("b").close()
        publish(folder, "manifest", [b"x"])
        folder.lock("lock").release()
    finally:
        os.umask(before)
    assert mode(path) == mode(path / "inner") == 0o700
    assert {mode(path / name) for name in ("a", "inner/b", "manifest", "lock")} == {0o600}


def test_modes_that_were_changed_are_mended_by_who_writes_and_not_by_who_reads(path: Path, folder: DiskFolder) -> None:
    folder.create("a").close()
    folder.folder("inner")
    for name, changed in (("a", 0o644), ("inner", 0o755), ("", 0o755)):
        (path / name).chmod(changed)
    reader = open_folder(path, create=False, writable=False)
    reader.open("a")
    reader.folder("inner")
    assert (mode(path / "a"), mode(path / "inner"), mode(path)) == (0o644, 0o755, 0o755)
    folder.reopen("a")
    folder.folder("inner")
    assert (mode(path / "a"), mode(path / "inner"), mode(path)) == (0o600, 0o700, 0o755)
    folder.secure()
    assert mode(path) == 0o700


def test_opening_leaves_the_mode_of_a_folder_that_was_there(path: Path) -> None:
    path.mkdir(0o755)
    path.chmod(0o755)
    open_folder(path, create=True, writable=True)
    assert mode(path) == 0o755


@pytest.mark.skipif(not is_root, reason="only root can give files away")
def test_what_belongs_to_someone_else_is_refused(path: Path, folder: DiskFolder) -> None:
    folder.create("a").append(b"x")
    folder.folder("inner").create("b").close()
    os.chown(path / "a", 12345, 12345)
    os.chown(path / "inner", 12345, 12345)
    for act in (folder.open, folder.reopen, folder.folder):
        with pytest.raises(StorageError, match="someone else"):
            act("inner" if act == folder.folder else "a")
    os.chown(path / "inner", 0, 0)
    os.chown(path, 12345, 12345)
    with pytest.raises(StorageError, match="someone else"):
        open_folder(path, create=False, writable=True)


@pytest.mark.skipif(not is_root, reason="only root can give files away")
def test_the_store_of_someone_else_can_be_read(path: Path, folder: DiskFolder) -> None:
    folder.create("a").append(b"x")
    for place in (path, path / "a"):
        os.chown(place, 12345, 12345)
    assert open_folder(path, create=False, writable=False).open("a").pread(9, 0) == b"x"


# -- what is no plain file -------------------------------------------------------------------------------------


@pytest.fixture
def trap(path: Path, folder: DiskFolder, tmp_path: Path) -> dict[str, Callable[[], None]]:
    """What someone may lay in the folder under the name `a`."""
    outside = tmp_path / "outside"
    outside.write_bytes(b"not of the store")

    def bind() -> None:
        before = os.getcwd()
        os.chdir(path)  # the name of a socket is short
        try:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind("a")
        finally:
            os.chdir(before)

    return {
        "link": lambda: (path / "a").symlink_to(outside),
        "dangling link": lambda: (path / "a").symlink_to(tmp_path / "nowhere"),
        "link to a folder": lambda: (path / "a").symlink_to(tmp_path),
        "hard link": lambda: os.link(outside, path / "a"),
        "pipe": lambda: os.mkfifo(path / "a"),
        "socket": bind,
        "folder": lambda: (path / "a").mkdir(),
    }


TRAPS = ("link", "dangling link", "link to a folder", "hard link", "pipe", "socket", "folder")


@pytest.mark.parametrize("kind", TRAPS)
def test_nothing_but_a_plain_file_is_opened(
    path: Path, folder: DiskFolder, tmp_path: Path, trap: dict[str, Callable[[], None]], kind: str
) -> None:
    trap[kind]()
    count = descriptors()
    for act in (folder.open, folder.reopen, folder.create, folder.lock):
        with pytest.raises(StorageError) as caught:
            act("a")
        assert "'a'" in str(caught.value)
    with pytest.raises(StorageError):
        open_folder(path, create=False, writable=False).lock("a", shared=True)
    assert descriptors() == count, "a descriptor is left open"
    assert (tmp_path / "outside").read_bytes() == b"not of the store"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("kind", [kind for kind in TRAPS if kind != "folder"])
def test_no_folder_is_entered_through_what_is_none(
    folder: DiskFolder, tmp_path: Path, trap: dict[str, Callable[[], None]], kind: str
) -> None:
    trap[kind]()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(StorageError):
        folder.folder("a")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", [kind for kind in TRAPS if kind != "folder"])
def test_a_publication_takes_the_place_of_whatever_is_there(
    path: Path, folder: DiskFolder, tmp_path: Path, trap: dict[str, Callable[[], None]], kind: str
) -> None:
    trap[kind]()
    (path / "a").rename(path / "a.tmp")
    trap["link"]()
    publish(folder, "a", [b"new"])
    assert folder.names() == ["a"]
    assert folder.open("a").pread(9, 0) == b"new"
    assert (tmp_path / "outside").read_bytes() == b"not of the store"


def test_what_stands_under_a_name_is_seen_and_not_what_it_leads_to(
    path: Path, folder: DiskFolder, trap: dict[str, Callable[[], None]]
) -> None:
    trap["dangling link"]()
    assert folder.has("a")
    folder.remove("a")
    assert not folder.has("a")


def test_two_may_make_a_folder_at_once(path: Path, folder: DiskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.mkdir

    def second(name: str, mode: int, *, dir_fd: int) -> None:
        real(name, mode, dir_fd=dir_fd)
        real(name, mode, dir_fd=dir_fd)

    monkeypatch.setattr("os.mkdir", second)
    folder.folder("inner").create("a")
    assert mode(path / "inner") == 0o700


def test_names_that_no_store_makes_are_not_seen(path: Path, folder: DiskFolder) -> None:
    for name in (".DS_Store", "Thumbs.db", "a b", "ä", os.fsdecode(b"\xff"), "new\nline"):
        (path / name).write_bytes(b"")
    folder.create("a").close()
    assert folder.names() == ["a"]


# -- the folder of the store -----------------------------------------------------------------------------------


def test_a_store_that_is_missing_is_made_when_asked_for(tmp_path: Path) -> None:
    for create, writable in ((False, False), (False, True), (True, False)):
        with pytest.raises(FileNotFoundError, match="there is no store"):
            open_folder(tmp_path / "store", create=create, writable=writable)
    assert not list(tmp_path.iterdir())
    open_folder(tmp_path / "store", create=True, writable=True).create("a")
    open_folder(os.fspath(tmp_path / "store") + "/", create=True, writable=True).reopen("a")


def test_a_store_is_made_in_a_folder_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_folder(tmp_path / "no" / "store", create=True, writable=True)


def test_the_entry_of_a_new_store_and_of_a_new_folder_is_synced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    monkeypatch.setattr("os.fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    folder = open_folder(path, create=True, writable=True)
    assert synced == [path.parent.stat().st_ino]
    folder.folder("inner")
    folder.folder("inner")
    assert synced == [path.parent.stat().st_ino, path.stat().st_ino]


def test_the_store_itself_may_be_reached_through_a_link(tmp_path: Path, path: Path, folder: DiskFolder) -> None:
    folder.create("a").append(b"x")
    (tmp_path / "link").symlink_to(path)
    assert open_folder(tmp_path / "link", create=True, writable=True).open("a").pread(9, 0) == b"x"
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError):
        open_folder(tmp_path / "dangling", create=True, writable=True)


@pytest.mark.parametrize("bad", ["", "a\0b", b"bytes"], ids=repr)
def test_a_path_that_is_none_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="no path"):
        open_folder(bad, create=True, writable=True)


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        open_folder(tmp_path / "file", create=True, writable=True)


def test_a_store_may_be_moved_while_it_is_open(tmp_path: Path, path: Path, folder: DiskFolder) -> None:
    path.rename(tmp_path / "moved")
    path.mkdir()
    folder.create("a").append(b"x")
    assert (tmp_path / "moved" / "a").read_bytes() == b"x"
    assert not list(path.iterdir())


def test_who_reads_changes_nothing(path: Path, folder: DiskFolder) -> None:
    folder.create("a").append(b"x")
    folder.folder("inner")
    folder.create("lock").close()
    reader = open_folder(path, create=False, writable=False)
    acts = (
        lambda: reader.create("b"),
        lambda: reader.reopen("a"),
        lambda: reader.rename("a", "b"),
        lambda: reader.remove("a"),
        lambda: reader.folder("inner").create("b"),
        lambda: reader.lock("lock"),
        reader.sync,
        reader.secure,
    )
    for act in acts:
        with pytest.raises(ReadOnlyError):
            act()
    for missing in (lambda: reader.folder("other"), lambda: reader.lock("none", shared=True)):
        with pytest.raises(MissingFileError):
            missing()
    reader.lock("lock", shared=True).release()
    assert folder.names() == ["a", "inner", "lock"]
    assert (path / "lock").read_bytes() == b""


def test_a_store_on_a_medium_that_can_not_be_written_is_read(path: Path, folder: DiskFolder) -> None:
    folder.create("a").append(b"x")
    folder.create("readers").close()
    (path / "a").chmod(0o400)
    path.chmod(0o500)
    try:
        reader = open_folder(path, create=False, writable=False)
        assert reader.open("a").pread(9, 0) == b"x"
        reader.lock("readers", shared=True).release()
    finally:
        path.chmod(0o700)


# -- writes that go wrong --------------------------------------------------------------------------------------


def test_short_writes_go_on(folder: DiskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    file = folder.create("a")
    for size in range(12):
        file.append(bytes(range(size)))
    assert file.pread(999, 0) == b"".join(bytes(range(size)) for size in range(12))


def test_a_write_that_takes_nothing_is_an_error_and_no_endless_loop(
    folder: DiskFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", lambda descriptor, data: 0)
    with pytest.raises(StorageError, match="took nothing"):
        folder.create("a").append(b"x")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS])
def test_a_full_disk_is_told_from_a_broken_one(folder: DiskFolder, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    counts = iter([2])
    write = os.write

    def refuse(descriptor: int, data: bytes) -> int:
        for count in counts:
            return write(descriptor, data[:count])
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "write", refuse)
    file = folder.create("a")
    with pytest.raises(StorageError) as caught:
        file.append(b"abcd")
    assert isinstance(caught.value, DiskFullError) == (code not in (errno.EIO, errno.EROFS))
    assert caught.value.errno == code and "'a'" in str(caught.value)
    assert file.pread(99, 0) == b"ab"
    monkeypatch.undo()
    file.truncate(0)
    file.append(b"whole")
    assert file.pread(99, 0) == b"whole"


def test_a_file_that_may_grow_no_more_takes_a_part_and_works_after_a_cut(path: Path) -> None:
    program = """
import resource, sys
from backpack.errors import DiskFullError
from backpack.storage.opening import open_folder
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
file = open_folder(sys.argv[1], create=True, writable=True).create("a")
file.append(b"x" * 900)
try:
    file.append(b"y" * 200)
except DiskFullError:
    print("full", file.size(), end=" ")
file.truncate(900)
file.append(b"z" * 100)
print(file.size(), file.pread(5, 898))
"""
    assert run(program, path) == "full 1000 1000 b'xxzzz'"


def test_signals_do_not_cut_a_write(folder: DiskFolder) -> None:
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        file = folder.create("a")
        for _ in range(40):
            file.append(b"x" * 1_000_003)
            assert len(file.pread(1_000_003, file.size() - 1_000_003)) == 1_000_003
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert file.size() == 40 * 1_000_003


def test_short_reads_go_on_and_an_error_is_not_the_end(folder: DiskFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder.create("a")
    file.append(b"0123456789")
    real = os.pread
    monkeypatch.setattr("os.pread", lambda descriptor, size, offset: real(descriptor, min(size, 3), offset))
    assert file.pread(8, 1) == b"12345678"
    assert file.pread(99, 1) == b"123456789"

    def fail(descriptor: int, size: int, offset: int) -> bytes:
        if offset >= 3:
            raise OSError(errno.EIO, "Input/output error")
        return real(descriptor, min(size, 3), offset)

    monkeypatch.setattr("os.pread", fail)
    with pytest.raises(StorageError):
        file.pread(8, 0)


def test_a_huge_size_reserves_no_memory(folder: DiskFolder) -> None:
    file = folder.create("a")
    file.append(b"x")
    tracemalloc.start()
    try:
        assert file.pread(2**40, 0) == b"x"
        assert file.pread(2**40, 2**30) == b""
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("which", ["_sync", "fsync"])
def test_after_a_failed_sync_nothing_is_written_and_reading_goes_on(
    folder: DiskFolder, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    file = folder.create("a")
    file.append(b"x")

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(*((disk, which) if which == "_sync" else (os, which)), fail)
    thing: DiskFile | DiskFolder = file if which == "_sync" else folder
    with pytest.raises(StorageError, match="could not be synced"):
        thing.sync()
    monkeypatch.undo()
    acts: list[Callable[[], Any]] = [thing.sync]
    if which == "_sync":
        acts += [lambda: file.append(b"y"), lambda: file.truncate(0)]
    else:
        acts += [lambda: folder.create("b"), lambda: folder.remove("a"), lambda: folder.rename("a", "b")]
    for act in acts:
        with pytest.raises(StorageError, match="a sync failed"):
            act()
    assert file.pread(9, 0) == folder.open("a").pread(9, 0) == b"x"


def test_too_many_open_files_are_an_error_that_changes_nothing(path: Path) -> None:
    program = """
import os, resource, sys
from backpack.errors import StorageError
from backpack.storage.opening import open_folder
from backpack.storage.protocol import publish
folder = open_folder(sys.argv[1], create=True, writable=True)
file = folder.create("a")
file.append(b"x")
publish(folder, "manifest", [b"old"])
present = os.listdir(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
taken = []
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
acts = [
    lambda: folder.open("a"), lambda: folder.create("b"), lambda: folder.reopen("a"), lambda: folder.folder("inner"),
    lambda: folder.lock("lock"), lambda: publish(folder, "manifest", [b"new"]), folder.names,
    lambda: open_folder(sys.argv[1] + ".new", create=True, writable=True),
]
for act in acts:
    try:
        act()
    except StorageError as error:
        assert error.errno == 24, error
    else:
        raise SystemExit("no error")
file.append(b"y")
assert file.pread(9, 0) == b"xy"
for descriptor in taken:
    os.close(descriptor)
assert os.listdir(sys.argv[1]) == present and not os.path.exists(sys.argv[1] + ".new")
for act in acts:
    act()
print(folder.names(), folder.open("manifest").pread(9, 0))
"""
    assert run(program, path) == "['a', 'b', 'inner', 'lock', 'manifest'] b'new'"


# -- descriptors and forks -------------------------------------------------------------------------------------


def test_what_nobody_refers_to_is_closed(path: Path) -> None:
    count = descriptors()
    folder = open_folder(path, create=True, writable=True)
    file, inner = folder.create("a"), folder.folder("inner")
    assert descriptors() == count + 3
    del file, inner
    assert descriptors() == count + 1
    del folder
    assert descriptors() == count


def test_a_refused_opening_leaves_no_descriptor(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_folder(path, create=True, writable=True).close()
    count = descriptors()
    monkeypatch.setattr("backpack.storage.opening.network_type", lambda descriptor: "nfs4")
    with pytest.raises(StorageError, match="allow_network"):
        open_folder(path, create=False, writable=True)
    assert descriptors() == count
    open_folder(path, create=False, writable=True, allow_network=True).close()


def test_no_descriptor_is_left_to_programs_that_are_started(folder: DiskFolder) -> None:
    file, inner, lock = folder.create("a"), folder.folder("inner"), folder.lock("lock")
    for descriptor in (folder._descriptor, file._descriptor, inner._descriptor, lock._descriptor):
        assert not os.get_inheritable(descriptor)
    lock.release()


def test_a_forked_child_reads_and_changes_nothing(path: Path) -> None:
    program = """
import os, sys
from backpack.errors import StorageError
from backpack.storage.opening import open_folder
folder = open_folder(sys.argv[1], create=True, writable=True)
file = folder.create("a")
file.append(b"x")
inner = folder.folder("inner")
child = os.fork()
if not child:
    acts = [
        lambda: file.append(b"y"), lambda: file.truncate(0), file.sync, lambda: folder.create("b"),
        lambda: folder.rename("a", "b"), lambda: folder.remove("a"), folder.sync, lambda: folder.reopen("a"),
        lambda: folder.lock("lock"), lambda: inner.create("b"), lambda: folder.folder("inner").create("b"),
        lambda: folder.folder("other"), folder.secure,
    ]
    for act in acts:
        try:
            act()
        except StorageError as error:
            assert "fork" in str(error) and str(os.getppid()) in str(error), error
        else:
            os._exit(1)
    assert file.pread(9, 0) == folder.open("a").pread(9, 0) == b"x"
    again = open_folder(sys.argv[1], create=False, writable=True)
    again.create("by.child").append(b"fine")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
file.append(b"z")
print(folder.names(), file.pread(9, 0))
"""
    assert run(program, path) == "['a', 'by.child', 'inner'] b'xz'"


def test_a_store_that_has_no_folder_to_be_made_in_says_which(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "store"
    with pytest.raises(StoreNotFoundError, match=f"could be made in: .*make '{path.parent}' first") as caught:
        open_folder(path, create=True, writable=True)
    assert caught.value.path == str(path) and not path.parent.exists()
    with pytest.raises(StoreNotFoundError, match="there is no store"):
        open_folder(path, create=False, writable=False)
