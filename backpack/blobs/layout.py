"""The layout of a blob, and the proofs of every number in it.

    blob      = header, frame*, page*, directory, trailer                      numbers little-endian
    header    = magic (8 bytes), version (u16), size of the cover header (u8), cover header, checksum (u64)
    frame     = covered zstd frame of `frame size` raw bytes; the last one may be shorter
    page      = covered: for each of its 256 frames (the last page may have fewer): size in the file (u32)*,
                newlines in its raw bytes (u32)*, checksum (u64)*; column after column
    directory = covered: digest (32 bytes), raw size (u64), newlines (u64), frame size (u32),
                for each page: start of its first frame in the file (u64), newlines before it (u64), checksum (u64)
    trailer   = start of the pages (u64), size of the directory (u32), checksum of the directory (u64),
                mark (4 bytes), checksum of the trailer so far (u64)

Checksums are xxh3_64 of the bytes on disk; that of the header is over all of it. The places that covers are bound to
are `frame:17`, `page:0` and `directory:` with the digest in hex: a stream is written before its digest is known, so
only the directory says whose frames these are, and the key of the file holds the rest to it.

All frames but the last have one raw size, so an offset gives its frame by a division; a line is found by two
bisections. A slice reads the header, the last 4 KiB of the file, one page and the frames it touches: at 1 GB that is
8 KiB and the frames, whatever the size of the table.

Everything here raises `CorruptionError` that names no file; the blob adds it.
"""

from dataclasses import dataclass
from itertools import accumulate, pairwise
from struct import Struct, unpack
from typing import Final

from xxhash import xxh3_64_intdigest

from backpack.blobs.frames import FRAME_SIZE_MAX, squeezed_size_max
from backpack.errors import CorruptionError
from backpack.limits import BLOB_SIZE_MAX, MIB
from backpack.storage.cover import DIGEST_SIZE

MAGIC: Final = b"\x89BKBLOB\n"
FORMAT_VERSION: Final = 1
COVER_NAME: Final = b"blob"
"""The name that the cover of every blob is made for: whose frames these are, the directory says."""

PAGE_FRAMES: Final = 256
FRAME_ROW_SIZE: Final = 16
DIRECTORY_SIZE_MAX: Final = MIB
"""Bytes of a directory that are believed on reading; one of 64 GiB has 25 KiB."""

_PREFIX: Final = Struct("<8sHB")
_CHECKSUM: Final = Struct("<Q")
_HEAD: Final = Struct(f"<{DIGEST_SIZE}sQQI")
_PAGE_ROW: Final = Struct("<QQQ")
_TRAILER: Final = Struct("<QIQ4s")
_MARK: Final = b"BEND"
TRAILER_SIZE: Final = _TRAILER.size + _CHECKSUM.size
HEADER_SIZE_MAX: Final = _PREFIX.size + 255 + _CHECKSUM.size

checksum: Final = xxh3_64_intdigest


def frame_place(number: int) -> bytes:
    return b"frame:%d" % number


def page_place(number: int) -> bytes:
    return b"page:%d" % number


def directory_place(digest: bytes) -> bytes:
    return b"directory:" + digest.hex().encode()


def _sealed(data: bytes) -> bytes:
    return data + _CHECKSUM.pack(checksum(data))


# -- header and trailer --------------------------------------------------------------------------------------------


def pack_header(cover_header: bytes) -> bytes:
    return _sealed(_PREFIX.pack(MAGIC, FORMAT_VERSION, len(cover_header)) + cover_header)


def read_header(data: bytes) -> tuple[int, bytes]:
    """The size of the header and what the cover put there; `data` is the file's beginning, and may go on."""
    if not data.startswith(MAGIC[: len(data)]) or not data:
        raise CorruptionError("this is no blob")
    if len(data) < _PREFIX.size:
        raise CorruptionError("the header is cut short")
    _, version, cover_size = _PREFIX.unpack_from(data)
    if version != FORMAT_VERSION:
        raise CorruptionError(
            f"a format that this version of backpack does not read: version={version} known={FORMAT_VERSION}; "
            "a newer backpack may, unless the file is damaged"
        )
    size = _PREFIX.size + cover_size
    if data[size : size + _CHECKSUM.size] != _CHECKSUM.pack(checksum(data[:size])):
        raise CorruptionError("the checksum of the header does not match")
    return size + _CHECKSUM.size, data[_PREFIX.size : size]


@dataclass(frozen=True, slots=True)
class Trailer:
    """Where the directory is."""

    pages_start: int
    directory_size: int
    directory_checksum: int


def pack_trailer(trailer: Trailer) -> bytes:
    return _sealed(_TRAILER.pack(trailer.pages_start, trailer.directory_size, trailer.directory_checksum, _MARK))


