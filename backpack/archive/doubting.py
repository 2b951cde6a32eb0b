"""Which commits of the logs to doubt after a crash, although their frames are right: those whose blobs are not.

A commit that was not synced may have come to the disk without its blobs. It was not acknowledged as durable, so the log
is cut before it. A blob that an older commit needs too is another matter: it was synced with that one, so what is wrong
with it is damage, which takes nothing else along. Cost: reading the commits that were not synced, and their blobs once.
"""

from collections.abc import Sequence

from backpack.archive.parts import Part
from backpack.archive.scanning import Fault, Log
from backpack.blobs.store import Blobs


def cut_doubtful(
    logs: Sequence[Log], faults: list[Fault | None], segments: Sequence[Part], blobs: Blobs, head: int
) -> None:
    """Cut the first log that has such a commit, and enter the fault. Blobs that are whole are to be renewed by
    `blobs.sync_all()`. `head`: the last commit that is sealed."""
    synced_upto = max([head, *(_synced_in(log, fault) for log, fault in zip(logs, faults, strict=True))])
    for index, log in enumerate(logs):
        for seq in range(max(log.first_seq, synced_upto + 1), log.last_seq + 1):
            missing = {digest for digest in _blobs_of(log, seq) if not blobs.is_whole(digest)}
            if missing and missing - _older(segments, logs, synced_upto):
                offset = log.offset_of(seq)
                log.forget_behind(offset)
                faults[index] = Fault(offset, seq, "a blob of the commit is not what was written")
                return


def _synced_in(log: Log, fault: Fault | None) -> int:
    behind = 0 if fault is None else log.kept_behind(fault.offset, 0)
    return max(log.synced_upto, behind)


def _blobs_of(log: Log, seq: int) -> set[bytes]:
    row = log.commit(seq)
    values = () if row is None else (change.value for change in row.changes)
    return {digest for value in values if value is not None for digest in value.blobs}


def _older(segments: Sequence[Part], logs: Sequence[Log], synced_upto: int) -> set[bytes]:
    """The blobs that commits on disk need."""
    found: set[bytes] = set()
    for segment in segments:
        found |= segment.blobs()
    for log in logs:
        for seq in range(log.first_seq, min(log.last_seq, synced_upto) + 1):
            found |= _blobs_of(log, seq)
    return found
