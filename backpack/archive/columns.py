"""Tables of numbers as they stand in a segment: columns in the narrowest width, read where they lie.

    table   := count u32  zero u32  column_head{count}  data{count}
    column_head := count u64  base i64  width u64            of width 0, 1, 2, 4 or 8; little endian
    data    := number{count}                                 what is stored is the number minus `base`

A column whose numbers are all equal has width 0 and takes no room. Texts and digests are columns of bytes. Reading
parses the heads and nothing else: a column is a view of the bytes it came in, whatever its length, so a number in it
is believed no further than whoever uses it has bounded it.
"""

import sys
from array import array
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Final

COUNT_MAX: Final = 1 << 24
"""Numbers in one column, of what is not bytes: changes of one segment, above all."""

_TABLE: Final = Struct("<II")
_HEAD: Final = Struct("<QqQ")
_CODES: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}
WIDTHS: Final = frozenset((0, *_CODES))
"""Bytes that a number may take."""
_IS_LITTLE: Final = sys.byteorder == "little"
_ZEROS: Final = memoryview(bytes(1 << 16))

View = memoryview
"""Of numbers: without their base."""


class Column:
    """Numbers: `base + data[i]`. `data` may be one byte a number of zeros that all columns share."""

    __slots__ = ("base", "data", "has_width")

    def __init__(self, base: int, data: "memoryview[int]", has_width: bool = True) -> None:
        self.base = base
        self.data = data
        self.has_width = has_width

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> int:
        return self.base + self.data[index]

    def list(self) -> list[int]:
        """All numbers. Cost: those."""
        base = self.base
        if not base:
            return self.data.tolist()
        return [base + number for number in self.data.tolist()]


class Packed:
    """A column on its way to disk."""

    __slots__ = ("base", "count", "data", "width")

    def __init__(self, count: int, base: int, width: int, data: bytes) -> None:
        self.count = count
        self.base = base
        self.width = width
        self.data = data


def pack_column(numbers: Sequence[int], *, is_plain: bool = False, width: int | None = None) -> Packed:
    """A column of these. `is_plain`: without a base, so that a reader need not add it; numbers from 0 on. `width`: so
    many bytes each, even where fewer would do; plain."""
    count = len(numbers)
    if width is not None:
        return Packed(count, 0, width, bytes_of(numbers, width))
    if not count:
        return Packed(0, 0, 0, b"")
    if isinstance(numbers, array):
        numbers = numbers.tolist()
    base = last = numbers[0]
    if last != numbers[-1] or numbers.count(base) < count:
        base, last = min(numbers), max(numbers)
    if base == last and not (is_plain and base):
        return Packed(count, base, 0, b"")
    if is_plain:
        base = 0
    width = width_of(last - base)
    return Packed(count, base, width, bytes_of([number - base for number in numbers] if base else numbers, width))


def width_of(span: int) -> int:
    """The bytes that each number up to this one takes."""
    return 1 if span < 1 << 8 else 2 if span < 1 << 16 else 4 if span < 1 << 32 else 8


def bytes_of(numbers: Iterable[int], width: int) -> bytes:
    """Numbers of that width, as they are stored."""
    if not width:
        return b""
    data = array(_CODES[width], numbers)
    if not _IS_LITTLE:
        data.byteswap()
    return data.tobytes()


def pack_bytes(data: bytes) -> Packed:
    """A column of bytes, as they are."""
    return Packed(len(data), 0, 1, data)


def pack_table(columns: Iterable[Packed]) -> bytes:
    """The bytes of a table."""
    columns = list(columns)
    heads = [_HEAD.pack(column.count, column.base, column.width) for column in columns]
    return b"".join((_TABLE.pack(len(columns), 0), *heads, *[column.data for column in columns]))


def read_table(data: bytes, count: int) -> list[Column]:
    """The columns of a table that has so many; ValueError when it can't be one. Cost: O(columns)."""
    if len(data) < _TABLE.size + count * _HEAD.size or _TABLE.unpack_from(data) != (count, 0):
        raise ValueError("not a table of so many columns")
    view = memoryview(data)
    at = _TABLE.size + count * _HEAD.size
    columns = []
    for length, base, width in _HEAD.iter_unpack(view[_TABLE.size : at]):
        if not width:
            if length > COUNT_MAX:
                raise ValueError("a column is too long")
            columns.append(Column(base, zeros(length), False))
            continue
        if width not in _CODES or length > (len(data) - at) // width:
            raise ValueError("a column is longer than its table")
        columns.append(Column(base, cast(view[at : at + length * width], width)))
        at += length * width
    if at != len(data):
        raise ValueError("the table is longer than its columns")
    return columns


def zeros(count: int) -> "memoryview[int]":
    """So many, most often of those that all columns share."""
    return _ZEROS[:count] if count <= len(_ZEROS) else memoryview(bytes(count))


def cast(view: memoryview, width: int) -> "memoryview[int]":
    """Numbers of that width, read where they lie."""
    if width == 1:
        return view
    if _IS_LITTLE:
        return view.cast(_CODES[width])  # type: ignore[call-overload, no-any-return]
    swapped = array(_CODES[width], view.tobytes())
    swapped.byteswap()
    return memoryview(swapped)
