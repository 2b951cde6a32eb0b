"""Finding changes and commits in the parts of an archive.

A read as of commit s begins at the part that holds s and goes back from part to part; behind a few of them the first
part with a keyframe says where the key changed last, so the way is never long. Nothing is replayed.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

from backpack.archive.content import Change, CommitRow
from backpack.archive.dormant import Columns, Newest
from backpack.archive.frames import damaged
from backpack.archive.layout import hash_of
from backpack.archive.parts import Part
from backpack.archive.placing import Placer
from backpack.archive.values import Values
from backpack.archive.writing import Writer
from backpack.blobs.store import Blobs
from backpack.core.payload import Content, Pieces, join
from backpack.errors import CorruptionError

_PASSED: Final = 8
"""Parts to look into before a keyframe is asked: that a key is not in one costs less to find out than where it is."""

Faults = list[CorruptionError]

Replaced = Mapping[tuple[str, int], Content]
"""What to put in the place of values that are not within reach, by key and the commit of the change."""


class Finding(Values):
    """Finds changes and commits, as they are to be seen here: a fork may have purged keys, or have replaced values."""

    def __init__(
        self, blobs: Blobs, parts: Sequence[Part], placer: Placer, writer: Writer | None, first_seq: int
    ) -> None:
        super().__init__(blobs, parts, placer, writer, first_seq)
        self._replaced: Replaced = {}
        self._erased: Mapping[str, int] = {}
        """Of a fork, whose files are another store's: the keys that were purged, and up to which commit."""

    def find(self, key: str, seq: int) -> Change | None:
        """The newest change of the key at or before a commit; None when there is none."""
        found = self._newest(key, seq, with_bytes=False)
        assert not isinstance(found, bytes)
        return None if found is None else self.as_purged(found)

    def at_hand(self, key: str, seq: int) -> bytes | None:
        """The packed bytes of a small value as of a commit, by the shortest way: what says where they stand is not made
        where they are the whole of one source. None says nothing: `find`. Cost: one cold read."""
        if self._erased or self._replaced:
            return None
        found = self._newest(key, seq, with_bytes=True)
        if found is None or isinstance(found, bytes):
            return found
        if found.value is None or found.is_large or found.is_purged or not found.is_visible:
            return None
        return self.payload(found.value)

    def row(self, seq: int) -> CommitRow | None:
        """A commit; None when it is not there (any more)."""
        parts, firsts, _ = self._state
        self._check_open()
        index = bisect_right(firsts, seq) - 1
        return parts[index].commit(seq) if index >= 0 and seq == self._within(seq) else None

    def rows(self, stop: int, start: int, lost: Faults | None = None) -> Iterator[CommitRow]:
        """The commits before `stop` and behind `start`, newest first, read as they are asked for.

        `lost`: takes the errors of those that can't be read, which are passed over; without it the first one raises.
        """
        if lost is not None:
            yield from self._readable_rows(stop, start, lost)
            return
        parts, firsts, _ = self._state
        self._check_open()
        stop = self._within(stop - 1) + 1
        index = bisect_right(firsts, stop - 1) - 1
        while index >= 0:
            for row in parts[index].commits(stop, start):
                if row.seq >= self.first_seq or row.seq in self.kept:
                    yield row
            index = -1 if firsts[index] <= start + 1 else index - 1

    def rows_of(self, key: str, stop: int, start: int, lost: Faults | None = None) -> Iterator[CommitRow]:
        """Those of them that changed the key."""
        parts, firsts, _ = self._state
        self._check_open()
        stop = self._within(stop - 1) + 1
        index = bisect_right(firsts, stop - 1) - 1
        while index >= 0:
            part = parts[index]
            for seq in reversed(told(lost, partial(part.seqs, key)) or ()):
                if start < seq < stop and (seq >= self.first_seq or seq in self.kept):
                    row = told(lost, partial(part.commit, seq))
                    if row is not None:
                        yield row
            index = -1 if firsts[index] <= start + 1 else index - 1

    def newest_at(self, seq: int) -> tuple[Columns | None, dict[str, Newest]]:
        """The newest change of every key as of a commit: those of the keyframe before it, and those after that.

        Cost: O(changes since the keyframe).
        """
        parts, firsts, _ = self._state
        self._check_open()
        later: dict[str, Newest] = {}
        for index in range(bisect_right(firsts, seq) - 1, -1, -1):
            part = parts[index]
            if part.has_keyframe and part.last_seq <= seq:
                return part.keyframe(), later
            for key, newest in part.newest(seq):
                later.setdefault(key, newest)
        return None, later

    def seq_at(self, time_ns: int) -> int:
        """The last commit made at or before a time; 0 when all came later. Cost: O(parts)."""
        for part in reversed(self.parts):
            seq = part.seq_at(time_ns)
            if seq:
                return min(seq, self.head)
        return 0

    @property
    def last_ns(self) -> int:
        """The time of the newest commit; 0 when there is none."""
        row = self.row(self.head)
        return 0 if row is None else row.time_ns

    # -- what a fork has purged ----------------------------------------------------------------------------------

    def erase(self, keys: Iterable[str]) -> None:
        """From here on these keys have lost all the values that they had. For a fork: the files are not its own."""
        self._erased = {**self._erased, **dict.fromkeys(keys, self.head)}

    @property
    def erased(self) -> Iterable[str]:
        """The keys that were."""
        return self._erased

    def is_erased(self, change: Change) -> bool:
        """Was its value purged here, though the files have it still?"""
        return change.seq <= self._erased.get(change.key, 0) and change.has_value

    def as_purged(self, change: Change) -> Change:
        """The change as it is to be seen here."""
        if change.seq <= self._erased.get(change.key, 0):
            return change.without_value()
        content = self._replaced.get((change.key, change.seq))
        return change if content is None else change.with_value(join(content), is_large=isinstance(content, Pieces))

    def replaced(self) -> "Replaced":
        """What stands in the place of values that were not within reach."""
        return self._replaced

    # -- inside --------------------------------------------------------------------------------------------------

    def _newest(self, key: str, seq: int, *, with_bytes: bool) -> bytes | Change | None:
        parts, firsts, _ = self._state
        self._check_open()
        seq = self._within(seq)
        first = index = bisect_right(firsts, seq) - 1
        hashed = hash_of(key.encode("utf-8", "surrogatepass"))
        while index >= 0:
            part = parts[index]
            if not part.lacks(hashed):
                found = part.find_bytes(key, seq) if with_bytes else part.find(key, seq)
                if found is not None:
                    return found
            index -= 1
            if 0 <= index < first - _PASSED and parts[index].has_keyframe:
                last = parts[index].keyframe_seq_of(key)
                if not last:
                    return None
                index = bisect_right(firsts, last) - 1
                change = parts[index].find(key, last)
                if change is None or change.seq != last:
                    raise damaged(
                        self._file_of(last), 0, f"a keyframe names a change that is not there (commit {last})"
                    )
                return change
        return None

    def _readable_rows(self, stop: int, start: int, lost: Faults) -> Iterator[CommitRow]:
        parts, firsts, _ = self._state
        rows = self.rows(stop, start)
        while stop > start + 1:
            try:
                row = next(rows, None)
            except CorruptionError as error:
                lost.append(error)
                part = parts[max(bisect_right(firsts, stop - 1) - 1, 0)]
                stop = max(min(part.lost_from(stop), stop - 1), start + 1)
                rows = self.rows(stop, start)
                continue
            if row is None:
                return
            stop = row.seq
            yield row


Answer = TypeVar("Answer")


def told(lost: Faults | None, ask: Callable[[], Answer]) -> Answer | None:
    """The answer; None, and the error is taken down, where it can't be read and somebody takes these down."""
    try:
        return ask()
    except CorruptionError as error:
        if lost is None:
            raise
        lost.append(error)
        return None
