"""Does a store keep its pace when commits don't stop? (200,000 W1 commits, durability="process", a budget of 20 MB)

Meanwhile memory is pruned, logs are sealed by a thread beside the one that commits, and closing seals the rest: all of
it is in the mean, which is held against a burst of 10,000 commits into a new store, made just before and just after.
The values are made before, and the garbage collector is told to leave them alone: they are not the store's.
"""

import gc
from typing import Final

import backpack
from benchmarks import harness, workloads
from benchmarks.folders import new_folder
from benchmarks.harness import Row, clock

BUDGET: Final = 20_000_000
BURST: Final = 10_000


def run(size: float = 1.0) -> list[Row]:
    """The mean against that of a burst, and how long the slowest packs took."""
    count = harness.scaled(200_000, size, least=2_000)
    keys = workloads.keys()
    values = [workloads.step_record(number) for number in range(count)]
    gc.collect()
    gc.freeze()
    try:
        burst = min(BURST, count // 2)
        _run(keys, values[:burst])
        before, _, _ = _run(keys, values[:burst])
        elapsed, closing, times = _run(keys, values)
        after, _, _ = _run(keys, values[:burst])
    finally:
        gc.unfreeze()
    mean = (elapsed + closing) / count
    theirs = (before + after) / 2 / burst
    times.sort()
    detail = f"{mean / 1e3:.2f} us, {closing / 1e6:.0f} ms of it all closing; burst {theirs / 1e3:.2f} us"
    name = f"{count:,} W1 commits in a row, sealed and closed"
    return [
        Row(f"{name}: mean, against a burst", mean / theirs, "x", 2.2, detail=detail),
        Row(f"{name}: median pack", times[count // 2] / 1e3, "us"),
        Row(f"{name}: 99 % are at most", times[count * 99 // 100] / 1e3, "us", 150.0),
        Row(f"{name}: 99.9 % are at most", times[count * 999 // 1000] / 1e6, "ms", 7.0),
        Row(f"{name}: longest pack", times[-1] / 1e6, "ms", 20.0, detail=_longest(times)),
    ]


def _run(keys: list[str], values: list[dict[str, object]]) -> tuple[int, int, list[int]]:
    """Nanoseconds of all commits, of closing, and of each commit."""
    key_count = len(keys)
    times = [0] * len(values)
    with new_folder() as folder:
        store = backpack.open(folder / "store", durability="process", max_history_size=BUDGET)
        pack = store.pack
        begin = last = clock()
        for number, value in enumerate(values):
            pack(keys[number % key_count], value, node=workloads.NODE)
            now = clock()
            times[number] = now - last
            last = now
        store.close()
        closed = clock()
    return last - begin, closed - last, times


def _longest(times: list[int]) -> str:
    return "the longest: " + ", ".join(f"{one / 1e6:.1f}" for one in times[-5:]) + " ms"


if __name__ == "__main__":
    harness.main(run)
