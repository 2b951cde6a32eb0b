"""A keyframe: the newest change of every key as of a commit, without values: all that opening a store has to read.

Names are sorted; the other columns go by their places. It stands in chunks: one key is found by the names that these
begin with, and one of them is read. All of it is read by putting the columns of the chunks one behind the other: an
object for each name, and for nothing else.
"""

from bisect import bisect_right
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from backpack.archive.columns import (
    Packed,
    cast,
    pack_bytes,
    pack_column,
    read_table,
    width_of,
    zeros,
)
from backpack.archive.frames import KINDS
from backpack.archive.index import Chunks, texts_of
from backpack.archive.layout import KEYFRAME_COLUMNS, KEYS_COUNT, KEYS_SIZE, SEQ_MAX
from backpack.archive.tablet import SEPARATOR, Shape, Tablet, pack_tablet

_KEY_SIZE: Final = 12
"""Bytes of a key, beside its name, about."""
_STEP: Final = 512
"""Keys between two pauses."""
_CODES: Final = bytes(range(len(KINDS)))
KEYS: Final = Shape(1, (0,) * 6)
"""Those of a `Keyframe`."""


@dataclass(frozen=True, slots=True)
class Keyframe:
    """The newest change of every key."""

    names: Sequence[str]
    """Sorted."""
    seqs: Sequence[int]
    versions: Sequence[int]
    kinds: Sequence[int]
    """Codes: places in `frames.KINDS`."""
    sizes: Sequence[int]
    """Packed sizes of the values, in sight or not; 0 for a delete."""
    larges: Sequence[int]
    """1 where the value is large."""
    repeats: Sequence[int]
    """1 where an earlier key of the table has the very same payload."""

    @property
    def columns(self) -> tuple[Sequence[int], ...]:
        """Those of numbers."""
        return self.seqs, self.versions, self.kinds, self.sizes, self.larges, self.repeats


class KeyChunks:
    """A keyframe on its way to disk, in chunks."""

    __slots__ = ("_keyframe", "_names", "_widths", "starts")

    def __init__(self, keyframe: Keyframe) -> None:
        """ValueError when its columns don't belong together."""
        if any(len(column) != len(keyframe.names) for column in keyframe.columns):
            raise ValueError("the columns of the keyframe do not belong together")
        self._keyframe = keyframe
        self._names: list[bytes] = []
        self._widths: list[int] = []
        self.starts = [0]
        """The first key of each chunk, and how many there are."""

    def cut(self) -> Generator[bytes, None, None]:
        """See where the chunks end, with a pause now and then. Cost: O(keys)."""
        names, starts = self._names, self.starts
        size = 0
        for first in range(0, len(self._keyframe.names), _STEP):
            for name in self._keyframe.names[first : first + _STEP]:
                encoded = name.encode()
                size += len(encoded) + _KEY_SIZE
                if names and (size > KEYS_SIZE or len(names) - starts[-1] == KEYS_COUNT):
                    starts.append(len(names))
                    size = len(encoded) + _KEY_SIZE
                names.append(encoded)
            yield b""
        if names:
            starts.append(len(names))
        for column in self._keyframe.columns:
            top = max(column, default=0)
            self._widths.append(width_of(top) if top else 0)
            yield b""

    def fences(self) -> list[Packed]:
        """The columns that say how the chunks begin."""
        names = [self._names[start] for start in self.starts[:-1]]
        return [
            pack_column([0, *accumulate(map(len, names))], is_plain=True),
            pack_bytes(b"".join(names)),
            pack_column(self.starts, is_plain=True),
        ]

    def table(self, number: int) -> bytes:
        """A chunk."""
        start, stop = self.starts[number], self.starts[number + 1]
        names = self._names[start:stop]
        columns = zip(self._keyframe.columns, self._widths, strict=True)
        return pack_tablet(
            KEYS, (len(names),), [pack_column(column[start:stop], width=width) for column, width in columns], names
        )


class KeyframeTable:
    """Where the chunks of a keyframe stand, and what they begin with."""

    __slots__ = ("_names", "chunks", "size")

    def __init__(self, data: bytes) -> None:
        """ValueError when it isn't one. Cost: O(chunks)."""
        name_starts, names, *chunks = read_table(data, KEYFRAME_COLUMNS)
        self._names = texts_of(name_starts, names)
        self.chunks = Chunks(*chunks)
        if len(self._names) != self.chunks.count:
            raise ValueError("the columns of the keyframe do not belong together")
        self.size = len(data) + len(names) + 64 * len(self._names) + 2048
        """What it takes in memory."""

    def __len__(self) -> int:
        return self.chunks.total

    def chunk_of(self, name: bytes) -> int:
        """The chunk that has a key, if any has; -1 when none can."""
        return bisect_right(self._names, name) - 1

    def first_of(self, number: int) -> bytes:
        """The name that a chunk should begin with."""
        return self._names[number]


class Keys(Tablet):
    """A chunk of the keys of a keyframe."""

    __slots__ = ("count",)

    shape = KEYS

    def __init__(self, data: bytes) -> None:
        """ValueError when it is too short to be one. Cost: 1 us."""
        super().__init__(data)
        self.count = self.head[-1]

    def seq_of(self, name: bytes) -> int:
        """The newest commit that changed a key; 0 when none did."""
        place = self.place_of(name)
        if place < 0:
            return 0
        seq = self.at(0, place)
        if not 0 < seq < SEQ_MAX:
            raise ValueError("the keyframe names a commit that is none")
        return seq


def joined(chunks: Sequence[Keys]) -> Keyframe:
    """The keyframe that stands in these chunks; ValueError when it is none. Cost: O(keys), for the names."""
    count = sum(chunk.count for chunk in chunks)
    columns: list[memoryview[int]] = []
    for number in range(len(KEYS.columns)):
        widths = {chunk.head[KEYS.widths_at + number] for chunk in chunks}
        if len(widths) > 1:
            raise ValueError("the columns of the keyframe do not belong together")
        width = max(widths, default=0)
        data = b"".join([chunk.data[chunk.head[number] : chunk.head[number + 1]] for chunk in chunks])
        columns.append(cast(memoryview(data), width) if width else zeros(count))
    keyframe = Keyframe(_names(chunks, count), *columns)
    if columns[2].itemsize > 1 or bytes(columns[2]).translate(None, _CODES):
        raise ValueError("the keyframe names a change of no kind")
    return keyframe


def _names(chunks: Sequence[Keys], count: int) -> list[str]:
    whole = b"".join([chunk.text() for chunk in chunks])
    if b"\n" in whole:
        return [str(name, "utf-8") for chunk in chunks for name in chunk.names(chunk.count)]
    # one text of all names is made into texts of each much faster than each by itself
    names = str(whole.replace(SEPARATOR, b"\n"), "utf-8").split("\n")
    if names.pop() or len(names) != count:
        raise ValueError("names that are not where they should be")
    return names
