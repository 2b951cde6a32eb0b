"""The scene of a fork: the same run up to a decision, and then another one."""

from typing import Any

from backpack import Backpack, Unavailable
from backpack.demo.checking import BRISK, Checker
from backpack.demo.expected import seq_of
from backpack.demo.playing import play
from backpack.demo.showcase import instead_of
from backpack.demo.stage import Scene, Stage
from backpack.runs import Run, Step
from backpack.runs.steps import steps_of
from backpack.terminal.tables import table
from backpack.terminal.words import count_of, printable, shown

_PREVIEW = 200


def fork(stage: Stage) -> Scene:
    """A fork at the commit before the decision, one other message in it, and the original as it was."""
    bp, run = stage.bp, stage.run
    about = (
        "A fork goes on from any commit as a Backpack of its own. It shares the bytes of the past, "
        "and whatever happens in it, the original never notices."
    )
    index = _decision(stage)
    if index is None:
        nothing = "(every state before a decision lacks a large value whose bytes are gone: nothing to fork here)"
        return Scene("fork", "A fork with a different decision", about, ("bp.fork(at)",), (nothing,), {"at": None})
    at = seq_of(index, stage.packed) - 1
    is_chosen = index == stage.showcase.decision
    other = _other_run(run, index, stage.showcase.instead if is_chosen else instead_of(run.steps[index]))
    what_if = bp.fork(at)
    play(what_if, other.steps[-1])

    checked = Checker(what_if, other, stage.packed, BRISK).all_commits()
    again = Checker(bp, run, stage.packed, BRISK).all_commits()
    stage.checked.add(checked)
    stage.checked.problems += again.problems
    original, changed = run.steps[index], other.steps[index]
    rows = [
        ("original", str(at + 1), str(bp.head.seq if bp.head else 0), printable(original.node), _said(original)),
        ("fork", str(at + 1), str(what_if.head.seq if what_if.head else 0), printable(changed.node), _said(changed)),
    ]
    lines = table(("", "commit", "head", "node", "message"), rows, stage.width, right="commit head", firm="node")
    lines.append(f"The original was compared once more: {count_of(again.snapshots, 'snapshot')}, untouched.")
    return Scene(
        "fork",
        f"A fork with a different decision: at commit {at}",
        about,
        (f"what_if = bp.fork({at})", f"what_if.append('messages', another, node={changed.node!r})"),
        tuple(lines),
        {
            "at": at,
            "head": what_if.head.seq if what_if.head else 0,
            "original": _said(original),
            "fork": _said(changed),
            "snapshots_checked": checked.snapshots,
            "original_untouched": not again.problems,
        },
    )


def _decision(stage: Stage) -> int | None:
    """The step to take differently: the one chosen, or the last one before it that is none of a tool and whose state
    is whole."""
    chosen = stage.showcase.decision
    for index in range(chosen, -1, -1):
        if index < chosen and stage.run.steps[index].tool:
            continue
        if _is_whole(stage.bp, seq_of(index, stage.packed) - 1):
            return index
    return None


def _is_whole(bp: Backpack, seq: int) -> bool:
    snapshot = bp.snapshot(seq)
    return not any(snapshot.item(key).is_large and isinstance(snapshot.unpack(key), Unavailable) for key in snapshot)


def _other_run(run: Run, index: int, instead: dict[str, Any]) -> Run:
    """The run up to a step, with another message in its place."""

    def refuse(path: Any, reason: str) -> Any:
        raise AssertionError(reason)

    messages = [*(step.message for step in run.steps[:index]), instead]
    return Run(run.place, f"{run.name} (fork)", steps_of(messages, refuse))


def _said(step: Step) -> str:
    calls = ", ".join(f"{call.name}({shown(call.arguments, 60)})" for call in step.calls)
    return shown(" ".join(part for part in (step.text, calls) if part), _PREVIEW)
