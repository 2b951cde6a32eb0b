"""How fast do slices of an entry come back? (11 lines of 100 MB; the newest 50 of 10,000 entries, just opened)"""

import random
import statistics
from pathlib import Path
from typing import Final

import backpack
from backpack.memory import Memory
from benchmarks import harness
from benchmarks.bench_memory_log import outputs
from benchmarks.folders import new_folder
from benchmarks.harness import Row, clock

LIMIT_MS: Final = 5.0
LIST_LIMIT_MS: Final = 10.0


def run(size: float = 1.0) -> list[Row]:
    """Each fetch by a memory that has nothing of the entry at hand, and by one that has."""
    with new_folder() as folder:
        rows = _lines(folder / "long", harness.scaled(100_000_000, size, least=400_000))
        rows.append(_list(folder / "many", harness.scaled(10_000, size, least=60)))
    return rows


def _lines(path: Path, size: int) -> list[Row]:
    chance = random.Random(5)
    block = "".join(outputs(4, 100_000))
    text = (block * (size // len(block) + 1))[:size]
    with backpack.open(path) as bp:
        entry = Memory(bp).log(text)
        expected = text.split("\n")
        fresh, again = [], []
        known = Memory(bp)
        known.fetch(entry, lines=(1, 1))
        for _ in range(50):
            first = chance.randrange(1, entry.lines - 11)
            for memory, times in ((Memory(bp), fresh), (known, again)):
                start = clock()
                found = memory.fetch(entry, lines=(first, first + 10))
                times.append(clock() - start)
                assert found == "\n".join(expected[first - 1 : first + 10]) + "\n"
    name = f"11 lines of an entry of {size / 1e6:,.0f} MB"
    longest = f"longest {max(fresh) / 1e6:.1f} ms"
    return [
        Row(
            f"{name}: median",
            statistics.median(fresh) / 1e6,
            "ms",
            LIMIT_MS,
            detail=longest,
        ),
        Row(f"{name}, its table at hand: median", statistics.median(again) / 1e6, "ms", LIMIT_MS),
    ]


def _list(path: Path, count: int) -> Row:
    with backpack.open(path) as bp:
        memory = Memory(bp)
        for number in range(count):
            memory.log(f"output number {number}\n", tags=["bench"])
    times = []
    for _ in range(5):
        with backpack.open(path, mode="r") as bp:
            memory = Memory(bp)
            start = clock()
            found = memory.list(limit=50)
            times.append(clock() - start)
            assert len(found) == 50
    return Row(f"the newest 50 of {count:,} entries, just opened", statistics.median(times) / 1e6, "ms", LIST_LIMIT_MS)


if __name__ == "__main__":
    harness.main(run)
