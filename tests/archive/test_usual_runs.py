"""Logs of usual commits are sealed by columns: to the same bytes as by rows."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from backpack import Backpack
from backpack.archive import scanning
from backpack.archive.contents import Contents, UsualRun
from backpack.archive.gathering import gathered
from backpack.archive.scanning import Log
from backpack.archive.sealing import seal
from backpack.core.limits import Limits
from backpack.storage.cover import PLAIN
from backpack.storage.memory import MemoryFolder

from .made import STORE
from .stores import opened_in

COUNT = 900
MANY = Limits(1 << 20, 1 << 24, None, "oldest", 0.2, False)


def packed(unusual: Sequence[int] = ()) -> Backpack:
    """A store of one log: keys in turn, values of some lengths; a delete in the place of some commits."""
    bp = opened_in(MemoryFolder(), limits=MANY)
    for number in range(COUNT):
        key = f"key {number % 7}"
        if number in unusual:
            bp.delete(key)
        else:
            bp.pack(key, f"value {number} " * (1 + number % 40), node=f"node {number // 400}")
    return bp


def log_of(bp: Backpack) -> Log:
    assert bp._archive is not None
    (log,) = bp._archive.parts
    assert isinstance(log, Log)
    return log


def sealed(contents: Contents, *, by_rows: bool) -> bytes:
    commits = contents.rows() if by_rows else contents.commits
    return b"".join(seal(replace(contents, commits=commits), store_id=STORE, cover=PLAIN.fresh(b"")))


@pytest.mark.parametrize("unusual", [(), (450,), (10, 11, COUNT - 1)])
@pytest.mark.parametrize("window", [2_000, 1 << 20])
def test_runs_are_sealed_to_the_same_bytes_as_their_commits_one_by_one(
    unusual: Sequence[int], window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "_WINDOW", window)
    bp = packed(unusual)
    _, contents = gathered(log_of(bp))
    assert sealed(contents, by_rows=False) == sealed(contents, by_rows=True)


def test_a_frame_over_the_edge_of_what_is_read_at_once_stays_in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    bp = packed()
    log = log_of(bp)
    _, whole = gathered(log)
    monkeypatch.setattr(scanning, "_WINDOW", 3_000)
    _, windows = gathered(log)
    assert all(isinstance(run, UsualRun) for run in windows.commits) and len(list(windows.commits)) > 10
    assert sealed(windows, by_rows=False) == sealed(whole, by_rows=False)


def test_an_interrupted_scan_has_all_it_took_and_goes_on_behind_it() -> None:
    class Interrupted(Exception):
        pass

    bp = packed((450,))
    log = log_of(bp)
    log.catch_up()
    for stop in (16, 448, 464, 800):
        fresh, paused_at = log.fresh(), iter(range(16, COUNT, 16))

        def pause(stop: int = stop, paused_at: Iterator[int] = paused_at) -> None:
            if next(paused_at) == stop:
                raise Interrupted

        with pytest.raises(Interrupted):
            fresh.scan(log.goal, scanning.Gathered(pause))
        assert fresh.last_seq == stop == fresh.commit_count and fresh.stop == log.offset_of(stop + 1)
        assert fresh.scan(log.goal) is None
        assert fresh.rows == log.rows and fresh.sources.sizes() == log.sources.sizes()
        assert (fresh.last_seq, fresh.head_sum, fresh.next_source) == (log.last_seq, log.head_sum, log.next_source)
        assert [fresh.commit(seq).time_ns for seq in (1, stop, COUNT)] == [  # type: ignore[union-attr]
            log.commit(seq).time_ns  # type: ignore[union-attr]
            for seq in (1, stop, COUNT)
        ]


def test_nothing_is_to_be_synced_between_a_sync_and_the_next_write() -> None:
    bp = packed()
    files = bp._opened
    assert files is not None
    assert not files._is_all_synced()
    files.syncer.sync()
    assert files._is_all_synced()
    bp.pack("key 1", "more")
    assert not files._is_all_synced()
    files.syncer.sync()
    assert files._is_all_synced()
    bp.checkpoint("here")
    assert not files._is_all_synced()
