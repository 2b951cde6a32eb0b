"""What do commits cost that survive a power loss, when 64 tasks make them at the same time? (W1 records)

Beside it: sqlite3 by hand with synchronous=FULL, one commit after the other in one thread, which is as fast as it gets.
Meanwhile a ticker in the event loop wakes every millisecond and notes how late it is: how long the loop was blocked.
"""

import asyncio
from typing import Final

import backpack
from benchmarks import harness, workloads
from benchmarks.compare.sqlite_by_hand import SqliteByHand
from benchmarks.folders import new_folder
from benchmarks.harness import Row, clock

TASK_COUNT: Final = 64
_TICK_S: Final = 0.001


def run(size: float = 1.0) -> list[Row]:
    """Time of a commit against sqlite, and the longest time that the loop was blocked."""
    per_task = harness.scaled(100, size, least=1)
    count = TASK_COUNT * per_task
    keys = workloads.keys()
    values = [workloads.step_record(number) for number in range(count)]
    blocked: list[int] = []

    def tasks() -> int:
        with new_folder() as folder:
            elapsed, late = asyncio.run(_commit_all(str(folder / "store"), keys, values))
        blocked.append(late)
        return elapsed

    def sqlite() -> int:
        with new_folder() as folder:
            store = SqliteByHand(folder / "store", "FULL")
            start = clock()
            for number, value in enumerate(values):
                store.pack(keys[number % len(keys)], value, node=workloads.NODE)
            elapsed = clock() - start
            store.close()
        return elapsed

    ours, theirs = harness.interleave([tasks, sqlite], harness.scaled(5, size, least=2))
    late = blocked[harness.WARM_UP_ROUNDS :]
    each = ", ".join(f"{one / 1e6:.1f}" for one in late)
    figure = f'{TASK_COUNT} tasks, durability="power": a commit, against sqlite3 by hand (WAL, FULL)'
    return [
        harness.against(figure, ours, theirs, count=count, limit=1 / 6),
        Row(
            f'{TASK_COUNT} tasks, durability="power": longest time that the loop was blocked',
            max(late) / 1e6,
            "ms",
            20.0,
            quietest=min(late) / 1e6,
            detail=f"each round {each} ms",
        ),
    ]


async def _commit_all(path: str, keys: list[str], values: list[dict[str, object]]) -> tuple[int, int]:
    """Nanoseconds of all commits, and those that the loop was blocked at the longest."""
    late = 0

    async def tick() -> None:
        nonlocal late
        while True:
            start = clock()
            await asyncio.sleep(_TICK_S)
            late = max(late, clock() - start - int(_TICK_S * 1e9))

    async with backpack.open(path, durability="power") as store:

        async def commit(first: int) -> None:
            for number in range(first, len(values), TASK_COUNT):
                await store.apack(keys[number % len(keys)], values[number], node=workloads.NODE)

        ticker = asyncio.create_task(tick())
        start = clock()
        await asyncio.gather(*(commit(first) for first in range(TASK_COUNT)))
        elapsed = clock() - start
        ticker.cancel()
        return elapsed, late


if __name__ == "__main__":
    harness.main(run)
