"""The store's own calls, in the order of the table."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import pytest

from backpack import Backpack
from backpack.errors import BackpackError, ClosedError, InvalidKeyError, KeyNotFoundError, UnstorableValueError

from .model import same
from .readings import is_nobody


def seq_of(bp: Any) -> int:
    return bp.head.seq if bp.head is not None else 0


def test_a_backpack_is_a_mutable_mapping() -> None:
    assert issubclass(Backpack, MutableMapping)
    assert isinstance(Backpack(), MutableMapping)


def test_an_initial_mapping_is_one_commit_with_seq_1() -> None:
    bp = Backpack({"query": "hello", "n": 1})
    assert bp.head.seq == 1
    assert len(list(bp.history())) == 1
    assert set(bp.head.changes) == {"query", "n"}
    assert dict(bp) == {"query": "hello", "n": 1}
    assert bp.pack("x", 1).seq == 2


def test_a_new_backpack_without_values_has_no_commit() -> None:
    for bp in (Backpack(), Backpack({})):
        assert seq_of(bp) == 0
        assert list(bp.history()) == []
        assert len(bp) == 0
        assert bp.pack("a", 1).seq == 1


def test_pack_makes_one_commit_of_one_key_that_says_who_why_and_what() -> None:
    bp = Backpack()
    commit = bp.pack("a.b", [1], node="writer", message="first", tags=("x", "y"))
    assert commit.seq == 1
    assert commit.node == "writer"
    assert commit.message == "first"
    assert set(commit.tags) == {"x", "y"}
    assert set(commit.changes) == {"a.b"}
    assert commit.changes["a.b"].kind == "pack"
    assert commit.changes["a.b"].version == 1
    assert not commit.changes["a.b"].is_large
    assert is_nobody(bp.pack("a.b", 2).node)


def test_packing_an_equal_value_is_still_a_commit_and_a_version() -> None:
    bp = Backpack({"a": [1]})
    commit = bp.pack("a", [1])
    assert commit.seq == 2
    assert commit.changes["a"].version == 2
    assert bp.version("a") == 2


def test_unpack_of_a_missing_key_gives_the_default() -> None:
    bp = Backpack()
    assert bp.unpack("a") is None
    assert bp.unpack("a", 5) == 5
    assert bp.peek("a") is None
    assert bp.peek("a", 5) == 5


def test_required_reads_of_a_missing_key_raise_a_key_error() -> None:
    bp = Backpack({"other": 1})
    for read in (bp.unpack_required, bp.__getitem__, bp.item, bp.blame):
        with pytest.raises(KeyNotFoundError) as caught:
            read("a")
        assert isinstance(caught.value, KeyError)
        assert caught.value.key == "a"


def test_the_mapping_verbs_do_what_a_dict_does() -> None:
    bp = Backpack()
    bp["a"] = 1
    bp["b"] = 2
    assert len(bp) == 2
    assert set(bp) == {"a", "b"}
    assert "a" in bp
    assert "c" not in bp
    assert bp.get("c", 7) == 7
    assert set(bp.keys()) == {"a", "b"}
    assert sorted(bp.values()) == [1, 2]
    assert dict(bp.items()) == {"a": 1, "b": 2}
    assert bp.pop("a") == 1
    assert bp.pop("a", "none") == "none"
    with pytest.raises(KeyError):
        bp.pop("a")
    with pytest.raises(KeyError):
        del bp["a"]
    assert bp.setdefault("a", [5]) == [5]
    assert bp.setdefault("a", 6) == [5]
    seq = seq_of(bp)
    key, _ = bp.popitem()
    assert key not in bp
    assert seq_of(bp) == seq + 1


def test_append_adds_to_the_list_and_makes_it_when_missing() -> None:
    bp = Backpack()
    first = bp.append("a", 1)
    second = bp.append("a", [2], (3,), None)
    assert (first.seq, second.seq) == (1, 2)
    assert second.changes["a"].version == 2
    assert same(bp["a"], [1, [2], (3,), None])
    assert same(bp.snapshot(1)["a"], [1])
    bp.pack("b", ["x"])
    bp.append("b", "y")
    assert same(bp["b"], ["x", "y"])
    assert bp.item("b").version == 2


def test_append_goes_on_after_a_delete_with_a_new_list() -> None:
    bp = Backpack()
    bp.append("a", 1)
    bp.delete("a")
    bp.append("a", 2)
    assert same(bp["a"], [2])
    assert bp.version("a") == 3
    assert same(bp.snapshot(1)["a"], [1])


def test_append_after_a_restore_does_not_disturb_the_longer_list() -> None:
    bp = Backpack()
    for number in range(6):
        bp.append("a", number)
    bp.restore(3)
    bp.append("a", "other")
    bp.append("a", "end")
    assert same(bp["a"], [0, 1, 2, "other", "end"])
    assert same(bp.snapshot(6)["a"], [0, 1, 2, 3, 4, 5])
    assert same(bp.snapshot(3)["a"], [0, 1, 2])


def test_append_in_a_fork_does_not_disturb_the_original() -> None:
    bp = Backpack()
    for number in range(4):
        bp.append("a", number)
    fork = bp.fork(2)
    fork.append("a", "fork")
    bp.append("a", "original")
    fork.append("a", "fork again")
    assert same(bp["a"], [0, 1, 2, 3, "original"])
    assert same(fork["a"], [0, 1, "fork", "fork again"])
    assert same(bp.snapshot(3)["a"], [0, 1, 2])


@pytest.mark.parametrize("count", [15, 16, 17, 255, 256, 257, 65_535, 65_536])
def test_append_is_right_where_the_count_of_a_packed_list_grows_a_byte(count: int) -> None:
    bp = Backpack({"a": [7] * (count - 1)})
    before = bp.head
    bp.append("a", 8)
    bp.append("a", 9)
    assert bp["a"] == [7] * (count - 1) + [8, 9]
    assert bp.item("a").size == Backpack({"a": [7] * (count - 1) + [8, 9]}).item("a").size
    assert bp.snapshot(before)["a"] == [7] * (count - 1)
    assert bp.snapshot(2)["a"] == [7] * (count - 1) + [8]


@pytest.mark.parametrize("value", [None, 0, "text", (1,), {"a": 1}, {1}])
def test_append_to_what_is_no_list_is_refused_and_changes_nothing(value: Any) -> None:
    bp = Backpack({"a": value})
    with pytest.raises((BackpackError, TypeError)):
        bp.append("a", 1)
    assert same(bp["a"], value)
    assert seq_of(bp) == 1


def test_delete_is_a_commit_like_any_other() -> None:
    bp = Backpack({"a": 1, "b": 2})
    commit = bp.delete("a")
    assert commit.seq == 2
    assert commit.changes["a"].kind == "delete"
    assert commit.changes["a"].version == 2
    assert "a" not in bp
    assert bp.snapshot(1)["a"] == 1
    assert "a" not in bp.snapshot(2)
    del bp["b"]
    assert bp.head.changes["b"].kind == "delete"
    assert len(bp) == 0


def test_delete_of_a_missing_key_raises_and_makes_no_commit() -> None:
    bp = Backpack({"a": 1})
    bp.delete("a")
    for key in ("a", "never"):
        with pytest.raises(KeyNotFoundError):
            bp.delete(key)
    assert seq_of(bp) == 2


def test_clear_is_one_commit_that_deletes_everything() -> None:
    bp = Backpack({"a": 1, "b.c": 2})
    commit = bp.clear()
    assert commit.seq == 2
    assert {key: change.kind for key, change in commit.changes.items()} == {"a": "delete", "b.c": "delete"}
    assert len(bp) == 0
    assert dict(bp.snapshot(1)) == {"a": 1, "b.c": 2}


def test_update_is_one_commit() -> None:
    bp = Backpack({"a": 1})
    commit = bp.update({"a": 2, "b": 3}, node="n", message="m", tags=("t",))
    assert commit.seq == 2
    assert set(commit.changes) == {"a", "b"}
    assert (commit.node, commit.message, set(commit.tags)) == ("n", "m", {"t"})
    assert dict(bp) == {"a": 2, "b": 3}


def test_update_is_all_or_nothing() -> None:
    bp = Backpack({"a": 1})
    with pytest.raises(UnstorableValueError):
        bp.update({"a": 2, "b": object()})
    with pytest.raises(InvalidKeyError):
        bp.update({"a": 2, "": 1})
    assert dict(bp) == {"a": 1}
    assert seq_of(bp) == 1


def test_nothing_to_do_makes_no_commit_and_gives_none() -> None:
    bp = Backpack()
    assert bp.update({}) is None
    assert bp.clear() is None
    with bp.transaction() as tx:
        pass
    assert tx.commit is None
    assert seq_of(bp) == 0


def test_item_tells_value_version_size_commit_node_tags_and_time() -> None:
    bp = Backpack()
    bp.pack("a", 0)
    commit = bp.pack("a", {"x": 1}, node="n", tags=["t"])
    bp.pack("b", 1)
    item = bp.item("a")
    assert same(item.value, {"x": 1})
    assert item.version == 2
    assert item.size == commit.changes["a"].size
    assert item.commit.seq == 2
    assert item.commit.id == commit.id
    assert item.node == "n"
    assert set(item.tags) == {"t"}
    assert item.time == commit.time


def test_version_counts_the_changes_of_a_key_and_is_0_if_never_seen() -> None:
    bp = Backpack()
    assert bp.version("a") == 0
    bp.pack("a", 1)
    bp.append("b", 1)
    bp.delete("a")
    bp.pack("a", 1)
    bp.quarantine("a", reason="r")
    bp.release("a")
    assert bp.version("a") == 5
    assert bp.version("b") == 1
    assert bp.item("a").version == 5


def test_version_goes_on_counting_after_deletes_and_prunes() -> None:
    bp = Backpack(max_history_size=300)
    for number in range(1, 51):
        commit = bp.pack("a", "x" * 50)
        assert commit.changes["a"].version == 2 * number - 1
        commit = bp.delete("a")
        assert commit.changes["a"].version == 2 * number
    for number in range(30):
        bp.pack("b", "y" * 50 + str(number))
    assert bp.version("a") == 100
    assert bp.pack("a", 1).changes["a"].version == 101


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("sales.*", {"sales.a", "sales.b"}),
        ("sales.**", {"sales.a", "sales.b", "sales.b.c", "sales.b.c.d"}),
        ("sales.b.*", {"sales.b.c"}),
        ("sales", {"sales"}),
        ("sales.a", {"sales.a"}),
        ("*", {"sales", "salesman", "[ab]", "a?", "a"}),
        (
            "**",
            {
                "sales",
                "sales.a",
                "sales.b",
                "sales.b.c",
                "sales.b.c.d",
                "salesman",
                "salesman.x",
                "[ab]",
                "a?",
                "a",
                "a.x+y",
            },
        ),
        ("[ab]", {"[ab]"}),
        ("a?", {"a?"}),
        ("a.x+y", {"a.x+y"}),
        ("Sales.*", set()),
        ("nothing.**", set()),
    ],
)
def test_select_takes_one_level_by_a_star_any_depth_by_two_and_the_rest_literally(
    pattern: str, expected: set[str]
) -> None:
    keys = [
        "sales",
        "sales.a",
        "sales.b",
        "sales.b.c",
        "sales.b.c.d",
        "salesman",
        "salesman.x",
        "[ab]",
        "a?",
        "a",
        "a.x+y",
    ]
    bp = Backpack({key: key.upper() for key in keys})
    assert bp.select(pattern) == {key: key.upper() for key in expected}
    assert bp.snapshot().select(pattern) == {key: key.upper() for key in expected}


def test_head_is_the_newest_commit() -> None:
    bp = Backpack()
    for number in range(5):
        commit = bp.pack("a", number)
        assert bp.head.seq == commit.seq
        assert bp.head.id == commit.id


def test_restoring_and_forking_and_reading_leave_the_store_a_store() -> None:
    bp = Backpack({"a": 1})
    bp.snapshot()
    bp.diff(0)
    list(bp.history())
    bp.fork()
    bp.memory_usage(deep=True)
    assert seq_of(bp) == 1


def test_flush_and_close_are_fine_in_memory() -> None:
    bp = Backpack({"a": 1})
    bp.flush()
    bp.close()
    bp.close()
    with pytest.raises(ClosedError):
        bp.pack("a", 2)
    with pytest.raises(ClosedError):
        bp.delete("a")


def test_a_backpack_is_a_context_manager_that_closes() -> None:
    with Backpack({"a": 1}) as bp:
        assert bp["a"] == 1
    with pytest.raises(ClosedError):
        bp.pack("a", 2)


def test_a_failing_with_block_raises_its_own_error_and_closes() -> None:
    bp = Backpack({"a": 1})
    with pytest.raises(RuntimeError, match="mine"), bp:
        raise RuntimeError("mine")
    with pytest.raises(ClosedError):
        bp.pack("a", 2)


def test_two_stores_share_nothing() -> None:
    one, two = Backpack({"a": [1]}), Backpack({"a": [1]})
    one.append("a", 2)
    two.delete("a")
    assert same(one["a"], [1, 2])
    assert "a" not in two
    assert one.head.id != two.head.id


@pytest.mark.uncounted
def test_append_costs_what_is_added_and_not_the_list() -> None:
    import time

    def cost(count: int) -> float:
        bp = Backpack({"a": [{"role": "user", "content": "x" * 80}] * count}, max_value_size=1 << 30)
        best = 1.0
        for _ in range(30):
            start = time.perf_counter()
            bp.append("a", {"role": "user", "content": "y" * 80})
            best = min(best, time.perf_counter() - start)
        return best

    cost(10)
    assert cost(50_000) < 10 * cost(100) + 0.0002
