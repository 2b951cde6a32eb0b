"""What one commit takes with it when it leaves, and what it does not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from backpack import Backpack, CommitPrunedError
from backpack.core.chain import HOLES_MIN
from backpack.core.timeline import RUN_BITS, RUN_SIZE

START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commit n is made n seconds after the start."""
    seconds = count(1)
    monkeypatch.setattr("time.time_ns", lambda: int(START.timestamp() + next(seconds)) * 10**9)
    yield


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def seqs(bp: Backpack) -> list[int]:
    return sorted(commit.seq for commit in bp.history())


def forms_of(bp: Backpack, key: str) -> list[Any]:
    return [form for form in bp._engine.chains[key].columns[1] if form is not None]


def forget_closed_views(bp: Backpack) -> None:
    """As happens by itself once there are many: what has been seen leaves like anything else."""
    bp._engine.pins.views = {seq: link for seq, link in bp._engine.pins.views.items() if link() is not None}


def pack(bp: Backpack, number: int, keys: int) -> None:
    """A commit of so many keys: those of one key leave in another way than those of several."""
    bp.update({f"k{key}": f"{number} {key}" for key in range(keys)})


@pytest.mark.parametrize("keys", [1, 2])
def test_the_time_of_the_first_commit_of_all_is_known_however_often_the_oldest_leaves(keys: int) -> None:
    bp = Backpack()
    for number in range(30):
        pack(bp, number, keys)
    for left in (20, 10, 5):
        bp.configure(max_commits=left)
        assert bp.snapshot(after(0.5)).seq == 0
        for second in (1, 2, 12, 22, 25):
            if second < seqs(bp)[0]:
                with pytest.raises(CommitPrunedError):
                    bp.snapshot(after(second))


@pytest.mark.parametrize("keys", [1, 2])
def test_the_time_of_the_first_commit_in_a_gap_is_known_however_often_the_gap_grows(keys: int) -> None:
    bp = Backpack()
    for number in range(30):
        pack(bp, number, keys)
    bp.checkpoint("kept", at=3)
    for left in (20, 10, 5):
        bp.configure(max_commits=left)
        assert bp.snapshot(after(3.5)).seq == 3
        assert bp._engine.timeline.gaps[seqs(bp)[1]].first_time == int(after(4).timestamp()) * 10**9
        bp._check()


@pytest.mark.parametrize("keys", [1, 2])
def test_an_entry_that_only_the_kept_commit_before_sees_stays_and_the_next_one_goes(keys: int) -> None:
    bp = Backpack()
    for number in range(1, 7):
        pack(bp, number, keys)
    bp.checkpoint("kept", at=2)
    bp.configure(max_commits=2)
    assert seqs(bp) == [2, 6]
    for key in range(keys):
        assert [bytes(form)[1:] for form in forms_of(bp, f"k{key}")] == [b"2 %d" % key, b"6 %d" % key]
    assert bp.snapshot("kept").to_dict() == {f"k{key}": f"2 {key}" for key in range(keys)}
    bp._check()


def test_the_commit_right_behind_a_kept_one_takes_its_entries_along() -> None:
    """An entry in the very next seq belongs to what is left out, not to what is kept."""
    bp = Backpack()
    bp.pack("a", "kept")
    bp.update({"a": "goes", "b": "goes"})
    bp.update({"a": "stays", "b": "stays"})
    bp.pack("c", 1)
    bp.checkpoint("kept", at=1)
    bp.checkpoint("late", at=3)
    bp.configure(max_commits=1)
    assert seqs(bp) == [1, 3, 4]
    assert [bytes(form)[1:] for form in forms_of(bp, "a")] == [b"kept", b"stays"]
    assert [bytes(form)[1:] for form in forms_of(bp, "b")] == [b"stays"]
    assert bp.memory_usage() == bp.memory_usage(deep=True)
    bp._check()


