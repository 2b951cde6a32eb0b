"""`history` between two times: strictly between, to the microsecond, whatever has left memory meanwhile."""

import datetime as dt
import itertools
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import backpack
from backpack import Backpack, Commit

MICROSECOND = dt.timedelta(microseconds=1)


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that moves by 700 ns a look: several commits share a microsecond."""
    ticks = itertools.count(1_000_000_000_000_000_123, 700)
    monkeypatch.setattr(time, "time_ns", lambda: next(ticks))


def seqs(commits: object) -> list[int]:
    return [commit.seq for commit in commits]  # type: ignore[attr-defined]


def check_all(bp: Backpack, commits: list[Commit]) -> None:
    left = list(bp.history())
    for moment in {commit.time + offset * MICROSECOND for commit in commits for offset in (-1, 0, 1)}:
        assert seqs(bp.history(before=moment)) == seqs(one for one in left if one.time < moment)
        assert seqs(bp.history(after=moment)) == seqs(one for one in left if one.time > moment)


def test_before_and_after_a_time_leave_out_what_was_made_at_it(ticking: None) -> None:
    bp = Backpack()
    commits = [bp.pack("a", number) for number in range(12)]
    assert len({commit.time for commit in commits}) < 12
    check_all(bp, commits)
    assert not list(bp.history(before=commits[5].time, after=commits[5].time))


def test_the_same_in_an_opened_store(ticking: None, tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store", max_commits=3) as bp:
        commits = [bp.pack("a", number) for number in range(12)]
        assert bp.memory_usage().commits_archived
        check_all(bp, commits)


@pytest.mark.parametrize("strategy", ["oldest", "least-accessed"])
def test_a_time_whose_commits_were_pruned_bounds_what_is_left(ticking: None, strategy: str) -> None:
    bp = Backpack(prune_strategy=strategy)
    commits = [bp.pack("a", number) for number in range(12)]
    bp.checkpoint("kept", at=4)
    bp.configure(max_commits=5)
    assert seqs(bp.history())[-1] == 4
    check_all(bp, commits)


def test_a_time_is_a_moment_and_not_what_the_clock_on_the_wall_says(monkeypatch: pytest.MonkeyPatch) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    moment = dt.datetime(2021, 10, 31, 3, 0, tzinfo=berlin)  # an hour after it was five to three for the first time
    start = round(moment.timestamp()) - 3_600
    ticks = iter(range(start * 10**9, (start + 7_200) * 10**9, 600 * 10**9))
    monkeypatch.setattr(time, "time_ns", lambda: next(ticks))
    bp = Backpack()
    for number in range(10):
        bp.pack("a", number)
    assert seqs(bp.history(before=moment)) == [6, 5, 4, 3, 2, 1]
    assert seqs(bp.history(after=moment)) == [10, 9, 8]
