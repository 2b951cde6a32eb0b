"""What compacting would do, found out by doing it beside the store: nothing is written, the figures are those of then.

Logs are sealed into memory and small segments merged there, as compacting does first, because what goes depends on
where segments end and how large they are. What would be carried forward is sealed as well, and only counted. So it
costs what compacting costs but for the disk; memory: a segment of each log that is not sealed, and of each that would
be merged.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from backpack.archive.archive import Archive
from backpack.archive.cache import Cache
from backpack.archive.compacting import based, first_kept, sealed
from backpack.archive.content import CommitRow
from backpack.archive.contents import Contents
from backpack.archive.gathering import gathered
from backpack.archive.holding import blobs_in_use
from backpack.archive.keyframe import Keyframe
from backpack.archive.keyframing import keyframe_after, keyframe_at, keyframe_joined
from backpack.archive.layout import cover_name
from backpack.archive.merging import joined
from backpack.archive.parts import Part
from backpack.archive.retention import Retention
from backpack.archive.scanning import Log
from backpack.archive.sealing import seal
from backpack.archive.segment import Segment
from backpack.archive.tiering import to_merge, weight_of
from backpack.errors import CorruptionError
from backpack.storage.cover import Covers
from backpack.storage.memory import MemoryFolder
from backpack.storage.pooling import PooledFile
from backpack.storage.protocol import publish

LEVEL: Final = 3
"""Of zstd, for segments that are not made at closing."""


_BEYOND: Final = 900_000_000_000
"""What is made has names that no segment of the store has."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """How many commits would go, which would be the oldest to stay, and how many bytes would be left."""

    commits: int
    first_seq: int
    size: int


class Beside:
    """A store as compacting would make it, in memory where it is another one."""

    def __init__(self, archive: Archive, covers: Covers, store_id: bytes, full: int, left_alone: Iterable[str]) -> None:
        """`full`: see `to_merge`; `left_alone`: the segments that can't be merged.

        Nobody else may change the files of the store meanwhile; commits may go on."""
        self._covers = covers
        self._store_id = store_id
        self._full = full
        self._left_alone = set(left_alone)
        self._cache = Cache()
        self._folder = MemoryFolder()
        self._archive = archive.shadow()
        self._before = self._archive.commit_count
        self._made = 0
        self._head_size = 0
        """Of the empty log that there is afterwards."""

    def run(self, retention: Retention, usual: Retention, checkpoints: Iterable[int], now_ns: int) -> Foreseen:
        """`usual`: what is taken away each time that logs were sealed."""
        archive = self._archive
        boundary = archive.first_seq
        if self._seal_logs() and usual:
            boundary = first_kept(archive, usual, now_ns)
        while self._has_merged():
            pass
        boundary = max(boundary, first_kept(archive, retention, now_ns))
        size, digests = 0, set[bytes]()
        found = based(archive, boundary, checkpoints) if boundary > archive.first_seq else None
        if found is not None:
            going, contents, pinned = found
            recorded = replace(contents, commits=_recorded(contents, digests))
            size = sum(map(len, self._sealed(recorded, keyframe_at(archive, boundary - 1))))
            staying = [part for part in archive.parts if all(part is not segment for segment in going)]
            archive.first_seq, archive.kept = boundary, pinned
            archive.set_parts(staying)
        size += self._head_size + sum(part.size for part in archive.parts)
        for digest in blobs_in_use(archive) | digests:
            with suppress(CorruptionError):  # it is missing
                size += archive.blobs.size_of(digest)
        return Foreseen(self._before - archive.commit_count, archive.first_seq, size)

    def _seal_logs(self) -> bool:
        archive = self._archive
        logs = [part for part in archive.parts if isinstance(part, Log)]
        for log in logs:
            index, contents = gathered(log)
            self._head_size = index.head.size
            parts: list[Part] = list(archive.parts)
            place = parts.index(log)
            parts[place : place + 1] = []
            if index.commit_count:
                parts.insert(place, self._segment(contents, keyframe_after(archive, contents, is_last=False)))
            archive.set_parts(parts)
        return bool(logs)

    def _has_merged(self) -> bool:
        archive = self._archive
        segments = sealed(archive)
        weights = [self._full if one.name in self._left_alone else weight_of(one) for one in segments]
        places = to_merge(weights, self._full)
        if places is None:
            return False
        old = segments[places.start : places.stop]
        parts: list[Part] = list(archive.parts)
        try:
            parts[places.start : places.stop] = [self._segment(joined(old), keyframe_joined(archive, old))]
        except CorruptionError:  # as when they are merged: they stay as they are
            self._left_alone.update(one.name for one in old)
        archive.set_parts(parts)
        return True

    def _segment(self, contents: Contents, keyframe: Keyframe | None) -> Segment:
        self._made += 1
        name = f"{_BEYOND + self._made:012d}.seg"
        publish(self._folder, name, self._sealed(contents, keyframe))
        return Segment(PooledFile(self._folder, name), self._cache, self._covers, self._store_id)

    def _sealed(self, contents: Contents, keyframe: Keyframe | None) -> Iterator[bytes]:
        cover = self._covers.fresh(cover_name(contents.origins))
        return seal(contents, store_id=self._store_id, cover=cover, keyframe=keyframe, level=LEVEL)


def _recorded(contents: Contents, digests: set[bytes]) -> Iterator[CommitRow]:
    """The commits, while the blobs of what is carried forward are taken down."""
    for change in contents.base_rows:
        digests.update(() if change.value is None else change.value.blobs)
    for row in contents.commits:
        assert isinstance(row, CommitRow)
        for change in row.changes:
            digests.update(() if change.value is None else change.value.blobs)
        yield row
