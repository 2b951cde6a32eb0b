"""Snapshots: read-only, complete, and never moved by anything that happens later."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections.abc import Mapping
from typing import Any

import pytest

from backpack import Backpack
from backpack.errors import CommitPrunedError, KeyNotFoundError, ValueUnavailableError

from .model import same
from .readings import is_unavailable


def test_a_snapshot_is_a_read_only_mapping() -> None:
    snapshot = Backpack({"a": 1, "b.c": None}).snapshot()
    assert isinstance(snapshot, Mapping)
    assert len(snapshot) == 2
    assert set(snapshot) == {"a", "b.c"}
    assert "a" in snapshot
    assert "z" not in snapshot
    assert snapshot.get("z", 5) == 5
    assert snapshot.get("b.c", 5) is None
    assert dict(snapshot) == {"a": 1, "b.c": None}
    assert dict(snapshot.items()) == {"a": 1, "b.c": None}
    for write in ("pack", "delete", "append", "update", "clear", "pop"):
        assert not hasattr(snapshot, write)
    with pytest.raises(TypeError):
        snapshot["a"] = 2
    with pytest.raises(TypeError):
        del snapshot["a"]


def test_a_missing_key_of_a_snapshot_raises_as_in_the_store() -> None:
    snapshot = Backpack({"a": 1}).snapshot()
    with pytest.raises(KeyNotFoundError):
        snapshot["z"]
    with pytest.raises(KeyNotFoundError):
        snapshot.item("z")
    assert snapshot.unpack("z") is None
    assert snapshot.unpack("z", 4) == 4


def test_a_snapshot_knows_its_commit() -> None:
    bp = Backpack({"a": 1})
    commit = bp.pack("a", 2, node="n")
    bp.pack("a", 3)
    assert bp.snapshot(2).commit.id == commit.id
    assert bp.snapshot(2).commit.node == "n"
    assert bp.snapshot().commit.seq == 3


def test_the_item_of_a_snapshot_is_that_of_its_time() -> None:
    bp = Backpack()
    bp.pack("a", "one", node="x", tags=("t",))
    bp.pack("b", 0)
    bp.pack("a", "three", node="y")
    item = bp.snapshot(2).item("a")
    assert (item.value, item.version, item.node, set(item.tags)) == ("one", 1, "x", {"t"})
    assert item.commit.seq == 1
    assert bp.snapshot(3).item("a").version == 2


def test_a_snapshot_shows_keys_as_of_its_commit_with_deletes_and_all() -> None:
    bp = Backpack()
    bp.pack("a", 1)
    bp.pack("b", 1)
    bp.delete("a")
    bp.pack("a", 2)
    bp.clear()
    assert [dict(bp.snapshot(seq)) for seq in range(6)] == [
        {},
        {"a": 1},
        {"a": 1, "b": 1},
        {"b": 1},
        {"a": 2, "b": 1},
        {},
    ]


def test_later_commits_and_prunes_never_change_an_open_snapshot() -> None:
    bp = Backpack({"a": [1], "b": 2, "c": {"x": 0}}, max_history_size=500)
    snapshot = bp.snapshot()
    for number in range(200):
        bp.pack("a", [number] * 20)
        bp.append("list", number)
    bp.delete("b")
    bp.clear()
    bp.prune()
    bp.configure(max_history_size=100)
    assert same(dict(snapshot), {"a": [1], "b": 2, "c": {"x": 0}})
    assert snapshot.commit.seq == 1
    assert len(snapshot) == 3
    assert snapshot.item("a").version == 1
    assert "list" not in snapshot


def test_an_open_snapshot_keeps_a_large_value_that_was_there() -> None:
    bp = Backpack({"big": "x" * 5_000}, max_value_size=100)
    snapshot = bp.snapshot()
    bp.pack("big", "y" * 5_000)
    bp.delete("big")
    assert snapshot["big"] == "x" * 5_000


def test_an_open_snapshot_of_head_is_not_moved_by_append() -> None:
    bp = Backpack({"list": [0]})
    snapshots = []
    for number in range(1, 40):
        snapshots.append(bp.snapshot())
        bp.append("list", number)
    for count, snapshot in enumerate(snapshots, start=1):
        assert snapshot["list"] == list(range(count))


@pytest.mark.parametrize("strategy", ["oldest", "least-accessed"])
def test_pruning_never_drops_a_key_from_a_surviving_snapshot(strategy: str) -> None:
    chance = random.Random(7)
    bp = Backpack(max_history_size=1_500, prune_strategy=strategy)
    bp.pack("old.once", "set long ago")
    bp.pack("old.none", None)
    states: dict[int, dict[str, Any]] = {}
    state: dict[str, Any] = {"old.once": "set long ago", "old.none": None}
    states[1] = {"old.once": "set long ago"}
    states[2] = dict(state)
    for _ in range(400):
        key = f"k{chance.randrange(6)}"
        if chance.random() < 0.15 and key in state:
            commit = bp.delete(key)
            del state[key]
        else:
            value = "v" * chance.randrange(1, 60) + str(chance.random())
            commit = bp.pack(key, value)
            state[key] = value
        states[commit.seq] = dict(state)
        for _ in range(2):
            chosen = chance.choice(list(bp.history()))
            assert dict(bp.snapshot(chosen.seq)) == states[chosen.seq]
    survivors = [commit.seq for commit in bp.history()]
    assert len(survivors) < 400
    for seq in survivors:
        assert dict(bp.snapshot(seq)) == states[seq]
    gone = set(states) - set(survivors)
    for seq in gone:
        with pytest.raises(CommitPrunedError):
            bp.snapshot(seq)


def test_a_snapshot_reaches_past_the_horizon_for_keys_set_long_before() -> None:
    bp = Backpack(max_commits=3)
    bp.update({f"k{number}": number for number in range(20)})
    for number in range(50):
        bp.pack("other", number)
    oldest = min(commit.seq for commit in bp.history())
    assert oldest > 40
    assert bp.snapshot(oldest).to_dict() == {**{f"k{n}": n for n in range(20)}, "other": oldest - 2}


def test_a_snapshot_of_a_snapshot_s_fork_is_its_own() -> None:
    bp = Backpack({"a": 1})
    bp.pack("a", 2)
    fork = bp.snapshot(1).fork()
    assert fork.pack("b", 3).seq == 2
    assert dict(fork) == {"a": 1, "b": 3}
    assert dict(bp) == {"a": 2}


def test_diff_of_a_snapshot_goes_from_it_to_the_other() -> None:
    bp = Backpack({"a": 1, "b": 1})
    bp.update({"a": 2, "c": 3})
    bp.delete("b")
    diff = bp.snapshot(1).diff(bp.snapshot(3))
    assert set(diff.added) == {"c"}
    assert set(diff.removed) == {"b"}
    assert (diff.changed["a"].old, diff.changed["a"].new) == (1, 2)


def test_to_dict_gives_everything() -> None:
    bp = Backpack({"a": [1], "b.c": None})
    found = bp.snapshot().to_dict()
    assert type(found) is dict
    assert same(found, {"a": [1], "b.c": None}) or same(found, {"b.c": None, "a": [1]})


# -- large values ------------------------------------------------------------------------------------------


def test_a_large_value_is_full_while_it_is_live_and_then_unavailable_but_never_wrong() -> None:
    bp = Backpack(max_value_size=200)
    first = bp.pack("big", "a" * 1_000)
    bp.pack("other", 1)
    assert bp.snapshot(first)["big"] == "a" * 1_000
    assert bp.snapshot(2)["big"] == "a" * 1_000
    bp.pack("big", "b" * 1_000)
    for seq in (1, 2):
        found = bp.snapshot(seq).unpack("big")
        if not is_unavailable(found):
            assert found == "a" * 1_000
            continue
        assert found.key == "big"
        assert found.size == first.changes["big"].size
        assert isinstance(found.reason, str) and found.reason
        assert getattr(found.commit, "seq", found.commit) in (1, first.id)
        with pytest.raises(ValueUnavailableError) as caught:
            bp.snapshot(seq)["big"]
        assert caught.value.key == "big"
        assert caught.value.size == found.size
    assert bp.snapshot(3)["big"] == "b" * 1_000
    assert "big" in bp.snapshot(1)


def test_a_small_value_before_and_after_a_large_one_is_always_there() -> None:
    bp = Backpack(max_value_size=200)
    for _ in range(3):
        bp.pack("v", "small")
        bp.pack("v", "L" * 1_000)
        bp.pack("v", "small too")
    for seq in range(1, 10):
        found = bp.snapshot(seq).unpack("v")
        if seq % 3 == 2:
            assert is_unavailable(found) or found == "L" * 1_000
        else:
            assert found == ("small" if seq % 3 == 1 else "small too")


def unavailable() -> Any:
    """A store whose commit 1 held a large value that is gone, if this store lets any go."""
    bp = Backpack({"big": random.Random(1).randbytes(3_000), "small": 1}, max_value_size=200)
    bp.pack("big", "replaced")
    bp.pack("small", 2)
    gc.collect()
    if not is_unavailable(bp.snapshot(1).unpack("big")):
        pytest.skip("the bytes are still within reach")
    return bp


def test_whole_reads_of_an_unavailable_value_raise_and_change_nothing() -> None:
    bp = unavailable()
    for call in (
        lambda: bp.snapshot(1).to_dict(),
        lambda: bp.restore(1),
        lambda: bp.fork(1),
        lambda: bp.snapshot(1).fork(),
        lambda: bp.replay(1),
    ):
        with pytest.raises(ValueUnavailableError):
            call()
    assert dict(bp) == {"big": "replaced", "small": 2}
    assert bp.head.seq == 3


def test_restoring_other_keys_than_the_unavailable_one_works() -> None:
    bp = unavailable()
    bp.restore(1, keys=["small"])
    assert dict(bp) == {"big": "replaced", "small": 1}
    with pytest.raises(ValueUnavailableError):
        bp.restore(1, keys=["big"])


def test_an_unavailable_value_says_nothing_of_its_content() -> None:
    bp = Backpack({"big": "SECRETWORD" * 100}, max_value_size=100)
    bp.pack("big", 1)
    found = bp.snapshot(1).unpack("big")
    if is_unavailable(found):
        assert "SECRETWORD" not in repr(found)


def test_an_unavailable_value_cannot_be_packed_by_mistake() -> None:
    bp = unavailable()
    found = bp.snapshot(1).unpack("big")
    with pytest.raises(TypeError):
        bp.pack("copy", found)


def test_the_default_of_unpack_is_not_given_for_an_unavailable_value() -> None:
    bp = unavailable()
    assert is_unavailable(bp.snapshot(1).unpack("big", "default"))


# -- asynchronous ------------------------------------------------------------------------------------------


def test_asnapshot_gives_the_same_snapshot() -> None:
    bp = Backpack({"a": 1, "b": [2]})
    bp.pack("a", 3)

    async def main() -> None:
        assert dict(await bp.asnapshot()) == {"a": 3, "b": [2]}
        assert dict(await bp.asnapshot(1)) == {"a": 1, "b": [2]}
        assert (await bp.asnapshot(1, keys=["b"]))["b"] == [2]
        with pytest.raises(LookupError):
            await bp.asnapshot(99)

    asyncio.run(main())


# -- cost --------------------------------------------------------------------------------------------------


@pytest.mark.uncounted
def test_making_a_snapshot_costs_the_same_however_many_commits_and_keys() -> None:
    def cost(count: int) -> float:
        bp = Backpack()
        bp.update({f"k{number}": number for number in range(count)})
        for number in range(count):
            bp.pack(f"k{number % 100}", number)
        best = 1.0
        for _ in range(50):
            start = time.perf_counter()
            snapshot = bp.snapshot(count // 2)
            assert snapshot["k5"] is not None
            best = min(best, time.perf_counter() - start)
        return best

    cost(10)
    assert cost(20_000) < 10 * cost(200) + 0.0001
