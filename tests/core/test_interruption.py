"""An exception from outside, at any step of any change, leaves a whole engine: the change happened or it did not.

Once at any line, by tracing: nothing is missed, but for the tool that measures coverage, which can't follow. And once
before and after any call of the steps that a change consists of, without tracing.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from backpack import Backpack, Commit
from backpack.core.chain import Chain
from backpack.core.index import Index
from backpack.core.ledger import Ledger
from backpack.core.pruning import Pruner
from backpack.core.timeline import Timeline
from tests.interrupting import Interrupt, interrupted_at

STRIDE = int(os.environ.get("BACKPACK_INTERRUPT_STRIDE", "8"))
"""Every how many lines an interrupt is tried: each of them in the long profile."""


def is_traced(name: str) -> bool:
    return "/core/" in name and "repairing" not in name


def states(bp: Backpack) -> dict[int, dict[str, Any]]:
    """Every snapshot in memory, as far as its values are within reach."""
    return {commit.seq: bp.snapshot(commit).to_dict(unavailable="gone") for commit in bp.history()}


def filled(strategy: str) -> Backpack:
    bp = Backpack(max_history_size=900, max_value_size=300, prune_strategy=strategy, prune_percentage=0.4)
    bp.pack("small", {"n": 0})
    bp.pack("list", ["first message"] * 3)
    bp.append("list", "second message")
    bp.pack("large", "x" * 400)
    bp.append("log", *["a line of the log"] * 30)
    bp.checkpoint("early")
    for number in range(8):
        bp.pack("small", {"n": number, "text": "t" * number})
        bp.pack("more", ["m"] * number)
    bp.delete("more")
    return bp


ACTS: dict[str, Callable[[Backpack], object]] = {
    "pack": lambda bp: bp.pack("small", {"n": 99}),
    "pack a new key": lambda bp: bp.pack("new", 1),
    "pack a long text": lambda bp: bp.pack("small", "y" * 250),
    "pack over a large value": lambda bp: bp.pack("large", 1),
    "pack a deleted key": lambda bp: bp.pack("more", 1),
    "append": lambda bp: bp.append("list", "third message"),
    "append to a large list": lambda bp: bp.append("log", "another line"),
    "update": lambda bp: bp.update({"small": {"n": 5}, "large": "z" * 500, "new": [1], "list": []}),
    "clear": lambda bp: bp.clear(),
    "restore": lambda bp: bp.restore("early", unavailable="gone"),
    "prune": lambda bp: bp.configure(max_history_size=300),
    "drop what compaction takes": lambda bp: bp._engine.pruner.drop_before(bp._engine.timeline.head),
    "checkpointless prune": lambda bp: (bp.delete_checkpoint("early"), bp.configure(max_history_size=100)),
}


STEPS: dict[str, type] = {
    "add": Ledger,
    "add_payload": Ledger,
    "hide": Ledger,
    "settle": Ledger,
    "release": Ledger,
    "remove": Index,
    "file": Index,
    "append": Timeline,
    "open_block": Timeline,
    "next_after": Timeline,
    "last_before": Timeline,
    "index_of": Chain,
    "kept_before": Chain,
    "forget": Chain,
    "squeeze": Chain,
    "step": Pruner,
    "_next": Pruner,
    "_pass": Pruner,
    "_clear_due": Pruner,
}
"""Methods that changes consist of, and whose they are."""


def assert_done_or_undone(bp: Backpack, before: dict[int, dict[str, Any]], head: Commit | None) -> None:
    """The engine is whole, says what it said of everything that stayed, and goes on."""
    bp._check()
    assert bp.head is not None and head is not None
    assert bp.head.seq in (head.seq, head.seq + 1)
    for seq, state in states(bp).items():
        if seq in before:
            kept = {key: value for key, value in state.items() if value != "gone"}
            assert kept.items() <= before[seq].items(), seq
            assert state.keys() == before[seq].keys()
    bp.pack("small", "goes on")
    bp.append("log", "goes on")
    bp._check()
    assert bp["small"] == "goes on" and bp["log"][-1] == "goes on"


@pytest.mark.uncounted
@pytest.mark.parametrize("strategy", ["oldest", "least-accessed"])
@pytest.mark.parametrize("name", ACTS)
def test_an_interrupt_at_any_line_leaves_the_change_done_or_undone(name: str, strategy: str) -> None:
    step = 1 - STRIDE + len(name) % STRIDE
    while True:
        step += STRIDE
        if step < 1:
            continue
        bp = filled(strategy)
        before, head = states(bp), bp.head
        if not interrupted_at(step, partial(ACTS[name], bp), is_traced):
            break
        assert_done_or_undone(bp, before, head)
    assert step > 10


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("strategy", ["oldest", "least-accessed"])
@pytest.mark.parametrize("name", ACTS)
def test_an_interrupt_around_any_step_leaves_the_change_done_or_undone(
    name: str, strategy: str, is_after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupts = 0
    for method, owner in STEPS.items():
        for number in (1, 3):
            bp = filled(strategy)
            before, head = states(bp), bp.head
            bp.configure(max_commits=len(before))  # so that the next commit prunes
            with monkeypatch.context() as patched:
                patched.setattr(owner, method, interrupting(getattr(owner, method), number, is_after))
                try:
                    ACTS[name](bp)
                    break
                except Interrupt:
                    interrupts += 1
            assert_done_or_undone(bp, before, head)
    assert interrupts >= 2


def interrupting(step: Callable[..., Any], number: int, is_after: bool) -> Callable[..., Any]:
    """The step with an `Interrupt` before or after its n-th call."""
    count = 0

    def interrupted(*arguments: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        if count == number and not is_after:
            raise Interrupt
        answer = step(*arguments, **named)
        if count == number:
            raise Interrupt
        return answer

    return interrupted
