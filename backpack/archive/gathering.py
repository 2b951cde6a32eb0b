"""The contents of a log, for sealing: its commits and the bytes of its sources, read in one go."""

from collections.abc import Iterator

from backpack.archive.content import CommitRow, SourceId
from backpack.archive.contents import Contents
from backpack.archive.scanning import Log


def contents_of(log: Log) -> Contents:
    """What is in a log. Memory: the log, whose size is bounded by where the next one begins."""
    segment = log.head.segment
    sources: dict[SourceId, int] = {(segment, number): log.size_of(number) for number in range(log.next_source)}
    bodies: dict[int, memoryview] = {}

    def rows() -> Iterator[CommitRow]:
        for offset, frame, body in log.frames():
            bodies[offset] = memoryview(body)
            yield log.row(offset, frame, body)

    def parts_of(source: SourceId) -> list[memoryview]:
        return [bodies[frame][start : start + size] for frame, start, size in log.parts_of(source[1])]

    return Contents(log.origins, log.first_seq, log.last_seq, rows(), sources, parts_of)
