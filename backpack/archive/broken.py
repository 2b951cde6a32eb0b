"""What is known of commits that can't be read: where they stood, and that something stands there which is not them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backpack.archive.content import Change, CommitRow
from backpack.archive.dormant import Columns, Newest
from backpack.errors import CorruptionError


def place_of(error: BaseException) -> tuple[str, int]:
    """`(file, offset)` that an error names; `("", 0)` where it names none."""
    return str(getattr(error, "file", "") or ""), int(getattr(error, "offset", 0) or 0)


def reason_of(error: BaseException) -> str:
    """What an error says, without the place."""
    return str(error).partition(": file=")[0].partition("; file=")[0]


@dataclass(frozen=True, slots=True)
class Hole:
    """A run of commits of which nothing can be read."""

    first_seq: int
    last_seq: int
    file: str
    offset: int
    reason: str
    """What is wrong there, without the place."""

    def error(self) -> CorruptionError:
        """The error for asking what may have happened in there."""
        lost = f"commit {self.first_seq}"
        if self.last_seq > self.first_seq:
            lost = f"commits {self.first_seq} to {self.last_seq}"
        return CorruptionError(
            f"{lost} can't be read: {self.reason}: file={self.file} offset={self.offset}; "
            "backpack.recover makes a new store of all that verifies",
            file=self.file,
            offset=self.offset,
        )


class Lost:
    """Stands in for a segment, or for logs, of which nothing can be read. Whatever is asked of it raises."""

    __slots__ = ("hole", "origins")

    has_keyframe = False
    commit_count = 0
    size = 0

    def __init__(self, origins: tuple[int, int], hole: Hole) -> None:
        self.origins = origins
        self.hole = hole

    @property
    def first_seq(self) -> int:
        return self.hole.first_seq

    @property
    def last_seq(self) -> int:
        return self.hole.last_seq

    def count_before(self, seq: int) -> int:
        return 0

    def keyframe_seq_of(self, key: str) -> int:
        raise self.hole.error()

    def lacks(self, hashed: int) -> bool:
        return False

    def find(self, key: str, seq: int) -> Change | None:
        raise self.hole.error()

    find_bytes = find

    def commit(self, seq: int) -> CommitRow | None:
        raise self.hole.error()

    def commits(self, stop: int, start: int) -> Iterator[CommitRow]:
        raise self.hole.error()

    def lost_from(self, stop: int) -> int:
        """The first of the commits that are lost with the one before `stop`: all."""
        return self.hole.first_seq

    def seqs(self, key: str) -> Sequence[int]:
        raise self.hole.error()

    def newest(self, seq: int) -> Iterator[tuple[str, Newest]]:
        raise self.hole.error()

    def keyframe(self) -> Columns | None:
        raise self.hole.error()

    def seq_at(self, time_ns: int) -> int:
        raise self.hole.error()

    def read(self, origin: int, number: int, start: int, stop: int) -> bytes:
        raise self.hole.error()

    def blobs(self) -> set[bytes]:
        raise self.hole.error()

    def keys(self) -> list[str]:
        raise self.hole.error()
