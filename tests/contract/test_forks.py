"""Restore, fork and replay: going back, what if, and the same again with a difference."""

from __future__ import annotations

from typing import Any

import pytest

from backpack import Backpack
from backpack.errors import CommitNotFoundError, CommitPrunedError, ValueUnavailableError

from .model import same
from .readings import check, holds, is_nobody, is_parent


def story() -> Any:
    bp = Backpack()
    bp.pack("plan", ["start"], node="planner", message="first", tags=("p",))
    bp.pack("result", 1, node="worker")
    bp.update({"plan": ["start", "next"], "result": 2}, node="planner")
    bp.delete("result")
    bp.pack("report", "done", node="writer", message="last", tags=("r", "s"))
    return bp


STATES: list[dict[str, Any]] = [
    {},
    {"plan": ["start"]},
    {"plan": ["start"], "result": 1},
    {"plan": ["start", "next"], "result": 2},
    {"plan": ["start", "next"]},
    {"plan": ["start", "next"], "report": "done"},
]


# -- restore -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seq", range(5))
def test_restore_makes_the_present_equal_that_snapshot_by_a_new_commit(seq: int) -> None:
    bp = story()
    commit = bp.restore(seq, node="n", message="back", tags=("t",))
    assert commit.seq == 6
    assert (commit.node, commit.message, set(commit.tags)) == ("n", "back", {"t"})
    assert holds(bp, STATES[seq])
    for before in range(6):
        assert holds(bp.snapshot(before), STATES[before])
    assert holds(bp.snapshot(6), STATES[seq])


def test_restore_goes_on_counting_versions() -> None:
    bp = story()
    commit = bp.restore(2)
    assert commit.changes["plan"].version == 3
    assert commit.changes["result"].version == 4
    assert commit.changes["report"].kind == "delete"
    assert commit.changes["report"].version == 2


def test_restore_of_some_keys_leaves_the_others() -> None:
    bp = story()
    commit = bp.restore(2, keys=["result"])
    assert set(commit.changes) == {"result"}
    assert holds(bp, {**STATES[5], "result": 1})
    bp.restore(0, keys=["report"])
    assert "report" not in bp
    assert bp["plan"] == ["start", "next"]


def test_restoring_what_is_already_there_changes_no_value() -> None:
    bp = story()
    bp.restore("HEAD")
    assert holds(bp, STATES[5])
    bp.restore(5, keys=[])
    assert holds(bp, STATES[5])


def test_a_restore_can_be_undone_by_a_restore() -> None:
    bp = story()
    bp.restore(1)
    bp.restore(5)
    assert holds(bp, STATES[5])
    assert bp.head.seq == 7


# -- fork --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seq", range(6))
def test_a_fork_starts_at_that_commit_and_goes_on_at_the_next_seq(seq: int) -> None:
    bp = story()
    fork = bp.fork(seq)
    assert holds(fork, STATES[seq])
    commit = fork.pack("plan", "other")
    assert commit.seq == seq + 1
    assert is_parent(commit.parent, bp.commit(seq) if seq else None)


def test_a_fork_shares_the_history_up_to_its_start_and_nothing_later() -> None:
    bp = story()
    fork = bp.fork(3)
    assert [commit.seq for commit in fork.history()] == [3, 2, 1]
    assert [commit.id for commit in fork.history()] == [bp.commit(seq).id for seq in (3, 2, 1)]
    for seq in range(4):
        assert holds(fork.snapshot(seq), STATES[seq])
    for at in (4, 5, bp.commit(5).id):
        with pytest.raises(CommitNotFoundError):
            fork.snapshot(at)


def test_the_original_is_never_touched_by_a_fork() -> None:
    bp = story()
    usage = bp.memory_usage()
    fork = bp.fork(3)
    fork.pack("plan", "other")
    fork.append("list", 1)
    fork.clear()
    fork.checkpoint("in the fork")
    fork.configure(max_commits=1)
    fork.prune()
    fork.close()
    assert bp.head.seq == 5
    for seq in range(6):
        assert holds(bp.snapshot(seq), STATES[seq])
    assert bp.memory_usage().history_bytes == usage.history_bytes
    assert bp.memory_usage().commits_in_memory == 5
    with pytest.raises(CommitNotFoundError):
        bp.commit("in the fork")


def test_a_fork_is_never_touched_by_the_original() -> None:
    bp = story()
    fork = bp.fork(3)
    bp.pack("plan", "other")
    bp.clear()
    bp.configure(max_commits=1)
    bp.prune()
    bp.close()
    for seq in range(4):
        assert holds(fork.snapshot(seq), STATES[seq])
    fork.pack("plan", 1)
    assert fork.head.seq == 4


def test_a_fork_keeps_versions_per_key() -> None:
    bp = story()
    fork = bp.fork(3)
    assert fork.version("plan") == 2
    assert fork.version("report") == 0
    assert fork.pack("plan", 1).changes["plan"].version == 3
    assert fork.pack("report", 1).changes["report"].version == 1


def test_a_fork_at_a_survivor_counts_no_changes_that_came_later_and_were_pruned() -> None:
    bp = Backpack({"a": 1}, max_commits=4, prune_strategy="least-accessed")
    for number in range(10):
        for _ in range(5):
            bp.snapshot(1).to_dict()
        bp.pack("b", number)
    bp.delete("b")
    for number in range(8):
        for _ in range(5):
            bp.snapshot(1).to_dict()
        bp.pack("c", number)
    assert 1 in [commit.seq for commit in bp.history()]
    fork = bp.fork(1)
    assert fork.version("b") == 0
    assert fork.version("c") == 0
    assert fork.pack("b", 1).changes["b"].version == 1


