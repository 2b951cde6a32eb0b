"""Purge: the one call that rewrites history."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

from backpack import Backpack
from backpack.errors import ValueUnavailableError

from .model import same
from .readings import is_unavailable

SECRET = "PERSONALDATA-" * 3


def store() -> Any:
    bp = Backpack()
    bp.update({"user.name": SECRET + "1", "user.mail": SECRET + "2", "user": "kept", "other": "kept"})
    bp.pack("user.name", SECRET + "3")
    bp.append("user.log", SECRET, SECRET)
    bp.append("user.log", SECRET)
    bp.pack("other", "kept too")
    bp.delete("user.mail")
    return bp


def test_those_keys_leave_the_present_and_old_snapshots_answer_unavailable() -> None:
    bp = store()
    bp.purge("user.**")
    for key in ("user.name", "user.mail", "user.log"):
        assert key not in bp
        assert bp.unpack(key) is None
    for seq, key in ((1, "user.name"), (1, "user.mail"), (2, "user.name"), (3, "user.log"), (4, "user.log")):
        found = bp.snapshot(seq).unpack(key)
        assert is_unavailable(found)
        assert found.reason == "purged"
        assert found.key == key
        with pytest.raises(ValueUnavailableError) as caught:
            bp.snapshot(seq)[key]
        assert caught.value.reason == "purged"
        assert SECRET not in repr(found)


def test_other_keys_are_as_they_were_in_every_snapshot() -> None:
    bp = store()
    bp.purge("user.**")
    assert bp["user"] == "kept"
    assert bp["other"] == "kept too"
    assert bp.snapshot(1)["other"] == "kept"
    assert bp.snapshot(4)["other"] == "kept"
    assert bp.snapshot(5)["other"] == "kept too"
    assert bp.version("other") == 2


def test_a_dry_run_changes_nothing() -> None:
    bp = store()
    usage = bp.memory_usage()
    bp.purge("user.**", dry_run=True)
    assert bp["user.name"] == SECRET + "3"
    assert bp.snapshot(1)["user.mail"] == SECRET + "2"
    assert bp.head.seq == 6
    assert bp.memory_usage().history_bytes == usage.history_bytes


def test_values_leave_the_memory_and_its_counters() -> None:
    bp = store()
    bp.purge("user.**")
    counted, recounted = bp.memory_usage(), bp.memory_usage(deep=True)
    assert counted.history_bytes == recounted.history_bytes
    assert counted.live_bytes == recounted.live_bytes
    assert counted.live_bytes == bp.item("user").size + bp.item("other").size


def test_an_equal_value_of_another_key_stays() -> None:
    value = "shared value " * 600
    bp = Backpack({"a": value, "b": value})
    bp.purge("a")
    assert bp["b"] == value
    assert bp.snapshot(1)["b"] == value
    assert is_unavailable(bp.snapshot(1).unpack("a"))


def test_checkpoints_and_open_snapshots_give_no_way_around() -> None:
    bp = store()
    bp.checkpoint("c", at=2)
    snapshot = bp.snapshot(2)
    assert snapshot["user.name"] == SECRET + "3"
    bp.purge("user.**")
    for view in (bp.snapshot("c"), snapshot):
        try:
            found = view.unpack("user.name")
        except ValueUnavailableError:
            continue
        assert is_unavailable(found)


def test_a_quarantined_value_is_purged_as_well() -> None:
    bp = store()
    bp.quarantine("user.name", reason="r")
    bp.purge("user.**")
    try:
        bp.release("user.name")
        found = bp.unpack("user.name")
    except Exception:
        return
    assert found is None or is_unavailable(found)


def test_restore_fork_and_replay_bring_nothing_back() -> None:
    bp = store()
    bp.purge("user.**")
    for act in (lambda: bp.restore(2), lambda: bp.fork(2), lambda: bp.replay(2), lambda: bp.snapshot(2).to_dict()):
        with pytest.raises(ValueUnavailableError):
            act()
    bp.restore(2, keys=["other"])
    assert bp["other"] == "kept"


def test_an_export_after_a_purge_holds_nothing_of_it(tmp_path: Path) -> None:
    bp = store()
    bp.purge("user.**")
    bp.export(tmp_path / "export")
    loaded = Backpack.load(tmp_path / "export")
    assert "user.name" not in loaded
    found = loaded.snapshot(2).unpack("user.name")
    assert is_unavailable(found)
    assert found.reason == "purged"
    assert b"PERSONALDATA" not in (tmp_path / "export").read_bytes()


def test_a_purged_key_can_be_packed_again() -> None:
    bp = store()
    bp.purge("user.**")
    bp.pack("user.name", "new")
    bp.append("user.log", "new")
    assert bp["user.name"] == "new"
    assert same(bp["user.log"], ["new"])
    assert is_unavailable(bp.snapshot(2).unpack("user.name"))
    assert bp.snapshot()["user.name"] == "new"


def test_a_pattern_that_matches_nothing_purges_nothing() -> None:
    bp = store()
    for pattern in ("nothing.**", "use*r", "USER.**"):
        try:
            bp.purge(pattern)
        except ValueError:
            continue
    assert bp["user.name"] == SECRET + "3"
    assert bp.snapshot(1)["user.mail"] == SECRET + "2"


def test_no_object_in_memory_holds_a_purged_value() -> None:
    needle = b"NEEDLE" + bytes(range(60, 120))
    bp = Backpack({"a": needle * 2, "b": [needle.hex(), needle]})
    bp.append("c", needle)
    bp.append("c", needle)
    bp.purge("**")
    gc.collect()
    seen: set[int] = set()
    stack: list[Any] = [bp]
    while stack:
        thing = stack.pop()
        if id(thing) in seen or isinstance(thing, type) or type(thing).__name__ == "module":
            continue
        seen.add(id(thing))
        if isinstance(thing, (bytes, bytearray)) and thing is not needle:
            assert needle not in thing
        stack.extend(gc.get_referents(thing) if not callable(thing) else [])


def test_purge_of_one_level_leaves_deeper_keys() -> None:
    bp = Backpack({"a.b": 1, "a.b.c": 2})
    bp.purge("a.*")
    assert "a.b" not in bp
    assert bp["a.b.c"] == 2
