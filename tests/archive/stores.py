"""Opened stores in memory, with segments so small that a few commits fill one."""

from collections.abc import Iterator
from contextlib import contextmanager

from backpack import Backpack
from backpack.archive import opened
from backpack.core.limits import Limits
from backpack.storage.encryption import Key
from backpack.storage.memory import MemoryFolder
from backpack.store.opening import open_in

SMALL = Limits(1000, 4000, None, "oldest", 0.2, False)


@contextmanager
def small_segments(size: int = 2000, *, seal_min: int = 0) -> Iterator[None]:
    """Logs are followed by the next one, and sealed at closing, when they are that long."""
    before = opened.SEGMENT_SIZE, opened.SEAL_SIZE_MIN
    opened.SEGMENT_SIZE, opened.SEAL_SIZE_MIN = size, seal_min
    try:
        yield
    finally:
        opened.SEGMENT_SIZE, opened.SEAL_SIZE_MIN = before


def opened_in(folder: MemoryFolder, *, mode: str = "rw", limits: Limits = SMALL, key: Key | None = None) -> Backpack:
    """The store in a folder in memory."""
    return open_in(folder, limits, is_writable=mode == "rw", key=key)


def everything_in(folder: MemoryFolder) -> bytes:
    """All bytes of all files."""
    return b"".join(data for _, data in folder.walk() if data is not None)
