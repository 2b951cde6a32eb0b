"""Every byte is counted once, and to the byte, where holds of several kinds meet."""

import pytest

from backpack import Backpack, HistoryFullError
from backpack.core.payload import LARGE_REF_SIZE

TEXT = "t" * 98
SIZE = 100


def agree(bp: Backpack) -> None:
    assert bp.memory_usage() == bp.memory_usage(deep=True)
    bp._check()


def settle(bp: Backpack) -> None:
    """What is present stays, the commits that brought it leave."""
    bp.configure(max_commits=1)
    bp.configure(max_commits=None)


def test_an_equal_value_over_one_whose_commit_has_left_costs_its_bytes_once_under_a_hard_limit() -> None:
    bp = Backpack({"a": TEXT})
    bp.pack("b", "r" * 98)
    settle(bp)
    assert bp.memory_usage().history_bytes == SIZE
    bp.checkpoint("kept")
    bp.configure(max_history_size=2 * SIZE, hard_limit=True)
    bp.pack("a", TEXT)
    assert bp.memory_usage().history_bytes == 2 * SIZE
    agree(bp)


def test_another_value_over_one_whose_commit_has_left_costs_both_under_a_hard_limit() -> None:
    bp = Backpack({"a": TEXT})
    bp.pack("b", 1)
    settle(bp)
    bp.checkpoint("kept")
    bp.configure(max_history_size=2 * SIZE, hard_limit=True)
    with pytest.raises(HistoryFullError):
        bp.pack("a", "u" * 98)
    bp.configure(max_history_size=2 * SIZE + 1)
    bp.pack("a", "u" * 98)
    assert bp.memory_usage().history_bytes == 2 * SIZE + 1
    agree(bp)


def test_a_value_that_is_history_already_costs_nothing_more_when_it_goes_out_of_sight() -> None:
    bp = Backpack({"a": TEXT, "b": TEXT})
    bp.pack("c", 1)
    bp.checkpoint("first", at=1)
    bp.pack("a", TEXT)
    bp.configure(max_history_size=SIZE + 2, hard_limit=True)
    bp.pack("a", 2)
    assert bp.memory_usage().history_bytes == SIZE + 2
    agree(bp)


def test_a_list_that_grows_costs_what_it_grows_by_under_a_hard_limit() -> None:
    bp = Backpack(max_history_size=3_000, hard_limit=True, prune_strategy="none")
    bp.pack("list", [TEXT] * 10)
    refused = 0
    for _ in range(30):
        try:
            bp.append("list", TEXT)
        except HistoryFullError:
            refused += 1
        assert bp.memory_usage().history_bytes <= 3_000
        agree(bp)
    assert 10 < refused < 20
    assert len(bp["list"]) == 40 - refused


def test_a_quarantined_value_that_another_key_shares_is_purged_without_a_trace_in_the_counts() -> None:
    bp = Backpack({"a": TEXT, "b": TEXT})
    bp.quarantine("a", reason="doubt")
    bp.pack("c", 1)
    settle(bp)
    assert bp.memory_usage().history_bytes == 1
    bp.purge("a")
    agree(bp)
    assert bp["b"] == TEXT
    bp.purge("b")
    agree(bp)
    assert bp.memory_usage().live_bytes == 1


def test_versions_of_a_list_whose_commits_left_are_no_history_until_they_are_hidden() -> None:
    bp = Backpack({"list": [TEXT] * 10})
    for _ in range(5):
        bp.append("list", TEXT)
    bp.pack("c", 1)
    settle(bp)
    assert bp.memory_usage().history_bytes == 1
    agree(bp)
    bp.pack("list", 0)
    assert bp.memory_usage().history_bytes > 15 * SIZE
    agree(bp)
    bp.pack("c", 2)
    settle(bp)
    assert bp.memory_usage().history_bytes == 1
    agree(bp)


def test_a_value_that_comes_to_be_shared_is_counted_from_the_state_of_its_first_holder() -> None:
    bp = Backpack({"a": TEXT})
    bp.pack("c", 1)
    settle(bp)
    bp.pack("b", TEXT)
    agree(bp)
    bp.pack("a", 1)
    agree(bp)
    bp.pack("a", 2)
    bp.delete("b")
    agree(bp)
    settle(bp)
    agree(bp)
    assert bp.memory_usage().history_bytes == 0


def test_a_value_that_two_keys_share_counts_when_one_of_them_hides_it_under_a_hard_limit() -> None:
    bp = Backpack({"a": TEXT, "b": TEXT})
    bp.pack("c", 1)
    settle(bp)
    bp.checkpoint("kept")
    bp.configure(max_history_size=SIZE, hard_limit=True)
    with pytest.raises(HistoryFullError):
        bp.pack("a", 2)
    bp.configure(max_history_size=SIZE + 2)
    bp.pack("a", 2)
    assert bp.memory_usage().history_bytes == SIZE + 2
    agree(bp)


def test_a_value_that_is_history_already_costs_nothing_under_another_key() -> None:
    bp = Backpack({"a": TEXT})
    bp.checkpoint("kept")
    bp.configure(max_history_size=SIZE, hard_limit=True)
    bp.pack("b", TEXT)
    assert bp.memory_usage().history_bytes == SIZE
    agree(bp)


@pytest.mark.parametrize("is_fork", [False, True])
def test_an_equal_large_value_is_counted_once_after_everything_was_counted_anew(is_fork: bool) -> None:
    bp = Backpack({"a": "L" * 500}, max_value_size=100)
    if is_fork:
        bp = bp.fork()
    else:
        bp._engine.repair()
    bp.pack("b", "L" * 500)
    agree(bp)
    assert bp.memory_usage().history_bytes == LARGE_REF_SIZE
    bp.delete("a")
    bp.delete("b")
    settle(bp)
    agree(bp)


def test_a_large_value_that_only_a_fork_has_costs_its_reference_again_under_a_hard_limit() -> None:
    bp = Backpack({"a": "L" * 500}, max_value_size=100)
    fork = bp.fork()
    bp.delete("a")
    bp.pack("c", 1)
    settle(bp)
    bp.checkpoint("kept")
    bp.configure(max_history_size=LARGE_REF_SIZE, hard_limit=True)
    with pytest.raises(HistoryFullError):
        bp.pack("b", "L" * 500)
    bp.configure(max_history_size=LARGE_REF_SIZE + 1)
    bp.pack("b", "L" * 500)
    assert (bp["b"], fork["a"]) == ("L" * 500, "L" * 500)
    agree(bp)
