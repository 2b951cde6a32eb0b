"""Checkpoints: names that stay, and keep what they name."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from backpack import Backpack
from backpack.errors import BackpackError, CheckpointExistsError, CommitNotFoundError, CommitPrunedError

from .readings import checkpoint_names


def five() -> Any:
    bp = Backpack()
    for number in range(1, 6):
        bp.pack("a", number)
    return bp


def test_a_checkpoint_names_head_or_any_commit() -> None:
    bp = five()
    bp.checkpoint("now")
    bp.checkpoint("then", at=2, notes="before it went wrong")
    bp.checkpoint("also", at="HEAD~3")
    assert bp.commit("now").seq == 5
    assert bp.commit("then").seq == 2
    assert bp.commit("also").seq == 2
    assert bp.snapshot("then")["a"] == 2
    bp.pack("a", 6)
    assert bp.commit("now").seq == 5


def test_a_checkpoint_is_no_commit() -> None:
    bp = five()
    bp.checkpoint("now")
    bp.delete_checkpoint("now")
    assert bp.head.seq == 5


def test_checkpoints_lists_their_names() -> None:
    bp = five()
    assert checkpoint_names(bp.checkpoints()) == set()
    bp.checkpoint("one")
    bp.checkpoint("zwölf", at=1)
    assert checkpoint_names(bp.checkpoints()) == {"one", "zwölf"}
    bp.delete_checkpoint("one")
    assert checkpoint_names(bp.checkpoints()) == {"zwölf"}


def test_changing_the_list_of_checkpoints_changes_nothing() -> None:
    bp = five()
    bp.checkpoint("one")
    found = bp.checkpoints()
    with contextlib.suppress(AttributeError, TypeError):
        found.clear()
    assert checkpoint_names(bp.checkpoints()) == {"one"}


def test_a_taken_name_raises_and_stays_where_it_was() -> None:
    bp = five()
    bp.checkpoint("one", at=1)
    with pytest.raises(CheckpointExistsError) as caught:
        bp.checkpoint("one", at=2)
    assert caught.value.name == "one"
    assert isinstance(caught.value, ValueError)
    assert bp.commit("one").seq == 1


def test_a_deleted_name_is_free_again_and_found_no_more() -> None:
    bp = five()
    bp.checkpoint("one", at=1)
    bp.delete_checkpoint("one")
    with pytest.raises(CommitNotFoundError):
        bp.commit("one")
    bp.checkpoint("one", at=3)
    assert bp.commit("one").seq == 3


def test_deleting_an_unknown_checkpoint_raises() -> None:
    with pytest.raises((BackpackError, KeyError)):
        five().delete_checkpoint("nobody")


def test_a_checkpoint_of_an_unknown_or_pruned_commit_raises() -> None:
    bp = Backpack(max_commits=2)
    for number in range(10):
        bp.pack("a", number)
    with pytest.raises(CommitNotFoundError):
        bp.checkpoint("one", at=99)
    with pytest.raises(CommitPrunedError):
        bp.checkpoint("one", at=1)
    assert checkpoint_names(bp.checkpoints()) == set()


@pytest.mark.parametrize("strategy", ["oldest", "least-accessed"])
def test_pruning_never_takes_a_checkpoint_until_it_is_deleted(strategy: str) -> None:
    bp = Backpack({"a": 0, "b": "old"}, max_commits=5, prune_strategy=strategy)
    bp.checkpoint("kept")
    for number in range(60):
        bp.pack("a", number)
        if number == 30:
            bp.delete("b")
    assert dict(bp.snapshot("kept")) == {"a": 0, "b": "old"}
    assert bp.commit(1).seq == 1
    assert dict(bp.fork("kept")) == {"a": 0, "b": "old"}
    bp.delete_checkpoint("kept")
    bp.configure(max_commits=1)
    bp.pack("a", 1)
    with pytest.raises(CommitPrunedError):
        bp.snapshot(1)


def test_several_checkpoints_of_one_commit_each_keep_it() -> None:
    bp = Backpack({"a": 0}, max_commits=3)
    bp.checkpoint("one")
    bp.checkpoint("two")
    bp.delete_checkpoint("one")
    for number in range(20):
        bp.pack("a", number)
    assert bp.snapshot("two")["a"] == 0


def test_every_commit_may_be_a_checkpoint() -> None:
    bp = Backpack(max_history_size=300)
    for number in range(30):
        bp.pack("a", "x" * 40 + str(number))
        bp.checkpoint(f"c{number}")
    for number in range(30):
        assert bp.snapshot(f"c{number}")["a"] == "x" * 40 + str(number)
    usage = bp.memory_usage()
    assert usage.over_budget
    assert usage.history_bytes - usage.pinned_bytes <= 300


def test_a_checkpoint_that_looks_like_a_path_is_only_a_name() -> None:
    bp = five()
    for name in ("../../etc/passwd", "a/b", "a.b", "CON", "x" * 200):
        bp.checkpoint(name, at=2)
        assert bp.commit(name).seq == 2
