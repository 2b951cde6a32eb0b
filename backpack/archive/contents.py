"""What a segment is made of: rows, and where the bytes of its sources can be had."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from backpack.archive.content import Change, CommitRow, SourceId
from backpack.core.commit import Label

UsualRow = tuple[int, int, Label, str, int, int]
"""`(seq, time, label, key, version, number)`: a commit that packed one value, which is the whole of a new source of the
one segment there is. Most are, and this is made faster than a `CommitRow`."""

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
    commits: Iterable[CommitRow | UsualRow]
    """Ascending."""
    sources: Mapping[SourceId, int]
    """The size of each source."""
    parts_of: Callable[[SourceId], Sequence[Bytes] | Iterable[Bytes]]
    """The bytes of a source, in as many parts as they stand in. Called twice at most."""
    base_rows: Sequence[Change] = field(default=())
    """Changes without a commit, which commits that were kept need still: by key and seq or in any other order."""
