"""What the demo says before and after its scenes, and everything at once as one document for programs."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from backpack import __version__
from backpack.demo.checking import Checked
from backpack.demo.performing import Outcome, Program
from backpack.demo.playing import OWN_KEYS
from backpack.demo.stage import Scene
from backpack.terminal.tables import wrapped
from backpack.terminal.words import count_of, printable


def opening_lines(program: Program) -> list[str]:
    """What is told: which run, of how many, who speaks in it, under which keys it goes."""
    run = program.told
    runs = "" if len(program.runs) == 1 else f" (run {run.place} of {len(program.runs):,})"
    roles = Counter(step.role for step in run.steps)
    spoken = ", ".join(f"{count} {printable(role)}" for role, count in roles.most_common())
    tool = next((step.tool for step in run.steps if step.tool), "search")
    lines = [
        f"backpack {__version__} demo: {run.name}{runs}, from {program.source}",
        f"{count_of(len(run.steps), 'message')}: {spoken}",
        "Each message becomes one commit of the node that made it:",
        "",
        f">>> with bp.transaction(node='tool.{tool}') as tx:",
        "...     tx.append('messages', message)",
        f"...     tx.pack('tools.{tool}.last', result)",
        "",
        f"The keys: {', '.join(OWN_KEYS)},",
        "and for every tool its arguments, calls and last result.",
    ]
    if program.packed:
        lines.append(f"Packed before the first message: {', '.join(printable(key) for key in program.packed)}.")
    return [*lines, ""]


def closing_lines(program: Program, outcome: Outcome, width: int) -> list[str]:
    """What was compared with the messages, and the problems, if any."""
    replayed, again = outcome.replayed, outcome.again
    told = [
        f"Checked against the messages themselves: {count_of(replayed.snapshots, 'snapshot')} of "
        f"{count_of(len(program.runs), 'run')}, every commit of every run.",
        f"{replayed.values_read:,} values read in them" + _exceptions(replayed),
        f"Checked once more, in forks, open snapshots and after pruning: {count_of(again.snapshots, 'snapshot')}.",
    ]
    lines = [line for text in told for line in wrapped(text, width)]
    problems = outcome.problems
    if not problems:
        return [*lines, "All of them are right."]
    return [*lines, f"WRONG at {count_of(len(problems), 'place')}:", *(f"  {printable(place)}" for place in problems)]


def document(program: Program, outcome: Outcome, scenes: Sequence[Scene]) -> dict[str, Any]:
    """The facts of all scenes and checks, as JSON takes them."""
    return {
        "backpack": __version__,
        "source": program.source,
        "runs": len(program.runs),
        "run": {"place": program.told.place, "name": program.told.name, "messages": len(program.told.steps)},
        "packed": list(program.packed),
        "scenes": {scene.name: scene.facts for scene in scenes},
        "all_runs": [
            {
                "place": summary.run.place,
                "name": summary.run.name,
                "messages": len(summary.run.steps),
                "commits": summary.commits,
                "snapshots_checked": summary.checked.snapshots,
                "history_bytes": summary.history_bytes,
                "commits_left_after_pruning": summary.commits_left,
                "problems": summary.problems,
            }
            for summary in outcome.summaries
        ],
        "checked": _counts(outcome.replayed),
        "checked_again": _counts(outcome.again),
        "problems": outcome.problems,
        "ok": not outcome.problems,
    }


def _counts(checked: Checked) -> dict[str, int]:
    return {
        "snapshots": checked.snapshots,
        "values_read": checked.values_read,
        "values_known_by_version": checked.values_skimmed,
        "references": checked.references,
    }


def _exceptions(checked: Checked) -> str:
    parts = []
    if checked.values_skimmed:
        parts.append(f"{checked.values_skimmed:,} times a large one was known by its version and commit")
    if checked.references:
        parts.append(f"{checked.references:,} times only the reference was left of a large one, and said so")
    return "".join(f"; {part}" for part in parts) + "."
