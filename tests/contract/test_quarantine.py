"""Quarantine: a bad value out of sight, but not out of history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack
from backpack.errors import KeyNotFoundError, QuarantineError, ValueUnavailableError

from .model import same
from .readings import check, quarantined_keys


def suspect() -> Any:
    bp = Backpack({"a": {"x": 1}, "b": 2})
    bp.quarantine("a", reason="looks wrong", node="checker")
    return bp


def test_a_quarantined_value_is_out_of_sight() -> None:
    bp = suspect()
    assert "a" not in bp
    assert len(bp) == 1
    assert list(bp) == ["b"]
    assert bp.unpack("a", "default") == "default"
    assert bp.peek("a") is None
    assert bp.select("**") == {"b": 2}
    for read in (bp.__getitem__, bp.unpack_required, bp.item):
        with pytest.raises(KeyNotFoundError):
            read("a")
    assert dict(bp.snapshot()) == {"b": 2}
    assert bp.fork().unpack("a") is None


def test_a_quarantine_is_a_commit_with_a_change_of_its_kind() -> None:
    bp = suspect()
    assert bp.head.seq == 2
    assert bp.head.node == "checker"
    assert bp.head.changes["a"].kind == "quarantine"
    assert bp.head.changes["a"].version == 2
    assert bp.version("a") == 2


def test_a_quarantined_value_is_not_out_of_history() -> None:
    bp = suspect()
    assert same(bp.snapshot(1)["a"], {"x": 1})
    assert set(bp.diff(1).removed) == {"a"}
    assert [commit.seq for commit in bp.history("a")] == [2, 1]


def test_quarantined_lists_what_is_in_quarantine() -> None:
    bp = suspect()
    assert quarantined_keys(bp.quarantined()) == {"a"}
    bp.quarantine("b", reason="too")
    assert quarantined_keys(bp.quarantined()) == {"a", "b"}
    bp.release("a")
    assert quarantined_keys(bp.quarantined()) == {"b"}
    assert quarantined_keys(Backpack({"a": 1}).quarantined()) == set()


def test_release_brings_the_value_back_as_a_commit() -> None:
    bp = suspect()
    bp.release("a")
    assert same(bp["a"], {"x": 1})
    assert bp.head.seq == 3
    assert bp.head.changes["a"].kind == "release"
    assert bp.version("a") == 3
    assert bp.item("a").version == 3
    assert "a" not in bp.snapshot(2)
    assert same(bp.snapshot(3)["a"], {"x": 1})


def test_a_released_large_value_is_full() -> None:
    bp = Backpack({"a": "x" * 1_000}, max_value_size=100)
    bp.quarantine("a", reason="big")
    bp.pack("b", 1)
    bp.release("a")
    assert bp["a"] == "x" * 1_000
    assert bp.snapshot(1)["a"] == "x" * 1_000


def test_a_quarantined_value_survives_pruning_until_it_is_released() -> None:
    bp = Backpack({"a": "precious"}, max_history_size=300)
    bp.quarantine("a", reason="r")
    for number in range(100):
        bp.pack("b", "v" * 40 + str(number))
    assert quarantined_keys(bp.quarantined()) == {"a"}
    usage, deep = bp.memory_usage(), bp.memory_usage(deep=True)
    assert usage.history_bytes == deep.history_bytes
    bp.release("a")
    assert bp["a"] == "precious"


def test_a_pack_over_a_quarantined_key_makes_a_new_visible_version() -> None:
    bp = suspect()
    commit = bp.pack("a", "new")
    assert commit.changes["a"].version == 3
    assert bp["a"] == "new"
    with pytest.raises((QuarantineError, KeyNotFoundError)):
        bp.release("a")
    assert bp["a"] == "new"
    assert bp.head.seq == 3


def test_quarantine_of_a_missing_or_quarantined_key_is_refused() -> None:
    bp = suspect()
    for key in ("a", "never"):
        with pytest.raises((QuarantineError, KeyNotFoundError)):
            bp.quarantine(key, reason="r")
    assert bp.head.seq == 2


def test_release_of_what_is_not_in_quarantine_is_refused() -> None:
    bp = suspect()
    for key in ("b", "never"):
        with pytest.raises((QuarantineError, KeyNotFoundError)):
            bp.release(key)
    assert bp.head.seq == 2


def test_a_quarantined_key_cannot_be_deleted_by_accident() -> None:
    bp = suspect()
    try:
        bp.delete("a")
    except KeyNotFoundError:
        bp.release("a")
        assert same(bp["a"], {"x": 1})


def test_a_falsy_value_can_be_quarantined_and_released() -> None:
    for value in (None, 0, "", []):
        bp = Backpack({"a": value})
        bp.quarantine("a", reason="r")
        assert "a" not in bp
        bp.release("a")
        assert same(bp.unpack("a", "missing"), value)


def test_restore_to_before_a_quarantine_brings_the_value_back() -> None:
    bp = suspect()
    bp.restore(1)
    assert same(dict(bp), {"a": {"x": 1}, "b": 2})


@pytest.mark.parametrize("value", [{"x": 1}, bytes(200)])
def test_restore_to_a_quarantine_puts_the_same_value_there_again(tmp_path: Path, value: Any) -> None:
    with backpack.open(tmp_path / "store", max_value_size=100) as bp:
        bp.update({"a": value, "b": 2})
        bp.quarantine("a", reason="doubt")
        bp.release("a")
        assert bp.restore(2).changes["a"].kind == "quarantine"
        assert dict(bp) == {"b": 2}
        assert bp.quarantined() == {"a": "doubt"}
        assert bp.restore(2) is None
    with backpack.open(tmp_path / "store", max_value_size=100) as bp:
        assert bp.restore(1).changes["a"].kind == "pack"
        assert (bp["a"], bp.quarantined()) == (value, {})
        assert bp.restore(2, keys=["a"]).changes["a"].kind == "quarantine"
        assert bp.quarantined() == {"a": "doubt"}
        bp.release("a")
        assert bp["a"] == value
        check(bp)


def test_restore_to_a_quarantine_takes_another_value_out_and_hides_none_in_its_name() -> None:
    bp = suspect()
    bp.pack("a", {"x": 2})
    assert bp.restore(2).changes["a"].kind == "delete"
    assert ("a" in bp, bp.quarantined()) == (False, {})
    assert bp.snapshot(3)["a"] == {"x": 2}


def test_restore_to_a_quarantine_of_a_value_that_is_gone_takes_the_present_one_out() -> None:
    bp = Backpack({"a": bytes(80)}, max_value_size=60)
    bp.quarantine("a", reason="doubt")
    bp.pack("a", bytes(79))
    assert bp.restore(2).changes["a"].kind == "delete"
    check(bp)


def test_restore_to_where_a_key_was_not_leaves_what_is_in_quarantine_there() -> None:
    bp = Backpack({"b": 2})
    bp.pack("a", 1)
    bp.quarantine("a", reason="doubt")
    assert bp.restore(1) is None
    assert bp.quarantined() == {"a": "doubt"}


def test_a_fork_keeps_what_is_in_quarantine() -> None:
    bp = suspect()
    fork = bp.fork()
    assert quarantined_keys(fork.quarantined()) == {"a"}
    fork.release("a")
    assert same(fork["a"], {"x": 1})
    assert "a" not in bp


def test_a_fork_where_a_quarantined_large_value_is_gone_releases_it_whole_or_refuses() -> None:
    bp = Backpack({"a": bytes(80)}, max_value_size=60)
    bp.quarantine("a", reason="r")
    bp.pack("a", "new")
    try:
        fork = bp.fork(2)
        fork.release("a")
    except (ValueUnavailableError, QuarantineError, KeyNotFoundError):
        return
    assert fork["a"] == bytes(80)
    check(fork)


def test_quarantine_needs_a_reason() -> None:
    with pytest.raises(TypeError):
        Backpack({"a": 1}).quarantine("a")


def test_a_release_tells_a_value_in_sight_from_no_value_at_all() -> None:
    bp = Backpack({"in sight": 1, "deleted": 1})
    bp.delete("deleted")
    for key in ("never", "deleted"):
        with pytest.raises(KeyNotFoundError) as caught:
            bp.release(key)
        assert caught.value.key == key
    with pytest.raises(QuarantineError):
        bp.release("in sight")
    bp.quarantine("in sight", reason="wrong")
    with pytest.raises(KeyNotFoundError):
        bp.quarantine("in sight", reason="again")
    bp.release("in sight")
    assert dict(bp) == {"in sight": 1}
