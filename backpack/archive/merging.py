"""One segment of several, with less in it: the one rewrite that merging, compaction and purging all are.

Rows are judged once, in columns; commits and bytes are read again when they are sealed, so that memory holds a byte a
row and a commit, the ids of the sources that stay, and what the cache holds anyway. What is not asked for is not read.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence, Set
from itertools import pairwise
from typing import Final

from backpack.archive.content import Change, CommitRow, SourceId, Value
from backpack.archive.contents import Contents
from backpack.archive.layout import LARGE_BLOCK_SIZE
from backpack.archive.segment import Segment
from backpack.errors import InvalidArgumentError

_KEPT: Final = 1
_PURGED: Final = 2
_OF_COMMIT: Final = 4
"""It goes along with its commit."""


def merged(
    segments: Sequence[Segment],
    *,
    keep: Callable[[Change], bool],
    keep_commit: Callable[[int], bool],
    purged: Callable[[Change], bool],
    needed: Set[SourceId],
) -> Contents:
    """What a segment in place of these would hold.

    `keep`: does the change stay? It does so without its commit where that does not. `keep_commit`: does the commit of
    that seq? `purged`: does the change lose its value, and keep its kind, version and size? `needed`: sources that
    changes in other segments are cut from. They are asked once for each. A source stays if it is needed, or if a
    change that stays is cut from it.

    Raises whatever reading raises. `InvalidArgumentError` when the segments do not follow each other.
    """
    if not segments or any(
        one.last_seq >= other.first_seq or one.origins[1] >= other.origins[0] for one, other in pairwise(segments)
    ):
        raise InvalidArgumentError("segments can be merged when they follow each other")
    merger = _Merger(segments)
    base_rows = merger.judge(keep, keep_commit, purged)
    return Contents(
        origins=(segments[0].origins[0], segments[-1].origins[1]),
        first_seq=segments[0].first_seq,
        last_seq=segments[-1].last_seq,
        commits=merger.commits(),
        sources=merger.sources(needed),
        parts_of=merger.parts_of,
        base_rows=base_rows,
    )


def joined(segments: Sequence[Segment]) -> Contents:
    """One segment with all that is in these, down to every source: whoever points there finds it as before."""
    return merged(segments, keep=_always, keep_commit=_always, purged=_never, needed=_sources_of(segments))


def referenced(segment: Segment) -> set[SourceId]:
    """Every source, here or elsewhere, that a value in the segment is cut from. Cost: O(changes)."""
    found: set[SourceId] = set()
    for change in segment.rows():
        if change.value is not None:
            _add_sources(change.value, found)
    return found


def blobs_of(segment: Segment) -> set[bytes]:
    """The digest of every blob that a value in the segment is cut from. Cost: O(values of several cuts)."""
    return segment.blobs()


def _sources_of(segments: Sequence[Segment]) -> set[SourceId]:
    return {source for segment in segments for source in segment.sources()}


def _always(_: object) -> bool:
    return True


def _never(_: object) -> bool:
    return False


def _add_sources(value: Value, found: set[SourceId]) -> None:
    for origin, number, _, _ in value.cuts:
        if origin > 0:
            found.add((origin, number))


class _Merger:
    """Some segments, and what stays of them."""

    __slots__ = ("_first_origins", "_kept", "_segments", "_used", "_verdicts")

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = segments
        self._first_origins = [segment.origins[0] for segment in segments]
        self._verdicts: list[bytearray] = []
        """Of each segment, by row."""
        self._kept: list[bytearray] = []
        """Of each segment, which of its commits stay, in order."""
        self._used: set[SourceId] = set()

    def judge(
        self,
        keep: Callable[[Change], bool],
        keep_commit: Callable[[int], bool],
        purged: Callable[[Change], bool],
    ) -> list[Change]:
        """Ask of each row. Returns the changes that stay without a commit."""
        base_rows = []
        for segment in self._segments:
            verdicts = bytearray(segment.row_count)
            kept = bytearray()
            for seq, rows in segment.row_numbers():
                kept.append(keep_commit(seq))
                if kept[-1]:
                    for row in rows:
                        verdicts[row] = _OF_COMMIT
            for row, change in enumerate(segment.rows()):
                if not keep(change):
                    verdicts[row] = 0
                    continue
                is_purged = purged(change)
                verdicts[row] |= _KEPT | (_PURGED if is_purged else 0)
                if change.value is not None and not is_purged:
                    _add_sources(change.value, self._used)
                if not verdicts[row] & _OF_COMMIT:
                    base_rows.append(change.without_value() if is_purged else change)
            self._verdicts.append(verdicts)
            self._kept.append(kept)
        return base_rows

    def commits(self) -> Iterator[CommitRow]:
        """The commits that stay, ascending, each with its changes that do."""
        for segment, verdicts, kept in zip(self._segments, self._verdicts, self._kept, strict=True):
            for is_kept, (commit, rows) in zip(kept, segment.ascending(), strict=True):
                if not is_kept:
                    continue
                commit.changes = [
                    change.without_value() if verdicts[row] & _PURGED else change
                    for row, change in zip(rows, commit.changes, strict=True)
                    if verdicts[row] & _KEPT
                ]
                yield commit

    def sources(self, needed: Set[SourceId]) -> dict[SourceId, int]:
        """The sources that stay, with their sizes."""
        return {
            source: segment.size_of(source)
            for segment in self._segments
            for source in segment.sources()
            if source in self._used or source in needed
        }

    def parts_of(self, source: SourceId) -> Iterator[bytes]:
        """The bytes of a source."""
        segment = self._segments[bisect_right(self._first_origins, source[0]) - 1]
        size = segment.size_of(source)
        for start in range(0, size, LARGE_BLOCK_SIZE):
            yield segment.read(*source, start, min(start + LARGE_BLOCK_SIZE, size))
