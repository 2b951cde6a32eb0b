"""A log that is damaged in the middle: what is there is read exactly, and what is lost is an error."""

import pytest

from backpack.archive.frames import FRAME_SIZE
from backpack.archive.resyncing import MendedLog
from backpack.archive.scanning import Log
from backpack.core.limits import Limits
from backpack.errors import CorruptionError
from backpack.storage.memory import MemoryFolder
from backpack.store.opening import open_in

TAIL = 2
"""The source that the later items of the list are appended to."""


def mended(lost_seq: int) -> tuple[MendedLog, bytes]:
    """The log of a list to which six commits appended, the body of one of them damaged; and the bytes of the list's
    source, when it was whole."""
    folder = MemoryFolder()
    with open_in(folder, Limits(), is_writable=True) as store:
        assert store._archive is not None
        for number in range(6):
            store.append("list", f"item {number} " + "x" * 50)
        log = store._archive.parts[-1]
        assert isinstance(log, Log)
        log.catch_up()
        whole = log.read(log.head.segment, TAIL, 0, log.size_of(TAIL))
        file = log.file
        damaged = MemoryFolder().create("log")
        data = bytearray(file.pread(file.size(), 0))
        data[log.offset_of(lost_seq) + FRAME_SIZE + 8] ^= 1
        damaged.append(bytes(data))
        found = MendedLog.salvaged(damaged, store._opened.covers, log.head.store_id, log.head.segment, 1)  # type: ignore[union-attr]
    assert found is not None
    return found, whole


@pytest.mark.parametrize("lost_seq", [2, 3, 5, 6])
def test_each_slice_is_read_exactly_or_is_an_error(lost_seq: int) -> None:
    log, whole = mended(lost_seq)
    assert [(hole.first_seq, hole.last_seq) for hole in log.holes] == ([] if lost_seq == 6 else [(lost_seq, lost_seq)])
    size = log.size_of(TAIL)
    lost = {at for start, stop in log.lost_of(TAIL) for at in range(start, stop)}
    assert lost or lost_seq == 6
    for start in range(size):
        for stop in range(start + 1, size + 1, 7):
            if lost.isdisjoint(range(start, stop)):
                assert log.read(log.head.segment, TAIL, start, stop) == whole[start:stop]
            else:
                with pytest.raises(CorruptionError, match="are lost"):
                    log.read(log.head.segment, TAIL, start, stop)