def read_trailer(data: bytes, header_size: int, file_size: int) -> Trailer:
    """`data`: the last `TRAILER_SIZE` bytes of the file."""
    if len(data) < TRAILER_SIZE or data != _sealed(data[: _TRAILER.size]):
        raise CorruptionError("the checksum of the trailer does not match")
    pages_start, directory_size, directory_checksum, mark = _TRAILER.unpack_from(data)
    directory_start = file_size - TRAILER_SIZE - directory_size
    if mark != _MARK or directory_size > DIRECTORY_SIZE_MAX or not header_size <= pages_start <= directory_start:
        raise CorruptionError(f"the trailer says what can't be: {pages_start=} {directory_size=} {file_size=}")
    return Trailer(pages_start, directory_size, directory_checksum)


# -- the directory -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Directory:
    """The upper level of the table: a row a page. `starts` and `newlines` have one more, where the last page ends."""

    size: int
    newline_count: int
    frame_size: int
    starts: tuple[int, ...]
    newlines: tuple[int, ...]
    checksums: tuple[int, ...]

    @property
    def frame_count(self) -> int:
        return -(-self.size // self.frame_size)

    @property
    def page_count(self) -> int:
        return len(self.checksums)

    def raw_size(self, frame: int) -> int:
        """Raw bytes of that frame."""
        return min(self.frame_size, self.size - frame * self.frame_size)

    def page_rows(self, page: int) -> int:
        """Frames in that page."""
        return min(PAGE_FRAMES, self.frame_count - page * PAGE_FRAMES)


def pack_directory(digest: bytes, directory: Directory) -> bytes:
    head = _HEAD.pack(digest, directory.size, directory.newline_count, directory.frame_size)
    rows = zip(directory.starts, directory.newlines, directory.checksums, strict=False)
    return head + b"".join([_PAGE_ROW.pack(*row) for row in rows])


def read_directory(
    data: bytes, digest: bytes, header_size: int, pages_start: int, pages_size: int, overhead: int
) -> Directory:
    """The directory of the blob of that digest; `pages_size`: bytes between `pages_start` and the directory."""
    if len(data) < _HEAD.size:
        raise CorruptionError("the directory is cut short")
    named, size, newline_count, frame_size = _HEAD.unpack_from(data)
    if named != digest:
        raise CorruptionError(f"the blob is another one: digest={named.hex()}")
    if size > BLOB_SIZE_MAX or not 1 <= frame_size <= FRAME_SIZE_MAX or newline_count > size:
        raise CorruptionError(f"the directory says what can't be: {size=} {frame_size=} {newline_count=}")
    frame_count = -(-size // frame_size)
    page_count = -(-frame_count // PAGE_FRAMES)
    if (
        len(data) != _HEAD.size + page_count * _PAGE_ROW.size
        or pages_size != frame_count * FRAME_ROW_SIZE + page_count * overhead
    ):
        raise CorruptionError(f"the table does not fit the size of the value: {size=} {frame_size=} {pages_size=}")
    columns = unpack(f"<{3 * page_count}Q", data[_HEAD.size :])
    starts, newlines = (*columns[0::3], pages_start), (*columns[1::3], newline_count)
    if starts[0] != header_size or newlines[0] or not _rises(starts) or not _rises(newlines):
        raise CorruptionError("the directory says what can't be: its pages are not in order")
    return Directory(size, newline_count, frame_size, starts, newlines, columns[2::3])


def _rises(numbers: tuple[int, ...]) -> bool:
    return all(first <= second for first, second in pairwise(numbers))


# -- pages ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page:
    """The table of up to 256 frames. `starts` (in the file) and `newlines` (before the frame, in all of the raw
    bytes) have one more, where the last frame ends."""

    starts: tuple[int, ...]
    newlines: tuple[int, ...]
    checksums: tuple[int, ...]


def read_page(data: bytes, directory: Directory, number: int, overhead: int) -> Page:
    """The table of that page, which agrees with the directory."""
    count = directory.page_rows(number)
    if len(data) != count * FRAME_ROW_SIZE:
        raise CorruptionError(f"a page of the table has the wrong size: page={number} size={len(data)} {count=}")
    fields = unpack(f"<{2 * count}I{count}Q", data)
    sizes, newlines, checksums = fields[:count], fields[count : 2 * count], fields[2 * count :]
    size_max = squeezed_size_max(directory.frame_size) + overhead
    starts = tuple(accumulate(sizes, initial=directory.starts[number]))
    before = tuple(accumulate(newlines, initial=directory.newlines[number]))
    if (
        max(sizes) > size_max
        or starts[-1] != directory.starts[number + 1]
        or before[-1] != directory.newlines[number + 1]
    ):
        raise CorruptionError(f"a page of the table says what can't be: page={number}")
    return Page(starts, before, checksums)
