"""A commit that a hard limit refuses changes nothing, and none is refused that could have been made to fit."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack
from backpack.errors import HistoryFullError

STRATEGIES = ["oldest", "least-accessed"]


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def seqs(bp: Backpack) -> list[int]:
    return sorted(commit.seq for commit in bp.history())


def everything(bp: Backpack) -> Any:
    usage = replace(bp.memory_usage(), overhead_bytes=0)  # the refused value is there as long as its error
    states = {seq: bp.snapshot(seq).to_dict(unavailable="unavailable") for seq in seqs(bp)}
    return usage, usage.pinned_bytes, usage.largest_keys, states, {key: bp.version(key) for key in "abcd"}


ACTS: dict[str, Callable[[Backpack], Any]] = {
    "pack": lambda bp: bp.pack("b", noise(500, 9)),
    "pack over a value": lambda bp: bp.pack("a", noise(500, 9)),
    "update": lambda bp: bp.update({"b": noise(90, 8), "c": noise(120, 9)}),
    "append": lambda bp: bp.append("list", noise(500, 9)),
    "restore": lambda bp: bp.restore(2, unavailable=noise(500, 9)),
    "setdefault": lambda bp: bp.setdefault("b", noise(500, 9)),
}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_a_refused_commit_takes_nothing_from_the_history(act: Callable[[Backpack], Any], strategy: str) -> None:
    bp = Backpack(max_history_size=200, hard_limit=True, prune_strategy=strategy, max_value_size=1_000)
    bp.append("list", "item")
    if act is ACTS["restore"]:
        bp.configure(max_value_size=30)
    bp.pack("a", noise(40, 0))
    for number in range(1, 4):
        bp.pack("a", noise(10, number))
    bp.configure(max_value_size=1_000)
    before = everything(bp)
    with pytest.raises(HistoryFullError):
        act(bp)
    assert everything(bp) == before
    bp._check()


def test_a_refused_transaction_takes_nothing_from_the_history() -> None:
    bp = Backpack(max_history_size=200, hard_limit=True)
    for number in range(3):
        bp.pack("a", noise(50, number))
    with pytest.raises(HistoryFullError), bp.transaction() as tx:
        tx.pack("a", 1)
        tx.append("list", noise(500, 9))
    assert seqs(bp) == [1, 2, 3] and bp["a"] == noise(50, 2)
    bp._check()


def test_a_refused_commit_archives_nothing(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store", max_history_size=200, hard_limit=True) as bp:
        for number in range(3):
            bp.pack("a", noise(50, number))
        with pytest.raises(HistoryFullError):
            bp.pack("a", noise(500, 9))
        assert bp.memory_usage().commits_archived == 0
        assert bp.pack("a", noise(150, 9)).seq == 4
        bp._check()


def test_what_a_checkpoint_needs_is_no_room() -> None:
    bp = Backpack(max_history_size=1_000, hard_limit=True)
    bp.pack("a", noise(400, 0))
    bp.checkpoint("here")
    bp.update({"a": noise(100, 1), "b": noise(100, 2)})
    bp.pack("c", noise(100, 3))
    before = everything(bp)
    for _ in range(3):
        with pytest.raises(HistoryFullError):
            bp.pack("d", noise(620, 4))
    assert everything(bp) == before
    assert bp.pack("d", noise(590, 4)).seq == 4
    assert seqs(bp) == [1, 4]
    bp._check()


def test_bytes_that_versions_share_are_freed_with_the_last_of_them() -> None:
    bp = Backpack({"start": 1}, max_history_size=10_000, hard_limit=True)
    bp.checkpoint("here")
    text = noise(3_000, 0).hex()
    for number in range(20):
        bp.pack("text", text[:2_000] + str(number) + text[2_000:])
    assert bp.pack("other", noise(9_900, 1)).seq == 22
    assert seqs(bp) == [1, 22]
    bp._check()


def test_a_form_whose_commit_left_for_its_own_restore_is_held_once() -> None:
    bp = Backpack(max_history_size=2_000, max_value_size=1_800, hard_limit=True)
    bp.pack("large", noise(3_000, 0))
    for number in range(4):
        bp.append("list", noise(100, number))
    bp.pack("large", 1)
    bp.pack("other", noise(1_990 - bp.memory_usage().history_bytes, 9))
    assert bp.restore(3, keys=["large", "list"], unavailable=noise(600, 8)).changes["list"].version == 5
    assert seqs(bp)[0] > 3 and len(bp["list"]) == 2
    bp._check()
    bp.update({"list": 1, "large": 2})
    bp.configure(max_commits=1)
    assert bp.memory_usage().history_bytes == 2
    bp._check()


def made(chance: random.Random) -> Any:
    return chance.choice(
        [
            chance.randrange(5),
            chance.randbytes(chance.randrange(300)),
            ["item"] * chance.randrange(60),
            {"text": "z" * chance.randrange(2_000)},
            "q" * 1_100 + str(chance.randrange(100)) * 10,
            chance.randbytes(chance.randrange(1_000, 4_000)),
        ]
    )


def act_at_random(bp: Backpack, chance: random.Random, step: int) -> None:
    key = chance.choice("abcd")
    act = chance.randrange(7)
    if act <= 1:
        bp.pack(key, made(chance))
    elif act == 2 and isinstance(bp.peek(key, []), list):
        bp.append(key, "appended" * chance.randrange(1, 60))
    elif act == 3:
        bp.update({key: made(chance) for key in "abcd"[: chance.randrange(1, 5)]})
    elif act == 4 and key in bp:
        bp.quarantine(key, reason="r") if step % 2 else bp.delete(key)
    elif act == 5:
        bp.restore(min(bp._engine.pins.checkpoint_counts, default=0), unavailable=chance.randbytes(200))
    elif key in bp.quarantined():
        bp.release(key)


@pytest.mark.uncounted
@pytest.mark.parametrize("seed", range(12))
def test_exactly_what_can_never_fit_is_refused(seed: int) -> None:
    chance = random.Random(seed)
    refused = 0
    for round in range(25):
        bp = Backpack(
            max_history_size=chance.choice([500, 3_000, 6_000]),
            max_value_size=chance.choice([900, 1_500, 5_000]),
            hard_limit=True,
            prune_strategy=STRATEGIES[seed % 2],
        )
        for step in range(60):
            if bp.head is not None and not chance.randrange(8):
                bp.checkpoint(f"{step}", at=chance.choice(seqs(bp)))
            before = everything(bp)
            state = chance.getstate()
            try:
                act_at_random(bp, chance, step)
            except HistoryFullError:
                assert everything(bp) == before, (round, step)
                refused += 1
                bp.configure(max_commits=1, prune_percentage=1.0)
                chance.setstate(state)
                try:
                    act_at_random(bp, chance, step)
                except HistoryFullError:
                    pass
                else:
                    raise AssertionError(f"it would have fitted: round={round} step={step}")
                break
            finally:
                bp._check()
            assert bp.memory_usage().history_bytes <= bp.limits.max_history_size
    assert refused > 5
