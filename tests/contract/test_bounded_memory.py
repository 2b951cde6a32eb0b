"""Bounded memory: what is counted, what is pruned, what never is."""

from __future__ import annotations

import gc
import random
import time
from typing import Any

import pytest

from backpack import Backpack
from backpack.errors import CommitPrunedError, HistoryFullError

from .readings import check

COUNTERS = (
    "live_bytes",
    "history_bytes",
    "history_limit",
    "pinned_bytes",
    "commits_in_memory",
    "commits_archived",
    "commits_pruned",
    "large_values",
    "blob_bytes",
    "archive_bytes",
    "over_budget",
)


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that have nothing in common with any others."""
    return random.Random(seed).randbytes(size)


def seqs(bp: Any) -> list[int]:
    return sorted(commit.seq for commit in bp.history())


def agree(bp: Any) -> Any:
    counted, recounted = bp.memory_usage(), bp.memory_usage(deep=True)
    for name in COUNTERS:
        assert getattr(counted, name) == getattr(recounted, name), name
    check(bp)
    return counted


# -- what is counted ---------------------------------------------------------------------------------------


def test_history_bytes_are_the_payloads_of_the_commits_in_memory() -> None:
    bp = Backpack()
    sizes = [bp.pack(f"k{number % 3}", noise(50, number)).size for number in range(10)]
    usage = agree(bp)
    assert usage.history_bytes == sum(sizes)
    assert usage.live_bytes == sum(bp.item(key).size for key in bp)
    assert usage.commits_in_memory == 10
    assert usage.commits_pruned == 0
    assert usage.commits_archived == 0
    assert usage.history_limit == 50 * 1024 * 1024
    assert usage.history_percent == pytest.approx(100 * sum(sizes) / usage.history_limit, rel=0.2, abs=0.1)
    assert not usage.over_budget
    assert usage.overhead_bytes > 0


def test_an_empty_store_holds_nothing() -> None:
    usage = agree(Backpack())
    assert (usage.live_bytes, usage.history_bytes, usage.pinned_bytes, usage.commits_in_memory) == (0, 0, 0, 0)


def test_an_unchanged_value_costs_nothing_again() -> None:
    bp = Backpack()
    value = noise(3_000)
    size = bp.pack("a", value).size
    for _ in range(50):
        bp.pack("a", value)
    usage = agree(bp)
    assert usage.history_bytes == size
    assert usage.live_bytes == size


def test_equal_values_above_4_kib_are_kept_once() -> None:
    bp = Backpack()
    value = noise(20_000)
    for number in range(20):
        bp.pack(f"k{number}", value)
    usage = agree(bp)
    assert usage.history_bytes < 2 * bp.item("k0").size
    assert usage.live_bytes < 2 * bp.item("k0").size
    bp.delete("k0")
    assert bp["k1"] == value
    agree(bp)


def test_a_list_that_grows_by_append_costs_what_was_appended() -> None:
    bp = Backpack(max_value_size=10**9)
    for number in range(300):
        bp.append("list", {"n": number, "text": noise(40, number).hex()})
    usage = agree(bp)
    assert usage.history_bytes <= 1.2 * bp.item("list").size
    assert bp.snapshot(17)["list"][16]["n"] == 16


def test_a_list_that_grows_by_pack_costs_what_was_appended() -> None:
    bp = Backpack(max_value_size=10**9)
    messages: list[Any] = []
    for number in range(300):
        messages.append({"n": number, "text": noise(40, number).hex()})
        bp.pack("list", messages)
    usage = agree(bp)
    assert usage.history_bytes <= 1.2 * bp.item("list").size
    assert len(bp.snapshot(17)["list"]) == 17


def test_a_text_that_grows_costs_what_was_appended() -> None:
    bp = Backpack(max_value_size=10**9)
    text = ""
    for number in range(300):
        text += noise(40, number).hex()
        bp.pack("text", text)
    assert agree(bp).history_bytes <= 1.2 * bp.item("text").size
    assert bp.snapshot(100)["text"] == text[: 80 * 100]


def test_a_large_value_counts_as_its_reference() -> None:
    bp = Backpack(max_value_size=1_000)
    for number in range(5):
        bp.pack("big", noise(100_000, number))
    usage = agree(bp)
    assert usage.history_bytes < 5 * 1_000
    assert usage.live_bytes > 100_000
    assert usage.large_values >= 1


def test_a_value_of_many_bytes_and_few_characters_is_large_by_its_bytes() -> None:
    bp = Backpack(max_value_size=200)
    assert bp.pack("wide", "\U0001f600" * 60).changes["wide"].is_large
    assert not bp.pack("narrow", "x" * 60).changes["narrow"].is_large


@pytest.mark.parametrize("value", ["x" * 300, list(range(300)), {"text": "x" * 300}])
def test_packing_the_present_value_again_goes_by_the_limit_of_now(value: Any) -> None:
    bp = Backpack(max_value_size=1000)
    assert not bp.pack("a", value).changes["a"].is_large
    bp.configure(max_value_size=100)
    assert bp.pack("a", value).changes["a"].is_large
    bp.configure(max_value_size=1000)
    assert not bp.pack("a", value).changes["a"].is_large
    assert bp["a"] == bp.snapshot(1)["a"] == bp.snapshot(2)["a"] == value
    check(bp)


def test_exactly_max_value_size_is_not_large_and_one_byte_more_is() -> None:
    size = Backpack().pack("v", "x" * 500).size
    bp = Backpack(max_value_size=size)
    assert not bp.pack("v", "x" * 500).changes["v"].is_large
    assert bp.pack("v", "x" * 501).changes["v"].is_large


def test_a_small_value_after_a_large_one_leaks_no_budget() -> None:
    bp = Backpack(max_value_size=500, max_history_size=10**6)
    for number in range(100):
        bp.pack("v", noise(5_000, number))
        bp.pack("v", number)
        agree(bp)
    usage = agree(bp)
    assert usage.live_bytes == bp.item("v").size
    assert usage.history_bytes < 200 * 300
    bp.delete("v")
    assert agree(bp).live_bytes == 0


def test_budget_is_not_leaked_by_any_order_of_large_small_delete_restore_and_prune() -> None:
    chance = random.Random(3)
    bp = Backpack(max_value_size=80, max_history_size=700)
    for step in range(400):
        key = f"k{chance.randrange(3)}"
        act = chance.randrange(6)
        if act <= 1:
            bp.pack(key, noise(chance.randrange(1, 60), step))
        elif act == 2:
            bp.pack(key, noise(chance.randrange(100, 300), step))
        elif act == 3 and key in bp:
            bp.delete(key)
        elif act == 4:
            bp.append("list", step)
        elif act == 5 and step % 10 == 0:
            bp.prune()
        usage = agree(bp)
        assert usage.history_bytes <= 700 or usage.over_budget
    bp.clear()
    usage = agree(bp)
    assert usage.live_bytes == 0
    assert bp.head.seq > 100


def test_deep_agrees_after_forks_quarantine_transactions_and_snapshots() -> None:
    bp = Backpack(max_value_size=100, max_history_size=900)
    kept = []
    for number in range(60):
        with bp.transaction() as tx:
            tx.pack("a", noise(30, number))
            tx.pack("b", noise(150, number))
        if number % 7 == 0:
            kept.append(bp.snapshot())
        if number % 9 == 0:
            bp.quarantine("a", reason="r")
        if number % 9 == 1 and "a" not in bp:
            bp.release("a")
        agree(bp)
    fork = bp.fork()
    fork.pack("a", "fork")
    agree(fork)
    agree(bp)
    kept.clear()
    gc.collect()
    bp.pack("a", 1)
    assert agree(bp).history_bytes <= 900


def test_memory_usage_prints_as_a_table_and_renders_in_a_notebook() -> None:
    bp = Backpack({"a": 1})
    usage = bp.memory_usage()
    assert str(usage).count("\n") >= 5
    assert any(callable(getattr(usage, name, None)) for name in ("_repr_html_", "_repr_markdown_", "_repr_mimebundle_"))


def test_the_largest_keys_are_the_top_five_by_history_bytes() -> None:
    bp = Backpack()
    for number in range(8):
        for turn in range(3):
            bp.pack(f"k{number}", noise(100 * (number + 1), 10 * number + turn))
    largest = bp.memory_usage().largest_keys
    largest = largest() if callable(largest) else largest
    entries = list(largest.items()) if hasattr(largest, "items") else list(largest)
    names = [entry if isinstance(entry, str) else getattr(entry, "key", None) or entry[0] for entry in entries]
    assert names == ["k7", "k6", "k5", "k4", "k3"]


@pytest.mark.uncounted
def test_memory_usage_takes_under_a_millisecond_at_100_000_commits() -> None:
    bp = Backpack()
    for number in range(100_000):
        bp.pack(f"k{number % 200}", number)
    best = 1.0
    for _ in range(20):
        start = time.perf_counter()
        usage = bp.memory_usage()
        best = min(best, time.perf_counter() - start)
    assert usage.commits_in_memory == 100_000
    assert best < 0.001


# -- the budget --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["oldest", "least-accessed"])
@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.9])
def test_history_never_exceeds_its_budget_after_any_commit(strategy: str, share: float) -> None:
    bp = Backpack(max_history_size=2_000, prune_strategy=strategy, prune_percentage=share)
    for number in range(300):
        bp.pack(f"k{number % 7}", noise(number % 90, number))
        usage = bp.memory_usage()
        assert usage.history_bytes <= 2_000
        assert not usage.over_budget
    agree(bp)
    assert bp.memory_usage().commits_pruned > 0


def test_pruning_goes_down_to_the_share_that_is_to_stay() -> None:
    bp = Backpack(max_history_size=10_000, prune_percentage=0.4)
    pruned = 0
    for number in range(400):
        size = bp.pack("a", noise(100, number)).size
        usage = bp.memory_usage()
        if usage.commits_pruned > pruned:
            assert usage.history_bytes <= 6_000
            assert usage.history_bytes > 6_000 - 2 * size
            pruned = usage.commits_pruned
    assert pruned > 0


def test_the_oldest_go_first() -> None:
    bp = Backpack(max_history_size=2_000)
    for number in range(100):
        bp.pack("a", noise(100, number))
        found = seqs(bp)
        assert found == list(range(found[0], number + 2))


def test_the_least_accessed_go_first() -> None:
    bp = Backpack(max_history_size=4_000, prune_strategy="least-accessed", prune_percentage=0.3)
    read = {2, 5, 9}
    for number in range(1, 121):
        bp.pack("a", noise(100, number))
        for seq in read & set(seqs(bp)):
            snapshot = bp.snapshot(seq)
            assert snapshot["a"] == noise(100, seq)
    assert read <= set(seqs(bp))
    assert len(seqs(bp)) < 60
    agree(bp)


def test_listing_history_is_no_access() -> None:
    bp = Backpack(max_history_size=4_000, prune_strategy="least-accessed", prune_percentage=0.3)
    for number in range(1, 31):
        bp.pack("a", noise(100, number))
    for _ in range(50):
        list(bp.history(before=20))
    for seq in range(15, 31):
        assert bp.snapshot(seq)["a"] == noise(100, seq)
    for number in range(31, 43):
        bp.pack("a", noise(100, number))
    left = set(seqs(bp))
    assert bp.memory_usage().commits_pruned > 0
    assert set(range(15, 31)) <= left
    assert 1 not in left


@pytest.mark.parametrize("strategy", ["oldest", "least-accessed"])
def test_the_newest_commit_is_never_pruned(strategy: str) -> None:
    bp = Backpack(max_history_size=600, prune_strategy=strategy, prune_percentage=0.9)
    for number in range(200):
        commit = bp.pack(f"k{number % 3}", noise(100, number))
        for seq in seqs(bp)[:-1]:
            for _ in range(3):
                bp.snapshot(seq).to_dict()
        assert bp.commit(commit.seq).id == commit.id
        assert bp.snapshot(commit)[f"k{number % 3}"] == noise(100, number)
        assert bp.head.seq == number + 1
    bp.prune()
    assert bp.snapshot("HEAD").commit.seq == 200


def test_the_newest_commit_alone_may_exceed_the_budget_and_is_reported() -> None:
    bp = Backpack(max_history_size=500)
    for number in range(5):
        bp.pack("a", noise(50, number))
    bp.pack("b", noise(2_000))
    usage = agree(bp)
    assert usage.over_budget
    assert usage.pinned_bytes >= 2_000
    assert 6 in seqs(bp)
    assert bp["b"] == noise(2_000)
    bp.pack("b", 1)
    usage = agree(bp)
    assert usage.history_bytes <= 500
    assert not usage.over_budget


@pytest.mark.parametrize("strategy", ["oldest", "least-accessed"])
def test_a_checkpoint_is_never_pruned(strategy: str) -> None:
    bp = Backpack({"a": "start", "b": 1}, max_history_size=800, prune_strategy=strategy)
    bp.checkpoint("start")
    for number in range(200):
        bp.pack("a", noise(100, number))
        bp.delete("b") if number % 2 == 0 else bp.pack("b", number)
        if number == 100:
            bp.checkpoint("middle")
            middle = bp.head.seq
    assert {1, middle} <= set(seqs(bp))
    assert dict(bp.snapshot("start")) == {"a": "start", "b": 1}
    assert bp.snapshot("middle")["a"] == noise(100, 100)
    agree(bp)


def test_what_checkpoints_hold_is_pinned_and_reported() -> None:
    bp = Backpack(max_history_size=500)
    bp.pack("a", noise(800))
    bp.checkpoint("big")
    for number in range(20):
        bp.pack("a", noise(30, number))
    usage = agree(bp)
    assert usage.over_budget
    assert usage.pinned_bytes >= 800
    assert usage.history_bytes - usage.pinned_bytes <= 500
    bp.delete_checkpoint("big")
    bp.pack("a", 1)
    usage = agree(bp)
    assert not usage.over_budget
    assert usage.history_bytes <= 500


def test_what_open_snapshots_hold_is_pinned_and_reported() -> None:
    bp = Backpack(max_history_size=500)
    bp.pack("a", noise(800))
    snapshot = bp.snapshot()
    for number in range(20):
        bp.pack("a", noise(30, number))
    assert snapshot["a"] == noise(800)
    usage = agree(bp)
    assert usage.history_bytes <= 500 or (usage.over_budget and usage.pinned_bytes >= 800)
    del snapshot
    gc.collect()
    bp.pack("a", 1)
    usage = agree(bp)
    assert usage.history_bytes <= 500
    assert not usage.over_budget


def test_strategy_none_never_prunes_and_reports_over_budget() -> None:
    bp = Backpack(max_history_size=500, prune_strategy="none")
    for number in range(50):
        bp.pack("a", noise(100, number))
    usage = agree(bp)
    assert usage.over_budget
    assert usage.commits_pruned == 0
    assert seqs(bp) == list(range(1, 51))
    assert bp.snapshot(1)["a"] == noise(100, 0)


@pytest.mark.parametrize("strategy", ["oldest", "least-accessed"])
def test_max_commits_bounds_the_number_of_commits_and_prunes_by_the_same_share(strategy: str) -> None:
    bp = Backpack(max_commits=20, prune_percentage=0.5, prune_strategy=strategy)
    pruned = 0
    for number in range(100):
        bp.pack("a", number)
        usage = bp.memory_usage()
        assert usage.commits_in_memory <= 20
        if usage.commits_pruned > pruned:
            pruned = usage.commits_pruned
            assert 8 <= usage.commits_in_memory <= 11
    assert pruned > 0


def test_max_commits_of_one_keeps_the_newest() -> None:
    bp = Backpack(max_commits=1)
    for number in range(10):
        bp.pack(f"k{number % 2}", number)
        assert seqs(bp) == [number + 1]
    assert dict(bp.snapshot()) == {"k0": 8, "k1": 9}
    assert bp.version("k0") == 5


def test_lowering_a_limit_prunes_at_once() -> None:
    bp = Backpack()
    for number in range(50):
        bp.pack("a", noise(100, number))
    bp.configure(max_history_size=1_000)
    usage = agree(bp)
    assert usage.history_bytes <= 1_000
    assert usage.history_limit == 1_000
    assert usage.commits_pruned > 30
    bp.configure(max_commits=3)
    assert agree(bp).commits_in_memory <= 3
    bp.configure(max_history_size=10**6)
    with pytest.raises(CommitPrunedError):
        bp.snapshot(1)


def test_configure_of_one_limit_leaves_the_others() -> None:
    bp = Backpack(max_history_size=1_000, max_value_size=200)
    bp.configure(prune_percentage=0.5)
    assert bp.memory_usage().history_limit == 1_000
    assert bp.pack("a", "x" * 300).changes["a"].is_large


def test_a_new_max_value_size_counts_for_what_is_packed_from_then_on() -> None:
    bp = Backpack(max_value_size=200)
    bp.configure(max_value_size=1_000)
    assert not bp.pack("a", "x" * 500).changes["a"].is_large
    bp.configure(max_value_size=100)
    assert bp.pack("b", "x" * 500).changes["b"].is_large
    assert bp["a"] == bp["b"] == "x" * 500
    agree(bp)


@pytest.mark.parametrize("size", [78, 3_000])
def test_a_restored_value_is_large_by_the_limit_of_now(size: int) -> None:
    bp = Backpack(max_value_size=60)
    bp.pack("a", noise(size))
    snapshot = bp.snapshot()
    bp.pack("a", 1)
    for limit, is_large in ((4_000, False), (60, True)):
        bp.configure(max_value_size=limit)
        assert bp.restore(1).changes["a"].is_large == is_large
        assert bp["a"] == snapshot["a"] == noise(size)
        agree(bp)
        bp.pack("a", limit)
    del snapshot
    agree(bp)


def test_base_payloads_count_once_they_are_no_longer_live() -> None:
    bp = Backpack()
    bp.update({f"k{number}": noise(100, number) for number in range(10)})
    for number in range(10):
        bp.pack("other", noise(100, 50 + number))
    bp.configure(max_commits=5)
    bp.configure(max_commits=1_000)
    assert 1 not in seqs(bp)
    before = agree(bp).history_bytes
    old = bp.item("k0").size
    new = bp.pack("k0", noise(10, 99)).size
    assert agree(bp).history_bytes == before + old + new


# -- the hard limit ----------------------------------------------------------------------------------------


def test_a_hard_limit_prunes_first() -> None:
    bp = Backpack(max_history_size=1_000, hard_limit=True)
    for number in range(100):
        bp.pack("a", noise(100, number))
    assert bp.head.seq == 100
    assert agree(bp).history_bytes <= 1_000


def test_a_hard_limit_refuses_what_can_never_fit_and_changes_nothing() -> None:
    bp = Backpack({"a": 1}, max_history_size=500, hard_limit=True)
    before = agree(bp)
    for act in (
        lambda: bp.pack("b", noise(600)),
        lambda: bp.update({"a": 2, "b": noise(600)}),
        lambda: bp.append("list", noise(600)),
    ):
        with pytest.raises(HistoryFullError) as caught:
            act()
        assert isinstance(caught.value, MemoryError)
        assert caught.value.limit == 500
        assert caught.value.size > 0
    with pytest.raises(HistoryFullError), bp.transaction() as tx:
        tx.pack("a", 3)
        tx.pack("b", noise(600))
    assert dict(bp) == {"a": 1}
    assert bp.head.seq == 1
    assert bp.version("b") == 0
    assert bp.snapshot(1)["a"] == 1
    after = agree(bp)
    assert (after.history_bytes, after.live_bytes) == (before.history_bytes, before.live_bytes)
    assert bp.pack("b", "fits").seq == 2


def test_a_hard_limit_without_pruning_refuses_at_once() -> None:
    bp = Backpack(max_history_size=500, hard_limit=True, prune_strategy="none")
    count = 0
    with pytest.raises(HistoryFullError):
        for number in range(100):
            bp.pack("a", noise(100, number))
            count += 1
    assert 3 <= count <= 5
    assert bp.head.seq == count
    assert bp["a"] == noise(100, count - 1)
    usage = agree(bp)
    assert usage.history_bytes <= 500
    assert usage.commits_pruned == 0


def test_a_hard_limit_held_by_a_checkpoint_refuses() -> None:
    bp = Backpack(max_history_size=500, hard_limit=True)
    bp.pack("a", noise(400))
    bp.checkpoint("pinned")
    with pytest.raises(HistoryFullError):
        bp.pack("a", noise(150))
    assert agree(bp).history_bytes <= 500
    assert bp.snapshot("pinned")["a"] == noise(400)
    bp.delete_checkpoint("pinned")
    bp.pack("a", noise(90, 77))
    assert bp["a"] == noise(90, 77)


def test_a_restore_is_not_refused_for_the_snapshot_that_it_looks_at() -> None:
    bp = Backpack(max_history_size=110, max_value_size=40, hard_limit=True)
    bp.pack("b", noise(39))
    bp.pack("b", noise(14))
    assert bp.restore(1, unavailable=noise(70, 99)).changes["b"].version == 3
    assert bp["b"] == noise(70, 99)
    agree(bp)


@pytest.mark.parametrize("strategy", ["oldest", "least-accessed"])
def test_a_hard_limit_that_prunes_the_past_of_a_key_loses_no_pack_to_it(strategy: str) -> None:
    bp = Backpack(max_value_size=60, max_history_size=150, hard_limit=True, prune_strategy=strategy)
    bp.pack("k", noise(100, 1))
    bp.clear()
    bp.pack("a", noise(100, 2))
    bp.pack("b", noise(70, 3))
    commit = bp.pack("k", noise(80, 4))
    assert commit.changes["k"].version == 3
    assert bp["k"] == noise(80, 4)
    agree(bp)


def test_deep_agrees_under_a_hard_limit_with_equal_large_values() -> None:
    bp = Backpack(max_value_size=60, max_history_size=150, hard_limit=True, prune_strategy="least-accessed")
    bp.pack("b", bytes(80))
    bp.pack("n", ["00000"] * 12)
    bp.pack("a", "L" * 70)
    bp.pack("a", ["00000"] * 14)
    bp.pack("n", "L" * 70)
    agree(bp)


def test_deep_agrees_after_a_fork_came_and_went_and_an_equal_large_value_is_packed() -> None:
    bp = Backpack(max_value_size=60)
    bp.pack("n", bytes(80))
    fork = bp.fork(1)
    fork.pack("a", "only in the fork")
    fork.pack("n", ["y"])
    del fork
    bp.pack("a", bytes(80))
    agree(bp)


def test_prune_leaves_the_present_and_what_survives_as_it_was() -> None:
    bp = Backpack({"a": 1, "b": 2})
    for number in range(20):
        bp.pack("a", number)
    bp.prune()
    assert dict(bp) == {"a": 19, "b": 2}
    for seq in seqs(bp):
        assert bp.snapshot(seq)["b"] == 2
    agree(bp)


def test_blame_survives_pruning_while_the_value_lives() -> None:
    bp = Backpack(max_history_size=500)
    first = bp.pack("kept", "v", node="author", message="why", tags=("t",))
    for number in range(100):
        bp.pack("a", noise(50, number))
    with pytest.raises(CommitPrunedError):
        bp.commit(first)
    found = bp.blame("kept")
    assert (found.seq, found.id, found.node, found.message, set(found.tags), found.time) == (
        1,
        first.id,
        "author",
        "why",
        {"t"},
        first.time,
    )
    item = bp.item("kept")
    assert (item.version, item.node, item.time) == (1, "author", first.time)
