"""What does a commit cost beyond packing its value? (W1: 10,000 commits of 500 B dicts over 200 keys)"""

from collections.abc import Sequence
from typing import Any

from backpack import Backpack
from benchmarks import harness, workloads
from benchmarks.harness import Row, clock


def run(size: float = 1.0) -> list[Row]:
    """A pack, against packing alone; and the same for records without anything nested."""
    rounds = harness.scaled(25, size, least=2)
    keys = workloads.keys() * (harness.scaled(10_000, size, least=400) // workloads.KEY_COUNT)
    records = [workloads.step_record(number) for number in range(len(keys))]
    ours, floor = _measure(keys, records, rounds)
    ours_flat, floor_flat = _measure(keys, [workloads.flattened(record) for record in records], rounds)
    count = len(keys)
    return [
        harness.against("W1 pack, against packing the value alone", ours, floor, count=count, limit=3.0),
        harness.against("W1 pack of flat dicts, against packing alone", ours_flat, floor_flat, count=count),
    ]


def _measure(keys: Sequence[str], values: Sequence[Any], rounds: int) -> list[list[int]]:
    """Nanoseconds of all commits, and of packing alone, in each round."""

    def committing() -> int:
        pack = Backpack().pack
        start = clock()
        for key, value in zip(keys, values, strict=True):
            pack(key, value, node=workloads.NODE)
        return clock() - start

    def packing_alone() -> int:
        pack = harness.packing()
        start = clock()
        for value in values:
            pack(value)
        return clock() - start

    return harness.interleave([committing, packing_alone], rounds)


if __name__ == "__main__":
    harness.main(run)
