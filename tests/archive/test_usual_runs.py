"""Logs of usual commits are sealed by columns: to the same bytes as by rows."""

from collections.abc import Sequence
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
