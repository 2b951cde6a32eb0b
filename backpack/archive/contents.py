"""What a segment is made of: rows, and where the bytes of its sources can be had."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from backpack.archive.content import Change, CommitRow, SourceId, Value
from backpack.archive.dormant import Newest, newest_of
from backpack.core.commit import Label


class UsualRun:
    """Commits without a gap that packed one value each, which is the whole of a new source of the one segment there is.
    Most do, and columns are made and taken in faster than a `CommitRow` each."""

    __slots__ = ("first_number", "first_seq", "keys", "labels", "times", "versions")

    def __init__(self, first_seq: int, first_number: int) -> None:
        """The number: that of the first source. They ascend one by one."""
        self.first_seq = first_seq
        self.first_number = first_number
        self.times: array[int] = array("q")
        self.labels: list[Label] = []
        self.keys: list[str] = []
        self.versions: array[int] = array("Q")

    def newest(self, origin: int, sources: Mapping[SourceId, int]) -> Iterator[tuple[str, Newest]]:
        """The last change of each key. `origin`: of all sources, whose sizes these are."""
        for key, at in dict(zip(self.keys, range(len(self.keys)), strict=True)).items():
            size = sources[origin, self.first_number + at]
            yield key, Newest(self.first_seq + at, "pack", self.versions[at], size, False)

    def rows(self, origin: int, sources: Mapping[SourceId, int]) -> Iterator[CommitRow]:
        """Each commit by itself; likewise."""
        columns = zip(self.times, self.labels, self.keys, self.versions, strict=True)
        for at, (time_ns, label, key, version) in enumerate(columns):
            seq, number = self.first_seq + at, self.first_number + at
            whole = Value(((origin, number, 0, sources[origin, number]),))
            yield CommitRow(seq, time_ns, label, [Change(key, seq, "pack", version, whole)])


Bytes = bytes | bytearray | memoryview


@dataclass(slots=True)
class Contents:
    """A run of commits to be sealed. Rows are asked for once, bytes when their turn comes, so neither need be in
    memory."""

    origins: tuple[int, int]
    """The first and last number of the segments whose sources it holds; equal unless segments were merged."""
    first_seq: int
    last_seq: int
    """The range of commits that it answers for; some of them may be gone."""
    commits: Iterable[CommitRow | UsualRun]
    """Ascending. Those of a log can be asked for again."""
    sources: Mapping[SourceId, int]
    """The size of each source."""
    parts_of: Callable[[SourceId], Sequence[Bytes] | Iterable[Bytes]]
    """The bytes of a source, in as many parts as they stand in. Called twice at most."""
    base_rows: Sequence[Change] = field(default=())
    """Changes without a commit, which commits that were kept need still: by key and seq or in any other order."""

    def rows(self) -> Iterator[CommitRow]:
        """The commits of a log, each by itself."""
        for row in self.commits:
            if isinstance(row, UsualRun):
                yield from row.rows(self.origins[0], self.sources)
            else:
                yield row

    def newest(self) -> dict[str, Newest]:
        """The last change of each key in a log."""
        newest: dict[str, Newest] = {}
        for row in self.commits:
            if isinstance(row, UsualRun):
                newest.update(row.newest(self.origins[0], self.sources))
            else:
                newest.update((change.key, newest_of(change)) for change in row.changes)
        return newest
