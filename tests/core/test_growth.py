"""What is known of a list does not outlive the list."""

import pytest

from backpack import Backpack
from backpack.errors import NotAListError


def test_a_short_list_packed_over_a_plain_one_is_looked_at_anew_when_it_grows() -> None:
    bp = Backpack()
    bp.pack("k", ["a" * 20, "b" * 20])
    bp.pack("k", ["c" * 20, "d" * 30])
    bp.pack("k", [b"abc"])
    bp.append("k", "x" * 300)
    bp.pack("k", [bytearray(b"abc"), "x" * 300, "y"])
    assert type(bp["k"][0]) is bytearray


def test_a_large_list_that_is_edited_never_grows_in_the_buffer_of_a_small_version() -> None:
    bp = Backpack(max_value_size=5000)
    long = "w" * 700
    bp.pack("k", ["s" * 50, "a" * 1000])
    bp.append("k", "q" * 1500)
    bp.append("k", *[long] * 4)
    bp.pack("k", ["s" * 50, "a" * 1000, "q" * 1500, "Z" * 60, *[long] * 4])
    bp.pack("k", ["s" * 50, "a" * 1000, "q" * 1500, "Z" * 60, "Y" * 1500, *[long] * 4])
    assert bp.memory_usage() == bp.memory_usage(deep=True)
    bp._check()


def test_a_list_grows_in_place_under_headers_of_each_size_and_from_one_to_the_next() -> None:
    for first in (3, 12, 65_533):
        items = [f"item {number} of a list" for number in range(first)]
        bp = Backpack({"k": items}, max_value_size=10_000_000, max_history_size=100_000_000)
        for number in range(8):
            items.append(f"more {number}")
            bp.append("k", items[-1])
            assert bp.peek("k") == items
            tip = bp._engine.chains["k"].tip
            assert number == 0 or tip is None or tip.count == len(items)
        assert tip is not None
        assert [len(bp.snapshot(seq)["k"]) for seq in (1, 5, 9)] == [first, first + 4, first + 8]
        bp._check()


def test_an_append_to_a_text_is_refused_however_it_grew() -> None:
    bp = Backpack({"k": "x" * 300})
    for size in (310, 320, 330):
        bp.pack("k", "x" * size)
    with pytest.raises(NotAListError):
        bp.append("k", "y")
    assert bp["k"] == "x" * 330


def test_lists_that_grow_in_one_commit_take_nothing_back_from_one_another() -> None:
    bp = Backpack()
    for number in range(40):
        with bp.transaction() as tx:
            tx.append("long", "x" * 300)
            tx.append("short", number)
            tx.pack("text", "t" * (40 + number))
        assert len(bp["long"]) == len(bp["short"]) == number + 1
        assert bp["text"] == "t" * (40 + number)
    assert [len(bp.snapshot(seq)["long"]) for seq in (1, 20, 40)] == [1, 20, 40]
    bp._check()
