"""How much memory does a process take that commits without end? (budget 20 MB; W1 commits, and commits of 50 KB)

The high-water mark of the whole process, interpreter and all, from opening to after closing; each in a process of its
own, which makes each value when its turn comes.
"""

from collections.abc import Callable
from typing import Any, Final

import backpack
from benchmarks import harness, workloads
from benchmarks.folders import new_folder
from benchmarks.harness import Row
from benchmarks.processes import MB, in_new_process, peak_size, reset_peak

BUDGET: Final = 20 * MB
LIMIT: Final = 1.5 * BUDGET + 48 * MB

_RECORDS: Final[dict[str, Callable[[int], Any]]] = {
    "W1": workloads.step_record,
    "50 KB": workloads.document,
}


def run(size: float = 1.0) -> list[Row]:
    """The peak of both."""
    rows = []
    for name, full, least in (("W1", 200_000, 400), ("50 KB", 20_000, 20)):
        count = harness.scaled(full, size, least=least)
        figure = f"{count:,} {name} commits in a row: peak of the process"
        before, peak = in_new_process(_commit, name, count)
        if before is None or peak is None:
            rows.append(Row(figure, None, "MB", LIMIT / MB, detail="not told by this system"))
            continue
        rows.append(Row(figure, peak / MB, "MB", LIMIT / MB, detail=f"{before / MB:.0f} MB before opening"))
    return rows


def _commit(name: str, count: int) -> tuple[int | None, int | None]:
    make = _RECORDS[name]
    keys = workloads.keys()
    make(0)
    before = reset_peak()
    with new_folder() as folder, backpack.open(folder / "store", max_history_size=BUDGET) as store:
        for number in range(count):
            store.pack(keys[number % len(keys)], make(number), node=workloads.NODE)
    return before, peak_size()


if __name__ == "__main__":
    harness.main(run)
