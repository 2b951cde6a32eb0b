"""What does it cost to log an output to the memory?

30 KB of log lines, also against zstd level 3 of them alone; 10,000 small ones; a stream of 1 GB and its memory.
"""

import random
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Final

import zstandard

import backpack
from backpack import Backpack
from backpack.memory import Memory
from benchmarks import harness
from benchmarks.folders import new_folder
from benchmarks.harness import Row, clock
from benchmarks.processes import MB, in_new_process, peak_size, reset_peak

SIZE: Final = 30_000
LIMIT_MS: Final = 1.0
LIMIT_RATIO: Final = 3.0
LIMIT_S: Final = 10.0
LIMIT_MB: Final = 64.0
GB: Final = 1_000_000_000


def run(size: float = 1.0) -> list[Row]:
    """One long output at a time, in a store in memory and in an opened one; many small ones; a stream."""
    count = harness.scaled(400, size, least=4)
    texts = outputs(count)
    rows = _one_at_a_time("in memory", Backpack, texts)
    with new_folder() as folder:
        rows += _one_at_a_time("opened", lambda: backpack.open(folder / "outputs"), texts)
        rows.append(_many(folder / "many", harness.scaled(10_000, size, least=20)))
        rows += _stream(folder / "stream", harness.scaled(GB, size, least=2_000_000))
    return rows


def outputs(count: int, size: int = SIZE) -> list[str]:
    """Texts such as tools print: lines with times, levels and words, each text another one."""
    chance = random.Random(4)
    words = ["".join(chance.choices("abcdefghijklmnop", k=chance.randint(2, 9))) for _ in range(3_000)]
    found = []
    for number in range(count):
        lines = []
        length = 0
        while length < size:
            second = f"{chance.randint(0, 59):02}"
            lines.append(f"2026-11-21 12:{number % 60:02}:{second} INFO {' '.join(chance.choices(words, k=9))}\n")
            length += len(lines[-1])
        found.append("".join(lines)[:size])
    return found


def _one_at_a_time(name: str, make: Callable[[], Backpack], texts: list[str]) -> list[Row]:
    """The median of a log, and of the ratios to compressing the same text just before."""
    compress = zstandard.ZstdCompressor(level=3).compress
    ours, ratios = [], []
    with make() as bp:
        memory = Memory(bp)
        for text in texts:
            start = clock()
            compress(text.encode())
            middle = clock()
            memory.log(text)
            end = clock()
            ours.append(end - middle)
            ratios.append((end - middle) / (middle - start))
    return [
        Row(f"log of {SIZE / 1000:.0f} KB, {name}: median", statistics.median(ours) / 1e6, "ms", LIMIT_MS),
        Row(f"log of {SIZE / 1000:.0f} KB, {name}, against zstd 3", statistics.median(ratios), "x", LIMIT_RATIO),
    ]


def _many(path: Path, count: int) -> Row:
    with backpack.open(path) as bp:
        memory = Memory(bp)
        start = clock()
        for number in range(count):
            memory.log(f"output number {number}\nwith a second line\n", tags=["bench"])
        elapsed = clock() - start
    return Row(f"{count:,} entries logged", elapsed / 1e9, "s", LIMIT_S)


class _Lines:
    """A file of log lines that stands nowhere."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._block = "".join(outputs(8, 125_000)).encode()

    def read(self, count: int) -> bytes:
        take = min(count, self._left, len(self._block) - 40)
        self._left -= take
        return b"%024d" % self._left + self._block[:take][24:] if take > 24 else self._block[:take]


def _log_stream(path: Path, size: int) -> tuple[int | None, int | None, int, bool]:
    with backpack.open(path) as bp:
        memory = Memory(bp)
        lines = _Lines(size)
        before = reset_peak()
        start = clock()
        entry = memory.log(lines)
        return before, peak_size(), clock() - start, entry.size == size


def _stream(path: Path, size: int) -> list[Row]:
    before, peak, elapsed, is_whole = in_new_process(_log_stream, path, size)
    name = f"a stream of {size / MB:,.0f} MB logged"
    detail = f"{elapsed / 1e9:.1f} s"
    if before is None or peak is None:
        return [Row(f"{name}: peak memory", None, "MB", LIMIT_MB, detail="not told by this system")]
    return [
        Row(f"{name}: peak memory", (peak - before) / MB, "MB", LIMIT_MB, detail=detail),
        Row(f"{name}: lost", 0 if is_whole else 1, "", 0),
    ]


if __name__ == "__main__":
    harness.main(run)
