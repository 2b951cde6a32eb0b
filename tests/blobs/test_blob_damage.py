"""Whatever the bytes of a blob are: what was written, or `CorruptionError` naming file and offset."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from struct import pack
from typing import Any

import pytest
import zstandard

from backpack.blobs import layout
from backpack.blobs.blob import Blob
from backpack.blobs.frames import LEVEL_SMALL, squeeze
from backpack.blobs.store import Blobs
from backpack.errors import CorruptionError, WrongKeyError
from backpack.storage.cover import PLAIN, Covers
from backpack.storage.memory import MemoryFolder
from tests.blobs.covers import MarkedCover, MarkedCovers

FRAME_SIZE = 32
CONTENT = b"".join(b"line %d\n" % number for number in range(25)) + b"rest"
DIGEST = PLAIN.digest([CONTENT])
NAME = DIGEST.hex()


def opened(data: bytes, covers: Covers = PLAIN, digest: bytes = DIGEST) -> Blob:
    return Blobs(MemoryFolder({digest.hex(): data}), covers, frame_size=FRAME_SIZE).open(digest)


def read_all(blob: Blob) -> list[Any]:
    lines = [blob.find_line(number, 3) for number in range(27)]
    return [blob.read(0, blob.size), b"".join(blob.chunks()), lines, blob.line_count, blob.read(30, 40)]


def outcome(data: bytes, covers: Covers, digest: bytes) -> list[Any] | None:
    """What reading gave; None for a corruption that is named."""
    try:
        with opened(data, covers, digest) as blob:
            return read_all(blob)
    except CorruptionError as error:
        assert error.file == digest.hex()  # type: ignore[attr-defined]
        assert 0 <= error.offset <= len(data)  # type: ignore[attr-defined]
        assert digest.hex() in str(error)
        return None


@pytest.fixture(params=["plain", "covered"])
def written(request: pytest.FixtureRequest) -> tuple[bytes, Covers, bytes]:
    covers = PLAIN if request.param == "plain" else MarkedCovers()
    folder = MemoryFolder()
    digest = Blobs(folder, covers, frame_size=FRAME_SIZE).put_bytes(CONTENT, is_durable=True)
    return dict(folder.walk())[digest.hex()] or b"", covers, digest


def test_every_flipped_byte_is_right_or_named_and_found_by_both_checks(written: tuple[bytes, Covers, bytes]) -> None:
    data, covers, digest = written
    right = outcome(data, covers, digest)
    assert right is not None
    for at in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[at] ^= flip
            assert outcome(bytes(damaged), covers, digest) in (right, None)
            for check in (Blob.check, Blob.check_stored):
                with pytest.raises(CorruptionError):
                    check(opened(bytes(damaged), covers, digest))


def test_every_truncation_and_every_surplus_is_named(written: tuple[bytes, Covers, bytes]) -> None:
    data, covers, digest = written
    for size in range(len(data)):
        assert outcome(data[:size], covers, digest) is None
        assert outcome(data[size:], covers, digest) is None or not size
    for surplus in (b"\0", data, data[:40], data[-40:]):
        assert outcome(data + surplus, covers, digest) is None


def test_a_hole_of_zeros_anywhere_is_named(written: tuple[bytes, Covers, bytes]) -> None:
    data, covers, digest = written
    for start in range(0, len(data), 7):
        with pytest.raises(CorruptionError):
            opened(data[:start] + bytes(len(data) - start), covers, digest).check_stored()


def test_a_file_that_gets_shorter_while_it_is_read_is_named() -> None:
    folder = MemoryFolder()
    blobs = Blobs(folder, PLAIN, frame_size=FRAME_SIZE)
    with blobs.open(blobs.put_bytes(CONTENT, is_durable=True)) as blob:
        folder.reopen(NAME).truncate(60)
        with pytest.raises(CorruptionError, match=NAME):
            blob.read(0, 200)


# -- lies with right checksums -------------------------------------------------------------------------------------


def forged(
    *,
    content: bytes = CONTENT,
    frame: Callable[[int, bytes], bytes] = lambda number, raw: squeeze(raw, LEVEL_SMALL),
    page: Callable[[list[int], list[int]], None] = lambda sizes, newlines: None,
    page_bytes: Callable[[bytes], bytes] = bytes,
    directory: Callable[[layout.Directory], layout.Directory] = lambda directory: directory,
    directory_bytes: Callable[[bytes], bytes] = bytes,
    trailer: Callable[[layout.Trailer], layout.Trailer] = lambda trailer: trailer,
    named: bytes = DIGEST,
) -> bytes:
    """A blob of one page in which every checksum is right, and the rest as told."""
    raws = [content[at : at + FRAME_SIZE] for at in range(0, len(content), FRAME_SIZE)]
    frames = [frame(number, raw) for number, raw in enumerate(raws)]
    sizes, newlines = [len(one) for one in frames], [raw.count(b"\n") for raw in raws]
    header = layout.pack_header(b"")
    pages_start = len(header) + sum(sizes)
    facts = (len(content), sum(newlines), FRAME_SIZE, (len(header), pages_start), (0, sum(newlines)))
    page(sizes, newlines)
    checksums = [layout.checksum(one) for one in frames]
    table = page_bytes(pack(f"<{2 * len(frames)}I{len(frames)}Q", *sizes, *newlines, *checksums))
    upper = directory(layout.Directory(*facts, (layout.checksum(table),)))
    packed = directory_bytes(layout.pack_directory(named, upper))
    end = trailer(layout.Trailer(pages_start, len(packed), layout.checksum(packed)))
    return b"".join([header, *frames, table, packed, layout.pack_trailer(end)])


def test_a_forgery_without_a_lie_is_a_blob() -> None:
    folder = MemoryFolder()
    Blobs(folder, PLAIN, frame_size=FRAME_SIZE).put_bytes(CONTENT, is_durable=True)
    assert forged() == dict(folder.walk())[NAME]


def changed(**facts: Any) -> Callable[[layout.Directory], layout.Directory]:
    return lambda directory: replace(directory, **facts)


def added(column: int, row: int, number: int) -> Callable[[list[int], list[int]], None]:
    def edit(*columns: list[int]) -> None:
        columns[column][row] += number

    return edit


def moved(sizes: list[int], newlines: list[int]) -> None:
    sizes[0] -= 1
    sizes[1] += 1


def emptied(sizes: list[int], newlines: list[int]) -> None:
    sizes[1] += sizes[0]
    sizes[0] = 0


OPENING: dict[str, dict[str, Any]] = {
    "a size beyond all": {"directory": changed(size=2**63)},
    "a size beyond the table": {"directory": changed(size=60 * 2**30)},
    "a size below the table": {"directory": changed(size=FRAME_SIZE)},
    "no size": {"directory": changed(size=0)},
    "no frame size": {"directory": changed(frame_size=0)},
    "tiny frames": {"directory": changed(frame_size=1)},
    "a frame of 4 GB": {"directory": changed(frame_size=2**32 - 1)},
    "more newlines than bytes": {"directory": changed(newline_count=2**40)},
    "newlines below the first page": {"directory": changed(newlines=(7, 0))},
    "a page that starts late": {"directory": changed(starts=(99, 0))},
    "a page that starts after the end": {"directory": changed(starts=(2**63, 0))},
    "two pages": {"directory": changed(starts=(19, 40, 0), newlines=(0, 3, 0), checksums=(1, 2))},
    "no page": {"directory": changed(starts=(0,), newlines=(0,), checksums=())},
    "another digest": {"named": bytes(32)},
    "a directory cut short": {"directory_bytes": lambda data: data[:20]},
    "a directory and more": {"directory_bytes": lambda data: data + b"\0"},
    "an empty directory": {"directory_bytes": lambda data: b""},
    "pages before the header": {"trailer": lambda trailer: replace(trailer, pages_start=3)},
    "pages behind the end": {"trailer": lambda trailer: replace(trailer, pages_start=2**63)},
    "pages a byte later": {"trailer": lambda trailer: replace(trailer, pages_start=trailer.pages_start + 1)},
    "a directory of 4 GB": {"trailer": lambda trailer: replace(trailer, directory_size=2**32 - 1)},
    "a directory larger than the file": {"trailer": lambda trailer: replace(trailer, directory_size=5_000)},
}


@pytest.mark.parametrize("lie", OPENING.values(), ids=OPENING)
def test_a_lie_of_the_directory_is_found_on_opening(lie: dict[str, Any]) -> None:
    with pytest.raises(CorruptionError, match=NAME):
        opened(forged(**lie))


PAGES: dict[str, dict[str, Any]] = {
    "sizes that sum up to less": {"page": added(0, 1, -1)},
    "sizes that sum up to more": {"page": added(0, 1, 1)},
    "a size of 4 GB": {"page": lambda sizes, newlines: sizes.__setitem__(1, 2**32 - 1)},
    "a frame of no bytes": {"page": emptied},
    "frames that begin elsewhere": {"page": moved},
    "newlines that sum up to more": {"page": added(1, 2, 1)},
    "more newlines than bytes": {"page": lambda sizes, newlines: newlines.__setitem__(2, 2**32 - 1)},
    "a page with another checksum": {"directory": changed(checksums=(7,))},
}


@pytest.mark.parametrize("lie", PAGES.values(), ids=PAGES)
def test_a_lie_of_a_page_is_found_on_reading(lie: dict[str, Any]) -> None:
    for act in (lambda blob: blob.read(0, 1), lambda blob: blob.find_line(2), Blob.check, Blob.check_stored):
        with pytest.raises(CorruptionError, match=NAME):
            act(opened(forged(**lie)))


def exchanged(sizes: list[int], newlines: list[int]) -> None:
    newlines[0] += newlines[1]
    newlines[1] = 0


def test_wrong_newlines_that_sum_up_are_found_where_they_matter_and_by_the_check() -> None:
    blob = opened(forged(page=exchanged))
    with pytest.raises(CorruptionError, match="newlines"):
        blob.find_line(CONTENT.count(b"\n", 0, FRAME_SIZE) + 1)
    with pytest.raises(CorruptionError, match="newlines"):
        blob.check()
    assert blob.read(0, 500) == CONTENT


def test_another_content_with_the_digest_of_this_one_is_found_by_the_check() -> None:
    blob = opened(forged(content=CONTENT[::-1]))
    blob.check_stored()
    with pytest.raises(CorruptionError, match="content"):
        blob.check()


def frame_by_hand(size: int, window: int, dictionary: int, raw: bytes, extra: bytes = b"") -> bytes:
    """A frame with one uncompressed block."""
    head = b"\x28\xb5\x2f\xfd" + bytes([0x80 | (1 if dictionary else 0), window])
    head += bytes([dictionary]) if dictionary else b""
    return head + size.to_bytes(4, "little") + (1 | len(raw) << 3).to_bytes(3, "little") + raw + extra


def unknown_size(raw: bytes) -> bytes:
    compressor = zstandard.ZstdCompressor(write_content_size=False)
    return compressor.compress(raw)


BOMB = zstandard.ZstdCompressor().compress(bytes(16 << 20))
FRAMES: dict[str, Callable[[bytes], bytes]] = {
    "a bomb that states its size": lambda raw: BOMB,
    "a bomb that doesn't": lambda raw: unknown_size(bytes(16 << 20)),
    "a frame of 4 MB in the file": lambda raw: squeeze(raw) + bytes(4 << 20),
    "an unknown size": unknown_size,
    "a window of 16 MiB": lambda raw: frame_by_hand(len(raw), 14 << 3, 0, raw),
    "a window of 2 TiB": lambda raw: frame_by_hand(len(raw), 0xFF, 0, raw),
    "a dictionary": lambda raw: frame_by_hand(len(raw), 0, 7, raw),
    "a size too small": lambda raw: squeeze(raw[:-1]),
    "a size too large": lambda raw: squeeze(raw + b"!"),
    "a stated size that is not held": lambda raw: frame_by_hand(len(raw), 0, 0, raw[:-1]),
    "a stated size that is exceeded": lambda raw: frame_by_hand(len(raw), 0, 0, raw + b"!!"),
    "bytes behind the frame": lambda raw: squeeze(raw) + b"!",
    "a second frame": lambda raw: squeeze(raw) + squeeze(raw),
    "a frame to skip": lambda raw: b"\x50\x2a\x4d\x18" + len(raw).to_bytes(4, "little") + raw,
    "half a frame": lambda raw: squeeze(raw)[:-3],
    "no frame": lambda raw: b"!" * 20,
    "a single byte": lambda raw: b"!",
}


def test_a_frame_by_hand_without_a_lie_is_read() -> None:
    blob = opened(forged(frame=lambda number, raw: frame_by_hand(len(raw), 0, 0, raw)))
    blob.check()


@pytest.mark.parametrize("lie", FRAMES.values(), ids=FRAMES)
def test_a_frame_that_lies_is_refused_before_it_makes_memory(lie: Callable[[bytes], bytes]) -> None:
    folder = MemoryFolder({NAME: forged(frame=lambda number, raw: lie(raw) if number == 1 else squeeze(raw))})
    blobs = Blobs(folder, PLAIN)
    tracemalloc.start()
    try:
        with pytest.raises(CorruptionError, match=NAME):
            blobs.open(DIGEST).read(FRAME_SIZE, 1)
        with pytest.raises(CorruptionError, match=NAME):
            blobs.open(DIGEST).check()
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_newer_format_is_told_from_damage() -> None:
    data = forged()
    with pytest.raises(CorruptionError, match=r"newer backpack may.*file="):
        opened(data[:8] + b"\x02" + data[9:])


def test_a_wrong_key_stays_what_it_is() -> None:
    class Locked(MarkedCovers):
        def known(self, name: bytes, header: bytes) -> Any:
            raise WrongKeyError("encrypted with another key", key_id="ab")

    with pytest.raises(WrongKeyError, match=NAME) as caught:
        opened(forged(), Locked())
    assert caught.value.key_id == "ab"


def test_equal_frames_of_a_covered_blob_differ_by_their_places() -> None:
    folder, covers, raw = MemoryFolder(), MarkedCovers(), b"same bytes in it" * 2
    digest = Blobs(folder, covers, frame_size=len(raw)).put_bytes(raw * 2, is_durable=True)
    data = dict(folder.walk())[digest.hex()] or b""
    start, cover_header = layout.read_header(data)
    size = len(squeeze(raw)) + MarkedCover.overhead
    first, second = data[start : start + size], data[start + size : start + 2 * size]
    cover = covers.known(layout.COVER_NAME, cover_header)
    assert cover.uncover(first, b"frame:0") == cover.uncover(second, b"frame:1") == squeeze(raw)
    with pytest.raises(CorruptionError):
        cover.uncover(first, b"frame:1")
