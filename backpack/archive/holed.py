"""The archive of a damaged store, for readers: it serves what verifies and never what may be out of date.

A change that was found answers for a later commit only if nothing in between is missing, or if what is missing can't
have changed the key. Two things prove that: the next change of the key has the next version, or a keyframe behind the
hole names the change that was found. Else the read raises, naming where the damage is.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from sortedcontainers import SortedList

from backpack.archive.archive import Archive
from backpack.archive.broken import Hole, Lost
from backpack.archive.content import Change, CommitRow
from backpack.archive.dormant import Columns, Dormant, Newest, newest_of
from backpack.archive.finding import Faults, told
from backpack.archive.layout import hash_of
from backpack.archive.parts import Part
from backpack.archive.placing import Placer
from backpack.blobs.store import Blobs
from backpack.core.engine import Engine
from backpack.core.past import Woken
from backpack.core.payload import Content
from backpack.errors import CorruptionError

_VISIBLE: Final = frozenset({"pack", "release"})
_NAMED: Final = frozenset({"pack", "release", "quarantine"})


class HoledArchive(Archive):
    """Reads a store of which some commits are lost."""

    def __init__(
        self, blobs: Blobs, parts: Sequence[Part], placer: Placer, first_seq: int, holes: Sequence[Hole], head: int
    ) -> None:
        super().__init__(blobs, parts, placer, None, first_seq)
        self._limit = head
        self.holes = tuple(hole for hole in holes if hole.first_seq <= head)
        self.is_doubtful = False
        """Can't it be told which keys there are now?"""

    def lay_to_sleep(self) -> None:
        """Know the newest change of every key, or that it can't be known."""
        hole = self._hole_behind_keyframes(self.head)
        self.is_doubtful = hole is not None
        self.dormant = Dormant(None, {}) if self.is_doubtful else Dormant(*self.newest_at(self.head))

    def doubt(self, engine: Engine) -> None:
        """Have an engine ask here for each key, where the keys are not known."""
        if self.is_doubtful:
            engine.names = DoubtfulNames(self, _NAMED)
            engine.visible = DoubtfulNames(self, _VISIBLE)

    def until(self, seq: int, replaced: Mapping[str, Content]) -> Archive:
        """The same up to a commit; `CorruptionError` when it can't be told which keys there were."""
        columns, later = self.newest_at(seq)
        twin = HoledArchive(self.blobs, self.parts, self.placer, self.first_seq, self.holes, seq)
        self.twins.add(twin)
        twin.twins = self.twins
        twin.kept = self.kept
        twin._erased = self._erased
        twin.dormant = Dormant(columns, later)
        twin.replace(self.replaced(), replaced)
        return twin

    def wake(self, key: str) -> Woken | None:
        """The newest change of a key; `CorruptionError` when it may be lost."""
        if self.is_doubtful:
            change = self.find(key, self.head)
            if change is None:
                return None
            self.dormant.add(key, newest_of(change))
        return super().wake(key)

    @property
    def readable_parts(self) -> Sequence[Part]:
        """Those that are not lost."""
        return [part for part in self.parts if not isinstance(part, Lost)]

    # -- reading -------------------------------------------------------------------------------------------------

    def find(self, key: str, seq: int) -> Change | None:
        """The newest change of the key at or before a commit; `CorruptionError` when there may have been a later."""
        seq = self._within(seq)
        found = self.newest_readable(key, seq)
        after = 0 if found is None else found.seq
        holes = [hole for hole in self.holes if hole.last_seq > after and hole.first_seq <= seq]
        if holes and not self._is_unchanged(key, found, seq, holes[-1]):
            raise holes[-1].error()
        return None if found is None else self.as_purged(found)

    def at_hand(self, key: str, seq: int) -> bytes | None:
        """Nothing: `find` knows what may be missing."""
        return None

    def newest_readable(self, key: str, seq: int) -> Change | None:
        """The newest change of the key at or before a commit that can be read."""
        parts, firsts, _ = self._state
        hashed = hash_of(key.encode("utf-8", "surrogatepass"))
        for index in range(bisect_right(firsts, seq) - 1, -1, -1):
            part = parts[index]
            change = None if isinstance(part, Lost) or part.lacks(hashed) else part.find(key, seq)
            if change is not None:
                return change
        return None

    def next_readable(self, key: str, seq: int) -> Change | None:
        """The first change of the key behind a commit that can be read."""
        parts, firsts, _ = self._state
        for index in range(max(bisect_right(firsts, seq) - 1, 0), len(parts)):
            part = parts[index]
            seqs = () if isinstance(part, Lost) else part.seqs(key)
            at = bisect_right(seqs, seq)
            if at < len(seqs):
                return part.find(key, seqs[at])
        return None

    def _is_unchanged(self, key: str, found: Change | None, seq: int, hole: Hole) -> bool:
        """Is it proved that no lost commit behind the one found and up to that one changed the key?"""
        version, after = (0, 0) if found is None else (found.version, found.seq)
        later = self.next_readable(key, seq)
        if later is not None and later.version == version + 1:
            return True
        return any(
            part.has_keyframe and part.last_seq >= hole.last_seq and part.keyframe_seq_of(key) == after
            for part in self.parts
        )

    def _count_missing(self, parts: Sequence[Part]) -> int:
        return 0  # what is lost here raises, and is not taken for pruned

    def row(self, seq: int) -> CommitRow | None:
        """A commit; `CorruptionError` for one that is lost."""
        for hole in self.holes:
            if hole.first_seq <= seq <= hole.last_seq:
                raise hole.error()
        return super().row(seq)

    def setter_of(self, key: str, seq: int) -> int:
        """The commit that brought the value; 0 where that may be lost."""
        try:
            return super().setter_of(key, seq)
        except CorruptionError:
            return 0

    def rows_of(self, key: str, stop: int, start: int, lost: Faults | None = None) -> Iterator[CommitRow]:
        """The commits that changed the key, newest first; `CorruptionError`, or one more in `lost`, where one may be
        missing."""
        stop = upper = self._within(stop - 1) + 1
        version = 0
        """Of the change that was found last; 0 before the first."""
        parts, firsts, _ = self._state
        for index in range(bisect_right(firsts, stop - 1) - 1, -1, -1):
            part = parts[index]
            if isinstance(part, Lost):
                continue
            for seq in reversed(told(lost, partial(part.seqs, key)) or ()):
                if not start < seq < stop:
                    continue
                change = told(lost, partial(part.find, key, seq))
                if change is None or change.version + 1 != version:
                    told(lost, partial(self._require_whole, seq, upper))
                version, upper = 0 if change is None else change.version, seq
                is_there = seq >= self.first_seq or seq in self.kept
                row = told(lost, partial(part.commit, seq)) if is_there else None
                if row is not None:
                    yield row
        if version != 1:
            told(lost, partial(self._require_whole, start, upper))

    def newest_at(self, seq: int) -> tuple[Columns | None, dict[str, Newest]]:
        """The newest change of every key; `CorruptionError` where some may be lost."""
        hole = self._hole_behind_keyframes(seq)
        if hole is not None:
            raise hole.error()
        return super().newest_at(seq)

    def seq_at(self, time_ns: int) -> int:
        """The last commit made at or before a time; `CorruptionError` where a lost one may be it."""
        found = 0
        for part in reversed(self.parts):
            found = 0 if isinstance(part, Lost) else min(part.seq_at(time_ns), self.head)
            if found:
                break
        for hole in self.holes:
            if hole.first_seq - 1 <= found <= hole.last_seq:
                raise hole.error()
        return found

    def _require_whole(self, after: int, before: int) -> None:
        for hole in self.holes:
            if hole.last_seq > after and hole.first_seq < before:
                raise hole.error()

    def _hole_behind_keyframes(self, seq: int) -> Hole | None:
        """The last hole before a commit that has no keyframe behind it."""
        parts, firsts, _ = self._state
        for index in range(bisect_right(firsts, seq) - 1, -1, -1):
            part = parts[index]
            if part.has_keyframe and part.last_seq <= seq:
                return None
            for hole in reversed(self.holes):
                if hole.first_seq <= min(seq, part.last_seq) and hole.last_seq >= part.first_seq:
                    return hole
        return None


class DoubtfulNames(SortedList):  # type: ignore[type-arg]
    """The keys of a store of which this is not known. Each can be asked for; that raises when it can't be told."""

    def __new__(cls, *_: object) -> "DoubtfulNames":
        return super().__new__(cls)

    def __init__(self, archive: HoledArchive, kinds: frozenset[str]) -> None:
        super().__init__()
        self._archive = archive
        self._kinds = kinds

    def __contains__(self, key: object) -> bool:
        change = self._archive.find(key, self._archive.head) if isinstance(key, str) else None
        return change is not None and change.kind in self._kinds

    def _refuse(self, *_: object, **__: object) -> Any:
        """Which keys there are can't be told."""
        hole = self._archive._hole_behind_keyframes(self._archive.head)
        assert hole is not None
        raise hole.error()

    __len__ = __iter__ = __getitem__ = irange = islice = _refuse
