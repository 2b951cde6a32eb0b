"""What does it cost to read one key as of a commit that is on disk only? (10^6 commits; 200 keys, and 10^5)

Each in a new process that opens the store and has nothing of it in memory, so the first touch of each segment is in
the mean. Commits and keys are drawn at random, so that a block is hardly ever met twice. What the kernel keeps of the
files it keeps: the disk itself is not measured.
"""

import random
from pathlib import Path
from typing import Final

import backpack
from benchmarks import harness, workloads
from benchmarks.archives import archive_of, number_at
from benchmarks.harness import Row, clock
from benchmarks.processes import in_new_process

READS: Final = 5_000


def run(size: float = 1.0) -> list[Row]:
    """The mean of both."""
    commits = harness.scaled(1_000_000, size, least=2_000)
    reads = harness.scaled(READS, size, least=50)
    rows = []
    for full, limit in ((workloads.KEY_COUNT, 50.0), (100_000, 60.0)):
        key_count = min(full, commits // 2)
        made = archive_of(commits, key_count)
        times, wrong = in_new_process(_read, made.path, commits, key_count, reads)
        mean = sum(times) / len(times)
        times.sort()
        median, slow = times[len(times) // 2], times[len(times) * 99 // 100]
        detail = f"median {median / 1e3:.0f}, 99 % at most {slow / 1e3:.0f} us"
        name = f"one key as of a commit on disk, {commits:,} commits, {key_count:,} keys"
        rows.append(Row(name, mean / 1e3, "us", limit, detail=detail))
        rows.append(Row(f"{name}: wrong answers", wrong, "", 0, detail=f"of {reads:,}"))
    return rows


def _read(path: Path, commits: int, key_count: int, reads: int) -> tuple[list[int], int]:
    """Nanoseconds of each read, and how many gave something else than was packed."""
    chance = random.Random(workloads.SEED)
    keys = workloads.keys(key_count)
    asked = [(chance.randint(key_count, commits), chance.randrange(key_count)) for _ in range(reads)]
    times, wrong = [], 0
    with backpack.open(path, "r") as store:
        for seq, key in asked:
            start = clock()
            value = store.snapshot(seq).unpack(keys[key])
            times.append(clock() - start)
            wrong += value != workloads.small_record(number_at(seq, key, key_count))
    return times, wrong


if __name__ == "__main__":
    harness.main(run)
