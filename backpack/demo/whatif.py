"""The scene of a fork: the same run up to a decision, and then another one."""

from typing import Any

from backpack import Backpack
from backpack.demo.checking import BRISK, check_all, is_unavailable
from backpack.demo.expected import seq_of
from backpack.demo.playing import play
from backpack.demo.stage import Scene, Stage
from backpack.demo.tables import table
from backpack.demo.words import printable, shown
from backpack.runs import Run, Step
from backpack.runs.steps import steps_of

_PREVIEW = 200


def fork(stage: Stage) -> Scene:
    """A fork at the commit before the decision, one other message in it, and the original as it was."""
    bp, run = stage.bp, stage.run
    about = (
        "A fork goes on from any commit as a Backpack of its own. It shares the bytes of the past,\n"
        "and whatever happens in it, the original never notices."
    )
    index = _decision(stage)
    if index is None:
        lines = ("(every state before a decision lacks a large value whose bytes are gone: nothing to fork here)",)
        return Scene("fork", "A fork with a different decision", about, ("bp.fork(at)",), lines, {"at": None})
    at = seq_of(index, stage.packed) - 1
    other = _other_run(run, index, stage.showcase.instead if index == stage.showcase.decision else None)
    what_if = bp.fork(at)
    play(what_if, other.steps[-1])

    checked = check_all(what_if, other, stage.packed, read_max=BRISK)
    again = check_all(bp, run, stage.packed, read_max=BRISK)
    stage.checked.add(checked)
    stage.checked.problems += again.problems
    original, changed = run.steps[index], other.steps[index]
    rows = [
        ("original", str(at + 1), str(bp.head.seq if bp.head else 0), printable(original.node), _said(original)),
        ("fork", str(at + 1), str(what_if.head.seq if what_if.head else 0), printable(changed.node), _said(changed)),
    ]
    lines = table(("", "commit", "head", "node", "message"), rows, stage.width, right="commit head", firm="node")
    lines.append(f"The original was compared once more: {again.snapshots} snapshots, untouched.")
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
    """The step to take differently: the one chosen, or the last one before it whose state is whole."""
    for index in range(stage.showcase.decision, -1, -1):
        if _is_whole(stage.bp, seq_of(index, stage.packed) - 1):
            return index
    return None


def _is_whole(bp: Backpack, seq: int) -> bool:
    snapshot = bp.snapshot(seq)
    return not any(snapshot.item(key).is_large and is_unavailable(snapshot.unpack(key)) for key in snapshot)


def _other_run(run: Run, index: int, instead: dict[str, Any] | None) -> Run:
    """The run up to a step, with another message in its place."""
    if instead is None:
        instead = {"role": run.steps[index].role, "content": "Wait: let me think about that again."}

    def refuse(path: Any, reason: str) -> Any:
        raise AssertionError(reason)

    messages = [*(step.message for step in run.steps[:index]), instead]
    return Run(run.place, f"{run.name} (fork)", steps_of(messages, refuse))


def _said(step: Step) -> str:
    calls = ", ".join(f"{call.name}({shown(call.arguments, 60)})" for call in step.calls)
    return shown(" ".join(part for part in (step.text, calls) if part), _PREVIEW)
