"""What a node is shown of commits: its own writes whole, of others what it may read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from backpack import Backpack
from backpack.core.commit import Commit
from backpack.errors import AccessDeniedError, NotAListError

from .readings import event_keys, everything_in


def writer_of(bp: Backpack) -> Any:
    return bp.node("writer", reads=["in"], writes=["out", "log", "in"])


async def _in_async_transaction(node: Any) -> Commit:
    async with node.transaction(message="why", tags=["t"]) as tx:
        tx.pack("out", "three")
    return tx.commit


def _in_transaction(node: Any) -> Commit:
    with node.transaction(message="why", tags=["t"]) as tx:
        tx.pack("out", "three")
    return tx.commit


WRITES: dict[str, Callable[[Any], Any]] = {
    "pack": lambda node: node.pack("out", "three", message="why", tags=["t"]),
    "apack": lambda node: asyncio.run(node.apack("out", "three", message="why", tags=["t"])),
    "update": lambda node: node.update({"out": "three"}, message="why", tags=["t"]),
    "append": lambda node: node.append("log", "three", message="why", tags=["t"]),
    "aappend": lambda node: asyncio.run(node.aappend("log", "three", message="why", tags=["t"])),
    "delete": lambda node: node.delete("out", message="why", tags=["t"]),
    "adelete": lambda node: asyncio.run(node.adelete("out", message="why", tags=["t"])),
    "transaction": _in_transaction,
    "async transaction": lambda node: asyncio.run(_in_async_transaction(node)),
}


@pytest.mark.parametrize("way", WRITES)
def test_a_write_of_what_it_may_not_read_returns_the_whole_commit(way: str) -> None:
    bp = Backpack({"out": 0})
    commit = WRITES[way](writer_of(bp))
    head = bp.head
    assert head is not None and commit == head
    assert (commit.node, commit.message, commit.tags) == ("writer", "why", ("t",))
    assert commit.changes == head.changes
    assert commit.size == head.size


def test_quarantine_and_release_return_what_they_did() -> None:
    bp = Backpack({"out": "x" * 100})
    node = writer_of(bp)
    held = node.quarantine("out", reason="doubt")
    assert (held.node, {key: change.kind for key, change in held.changes.items()}) == ("writer", {"out": "quarantine"})
    back = node.release("out")
    assert (back.node, back.changes["out"].kind, back.changes["out"].version) == ("writer", "release", 3)
    assert back.size == 0, "the value that came back is not the node's"
    assert bp.head is not None and bp.head.size > 100


@pytest.mark.parametrize("way", ["append", "aappend", "transaction"])
def test_the_answer_of_an_append_tells_no_size_of_what_others_had_there(way: str) -> None:
    bp = Backpack({"log": ["x" * 1_000] * 20, "in": [1, 2, 3]}, max_value_size=10_000)
    node = writer_of(bp)
    alone = Backpack().append("log", "mine", "too").size
    if way == "append":
        commit = node.append("log", "mine", "too")
    elif way == "aappend":
        commit = asyncio.run(node.aappend("log", "mine", "too"))
    else:
        with node.transaction() as tx:
            tx.append("log", "mine")
            tx.append("log", "too")
        commit = tx.commit
    assert bp["log"][-2:] == ["mine", "too"]
    assert len(bp["log"]) == 22
    change = commit.changes["log"]
    assert (change.kind, change.version, change.size, commit.size) == ("pack", 2, alone, alone)
    assert not change.is_large
    assert node.append("in", 4).size == bp.commit("HEAD").size, "what it may read it is told"


def test_what_a_transaction_put_there_itself_is_told_with_its_size() -> None:
    bp = Backpack({"log": ["x" * 1_000]})
    node = writer_of(bp)
    with node.transaction() as tx:
        tx.pack("log", ["mine"])
        tx.append("log", "too")
    assert bp["log"] == ["mine", "too"]
    assert bp.head is not None and tx.commit.changes == bp.head.changes
    with node.transaction() as tx:
        tx.delete("log")
        tx.append("log", "new")
    assert bp["log"] == ["new"]
    assert tx.commit.changes == bp.commit("HEAD").changes


def test_appending_wants_the_right_to_write_alone() -> None:
    bp = Backpack({"log": [1]})
    blind = bp.node("blind", reads=[], writes=["log", "new"])
    blind.append("log", 2)
    blind.append("new", 3)
    asyncio.run(blind.aappend("new", 4))
    with blind.transaction() as tx:
        tx.append("log", 5)
        with pytest.raises(AccessDeniedError):
            tx.unpack("log")
    assert dict(bp) == {"log": [1, 2, 5], "new": [3, 4]}
    bp.pack("log", 0)
    with pytest.raises(NotAListError):
        blind.append("log", 6)
    with pytest.raises(AccessDeniedError) as caught:
        bp.node("reader", reads=["log"], writes=[]).append("log", 6)
    assert caught.value.operation == "write"


def test_keys_of_its_own_commits_are_relative() -> None:
    bp = Backpack()
    node = bp.node("n", namespace="sales", reads=[])
    for commit in (node.pack("a", 1), node.append("l", 1), node.update({"b": 2}), node.delete("b")):
        assert commit.node == "n"
        assert all(not key.startswith("sales") for key in commit.changes)
        assert len(commit.changes) == 1


def test_who_when_and_id_of_its_own_commits_are_its_own() -> None:
    bp = Backpack({"in": 1})
    node = writer_of(bp)
    made = node.pack("out", 1, message="why", tags=["t"])
    for seen in (node.head, node.commit(made), node.commit(2), next(iter(node.history())), node.snapshot().commit):
        assert (seen.id, seen.seq, seen.time, seen.node) == (made.id, 2, made.time, "writer")
        assert (seen.message, seen.tags, dict(seen.changes), seen.size) == (None, (), {}, 0)
    assert [commit.seq for commit in node.history()] == [2, 1]
    assert [commit.seq for commit in node.history(limit=1)] == [2]
    assert list(node.history(tag="t")) == []


def test_of_a_commit_of_others_that_it_can_t_read_nothing_is_told_but_its_place() -> None:
    bp = Backpack({"in": 1})
    node = writer_of(bp)
    bp.pack("hidden", "TOPSECRET", node="boss", message="to hr", tags=["hr"])
    for seen in (node.head, node.commit(2)):
        assert (seen.seq, seen.node, seen.message, seen.tags, dict(seen.changes)) == (2, None, None, (), {})
        assert "hidden" not in everything_in(seen)
    assert [commit.seq for commit in node.history()] == [1]


def test_a_commit_under_its_name_names_no_key_that_it_can_t_read() -> None:
    bp = Backpack({"in": 1, "hr.plan": 2})
    node = writer_of(bp)
    seen: list[Any] = []
    node.subscribe(seen.append)
    bp.update({"in": 2, "hr.plan": 3}, node="writer")
    bp.pack("hr.plan", 4, node="writer", message="changes hr.plan")
    with bp.as_node("writer"):
        bp.purge("hr.plan")
    for commit in (*node.history(), node.head, *(node.commit(seq) for seq in (1, 2, 3, 4))):
        assert "hr.plan" not in everything_in(commit)
    assert [(commit.seq, commit.node) for commit in node.history()] == [
        (4, "writer"),
        (3, "writer"),
        (2, "writer"),
        (1, None),
    ]
    assert all(event_keys(event) <= {"in"} for event in seen)
