"""The contents of a log, for sealing: its commits and the bytes of its sources, read in one go."""

from collections.abc import Callable, Sequence
from itertools import repeat

from backpack.archive.content import SourceId
from backpack.archive.contents import Bytes, Contents
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
    bodies, wholes, grown = found.bodies, found.wholes, fresh.sources.grown
    sizes = fresh.sources.sizes()
    sources: dict[SourceId, int] = dict(zip(zip(repeat(segment), range(len(sizes))), sizes, strict=True))

    def parts_of(source: SourceId) -> Sequence[Bytes]:
        number = source[1]
        whole = wholes.get(number)
        return fresh.sources.chunks_of(number, bodies, wholes) if whole is None or number in grown else (whole,)

    return fresh, Contents(fresh.origins, fresh.first_seq, fresh.last_seq, found.rows, sources, parts_of)
