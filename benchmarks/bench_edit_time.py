"""What does keeping edits small cost in time, on packing and on reading an old version? (the edits of bench_edits)"""

import random
from collections.abc import Callable, Iterator
from typing import Any

from backpack import Backpack
from benchmarks import harness, workloads
from benchmarks.bench_edits import EDITS, KEY
from benchmarks.harness import Row, clock


def run(size: float = 1.0) -> list[Row]:
    """Two rows a kind of edit: packing and reading, against msgpack alone."""
    versions = harness.scaled(300, size, least=10)
    rounds = harness.scaled(5, size, least=2)
    rows = []
    for name, states in EDITS.items():
        rows += _measure(name, states, versions, rounds)
    return rows


def _measure(name: str, states: Callable[[int], Iterator[Any]], versions: int, rounds: int) -> list[Row]:
    seqs = random.Random(workloads.SEED).sample(range(1, versions + 1), versions // 2)
    pack = harness.packing()
    payloads = [pack(state) for state in states(versions)]
    filled = Backpack()
    for state in states(versions):
        filled.pack(KEY, state)

    def committing() -> int:
        store = Backpack()
        return _timed(states(versions), lambda state: store.pack(KEY, state))

    def packing_alone() -> int:
        return _timed(states(versions), harness.packing())

    def reading() -> int:
        return _timed(iter(seqs), lambda seq: filled.snapshot(seq).unpack(KEY))

    def decoding() -> int:
        return _timed(iter(seqs), lambda seq: harness.decode(payloads[seq - 1]))

    ours, floor, read, decoded = harness.interleave([committing, packing_alone, reading, decoding], rounds)
    return [
        harness.against(f"{name}: pack, against packing alone", ours, floor, count=versions),
        harness.against(f"{name}: an old version, against decoding", read, decoded, count=len(seqs)),
    ]


def _timed(items: Iterator[Any], act: Callable[[Any], Any]) -> int:
    """Nanoseconds inside `act`, called with each item in turn."""
    elapsed = 0
    for item in items:
        start = clock()
        act(item)
        elapsed += clock() - start
    return elapsed


if __name__ == "__main__":
    harness.main(run)
