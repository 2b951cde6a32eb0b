"""What was written and not synced is only lost when the machine is restarted: so until then a gap is damage."""

import sys
from pathlib import Path

import pytest

import backpack
from backpack import Backpack, CorruptionError
from backpack.archive.frames import FRAME_SIZE
from backpack.storage import process
from backpack.storage.memory import MemoryFolder
from backpack.storage.opening import open_folder

from .damaging import crash
from .stores import opened_in

BOOT = 7
LOG = "000000000001.log"


def crashed(*, boot: int = BOOT, flushed_at: int = -1) -> tuple[dict[str, bytes], list[int]]:
    """`(the files of a store of 20 commits whose process ended, where each frame begins)`."""
    folder = MemoryFolder(boot=boot)
    bp = opened_in(folder)
    starts = []
    for number in range(20):
        assert bp._opened is not None and bp._opened.writer is not None
        starts.append(bp._opened.writer.size)
        bp.pack("number", number)
        if number == flushed_at:
            bp.flush()
    crash(bp)
    return {name: data for name, data in folder.walk() if data is not None}, starts


def with_log(files: dict[str, bytes], log: bytes, boot: int) -> MemoryFolder:
    return MemoryFolder({**files, LOG: log}, boot=boot)


def flipped(log: bytes, offset: int) -> bytes:
    return log[:offset] + bytes([log[offset] ^ 4]) + log[offset + 1 :]


def assert_refused(folder: MemoryFolder, offset: int) -> None:
    with pytest.raises(CorruptionError) as caught:
        opened_in(folder)
    assert (caught.value.file, caught.value.offset) == (LOG, offset)
    reader = opened_in(folder.reader(), mode="r")
    assert reader.head is not None and reader.head.seq == 20 and reader["number"] == 19


def cut(folder: MemoryFolder, head: int) -> Backpack:
    bp = opened_in(folder)
    assert bp.head is not None and bp.head.seq == head
    assert bp.recovery is not None and bp.recovery.dropped_bytes > 0
    return bp


@pytest.mark.parametrize("at", [10, FRAME_SIZE + 5])
def test_a_flip_in_what_was_not_synced_is_damage_while_the_machine_runs_on(at: int) -> None:
    files, starts = crashed()
    harmed = flipped(files[LOG], starts[5] + at)
    assert_refused(with_log(files, harmed, BOOT), starts[5])


@pytest.mark.parametrize(("begun", "now"), [(BOOT, BOOT + 1), (0, BOOT), (BOOT, 0), (0, 0)])
def test_after_a_restart_it_may_be_a_write_that_was_lost(begun: int, now: int) -> None:
    files, starts = crashed(boot=begun)
    cut(with_log(files, flipped(files[LOG], starts[5] + 10), now), 5)


@pytest.mark.parametrize("rest", [b"", b"\0" * 300, b"rest" * 100])
def test_a_part_of_the_last_frame_is_cut_whatever_stands_behind_it(rest: bytes) -> None:
    files, starts = crashed()
    for stop in range(starts[-1] + 1, len(files[LOG])):
        bp = cut(with_log(files, files[LOG][:stop] + rest, BOOT), 19)
        assert bp["number"] == 18


def test_a_flip_in_an_earlier_log_is_damage_when_a_later_one_goes_on() -> None:
    folder = MemoryFolder(boot=BOOT)
    bp = opened_in(folder)
    assert bp._opened is not None
    bp._opened._keeper.stop()
    for number in range(3):
        bp.pack("number", number)
    bp._opened._roll()
    bp.pack("number", 3)
    crash(bp)
    files = {name: data for name, data in folder.walk() if data is not None}
    log = files[LOG]
    with pytest.raises(CorruptionError):
        opened_in(with_log(files, flipped(log, len(log) - 1), BOOT))


def test_what_a_flush_made_durable_is_testified_to_without_a_commit_after_it() -> None:
    files, starts = crashed(boot=0, flushed_at=19)
    for number in (0, 5, 19):
        assert_refused_at(with_log(files, flipped(files[LOG], starts[number] + 10), 0), starts[number])
    files, starts = crashed(boot=0, flushed_at=9)
    cut(with_log(files, flipped(files[LOG], starts[-1] + 10), 0), 19)


def assert_refused_at(folder: MemoryFolder, offset: int) -> None:
    with pytest.raises(CorruptionError) as caught:
        opened_in(folder)
    assert caught.value.offset == offset


def test_a_flush_without_anything_new_writes_nothing() -> None:
    folder = MemoryFolder()
    bp = opened_in(folder)
    bp.pack("number", 1)
    bp.flush()
    size = bp.memory_usage().archive_bytes
    bp.flush()
    assert bp.memory_usage().archive_bytes == size


@pytest.mark.skipif(sys.platform != "linux", reason="other systems don't tell")
def test_a_disk_tells_when_the_machine_began_to_run(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "store", create=True, writable=True)
    assert folder.boot == process.boot() != 0
    backpack.open(tmp_path / "store").close()
