"""What do the versions of a growing list cost, in time and in memory? (W3: one message of 500 B more a commit)"""

from typing import Any

from backpack import Backpack
from benchmarks import harness, workloads
from benchmarks.harness import Row, clock

KEY = "chat.messages"


def run(size: float = 1.0) -> list[Row]:
    """Time against packing the list alone; memory against the last list; and that every version is there."""
    length = harness.scaled(1_000, size, least=50)
    messages = [workloads.message(number) for number in range(length)]

    def committing() -> int:
        pack = Backpack().pack
        return _grow(messages, lambda history: pack(KEY, history, node=workloads.NODE))

    def packing_alone() -> int:
        return _grow(messages, harness.packing())

    def all_versions() -> Backpack:
        store = Backpack()
        _grow(messages, lambda history: store.pack(KEY, history, node=workloads.NODE))
        return store

    ours, floor = harness.interleave([committing, packing_alone], harness.scaled(7, size, least=2))
    last_size = len(harness.packing()(messages))
    memory, store = harness.traced(all_versions)
    detail = f"{memory / 1e6:.2f} MB for {length:,} versions, the last is {last_size / 1e6:.2f} MB"
    lost = sum(store.snapshot(seq).unpack(KEY) != messages[:seq] for seq in range(1, length + 1))
    return [
        harness.against("W3 pack of the growing list, against packing it alone", ours, floor, count=length, limit=1.15),
        Row("W3 memory for all versions, against the last list", memory / last_size, "x", 2.0, detail=detail),
        Row("W3 versions that do not read back whole", lost, "", 0, detail=f"of {length:,}"),
    ]


def _grow(messages: list[Any], act: Any) -> int:
    """Nanoseconds inside `act`, called with the list after each message."""
    history: list[Any] = []
    elapsed = 0
    for item in messages:
        history.append(item)
        start = clock()
        act(history)
        elapsed += clock() - start
    return elapsed


if __name__ == "__main__":
    harness.main(run)
