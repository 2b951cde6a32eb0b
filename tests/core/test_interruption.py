"""An exception from outside, at any step of any change, leaves a whole engine: the change happened or it did not."""

import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from backpack import Backpack

CORE = "/core/"
STRIDE = int(os.environ.get("BACKPACK_INTERRUPT_STRIDE", "8"))
"""Every how many lines an interrupt is tried: each of them in the long profile."""


class Interrupt(BaseException):
    """Stands for Ctrl-C."""


def interrupted_at(step: int, act: Callable[[], object]) -> bool:
    """Run with an `Interrupt` at the n-th line that the core executes; False when there are fewer lines.

    A line that follows itself is not counted: CPython from 3.12 on says so where a comprehension begins its next round,
    and what a tracer raises there is caught by no handler around it, although what a signal raises is.
    """
    count = 0
    latest: dict[FrameType, int] = {}
    previous = sys.gettrace()  # the tool that measures coverage traces as well

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        name = frame.f_code.co_filename
        if CORE not in name or "repairing" in name:
            return None
        if event == "line" and latest.get(frame) != frame.f_lineno:
            latest[frame] = frame.f_lineno
            count += 1
            if count == step:
                sys.settrace(previous)
                raise Interrupt
        elif event == "return":
            latest.pop(frame, None)
        return trace

    sys.settrace(trace)
    try:
        act()
    except Interrupt:
        return True
    finally:
        sys.settrace(previous)
    return False


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
    "checkpointless prune": lambda bp: (bp.delete_checkpoint("early"), bp.configure(max_history_size=100)),
}


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
        if not interrupted_at(step, lambda bp=bp: ACTS[name](bp)):
            break
        bp._check()
        assert bp.head is not None and head is not None
        assert bp.head.seq in (head.seq, head.seq + 1)
        after = states(bp)
        for seq, state in after.items():
            if seq in before:
                kept = {key: value for key, value in state.items() if value != "gone"}
                assert kept.items() <= before[seq].items(), (step, seq)
                assert state.keys() == before[seq].keys()
        bp.pack("small", "goes on")
        bp.append("log", "goes on")
        bp._check()
        assert bp["small"] == "goes on" and bp["log"][-1] == "goes on"
    assert step > 10
