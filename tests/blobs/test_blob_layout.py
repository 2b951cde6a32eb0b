"""Each number of a blob's tables is bounded by itself, whatever the others say."""

import random
from dataclasses import replace
from typing import Any

import pytest

from backpack.blobs import layout
from backpack.blobs.frames import FRAME_SIZE, FRAME_SIZE_MAX, expand, squeeze, squeezed_size_max
from backpack.errors import CorruptionError
from backpack.limits import BLOB_SIZE_MAX, MIB

DIGEST = bytes(range(32))
TWO_PAGES = layout.Directory(300 * FRAME_SIZE, 900, FRAME_SIZE, (19, 7_000, 9_000), (0, 800, 900), (1, 2))


def directory_of(directory: layout.Directory, *, header_size: int = 19, overhead: int = 5) -> layout.Directory:
    pages_size = directory.frame_count * layout.FRAME_ROW_SIZE + directory.page_count * overhead
    packed = layout.pack_directory(DIGEST, directory)
    return layout.read_directory(packed, DIGEST, header_size, directory.starts[-1], pages_size, overhead)


def test_a_directory_comes_back() -> None:
    assert directory_of(TWO_PAGES) == TWO_PAGES
    assert (TWO_PAGES.page_rows(0), TWO_PAGES.page_rows(1), TWO_PAGES.raw_size(299)) == (256, 44, FRAME_SIZE)


@pytest.mark.parametrize(
    "facts",
    [
        {"starts": (19, 9_001, 9_000)},
        {"starts": (18, 7_000, 9_000)},
        {"newlines": (0, 901, 900), "newline_count": 900},
        {"newlines": (1, 800, 900)},
        {"newline_count": 300 * FRAME_SIZE + 1},
        {"frame_size": FRAME_SIZE_MAX + 1, "size": 300 * (FRAME_SIZE_MAX + 1)},
        {"frame_size": 0},
    ],
)
def test_a_directory_that_says_what_can_not_be_is_refused(facts: dict[str, Any]) -> None:
    wrong = replace(TWO_PAGES, **facts)
    pages_size = 300 * layout.FRAME_ROW_SIZE
    with pytest.raises(CorruptionError):
        layout.read_directory(layout.pack_directory(DIGEST, wrong), DIGEST, 19, wrong.starts[-1], pages_size, 0)


def test_a_blob_beyond_the_limit_is_refused_though_its_table_fits() -> None:
    for size in (BLOB_SIZE_MAX, BLOB_SIZE_MAX + 1):
        frame_count = -(-size // FRAME_SIZE_MAX)
        page_count = -(-frame_count // layout.PAGE_FRAMES)
        starts, newlines = tuple(range(19, 20 + page_count)), (0,) * (page_count + 1)
        directory = layout.Directory(size, 0, FRAME_SIZE_MAX, starts, newlines, (1,) * page_count)
        if size == BLOB_SIZE_MAX:
            assert directory_of(directory) == directory
            assert len(layout.pack_directory(DIGEST, directory)) <= layout.DIRECTORY_SIZE_MAX
        else:
            with pytest.raises(CorruptionError):
                directory_of(directory)


def test_a_directory_of_more_than_a_mebibyte_is_refused_in_a_file_of_any_size() -> None:
    for size in (MIB, MIB + 1):
        packed = layout.pack_trailer(layout.Trailer(100, size, 0))
        if size == MIB:
            assert layout.read_trailer(packed, 19, 1 << 40).directory_size == size
        else:
            with pytest.raises(CorruptionError):
                layout.read_trailer(packed, 19, 1 << 40)


@pytest.mark.parametrize("size", [0, 1, 255])
def test_a_header_comes_back_and_none_is_taken_for_one(size: int) -> None:
    header = layout.pack_header(b"c" * size)
    assert layout.read_header(header + b"more") == (len(header), b"c" * size)
    assert len(header) <= layout.HEADER_SIZE_MAX
    for cut in range(len(header)):
        with pytest.raises(CorruptionError):
            layout.read_header(header[:cut])


def test_no_frame_exceeds_its_bound() -> None:
    for size in (1, 100, 1_000, 131_072, FRAME_SIZE, FRAME_SIZE_MAX):
        raw = random.Random(size).randbytes(size)
        frame = squeeze(raw)
        assert len(frame) <= squeezed_size_max(size)
        assert expand(frame, size) == raw


def test_a_frame_that_asks_for_a_dictionary_is_refused_before_it_is_opened() -> None:
    frame = b"\x28\xb5\x2f\xfd\x81\x00\x07" + (3).to_bytes(4, "little") + (1 | 3 << 3).to_bytes(3, "little") + b"abc"
    with pytest.raises(CorruptionError, match=r"states.*dictionary=7"):
        expand(frame, 3)
