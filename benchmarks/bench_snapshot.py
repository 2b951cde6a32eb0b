"""What does reading the past cost, and does it grow with the history? (W4: three keys of a random commit)"""

import random
import statistics
from typing import Any

from backpack import Backpack
from benchmarks import harness, workloads
from benchmarks.harness import Row, clock


class _Past:
    """A store of so many commits, and reads of it whose payloads are known beforehand."""

    def __init__(self, commits: int, reads: int) -> None:
        self.commits = commits
        self.store = Backpack(max_history_size=harness.UNLIMITED)
        keys = workloads.keys()
        for number in range(commits):
            self.store.pack(keys[number % len(keys)], workloads.step_record(number), node=workloads.NODE)
        chance = random.Random(workloads.SEED)
        pack = harness.packing()
        self.reads: list[tuple[int, str, str, str]] = []
        self.payloads: list[tuple[bytes, bytes, bytes]] = []
        for _ in range(reads):
            seq = chance.randint(len(keys), commits)
            wanted = [chance.randrange(len(keys)) for _ in range(3)]
            # Keys take turns, so the newest commit of a key at or before seq is known.
            numbers = [seq - 1 - (seq - 1 - index) % len(keys) for index in wanted]
            self.reads.append((seq, *(keys[index] for index in wanted)))  # type: ignore[arg-type]
            self.payloads.append(tuple(pack(workloads.step_record(number)) for number in numbers))  # type: ignore[arg-type]

    def check(self) -> None:
        """What is measured is right: the reads give what was packed."""
        for (seq, *keys), payloads in zip(self.reads[:100], self.payloads, strict=False):
            snapshot = self.store.snapshot(seq)
            read: list[Any] = [snapshot[key] for key in keys]
            if read != [harness.decode(payload) for payload in payloads]:
                raise AssertionError(f"a snapshot is not what was packed: commits={self.commits} seq={seq}")

    def reading(self) -> int:
        """Nanoseconds for all reads."""
        take = self.store.snapshot
        start = clock()
        for seq, first, second, third in self.reads:
            snapshot = take(seq)
            snapshot[first]
            snapshot[second]
            snapshot[third]
        return clock() - start

    def decoding(self) -> int:
        """Nanoseconds for decoding the same values."""
        decode = harness.decode
        start = clock()
        for first, second, third in self.payloads:
            decode(first)
            decode(second)
            decode(third)
        return clock() - start


def run(size: float = 1.0) -> list[Row]:
    """A few against decoding alone, and many against few."""
    few, many = 1_000, harness.scaled(1_000_000, size, least=4_000)
    reads = harness.scaled(2_000, size, least=100)
    pasts = [_Past(few, reads), _Past(many, reads)]
    for past in pasts:
        past.check()
    rounds = harness.scaled(21, size, least=2)
    sides = [side for past in pasts for side in (past.reading, past.decoding)]
    times = harness.interleave(sides, rounds)
    rows = [
        harness.against(
            f"snapshot + 3 reads at {past.commits:,} commits, against decoding", ours, floor, count=reads, limit=2.0
        )
        for past, ours, floor in zip(pasts, times[::2], times[1::2], strict=True)
    ]
    grown = statistics.median(b / a for a, b in zip(times[0], times[2], strict=True))
    figure = f"snapshot + 3 reads at {many:,} commits, against at {few:,}"
    return [*rows, Row(figure, grown, "x", 2.5, quietest=min(times[2]) / min(times[0]))]


if __name__ == "__main__":
    harness.main(run)
