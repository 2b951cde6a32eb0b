"""When a segment gets a keyframe, and what stands in it."""

from array import array
from bisect import bisect_left
from typing import Final

from backpack.archive.archive import Archive
from backpack.archive.dormant import Newest
from backpack.archive.frames import KIND_CODES
from backpack.archive.keyframe import Keyframe

SHARE_AT_CLOSE: Final = 8
"""The last segment before a store is closed gets a keyframe when more than one in so many keys has changed since the
last one: opening reads that keyframe, and the changes since, key by key."""


def keyframe_at(archive: Archive, seq: int, *, is_last: bool, is_forced: bool = False) -> Keyframe | None:
    """The keyframe as of a commit; None where it would cost more than it saves.

    It is written when as many keys have changed since the last one as there are, so that it costs no more than the
    changes themselves. Cost: O(keys) then, else O(keys that changed).
    """
    columns, later = archive.newest_at(seq)
    count = 0 if columns is None else len(columns.names)
    share = SHARE_AT_CLOSE if is_last else 1
    if not is_forced and (not later or (columns is not None and len(later) * share < count)):
        return None
    merged: dict[str, Newest] = dict(later)
    names = sorted(merged) if columns is None else _union(list(columns.names), sorted(later))
    seqs: array[int] = array("Q")
    versions: array[int] = array("Q")
    sizes: array[int] = array("Q")
    kinds, larges = bytearray(), bytearray()
    place = 0
    for name in names:
        is_old = columns is not None and place < count and columns.names[place] == name
        newest = later.get(name)
        if newest is not None:
            seqs.append(newest.seq)
            versions.append(newest.version)
            sizes.append(newest.size)
            kinds.append(KIND_CODES[newest.kind])
            larges.append(newest.is_large)
        else:
            assert columns is not None and is_old
            seqs.append(columns.seqs[place])
            versions.append(columns.versions[place])
            sizes.append(columns.sizes[place])
            kinds.append(columns.kinds[place])
            larges.append(columns.larges[place])
        place += is_old
    return Keyframe(names, seqs, versions, kinds, sizes, larges, bytes(len(names)))


def _union(names: list[str], others: list[str]) -> list[str]:
    """Both sorted lists as one."""
    new = []
    for other in others:
        place = bisect_left(names, other)
        if place == len(names) or names[place] != other:
            new.append(other)
    return sorted([*names, *new]) if new else names
