"""Statistics, the operations log, reports and the hot cache: derived, bounded, without contents."""

from pathlib import Path

import pytest

import backpack
from backpack import Backpack
from backpack.errors import CorruptionError
from backpack.memory import Memory
from backpack.memory.hot import Hot
from backpack.memory.operations import BEHIND_MAX, LINES_MAX
from backpack.memory.values import StoreValues


def test_statistics_count_each_content_once_and_each_entry_by_its_type() -> None:
    memory = Memory(Backpack())
    assert memory.stats().entries == 0 and memory.stats().ratio == 1
    first = memory.log("x" * 10_000, type="tool_output")
    memory.log("x" * 10_000, type="tool_output")
    last = memory.log("y", type="summary")
    stats = memory.stats()
    assert (stats.entries, stats.bytes_before) == (3, 20_001)
    assert stats.bytes_after == first.stored_size + last.stored_size < 100 and stats.ratio > 200
    assert stats.tokens == 5_001 and 4_800 < stats.tokens_saved < 5_000
    assert stats.by_type["tool_output"].entries == 2 and stats.by_type["summary"].bytes_before == 1
    assert "tool_output" in str(stats) and str(stats).splitlines()[-1].startswith("total")


def test_statistics_follow_what_changes_and_are_right_again_after_opening(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        memory, other = Memory(bp), Memory(bp)
        entries = [memory.log(f"number {number}") for number in range(20)]
        assert memory.stats() is memory.stats()
        other.delete(entries[3])
        other.log("more")
        assert memory.stats().entries == 20
        expected = memory.stats()
        assert Memory(bp).stats() == expected
    with backpack.open(tmp_path / "store", mode="r") as bp:
        assert Memory(bp).stats() == expected


def test_history_that_was_pruned_meanwhile_is_counted_anew() -> None:
    bp = Backpack(max_commits=10)
    memory = Memory(bp)
    memory.log("first")
    assert memory.stats().entries == 1
    for number in range(50):
        memory.log(str(number))
    assert memory.stats().entries == 51


def test_the_operations_log_has_every_operation_and_no_content() -> None:
    bp = Backpack()
    memory = Memory(bp)
    entries = [memory.log(f"secret {number}", title="hidden") for number in range(2 * BEHIND_MAX + 5)]
    memory.delete(entries[0])
    lines = memory.operations()
    assert [line["id"] for line in lines] == [*(entry.id for entry in entries), entries[0].id]
    assert [line["do"] for line in lines] == ["log"] * len(entries) + ["delete"]
    assert "secret" not in repr(lines) and "hidden" not in repr(lines)
    assert len(bp["memory.operations"]) == len(lines)
    assert Memory(bp).operations() == lines


def test_the_operations_log_is_bounded() -> None:
    bp = Backpack()
    memory = Memory(bp)
    for number in range(LINES_MAX + 600):
        memory.log(str(number % 10))
    assert len(bp["memory.operations"]) <= LINES_MAX
    lines = memory.operations()
    assert len(lines) <= LINES_MAX
    assert lines[-1]["id"] == memory.list(limit=1)[0].id
    assert [line["id"] for line in lines] == sorted(line["id"] for line in lines)


def test_what_is_hot_leaves_by_size_by_age_and_when_it_is_dropped() -> None:
    now = [0.0]
    hot: Hot[str] = Hot(100, 3_600, lambda: now[0])
    hot.put("a", "A", 60)
    hot.put("b", "B", 30)
    assert hot.get("a") == "A"
    hot.put("c", "C", 40)
    assert (hot.get("a"), hot.get("b"), hot.get("c"), hot.size) == ("A", None, "C", 100)
    hot.put("huge", "H", 101)
    assert hot.get("huge") is None
    now[0] = 3_599.9
    assert hot.get("a") == "A"
    now[0] = 3_600.0
    assert hot.get("a") is None and hot.size == 40
    hot.drop("c")
    assert hot.size == 0
    hot.put("d", "D", 1)
    now[0] = 100.0
    assert hot.get("d") is None  # the clock went back


@pytest.mark.parametrize("hot_size_max", [0, 16 * 2**20])
def test_a_content_at_hand_is_never_given_after_it_went(hot_size_max: int) -> None:
    bp = Backpack()
    memory = Memory(bp, hot_size_max=hot_size_max)
    entry = memory.log("secret")
    assert memory.fetch(entry) == memory.fetch(entry) == "secret"
    bp.purge("memory.content.**")
    with pytest.raises(backpack.CorruptionError):
        memory.fetch(entry)


def test_a_fetch_of_what_is_hot_reads_no_content_again() -> None:
    class Watched(StoreValues):
        def get(self, key: str) -> object | None:
            asked.append(key.split(".")[1])
            return super().get(key)

    asked: list[str] = []
    bp = Backpack()
    memory = Memory(bp, values=Watched(bp))
    entry = memory.log("hot " * 100)
    memory.fetch(entry)
    memory.fetch(entry, lines=(1, 1))
    memory.fetch(entry, bytes=(0, 3))
    assert asked.count("content") == 1


def test_a_record_that_is_none_is_left_out_and_counted_and_stops_nothing() -> None:
    bp = Backpack()
    memory = Memory(bp)
    one, two = memory.log("fine", title="one"), memory.log("also", title="two")
    whole = bp["memory.entries." + two.id]
    bp.pack("memory.entries.notes", {"x": 1})
    bp.pack("memory.entries." + two.id, {**whole, "format": 99})
    assert memory.list() == [one] and len(memory.refs()) == 1
    assert (memory.stats().entries, memory.stats().failures) == (1, {"entry": 2})
    assert [line["id"] for line in memory.operations()] == [one.id]
    assert [found.title for found in memory.prefetch("one")] == ["one"]
    for _ in range(300):
        memory.log("more")
    memory.delete(one)
    assert len(memory.prune(0, 1).removed) == 299
    memory.checkpoint()
    for id in (two.id, "mem-20990101-000000-00000000"):
        bp.pack("memory.entries." + id, {**bp["memory.entries." + two.id], "format": 99})
        with pytest.raises(CorruptionError):
            memory.fetch(id)
    bp.pack("memory.entries." + two.id, whole)
    assert memory.read(two) == "also"
