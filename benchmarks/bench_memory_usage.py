"""How long does the memory report take? (100,000 commits over 200 keys)"""

import statistics

from backpack import Backpack
from benchmarks import harness, workloads
from benchmarks.harness import Row, clock


def run(size: float = 1.0) -> list[Row]:
    """One row: `memory_usage()` after a commit, so that nothing remembered answers."""
    commits = harness.scaled(100_000, size, least=1_000)
    keys = workloads.keys()
    store = Backpack(max_history_size=harness.UNLIMITED)
    for number in range(commits):
        store.pack(keys[number % len(keys)], workloads.small_record(number), node=workloads.NODE)
    times = []
    for number in range(harness.scaled(200, size, least=5)):
        store.pack(keys[number % len(keys)], workloads.small_record(commits + number), node=workloads.NODE)
        start = clock()
        store.memory_usage()
        times.append((clock() - start) / 1e3)
    value, quietest = statistics.median(times), min(times)
    return [Row(f"memory_usage() at {commits:,} commits", value, "us", 1_000.0, quietest=quietest)]


if __name__ == "__main__":
    harness.main(run)
