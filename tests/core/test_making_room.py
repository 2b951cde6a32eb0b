"""Making room: nothing is refused that pruning could have made room for, and what a commit costs is known before."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from backpack import Backpack, Snapshot
from backpack.core import pruning
from backpack.core.chain import Chain
from backpack.core.engine import Engine
from backpack.core.payload import LARGE_REF_SIZE
from backpack.core.planning import cost_of
from backpack.core.pruning import Pruner
from backpack.core.requests import Planned
from backpack.errors import HistoryFullError

STRATEGIES = ["oldest", "least-accessed"]


def seqs(bp: Backpack) -> list[int]:
    return sorted(commit.seq for commit in bp.history())


def text(size: int, number: int = 0) -> str:
    """A text that packs into so many bytes, and is like no other."""
    made = f"{number:09d}" + "x" * (size - 9 - (1 if size < 33 else 2 if size < 258 else 3))
    assert len(made) > 9
    return made


# -- what may leave ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_prune_goes_down_to_the_target_whatever_the_strategy(strategy: str) -> None:
    bp = Backpack(max_history_size=1_000, prune_strategy=strategy, prune_percentage=0.5)
    for number in range(9):
        bp.pack("a", text(100, number))
    assert bp.prune() == 4
    assert bp.memory_usage().history_bytes == 500
    bp._check()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_prune_hides_no_commit_from_the_next(strategy: str) -> None:
    bp = Backpack(max_history_size=1_000, prune_strategy=strategy, hard_limit=True)
    for number in range(9):
        bp.pack("a", text(100, number))
    bp.prune()
    assert bp.pack("a", text(300, 10)).seq == 10
    assert bp.memory_usage().history_bytes <= 1_000


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_commit_made_while_pruning_is_under_way_can_leave_later(
    strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "STEP_COMMITS", 1)
    bp = Backpack(max_commits=20, prune_strategy=strategy, prune_percentage=0.5)
    for number in range(200):
        bp.pack("a", number)
        assert bp.memory_usage().commits_in_memory <= 20


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("place", [0, 90, 119])
def test_the_one_snapshot_of_many_that_was_closed_makes_room(strategy: str, place: int) -> None:
    bp = Backpack(max_history_size=12_000, prune_strategy=strategy, hard_limit=True)
    kept: list[Snapshot] = []
    for number in range(120):
        bp.pack("a", text(100, number))
        kept.append(bp.snapshot())
    with pytest.raises(HistoryFullError) as caught:
        bp.pack("a", text(100, 120))
    caught.value.__traceback__ = None
    del kept[place]
    assert bp.pack("a", text(100, 120)).seq == 121
    assert place + 1 not in seqs(bp)
    bp._check()


def test_a_commit_that_was_free_for_a_while_and_is_free_again_can_leave() -> None:
    bp = Backpack(max_history_size=1_000, max_commits=100, prune_percentage=0.1)
    kept = [bp.snapshot(bp.pack("a", text(100, number))) for number in range(8)]
    for number in range(8, 12):  # passes the pinned ones
        bp.pack("a", text(100, number))
    pruner = bp._engine.pruner
    assert set(range(1, 9)) <= {*pruner.passed}
    kept.clear()
    bp.pack("a", text(100, 12))  # some of them leave, the others are ready to
    assert len(pruner.ready) > 1
    last = pruner.ready[-1]
    pinned = bp.snapshot(last)
    for number in range(13, 30):
        bp.pack("a", text(100, number))
    assert last in seqs(bp)
    del pinned
    for number in range(30, 33):
        bp.pack("a", text(100, number))
    assert last not in seqs(bp)


def test_pinned_commits_are_remembered_once_however_often_there_is_no_room() -> None:
    bp = Backpack(max_history_size=1_000, prune_strategy="least-accessed", hard_limit=True)
    for number in range(10):
        bp.pack("a", text(100, number))
        bp.checkpoint(str(number))
    for number in range(50):
        with pytest.raises(HistoryFullError):
            bp.pack("a", text(100, 10 + number))
    pruner: Pruner = bp._engine.pruner
    assert len(pruner.passed) + len(pruner.met) <= 10


# -- what fits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_pack_fits_when_it_costs_more_once_the_past_of_its_key_has_left(strategy: str) -> None:
    bp = Backpack(max_history_size=1_000, prune_strategy=strategy, hard_limit=True)
    bp.pack("a", text(300))
    for number in range(7):
        bp.pack("b", text(100, number))
    assert bp.pack("a", text(100, 8)).seq == 9  # its old value is history again: 300 more
    assert bp.memory_usage().history_bytes <= 1_000
    bp._check()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_newest_commit_is_in_the_way_of_none_although_another_is_pinned(strategy: str) -> None:
    bp = Backpack({"a": "start"}, max_history_size=1_000, prune_strategy=strategy, hard_limit=True)
    bp.checkpoint("start")
    for number in range(5):
        bp.pack("a", text(600, number))
        assert bp.memory_usage().history_bytes <= 1_000
    assert seqs(bp) == [1, 6]
    snapshot = bp.snapshot()
    with pytest.raises(HistoryFullError):
        bp.pack("a", text(600, 5))
    assert snapshot["a"] == bp["a"] == text(600, 4)
    bp._check()


def test_what_the_newest_commit_shares_with_the_next_makes_no_room_for_it() -> None:
    bp = Backpack(max_history_size=1_000, hard_limit=True)
    refused = 0
    for number in range(100):
        try:
            bp.append("list", text(32, number))
        except HistoryFullError:
            refused += 1
        assert bp.memory_usage().history_bytes <= 1_000
    assert len(bp["list"]) == 100 - refused > 25
    bp._check()


# -- what a commit costs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "size"), [(text(300), 300), (["m" * 10] * 30, 333), (text(3_000), LARGE_REF_SIZE)])
def test_equal_values_of_one_commit_are_counted_once(value: Any, size: int) -> None:
    bp = Backpack(max_history_size=size, max_value_size=2_000, hard_limit=True, prune_strategy="none")
    bp.update(dict.fromkeys("abcdefgh", value))
    assert bp.memory_usage().history_bytes == size
    bp._check()


def made(chance: random.Random) -> Any:
    return chance.choice(
        [
            chance.randrange(5),
            "x" * chance.randrange(150),
            ["item"] * chance.randrange(30),
            {"text": "z" * chance.randrange(2_000)},
            "q" * 1_100 + str(chance.randrange(100)) * 10,
        ]
    )


@pytest.mark.parametrize("seed", range(6))
def test_what_a_commit_is_said_to_cost_is_what_it_costs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected: list[int] = []
    compared = 0
    adopt, finish = Engine.adopt, Engine._finished

    def note(engine: Engine, planned: Sequence[Planned], *rest: Any) -> Any:
        expected.append(engine.ledger.history_bytes + cost_of(engine, planned))
        return adopt(engine, planned, *rest)

    def compare(engine: Engine, changed: tuple[Chain, ...], *rest: Any) -> Any:
        nonlocal compared
        if expected:
            assert engine.ledger.history_bytes == expected.pop()
            compared += 1
        return finish(engine, changed, *rest)

    monkeypatch.setattr(Engine, "adopt", note)
    monkeypatch.setattr(Engine, "_finished", compare)
    chance = random.Random(seed)
    bp = Backpack(
        max_history_size=3_000,
        max_value_size=1_500,
        hard_limit=True,
        prune_strategy=STRATEGIES[seed % 2],
        max_commits=9,
    )
    for step in range(150):
        key = chance.choice("abcd")
        act = chance.randrange(6)
        try:
            if act == 0:
                bp.pack(key, made(chance))
            elif act == 1 and isinstance(bp.peek(key, []), list):
                bp.append(key, "appended" * chance.randrange(1, 5))
            elif act == 2:
                bp.update(dict.fromkeys("abcd"[: chance.randrange(1, 5)], made(chance)))
            elif act == 3 and key in bp:
                bp.quarantine(key, reason="r") if step % 2 else bp.delete(key)
            elif act == 4:
                bp.restore(chance.choice(seqs(bp) or [0]), unavailable=None)
            elif act == 5 and key in bp.quarantined():
                bp.release(key)
        except HistoryFullError:
            pass
        assert bp.memory_usage().history_bytes <= 3_000
        bp._check()
    assert compared > 50
