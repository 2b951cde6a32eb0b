"""A time means the last commit at or before it in an opened store too, from the moment that the commit is made."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

import backpack
from tests.archive.stores import small_segments


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with small_segments(20_000, seal_min=0):
        yield


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def test_the_time_of_a_commit_finds_it_as_soon_as_it_is_made(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        for number in range(60):
            commit = bp.pack(f"key {number % 7}", bytes([number]) * 2_000)
            found = bp.commit(commit.time)
            assert found.seq == commit.seq and bp.snapshot(now()).commit == commit
        times = {commit.seq: commit.time for commit in bp.history()}
    for mode in ("rw", "r"):
        with backpack.open(tmp_path / "store", mode) as bp:  # type: ignore[arg-type]
            for seq, time in times.items():
                assert bp.commit(time).time == time and bp.commit(time).seq >= seq
            assert bp.snapshot(times[1] - dt.timedelta(seconds=1)).to_dict() == {}


def test_restoring_the_state_of_now_takes_nothing_away(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        bp.pack("a", 1)
        bp.pack("a", 2)
        assert bp.restore(now()) is None and dict(bp) == {"a": 2}
        assert dict(bp.fork(now())) == {"a": 2} and set(bp.diff(0, now()).added) == {"a"}
        assert [commit.seq for commit in bp.history(before=now())] == [2, 1]


def test_a_reader_finds_what_came_since_it_opened(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        bp.pack("a", 1)
        with backpack.open(tmp_path / "store", "r") as reader:
            commit = bp.pack("a", 2)
            assert reader.refresh() and reader.commit(commit.time).seq == 2


def test_keep_days_counts_commits_that_were_never_read(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        for number in range(60):
            bp.pack("key", bytes([number]) * 2_000)
        assert bp.compact(keep_days=1e-9).commits > 0
        assert bp["key"] == bytes([59]) * 2_000 and bp.commit(now()).seq == 60
