"""The parts of an archive, sealed segments and logs, in the order of their commits.

The tuple of parts is replaced as a whole, never changed: readers take it once and need no lock. What a part needs of
its own (the tail grows while it is read) it guards itself.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Protocol

from backpack.archive.content import Change, CommitRow
from backpack.archive.dormant import Columns, Newest
from backpack.archive.scanning import Log
from backpack.archive.writing import Writer, log_name
from backpack.errors import ClosedError, CorruptionError


class Part(Protocol):
    """A run of commits: a sealed segment, or a log."""

    @property
    def origins(self) -> tuple[int, int]: ...
    @property
    def first_seq(self) -> int: ...
    @property
    def last_seq(self) -> int: ...
    @property
    def commit_count(self) -> int: ...
    @property
    def has_keyframe(self) -> bool: ...
    @property
    def size(self) -> int: ...
    def count_before(self, seq: int, /) -> int: ...
    def keyframe_seq_of(self, key: str, /) -> int: ...
    def lacks(self, hashed: int, /) -> bool: ...
    def find(self, key: str, seq: int, /) -> Change | None: ...
    def find_bytes(self, key: str, seq: int, /) -> bytes | Change | None: ...
    def commit(self, seq: int, /) -> CommitRow | None: ...
    def commits(self, stop: int, start: int, /) -> Iterator[CommitRow]: ...
    def lost_from(self, stop: int, /) -> int: ...
    def seqs(self, key: str, /) -> Sequence[int]: ...
    def newest(self, seq: int, /) -> Iterator[tuple[str, Newest]]: ...
    def keyframe(self) -> Columns | None: ...
    def seq_at(self, time_ns: int, /) -> int: ...
    def read(self, origin: int, number: int, start: int, stop: int, /) -> bytes: ...
    def blobs(self) -> set[bytes]: ...
    def keys(self) -> list[str]: ...


class Parts:
    """The parts that hold the commits of one store, or of a fork of it, up to a limit."""

    def __init__(self, parts: Sequence[Part], writer: Writer | None, first_seq: int) -> None:
        self.writer = writer
        self.first_seq = first_seq
        self.kept: set[int] = set()
        """The commits before `first_seq` that can be read all the same: checkpoints."""
        self._limit: int | None = None
        self._refusal = ""
        """Why nothing is read any more."""
        self.set_parts(parts)

    def set_parts(self, parts: Sequence[Part]) -> None:
        """Other parts from here on; commits and sources must be the same."""
        parts = tuple(parts)
        self._state = (parts, [part.first_seq for part in parts], [part.origins[0] for part in parts])
        self.missing_count = self._count_missing(parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """In the order of their commits."""
        return self._state[0]

    @property
    def readable_parts(self) -> Sequence[Part]:
        """Those that are not lost."""
        return self.parts

    @property
    def head(self) -> int:
        """The newest commit."""
        if self._limit is not None:
            return self._limit
        parts = self.parts
        return self.writer.last_seq if self.writer is not None else parts[-1].last_seq if parts else 0

    @property
    def commit_count(self) -> int:
        """Commits that can be read. Cost: O(parts)."""
        return self.head - self.first_seq + 1 + len(self.kept) - self.missing_count

    @property
    def archive_bytes(self) -> int:
        """Bytes of segments and logs on disk. Cost: O(parts)."""
        parts = self.parts
        size = sum(part.size for part in parts)
        if self.writer is not None and parts:
            size += self.writer.size - parts[-1].size
        return size

    def close(self) -> None:
        """Let go of the files. A fork that still reads some keeps these open."""
        self._refusal = "the store is closed: open it again"
        self.set_parts(())

    def abandon(self) -> None:
        """This is a forked child, and the files are its parent's: nothing is read any more."""
        self._refusal = "the store was opened by another process, and this is a fork of it: open it here"
        self.set_parts(())

    # -- inside --------------------------------------------------------------------------------------------------

    def _within(self, seq: int) -> int:
        """The commit, or the newest one of this: files that a fork reads go on with commits that are not its own."""
        return seq if self._limit is None else min(seq, self._limit)

    def _file_of(self, seq: int) -> str:
        """The file in which a commit should stand."""
        parts, firsts, _ = self._state
        return log_name(parts[max(bisect_right(firsts, seq) - 1, 0)].origins[0]) if parts else ""

    def _count_missing(self, parts: Sequence[Part]) -> int:
        count, expected = 0, self.first_seq
        for part in parts:
            if part.last_seq >= self.first_seq or isinstance(part, Log):
                count += max(part.first_seq - expected, 0)
                if isinstance(part, Log):  # it has none missing, and may be growing
                    return count
                first = part.first_seq
                there = part.commit_count
                if first < self.first_seq:  # what a compaction left, and commits behind it, were merged
                    first = self.first_seq
                    with suppress(CorruptionError):  # told to who reads it; until then none is missing
                        there = max(there - part.count_before(first), 0)
                count += max(part.last_seq - first + 1 - there, 0)
                expected = part.last_seq + 1
        return count

    def _check_open(self) -> None:
        if self._refusal:
            raise ClosedError(self._refusal)
