"""A checkpoint that the core alone has, made by `bp.checkpoint`, as the memory would have recorded it.

Its references are the entries that its state has and that of the checkpoint before it had not. What only a record can
say (phase, tasks, dependencies, variables) is empty, and its number is 0.
"""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from backpack.core.commit import Change, to_ns
from backpack.errors import CommitPrunedError, CorruptionError
from backpack.memory.checkpoint_record import MemoryCheckpoint
from backpack.memory.entry import Entry, entry_of
from backpack.store.records import Checkpoint
from backpack.store.store import Backpack

_COMMIT_COST: Final = 16
"""How many keys are compared while a commit is read."""

_SHOWING: Final = frozenset(("pack", "release"))
"""Changes after which a key has a value in sight."""

if TYPE_CHECKING:
    from backpack.memory.memory import Memory


def worked_out(memory: "Memory", checkpoint: Checkpoint, previous: str | None, previous_seq: int) -> MemoryCheckpoint:
    """`previous`: the checkpoint before, at the commit `previous_seq`; None and 0 when it is the first.

    Cost: the commits between the two or O(keys), whatever is less, and reading the entries that are new.
    """
    prefix = memory.keys.entries
    snapshot = memory.bp.snapshot(checkpoint.seq)
    keys = sorted(_added(memory.bp, prefix, previous_seq, checkpoint.seq))
    entries: list[Entry] = []
    for key in keys:
        with suppress(CorruptionError):  # also what is out of reach by now: it is referred to and not counted
            entries.append(entry_of(key[len(prefix) :], snapshot.unpack(key)))
    return MemoryCheckpoint(
        checkpoint.name, 0, to_ns(checkpoint.time), checkpoint.notes, None, {}, [], [],
        tuple(key[len(prefix) :] for key in keys), dict(Counter(entry.type for entry in entries)),
        sum(entry.tokens for entry in entries), previous,
    )  # fmt: skip


def _added(bp: Backpack, prefix: str, start: int, stop: int) -> Iterable[str]:
    """The keys that begin so and have a value at the commit `stop`, and had none at `start`."""
    between = _added_between(bp, prefix, start, stop) if 0 <= (stop - start) * _COMMIT_COST < len(bp) else None
    return [key for key in bp.diff(start, stop).added if key.startswith(prefix)] if between is None else between


def _added_between(bp: Backpack, prefix: str, start: int, stop: int) -> list[str] | None:
    """The same by the commits between the two; None when one of them, or the one behind them, is gone."""
    first: dict[str, Change] = {}
    last: dict[str, Change] = {}
    count = 0
    head = bp.head
    try:
        commits = bp.history(after=start, before=stop + 1 if head is not None and stop < head.seq else None)
    except CommitPrunedError:
        return None
    for commit in commits:
        count += commit.seq <= stop
        for key, change in commit.changes.items() if commit.seq <= stop else ():
            if key.startswith(prefix):
                last.setdefault(key, change)
                first[key] = change
    if count != stop - start:
        return None
    before = bp.snapshot(start)
    return [
        key
        for key, change in last.items()
        if change.kind in _SHOWING and (first[key].version == 1 or key not in before)
    ]
