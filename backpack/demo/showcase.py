"""What of a run is worth showing: the node to look before, the decision to take differently."""

from dataclasses import dataclass
from typing import Any

from backpack.runs import Run, Step


@dataclass(frozen=True, slots=True)
class Showcase:
    """Chosen by hand for the shipped run, by `showcase_of` for any other."""

    node: str
    """The state before this node ran..."""
    node_run: int
    """...for which time: 0 is the first, -1 the last."""
    decision: int
    """The step that is taken differently in the fork..."""
    instead: dict[str, Any]
    """...and the message that stands there instead."""


def showcase_of(run: Run) -> Showcase:
    """The last tool that gave a result, and the last decision of the assistant; else the last message."""
    steps = run.steps
    node = next((step.node for step in reversed(steps) if step.tool), None)
    if node is None:
        node = next((step.node for step in reversed(steps) if step.role == "assistant"), steps[-1].node)
    decision = next((step for step in reversed(steps) if step.calls), None)
    if decision is None:
        decision = next((step for step in reversed(steps) if step.role == "assistant"), steps[-1])
    return Showcase(node, -1, decision.index, instead_of(decision))


def instead_of(step: Step) -> dict[str, Any]:
    """What could stand in the place of a step."""
    if step.calls:
        names = " and ".join(dict.fromkeys(call.name for call in step.calls))
        return {"role": "assistant", "content": f"Before I call {names}: is that what you want?"}
    if step.tool:
        return {**step.message, "content": "no result: the tool did not answer"}
    return {"role": step.role, "content": "Wait: let me think about that again."}
