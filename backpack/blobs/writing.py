"""Writing a blob as its bytes come.

Memory: one frame of raw bytes, its compressed form, and 16 bytes of table for each frame so far.
"""

from array import array
from collections.abc import Iterable, Iterator
from struct import pack
from typing import Final

from backpack.blobs import layout
from backpack.blobs.frames import FRAME_SIZE, LEVEL_FAST, squeeze
from backpack.errors import InvalidArgumentError
from backpack.limits import BLOB_SIZE_MAX
from backpack.storage.cover import Cover
from backpack.storage.protocol import File

_NARROW: Final = "I"
_WIDE: Final = "Q"


class BlobWriter:
    """One blob on its way into a new file: `write` as often as there are bytes, then `finish`."""

    __slots__ = (
        "_checksums",
        "_cover",
        "_file",
        "_frame_size",
        "_level",
        "_newlines",
        "_position",
        "_sizes",
        "_waiting",
        "size",
    )

    def __init__(self, file: File, cover: Cover, frame_size: int = FRAME_SIZE, level: int = LEVEL_FAST) -> None:
        self._file = file
        self._cover = cover
        self._frame_size = frame_size
        self._level = level
        self._waiting = bytearray()
        self._sizes = array(_NARROW)
        self._newlines = array(_NARROW)
        self._checksums = array(_WIDE)
        header = layout.pack_header(cover.header)
        file.append(header)
        self._position = len(header)
        self.size = 0
        """Raw bytes so far."""

    def written(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks again, each written when it has been taken: so one pass makes the digest and the file."""
        for chunk in chunks:
            self.write(chunk)
            yield chunk

    def write(self, chunk: bytes) -> None:
        """`InvalidArgumentError` when the blob gets too large."""
        self.size += len(chunk)
        if self.size > BLOB_SIZE_MAX:
            raise InvalidArgumentError(f"too large for a blob: size>={self.size} limit={BLOB_SIZE_MAX}")
        size, at = self._frame_size, 0
        if self._waiting:
            at = size - len(self._waiting)
            self._waiting += chunk[:at]
            if len(self._waiting) < size:
                return
            self._put_frame(bytes(self._waiting))
            self._waiting.clear()
        while len(chunk) - at >= size:
            self._put_frame(chunk[at : at + size])
            at += size
        self._waiting += chunk[at:]

    def finish(self, digest: bytes) -> int:
        """The rest, the table and the trailer; returns the size of the file."""
        if self._waiting:
            self._put_frame(bytes(self._waiting))
        pages_start = self._position
        directory = self._put_pages()
        place = layout.directory_place(digest)
        covered = self._cover.cover(layout.pack_directory(digest, directory), place)
        trailer = layout.Trailer(pages_start, len(covered), layout.checksum(covered))
        self._append(covered + layout.pack_trailer(trailer))
        return self._position

    def _put_frame(self, raw: bytes) -> None:
        covered = self._cover.cover(squeeze(raw, self._level), layout.frame_place(len(self._sizes)))
        self._sizes.append(len(covered))
        self._newlines.append(raw.count(b"\n"))
        self._checksums.append(layout.checksum(covered))
        self._append(covered)

    def _put_pages(self) -> layout.Directory:
        starts, before = [self._position - sum(self._sizes)], [0]
        checksums: list[int] = []
        for first in range(0, len(self._sizes), layout.PAGE_FRAMES):
            sizes = self._sizes[first : first + layout.PAGE_FRAMES]
            newlines = self._newlines[first : first + layout.PAGE_FRAMES]
            columns = (*sizes, *newlines, *self._checksums[first : first + layout.PAGE_FRAMES])
            packed = pack(f"<{2 * len(sizes)}I{len(sizes)}Q", *columns)
            covered = self._cover.cover(packed, layout.page_place(len(checksums)))
            self._append(covered)
            starts.append(starts[-1] + sum(sizes))
            before.append(before[-1] + sum(newlines))
            checksums.append(layout.checksum(covered))
        return layout.Directory(self.size, before[-1], self._frame_size, tuple(starts), tuple(before), tuple(checksums))

    def _append(self, data: bytes) -> None:
        self._file.append(data)
        self._position += len(data)
