"""Which form a payload takes when limits have changed under it."""

import pytest

from backpack import Backpack
from backpack.core.payload import LARGE_REF_SIZE, LargeRef


@pytest.mark.parametrize("value", ["s" * 200, ["item"] * 50])
def test_a_value_that_was_small_under_an_earlier_limit_is_restored_as_a_large_one(value: object) -> None:
    bp = Backpack({"a": value})
    bp.pack("a", 1)
    bp.configure(max_value_size=100)
    bp.restore(1)
    bp._check()
    assert bp["a"] == value
    assert isinstance(bp._engine.chains["a"].last, LargeRef)
    assert bp.commit(3).changes["a"].is_large
    assert bp.memory_usage().history_bytes == bp.commit(1).size + 1 + LARGE_REF_SIZE


def test_a_large_value_may_be_small_under_a_later_limit() -> None:
    bp = Backpack({"a": ["item"] * 50}, max_value_size=100)
    bp.configure(max_value_size=10_000)
    bp.append("a", "one")
    bp.append("a", "two")
    bp._check()
    assert bp["a"] == [*["item"] * 50, "one", "two"]
    assert not bp.commit(3).changes["a"].is_large
    assert bp.snapshot(2)["a"][-1] == "one"


def test_nothing_of_an_edit_that_is_not_worth_sharing_stays_in_what_it_was_cut_from() -> None:
    bp = Backpack({"a": ["word " * 60] * 4})
    bp.append("a", "word " * 60)
    before = bp.memory_usage().history_bytes
    for number in range(20):
        bp.pack("a", [f"{number} {one}" for one in range(100)])
        bp._check()
        bp.append("a", "more")
        bp._check()
    assert bp.memory_usage().history_bytes > before
    assert bp["a"] == [*(f"19 {one}" for one in range(100)), "more"]
