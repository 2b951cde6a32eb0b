"""Exact slices of a text or of bytes, wherever they stand: in memory, in pieces, in segments, in blobs.

Nothing is unpacked or joined: a slice costs what it touches. See `blobs.text` for what a line is.
"""

from backpack.archive.archive import Stored
from backpack.archive.reading import OpenBlobs
from backpack.blobs.reading import BytesReader, JoinedReader, Reader
from backpack.blobs.text import byte_slice, text_lines
from backpack.core.payload import Content, Source, slices_of
from backpack.errors import InvalidArgumentError
from backpack.store.records import Lines

_EVERYTHING = 1 << 62


def text_of(content: Content, lines: Lines | None) -> str:
    """Those lines of a packed text, or all of it; empty past the end. `NotTextError`, `InvalidArgumentError`."""
    first, last = _checked(lines)
    return text_lines(reader_of(content), first, last)


def bytes_of(content: Content, start: int, length: int | None) -> bytes:
    """So many bytes (None: all) from there, of packed bytes or of the UTF-8 of a text. The same errors."""
    return byte_slice(reader_of(content), start, _EVERYTHING if length is None else length)


def reader_of(content: Content) -> Reader:
    """Packed bytes, to be read in slices."""
    if type(content) is bytes:
        return BytesReader(content)
    opened: OpenBlobs = {}
    return JoinedReader([(_reader(source, opened), start, stop) for source, start, stop in slices_of(content)])


def _reader(source: Source, opened: OpenBlobs) -> Reader:
    if isinstance(source, Stored):
        return source.reader(opened)
    return BytesReader(source if isinstance(source, bytes) else source.data)


def _checked(lines: Lines | None) -> Lines:
    if lines is None:
        return 1, _EVERYTHING
    if not isinstance(lines, tuple | list) or len(lines) != 2:
        raise InvalidArgumentError("lines are a pair, the first and the last: lines=(10, 40)")
    return lines[0], lines[1]
