"""What does a search cost among 100,000 entries, and what does it cost to make its index?

Entries of 75 words drawn as words are in a language, few often and many seldom; one in a hundred has the word that is
asked for. In an opened store, with `limit=10`: the texts of ten entries are read and snippets made of them. Then the
same right after one more entry was logged, and in a new process that opens the store and its index to read.
"""

import random
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

import backpack
from backpack.memory import Memory
from benchmarks import harness, workloads
from benchmarks.harness import Row, clock
from benchmarks.processes import in_new_process

QUERIES: Final = ("needle", "needle w12", '"needle needle"', "need*", "needle w3 w7")
_ROUNDS: Final = 20
_WORDS: Final = 75


def run(size: float = 1.0) -> list[Row]:
    """Medians of searches, and the rate of indexing."""
    count = harness.scaled(100_000, size, least=300)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        text_size = _fill(path, count)
        for file in path.glob("search.sqlite*"):
            file.unlink()  # what the close has made of it
        with backpack.open(path) as bp:
            memory = Memory(bp)
            start = clock()
            memory.search(QUERIES[0])
            made_s = (clock() - start) / 1e9
            times = _times(memory)
            memory.log("one more needle, fresh")
            start = clock()
            found = memory.search(QUERIES[0])
            after = (clock() - start) / 1e6
            wrong = sum("needle" not in one.snippet for one in found) + (len(found) != min(10, count // 100 + 1))
        index_size = (path / "search.sqlite").stat().st_size
        opened = in_new_process(_first, path)
    return [
        Row(
            f"search, {count:,} entries, 1 % hits, limit=10",
            median(times),
            "ms",
            20.0,
            detail=f"worst {max(times):.1f}",
        ),
        Row("the first search after another entry was logged", after, "ms", 20.0),
        Row("the first search of a new process that reads", opened, "ms", detail="its index checked by its sum"),
        Row("wrong answers", wrong, "", 0),
        Row("making the index", made_s, "s", detail=f"{text_size / made_s / 1e6:.1f} MB of text a second"),
        Row("size of the index against the text", index_size / text_size, "x"),
    ]


def _fill(path: Path, count: int) -> int:
    """A store of so many entries; bytes of their texts."""
    chance = random.Random(workloads.SEED)
    weights = [1 / (number + 10) for number in range(20_000)]
    words = [f"w{number}" for number in range(20_000)]
    size = 0
    with backpack.open(path) as bp:
        memory = Memory(bp)
        for number in range(count):
            text = " ".join(chance.choices(words, weights, k=_WORDS)) + (" needle needle" if number % 100 == 0 else "")
            memory.log(text, title=f"entry {number}")
            size += len(text)
    return size


def _times(memory: Memory) -> list[float]:
    """Milliseconds of each search, warmed up."""
    times = []
    for query in QUERIES:
        memory.search(query)
        for _ in range(_ROUNDS):
            start = clock()
            memory.search(query)
            times.append((clock() - start) / 1e6)
    return times


def _first(path: Path) -> float:
    """Milliseconds, the opening of the store not counted."""
    with backpack.open(path, "r") as bp:
        memory = Memory(bp)
        start = clock()
        memory.search(QUERIES[0])
        return (clock() - start) / 1e6


if __name__ == "__main__":
    harness.main(run)
