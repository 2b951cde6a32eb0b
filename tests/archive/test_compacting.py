"""Old commits go in whole segments; what the others need stays."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import backpack
import backpack.archive.files
from backpack import Backpack, CommitPrunedError, InvalidArgumentError
from backpack.archive.archive import Archive
from backpack.archive.retention import Retention
from backpack.archive.verifying import verified
from backpack.core.limits import Limits
from backpack.storage.memory import MemoryFolder

from .damaging import crash
from .stores import opened_in, small_segments


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with small_segments():
        yield


def filled(
    folder: MemoryFolder, commits: int = 400, key: bytes | None = None
) -> tuple[Backpack, dict[int, dict[str, Any]]]:
    """A store with many segments, and what each snapshot of it should say."""
    chance = random.Random(1)
    bp = opened_in(folder, key=key)
    states: dict[int, dict[str, Any]] = {0: {}}
    state: dict[str, Any] = {}
    for number in range(commits):
        key = f"key.{chance.randrange(6)}"
        state = dict(state)
        if number % 7 == 3:
            bp.append("list", number)
            state["list"] = [*state.get("list", []), number]
        elif number % 11 == 5 and key in state:
            bp.delete(key)
            del state[key]
        elif number % 50 == 20:
            state[key] = chance.randbytes(1500)
            bp.pack(key, state[key], node="large")
        else:
            state[key] = {"number": number, "text": chance.randbytes(20).hex()}
            bp.pack(key, state[key], node="small")
        assert bp.head is not None
        states[bp.head.seq] = state
    return bp, states


def assert_says(bp: Backpack, states: dict[int, dict[str, Any]]) -> None:
    for seq, state in states.items():
        assert bp.snapshot(seq).to_dict() == state, seq


def test_what_stays_says_what_it_said_and_the_rest_is_pruned() -> None:
    folder = MemoryFolder()
    bp, states = filled(folder)
    size = bp.memory_usage().archive_bytes
    authors = {key: bp.blame(key) for key in bp}
    report = bp.compact(keep_commits=100)
    assert 200 < report.first_seq <= bp.head.seq - 99  # type: ignore[union-attr]
    assert report.size > 0 and bp.memory_usage().archive_bytes < size
    for _ in range(2):
        kept = {seq: state for seq, state in states.items() if seq >= report.first_seq}
        assert_says(bp, kept)
        assert [commit.seq for commit in bp.history()] == sorted(kept, reverse=True)
        assert {key: bp.blame(key) for key in bp} == authors
        for seq in (1, report.first_seq - 1):
            with pytest.raises(CommitPrunedError) as caught:
                bp.snapshot(seq)
            assert caught.value.oldest == report.first_seq
        bp._check()
        bp.close()
        bp = opened_in(folder)


def test_checkpoints_stay_and_go_when_they_are_deleted() -> None:
    folder = MemoryFolder()
    bp, states = filled(folder)
    bp.checkpoint("early", at=40)
    bp.compact(keep_commits=50)
    assert bp.snapshot("early").to_dict() == states[40]
    assert list(bp.history())[-1].seq == 40
    bp.close()
    bp = opened_in(folder)
    assert bp.snapshot("early").to_dict() == states[40]
    bp.delete_checkpoint("early")
    bp.compact(keep_commits=20)
    with pytest.raises(CommitPrunedError):
        bp.snapshot(40)


def test_versions_go_on_counting_over_deletes_that_were_compacted_away() -> None:
    folder = MemoryFolder()
    bp, _ = filled(folder)
    bp.pack("gone", 1)
    bp.delete("gone")
    for number in range(200):
        bp.pack("other", number)
    bp.compact(keep_commits=10)
    bp.close()
    bp = opened_in(folder)
    assert bp.version("gone") == 2
    assert bp.pack("gone", 3).changes["gone"].version == 3


def test_a_dry_run_changes_nothing() -> None:
    folder = MemoryFolder()
    bp, states = filled(folder)
    bp._opened.drain()  # type: ignore[union-attr]
    report = bp.compact(keep_commits=100, dry_run=True)
    assert report.commits > 100 and report.dry_run
    assert_says(bp, states)
    assert bp.compact(keep_commits=100).commits >= report.commits


@pytest.mark.parametrize("limits", [{}, {"max_archive_size": 1}, {"keep_commits": 1}, {"keep_days": 1}])
def test_of_a_store_without_a_commit_nothing_goes(limits: dict[str, Any]) -> None:
    with opened_in(MemoryFolder()) as bp:
        for dry_run in (True, False):
            report = bp.compact(**limits, dry_run=dry_run)
            assert (report.commits, report.size, report.first_seq) == (0, 0, 1)


def test_what_is_left_of_old_commits_counts_as_none_when_it_is_merged() -> None:
    folder = MemoryFolder()
    bp, _ = filled(folder, 100)
    bp.checkpoint("kept", at=10)
    bp.compact(keep_commits=60)
    opened = bp._opened
    assert opened is not None
    before = len(list(bp.history()))
    assert opened.merge_below(1 << 30)
    base = opened.archive.parts[0]
    assert base.first_seq < opened.archive.first_seq <= base.last_seq
    for _ in range(2):
        archive, usage = bp._archive, bp.memory_usage()
        assert archive is not None
        assert usage.commits_archived + usage.commits_in_memory == before == len(list(bp.history()))
        assert usage.commits_pruned == archive.first_seq - 2
        assert (archive.has(10), archive.has(archive.first_seq - 1), archive.missing_count) == (True, False, 0)
        assert bp.compact(keep_commits=1000).commits == 0
        bp.close()
        bp = opened_in(folder)
    bp.close()


def test_segments_that_are_merged_after_it_was_chosen_what_goes_stay() -> None:
    bp, states = filled(MemoryFolder(), 100)
    opened = bp._opened
    assert opened is not None
    opened._roll()
    opened.drain()
    boundary = opened.archive.parts[1].first_seq
    assert opened.merge_below(1 << 30)
    assert opened.archive.parts[0].last_seq >= boundary
    assert opened.rebase(boundary, ()) == 0
    assert opened.archive.first_seq == 1
    assert_says(bp, states)
    bp.close()


def test_blobs_that_nothing_points_to_go_and_others_stay() -> None:
    folder = MemoryFolder()
    bp, states = filled(folder)
    blobs = bp.memory_usage().blob_bytes
    report = bp.compact(keep_commits=60)
    assert 0 < bp.memory_usage().blob_bytes < blobs
    assert_says(bp, {seq: state for seq, state in states.items() if seq >= report.first_seq})


def test_an_archive_is_kept_below_a_size_as_it_grows() -> None:
    folder = MemoryFolder()
    bp = opened_in(folder)
    bp.close()
    bp = opened_in(folder)
    opened = bp._opened
    assert opened is not None
    opened.retention = Retention(max_archive_size=20_000)
    opened.tend = bp._tend
    chance = random.Random(2)
    for number in range(1000):
        bp.pack(f"key.{number % 5}", chance.randbytes(100))
    opened.drain()
    usage = bp.memory_usage()
    assert usage.archive_bytes < 30_000
    assert 0 < bp.history(limit=1).__next__().seq - opened.archive.first_seq < 900


@pytest.mark.parametrize(
    "limits",
    [
        {"keep_commits": 0},
        {"keep_commits": 10**5000},
        {"keep_days": -1},
        {"keep_days": float("inf")},
        {"keep_days": float("nan")},
        {"keep_days": 1e300},
        {"keep_days": 10**400},
        {"keep_days": "7"},
        {"max_archive_size": True},
        {"max_archive_size": 10**400},
    ],
    ids=map(str, range(10)),
)
def test_nonsense_is_refused(limits: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=r"must be a (whole )?number above 0"):
        opened_in(MemoryFolder()).compact(**limits)
    with pytest.raises(InvalidArgumentError, match=r"must be a (whole )?number above 0"):
        backpack.open(tmp_path / "s", **limits)
    assert not (tmp_path / "s").exists()


def test_a_snapshot_whose_commit_has_gone_says_so() -> None:
    bp, _ = filled(MemoryFolder())
    beginning, snapshot = bp.snapshot(0), bp.snapshot(100)
    assert snapshot.commit == bp.commit(100)
    bp.compact(keep_commits=10)
    assert beginning.commit is None
    with pytest.raises(CommitPrunedError, match="oldest left is seq="):
        _ = snapshot.commit


def test_a_hundred_years_may_be_kept() -> None:
    bp, _ = filled(MemoryFolder())
    assert bp.compact(keep_days=36_525).commits == 0


def test_a_fork_keeps_what_it_began_with() -> None:
    bp, states = filled(MemoryFolder())
    fork = bp.fork(100)
    bp.compact(keep_commits=10)
    assert_says(fork, {seq: state for seq, state in states.items() if seq <= 100})


@pytest.mark.parametrize("limits", [{"max_archive_size": 1}, {"keep_commits": 1}, {"keep_days": 1e-9}])
@pytest.mark.parametrize("value", ["small", "large"])
def test_the_newest_commit_stays_whatever_the_limit(limits: dict[str, float], value: str) -> None:
    folder = MemoryFolder()
    bp = opened_in(folder)
    chance = random.Random(2)
    for number in range(30):
        bp.pack("key", chance.randbytes(5000 if value == "large" else 50))
        bp.pack("number", number)
    head = bp.head
    for _ in range(2):
        bp.compact(**limits)  # type: ignore[arg-type]
        assert bp.head == head and bp.snapshot("HEAD")["number"] == 29
        assert bp.memory_usage().commits_archived >= 0
        assert bp._archive is not None and bp._archive.commit_count > 0
        bp.close()
        bp = opened_in(folder)
    assert bp.head == head and next(iter(bp.history())) == head


@pytest.mark.parametrize("is_read", [False, True])
def test_what_a_log_that_was_not_read_yet_is_cut_from_stays(*, is_read: bool) -> None:
    value = random.Random(5).randbytes(900)
    folder = MemoryFolder()
    with opened_in(folder) as bp:
        bp.pack("key", value)
        bp.pack("key", "another")
        bp.restore(1)
        bp.pack("key", "another")
        opened = bp._opened
        assert opened is not None
        opened._roll()
        opened.drain()
        first = bp.pack("other", 1).seq
        bp.restore(1, keys=["key"])  # in the second log, cut from what the first one has
        if is_read:
            assert opened.archive.row(opened.archive.head) is not None
        opened.retention = Retention(keep_commits=1)
        bp._tend()
        assert opened.archive.first_seq == first
    assert verified(folder).ok
    with opened_in(folder) as bp:
        assert bp["key"] == value


def test_a_size_counts_the_blobs_that_go_with_old_commits() -> None:
    bp = opened_in(MemoryFolder())
    chance = random.Random(3)
    for _ in range(10):
        bp.pack("out", chance.randbytes(10_000))
        for number in range(20):
            bp.pack("number", [number, chance.random()])
    report = bp.compact(max_archive_size=60_000)
    usage = bp.memory_usage()
    assert 30_000 < usage.archive_bytes + usage.blob_bytes <= 70_000
    assert 0 < report.commits < 180


LIMITS: list[dict[str, Any]] = [
    {"max_archive_size": 20_000},
    {"max_archive_size": 60_000},
    {"keep_commits": 100},
    {"keep_commits": 1},
    {"keep_days": 1e-9},
    {"keep_days": 100.0, "keep_commits": 300},
    {},
]


@pytest.mark.parametrize("limits", LIMITS, ids=str)
@pytest.mark.parametrize("state", ["closed", "going on", "compacted before", "checkpoints", "encrypted", "crashed"])
def test_a_dry_run_says_what_will_go(state: str, limits: dict[str, Any]) -> None:
    folder = MemoryFolder()
    key = bytes(32) if state == "encrypted" else None
    bp, _ = filled(folder, key=key)
    if state in ("closed", "crashed"):
        if state == "closed":
            bp.close()
        else:
            crash(bp)
        bp = opened_in(folder)
        bp.pack("late", 1)
    elif state == "compacted before":
        bp.checkpoint("sooner", at=40)
        bp.compact(keep_commits=250)
        bp.delete_checkpoint("sooner")
        bp.pack("out", "of a blob" * 500)
    elif state == "checkpoints":
        for seq in (7, 8, 30, 399):
            bp.checkpoint(f"at {seq}", at=seq)
    bp._opened.drain()  # type: ignore[union-attr]
    before = dict(folder.walk())
    expected = bp.compact(dry_run=True, **limits)
    assert dict(folder.walk()) == before and expected.dry_run
    report = bp.compact(**limits)
    assert (expected.commits, expected.first_seq) == (report.commits, report.first_seq)
    assert expected.size == pytest.approx(report.size, rel=0.02, abs=200)
    assert report.commits or not limits or "max_archive_size" in limits or state == "compacted before"
    bp._check()


def test_a_dry_run_of_what_is_not_sealed_says_what_will_go() -> None:
    with small_segments(10**9):
        bp, _ = filled(MemoryFolder())
        for limits in LIMITS:
            expected, report = bp.compact(dry_run=True, **limits), bp.compact(**limits)
            assert (expected.commits, expected.first_seq) == (report.commits, report.first_seq)
            assert expected.size == pytest.approx(report.size, rel=0.02, abs=200)


def test_a_checkpoint_of_what_is_about_to_go_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = MemoryFolder()
    bp, states = filled(folder)
    bp.checkpoint("early", at=30)
    faults: list[Exception] = []

    def meanwhile(*arguments: Any) -> Any:
        for name, seq in (("late", 20), ("same", 30), ("new", 395)):
            try:
                bp.checkpoint(name, at=seq)
            except CommitPrunedError as error:
                faults.append(error)
        return based(*arguments)

    based = backpack.archive.files.based
    monkeypatch.setattr(backpack.archive.files, "based", meanwhile)
    bp.compact(keep_commits=100)
    assert len(faults) == 1 and "seq=20" in str(faults[0])
    bp.close()
    again = opened_in(folder)
    assert {one.name: one.commit.seq for one in again.checkpoints()} == {"early": 30, "same": 30, "new": 395}
    for seq in (30, 395):
        assert again.snapshot(seq).to_dict() == states[seq]
    again.checkpoint("after", at=390)
    again._check()


def test_a_dry_run_beside_commits_is_of_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    bp, _ = filled(MemoryFolder())
    shadow = Archive.shadow

    def meanwhile(archive: Archive) -> Archive:
        bp.pack("k0", "meanwhile")
        return shadow(archive)

    monkeypatch.setattr(Archive, "shadow", meanwhile)
    assert bp.compact(dry_run=True).commits == 0
    bp.close()


def test_a_checkpoint_of_a_commit_that_only_a_snapshot_has_is_refused() -> None:
    with opened_in(MemoryFolder()) as bp:
        for number in range(50):
            bp.pack(f"key.{number % 5}", "value" * 40)
        snapshot = bp.snapshot(20)
        bp.compact(keep_commits=5)
        assert len(snapshot) == 5
        with pytest.raises(CommitPrunedError):
            bp.checkpoint("late", at=20)


def test_the_history_of_a_key_has_the_commits_that_open_snapshots_and_checkpoints_keep() -> None:
    large = Limits(max_value_size=1000, max_history_size=10**7)
    with opened_in(MemoryFolder(), limits=large) as bp:
        for number in range(1, 51):
            bp.pack("odd" if number % 2 else "even", "value" * 40)
        held = [bp.snapshot(seq) for seq in (3, 7, 8)]
        for seq in (5, 9):
            bp.checkpoint(f"at {seq}", at=seq)
        first = bp.compact(keep_commits=5).first_seq
        whole = [commit.seq for commit in bp.history()]
        assert whole == [*range(50, first - 1, -1), 9, 8, 7, 5, 3]
        assert [commit.seq for commit in bp.history("odd")] == [seq for seq in whole if seq % 2]
        assert [commit.seq for commit in bp.history("even")] == [seq for seq in whole if not seq % 2]
        assert [commit.seq for commit in bp.history("odd", before=9, after=3)] == [7, 5]
        held.clear()
        bp.configure(max_history_size=100)
        assert [commit.seq for commit in bp.history("odd")][-2:] == [9, 5]


def test_a_loaded_snapshot_keeps_what_it_loaded_and_tells_of_large_values_that_its_commit_has_gone() -> None:
    folder = MemoryFolder()
    with opened_in(folder) as bp:
        bp.update({"large": random.Random(6).randbytes(5000), "small": 1})
    with opened_in(folder) as bp:
        loaded, lazy = bp.snapshot(1), bp.snapshot(1)
        loaded.load()
        bp.update({"large": 2, "small": 2})
        bp.compact()
        for number in range(3):
            bp.pack("small", number)
            bp.compact(keep_commits=1)
        assert loaded["small"] == 1
        for snapshot, key in ((loaded, "large"), (lazy, "large"), (lazy, "small")):
            with pytest.raises(CommitPrunedError, match="oldest left is seq="):
                _ = snapshot[key]


def test_a_fork_at_a_commit_that_only_a_snapshot_has_is_refused(tmp_path: Path) -> None:
    with opened_in(MemoryFolder()) as bp:
        for number in range(50):
            bp.pack(f"key.{number % 5}", "value" * 40)
        held = [bp.snapshot(seq) for seq in (20, 21)]
        bp.checkpoint("kept", at=21)
        states = [snapshot.to_dict() for snapshot in held]
        bp.compact(keep_commits=5)
        assert [snapshot.to_dict() for snapshot in held] == states
        commit = bp.commit(20)
        for fork in (
            lambda: bp.fork(20),
            lambda: bp.fork(commit, path=tmp_path / "copy"),
            lambda: bp.replay(20),
            held[0].fork,
        ):
            with pytest.raises(CommitPrunedError, match="oldest left is seq="):
                fork()
        assert not (tmp_path / "copy").exists()
        assert bp.fork(21) == bp.fork("kept", path=tmp_path / "copy") == held[1].fork() == states[1]
        bp.restore(20)
        assert bp == states[0]


@pytest.mark.parametrize("has_checkpoint", [False, True])
def test_an_open_snapshot_loses_the_large_values_that_the_disk_alone_had(has_checkpoint: bool) -> None:
    large = Limits(max_value_size=1000, max_history_size=10**7)
    with opened_in(MemoryFolder(), limits=large) as bp:
        chance = random.Random(4)
        first, second = chance.randbytes(2000), chance.randbytes(2000)
        bp.pack("gone", first)
        bp.pack("seen", first[::-1])
        bp.pack("small", "one")
        bp.pack("gone", second)
        snapshot = bp.snapshot(3)
        if has_checkpoint:
            bp.checkpoint("kept", at=3)
        for key in ("gone", "seen", "small"):
            bp.pack(key, key)
        for number in range(200):
            bp.pack("number", f"{number} " * 50)
        assert bp.compact(keep_commits=5).commits > 100
        assert (snapshot["small"], snapshot["seen"]) == ("one", first[::-1])
        if has_checkpoint:
            assert snapshot["gone"] == first
        else:
            assert snapshot.unpack("gone").reason == "dropped"
