"""How much memory does a commit take beyond its payload? (10^6 commits of 85 B dicts over 200 keys)"""

from backpack import Backpack
from benchmarks import harness, workloads
from benchmarks.harness import Row
from benchmarks.processes import in_new_process, resident_size


def run(size: float = 1.0) -> list[Row]:
    """As tracemalloc sees it, and by resident size; each in a process of its own."""
    commits = harness.scaled(1_000_000, size, least=2_000)
    resident, payload = in_new_process(_resident, commits)
    rows = []
    memory = in_new_process(_traced, commits)
    figure = f"memory per commit beyond its payload at {commits:,} commits"
    average = f"payload {payload / commits:.0f} B"
    rows.append(Row(figure, (memory - payload) / commits, "B", 120.0, detail=average))
    if resident is None:
        return [*rows, Row(f"{figure}, by resident size", None, "B", detail="not told by this system")]
    return [*rows, Row(f"{figure}, by resident size", (resident - payload) / commits, "B", detail=average)]


def _fill(commits: int) -> Backpack:
    keys = workloads.keys()
    store = Backpack(max_history_size=harness.UNLIMITED)
    for number in range(commits):
        store.pack(keys[number % len(keys)], workloads.small_record(number), node=workloads.NODE)
    return store


def _payload_size(commits: int) -> int:
    pack = harness.packing()
    return sum(len(pack(workloads.small_record(number))) for number in range(commits))


def _resident(commits: int) -> tuple[int | None, int]:
    payload = _payload_size(commits)  # first: it warms up what would otherwise count as the store's
    before = resident_size()
    store = _fill(commits)
    after = resident_size()
    del store
    return (None if before is None or after is None else after - before), payload


def _traced(commits: int) -> int:
    workloads.small_record(0)
    memory, store = harness.traced(lambda: _fill(commits))
    del store
    return memory


if __name__ == "__main__":
    harness.main(run)
