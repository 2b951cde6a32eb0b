"""Exact slices of a packed text or of packed bytes, without unpacking the rest.

Lines are counted from 1 and end at a newline, at nothing else: a line keeps its carriage return, and a last line that
has no newline gets none. So slices that follow one another joined are the text, byte for byte. Slices of bytes are
those of the UTF-8 of a text, and may cut a character in two.

A text is a msgpack str, or the extension for one with lone surrogates; bytes are a msgpack bin, or the extension for a
bytearray. Cost: the header, the slice, and what the reader takes to find a line.
"""

from dataclasses import dataclass
from typing import Final

from backpack.blobs.reading import Reader
from backpack.codec import arrays, extensions
from backpack.core.headers import BYTES, FAMILIES, LIST, TEXT, header_size
from backpack.errors import CorruptionError, InvalidArgumentError, NotTextError

_HEAD_SIZE: Final = 6
"""The longest header: an extension with a size of four bytes."""

_FIXED_EXTENSIONS: Final = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
_SIZED_EXTENSIONS: Final = {0xC7: 1, 0xC8: 2, 0xC9: 4}
"""First byte of an extension -> bytes of its body, or bytes of the size of its body."""

_SCALARS: Final = {0xC0: "None", 0xC2: "bool", 0xC3: "bool", 0xCA: "float", 0xCB: "float"}
_EXTENSIONS: Final = {
    **{code: cls.__name__ for cls, (code, _) in (*extensions.LEAVES.items(), *extensions.CONTAINERS.items())},
    extensions.PATH: "Path",
    extensions.RECORD: "object of a registered class",
    extensions.CUSTOM: "object of a registered class",
    **dict.fromkeys(arrays.CODES, "numpy value"),
}


@dataclass(frozen=True, slots=True)
class _Body:
    """Where the text or the bytes begin in the payload; which of both they are."""

    start: int
    is_text: bool
    has_surrogates: bool


def text_lines(reader: Reader, first: int, last: int) -> str:
    """Lines `first` to `last` of a text, both included, counted from 1; empty past the end.

    `InvalidArgumentError` when that is no range, `NotTextError` (a TypeError) when the value is no text.
    """
    if type(first) is not int or type(last) is not int or first < 1 or last < first:
        raise InvalidArgumentError(f"no range of lines: {first=} {last=}; lines count from 1, and the last is included")
    body = _text_body(reader)
    start = reader.find_line(first - 1, body.start)
    stop = reader.find_line(last - first + 1, start)
    return _decoded(reader.read(start, stop - start), body)


def line_count(reader: Reader) -> int:
    """Lines of a text; a rest behind the last newline is one. `NotTextError` when the value is no text."""
    body = _text_body(reader)
    count = reader.count_newlines(body.start, reader.size)
    has_rest = reader.size > body.start and reader.read(reader.size - 1, 1) != b"\n"
    return count + has_rest


def byte_slice(reader: Reader, start: int, length: int) -> bytes:
    """So many bytes from there, of bytes or of the UTF-8 of a text; fewer only at the end.

    Lone surrogates have the three bytes that `surrogatepass` gives them. `InvalidArgumentError` when that is no slice,
    `NotTextError` (a TypeError) when the value is neither.
    """
    if type(start) is not int or type(length) is not int or start < 0 or length < 0:
        raise InvalidArgumentError(f"no slice of bytes: {start=} {length=}; both count from 0")
    return reader.read(_body(reader).start + start, length)


def _text_body(reader: Reader) -> _Body:
    body = _body(reader)
    if not body.is_text:
        raise NotTextError("only text has lines: the value is bytes; ask for a slice of bytes", kind="bytes")
    return body


def _body(reader: Reader) -> _Body:
    head = reader.read(0, _HEAD_SIZE)
    if not head:
        raise CorruptionError("not a payload: it is empty")
    first = head[0]
    if FAMILIES[first] == TEXT or FAMILIES[first] == BYTES:
        start = header_size(head)
        size = first & 0x1F if start == 1 else int.from_bytes(head[1:start], "big")
        body = _Body(start, FAMILIES[first] == TEXT, False)
    elif first in _FIXED_EXTENSIONS or first in _SIZED_EXTENSIONS:
        width = _SIZED_EXTENSIONS.get(first, 0)
        start = 2 + width
        size = int.from_bytes(head[1 : 1 + width], "big") if width else _FIXED_EXTENSIONS[first]
        code = head[1 + width] if len(head) > 1 + width else 0
        if code != extensions.SURROGATES and code != extensions.BYTEARRAY:
            raise _not_text(_EXTENSIONS.get(code, f"extension {code}"))
        body = _Body(start, code == extensions.SURROGATES, code == extensions.SURROGATES)
    else:
        raise _not_text(_kind(first))
    if start + size != reader.size:
        raise CorruptionError(f"not a payload: its header says another size: expected={start + size} {reader.size=}")
    return body


def _kind(first: int) -> str:
    """What a value is, by its first byte."""
    if FAMILIES[first] == LIST:
        return "list"
    if 0x80 <= first <= 0x8F or first == 0xDE or first == 0xDF:
        return "dict"
    return _SCALARS.get(first, "int")


def _not_text(kind: str) -> NotTextError:
    return NotTextError(f"only text and bytes have slices: the value is of another kind: {kind=}", kind=kind)


def _decoded(data: bytes, body: _Body) -> str:
    try:
        return data.decode("utf-8", "surrogatepass" if body.has_surrogates else "strict")
    except UnicodeDecodeError as error:
        offset = error.start
    raise CorruptionError(f"not a payload: a text is no UTF-8: {offset=} of the slice")
