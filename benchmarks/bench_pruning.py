"""What does pruning cost, and how long does it hold up a pack? (10^6 commits of 85 B dicts in memory, both strategies)

Three stores get the same packs in turn, a block each: one that never prunes and one for each strategy, whose budget
is set to what it holds, so that the next pack prunes a fifth. A cycle is a fifth of the commits: one pruning of the
budget. Each pack is timed. The cost is the time beyond that of the store that never prunes, over the commits
pruned; the longest pack is that of the quietest cycle, because a busy machine interrupts any loop for milliseconds
now and then. The same packs without pruning show how much.
"""

import random
import statistics
from collections.abc import Sequence
from typing import Any, Final

from backpack import Backpack
from benchmarks import harness, workloads
from benchmarks.harness import Row, clock

BLOCK: Final = 2_000
CYCLES: Final = 3
STRATEGIES: Final = ("oldest", "least-accessed")


class _Side:
    """A store, and what its packs have cost in the present cycle."""

    def __init__(self, strategy: str) -> None:
        self.store = Backpack(max_history_size=harness.UNLIMITED, prune_strategy=strategy)
        self.costs: list[tuple[int, int, int]] = []
        self._elapsed = self._longest = self._pruned_before = 0

    def pack(self, keys: Sequence[str], values: Sequence[Any]) -> None:
        """One commit each, each timed."""
        pack = self.store.pack
        elapsed, longest = 0, self._longest
        for key, value in zip(keys, values, strict=True):
            start = clock()
            pack(key, value, node=workloads.NODE)
            one = clock() - start
            elapsed += one
            if one > longest:
                longest = one
        self._elapsed += elapsed
        self._longest = longest

    def end_cycle(self) -> None:
        """Note (nanoseconds in all, nanoseconds of the longest, commits pruned) and begin anew."""
        pruned = self.store.memory_usage().commits_pruned
        self.costs.append((self._elapsed, self._longest, pruned - self._pruned_before))
        self._elapsed = self._longest = 0
        self._pruned_before = pruned


def run(size: float = 1.0) -> list[Row]:
    """For each strategy: the cost of a pruned commit, and the longest pack."""
    commits = harness.scaled(1_000_000, size, least=5_000)
    free, *pruning = sides = [_Side(strategy) for strategy in ("none", *STRATEGIES)]
    done = _pack_all(sides, 0, commits)
    for side in pruning:
        _read_here_and_there(side.store, commits)
        side.store.configure(max_history_size=side.store.memory_usage().history_bytes)
    for side in sides:
        side.end_cycle()
        side.costs.clear()
    for _ in range(CYCLES):
        done = _pack_all(sides, done, commits // 5)
        for side in sides:
            side.end_cycle()
    rows = []
    for strategy, side in zip(STRATEGIES, pruning, strict=True):
        extra = [
            (ours[0] - theirs[0]) / max(1, ours[2]) / 1e3 for ours, theirs in zip(side.costs, free.costs, strict=True)
        ]
        counts = ", ".join(f"{pruned:,}" for _, _, pruned in side.costs)
        rows.append(
            Row(
                f"pruning, {strategy}: a pruned commit, amortised",
                statistics.median(extra),
                "us",
                1.0,
                quietest=min(extra),
                detail=f"{counts} pruned",
            )
        )
        rows.append(
            Row(
                f"pruning, {strategy}: longest pack with {commits:,} commits",
                min(longest for _, longest, _ in side.costs) / 1e6,
                "ms",
                5.0,
                detail=f"each cycle {_milliseconds(side)}; without pruning {_milliseconds(free)}",
            )
        )
    return rows


def _pack_all(sides: Sequence[_Side], done: int, count: int) -> int:
    """Pack `count` values more, of numbers from `done` on, into each store; return the number reached."""
    keys = workloads.keys()
    for first in range(done, done + count, BLOCK):
        numbers = range(first, min(first + BLOCK, done + count))
        block_keys = [keys[number % len(keys)] for number in numbers]
        values = [workloads.small_record(number) for number in numbers]
        for side in sides:
            side.pack(block_keys, values)
    return done + count


def _read_here_and_there(store: Backpack, commits: int) -> None:
    """Make some stretches of the past better read than others, so that the least accessed differ from the oldest."""
    chance = random.Random(workloads.SEED)
    keys = workloads.keys()
    for _ in range(50):
        middle = chance.randint(len(keys), commits)
        for seq in range(max(1, middle - 20), min(commits, middle + 20)):
            store.snapshot(seq).unpack(keys[seq % len(keys)])


def _milliseconds(side: _Side) -> str:
    return ", ".join(f"{longest / 1e6:.1f}" for _, longest, _ in side.costs) + " ms"


if __name__ == "__main__":
    harness.main(run)
