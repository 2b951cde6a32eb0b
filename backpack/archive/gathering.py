"""The contents of a log, for sealing: its commits and the bytes of its sources, read in one go."""

from collections.abc import Callable

from backpack.archive.content import SourceId
from backpack.archive.contents import Contents
from backpack.archive.frames import damaged
from backpack.archive.scanning import Gathered, Log


def _at_once() -> None:
    pass


def gathered(log: Log, pause: Callable[[], None] = _at_once) -> tuple[Log, Contents]:
    """`(an index of the log made for this, what is in it)`. The log itself is not touched, nor locked, by this.
    `pause` is called now and then.

    Memory: the log, whose size is bounded by where the next one begins. `CorruptionError` when it can't be read.
    """
    fresh, found = log.fresh(), Gathered(pause)
    fault = fresh.scan(log.goal, found)
    if fault is not None:
        raise damaged(log.file.name, fault.offset, fault.reason)
    segment = fresh.head.segment
    bodies = found.bodies
    sources: dict[SourceId, int] = {(segment, number): fresh.size_of(number) for number in range(fresh.next_source)}

    def parts_of(source: SourceId) -> list[memoryview]:
        return fresh.sources.chunks_of(source[1], bodies)

    return fresh, Contents(fresh.origins, fresh.first_seq, fresh.last_seq, found.rows, sources, parts_of)
