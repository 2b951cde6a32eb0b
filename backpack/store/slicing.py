"""Exact slices of a text or of bytes, wherever they stand: in memory, in pieces, in segments, in blobs.

Nothing is unpacked or joined: a slice costs what it touches. See `blobs.text` for what a line is.
"""

from collections.abc import Iterator
from functools import partial

from backpack.archive.archive import Archive
from backpack.archive.reading import OpenBlobs
from backpack.archive.values import Stored
from backpack.blobs.reading import BytesReader, IndexedReader, JoinedReader, Reader
from backpack.blobs.text import byte_slice, text_lines
from backpack.core.payload import Buffer, Content, slices_of
from backpack.errors import InvalidArgumentError
from backpack.store.records import Lines

INDEXED_SIZE_MIN = 1 << 20
"""Bytes in memory whose lines are looked up in a blob: fewer are counted sooner than it is opened."""

_EVERYTHING = 1 << 62


def text_of(content: Content, lines: Lines | None, archive: Archive | None = None) -> str:
    """Those lines of a packed text, or all of it; empty past the end. `NotTextError`, `InvalidArgumentError`.

    `archive`: of the store, whose blobs know where the lines of a long text are.
    """
    first, last = _checked(lines)
    return text_lines(reader_of(content, None if lines is None else archive), first, last)


def bytes_of(content: Content, start: int, length: int | None) -> bytes:
    """So many bytes (None: all) from there, of packed bytes or of the UTF-8 of a text. The same errors."""
    return byte_slice(reader_of(content), start, _EVERYTHING if length is None else length)


def reader_of(content: Content, archive: Archive | None = None) -> Reader:
    """Packed bytes, to be read in slices."""
    if type(content) is bytes:
        return BytesReader(content)
    opened: OpenBlobs = {}
    slices: list[tuple[Reader, int, int]] = []
    for source, start, stop in slices_of(content):
        if isinstance(source, Stored):
            slices.append((source.reader(opened), start, stop))
            continue
        memory = BytesReader(source if isinstance(source, bytes) else source.data)
        if archive is not None and isinstance(source, Buffer) and stop - start >= INDEXED_SIZE_MIN:
            slices += _indexed(memory, start, stop, source, archive, opened)
        else:
            slices.append((memory, start, stop))
    if len(slices) == 1 and slices[0][1:] == (0, slices[0][0].size) and type(slices[0][0]) is BytesReader:
        return slices[0][0]  # lines are counted up to those that are wanted, no further
    return JoinedReader(slices)


def _indexed(
    memory: BytesReader, start: int, stop: int, buffer: Buffer, archive: Archive, opened: OpenBlobs
) -> Iterator[tuple[Reader, int, int]]:
    """A slice of a buffer: what stands in blobs as well, and what lies between."""
    for first, last, digest, at in archive.blobs_of(buffer):
        first, shift, last = max(first, start), at - first, min(last, stop)
        if last - first >= INDEXED_SIZE_MIN:
            yield memory, start, first
            yield IndexedReader(memory, shift, partial(_opened, digest, archive, opened)), first, last
            start = last
    yield memory, start, stop


def _opened(digest: bytes, archive: Archive, opened: OpenBlobs) -> Reader:
    if digest not in opened:
        opened[digest] = archive.open_blob(digest)
    return opened[digest]


def _checked(lines: Lines | None) -> Lines:
    if lines is None:
        return 1, _EVERYTHING
    if not isinstance(lines, tuple | list) or len(lines) != 2:
        raise InvalidArgumentError("lines are a pair, the first and the last: lines=(10, 40)")
    return lines[0], lines[1]
