"""Transactions: one commit or none, and nobody sees half of one."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from backpack import Backpack
from backpack.errors import BackpackError, InvalidKeyError, KeyNotFoundError, UnstorableValueError

from .model import same


class Boom(Exception):
    pass


def test_a_transaction_is_one_commit() -> None:
    bp = Backpack({"a": 1, "b": 2})
    with bp.transaction(node="n", message="m", tags=("t",)) as tx:
        tx.pack("a", 10)
        tx.delete("b")
        tx.pack("c", 30)
        assert bp.head.seq == 1
    commit = tx.commit
    assert commit.seq == 2
    assert bp.head.id == commit.id
    assert (commit.node, commit.message, set(commit.tags)) == ("n", "m", {"t"})
    assert {key: change.kind for key, change in commit.changes.items()} == {"a": "pack", "b": "delete", "c": "pack"}
    assert dict(bp) == {"a": 10, "c": 30}


def test_a_transaction_that_raises_makes_no_commit_and_no_change() -> None:
    bp = Backpack({"a": 1})
    before = bp.memory_usage()
    with pytest.raises(Boom), bp.transaction() as tx:
        tx.pack("a", 2)
        tx.pack("b", 3)
        tx.delete("a")
        raise Boom
    assert tx.commit is None
    assert dict(bp) == {"a": 1}
    assert bp.head.seq == 1
    assert bp.version("b") == 0
    assert bp.memory_usage().history_bytes == before.history_bytes
    assert bp.pack("b", 1).changes["b"].version == 1


def test_even_an_interrupt_leaves_no_half_of_a_transaction() -> None:
    bp = Backpack({"a": 1})
    with pytest.raises(KeyboardInterrupt), bp.transaction() as tx:
        tx.pack("a", 2)
        raise KeyboardInterrupt
    assert dict(bp) == {"a": 1}
    bp.pack("a", 3)
    assert bp["a"] == 3


def test_reads_in_a_transaction_see_its_own_writes_and_others_do_not() -> None:
    bp = Backpack({"a": 1, "b": 2})
    with bp.transaction() as tx:
        tx.pack("a", [10])
        tx.delete("b")
        tx.pack("c", None)
        assert same(tx.unpack("a"), [10])
        assert tx.unpack("b", "gone") == "gone"
        assert tx.unpack("c", "gone") is None
        assert bp["a"] == 1
        assert bp["b"] == 2
        assert "c" not in bp
        assert dict(bp.snapshot()) == {"a": 1, "b": 2}


def test_a_key_touched_twice_is_one_change_and_one_version() -> None:
    bp = Backpack({"a": 1, "b": 1})
    with bp.transaction() as tx:
        tx.pack("a", 2)
        tx.pack("a", 3)
        tx.delete("b")
        tx.pack("b", 4)
    assert len(tx.commit.changes) == 2
    assert tx.commit.changes["a"].version == 2
    assert tx.commit.changes["b"].version == 2
    assert bp.version("a") == 2
    assert bp.version("b") == 2
    assert dict(bp) == {"a": 3, "b": 4}


def test_packed_and_deleted_in_one_transaction_leaves_the_key_missing() -> None:
    bp = Backpack({"a": 1})
    with bp.transaction() as tx:
        tx.pack("a", 2)
        tx.delete("a")
        tx.pack("new", 1)
        tx.delete("new")
    assert dict(bp) == {}
    assert tx.commit.changes["a"].kind == "delete"


def test_deleting_a_missing_key_in_a_transaction_fails_all_of_it() -> None:
    bp = Backpack({"a": 1})
    with pytest.raises(KeyNotFoundError), bp.transaction() as tx:
        tx.pack("a", 2)
        tx.delete("missing")
    assert dict(bp) == {"a": 1}


def test_a_bad_value_or_key_in_a_transaction_fails_all_of_it() -> None:
    bp = Backpack({"a": 1})
    with pytest.raises(UnstorableValueError), bp.transaction() as tx:
        tx.pack("a", 2)
        tx.pack("b", object())
    with pytest.raises(InvalidKeyError), bp.transaction() as tx:
        tx.pack("a", 2)
        tx.pack("", 1)
    assert dict(bp) == {"a": 1}
    assert bp.head.seq == 1


def test_a_bad_value_caught_inside_does_not_spoil_the_rest() -> None:
    bp = Backpack()
    with bp.transaction() as tx:
        tx.pack("a", 2)
        with pytest.raises(UnstorableValueError):
            tx.pack("b", object())
    assert dict(bp) == {"a": 2}


def test_a_transaction_that_is_over_takes_no_more_writes() -> None:
    bp = Backpack()
    with bp.transaction() as tx:
        tx.pack("a", 1)
    with pytest.raises((BackpackError, RuntimeError)):
        tx.pack("a", 2)
    assert bp["a"] == 1
    assert bp.head.seq == 1


def test_other_threads_see_all_of_a_transaction_or_nothing() -> None:
    bp = Backpack({"a": 0, "b": 0, "c": 0})
    is_over = threading.Event()
    wrong: list[Any] = []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)

    def read() -> None:
        while not is_over.is_set():
            state = bp.snapshot().to_dict()
            if len(set(state.values())) != 1:
                wrong.append(state)

    readers = [threading.Thread(target=read) for _ in range(3)]
    try:
        for reader in readers:
            reader.start()
        for number in range(1, 400):
            with bp.transaction() as tx:
                for key in "abc":
                    tx.pack(key, number)
    finally:
        is_over.set()
        for reader in readers:
            reader.join()
        sys.setswitchinterval(interval)
    assert wrong == []
    assert bp.head.seq == 400


def test_transactions_on_two_threads_are_both_whole() -> None:
    bp = Backpack()

    def work(name: str) -> None:
        for number in range(200):
            with bp.transaction(node=name) as tx:
                tx.pack("x", (name, number))
                tx.pack("y", (name, number))

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bp.head.seq == 600
    for commit in bp.history():
        snapshot = bp.snapshot(commit)
        assert snapshot["x"] == snapshot["y"]
        assert snapshot["x"][0] == commit.node


def test_a_transaction_of_many_keys_is_one_commit() -> None:
    bp = Backpack()
    with bp.transaction() as tx:
        for number in range(500):
            tx.pack(f"k.{number}", number)
    assert tx.commit.seq == 1
    assert len(tx.commit.changes) == 500
    assert len(bp) == 500


def test_of_two_transactions_that_read_and_then_write_the_last_one_wins() -> None:
    bp = Backpack({"count": 1, "list": [1]})
    with bp.transaction() as one, bp.transaction() as other:
        for tx in (one, other):
            tx.pack("count", tx["count"] + 1)
            tx.append("list", tx["count"])
    assert bp["count"] == 2  # and not 3: docs/concepts.md says so
    assert bp["list"] == [1, 2, 2]  # an append is to the list as it is then
