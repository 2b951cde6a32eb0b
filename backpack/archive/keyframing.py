"""When a segment gets a keyframe, and what stands in it."""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from backpack.archive.archive import Archive
from backpack.archive.contents import Contents
from backpack.archive.dormant import Columns, Newest
from backpack.archive.frames import KIND_CODES
from backpack.archive.keyframe import Keyframe
from backpack.archive.segment import Segment

SHARE_AT_CLOSE: Final = 8
"""The last segment before a store is closed gets a keyframe when more than one in so many keys has changed since the
last one: opening reads that keyframe, and the changes since, key by key."""


def keyframe_after(archive: Archive, log: Contents, *, is_last: bool) -> Keyframe | None:
    """The keyframe as of the end of a log that is to be sealed; None where it would cost more than it saves.

    It is written when as many keys have changed since the last one as there are, so that it costs no more than the
    changes themselves. Cost: O(keys) then, else O(keys that changed).
    """
    columns, later = archive.newest_at(log.first_seq - 1)
    later.update(log.newest())
    count = 0 if columns is None else len(columns.names)
    share = SHARE_AT_CLOSE if is_last else 1
    if not later or (columns is not None and len(later) * share < count):
        return None
    return made(columns, later)


def keyframe_joined(archive: Archive, segments: Sequence[Segment]) -> Keyframe | None:
    """The keyframe as of the end of segments that become one: where they had one, or where it pays."""
    if segments[-1].has_keyframe:
        return segments[-1].keyframe()
    columns, later = archive.newest_at(segments[-1].last_seq)
    has_one = any(segment.has_keyframe for segment in segments)
    if not later or not (has_one or columns is None or len(later) >= len(columns.names)):
        return None
    return made(columns, later)


def keyframe_at(archive: Archive, seq: int) -> Keyframe:
    """The keyframe as of a commit. Cost: O(keys)."""
    return made(*archive.newest_at(seq))


def made(columns: Columns | None, later: dict[str, Newest]) -> Keyframe:
    """A keyframe of an older one, and what changed since."""
    count = 0 if columns is None else len(columns.names)
    names = sorted(later) if columns is None else _union(list(columns.names), sorted(later))
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
