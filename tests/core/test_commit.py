"""Commits are values: they compare, hash and print, and nothing of them can be changed."""

import pytest

from backpack import Backpack


def test_a_commit_can_not_be_changed() -> None:
    commit = Backpack({"a": 1}).commit(1)
    with pytest.raises(AttributeError, match="seq can't be set"):
        commit.seq = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="node can't be deleted"):
        del commit.node  # type: ignore[misc]


def test_commits_are_equal_when_they_have_the_same_id_and_nothing_else_is() -> None:
    bp = Backpack({"a": 1})
    commit = bp.commit(1)
    assert commit == bp.commit(1) and hash(commit) == hash(bp.commit(1))
    assert commit == bp.fork().commit(1)
    assert commit != Backpack({"a": 1}).commit(1)
    assert commit != commit.id and commit != 1
