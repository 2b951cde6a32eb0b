"""An engine as a plain structure that can be written down: texts, numbers and columns. No disk, no format.

`core.freezing` copies the columns of an engine, `core.describing` makes fields and data of the copy, `core.rebuilding`
makes an engine of fields and data, and proves each of them. This is what both sides know of the structure.

    data        bytes of the payloads that stand by themselves, each once, then of the buffers, up to what is used
    composites  `Pieces` and `LargeRef`s: a size, bytes of its own and a *layout* (sources and cuts). Versions of a list
                that grew have one layout, so a list of a thousand versions takes what its last one takes
    chains      the columns of all keys, one behind the other; entries are numbers of forms, marks stand aside
    timeline    runs of seqs in memory, then times and labels of these commits

A column is the bytes of an array, little-endian: there are a few dozen objects and one for each text, whatever the
number of commits, so whoever decodes fields can refuse more of them than there are bytes for.

What follows from the rest is not written but worked out again: counters, indexes, which commit changed which key, what
is carried over gaps. So it can't contradict the rest. Snapshots that are open, and what only they can read, don't go
along: a large value of the past stays readable exactly when its buffers are shared with something that does.
"""

import sys
from array import array
from collections.abc import Iterable
from operator import lt
from typing import Any, Final

from backpack.core.chain import PACK
from backpack.errors import CorruptionError
from backpack.limits import KEY_SIZE_MAX, NAME_SIZE_MAX

SEQ_MAX: Final = 1 << 40
"""A million commits a second for twelve days: beyond it, looking up an id would take seconds."""

HITS_MAX: Final = 1 << 30
"""Accesses of one commit: far from where its counter of 32 bits ends, and as cold or hot as any number above."""

NUMBER_MAX: Final = 2**63 - 1

KINDS: Final = (PACK, "delete", "quarantine", "release")
PURGED: Final = 8
"""Added to the number of a kind: the value was erased."""

PIECES: Final = 0
LARGE: Final = 1
"""A large value within reach."""
LOST: Final = 2
"""A large value whose bytes are gone."""

Fields = dict[str, Any]
"""By name: int, float, bool, None, str, bytes, and lists of these."""


def bytes_of(typecode: str, numbers: Iterable[int]) -> bytes:
    """A column."""
    return swapped(array(typecode, numbers)).tobytes()


def swapped(column: "array[int]") -> "array[int]":
    """Little-endian from the order of this machine, or back, in place."""
    if sys.byteorder == "big":
        column.byteswap()
    return column


class Given:
    """The fields that an engine is made of, each proved to be of its type and within its bounds as it is taken.

    KeyError for a field that is missing, `CorruptionError` for one that is something else.
    """

    __slots__ = ("fields", "head", "texts")

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.head = self.number("head", SEQ_MAX)
        self.texts: list[str] = self.items("texts", str)

    def number(self, name: str, number_max: int = NUMBER_MAX) -> int:
        number = self.fields[name]
        if type(number) is not int or not 0 <= number <= number_max:
            raise CorruptionError(f"a field is no number within its bounds: {name}")
        return number

    def items(self, name: str, item_type: type) -> list[Any]:
        items = self.fields[name]
        if type(items) is not list or any(type(item) is not item_type for item in items):
            raise CorruptionError(f"a field is no list of what it should hold: {name}")
        return items

    def raw(self, name: str, count: int | None = None, stop: int = 256) -> bytes:
        """A column of small numbers, all below `stop`."""
        column = self.fields[name]
        if type(column) is not bytes or (count is not None and len(column) != count):
            raise CorruptionError(f"a column does not have the size it should have: {name}")
        if stop < 256 and max(column, default=0) >= stop:
            raise CorruptionError(f"a column holds a number out of its bounds: {name}")
        return column

    def column(
        self, name: str, typecode: str, count: int | None = None, *, start: int = 0, stop: int = 1 << 63
    ) -> "array[int]":
        """A column of `count` numbers (any, when None), all of them in `range(start, stop)`."""
        column = array(typecode)
        raw = self.raw(name)
        if len(raw) % column.itemsize or (count is not None and len(raw) != count * column.itemsize):
            raise CorruptionError(f"a column does not have the size it should have: {name}")
        column.frombytes(raw)
        if column and not (start <= min(swapped(column)) and max(column) < stop):
            raise CorruptionError(f"a column holds a number out of its bounds: {name}")
        return column

    def key(self, place: int) -> str:
        """The text at a place, which has to be good for a key."""
        key = self.texts[place]
        require(is_name(key, KEY_SIZE_MAX), "a key is none")
        return key


def require(condition: bool, what: str) -> None:
    """`CorruptionError` saying what is wrong, unless the condition holds."""
    if not condition:
        raise CorruptionError(what)


def is_rising(column: "array[int]") -> bool:
    """Each number is larger than the one before."""
    return all(map(lt, column, column[1:]))


def is_name(text: str, size_max: int = NAME_SIZE_MAX) -> bool:
    """A text of some bytes of UTF-8, but not too many; a lone surrogate raises ValueError."""
    return 0 < len(text.encode()) <= size_max
