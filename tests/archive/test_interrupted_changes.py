"""An exception from outside, around any call of a change to an opened store: what it did or did not do is on disk too.

A profiler raises it, where a signal may strike: before a call and after it. What is written later has to go on where
the log goes on, so lists grow before and after the change that is interrupted.
"""

import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from backpack import Backpack
from backpack.storage.memory import MemoryFolder

from .damaging import crash
from .stores import opened_in

STRIDE = int(os.environ.get("BACKPACK_INTERRUPT_STRIDE", "5"))
"""Every how many calls an interrupt is tried: each of them in the long profile."""

STRUCK = ("call", "c_return")
"""Where CPython looks for signals: on the way into a function of Python, and behind one of C."""

FOLDERS = ("/core/", "/archive/", "/store/growing.py")
HANDLERS = ("repairing.py", "threading.py")
"""What mends is interrupted in no test: it is at work when the exception has come."""


class Interrupt(BaseException):
    """Stands for Ctrl-C."""


def interrupted_at(step: int, act: Callable[[], object]) -> bool:
    """Run with an `Interrupt` before or after the n-th call that a commit makes; False when it makes fewer."""
    count = 0

    def profile(frame: FrameType, event: str, _: Any) -> None:
        nonlocal count
        name = frame.f_code.co_filename
        if event not in STRUCK or not any(folder in name for folder in FOLDERS) or name.endswith(HANDLERS):
            return
        count += 1
        if count == step:
            sys.setprofile(None)
            raise Interrupt

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        act()
    except Interrupt:
        return True
    finally:
        sys.setprofile(before)
    return False


def filled(key: bytes | None = None) -> tuple[MemoryFolder, Backpack]:
    folder = MemoryFolder()
    bp = opened_in(folder, key=key)
    bp.pack("small", 0)
    bp.pack("list", ["the first item of a list that grows"] * 3)
    bp.append("log", *["a line of the log"] * 80)
    for number in range(3):
        bp.append("list", f"item {number}")
        bp.append("log", f"line {number}")
    return folder, bp


ACTS: dict[str, Callable[[Backpack], object]] = {
    "pack": lambda bp: bp.pack("small", 1),
    "pack a new key": lambda bp: bp.pack("new", "n" * 100),
    "pack a longer list": lambda bp: bp.pack("list", [*bp["list"], "one more"]),
    "append": lambda bp: bp.append("list", "one more"),
    "append to a large list": lambda bp: bp.append("log", "one more"),
    "append to two lists": lambda bp: appended(bp, "list", "log"),
    "delete": lambda bp: bp.delete("log"),
}


def appended(bp: Backpack, *keys: str) -> None:
    with bp.transaction() as transaction:
        for key in keys:
            transaction.append(key, "one more")


def states(bp: Backpack) -> dict[int, dict[str, Any]]:
    return {commit.seq: bp.snapshot(commit).to_dict(unavailable="gone") for commit in bp.history()}


@pytest.mark.parametrize("key", [None, b"k" * 32], ids=["plain", "encrypted"])
@pytest.mark.parametrize("name", ACTS)
def test_an_interrupt_around_any_call_leaves_a_log_that_goes_on(name: str, key: bytes | None) -> None:
    step = 1
    while True:
        folder, bp = filled(key)
        before = states(bp)
        if not interrupted_at(step, lambda bp=bp: ACTS[name](bp)):  # type: ignore[misc]
            break
        bp._check()
        bp.append("list", "goes on")
        bp.append("log", "goes on")
        bp.pack("small", "goes on")
        bp.append("list", "goes on again")
        bp._check()
        after = states(bp)
        assert {seq: after[seq] for seq in before} == before, step
        crash(bp)
        again = opened_in(folder, key=key)
        assert again.recovery is None or not again.recovery.dropped_bytes, step
        assert states(again) == after, step
        step += STRIDE
    assert step > 10
