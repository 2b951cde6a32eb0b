"""What is left of a damaged part, and which bytes of values are lost.

Sources are read once each, in steps; what fails is kept as ranges. So whether a value is lost is a comparison of
numbers, however many versions are cut from one source.
"""

from collections.abc import Iterable, Sequence

from backpack.archive.broken import Lost
from backpack.archive.content import BLOB, OWN, Change, CommitRow, SourceId, Value
from backpack.archive.frames import damaged
from backpack.archive.layout import LARGE_BLOCK_SIZE
from backpack.archive.parts import Part
from backpack.archive.resyncing import MendedLog
from backpack.archive.segment import Segment
from backpack.archive.writing import log_name
from backpack.blobs.store import Blobs
from backpack.errors import CorruptionError, StorageError


class Losses:
    """The bytes that can't be read, of the parts that were looked at."""

    __slots__ = ("_blobs", "_parts", "bad_blobs", "lost", "sizes")

    def __init__(self, parts: Sequence[Part], blobs: Blobs) -> None:
        self._parts = parts
        self._blobs = blobs
        self.sizes: dict[SourceId, int] = {}
        """Of the sources that are there."""
        self.lost: dict[SourceId, list[tuple[int, int, CorruptionError]]] = {}
        """`(start, stop, why)` of the bytes of a source that are not."""
        self.bad_blobs: dict[bytes, CorruptionError | None] = {}
        """Of the blobs that were asked for: what is wrong with each."""

    def look_at(self, part: Part) -> None:
        """Read all sources of a part. Parts are looked at in order: values are cut from this part and older ones."""
        if isinstance(part, MendedLog):
            for number in range(part.next_source):
                source = (part.head.segment, number)
                self.sizes[source] = part.size_of(number)
                error = damaged(part.file.name, part.bad[0][0] if part.bad else 0, "the bytes of a value are lost")
                for start, stop in part.lost_of(number):
                    self.lost.setdefault(source, []).append((start, stop, error))
        elif isinstance(part, Segment):
            for source in part.sources():
                size = self.sizes[source] = part.size_of(source)
                for start in range(0, size, LARGE_BLOCK_SIZE):
                    stop = min(start + LARGE_BLOCK_SIZE, size)
                    fault = _fault_of(part, source, start, stop)
                    if fault is not None:
                        self.lost.setdefault(source, []).append((start, stop, fault))

    def fault_of(self, value: Value) -> CorruptionError | None:
        """Why a value can't be read; None when it can. Cost: that of its blobs the first time, else O(cuts)."""
        for origin, number, start, stop in value.cuts:
            if origin == OWN or start == stop:
                continue
            if origin == BLOB:
                fault = self._blob_fault(value.blobs[number])
            elif stop > self.sizes.get((origin, number), 0):
                fault = self._missing(origin)
            else:
                ranges = self.lost.get((origin, number), ())
                fault = next((why for first, last, why in ranges if first < stop and start < last), None)
            if fault is not None:
                return fault
        return None

    def _blob_fault(self, digest: bytes) -> CorruptionError | None:
        if digest not in self.bad_blobs:
            self.bad_blobs[digest] = blob_fault(self._blobs, digest)
        return self.bad_blobs[digest]

    def _missing(self, origin: int) -> CorruptionError:
        for part in self._parts:
            if isinstance(part, Lost) and part.origins[0] <= origin <= part.origins[1]:
                return part.hole.error()
        return damaged(log_name(origin), 0, "a value points to a log, or the segment made of it, that is not there")


def blob_fault(blobs: Blobs, digest: bytes) -> CorruptionError | None:
    """What is wrong with a blob, all of which is read; None when nothing is."""
    try:
        with blobs.open(digest) as blob:
            blob.check()
    except CorruptionError as error:
        return error
    except StorageError as error:
        return damaged(f"blobs/{digest.hex()}", 0, str(error))
    return None


def left_of(part: Part) -> tuple[list[CommitRow], list[Change]]:
    """`(commits that can be read, oldest first; changes that can be read and whose commits can't)`."""
    if isinstance(part, MendedLog):
        return list(part.readable()), []
    if not isinstance(part, Segment):
        return [], []
    rows: list[CommitRow] = []
    seen: set[tuple[str, int]] = set()
    for row in _commits_left(part):
        rows.append(row)
        seen.update((change.key, change.seq) for change in row.changes)
    return rows, [change for change in _changes_left(part) if (change.key, change.seq) not in seen]


def _commits_left(segment: Segment) -> Iterable[CommitRow]:
    try:
        count = segment.pieces.page_table().count
    except (CorruptionError, StorageError):
        return
    for number in range(count):
        try:
            seqs = segment.pieces.page(number).seqs
        except (CorruptionError, StorageError):
            continue
        for seq in seqs:
            try:
                row = segment.commit(seq)
            except (CorruptionError, StorageError):
                continue
            if row is not None:
                yield row


def _changes_left(segment: Segment) -> Iterable[Change]:
    for key in segment.keys():  # noqa: SIM118
        try:
            yield from segment.changes(key)
        except CorruptionError:
            continue


def _fault_of(segment: Segment, source: SourceId, start: int, stop: int) -> CorruptionError | None:
    try:
        segment.read(*source, start, stop)
    except CorruptionError as error:
        return error
    except StorageError as error:
        return damaged(segment.name, 0, str(error))
    return None
