"""Ctrl-C at any line that writes a commit: it happened or it did not, and what comes after it is read back."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import backpack
from backpack import Backpack
from backpack.storage.memory import MemoryFolder

from .stores import opened_in

STRIDE = int(os.environ.get("BACKPACK_INTERRUPT_STRIDE", "3"))
"""Every how many lines an interrupt is tried: each of them in the long profile."""

FIRST = {"pack": 1, "append": 2, "transact": 3}
"""At which line it begins, so that every line is tried with something."""

TRACED = ("/archive/writing.py", "/archive/archive.py", "/archive/placing.py")


class Interrupt(BaseException):
    """Stands for Ctrl-C."""


def interrupted_at(step: int, act: Callable[[], object]) -> bool:
    """Run with an `Interrupt` at the n-th line that writes; False when there are fewer lines."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.endswith(TRACED):
            return None
        if event == "line":
            count += 1
            if count == step:
                raise Interrupt
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    except Interrupt:
        return True
    finally:
        sys.settrace(previous)
    return False


def pack(bp: Backpack) -> None:
    bp.pack("plan", {"city": "Rome"})


def append(bp: Backpack) -> None:
    bp.append("list", "one more")


def transact(bp: Backpack) -> None:
    with bp.transaction() as tx:
        tx.pack("plan", {"city": "Oslo"})
        tx.append("list", "one more", "and more")
        tx.pack("text", "t" * 5_000)


@pytest.mark.parametrize("act", [pack, append, transact])
@pytest.mark.parametrize("after", [pack, append, transact])
def test_an_interrupt_at_any_line_leaves_a_store_that_goes_on(
    act: Callable[[Backpack], None], after: Callable[[Backpack], None]
) -> None:
    step = FIRST[after.__name__] - STRIDE
    is_interrupted = True
    while is_interrupted:
        step += STRIDE
        folder = MemoryFolder()
        with opened_in(folder) as bp:
            bp.update({"plan": {"city": "Bonn"}, "list": ["first"] * 20, "text": "s" * 5_000})
            is_interrupted = interrupted_at(step, lambda: act(bp))
            known, head = dict(bp), bp.head
            after(bp)
            assert bp.head is not None and head is not None
            assert bp.snapshot(head).to_dict() == known, step
            transact(bp)
            bp._check()
            known, head = dict(bp), bp.head
        with opened_in(folder) as bp:
            assert (dict(bp), bp.head) == (known, head), step
    assert step > 10


def test_a_commit_that_was_written_and_not_adopted_takes_nothing_of_the_one_before_along(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        bp.update({"plan": "Bonn", "list": ["first"] * 20})
        append(bp)
        archive, head = bp._archive, bp.head
        assert archive is not None and head is not None
        archive.write_one(head.seq + 1, 1, (None, None, ()), "plan", 2, b"\xa4Rome")
        archive.retract(head.seq + 1)
        append(bp)
        known = dict(bp)
    with backpack.open(tmp_path / "store") as bp:
        assert dict(bp) == known
