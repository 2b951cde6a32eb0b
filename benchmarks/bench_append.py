"""Does `append` cost what is added, however long the list is?"""

from typing import Any

from backpack import Backpack
from benchmarks import harness, workloads
from benchmarks.harness import Row, clock

KEY = "chat.messages"


def run(size: float = 1.0) -> list[Row]:
    """An append to a short list against packing the message, and to a long list against the short one."""
    short, long = 1_000, harness.scaled(100_000, size, least=2_000)
    count = harness.scaled(500, size, least=50)
    pattern = [workloads.message(number) for number in range(short)]
    added = [workloads.message(short + number) for number in range(count)]

    def packing_alone() -> int:
        pack = harness.packing()
        start = clock()
        for item in added:
            pack(item)
        return clock() - start

    rounds = harness.scaled(15, size, least=2)
    floor, at_short, at_long = harness.interleave(
        [packing_alone, lambda: _append(pattern, added), lambda: _append(pattern * (long // short), added)], rounds
    )
    flat = harness.against(
        f"append to {long:,} messages, against to {short:,}", at_long, at_short, count=count, limit=1.5
    )
    return [
        harness.against(
            f"append to a list of {short:,} messages, against packing one", at_short, floor, count=count, limit=5.0
        ),
        flat,
    ]


def _append(present: list[Any], added: list[Any]) -> int:
    """Nanoseconds for all of `added`, one commit each, on a list that has `present`."""
    store = Backpack()
    store.pack(KEY, present, node=workloads.NODE)
    append = store.append
    start = clock()
    for item in added:
        append(KEY, item)
    return clock() - start


if __name__ == "__main__":
    harness.main(run)