def test_what_is_carried_over_a_gap_goes_when_the_gaps_on_both_sides_of_a_commit_become_one() -> None:
    bp = Backpack()
    bp.pack("a", "kept")
    bp.pack("a", "between")
    bp.pack("x", 1)
    bp.checkpoint("middle", at=3)
    bp.pack("a", "later")
    bp.pack("b", "carried")
    bp.pack("x", 2)
    bp.checkpoint("first", at=1)
    bp.configure(max_commits=1)
    bp.configure(max_commits=100)
    assert seqs(bp) == [1, 3, 6]
    assert [bytes(form)[1:] for form in forms_of(bp, "a")] == [b"kept", b"between", b"later"]
    bp.delete_checkpoint("middle")
    bp.configure(max_commits=1)
    assert seqs(bp) == [1, 6]
    assert [bytes(form)[1:] for form in forms_of(bp, "a")] == [b"kept", b"later"]
    assert {chain.key for chain in bp._engine.timeline.gaps[6].carried} == {"a", "b"}
    bp._check()


def test_a_delete_that_is_all_that_is_left_of_a_key_retires_it_with_the_last_commit_that_saw_a_value() -> None:
    bp = Backpack()
    bp.update({"a": 1, "b": 1})
    bp.checkpoint("first")
    bp.delete("a")
    bp.update({"b": 2, "c": 1})
    bp.pack("c", 2)
    bp.configure(max_commits=1)
    assert seqs(bp) == [1, 4]
    assert "a" in bp._engine.chains
    bp.delete_checkpoint("first")
    bp.prune()
    assert seqs(bp) == [4]
    assert bp._engine.retired == {"a": 2}
    assert "a" not in bp._engine.chains
    bp._check()
    assert bp.pack("a", 2).changes["a"].version == 3


def test_an_author_of_several_keys_is_known_until_the_last_of_its_entries_goes() -> None:
    bp = Backpack()
    bp.update({"a": 1, "b": 1, "c": 1}, node="writer")
    for key in "abc":
        bp.pack(key, 2)
        bp.pack("x", key)
        bp.configure(max_commits=1)
        bp.configure(max_commits=100)
        left = [other for other in "abc" if other > key]
        assert [bp.blame(other).node for other in left] == ["writer"] * len(left)
        assert (1 in bp._engine.authors) == bool(left)
        bp._check()


@pytest.mark.parametrize("keys", [1, 2])
def test_accesses_leave_with_their_commits(keys: int) -> None:
    bp = Backpack()
    for number in range(3 * RUN_SIZE):
        pack(bp, number, keys)
    for seq in range(1, 3 * RUN_SIZE, 3):
        assert bp.snapshot(seq)["k0"] == f"{seq - 1} 0"
    forget_closed_views(bp)
    bp.configure(max_commits=RUN_SIZE)
    block = bp._engine.timeline.blocks[0]
    alive = set(seqs(bp))
    assert 0 < len(alive) < RUN_SIZE
    for run, hits in enumerate(block.run_hits[:4]):
        inside = range(run << RUN_BITS, (run + 1) << RUN_BITS)
        assert hits == sum(block.hits[seq] for seq in inside if seq in alive)
    assert not any(block.hits[seq] for seq in range(3 * RUN_SIZE) if seq not in alive)


def test_holes_are_squeezed_out_as_pruning_goes_on() -> None:
    bp = Backpack(max_commits=40)
    for number in range(2_000):
        bp.pack("a", number)
        assert len(bp._engine.chains["a"].columns[1]) <= 40 + 2 * HOLES_MIN + 40
    bp._check()


def test_a_key_with_many_changes_between_kept_commits_is_squeezed_too() -> None:
    bp = Backpack(max_commits=40)
    for number in range(2_000):
        bp.update({"a": number, "b": -number})
        if number % 100 == 0:
            bp.checkpoint(f"c{number}")
            chain = bp._engine.chains["a"]
            assert len(chain.columns[1]) <= 2 * (len(seqs(bp)) + HOLES_MIN) + 40
    assert [bp.snapshot(f"c{number}")["a"] for number in range(0, 2_000, 100)] == list(range(0, 2_000, 100))
    bp._check()
