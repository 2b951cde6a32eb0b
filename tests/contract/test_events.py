"""Events: one a commit, small, in order, and no callback can hurt."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack
from backpack.errors import AccessDeniedError

from .readings import end, event_keys, everything_in, finishes


def listening(bp: Any, **filters: Any) -> list[Any]:
    seen: list[Any] = []
    bp.subscribe(seen.append, **filters)
    return seen


def kinds(seen: list[Any]) -> list[str]:
    return [event.kind for event in seen]


def test_each_commit_is_one_event() -> None:
    bp = Backpack()
    seen = listening(bp)
    bp.pack("a", 1)
    bp.delete("a")
    bp.pack("a", 2)
    assert kinds(seen) == ["pack", "delete", "pack"]
    assert all("a" in event_keys(event) for event in seen)


def test_a_commit_of_several_keys_is_one_event_of_kind_commit() -> None:
    bp = Backpack()
    seen = listening(bp)
    bp.update({"a": 1, "b": 2})
    with bp.transaction() as tx:
        tx.pack("a", 3)
        tx.delete("b")
    bp.update({"x": 1, "y": 1})
    assert kinds(seen) == ["commit"] * 3


def test_a_failed_or_empty_transaction_is_no_event() -> None:
    bp = Backpack({"a": 1})
    seen = listening(bp)
    with bp.transaction():
        pass
    with pytest.raises(RuntimeError), bp.transaction() as tx:
        tx.pack("a", 2)
        raise RuntimeError
    with pytest.raises(TypeError):
        bp.pack("a", object())
    assert [kind for kind in kinds(seen) if kind not in {"error", "unpack"}] == []


def test_append_quarantine_release_and_restore_are_one_event_each() -> None:
    bp = Backpack({"a": 1})
    seen = listening(bp)
    bp.append("list", 1)
    bp.quarantine("a", reason="r")
    bp.release("a")
    bp.pack("a", 2)
    bp.restore(1, keys=["a"])
    assert len(seen) == 5
    assert kinds(seen)[0] in {"pack", "append"}
    assert kinds(seen)[1:4] == ["quarantine", "release", "pack"]


def test_unpack_is_an_event_and_peek_is_none() -> None:
    bp = Backpack({"a": 1})
    seen = listening(bp, kinds=["unpack"])
    bp.unpack("a")
    assert kinds(seen) == ["unpack"]
    assert event_keys(seen[0]) == {"a"}
    bp.peek("a")
    bp.peek("missing")
    assert len(seen) == 1


def test_pruning_is_an_event() -> None:
    bp = Backpack(max_commits=5)
    seen = listening(bp, kinds=["prune"])
    for number in range(20):
        bp.pack("a", number)
    assert seen
    assert set(kinds(seen)) == {"prune"}


@pytest.mark.parametrize("hard_limit", [False, True])
@pytest.mark.parametrize("strategy", ["oldest", "least-accessed"])
def test_prune_events_carry_the_bytes_that_left(strategy: str, hard_limit: bool) -> None:
    bp = Backpack(max_history_size=1_000, prune_strategy=strategy, hard_limit=hard_limit)
    seen = listening(bp, kinds=["prune"])
    brought = 0
    for number in range(60):
        brought += bp.pack(f"k{number % 3}", random.Random(number).randbytes(100)).size
    bp.configure(max_history_size=500)
    bp.prune()
    assert all(event.count and event.size for event in seen)
    assert sum(event.size for event in seen) == brought - bp.memory_usage().history_bytes
    assert sum(event.count for event in seen) == bp.memory_usage().commits_pruned


def test_archive_events_carry_the_bytes_that_left_memory(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store", max_history_size=1_000) as bp:
        seen = listening(bp, kinds=["archive"])
        brought = sum(bp.pack("a", random.Random(number).randbytes(100)).size for number in range(60))
        assert sum(event.size for event in seen) == brought - bp.memory_usage().history_bytes > 0


def test_a_denial_is_an_event_that_says_who_and_what() -> None:
    bp = Backpack({"a": 1})
    seen = listening(bp, kinds=["denied"])
    node = bp.node("n", reads=[], writes=[])
    with pytest.raises(AccessDeniedError):
        node.pack("a", 2)
    with pytest.raises(AccessDeniedError):
        node.unpack("a")
    assert kinds(seen) == ["denied", "denied"]
    assert [event.node for event in seen] == ["n", "n"]
    assert all("a" in event_keys(event) for event in seen)


def test_a_subscription_filters_by_kind_node_and_key() -> None:
    bp = Backpack()
    by_kind = listening(bp, kinds=["delete"])
    by_node = listening(bp, node="n")
    by_key = listening(bp, key="a.b")
    by_all = listening(bp, kinds=["pack"], node="n", key="a.b")
    bp.pack("a.b", 1, node="n")
    bp.pack("a.b", 2, node="m")
    bp.pack("c", 1, node="n")
    bp.delete("a.b")
    assert kinds(by_kind) == ["delete"]
    assert kinds(by_node) == ["pack", "pack"]
    assert kinds(by_key) == ["pack", "pack", "delete"]
    assert kinds(by_all) == ["pack"]


def test_a_subscription_to_a_key_hears_of_it_in_a_commit_of_several() -> None:
    bp = Backpack()
    seen = listening(bp, key="a")
    bp.update({"a": 1, "b": 1})
    bp.update({"b": 2, "c": 2})
    assert kinds(seen) == ["commit"]


def test_events_never_carry_a_value() -> None:
    bp = Backpack(max_value_size=2_000)
    seen = listening(bp)
    secret = "SECRETWORD"
    bp.pack("a", secret)
    bp.pack("a", [secret] * 3)
    bp.append("a", {"x": secret})
    bp.update({"a": secret * 500, "b": secret})
    bp.unpack("a")
    bp.quarantine("b", reason="doubt")
    bp.delete("a")
    with pytest.raises(AccessDeniedError):
        bp.node("n", writes=[]).pack("a", secret)
    assert len(seen) >= 7
    for event in seen:
        assert secret not in everything_in(event)


def test_an_ended_subscription_hears_nothing_more() -> None:
    bp = Backpack()
    seen: list[Any] = []
    subscription = bp.subscribe(seen.append)
    bp.pack("a", 1)
    end(subscription)
    bp.pack("a", 2)
    assert len(seen) == 1
    end(subscription)


def test_a_callback_that_raises_stops_neither_the_pack_nor_the_others() -> None:
    bp = Backpack()

    def fail(event: Any) -> None:
        raise RuntimeError("callback")

    before = listening(bp, kinds=["pack"])
    bp.subscribe(fail)
    after = listening(bp, kinds=["pack"])
    commit = bp.pack("a", 1)
    assert commit.seq == 1
    assert bp["a"] == 1
    with bp.transaction() as tx:
        tx.pack("a", 2)
    assert tx.commit.seq == 2
    assert len(before) == len(after) == 2


def test_a_callback_may_read_the_store() -> None:
    bp = Backpack()
    seen: list[Any] = []
    bp.subscribe(lambda event: seen.append((bp.peek("a"), bp.head.seq)), kinds=["pack"])

    def act() -> None:
        bp.pack("a", 1)
        bp.pack("a", 2)

    finishes(act)
    assert seen == [(1, 1), (2, 2)]


def test_a_callback_that_waits_for_another_thread_s_read_does_not_hang() -> None:
    bp = Backpack({"a": 0})
    seen: list[Any] = []

    def callback(event: Any) -> None:
        thread = threading.Thread(target=lambda: seen.append(bp.peek("a")), daemon=True)
        thread.start()
        thread.join(5)

    bp.subscribe(callback, kinds=["pack"])
    finishes(lambda: bp.pack("a", 1), 10)
    assert seen == [1]


def test_a_callback_that_packs_does_not_hang_or_lose_a_commit() -> None:
    bp = Backpack()

    def callback(event: Any) -> None:
        if "a" in event_keys(event) and bp.version("log") < 3:
            bp.append("log", "seen")

    bp.subscribe(callback, kinds=["pack"])

    def act() -> None:
        for number in range(3):
            bp.pack("a", number)

    finishes(act)
    assert bp["log"] == ["seen"] * 3
    assert bp.head.seq == 6


def test_events_of_one_thread_come_in_the_order_of_its_commits() -> None:
    bp = Backpack()
    order: list[int] = []
    bp.subscribe(lambda event: order.append(bp.head.seq), kinds=["pack"])
    for number in range(50):
        bp.pack("a", number)
    assert order == sorted(order)
    assert len(order) == 50


def test_subscribers_of_a_fork_and_of_its_origin_are_apart() -> None:
    bp = Backpack({"a": 1})
    seen = listening(bp)
    fork = bp.fork()
    fork.pack("a", 2)
    assert [event for event in seen if event.kind == "pack"] == []


@pytest.mark.parametrize("of_node", [False, True])
def test_callbacks_run_without_the_lock_of_the_store(of_node: bool) -> None:
    bp = Backpack({"a": 1, "b": 2, "c": 3})
    told: list[tuple[str, object]] = []
    store = bp.node("n") if of_node else bp
    with ThreadPoolExecutor(1) as pool:
        bp.subscribe(lambda event: told.append((event.kind, pool.submit(bp.peek, "a").result(timeout=5))))
        assert store.pop("b") == 2
        assert store.setdefault("d", 4) == 4 and store.setdefault("d", 5) == 4
        assert store.popitem() == ("d", 4)
        assert store.pop("never", None) is None
    assert told == [
        *[("unpack", 1), ("delete", 1)],
        *[("pack", 1), ("unpack", 1), ("unpack", 1)],
        *[("unpack", 1), ("delete", 1)],
    ]


def test_a_callback_of_pop_finds_the_key_gone() -> None:
    bp = Backpack({"a": 1})
    found: list[bool] = []
    bp.subscribe(lambda event: found.append("a" in bp))
    bp.pop("a")
    assert found == [False, False]


def test_a_value_changed_while_it_is_popped_is_popped_as_it_is_then() -> None:
    class Odd:
        pass

    def decode(value: object) -> object:
        if value == "first":
            bp.pack("odd", "second")
        return value

    backpack.register(Odd, name="tests.popped", encode=lambda odd: "first", decode=decode)
    bp = Backpack({"odd": Odd()})
    assert bp.pop("odd") == "second" and "odd" not in bp
    assert [commit.changes["odd"].kind for commit in bp.history()] == ["delete", "pack", "pack"]


def test_a_node_that_may_not_write_pops_nothing() -> None:
    bp = Backpack({"a": 1})
    node = bp.node("n", writes=[])
    for act in (node.popitem, lambda: node.pop("a"), lambda: node.setdefault("b", 1)):
        with pytest.raises(AccessDeniedError):
            act()
    assert node.setdefault("a", 2) == 1 and list(bp) == ["a"]
