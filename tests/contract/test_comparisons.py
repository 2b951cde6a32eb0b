"""Diff, blame, bisect and the state before a run: finding out what happened."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack, Unavailable
from backpack.errors import CommitNotFoundError, KeyNotFoundError, ValueUnavailableError

from .model import same
from .readings import everything_in

# -- diff --------------------------------------------------------------------------------------------------


def test_a_diff_tells_added_removed_and_changed_by_key() -> None:
    bp = Backpack({"same": 1, "changed": 1, "removed": 1})
    bp.update({"changed": 2, "added": [1]})
    commit = bp.delete("removed")
    diff = bp.diff(1, 3)
    assert set(diff.added) == {"added"}
    assert set(diff.removed) == {"removed"}
    assert set(diff.changed) == {"changed"}
    assert same(diff.added["added"].new, [1])
    assert diff.removed["removed"].old == 1
    assert (diff.changed["changed"].old, diff.changed["changed"].new) == (1, 2)
    assert diff.removed["removed"].commit.id == commit.id
    assert diff.changed["changed"].commit.seq == 2
    assert diff.added["added"].commit.seq == 2


def test_a_diff_goes_to_head_when_nothing_else_is_said() -> None:
    bp = Backpack({"a": 1})
    bp.pack("a", 2)
    bp.pack("b", 1)
    assert set(bp.diff(1).added) == {"b"}
    assert bp.diff(1).changed["a"].new == 2


def test_a_diff_backwards_swaps_added_and_removed() -> None:
    bp = Backpack({"a": 1, "b": 1})
    bp.update({"a": 2, "c": 3})
    bp.delete("b")
    diff = bp.diff(3, 1)
    assert set(diff.added) == {"b"}
    assert set(diff.removed) == {"c"}
    assert (diff.changed["a"].old, diff.changed["a"].new) == (2, 1)


def test_a_diff_of_a_commit_with_itself_is_empty() -> None:
    bp = Backpack({"a": 1})
    diff = bp.diff(1, 1)
    assert not diff.added
    assert not diff.removed
    assert not diff.changed


def test_a_key_that_came_and_went_between_is_in_no_part_of_a_diff() -> None:
    bp = Backpack({"a": 1})
    bp.pack("b", 1)
    bp.delete("b")
    bp.pack("a", 2)
    bp.pack("a", 1)
    diff = bp.diff(1)
    assert not diff.added
    assert not diff.removed
    assert set(diff.changed) <= {"a"}


@pytest.mark.parametrize(
    ("old", "new"),
    [(0, False), (1, True), (1, 1.0), ("1", 1), ([], ()), (None, 0), (b"a", "a"), ("", None), ([1], (1,))],
)
def test_a_change_of_type_is_a_change(old: Any, new: Any) -> None:
    bp = Backpack({"a": old})
    bp.pack("a", new)
    entry = bp.diff(1).changed["a"]
    assert same(entry.old, old)
    assert same(entry.new, new)


@pytest.mark.parametrize("value", [None, 0, False, "", [], {}])
def test_a_falsy_value_is_added_and_removed_like_any_other(value: Any) -> None:
    bp = Backpack({"other": 1})
    bp.pack("a", value)
    assert same(bp.diff(1).added["a"].new, value)
    bp.delete("a")
    assert same(bp.diff(2).removed["a"].old, value)


def test_paths_name_what_changed_inside_the_value() -> None:
    bp = Backpack({"a": {"x": {"deep": [1, 2, {"k": 1}]}, "same": list(range(50))}})
    bp.pack("a", {"x": {"deep": [1, 2, {"k": 2}]}, "same": list(range(50))})
    paths = [str(path) for path in bp.diff(1).changed["a"].paths]
    assert len(paths) == 1
    assert all(part in paths[0] for part in ("x", "deep", "2", "k"))
    assert "same" not in paths[0]


def test_paths_name_each_place_that_changed() -> None:
    bp = Backpack({"a": {"one": 1, "two": 2, "three": 3}})
    bp.pack("a", {"one": 10, "two": 2, "four": 4})
    text = " ".join(str(path) for path in bp.diff(1).changed["a"].paths)
    assert "one" in text
    assert "three" in text
    assert "four" in text
    assert "two" not in text


def test_paths_of_a_list_that_grew_name_only_the_new_item() -> None:
    bp = Backpack({"a": ["x"] * 5})
    bp.append("a", "y")
    paths = [str(path) for path in bp.diff(1).changed["a"].paths]
    assert len(paths) == 1
    assert "5" in paths[0]


def test_a_diff_of_large_values_that_are_gone_tells_no_wrong_value() -> None:
    bp = Backpack({"a": "x" * 500}, max_value_size=100)
    bp.pack("a", "y" * 500)
    bp.pack("a", "z" * 500)
    entry = bp.diff(1, 2).changed["a"]
    assert entry.old == "x" * 500 or type(entry.old).__name__ == "Unavailable"
    assert entry.new == "y" * 500 or type(entry.new).__name__ == "Unavailable"


def test_a_diff_is_no_place_to_read_values_from_its_repr() -> None:
    bp = Backpack({"a": "SECRETWORD1"})
    bp.pack("a", "SECRETWORD2")
    diff = bp.diff(1)
    assert "SECRETWORD" not in repr(diff)
    assert "SECRETWORD" not in repr(diff.changed["a"])
    assert "SECRETWORD" in everything_in(diff.changed["a"].old)


# -- blame -------------------------------------------------------------------------------------------------


def test_blame_gives_the_commit_that_set_the_present_value() -> None:
    bp = Backpack({"a": 1})
    bp.pack("a", 2, node="x", message="m")
    bp.pack("b", 1, node="y")
    assert bp.blame("a").seq == 2
    assert bp.blame("a").node == "x"
    assert bp.blame("a").message == "m"
    bp.append("list", 1)
    bp.append("list", 2)
    assert bp.blame("list").seq == 5
    bp.restore(1, keys=["a"], node="z")
    assert bp.blame("a").node == "z"


def test_blame_of_a_missing_key_raises() -> None:
    bp = Backpack({"a": 1})
    bp.delete("a")
    for key in ("a", "never"):
        with pytest.raises(KeyNotFoundError):
            bp.blame(key)


# -- bisect ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [1, 2, 3, 499, 500, 998, 999, 1_000])
def test_bisect_finds_the_first_commit_in_few_snapshots(first: int) -> None:
    bp = Backpack()
    for number in range(1, 1_001):
        bp.pack("a", "bad" if number >= first else "good")
    calls = 0

    def predicate(snapshot: Any) -> bool:
        nonlocal calls
        calls += 1
        return snapshot.get("a") == "bad"

    assert bp.bisect(predicate).seq == first
    assert calls <= 14


def test_bisect_without_any_such_commit_raises() -> None:
    bp = Backpack({"a": 1})
    with pytest.raises(CommitNotFoundError):
        bp.bisect(lambda snapshot: False)
    with pytest.raises(CommitNotFoundError):
        Backpack().bisect(lambda snapshot: False)


def test_bisect_looks_between_good_and_bad() -> None:
    bp = Backpack()
    for number in range(1, 21):
        bp.pack("a", number)
    bp.checkpoint("good", at=5)
    assert bp.bisect(lambda snapshot: snapshot["a"] >= 9, good="good", bad="HEAD~2").seq == 9
    assert bp.bisect(lambda snapshot: snapshot["a"] >= 6, good=5, bad=6).seq == 6
    with pytest.raises(CommitNotFoundError):
        bp.bisect(lambda snapshot: snapshot["a"] >= 15, good=5, bad=10)


def test_bisect_passes_on_an_error_of_the_predicate() -> None:
    bp = Backpack({"a": [1]})
    bp.pack("a", [])
    assert bp.bisect(lambda snapshot: snapshot.get("a") == []).seq == 2
    with pytest.raises(ZeroDivisionError):
        bp.bisect(lambda snapshot: 1 / 0)


# -- the state before a run --------------------------------------------------------------------------------


def runs() -> Any:
    bp = Backpack()
    bp.pack("a", 1, node="x")
    bp.pack("a", 2, node="x")
    bp.pack("a", 3, node="y")
    bp.pack("a", 4, node="x")
    bp.pack("a", 5)
    bp.pack("a", 6, node="x")
    bp.pack("a", 7, node="x")
    return bp


@pytest.mark.parametrize(
    ("node", "run", "state"),
    [
        ("x", -1, {"a": 5}),
        ("x", 2, {"a": 5}),
        ("x", -2, {"a": 3}),
        ("x", 1, {"a": 3}),
        ("x", 0, {}),
        ("x", -3, {}),
        ("y", -1, {"a": 2}),
        ("y", 0, {"a": 2}),
    ],
)
def test_snapshot_before_gives_the_state_before_that_run(node: str, run: int, state: dict[str, int]) -> None:
    assert dict(runs().snapshot_before(node, run)) == state


def test_snapshot_before_defaults_to_the_last_run_and_is_none_if_it_never_ran() -> None:
    assert dict(runs().snapshot_before("x")) == {"a": 5}
    assert runs().snapshot_before("nobody") is None
    assert Backpack().snapshot_before("x") is None


def test_the_parts_of_a_diff_are_dicts_whose_missing_keys_are_ours() -> None:
    bp = Backpack({"a": 1})
    bp.pack("a", 2)
    diff = bp.diff(1)
    assert list(diff.changed) == list(copy.copy(diff.changed)) == list({**diff.changed}) == ["a"]
    assert diff.changed.get("b", 0) == 0
    with pytest.raises(KeyNotFoundError) as caught:
        diff.changed["b"]
    assert caught.value.key == "b"
    empty = bp.diff(2)
    assert dataclasses.asdict(empty) == {"added": {}, "removed": {}, "changed": {}}
    assert pickle.loads(pickle.dumps(empty)) == empty


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
@pytest.mark.parametrize("is_opened", [False, True])
def test_items_and_diffs_go_to_other_processes_with_their_values(
    tmp_path: Path, duplicate: Callable[[Any], Any], is_opened: bool
) -> None:
    bp = backpack.open(tmp_path / "store") if is_opened else Backpack()
    bp.update({"a": [1], "gone": None}, node="n", tags=["t"])
    bp.update({"a": [2], "new": (1, {2})})
    bp.delete("gone")
    items = [bp.item("a"), bp.snapshot(1).item("a"), bp.snapshot().item("a"), bp.node("n").item("a")]
    for item in items:
        again = duplicate(item)
        assert again == item and (again.time, again.node, again.tags) == (item.time, item.node, item.tags)
        again.value.append(9)
        assert same(again.value, item.value)
    diff = bp.diff(1)
    again = duplicate(diff)
    assert again == diff and str(again) == str(diff)
    for part in ("added", "removed", "changed"):
        for key, entry in getattr(diff, part).items():
            copied = getattr(again, part)[key]
            assert same((copied.old, copied.new, copied.paths), (entry.old, entry.new, entry.paths))
    bp.close()


def test_what_is_out_of_reach_is_so_in_a_pickle_too() -> None:
    bp = Backpack(max_value_size=10)
    bp.pack("a", "x" * 100)
    bp.pack("a", "y" * 100)
    item, diff = bp.snapshot(1).item("a"), bp.diff(1)
    again = pickle.loads(pickle.dumps(item))
    for one in (item, again):
        with pytest.raises(ValueUnavailableError) as caught:
            _ = one.value
        assert caught.value.size == item.size
    assert pickle.loads(pickle.dumps(diff)).changed["a"].old == diff.changed["a"].old
    assert isinstance(diff.changed["a"].old, Unavailable)
