"""Taking old commits off the disk: what memory has to do with it."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

from backpack.archive.compacting import first_kept
from backpack.store.records import CompactReport

if TYPE_CHECKING:
    from backpack.archive.opened import Opened
    from backpack.archive.retention import Retention
    from backpack.store.ground import Ground


def compact(store: "Ground", wanted: "Retention", dry_run: bool, now_ns: int) -> CompactReport:
    """See `Backpack.compact`. `wanted`: what is to be kept; nothing: what the store was opened with."""
    opened = store._opened
    if opened is None:
        return CompactReport(0, 0, store._engine.timeline.first, dry_run)
    retention = wanted or opened.retention
    archive = opened.archive
    with store._lock, store._change():
        before, size = archive.commit_count, archive.archive_bytes + archive.blob_bytes
        checkpoints = list(store._engine.pins.checkpoint_counts)
        if not dry_run:
            opened.settle()
    if dry_run:
        seen = opened.foresee(retention, checkpoints, now_ns)
        return CompactReport(seen.commits, max(size - seen.size, 0), seen.first_seq, True)
    opened.drain()
    boundary = first_kept(opened.archive, retention, now_ns)
    if boundary > archive.first_seq:
        with ExitStack() as leaving:
            with store._lock, store._change():
                checkpoints = _leave(store, opened, boundary, leaving)
            opened.rebase(boundary, checkpoints)
    with store._lock:
        opened.sweep(beside_readers=False)
    opened.flush()
    freed = max(size - archive.archive_bytes - archive.blob_bytes, 0)
    return CompactReport(before - archive.commit_count, freed, archive.first_seq, False)


def tend(store: "Ground", now_ns: int) -> None:
    """Compact by what the store was opened with. In the thread that seals."""
    opened = store._opened
    if opened is None or store._is_closed:
        return
    boundary = first_kept(opened.archive, opened.retention, now_ns)
    if boundary > opened.archive.first_seq:
        with ExitStack() as leaving:
            with store._lock:
                if store._is_closed:
                    return
                opened.settle()
                checkpoints = _leave(store, opened, boundary, leaving)
            opened.rebase(boundary, checkpoints)
        with store._lock:
            opened.sweep(beside_readers=False)


def _leave(store: "Ground", opened: "Opened", boundary: int, leaving: ExitStack) -> list[int]:
    """The commits before that one are to go; the checkpoints that stay. One that would be made of the others, as
    long as `leaving` is open, is refused: it would be one of nothing. Wants the lock."""
    leaving.enter_context(opened.leaving(boundary))
    store._engine.pruner.drop_before(boundary)
    return list(store._engine.pins.checkpoint_counts)
