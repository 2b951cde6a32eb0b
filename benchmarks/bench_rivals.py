"""What do the same commits cost in other stores? (W1 in a straightforward build and in LangGraph's InMemorySaver)"""

from backpack import Backpack
from benchmarks import harness, workloads
from benchmarks.compare import langgraph_memory
from benchmarks.compare.straightforward import Straightforward
from benchmarks.harness import Row, clock

STRAIGHTFORWARD = "W1 pack, against a straightforward build"
LANGGRAPH = "W1 pack, against LangGraph's InMemorySaver"
LANGGRAPH_PUT = "W1 pack, against InMemorySaver's put alone"


def run(size: float = 1.0) -> list[Row]:
    """One row a rival."""
    count = harness.scaled(10_000, size, least=400)
    keys = workloads.keys() * (count // workloads.KEY_COUNT)
    values = [workloads.step_record(number) for number in range(len(keys))]
    put_times: list[int] = []

    def committing() -> int:
        return _time_packs(Backpack(), keys, values)

    def straightforward() -> int:
        return _time_packs(Straightforward(), keys, values)

    def langgraph() -> int:
        start = clock()
        saver, inside_put = langgraph_memory.commit_all(keys, values, workloads.NODE)
        elapsed = clock() - start
        del saver
        put_times.append(inside_put)
        return elapsed

    sides = [committing, straightforward, *([langgraph] if langgraph_memory.is_installed else [])]
    times = harness.interleave(sides, harness.scaled(7, size, least=2))
    ours = times[0]
    rows = [harness.against(STRAIGHTFORWARD, ours, times[1], count=len(keys), limit=1 / 7)]
    if not langgraph_memory.is_installed:
        return [*rows, Row(LANGGRAPH, None, "x", 1 / 12, detail="not installed")]
    inside_put = put_times[harness.WARM_UP_ROUNDS :]
    return [
        *rows,
        harness.against(LANGGRAPH, ours, times[2], count=len(keys), limit=1 / 12),
        harness.against(LANGGRAPH_PUT, ours, inside_put, count=len(keys)),
    ]


def _time_packs(store: Backpack | Straightforward, keys: list[str], values: list[dict[str, object]]) -> int:
    pack = store.pack
    start = clock()
    for key, value in zip(keys, values, strict=True):
        pack(key, value, node=workloads.NODE)
    return clock() - start


if __name__ == "__main__":
    harness.main(run)
