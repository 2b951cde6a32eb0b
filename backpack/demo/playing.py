"""Replaying a run into a Backpack: one message, one node, one commit.

The keys, as an agent would keep them:

- `messages`: the conversation; every message is appended to it
- `instructions`, `question`, `answer`: what the system, the user and the assistant said last
- `turn`: how often the user has spoken
- `pending`: calls that have no result yet; deleted when there are none
- `tools.NAME.arguments`, `tools.NAME.calls`, `tools.NAME.last`: the last arguments, the count of calls, the last result

and whatever was packed before the first message. Texts of tools that are JSON are packed as what they say.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from backpack import Backpack, Commit, Transaction
from backpack.runs import Call, Run, Step
from backpack.runs.documents import parse_loosely
from backpack.terminal.words import shown, size_of

INSTRUCTING_ROLES: Final = ("system", "developer")
OWN_KEYS: Final = ("messages", "instructions", "question", "answer", "turn", "pending")
"""The keys that the replay writes, beside those under `tools.`."""

INPUT_NODE: Final = "input"
"""Who packs what was there before the run."""

_SAID_MAX: Final = 60


def replay(run: Run, packed: Mapping[str, Any], **limits: Any) -> Backpack:
    """The run in a Backpack of its own: a commit for what was packed first, if anything, and one for each message."""
    bp = Backpack(**limits)
    if packed:
        with bp.transaction(node=INPUT_NODE, message="packs what the run works on") as tx:
            for key, value in packed.items():
                tx.pack(key, value)
    for step in run.steps:
        play(bp, step)
    return bp


def play(bp: Backpack, step: Step, *, prefix: str = "", tags: Sequence[str] = ()) -> Commit | None:
    """One step, one commit; all its keys are below the prefix, which is empty or ends in a dot."""
    with bp.transaction(node=step.node, message=summary(step), tags=tags) as tx:
        tx.append(f"{prefix}messages", step.message)
        if step.role in INSTRUCTING_ROLES:
            tx.pack(f"{prefix}instructions", step.text)
        elif step.role == "user":
            tx.pack(f"{prefix}turn", tx.unpack(f"{prefix}turn", 0) + 1)
            tx.pack(f"{prefix}question", step.text)
        elif step.role == "assistant" and step.text:
            tx.pack(f"{prefix}answer", step.text)
        for call in step.calls:
            tool = f"{prefix}tools.{call.name}"
            tx.pack(f"{tool}.arguments", value_of(call.arguments))
            tx.pack(f"{tool}.calls", tx.unpack(f"{tool}.calls", 0) + 1)
        pending = f"{prefix}pending"
        if step.calls:
            tx.pack(pending, tx.unpack(pending, {}) | {call.key: call.name for call in step.calls})
        if step.tool:
            tx.pack(f"{prefix}tools.{step.tool}.last", value_of(step.text))
        if step.answers:
            _settle(tx, pending, step.answers)
    return tx.commit


def _settle(tx: Transaction, key: str, call: Call) -> None:
    """A call has its result: it is pending no more."""
    pending = tx.unpack(key, {})
    if pending.pop(call.key, None) is None:
        return
    if pending:
        tx.pack(key, pending)
    else:
        tx.delete(key)


def value_of(text: Any) -> Any:
    """What a tool was given or gave: the object or list that the text says, or the text."""
    return parse_loosely(text) if isinstance(text, str) else text


def summary(step: Step) -> str:
    """The message of the commit: what the node did, in a few words."""
    if step.tool:
        return f"returns {size_of(step.text)}"
    said = shown(step.text, _SAID_MAX) if step.text else ""
    if step.calls:
        calls = "calls " + ", ".join(dict.fromkeys(call.name for call in step.calls))
        return shown(calls, 2 * _SAID_MAX)
    verb = "instructs" if step.role in INSTRUCTING_ROLES else "says"
    return f"{verb}: {said}" if said else f"{verb} nothing"
