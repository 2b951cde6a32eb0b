"""Long contents: files and paths part by part, little memory, slices that read what they touch."""

import asyncio
import io
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

import backpack
from backpack import Backpack, StorageError
from backpack.errors import InvalidArgumentError
from backpack.memory import Memory
from backpack.memory.content import PART_SIZE, WHOLE_SIZE_MAX
from backpack.memory.streaming import cut

LONG = "".join(f"{number:07} é a line\r\n" for number in range(150_000))


def test_a_path_a_text_file_a_binary_file_and_a_str_are_the_same_content(tmp_path: Path) -> None:
    path = tmp_path / "long.log"
    path.write_bytes(LONG.encode())
    with backpack.open(tmp_path / "store") as bp:
        memory = Memory(bp)
        entries = [
            memory.log(path),
            memory.log(io.BytesIO(LONG.encode())),
            memory.log(io.StringIO(LONG, newline="")),
            memory.log(LONG),
        ]
        assert len({entry.digest for entry in entries}) == 1
        assert {(one.kind, one.lines, one.characters, one.stored_size) for one in entries} == {
            ("text", 150_000, len(LONG), entries[0].stored_size)
        }
        assert entries[0].title == "long.log"
        assert entries[0].stored_size < entries[0].size / 4
        assert all(memory.read(entry) == LONG for entry in entries)
        assert len(list(bp._keys_below("memory.parts."))) == -(-len(LONG.encode()) // PART_SIZE)
        bp._check()
    with backpack.open(tmp_path / "store", mode="r") as bp:
        memory = Memory(bp)
        assert memory.fetch(entries[0], lines=(100_000, 100_001)) == "0099999 é a line\r\n0100000 é a line\r\n"
        assert "".join(str(memory.fetch(entries[0], chunk=n)) for n in range(entries[0].chunk_count)) == LONG
    assert backpack.verify(tmp_path / "store").ok


def test_a_file_that_is_no_text_is_bytes_even_if_only_its_end_tells() -> None:
    memory = Memory(Backpack())
    data = b"text\n" * 500_000 + b"\xff\xfe"
    entry = memory.log(io.BytesIO(data))
    assert (entry.kind, entry.characters) == ("bytes", len(data))
    assert (
        memory.read(entry)
        == data
        == b"".join(bytes(memory.fetch(entry, chunk=number)) for number in range(entry.chunk_count))
    )
    short = memory.log(io.BytesIO(b"\xff"))
    assert short.kind == "bytes" and memory.fetch(short) == b"\xff"
    assert memory.log(data).digest == entry.digest


@pytest.mark.parametrize("size", [0, WHOLE_SIZE_MAX, WHOLE_SIZE_MAX + 1, PART_SIZE, PART_SIZE + 1, 2 * PART_SIZE])
def test_sizes_around_the_bounds_come_back(size: int) -> None:
    memory = Memory(Backpack())
    text = ("x" * 99 + "\n") * (size // 100) + "x" * (size % 100)
    for content in (text, io.BytesIO(text.encode())):
        entry = memory.log(content)
        assert memory.read(entry) == text and entry.size == size


@given(st.lists(st.sampled_from(["a", "é", "\U0001f600", "\r\n", "\n", "\r"]), min_size=1), st.integers(0, 2**30))
def test_parts_are_cut_neither_inside_a_character_nor_inside_a_crlf(pieces: list[str], seed: int) -> None:
    unit = "".join(pieces).encode()
    data = b"y" * (seed % 7) + unit * (2 * PART_SIZE // len(unit) + 1)
    parts = list(cut(data[at : at + 300_000] for at in range(0, len(data), 300_000)))
    assert b"".join(parts) == data
    for before, after in pairwise(parts):
        assert len(before) <= PART_SIZE
        before.decode()
        assert not (before.endswith(b"\r") and after.startswith(b"\n"))


def test_slices_of_any_partition_join_to_the_original() -> None:
    memory = Memory(Backpack())
    entry = memory.log(LONG)
    raw, chance = LONG.encode(), random.Random(7)
    for unit, end in (("bytes", entry.size), ("lines", entry.lines)):
        at, found = 0, []
        while at < end:
            step = chance.randint(1, 30_000 if unit == "bytes" else 2_000)
            if unit == "bytes":
                found.append(memory.fetch(entry, bytes=(at, step)))
            else:
                found.append(str(memory.fetch(entry, lines=(at + 1, at + step))).encode())
            at += step
        assert b"".join(bytes(one) for one in found) == raw  # type: ignore[arg-type]


@given(st.text(alphabet="ab\n\ré\u2028", max_size=60), st.lists(st.integers(0, 70), max_size=6))
def test_any_partition_of_any_short_text_joins_to_it(text: str, cuts: list[int]) -> None:
    memory = Memory(Backpack())
    entry = memory.log(text)
    edges = [0, *sorted(cuts), 200]
    pairs = list(pairwise(edges))
    assert b"".join(bytes(memory.fetch(entry, bytes=(a, b - a))) for a, b in pairs) == text.encode()  # type: ignore[arg-type]
    assert "".join(str(memory.fetch(entry, lines=(a + 1, b))) for a, b in pairs if a < b) == text
    assert "".join(str(memory.fetch(entry, chunk=number)) for number in range(entry.chunk_count)) == text


def test_two_contents_share_the_parts_that_are_equal() -> None:
    bp = Backpack()
    memory = Memory(bp)
    memory.log(LONG)
    before = len(list(bp._keys_below("memory.parts.")))
    memory.log(LONG + "one more line\n")
    assert len(list(bp._keys_below("memory.parts."))) == before + 1


def test_a_file_that_can_not_be_opened_or_is_none_logs_nothing(tmp_path: Path) -> None:
    bp = Backpack()
    memory = Memory(bp)
    with pytest.raises(FileNotFoundError):
        memory.log(tmp_path / "nowhere")
    with pytest.raises(StorageError):
        memory.log(tmp_path)
    with pytest.raises(InvalidArgumentError, match="NUL"):
        memory.log(Path("a\0b"))
    if Path("/proc/self/mem").exists():  # opens, and gives nothing at 0
        with pytest.raises(StorageError, match="can't be read"):
            memory.log(Path("/proc/self/mem"))
    with (tmp_path / "out").open("w") as file, pytest.raises(OSError):
        memory.log(file)

    class Odd:
        def read(self, size: int) -> int:
            return size

    with pytest.raises(InvalidArgumentError):
        memory.log(Odd())
    assert bp.head is None


def test_a_reader_that_fails_in_the_middle_leaves_no_entry_and_prune_sweeps_its_parts() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 3 * PART_SIZE:
                raise OSError("gone")
            return super().read(size)

    bp = Backpack()
    memory = Memory(bp)
    kept = memory.log(LONG)
    parts = len(list(bp._keys_below("memory.parts.")))
    with pytest.raises(OSError, match="gone"):
        memory.log(Failing(bytes(range(256)) * 20_000))
    assert memory.list() == [kept]
    assert len(list(bp._keys_below("memory.parts."))) > parts
    report = memory.prune()
    assert report.parts > 0 and not report.removed
    assert len(list(bp._keys_below("memory.parts."))) == parts
    assert memory.read(kept) == LONG


def test_what_a_cancelled_log_reads_on_is_kept_from_no_pruning() -> None:
    is_reading, may_go_on, is_left = Event(), Event(), Event()

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                is_reading.set()
                may_go_on.wait()
            return super().read(size)

        def __del__(self) -> None:
            is_left.set()

    bp = Backpack()
    memory = Memory(bp)

    async def cancelled() -> None:
        task = asyncio.create_task(memory.alog(Slow(bytes(3 * PART_SIZE))))
        await asyncio.to_thread(is_reading.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    may_go_on.set()
    assert is_left.wait(20)  # the thread has let go of what it read
    memory.prune(0, 0)
    assert not list(bp._keys_below("memory.parts."))
    entry = memory.log(bytes(3 * PART_SIZE))
    memory.delete(entry)
    assert not list(bp._keys_below("memory.parts.")) and not list(bp._keys_below("memory.content."))


_STREAM = """
import resource, sys
from pathlib import Path
import backpack
from backpack.memory import Memory

class Lines:
    def __init__(self, size):
        self.left = size
    def read(self, count):
        take = min(count, self.left)
        self.left -= take
        return (b"%012d a line of the log\\n" % self.left) * (take // 30) + b"\\n" * (take % 30)

memory = Memory(backpack.open(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
entry = memory.log(Lines(int(sys.argv[2])))
size = sum(map(len, memory.iterate(entry)))
memory.bp.close()
print(entry.size == size, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_a_long_stream_needs_little_memory(tmp_path: Path) -> None:
    size = 200 * 2**20
    command = [sys.executable, "-c", _STREAM, str(tmp_path / "store"), str(size)]
    is_same, growth = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout.split()
    assert is_same == "True" and int(growth) < 48
