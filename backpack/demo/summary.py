"""All runs of a file: each replayed, every snapshot compared, pruned, and what is left compared again."""

from collections.abc import Sequence
from dataclasses import dataclass

from backpack.demo.checking import BRISK, Checked, Checker
from backpack.demo.packed import Packed
from backpack.demo.playing import replay
from backpack.demo.pruning import prune
from backpack.runs import Run
from backpack.terminal.tables import table, wrapped
from backpack.terminal.words import count_of, shown, size_shown

_ROWS_MAX, _FIRST, _LAST = 24, 12, 6
_ABOUT = (
    "Of each run: its commits, the snapshots that were checked, the bytes of its history, the commits that a small "
    "budget left, and the snapshots that were checked again after that, one of them open all the time."
)


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


def summarise(run: Run, packed: Packed, budget: int | None) -> Summary:
    """Replay a run, check it, prune it, check what is left."""
    bp = replay(run, packed)
    usage = bp.memory_usage()
    checked = Checker(bp, run, packed, BRISK).all_commits()
    pruned = prune(bp, run, packed, budget, read_max=BRISK)
    pruned.checked.add(pruned.checked_open)
    left = len(pruned.survivors)
    return Summary(run, usage.commits_in_memory, usage.history_bytes, checked, left, pruned.checked)


def summary_lines(summaries: Sequence[Summary], width: int) -> list[str]:
    """A table of the runs; of many, the first and the last, and all that went wrong."""
    head = ("#", "run", "messages", "commits", "checked", "history", "left", "again", "result")
    left_out = ""
    rows = [_row(summary) for summary in summaries]
    if len(rows) > _ROWS_MAX:
        middle = rows[_FIRST:-_LAST]
        bad = [row for row, summary in zip(middle, summaries[_FIRST:-_LAST], strict=True) if summary.problems]
        rows = [*rows[:_FIRST], *bad[:_FIRST], *rows[-_LAST:]]
        left_out = f"... {count_of(len(summaries) - len(rows), 'more run')} ..."
    lines = table(head, rows, width, right="# messages commits checked history left again")
    if left_out:
        lines.insert(len(lines) - _LAST, left_out)
    return [*wrapped(_ABOUT, width), "", *lines]


def _row(summary: Summary) -> tuple[str, ...]:
    return (
        str(summary.run.place),
        shown(summary.run.name, 40),
        f"{len(summary.run.steps):,}",
        f"{summary.commits:,}",
        f"{summary.checked.snapshots:,}",
        size_shown(summary.history_bytes),
        f"{summary.commits_left:,}",
        f"{summary.checked_left.snapshots:,}",
        "wrong" if summary.problems else "right",
    )
