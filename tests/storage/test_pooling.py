"""Files that are opened when they are read: few at a time, always the same ones, and never lost while needed."""

import gc
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Final

import pytest

from backpack.errors import ReadOnlyError, StorageError
from backpack.storage import pooling
from backpack.storage.memory import MemoryFolder
from backpack.storage.opening import open_folder
from backpack.storage.pooling import PooledFile, open_count
from backpack.storage.protocol import Folder

ROOT: Final = Path(__file__).parents[2]


@pytest.fixture(params=["disk", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setattr(pooling, "OPEN_MAX", 10)
    if request.param == "memory":
        return MemoryFolder()
    return open_folder(tmp_path / "store", create=True, writable=True)


def filled(folder: Folder, count: int) -> list[PooledFile]:
    for number in range(count):
        folder.create(f"{number}.seg").append(b"%03d" % number * 50)
    return [PooledFile(folder, f"{number}.seg") for number in range(count)]


def test_few_are_open_and_all_can_be_read(folder: Folder) -> None:
    before = open_count()
    files = filled(folder, 60)
    for _ in range(2):
        for number, file in enumerate(files):
            assert file.pread(3, 30) == b"%03d" % number
            assert file.size() == 150 and file.name == f"{number}.seg"
            assert open_count() <= max(10, before)
    del file, files
    gc.collect()
    assert open_count() <= before


def test_a_file_that_is_kept_can_be_read_when_its_name_is_gone(folder: Folder) -> None:
    files = filled(folder, 30)
    for number, file in enumerate(files):
        file.keep()
        folder.remove(f"{number}.seg")
    for number, file in enumerate(files):
        assert file.pread(3, 0) == b"%03d" % number
    files[0].close()
    files[0].close()
    with pytest.raises(StorageError, match="closed"):
        files[0].pread(3, 0)


def test_another_file_under_its_name_is_never_taken_for_it(folder: Folder) -> None:
    files = filled(folder, 30)
    for name, data in (("1.seg", b"001" * 49), ("2.seg", b"x" + b"002" * 49 + b"02"), ("3.seg", b"003" * 49 + b"00x")):
        folder.remove(name)
        folder.create(name).append(data)
    folder.remove("4.seg")
    for number in range(1, 5):
        with pytest.raises(StorageError, match=f"{number}.seg.*refresh"):
            files[number].pread(3, 0)
    assert files[5].pread(3, 0) == b"005"


def test_it_can_only_be_read(folder: Folder) -> None:
    (file,) = filled(folder, 1)
    for act in (lambda: file.append(b"x"), lambda: file.truncate(0), file.sync):
        with pytest.raises(ReadOnlyError):
            act()


def test_threads_read_while_files_come_and_go(folder: Folder) -> None:
    files = filled(folder, 40)
    wrong: list[object] = []

    def read(step: int) -> None:
        for turn in range(1500):
            number = turn * step % 40
            try:
                data = files[number].pread(3, 3)
            except Exception as error:  # told below
                wrong.append(error)
            else:
                if data != b"%03d" % number:
                    wrong.append(data)

    threads = [Thread(target=read, args=(step,)) for step in (1, 3, 7, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


PROGRAM: Final = """
import os, resource, sys
import backpack
from backpack.archive import opened
opened.SEGMENT_SIZE = 400
opened.Opened.merge = lambda self: False
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
path = sys.argv[1]
bp = backpack.open(path)
for number in range(300):
    bp.pack(f"k{number % 7}", [number, "x" * 400])
    if number % 5 == 0:
        bp._opened.drain()  # logs are open all of them, until they are sealed
    if number == 150:
        fork = bp.fork()
bp._opened.drain()
segments = [name for name in os.listdir(path) if name.endswith(".seg")]
assert len(segments) > 100, len(segments)
assert len(os.listdir("/proc/self/fd")) < 60
for seq in range(1, 300, 7):
    assert bp.snapshot(seq)[f"k{(seq - 1) % 7}"] == [seq - 1, "x" * 400]
assert fork["k1"][0] == 148
reader = backpack.open(path, "r")
for seq in range(1, 300, 7):
    assert reader.snapshot(seq)[f"k{(seq - 1) % 7}"] == [seq - 1, "x" * 400]
bp.close()
bp = backpack.open(path)
del fork
bp.compact(keep_commits=20)
assert bp["k1"][0] == 295
bp.close()
assert backpack.verify(path).ok
print("done")
"""


def test_a_store_of_more_segments_than_files_may_be_open_works(tmp_path: Path) -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("nothing says here how many files are open")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "store")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
