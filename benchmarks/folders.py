"""Folders for the stores of a benchmark: where they are, how much is in them, and that they go.

They are made where the system makes temporary files, or in `BACKPACK_BENCH_FOLDER`: the figures are those of the
disk under it.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

FOLDER: Final = "BACKPACK_BENCH_FOLDER"


def make_folder() -> Path:
    """A new, empty folder, which whoever asked for it removes."""
    return Path(tempfile.mkdtemp(prefix="backpack-bench-", dir=os.environ.get(FOLDER)))


@contextmanager
def new_folder() -> Iterator[Path]:
    """A new, empty folder that is gone afterwards."""
    path = make_folder()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def size_on_disk(folder: Path) -> int:
    """Bytes of all files in it, by their lengths."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def blocks_on_disk(folder: Path) -> int:
    """Bytes that the file system has set aside for them, the folders included."""
    return sum(path.stat().st_blocks * 512 for path in [folder, *folder.rglob("*")])
