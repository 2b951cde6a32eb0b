"""A keyframe: the newest change of every key as of a commit, without values: all that opening a store has to read.

Names are sorted; the other columns go by their places. Reading one makes an object for each name and for nothing else.
One key is found by the hash of its name, without making any.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from backpack.archive.columns import pack_bytes, pack_column, pack_table, read_table
from backpack.archive.layout import KEYFRAME_COLUMNS, SEQ_MAX, hash_of


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


def pack_keyframe(keyframe: Keyframe) -> bytes:
    """The table of a keyframe. ValueError when its columns don't belong together."""
    names = [name.encode() for name in keyframe.names]
    hashes = list(map(hash_of, names))
    order = sorted(range(len(names)), key=hashes.__getitem__)
    columns = (keyframe.seqs, keyframe.versions, keyframe.kinds, keyframe.sizes, keyframe.larges, keyframe.repeats)
    if any(len(column) != len(names) for column in columns):
        raise ValueError("the columns of the keyframe do not belong together")
    return pack_table(
        [
            pack_column([hashes[place] for place in order], is_plain=True),
            pack_column(order, is_plain=True),
            pack_column([0, *accumulate(len(name) + 1 for name in names)], is_plain=True),
            pack_bytes(b"\n".join(names)),
            *[pack_column(column, is_plain=True) for column in columns],
        ]
    )


class KeyframeTable:
    """A keyframe as it stands in a segment."""

    __slots__ = ("_columns", "_hash_keys", "_hashes", "size")

    def __init__(self, data: bytes) -> None:
        """ValueError when it isn't one. Cost: O(columns)."""
        columns = read_table(data, KEYFRAME_COLUMNS)
        count = len(columns[0])
        if any(len(column) != count for column in (columns[1], *columns[4:])) or len(columns[2]) != count + 1:
            raise ValueError("the columns of the keyframe do not belong together")
        if any(column.base for column in columns):
            raise ValueError("the keyframe says what none says")
        self._hashes, self._hash_keys = columns[0].data, columns[1].data
        self._columns = columns[2:]
        self.size = len(data) + 1024
        """What it takes in memory."""

    def __len__(self) -> int:
        return len(self._hashes)

    def seq_of(self, key: str) -> int:
        """The newest commit that changed a key; 0 when none did. Cost: one bisection."""
        name = key.encode("utf-8", "surrogatepass")
        hashes, count = self._hashes, len(self._hashes)
        starts, names, seqs = (column.data for column in self._columns[:3])
        wanted = hash_of(name)
        at = bisect_left(hashes, wanted)
        while at < count and hashes[at] == wanted:
            place = self._hash_keys[at]
            if place >= count:
                raise ValueError("the keyframe says what none says")
            if names[starts[place] : max(starts[place + 1] - 1, 0)] == name:
                if not 0 < seqs[place] < SEQ_MAX:
                    raise ValueError("the keyframe names a commit that is none")
                return seqs[place]
            at += 1
        return 0

    def read(self) -> Keyframe:
        """The whole of it; ValueError when the names are none. Cost: O(keys), for the names."""
        return Keyframe(self._names(), *[column.data for column in self._columns[2:]])

    def _names(self) -> list[str]:
        starts, data = self._columns[:2]
        whole = bytes(data.data)
        if len(self) > len(whole) + 1:
            raise ValueError("a keyframe of more names than characters")
        names = str(whole, "utf-8").split("\n")
        if len(names) == len(self):
            return names
        # names with a line feed in them, or no name at all
        ends = starts.list()
        if any(not start < stop <= len(whole) + 1 for start, stop in pairwise(ends)):
            raise ValueError("names that are not where they should be")
        return [str(whole[start : stop - 1], "utf-8") for start, stop in pairwise(ends)]
