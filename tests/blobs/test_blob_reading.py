"""A blob gives any bytes and any line, and reads little for it."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.blobs.blob import Blob
from backpack.blobs.newlines import after_newline
from backpack.blobs.store import Blobs
from backpack.blobs.text import text_lines
from backpack.codec import pack_value
from backpack.errors import InvalidArgumentError
from backpack.limits import KIB, MIB
from backpack.storage.cover import PLAIN, Covers
from backpack.storage.memory import MemoryFolder
from tests.blobs.covers import MarkedCovers
from tests.blobs.watched import WatchedFolder

CONTENTS = st.lists(st.sampled_from([b"\n", b"a", b"bc\n", b"\r\n", "ä€".encode(), b"x" * 30]), max_size=60).map(
    b"".join
)


def blob_of(content: bytes, frame_size: int, covers: Covers = PLAIN) -> Blob:
    blobs = Blobs(MemoryFolder(), covers, frame_size=frame_size)
    return blobs.open(blobs.put_bytes(content, is_durable=False))


def line_start(content: bytes, number: int, start: int) -> int:
    """The slow way."""
    for _ in range(number):
        at = content.find(b"\n", start)
        if at < 0:
            return len(content)
        start = at + 1
    return min(start, len(content))


@given(CONTENTS, st.integers(1, 40), st.booleans(), st.data())
def test_any_slice_and_any_line_is_that_of_the_content(
    content: bytes, frame_size: int, is_covered: bool, data: st.DataObject
) -> None:
    with blob_of(content, frame_size, MarkedCovers() if is_covered else PLAIN) as blob:
        assert b"".join(blob.chunks()) == content
        for _ in range(4):
            start = data.draw(st.integers(0, len(content) + 3))
            length = data.draw(st.integers(0, len(content) + 3))
            number = data.draw(st.integers(0, content.count(b"\n") + 2))
            assert blob.read(start, length) == content[start : start + length]
            assert blob.find_line(number, start) == line_start(content, number, start)
            assert blob.count_newlines(start, start + length) == content.count(b"\n", start, start + length)
        blob.check()


def test_lines_are_found_on_every_page_of_a_long_table() -> None:
    content = b"".join(b"%d\n" % number for number in range(4_000))
    blob = blob_of(content, 16)  # 5 pages of 256 frames
    for number in (*range(0, 4_001, 37), 4_000, 4_001):
        assert blob.find_line(number) == line_start(content, number, 0)
    assert blob.line_count == 4_000


@pytest.mark.parametrize("arguments", [(-1, 3), (3, -1), (-1, -1)])
def test_no_negative_slices(arguments: tuple[int, int]) -> None:
    blob = blob_of(b"content", 4)
    with pytest.raises(InvalidArgumentError):
        blob.read(*arguments)
    with pytest.raises(InvalidArgumentError):
        blob.find_line(*arguments)


@given(CONTENTS, st.integers(1, 70), st.integers(0, 50))
def test_newlines_are_found_by_counting(content: bytes, number: int, start: int) -> None:
    content *= 20
    ends = [at + 1 for at in range(start, len(content)) if content[at : at + 1] == b"\n"]
    assert after_newline(content, number, start) == (ends[number - 1] if number <= len(ends) else None)


def test_newlines_are_found_far_into_long_bytes() -> None:
    content = (b"x" * 99 + b"\n") * 5_000
    for number in (1, 655, 656, 4_999, 5_000):
        assert after_newline(content, number) == number * 100
    assert after_newline(content, 5_001) is None
    assert after_newline(content, 1, len(content)) is None
    for number in range(1, 1_001):
        assert after_newline(b"\n" * 1_000, number) == number


def test_a_slice_of_a_gigabyte_reads_some_kilobytes_of_table_and_the_frames_it_touches() -> None:
    """As many frames as 1 GB has, 5 KiB each instead of 256."""
    folder = WatchedFolder(MemoryFolder())
    frame_size = 5 * KIB
    blobs = Blobs(folder, PLAIN, frame_size=frame_size)
    noise = random.Random(1).randbytes(frame_size)
    digest, size = blobs.put((noise for _ in range(4_000)), is_durable=False)
    watch = folder.watch
    watch.read_size = watch.read_count = 0
    with blobs.open(digest) as blob:
        assert watch.read_size <= 5 * KIB
        assert blob.read(0, 4096) == noise[:4096]
        assert watch.read_size <= 5 * KIB + 4 * KIB + frame_size + 100
        assert watch.read_count == 4
        watch.read_size = 0
        assert blob.read(size // 2, 100) == noise[:100]
        assert watch.read_size <= 4 * KIB + frame_size + 100
        watch.read_size = 0
        assert blob.read(size // 2 + 200, 100) == noise[200:300]
        assert watch.read_size == 0
        line = blob.line_count // 3
        watch.read_size = 0
        assert blob.find_line(line) == line_start(noise, line % noise.count(b"\n"), 0) + (
            line // noise.count(b"\n") * frame_size
        )
        assert watch.read_size <= 2 * (4 * KIB + frame_size + 100)


def test_neighbouring_slices_of_a_text_read_nothing_more() -> None:
    folder = WatchedFolder(MemoryFolder())
    blobs = Blobs(folder, PLAIN, frame_size=KIB)
    blob = blobs.open(blobs.put_bytes(pack_value("a line of some bytes\n" * 10_000), is_durable=False))
    text_lines(blob, 5_000, 5_001)
    folder.watch.read_size = 0
    assert text_lines(blob, 5_002, 5_003) == "a line of some bytes\n" * 2
    assert folder.watch.read_size == 0


CHILD = """
import random, resource, sys, tracemalloc
from backpack.blobs.store import Blobs
from backpack.blobs.text import byte_slice, line_count, text_lines
from backpack.storage.cover import PLAIN
from backpack.storage.opening import open_folder

path, mebibytes = sys.argv[1], int(sys.argv[2])
line = b"%08d " + b"".join(b"%x" % random.getrandbits(4) for _ in range(54)) + b"\\n"  # 64 bytes

def chunks():
    yield b"\\xdb" + (mebibytes << 20).to_bytes(4, "big")
    for first in range(0, mebibytes << 14, 1 << 14):
        yield b"".join([line % number for number in range(first, first + (1 << 14))])

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

blobs = Blobs(open_folder(path, create=True, writable=True), PLAIN)
before = peak()
tracemalloc.start()
digest, size = blobs.put(chunks(), is_durable=False)
assert size == 5 + (mebibytes << 20)
made = tracemalloc.get_traced_memory()[1]
tracemalloc.reset_peak()
with blobs.open(digest) as blob:
    for number in (1, 12345, mebibytes << 13, (mebibytes << 14) - 10):
        text = text_lines(blob, number, number + 10)
        assert text.encode() == b"".join(line % n for n in range(number - 1, min(number + 10, mebibytes << 14)))
        assert byte_slice(blob, 64 * number, 8) == b"%08d" % number or number == mebibytes << 14
    assert line_count(blob) == mebibytes << 14
print(made, tracemalloc.get_traced_memory()[1], peak() - before)
"""


def test_a_huge_value_is_written_and_sliced_in_little_memory(tmp_path: Path) -> None:
    mebibytes = 1_000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 50
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "store"), str(mebibytes)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ran.returncode == 0, ran.stderr
    made, sliced, resident = map(int, ran.stdout.split())
    assert made < 16 * MIB
    assert sliced < 4 * MIB
    assert resident < 32 * MIB
