"""Which commits leave memory when the history is over its budget, and when.

Oldest first is a cursor that only moves forward; commits that may not go (the newest, checkpoints, those that an open
snapshot stands on) are remembered on the way and looked at again once they are free. Least-accessed first orders runs
of 64 neighbours by their accesses (dropping scattered commits frees next to nothing, because their neighbours still
need the values), or single commits while fewer than 1,000 are in memory.

One commit never waits for all of it: a step drops at most `STEP_COMMITS`, but always as many as bring the history
under its limit; the next commits go on until the target is reached.
"""

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from backpack.core.dropping import drop, drop_neighbours
from backpack.core.timeline import BLOCK_BITS, BLOCK_SIZE, RUN_BITS, RUN_SIZE

if TYPE_CHECKING:
    from backpack.core.engine import Engine

STEP_COMMITS: Final = 512
"""Commits that one step drops at most: about 1 ms."""

STEP_COMMITS_A_SQUEEZE: Final = 256
"""A step squeezes one chain, and one more for so many commits that it dropped."""

SINGLES_BELOW: Final = 1000
"""While fewer commits than these are in memory, accesses are compared one by one."""

_RECHECKS: Final = 64
_RUNS_A_BLOCK: Final = BLOCK_SIZE >> RUN_BITS


class Pruner:
    """Chooses what leaves, and drops it; knows where it stands between two steps."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.cursor = 1
        """Oldest first: every commit before it has left or is among `passed`."""
        self.passed: deque[int] = deque()
        """Commits that could not go when they were met, before the cursor or before `fresh_from`."""
        self.ready: deque[int] = deque()
        """Those of them that can go now."""
        self.cold: Iterator[tuple[int, int]] = iter(())
        """Least-accessed first: ranges `(first, last)` still to go, coldest first."""
        self.range = (1, 0)
        self.fresh_from = 1
        """Least-accessed first: every commit before it was found pinned, and is among `passed`."""
        self.begun_at = 0
        """The newest commit when `cold` was made: later ones may not be in it."""
        self.met: list[int] = []
        """The pinned commits that were met in `cold` so far."""
        self.is_bytes_due = False
        self.is_commits_due = False

    def reset(self) -> None:
        """Limits or pins have changed: look at everything again."""
        self.cursor = self.fresh_from = 1
        self.passed.clear()
        self.met.clear()
        self.ready.clear()
        self._clear_due()

    def step(self) -> int:
        """Prune what is due at this commit, a bounded number at a time; how many left."""
        ledger = self.engine.ledger
        size = ledger.history_bytes
        count = self._prune(STEP_COMMITS)
        self.engine.pruned_bytes += size - ledger.history_bytes
        self._squeeze(1 + count // STEP_COMMITS_A_SQUEEZE)
        return count

    def enforce(self) -> int:
        """Prune now what the limits make due, all of it; how many left."""
        return self._prune_at_once(is_wanted=False)

    def run(self) -> int:
        """Prune down to the targets, at once; how many left."""
        return self._prune_at_once(is_wanted=True)

    def make_room(self, size: int) -> bool:
        """Prune until `size` more bytes fit, as far as that goes; has anything left?

        Cost: what leaves, and looking at every pinned commit: nothing that is free now may be the reason to refuse.
        """
        engine = self.engine
        if engine.limits.prune_strategy == "none":
            return False
        pruned, history = engine.pruned, engine.ledger.history_bytes
        try:
            self._begin(len(self.passed))
            while engine.ledger.history_bytes + size > engine.limits.max_history_size:
                seq = self._next()
                if not seq:
                    break
                self._drop(seq)
            self._clear_due()
        except BaseException:
            engine.repair()
            raise
        engine.pruned_bytes += history - engine.ledger.history_bytes
        return engine.pruned > pruned

    def _prune_at_once(self, *, is_wanted: bool) -> int:
        size = self.engine.ledger.history_bytes
        try:
            count = self._prune(1 << 62, is_wanted=is_wanted)
            self._squeeze(1 << 62)
        except BaseException:
            self.engine.repair()
            raise
        self.engine.pruned_bytes += size - self.engine.ledger.history_bytes
        return count

    def _prune(self, count_max: int, *, is_wanted: bool = False) -> int:
        """Prune what is due; `is_wanted`: down to the targets in any case, whatever was under way."""
        engine, limits = self.engine, self.engine.limits
        if limits.prune_strategy == "none":
            return 0
        ledger, timeline = engine.ledger, engine.timeline
        commits_max = limits.max_commits if limits.max_commits is not None else 1 << 62
        bytes_target, commits_target = limits.history_target, limits.commits_target or 1 << 62
        if is_wanted:
            self.reset()
        if not self.is_bytes_due and not self.is_commits_due:
            self._begin()
        self.is_bytes_due |= is_wanted or ledger.history_bytes > limits.max_history_size
        self.is_commits_due |= is_wanted or timeline.count > commits_max
        count = 0
        while (self.is_bytes_due and ledger.history_bytes > bytes_target) or (
            self.is_commits_due and timeline.count > commits_target
        ):
            if count >= count_max and ledger.history_bytes <= limits.max_history_size and timeline.count <= commits_max:
                engine.history_trigger = bytes_target if self.is_bytes_due else limits.max_history_size
                engine.seq_trigger = timeline.gone + (commits_target if self.is_commits_due else commits_max)
                return count  # the next commit goes on
            seq = self._next()
            if not seq:
                break
            dropped = drop_neighbours(
                engine,
                seq,
                min(self._range_end(), seq + max(count_max - count, 1) - 1),
                bytes_target if self.is_bytes_due else 1 << 62,
                commits_target if self.is_commits_due else 1 << 62,
            )
            if dropped:
                self._pass(seq + dropped)
            else:
                drop(engine, seq)
                dropped = 1
            engine.pruned += dropped
            count += dropped
        self._clear_due()
        return count

    def _range_end(self) -> int:
        """The last commit that may go together with the one that `_next` gave."""
        return self.engine.timeline.head if self.engine.limits.prune_strategy == "oldest" else self.range[1]

    def _pass(self, seq: int) -> None:
        """Everything before `seq` that `_next` would have given has gone."""
        if self.engine.limits.prune_strategy == "oldest":
            self.cursor = max(self.cursor, seq)
        else:
            self.range = (max(self.range[0], seq), self.range[1])

    def _squeeze(self, count_max: int) -> None:
        """Take the holes out of some of the chains that have many."""
        holey = self.engine.holey
        for _ in range(min(count_max, len(holey))):
            chain, _ = holey.popitem()
            if chain.holes * 2 > len(chain.columns[1]):
                chain.squeeze()

    def drop_before(self, seq: int) -> None:
        """Drop every commit before `seq` that is not pinned and not the newest. Cost: O(commits dropped)."""
        engine, timeline = self.engine, self.engine.timeline
        size = engine.ledger.history_bytes
        try:
            for one in list(timeline.seqs()):
                if one >= seq or one == timeline.head:
                    break
                if not engine.pins.holds(one):
                    self._drop(one)
        except BaseException:
            engine.repair()
            raise
        engine.pruned_bytes += size - engine.ledger.history_bytes

    def _drop(self, seq: int) -> None:
        drop(self.engine, seq)
        self.engine.pruned += 1

    def _clear_due(self) -> None:
        self.is_bytes_due = self.is_commits_due = False
        self.cold = iter(())
        self.range = (1, 0)
        engine = self.engine
        limits = engine.limits
        engine.history_trigger = limits.max_history_size
        engine.seq_trigger = engine.timeline.gone + (1 << 62 if limits.max_commits is None else limits.max_commits)

    def _begin(self, rechecks: int = _RECHECKS) -> None:
        """What has become free since the last time, among so many that were passed? Which ranges are cold now?"""
        engine = self.engine
        is_oldest = engine.limits.prune_strategy == "oldest"
        for _ in range(min(len(self.passed), rechecks)):
            seq = self.passed.popleft()
            if not engine.timeline.has(seq):
                continue
            is_pinned = engine.pins.holds(seq)
            (self.passed if is_pinned or not is_oldest else self.ready).append(seq)
            if not is_pinned:
                self.fresh_from = 1
        if not is_oldest:
            self._find_cold()

    def _find_cold(self) -> None:
        """Order the commits from `fresh_from` on by their accesses."""
        timeline = self.engine.timeline
        if self.fresh_from == 1:
            self.passed.clear()
        self.met.clear()
        self.range = (1, 0)
        self.begun_at = timeline.head
        if timeline.count < SINGLES_BELOW:
            seqs = list(timeline.seqs(self.fresh_from - 1))
            self.cold = ((seq, seq) for seq in sorted(seqs, key=timeline.hits_of))
            return
        first_block = bisect_left(timeline.numbers, self.fresh_from >> BLOCK_BITS)
        numbers = timeline.numbers[first_block:]
        hits: array[int] = array("Q")
        for number in numbers:
            hits.extend(timeline.blocks[number].run_hits)
        order = sorted(range(len(hits)), key=hits.__getitem__)
        self.cold = (_run_of(numbers, index) for index in order)

    def _next(self) -> int:
        """The commit that leaves next; 0 if none may. `_begin` comes first."""
        return self._next_oldest() if self.engine.limits.prune_strategy == "oldest" else self._next_cold()

    def _next_oldest(self) -> int:
        engine = self.engine
        timeline = engine.timeline
        while self.ready:
            seq = self.ready.popleft()
            if not timeline.has(seq):
                continue
            if not engine.pins.holds(seq):
                return seq
            self.passed.append(seq)  # pinned again meanwhile
        while True:
            seq = timeline.next_from(self.cursor)
            if not seq or seq == timeline.head:
                return 0
            self.cursor = seq + 1
            if not engine.pins.holds(seq):
                return seq
            self.passed.append(seq)

    def _next_cold(self) -> int:
        engine = self.engine
        timeline = engine.timeline
        while True:
            first, last = self.range
            seq = timeline.next_from(first) if first <= last else 0
            if not seq or seq > last:
                following = next(self.cold, None)
                if following is not None:
                    self.range = following
                    continue
                self.passed.extend(seq for seq in self.met if self.fresh_from <= seq < self.begun_at)
                self.met.clear()
                self.fresh_from = max(self.begun_at, 1)
                if self.begun_at >= timeline.head:
                    return 0
                self._find_cold()  # commits came while pruning was under way
                continue
            self.range = (seq + 1, last)
            if engine.pins.holds(seq):
                self.met.append(seq)
            elif seq != timeline.head:
                return seq


def _run_of(numbers: list[int], index: int) -> tuple[int, int]:
    """The commits of the run at a place in the concatenated counters of blocks."""
    first = numbers[index // _RUNS_A_BLOCK] << BLOCK_BITS | index % _RUNS_A_BLOCK << RUN_BITS
    return first, first + RUN_SIZE - 1
