"""`bisect` names a commit only if it is known to be the first: not when those before it have left memory."""

from pathlib import Path

import pytest

import backpack
from backpack import Backpack
from backpack.errors import CommitPrunedError


def is_bad(snapshot: object) -> bool:
    return snapshot["a"] >= 5  # type: ignore[index]


def filled(count: int, **limits: int) -> Backpack:
    bp = Backpack(**limits)
    for number in range(1, count + 1):
        bp.pack("a", number)
    return bp


def test_what_is_true_at_the_oldest_commit_left_may_have_begun_before_it() -> None:
    bp = filled(20, max_commits=10)
    oldest = min(commit.seq for commit in bp.history())
    assert oldest > 5
    with pytest.raises(CommitPrunedError) as caught:
        bp.bisect(is_bad)
    assert caught.value.oldest == oldest and f"seq={oldest}" in str(caught.value)
    with pytest.raises(CommitPrunedError):
        bp.bisect(is_bad, good=0)
    with pytest.raises(CommitPrunedError):
        bp.bisect(is_bad, bad=oldest)
    with pytest.raises(CommitPrunedError):
        bp.node("n").bisect(is_bad)


def test_what_was_false_at_a_commit_that_is_left_began_behind_it() -> None:
    bp = filled(20)
    bp.checkpoint("good", at=3)
    bp.configure(max_commits=10)
    left = sorted(commit.seq for commit in bp.history())
    assert left[:2] == [3, 14]
    assert bp.bisect(is_bad).seq == 14
    assert bp.bisect(is_bad, good="good").seq == 14


def test_a_first_commit_that_is_left_is_the_first() -> None:
    bp = filled(20)
    bp.checkpoint("first", at=1)
    bp.configure(max_commits=10)
    assert bp.bisect(lambda snapshot: snapshot["a"] >= 1).seq == 1
    assert bp.bisect(lambda snapshot: snapshot["a"] >= 15).seq == 15


def test_archived_commits_are_looked_at(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store", max_commits=3) as bp:
        for number in range(1, 21):
            bp.pack("a", number)
        assert bp.memory_usage().commits_archived
        assert bp.bisect(is_bad).seq == 5
