"""A store on a disk that is really full; run as a program by `test_full_disk`.

python -m tests.archive.full file FOLDER      no file may be longer than 200,000 bytes (RLIMIT_FSIZE)
python -m tests.archive.full disk FOLDER      FOLDER is on a file system of 1 MB
"""

import gc
import os
import random
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import backpack
import backpack.archive.opened
from backpack.errors import DiskFullError, StorageError
from backpack.store.store import Backpack

FILE_SIZE_MAX: Final = 200_000
BALLAST_SIZE: Final = 500_000
Values = dict[str, Any]


class Filling:
    """A store, and what was committed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.snapshots: list[Values] = [{}]
        self.chance = random.Random(1)
        self.store: Backpack

    def open(self, mode: Any = "rw") -> Backpack:
        self.store = backpack.open(self.path, mode, max_value_size=50_000)
        return self.store

    def pack(self, size: int) -> None:
        key, value = f"k{len(self.snapshots) % 9}", self.chance.randbytes(size)
        self.store.pack(key, value)
        self.snapshots.append({**self.snapshots[-1], key: value})

    def fill(self, size: int) -> int:
        """Pack until nothing of that size fits; how much did."""
        for count in range(100_000):
            try:
                self.pack(size)
            except DiskFullError:
                self.check()
                return count
        raise AssertionError("the disk is never full")

    def check(self) -> None:
        """Everything that was committed is there, and nothing else."""
        head = self.store.head.seq if self.store.head else 0
        assert head == len(self.snapshots) - 1, (head, len(self.snapshots))
        assert self.store.select("**") == self.snapshots[-1]
        for seq in {0, head, *(self.chance.randrange(head + 1) for _ in range(20))}:
            assert self.store.snapshot(seq).to_dict() == self.snapshots[seq], seq


def fill_a_file(path: Path) -> None:
    """The log can't grow; then it can."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    filling = Filling(path)
    filling.open()
    filling.pack(10)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE_MAX, hard))
    assert filling.fill(3_000) > 20
    filling.fill(100)
    try:
        filling.store.pack("large", random.Random(2).randbytes(FILE_SIZE_MAX * 2))
        raise AssertionError("a blob that is too long was written")
    except DiskFullError:
        filling.check()
    assert not [name for name in os.listdir(path / "blobs") if name.endswith(".tmp")]
    filling.store.flush()
    assert filling.store.health().ok
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    go_on(filling)


def fill_the_disk(path: Path, *, ends: str) -> None:
    """There is no room; then something else goes. `ends`: how the store is left while there is none."""
    ballast = path / "ballast"
    ballast.write_bytes(bytes(BALLAST_SIZE))
    filling = Filling(path / "store")
    filling.open()
    assert filling.fill(3_000) > 20
    filling.fill(500)
    filling.fill(20)
    for _ in range(20):
        filling.fill(200)
    if ends == "closed":
        filling.store.close()
        filling.open("r")
        filling.check()
        filling.store.close()
        tolerated(lambda: filling.open().close())
    ballast.unlink()
    if ends == "closed":
        filling.open()
        filling.check()
    go_on(filling)


def tolerated(act: Callable[[], object]) -> None:
    """It may not be possible, and then says that the disk is full."""
    try:
        act()
    except DiskFullError as error:
        print("full:", error)


def go_on(filling: Filling) -> None:
    """There is room: what was there is there, and more comes."""
    for _ in range(20):
        filling.pack(2_000)
    try:
        filling.store.flush()
    except StorageError as error:  # what failed in the background is told once
        assert isinstance(error, DiskFullError), error
        filling.store.flush()
    assert filling.store.health().ok, filling.store.health()
    filling.check()
    filling.store.close()
    filling.open()
    filling.check()
    filling.pack(10)
    filling.store.close()


def main(kind: str, folder: str) -> None:
    if kind == "file":
        fill_a_file(Path(folder) / "store")
        return
    backpack.archive.opened.SEGMENT_SIZE = 60_000  # type: ignore[misc]
    for ends in ("open", "closed"):
        path = Path(folder) / ends
        path.mkdir()
        fill_the_disk(path, ends=ends)
        gc.collect()  # a file that is open takes room, removed or not
        for file in sorted(path.rglob("*"), reverse=True):
            file.unlink() if file.is_file() else file.rmdir()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
    print("done")
