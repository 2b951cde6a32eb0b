"""How much memory does an archive of 10^6 commits take, beyond what was allowed? (200 keys, and 10^5)

Allowed are the budget of the history and that of the cache of what was read from disk. Measured is the high-water mark
of a process beyond what it had before it opened the store: of the one that makes all commits with a budget of next to
nothing, and of one that opens the store afterwards and reads thousands of keys as of commits at random.
"""

import random
from pathlib import Path

import backpack
from backpack.archive.cache import CACHE_SIZE_DEFAULT
from benchmarks import harness, workloads
from benchmarks.archives import HISTORY_SIZE, archive_of
from benchmarks.harness import Row
from benchmarks.processes import MB, in_new_process, peak_size, reset_peak

LIMIT = 40.0


def run(size: float = 1.0) -> list[Row]:
    """Making it, and reading from it."""
    commits = harness.scaled(1_000_000, size, least=2_000)
    reads = harness.scaled(5_000, size, least=50)
    rows = []
    for full in (workloads.KEY_COUNT, 100_000):
        key_count = min(full, commits // 2)
        made = archive_of(commits, key_count)
        name = f"memory beyond the budgets, {commits:,} commits, {key_count:,} keys"
        rows.append(_row(f"{name}: making them", made.peak, HISTORY_SIZE))
        peak = in_new_process(_read, made.path, commits, key_count, reads)
        rows.append(_row(f"{name}: reading {reads:,}", peak, CACHE_SIZE_DEFAULT))
    return rows


def _row(figure: str, peak: int | None, allowed: int) -> Row:
    if peak is None:
        return Row(figure, None, "MB", LIMIT, detail="not told by this system")
    return Row(figure, (peak - allowed) / MB, "MB", LIMIT, detail=f"{peak / MB:.1f} MB in all")


def _read(path: Path, commits: int, key_count: int, reads: int) -> int | None:
    chance = random.Random(workloads.SEED)
    keys = workloads.keys(key_count)
    before = reset_peak()
    with backpack.open(path) as store:
        for _ in range(reads):
            store.snapshot(chance.randint(key_count, commits)).unpack(keys[chance.randrange(key_count)])
    peak = peak_size()
    return None if before is None or peak is None else peak - before


if __name__ == "__main__":
    harness.main(run)
