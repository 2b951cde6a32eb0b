"""How long does opening a store take that was closed? (10^6 commits and 200 keys; 10^5 keys)

Each time in a new process, from the call until the store takes commits: for writing, with all that it writes and
syncs, and for reading.
"""

import statistics
from pathlib import Path
from typing import Final, Literal

import backpack
from benchmarks import harness, workloads
from benchmarks.archives import archive_of
from benchmarks.harness import Row, clock
from benchmarks.processes import in_new_process

ROUNDS: Final = 7


def run(size: float = 1.0) -> list[Row]:
    """The median and the quickest."""
    commits = harness.scaled(1_000_000, size, least=2_000)
    rows = []
    for full, limit in ((workloads.KEY_COUNT, 20.0), (100_000, 100.0)):
        key_count = min(full, commits // 2)
        made = archive_of(commits, key_count)
        for mode, most in (("rw", limit), ("r", None)):
            times = [in_new_process(_open, made.path, mode) for _ in range(harness.scaled(ROUNDS, size, least=2))]
            name = f"open for {'writing' if mode == 'rw' else 'reading'}, {commits:,} commits, {key_count:,} keys"
            rows.append(Row(name, statistics.median(times) / 1e6, "ms", most, quietest=min(times) / 1e6))
    return rows


def _open(path: Path, mode: Literal["rw", "r"]) -> int:
    start = clock()
    store = backpack.open(path, mode)
    elapsed = clock() - start
    store.close()
    return elapsed


if __name__ == "__main__":
    harness.main(run)
