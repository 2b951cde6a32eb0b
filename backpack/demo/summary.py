"""All runs of a file: each replayed, every snapshot compared, pruned, and what is left compared again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backpack.demo.checking import BRISK, Checked, check_all
from backpack.demo.playing import replay
from backpack.demo.pruning import prune
from backpack.demo.tables import table
from backpack.demo.words import count_of, shown, size_shown
from backpack.runs import Run

_ROWS_MAX, _FIRST, _LAST = 24, 12, 6


@dataclass(frozen=True, slots=True)
class Summary:
    """What one run came to."""

    run: Run
    commits: int
    history_bytes: int
    checked: Checked
    commits_left: int
    checked_left: Checked

    @property
    def problems(self) -> list[str]:
        """What was wrong."""
        return [*self.checked.problems, *self.checked_left.problems]


def summarise(run: Run, packed: Mapping[str, Any], budget: int | None) -> Summary:
    """Replay a run, check it, prune it, check what is left."""
    bp = replay(run, packed)
    usage = bp.memory_usage()
    checked = check_all(bp, run, packed, read_max=BRISK)
    pruned = prune(bp, run, packed, budget, read_max=BRISK)
    pruned.checked.add(pruned.checked_open)
    left = len(pruned.survivors)
    return Summary(run, usage.commits_in_memory, usage.history_bytes, checked, left, pruned.checked)


def summary_lines(summaries: Sequence[Summary], width: int) -> list[str]:
    """A table of the runs; of many, the first and the last, and all that went wrong."""
    head = ("#", "run", "messages", "snapshots checked", "history", "left after pruning", "result")
    rows = [_row(summary) for summary in summaries]
    if len(rows) > _ROWS_MAX:
        middle = rows[_FIRST:-_LAST]
        bad = [row for row, summary in zip(middle, summaries[_FIRST:-_LAST], strict=True) if summary.problems]
        gap = ("", f"... {count_of(len(middle) - len(bad), 'more run')}, all right", "", "", "", "", "")
        rows = [*rows[:_FIRST], gap, *bad[:_FIRST], *rows[-_LAST:]]
    return table(head, rows, width, right="# messages history")


def _row(summary: Summary) -> tuple[str, ...]:
    return (
        str(summary.run.place),
        shown(summary.run.name, 40),
        f"{len(summary.run.steps):,}",
        f"{summary.checked.snapshots:,}",
        size_shown(summary.history_bytes),
        count_of(summary.commits_left, "commit"),
        "wrong" if summary.problems else "right",
    )
