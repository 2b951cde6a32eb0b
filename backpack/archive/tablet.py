"""Tablets: small tables that are asked for a number or two, again and again. The chunks of an index are such.

    tablet := offset u32{columns + 1}  width u8{columns}  base i64{columns}  count u32{..}  text  column{..}  tail
    text   := 0xFF  (name 0xFF)*                             a byte that stands in no UTF-8

How many columns and counts there are, and which count a column goes by, is the *shape* of a kind of tablets. A number
is its base and what stands in `width` bytes, as in the columns of a table (columns.py); a column stands from its offset
up to the next one, and the tail behind the last. So a tablet is kept as its bytes and nothing else: its head is
unpacked by one call, a number is found by arithmetic, a name by one search and its place by one count. Numbers are
believed no further than whoever uses them has bounded them.
"""

from collections.abc import Sequence
from itertools import accumulate
from operator import mul
from struct import Struct
from typing import ClassVar, Final

from backpack.archive.columns import COUNT_MAX, WIDTHS, Column, Packed, cast, zeros
from backpack.limits import KEY_SIZE_MAX

SEPARATOR: Final = b"\xff"


class Shape:
    """What the tablets of a kind have."""

    __slots__ = ("bases_at", "columns", "counts_at", "size", "struct", "widths_at")

    def __init__(self, count_count: int, columns: Sequence[int]) -> None:
        """`columns`: which count each of them goes by."""
        self.columns = tuple(columns)
        count = len(columns)
        self.widths_at = count + 1
        self.bases_at = self.widths_at + count
        self.counts_at = self.bases_at + count
        self.struct = Struct(f"<{count + 1}I{count}B{count}q{count_count}I")
        self.size = self.struct.size
        """Of the head, in bytes."""


class Tablet:
    """One of them, read where it lies. Cost: 1 us. Its head is believed: `check` it when it comes from the disk."""

    __slots__ = ("data", "head")

    shape: ClassVar[Shape]

    def __init__(self, data: bytes) -> None:
        """ValueError when it is too short to be one."""
        if len(data) < self.shape.size:
            raise ValueError("not a table of so many columns")
        self.data = data
        self.head: tuple[int, ...] = self.shape.struct.unpack_from(data)

    def check(self, counts: Sequence[int]) -> None:
        """ValueError when its columns aren't as long as these counts say, or stand outside of it."""
        shape, head = self.shape, self.head
        if head[shape.counts_at :] != tuple(counts) or max(counts) > COUNT_MAX:
            raise ValueError("the columns of a table do not belong together")
        if not WIDTHS.issuperset(head[shape.widths_at : shape.bases_at]):
            raise ValueError("a column is longer than its table")
        sizes = map(mul, map(counts.__getitem__, shape.columns), head[shape.widths_at :])
        if tuple(accumulate(sizes, initial=head[0])) != head[: shape.widths_at]:
            raise ValueError("a column is longer than its table")
        if not shape.size <= head[0] <= head[shape.widths_at - 1] <= len(self.data):
            raise ValueError("the table is not as long as its columns")

    @property
    def counts(self) -> tuple[int, ...]:
        """How many items there are of each kind."""
        return self.head[self.shape.counts_at :]

    def at(self, column: int, place: int) -> int:
        """One number of a column; IndexError when there is none and the column takes room."""
        head, shape = self.head, self.shape
        base, width = head[shape.bases_at + column], head[shape.widths_at + column]
        if not width:
            return base
        start = head[column] + place * width
        if place < 0 or start >= head[column + 1]:
            raise IndexError
        return base + int.from_bytes(self.data[start : start + width], "little")

    def pair_at(self, column: int, place: int) -> tuple[int, int]:
        """One number of a column and the next; likewise."""
        head, shape = self.head, self.shape
        base, width = head[shape.bases_at + column], head[shape.widths_at + column]
        if not width:
            return base, base
        start = head[column] + place * width
        middle = start + width
        stop = middle + width
        if place < 0 or stop > head[column + 1]:
            raise IndexError
        data = self.data
        return base + int.from_bytes(data[start:middle], "little"), base + int.from_bytes(data[middle:stop], "little")

    def column(self, number: int) -> Column:
        """All numbers of a column."""
        head, shape = self.head, self.shape
        base, (width, data) = head[shape.bases_at + number], self.raw(number)
        if not width:
            return Column(base, zeros(head[shape.counts_at + shape.columns[number]]), False)
        return Column(base, cast(data, width))

    def raw(self, number: int) -> tuple[int, memoryview]:
        """`(width, data)` of a column without its base."""
        head = self.head
        return head[self.shape.widths_at + number], memoryview(self.data)[head[number] : head[number + 1]]

    def is_zero(self, number: int) -> bool:
        """Are all numbers of a column 0, and take no room?"""
        return not self.head[self.shape.widths_at + number] and not self.head[self.shape.bases_at + number]

    def is_plain(self) -> bool:
        """Are there no bases?"""
        return not any(self.head[self.shape.bases_at : self.shape.counts_at])

    def tail(self) -> bytes:
        """What stands behind the columns."""
        return self.data[self.head[len(self.shape.columns)] :]

    # -- names -------------------------------------------------------------------------------------------------------

    def place_of(self, name: bytes) -> int:
        """The place of a name; -1 when it is not there."""
        data, start = self.data, self.shape.size
        at = data.find(b"\xff%b\xff" % name, start, self.head[0])
        return -1 if at < 0 else data.count(SEPARATOR, start, at)

    def text(self) -> bytes:
        """All names, each with the separator behind it."""
        return self.data[self.shape.size + 1 : self.head[0]]

    def names(self, count: int) -> list[bytes]:
        """All names; ValueError when they are not so many, or none."""
        names = self.text().split(SEPARATOR)
        if names.pop() or len(names) != count or not all(names) or max(map(len, names), default=0) > KEY_SIZE_MAX:
            raise ValueError("a key is not as long as one can be")
        return names


def pack_tablet(
    shape: Shape,
    counts: Sequence[int],
    columns: Sequence[Packed],
    names: Sequence[bytes] | None = None,
    tail: bytes = b"",
) -> bytes:
    """The bytes of a tablet. Columns of `pack_column`."""
    text = b"" if names is None else b"".join([SEPARATOR, *[name + SEPARATOR for name in names]])
    offsets = accumulate([len(column.data) for column in columns], initial=shape.size + len(text))
    widths, bases = [column.width for column in columns], [column.base for column in columns]
    head = shape.struct.pack(*offsets, *widths, *bases, *counts)
    return b"".join((head, text, *[column.data for column in columns], tail))
