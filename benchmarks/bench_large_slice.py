"""How much memory does it take to read some lines or bytes of a value of 1 GB? (a text, on disk as a blob)

The high-water mark of a new process beyond what it had before it opened the store. Another one has packed the value.
"""

from pathlib import Path
from typing import Final

import backpack
from benchmarks import harness, workloads
from benchmarks.folders import new_folder, size_on_disk
from benchmarks.harness import Row, clock
from benchmarks.processes import MB, in_new_process, peak_size, reset_peak

LIMIT: Final = 32.0
LINE_SIZE: Final = 100
KEY: Final = "report"


def run(size: float = 1.0) -> list[Row]:
    """Twenty lines from the middle, and a page of bytes."""
    lines = harness.scaled(10_000_000, size, least=20_000)
    with new_folder() as folder:
        path = folder / "store"
        in_new_process(_make, path, lines)
        before, peak, elapsed, is_right = in_new_process(_read, path, lines)
        stored = size_on_disk(path)
    name = f"20 lines of a text of {lines * LINE_SIZE / MB:,.0f} MB"
    detail = f"{elapsed / 1e6:.1f} ms; {stored / MB:,.0f} MB on disk"
    if before is None or peak is None:
        return [Row(f"{name}: peak memory", None, "MB", LIMIT, detail="not told by this system")]
    return [
        Row(f"{name}: peak memory", (peak - before) / MB, "MB", LIMIT, detail=detail),
        Row(f"{name}: wrong answers", 0 if is_right else 1, "", 0),
    ]


def _line(number: int) -> str:
    return workloads.text(number, LINE_SIZE - 1) + "\n"


def _make(path: Path, lines: int) -> None:
    text = "".join(map(_line, range(lines)))
    with backpack.open(path) as store:
        store.pack(KEY, text)


def _read(path: Path, lines: int) -> tuple[int | None, int | None, int, bool]:
    first = lines // 2
    expected = "".join(map(_line, range(first - 1, first + 49)))
    before = reset_peak()
    with backpack.open(path, "r") as store:
        start = clock()
        text = store.read_text(KEY, lines=(first, first + 19))
        elapsed = clock() - start
        data = store.read_bytes(KEY, start=(first - 1) * LINE_SIZE, length=4096)
    return before, peak_size(), elapsed, text == expected[: 20 * LINE_SIZE] and data == expected.encode()[:4096]


if __name__ == "__main__":
    harness.main(run)
