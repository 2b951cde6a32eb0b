"""What counts as an access to a commit: naming one that is in memory, and reading values as of it. No listing does."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack


def hits(bp: Backpack) -> dict[int, int]:
    timeline = bp._engine.timeline
    return {seq: timeline.hits_of(seq) for seq in timeline.seqs() if timeline.hits_of(seq)}


def five() -> Backpack:
    bp = Backpack(prune_strategy="least-accessed")
    for number in range(5):
        bp.pack("a", number)
    return bp


ONE: dict[str, Callable[[Backpack], Any]] = {
    "commit": lambda bp: bp.commit(2),
    "commit by id": lambda bp: bp.commit(bp._engine.epoch.id_of(2)),
    "snapshot": lambda bp: bp.snapshot(2),
    "snapshot by name": lambda bp: bp.snapshot("HEAD~3"),
    "asnapshot": lambda bp: asyncio.run(bp.asnapshot(2)),
    "fork": lambda bp: bp.fork(2),
    "replay": lambda bp: bp.replay(2),
    "commit of a node": lambda bp: bp.node("n").commit(2),
    "snapshot of a node": lambda bp: bp.node("n").snapshot(2),
    "asnapshot of a node": lambda bp: asyncio.run(bp.node("n").asnapshot(2)),
}

NONE: dict[str, Callable[[Backpack], Any]] = {
    "history": lambda bp: list(bp.history()),
    "history of a key": lambda bp: list(bp.history("a", before=4)),
    "history of a node": lambda bp: list(bp.node("n").history()),
    "head": lambda bp: bp.head,
    "snapshot of now": lambda bp: bp.snapshot(),
    "asnapshot of now": lambda bp: asyncio.run(bp.asnapshot()),
    "fork of now": lambda bp: bp.fork(),
    "the beginning": lambda bp: bp.snapshot(0),
    "blame": lambda bp: bp.blame("a"),
    "peek": lambda bp: bp.peek("a"),
}


@pytest.mark.parametrize("act", ONE.values(), ids=ONE)
def test_naming_a_commit_is_one_access_to_it(act: Callable[[Backpack], Any]) -> None:
    bp = five()
    act(bp)
    assert hits(bp) == {2: 1}
    bp._check()


@pytest.mark.parametrize("act", NONE.values(), ids=NONE)
def test_what_names_no_commit_is_no_access(act: Callable[[Backpack], Any]) -> None:
    bp = five()
    act(bp)
    assert not hits(bp)


def test_reading_a_value_of_a_snapshot_is_an_access_as_well() -> None:
    bp = five()
    assert bp.snapshot(2)["a"] == 1
    assert hits(bp) == {2: 2}


@pytest.mark.parametrize("act", [lambda bp: bp.commit(3), lambda bp: bp.snapshot(3)], ids=["commit", "snapshot"])
def test_commits_that_are_asked_for_stay_longer(act: Callable[[Backpack], Any]) -> None:
    bp = five()
    act(bp)
    bp.configure(max_commits=3)
    assert sorted(commit.seq for commit in bp.history()) == [3, 5]


def test_a_fork_on_disk_is_one_access_and_archived_commits_count_none(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store", max_commits=3) as bp:
        for number in range(9):
            bp.pack("a", number)
        bp.fork(8, path=tmp_path / "fork").close()
        assert bp.commit(1).seq == bp.snapshot(1).seq == 1
        assert hits(bp) == {8: 1}