def test_forks_of_forks_with_large_values_are_sound() -> None:
    bp = Backpack(max_value_size=60, max_history_size=150)
    bp.pack("n.a", "L" * 70)
    fork = bp.fork(1)
    fork.restore(1)
    fork.delete("n.a")
    fork.clear()
    fork.pack("n.b", "L" * 70)
    fork.pack("n.b", None)
    fork.append("l", 8)
    fork.pack("n.a", bytes(80))
    for commit in fork.history():
        try:
            second = fork.fork(commit)
        except ValueUnavailableError:
            continue
        check(second)
        assert holds(second, dict(fork.snapshot(commit)))


def test_a_fork_keeps_who_did_what() -> None:
    bp = story()
    fork = bp.fork(3)
    assert fork.blame("plan").node == "planner"
    assert fork.commit(2).node == "worker"
    assert fork.commit(1).message == "first"
    assert set(fork.commit(1).tags) == {"p"}
    assert fork.commit(1).time == bp.commit(1).time


def test_commits_of_a_fork_and_of_its_original_have_different_ids() -> None:
    bp = story()
    fork, other = bp.fork(2), bp.fork(2)
    ids = {fork.pack("a", 1).id, other.pack("a", 1).id, bp.commit(3).id, bp.pack("a", 1).id}
    assert len(ids) == 4


def test_forks_of_forks_of_a_pruned_store_are_right() -> None:
    bp = Backpack({"kept": "long ago"}, max_commits=10)
    for number in range(50):
        bp.pack("a", number)
    oldest = min(commit.seq for commit in bp.history())
    fork = bp.fork(oldest)
    assert holds(fork, {"kept": "long ago", "a": oldest - 2})
    fork.pack("a", "fork")
    second = fork.fork()
    second.delete("kept")
    assert holds(second, {"a": "fork"})
    assert holds(fork, {"kept": "long ago", "a": "fork"})
    assert holds(bp, {"kept": "long ago", "a": 49})
    with pytest.raises(CommitPrunedError):
        bp.fork(oldest - 1)


def test_a_fork_outlives_its_original() -> None:
    fork = story().fork(3)
    for seq in range(4):
        assert holds(fork.snapshot(seq), STATES[seq])


def test_fork_without_an_address_starts_at_head() -> None:
    fork = story().fork()
    assert fork.head.seq == 5
    assert holds(fork, STATES[5])


def test_a_fork_of_an_empty_store_is_empty() -> None:
    fork = Backpack().fork(0)
    assert len(fork) == 0
    assert fork.pack("a", 1).seq == 1


# -- replay ------------------------------------------------------------------------------------------------


def test_replay_applies_the_later_commits_again_with_node_tags_message_and_time() -> None:
    bp = story()
    result = bp.replay(2)
    assert result.head.seq == 5
    assert holds(result, STATES[5])
    for seq in range(1, 6):
        one, two = bp.commit(seq), result.commit(seq)
        assert (one.node or None) == (two.node or None)
        assert (one.message or None) == (two.message or None)
        assert set(one.tags) == set(two.tags)
        assert one.time == two.time
        assert {key: c.kind for key, c in one.changes.items()} == {key: c.kind for key, c in two.changes.items()}
        assert holds(result.snapshot(seq), STATES[seq])
    assert is_nobody(result.commit(4).node)


@pytest.mark.parametrize("form", ["seq", "commit", "id", "head"])
def test_replay_skips_commits_named_by_any_address(form: str) -> None:
    bp = story()
    at = {"seq": 3, "commit": bp.commit(3), "id": bp.commit(3).id, "head": "HEAD~2"}[form]
    result = bp.replay(1, skip=[at])
    assert holds(result, {"plan": ["start"], "report": "done"})
    assert holds(bp, STATES[5])


def test_replay_replaces_values() -> None:
    bp = story()
    result = bp.replay(0, replace={2: {"result": "better"}, bp.commit(5).id: {"report": [None]}})
    assert same(result["report"], [None])
    assert same(result.snapshot(2)["result"], "better")
    assert same(result["plan"], ["start", "next"])
    assert result.commit(2).node == "worker"
    assert holds(bp, STATES[5])
    assert bp.snapshot(2)["result"] == 1


def test_replay_recomputes_nothing() -> None:
    bp = Backpack({"a": 1})
    bp.pack("b", bp["a"] + 1)
    result = bp.replay(0, replace={1: {"a": 100}})
    assert holds(result, {"a": 100, "b": 2})


def test_a_replay_goes_on_like_any_store() -> None:
    bp = story()
    result = bp.replay(2, skip=[5])
    seq = result.head.seq
    assert result.pack("plan", 1).seq == seq + 1
    assert "report" not in result
    assert bp.head.seq == 5


def test_replay_refuses_unknown_commits_and_changes_nothing() -> None:
    bp = story()
    for act in (
        lambda: bp.replay(99),
        lambda: bp.replay(1, skip=[99]),
        lambda: bp.replay(1, replace={99: {"plan": 1}}),
    ):
        with pytest.raises(CommitNotFoundError):
            act()
    with pytest.raises(TypeError):
        bp.replay(1, replace={2: {"result": object()}})
    assert holds(bp, STATES[5])


def test_replay_from_head_is_a_fork_of_head() -> None:
    result = story().replay("HEAD")
    assert result.head.seq == 5
    assert holds(result, STATES[5])
