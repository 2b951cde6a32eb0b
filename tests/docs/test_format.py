"""The page about the format says what the code has."""

import re
from itertools import pairwise

from backpack.archive import content, frames, layout, manifest, opened, placing
from backpack.blobs import frames as blob_frames
from backpack.blobs import layout as blob_layout
from backpack.limits import KIB, MIB
from backpack.storage import encryption

from .blocks import document, run


def table(begin: str) -> list[tuple[int, int]]:
    """`(at, size)` of the rows with numbers, of the first table behind some words."""
    rows = document("docs/format.md").partition(begin)[2].partition("\n\n")[0].partition("\n|")[2].partition("\n\n")[0]
    return [(int(at), int(size)) for at, size in re.findall(r"^\| (-?\d+) \| (\d+) \|", rows, re.MULTILINE)]


def test_the_log_can_be_read_by_what_the_page_says() -> None:
    assert run("docs/format.md") > 8


def test_tables_of_bytes_have_the_sizes_of_the_code() -> None:
    for begin, size in (
        ("| at | size | head of a log |", frames.LOG_HEAD.size),
        ("| at | size | frame |", frames.FRAME.size + frames.SUM.size),
        ("| at | size | header |", layout.HEADER.size),
    ):
        rows = table(begin)
        assert rows[-1][0] + rows[-1][1] == size, begin
        assert all(at + length == following for (at, length), (following, _) in pairwise(rows))
    trailer = table("| at, from the end | size | trailer |")
    assert (trailer[0][0], sum(length for _, length in trailer)) == (-layout.TRAILER_SIZE, layout.TRAILER_SIZE)


def test_numbers_of_the_page_are_those_of_the_code() -> None:
    text = " ".join(document("docs/format.md").split())
    assert f"Format version {manifest.FORMAT_VERSION}" in text
    assert {manifest.FORMAT_VERSION, frames.VERSION, layout.VERSION, blob_layout.FORMAT_VERSION} == {1}
    assert f"The directory has {layout.DIRECTORY_SIZE} bytes" in text
    assert f"at most {content.CUTS_MAX} cuts" in text
    assert f"stand in {placing.PARTS_MAX} places" in text
    assert f"up to {placing.TAIL_SIZE_MAX // KIB} KiB at a time" in text
    assert f"frames of up to {layout.BLOCK_SIZE // KIB} KiB" in text
    assert f"blocks of {layout.LARGE_BLOCK_SIZE // KIB} KiB" in text
    assert f"up to {layout.PAGE_COUNT} commits" in text
    assert f"{layout.CHUNK_SIZE // KIB} KiB before compression, at most {layout.CHUNK_COUNT} items" in text
    assert f"of keys {layout.KEYS_SIZE // KIB} KiB, at most {layout.KEYS_COUNT:,}" in text
    assert f"zstd, {blob_frames.FRAME_SIZE // KIB} KiB" in text
    assert f"of up to {blob_layout.PAGE_FRAMES} frames" in text
    assert f"Above {opened.SEGMENT_SIZE / MIB:g} MiB" in text
    assert f"above {opened.SEAL_SIZE_MIN // KIB} KiB" in text
    assert f"{encryption.HEADER_SIZE} bytes" in text and f"{encryption.OVERHEAD} bytes more" in text
    for magic in (manifest._MAGIC, manifest._CLEAN_MAGIC, frames.MAGIC, layout.MAGIC, layout.END_MAGIC):
        assert magic.decode().replace("\0", r"\0").replace("\1", r"\1").replace("\n", r"\n") in text
