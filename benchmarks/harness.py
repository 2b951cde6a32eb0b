"""How a benchmark measures and what it says: interleaved rounds, traced memory, rows of a table.

Two sides of a comparison run in turn (A B A B ...) in one process, each building what it needs anew, with the
garbage collector on as by default. A comparison is the median of the ratios of neighbouring rounds, so that a
machine which gets slower or faster meanwhile changes both sides alike; beside it stands the ratio of the quietest
round of each.
"""

import gc
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgpack

FULL: Final = 1.0
"""The size that the limits are for: figures at a smaller one are not judged."""

SMALLEST: Final = 0.001
"""The size at which a benchmark only shows that it still runs."""

WARM_UP_ROUNDS: Final = 1
UNLIMITED: Final = 1 << 40
"""A history budget that no benchmark reaches."""

clock = time.perf_counter_ns
Round = Callable[[], int]
Built = TypeVar("Built")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what was measured, in which unit, and what it may be at most."""

    figure: str
    value: float | None
    unit: str
    limit: float | None = None
    quietest: float | None = None
    detail: str = ""

    @property
    def is_ok(self) -> bool | None:
        """None when there is no limit, or nothing was measured."""
        if self.limit is None or self.value is None:
            return None
        return self.value <= self.limit

    def cells(self, *, is_judged: bool = True) -> tuple[str, str, str, str]:
        """The row as text: figure, measured, at most, ok."""
        if self.value is None:
            return self.figure, self.detail, _quantity(self.limit, self.unit), ""
        notes = [f"quietest {_quantity(self.quietest, self.unit)}"] if self.quietest is not None else []
        notes += [self.detail] if self.detail else []
        measured = _quantity(self.value, self.unit) + (f" ({'; '.join(notes)})" if notes else "")
        verdict = {None: "", True: "yes", False: "no"}[self.is_ok if is_judged else None]
        return self.figure, measured, _quantity(self.limit, self.unit), verdict


def _quantity(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "x" and 0 < value < 0.5:
        return f"1/{1 / value:.1f}"
    if unit == "":
        return f"{value:,.0f}"
    return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.{0 if value >= 100 else 2}f} {unit}"


def scaled(full: int, size: float, least: int) -> int:
    """`full` at size 1, proportionally less below it, never below `least`."""
    return max(least, round(full * size))


def packing() -> Callable[[Any], bytes]:
    """The floor under every pack: one reused packer of msgpack that takes no type for another."""
    pack: Callable[[Any], bytes] = msgpack.Packer(strict_types=True).pack
    return pack


def decode(payload: bytes) -> Any:
    """The floor under every read."""
    return msgpack.unpackb(payload, strict_map_key=False)


def interleave(sides: Sequence[Round], rounds: int) -> list[list[int]]:
    """Nanoseconds of each side in each round, after a warm-up. A side times its own measured part and returns it."""
    times: list[list[int]] = [[] for _ in sides]
    for number in range(WARM_UP_ROUNDS + rounds):
        for side, measured in zip(sides, times, strict=True):
            gc.collect()
            elapsed = side()
            if number >= WARM_UP_ROUNDS:
                measured.append(elapsed)
    return times


def against(
    figure: str, ours: Sequence[int], theirs: Sequence[int], *, count: int, limit: float | None = None, unit: str = "us"
) -> Row:
    """The row that says how our rounds compare with theirs; `count` operations a round, `unit` for the time of one."""
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    scale = {"ns": 1, "us": 1_000, "ms": 1_000_000}[unit] * count
    left, right = (statistics.median(times) / scale for times in (ours, theirs))
    return Row(
        figure,
        ratio,
        "x",
        limit,
        quietest=min(ours) / min(theirs),
        detail=f"{left:.2f} {unit} against {right:.2f} {unit}",
    )


def traced(build: Callable[[], Built]) -> tuple[int, Built]:
    """The bytes that what `build` returns keeps alive, as tracemalloc sees them, and the thing itself."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        built = build()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before, built
    finally:
        tracemalloc.stop()


def table(rows: Sequence[Row], *, is_judged: bool = True) -> str:
    """The rows as a Markdown table, padded so that it reads as plain text too; without a verdict unless `is_judged`."""
    lines = [("figure", "measured", "at most", "ok"), *(row.cells(is_judged=is_judged) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def main(run: Callable[[float], list[Row]]) -> None:
    """Run one benchmark as a script; the size may be given as its only argument."""
    size = float(sys.argv[1]) if len(sys.argv) > 1 else FULL
    print(table(run(size), is_judged=size >= FULL))
