"""An archive that is to be kept small: its logs are short, so that the limit is kept as it grows."""

import asyncio
from pathlib import Path

import pytest

import backpack
import backpack.archive.opened
from backpack import Backpack
from backpack.archive.keeping import Keeper
from backpack.archive.scanning import Log


def written(bp: Backpack, count: int) -> None:
    for number in range(count):
        bp.pack(f"key.{number % 5}", f"value {number} " * 8)


@pytest.mark.parametrize("is_awaited", [False, True])
def test_a_small_limit_is_kept_when_flush_returns(is_awaited: bool, tmp_path: Path) -> None:
    limit = 200_000
    with backpack.open(tmp_path / "s", max_archive_size=limit) as bp:
        for _ in range(2):
            written(bp, 6_000)
            if is_awaited:
                asyncio.run(bp.aflush())
            else:
                bp.flush()
            assert bp.memory_usage().archive_bytes < limit * 1.25
        first = bp._opened.archive.first_seq  # type: ignore[union-attr]
        assert 1 < first < 11_900
        assert [commit.seq for commit in bp.history(limit=3)] == [12_000, 11_999, 11_998]
        assert bp.snapshot(first).to_dict()
        bp._check()
    assert backpack.verify(tmp_path / "s").ok


def test_about_as_many_commits_stay_as_are_to_be_kept(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "s", keep_commits=1_000) as bp:
        for _ in range(4):
            written(bp, 3_000)
            bp.flush()
        assert 1_000 <= len(list(bp.history())) < 2_500


def test_logs_are_no_shorter_where_nothing_or_much_is_to_be_kept(tmp_path: Path) -> None:
    for limits in ({}, {"max_archive_size": 1 << 40}, {"keep_days": 3.0}, {"max_archive_size": 1 << 25}):
        with backpack.open(tmp_path / "s", **limits) as bp:  # type: ignore[arg-type]
            assert bp._opened is not None and bp._opened.writer is not None
            assert bp._opened.writer.roll_at == backpack.archive.opened.SEGMENT_SIZE
    with backpack.open(tmp_path / "s", max_archive_size=8 << 20) as bp:
        assert bp._opened is not None and bp._opened.writer is not None
        assert bp._opened.writer.roll_at == 1 << 20


def test_flush_waits_for_what_was_there_and_not_for_what_others_go_on_to_write(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "s", max_archive_size=200_000) as bp:
        opened = bp._opened
        assert opened is not None and opened.tend is not None and opened.writer is not None
        real, writer, tended = opened.tend, opened.writer, []

        def tend() -> None:
            real()
            tended.append(writer.segment)
            while len(tended) < 12 and writer.segment <= tended[-1]:  # one log more is full whenever one was sealed
                written(bp, 100)

        opened.tend = tend
        written(bp, 6_000)
        newest = writer.segment
        bp.flush()
        assert len(tended) < 12
        assert all(part.head.segment > newest for part in opened.archive.parts if isinstance(part, Log))
        opened.drain()
        assert len(tended) >= 12
        bp._check()


def test_waiting_ends_when_it_is_enough_however_much_there_is_to_do() -> None:
    done: list[int] = []

    def step() -> bool:
        done.append(1)
        return len(done) < 1_000_000

    keeper = Keeper(step, lambda: False)
    keeper.drain(lambda: len(done) >= 3)
    keeper.stop()
    assert 3 <= len(done) < 1_000_000


def test_what_the_keeper_does_may_flush() -> None:
    done = []

    def step() -> bool:
        keeper.drain()
        done.append(1)
        return False

    keeper = Keeper(step, lambda: False)
    keeper.drain()
    keeper.stop()
    assert done == [1]
