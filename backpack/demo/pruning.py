"""The scene of pruning: a small budget, and every snapshot that is left still right."""

from dataclasses import dataclass

from backpack import Backpack
from backpack.demo.checking import THOROUGH, Checked, Checker
from backpack.demo.packed import Packed
from backpack.demo.stage import Scene, Stage
from backpack.errors import CommitPrunedError
from backpack.runs import Run
from backpack.terminal.tables import wrapped
from backpack.terminal.words import count_of, size_shown

_RANGES_MAX = 6


@dataclass(slots=True)
class Pruned:
    """What pruning did, and what was compared afterwards."""

    budget: int
    history_before: int
    history_after: int
    pinned: int
    over_budget: bool
    survivors: list[int]
    """The `seq`s that are left."""
    gone: int
    opened: int
    """The commit whose snapshot was open all the time."""
    checked: Checked
    checked_open: Checked
    refusal: str
    """What asking for a commit that left says."""


def prune(bp: Backpack, run: Run, packed: Packed, budget: int | None, *, read_max: int) -> Pruned:
    """Lower the budget while a snapshot of an early commit is open, and check everything that is left."""
    before = bp.memory_usage()
    count = before.commits_in_memory
    opened = max(1, count // 4)
    snapshot = bp.snapshot(opened)
    budget = budget or _budget(bp)
    bp.configure(max_history_size=budget)
    after = bp.memory_usage()
    survivors = sorted(commit.seq for commit in bp.history())
    checker = Checker(bp, run, packed, read_max)
    checked = checker.commits(set(survivors))
    checked_open = checker.snapshot(snapshot, opened)
    place = f"run {run.name}, pruned to {budget} bytes"
    checked.expect(
        after.history_bytes <= budget or after.over_budget, f"{place}: {after.history_bytes} bytes of history are left"
    )
    checked.expect(count in survivors, f"{place}: the newest commit is gone")
    checked.expect(len(survivors) == after.commits_in_memory, f"{place}: the store counts other commits than it lists")
    gone = [seq for seq in range(1, count + 1) if seq not in set(survivors)]
    refusal = _refusal(bp, gone[0], place, checked) if gone else ""
    return Pruned(
        budget,
        before.history_bytes,
        after.history_bytes,
        after.pinned_bytes,
        after.over_budget,
        survivors,
        len(gone),
        opened,
        checked,
        checked_open,
        refusal,
    )


def _budget(bp: Backpack) -> int:
    """A budget that pruning takes seriously: what can't be pruned, and a third of the rest."""
    usage = bp.memory_usage()
    target = usage.pinned_bytes + (usage.history_bytes - usage.pinned_bytes) // 3
    return max(1, min(int(target / (1 - bp.limits.prune_percentage)), usage.history_bytes * 9 // 10))


def pruning(stage: Stage) -> Scene:
    """The history gets a budget that is less than it has, or what `--budget` says."""
    pruned = prune(stage.bp, stage.run, stage.packed, stage.budget, read_max=THOROUGH)
    stage.checked.add(pruned.checked)
    stage.checked.add(pruned.checked_open)
    pinned = f"; {size_shown(pruned.pinned)} can't be pruned" if pruned.pinned else ""
    lines = [
        f"budget       {size_shown(pruned.budget)}",
        f"history      {size_shown(pruned.history_before)} before, {size_shown(pruned.history_after)} after{pinned}",
        f"commits      {pruned.gone:,} pruned, {len(pruned.survivors):,} left: {_ranges(pruned.survivors)}",
        f"checked      {count_of(pruned.checked.snapshots, 'snapshot')} left, each "
        + ("as before" if not pruned.checked.problems else "NOT as before: see below"),
        f"open         the snapshot of commit {pruned.opened}, opened before: "
        + ("as before" if not pruned.checked_open.problems else "NOT as before: see below"),
    ]
    if pruned.refusal:
        lines += wrapped(f"gone         {pruned.refusal}", stage.width, " " * 13)
    if pruned.over_budget:
        lines.append("over budget  what is left is the newest commit and what is pinned: never pruned")
    return Scene(
        "pruning",
        f"Pruning to {size_shown(pruned.budget)}, with old snapshots still right",
        "The oldest commits leave until the history fits. What is left is whole: a key that was set long ago "
        "and never again is still in every snapshot. A snapshot that is open keeps what it shows.",
        (f"old = bp.snapshot({pruned.opened})", f"bp.configure(max_history_size={pruned.budget})"),
        tuple(lines),
        {
            "budget": pruned.budget,
            "history_bytes_before": pruned.history_before,
            "history_bytes_after": pruned.history_after,
            "pinned_bytes": pruned.pinned,
            "over_budget": pruned.over_budget,
            "commits_pruned": pruned.gone,
            "commits_left": pruned.survivors,
            "snapshots_checked": pruned.checked.snapshots + pruned.checked_open.snapshots,
        },
    )


def _refusal(bp: Backpack, seq: int, place: str, checked: Checked) -> str:
    try:
        bp.snapshot(seq)
    except CommitPrunedError as error:
        return f"bp.snapshot({seq}): {type(error).__name__}: {error}"
    checked.expect(False, f"{place}: commit {seq} is listed no more and can still be read")
    return ""


def _ranges(seqs: list[int]) -> str:
    """`10, 26-39`."""
    ranges: list[list[int]] = []
    for seq in seqs:
        if ranges and ranges[-1][1] == seq - 1:
            ranges[-1][1] = seq
        else:
            ranges.append([seq, seq])
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in ranges]
    return ", ".join(shown if len(shown) <= _RANGES_MAX else [*shown[:3], "...", *shown[-2:]])
