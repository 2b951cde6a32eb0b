"""What the messages alone say: the state after each of them, worked out from the file and never from the store.

A plain dict is folded over the steps, one commit at a time, together with what the store must know of every key: its
version and the commit that set it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from backpack.demo.packed import Packed
from backpack.demo.playing import INPUT_NODE, INSTRUCTING_ROLES, value_of
from backpack.runs import Run, Step


@dataclass(slots=True)
class Expected:
    """The state after one commit. It goes on changing: read it before asking for the next one."""

    packed: Packed
    steps: tuple[Step, ...]
    message_reprs: list[str]
    seq: int = 0
    node: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    """Every key but `messages`, which is made when asked for."""
    count: int = 0
    """How many of the steps have been taken."""
    versions: dict[str, int] = field(default_factory=dict)
    set_by: dict[str, int] = field(default_factory=dict)
    """By key: the `seq` of the commit that set it."""
    touched: set[str] = field(default_factory=set)
    """The keys that this commit changed."""

    def keys(self) -> set[str]:
        """The keys that have a value."""
        return {*self.values, "messages"} if self.count else set(self.values)

    def value(self, key: str) -> Any:
        """The value of a key that has one."""
        return [step.message for step in self.steps[: self.count]] if key == "messages" else self.values[key]

    def is_value(self, key: str, value: Any) -> bool:
        """Is this the value of the key, equal in type and order at every depth?

        All values come from JSON: for these, equal `repr`s are equal values of equal types, NaN included.
        """
        if key == "messages":
            right = f"[{', '.join(self.message_reprs[: self.count])}]"
        else:
            right = self.packed.repr_of(key) if key in self.packed else repr(self.values[key])
        return repr(value) == right


def states(run: Run, packed: Packed) -> Iterator[Expected]:
    """The state after every commit of a replay, in order."""
    state = Expected(packed, run.steps, [repr(step.message) for step in run.steps])
    if packed:
        _turn_page(state, INPUT_NODE)
        for key, value in packed.items():
            _put(state, key, value)
        yield state
    for step in run.steps:
        _turn_page(state, step.node)
        _take(state, step)
        yield state


def seq_of(index: int, packed: Packed) -> int:
    """The `seq` of the commit of a step."""
    return index + 1 + bool(packed)


def seq_before(run: Run, packed: Packed, node: str, node_run: int) -> int:
    """The `seq` right before a run of a node: a run is a row of consecutive steps of it."""
    nodes = [step.node for step in run.steps]
    begins = [index for index, name in enumerate(nodes) if name == node and (index == 0 or nodes[index - 1] != node)]
    return seq_of(begins[node_run], packed) - 1


def _turn_page(state: Expected, node: str) -> None:
    state.seq += 1
    state.node = node
    state.touched = set()


def _take(state: Expected, step: Step) -> None:
    values = state.values
    state.count += 1
    _touch(state, "messages")
    if step.role in INSTRUCTING_ROLES:
        _put(state, "instructions", step.text)
    if step.role == "user":
        _put(state, "turn", values.get("turn", 0) + 1)
        _put(state, "question", step.text)
    if step.role == "assistant" and step.text:
        _put(state, "answer", step.text)
    for call in step.calls:
        _put(state, f"tools.{call.name}.arguments", value_of(call.arguments))
        _put(state, f"tools.{call.name}.calls", values.get(f"tools.{call.name}.calls", 0) + 1)
        _put(state, "pending", {**values.get("pending", {}), call.key: call.name})
    if step.tool:
        _put(state, f"tools.{step.tool}.last", value_of(step.text))
    if step.answers and step.answers.key in values.get("pending", {}):
        left = {key: name for key, name in values["pending"].items() if key != step.answers.key}
        if left:
            _put(state, "pending", left)
        else:
            del values["pending"]
            _touch(state, "pending")


def _put(state: Expected, key: str, value: Any) -> None:
    state.values[key] = value
    _touch(state, key)


def _touch(state: Expected, key: str) -> None:
    if key not in state.touched:
        state.touched.add(key)
        state.versions[key] = state.versions.get(key, 0) + 1
        state.set_by[key] = state.seq
