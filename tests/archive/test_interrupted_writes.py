"""Ctrl-C at any line that writes a commit: it happened or it did not, and what comes after it is read back."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import backpack
from backpack import Backpack
from backpack.storage.memory import MemoryFolder
from tests.interrupting import interrupted_at

from .stores import opened_in

STRIDE = int(os.environ.get("BACKPACK_INTERRUPT_STRIDE", "3"))
"""Every how many lines an interrupt is tried: each of them in the long profile."""

FIRST = {"pack": 1, "append": 2, "transact": 3}
"""At which line it begins, so that every line is tried with something."""

TRACED = ("/archive/journal.py", "/archive/writing.py", "/archive/placing.py")


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
    place: str | None = ""
    while place is not None:
        step += STRIDE
        folder = MemoryFolder()
        with opened_in(folder) as bp:
            bp.update({"plan": {"city": "Bonn"}, "list": ["first"] * 20, "text": "s" * 5_000})
            place = interrupted_at(step, partial(act, bp), lambda name: name.endswith(TRACED))
            known, head = dict(bp), bp.head
            after(bp)
            assert bp.head is not None and head is not None
            assert bp.snapshot(head).to_dict() == known, place
            transact(bp)
            bp._check()
            known, head = dict(bp), bp.head
        with opened_in(folder) as bp:
            assert (dict(bp), bp.head) == (known, head), place
    assert step > 10


def test_a_commit_that_was_written_and_not_adopted_takes_nothing_of_the_one_before_along(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        bp.update({"plan": "Bonn", "list": ["first"] * 20})
        append(bp)
        journal, head = bp._engine.journal, bp.head
        assert journal is not None and head is not None
        journal.write_one(head.seq + 1, 1, (None, None, ()), "plan", 2, b"\xa4Rome")
        journal.retract(head.seq + 1)
        append(bp)
        known = dict(bp)
    with backpack.open(tmp_path / "store") as bp:
        assert dict(bp) == known
