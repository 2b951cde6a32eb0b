"""The handle of a transaction is a mapping: it shows the present as the transaction would leave it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any

import pytest

from backpack import Backpack, ClosedError, InvalidArgumentError, KeyNotFoundError, UnstorableValueError
from backpack.errors import AccessDeniedError, InvalidKeyError


def test_it_is_a_mutable_mapping_of_what_it_would_leave() -> None:
    bp = Backpack({"a": 1, "b": [2], "c": 3})
    with bp.transaction() as tx:
        assert isinstance(tx, MutableMapping)
        tx["d"] = {"x": 4}
        tx["a"] = 10
        del tx["c"]
        tx.append("b", 3)
        expected = {"a": 10, "b": [2, 3], "d": {"x": 4}}
        assert dict(tx) == expected == {**tx} == tx
        assert list(tx) == list(tx.keys()) == ["a", "b", "d"]
        assert list(tx.items()) == list(expected.items())
        assert list(tx.values()) == list(expected.values())
        assert len(tx) == 3 and "c" not in tx and "b" in tx and 5 not in tx
        assert tx.get("c", "gone") == tx.peek("c", "gone") == tx.unpack("c", "gone") == "gone"
        assert tx.get("a") == tx.peek("a") == tx["a"] == tx.unpack_required("a") == 10
        for read in (tx.__getitem__, tx.__delitem__, tx.item, tx.pop):
            with pytest.raises(KeyNotFoundError):
                read("c")
        assert dict(bp) == {"a": 1, "b": [2], "c": 3}
    assert dict(bp) == expected
    assert bp.head is not None and bp.head.seq == 2


def test_pop_popitem_and_setdefault_are_those_of_a_dict() -> None:
    bp = Backpack({"a": 1, "b": 2})
    with bp.transaction() as tx:
        tx["z"] = [26]
        assert tx.popitem() == ("z", [26])
        assert tx.pop("a") == 1
        assert tx.pop("a", "gone") == "gone"
        with pytest.raises(KeyNotFoundError):
            tx.pop("a")
        default = [0]
        given = tx.setdefault("new", default)
        assert given == default and given is not default
        given.append(1)
        assert tx["new"] == [0]
        assert tx.setdefault("new", 5) == [0]
        assert tx.setdefault("b", 5) == 2
        assert tx.setdefault("none") is None and "none" in tx
    assert dict(bp) == {"b": 2, "new": [0], "none": None}
    with Backpack().transaction() as tx, pytest.raises(KeyNotFoundError):
        tx.popitem()


def test_update_takes_a_mapping_pairs_or_names_and_is_all_or_nothing() -> None:
    bp = Backpack({"a": 1})
    with bp.transaction() as tx:
        tx.update({"a": 2, "b.c": 3})
        tx.update([("d", 4), ("d", 5)])
        tx.update(e=6)
        tx.update()
        for wrong, error in (({"x": 1, "y": object()}, UnstorableValueError), ({"x": 1, "": 2}, InvalidKeyError)):
            with pytest.raises(error):
                tx.update(wrong)
    assert dict(bp) == {"a": 2, "b.c": 3, "d": 5, "e": 6}
    assert list(tx.commit.changes) == ["a", "b.c", "d", "e"]


def test_clear_takes_out_what_is_there_and_what_was_packed() -> None:
    bp = Backpack({"a": 1, "b": 2})
    with bp.transaction() as tx:
        tx["c"] = 3
        tx.clear()
        assert dict(tx) == {} and not tx
        tx["b"] = 4
    assert {key: change.kind for key, change in tx.commit.changes.items()} == {"a": "delete", "b": "pack"}
    assert dict(bp) == {"b": 4}
    with Backpack().transaction() as tx:
        tx.clear()
    assert tx.commit is None


def test_version_and_item_are_those_that_the_commit_will_make() -> None:
    bp = Backpack({"a": 1, "gone": 0}, max_value_size=100)
    bp.pack("a", 2, node="n", tags=["t"])
    with bp.transaction() as tx:
        item = tx.item("a")
        assert (item.key, item.value, item.version, item.node, item.tags) == ("a", 2, 2, "n", ("t",))
        tx["a"] = "x" * 200
        tx["new"] = [1]
        tx.append("new", 2)
        del tx["gone"]
        versions = {key: tx.version(key) for key in ("a", "new", "gone", "never")}
        items = {key: tx.item(key) for key in tx}
        assert items["new"].value == [1, 2] and items["new"].value is not items["new"].value
        assert items["a"].commit is items["a"].node is items["a"].time is None
    assert versions == {key: bp.version(key) for key in versions} == {"a": 3, "new": 1, "gone": 2, "never": 0}
    for key, item in items.items():
        after = bp.item(key)
        assert (item.key, item.value, item.version, item.size, item.is_large) == (
            (after.key, after.value, after.version, after.size, after.is_large)
        )


def test_it_begins_and_ends_for_reads_too() -> None:
    reads: list[Callable[[Any], Any]] = [
        list,
        len,
        dict,
        lambda tx: "a" in tx,
        lambda tx: tx.version("a"),
        lambda tx: tx.item("a"),
        lambda tx: tx.peek("a"),
    ]
    bp = Backpack({"a": 1})
    with bp.transaction() as over:
        pass
    for read in reads:
        with pytest.raises(InvalidArgumentError, match="with"):
            read(bp.transaction())
        with pytest.raises(ClosedError):
            read(over)


def test_two_handles_are_told_apart_and_can_be_kept_in_a_set() -> None:
    bp = Backpack({"a": 1})
    one, two = bp.transaction(), bp.transaction()
    assert len({one, two, one}) == 2
    with one, two:
        assert one == two == bp
        one["a"] = 2
        assert one != two
    assert one in [one], "over, and the same"


# -- through a node ----------------------------------------------------------------------------------------


def clerk_of(bp: Backpack) -> Any:
    return bp.node("clerk", namespace="sales", denies=["sales.secret"], writes=["sales.a", "sales.new", "sales.box"])


def store() -> Backpack:
    return Backpack({"sales.a": 1, "sales.fixed": 2, "sales.secret": "TOPSECRET", "hr.plan": "TOPSECRET"})


def test_a_node_s_transaction_is_a_mapping_of_what_the_node_sees() -> None:
    bp = store()
    with clerk_of(bp).transaction() as tx:
        tx["new"] = 3
        tx.update(a=10)
        assert dict(tx) == {"a": 10, "fixed": 2, "new": 3}
        assert list(tx) == ["a", "fixed", "new"]
        assert tx.version("a") == 2 and tx.item("a").key == "a"
        assert tx.item("fixed").key == "fixed" and set(tx.item("fixed").commit.changes) == {"a", "fixed"}
        assert tx.setdefault("box", []) == []
        assert tx.pop("box") == []
        assert tx.setdefault("fixed", 7) == 2
    assert tx.commit.changes.keys() == {"a", "new"}


WRITES: dict[str, Callable[[Any], Any]] = {
    "[]=": lambda tx: tx.__setitem__("fixed", 1),
    "del": lambda tx: tx.__delitem__("fixed"),
    "append": lambda tx: tx.append("fixed", 1),
    "update": lambda tx: tx.update({"a": "edited", "fixed": "edited"}),
    "clear": lambda tx: tx.clear(),
    "pop": lambda tx: tx.pop("fixed"),
    "pop of a missing key": lambda tx: tx.pop("none", None),
    "popitem": lambda tx: tx.popitem(),
    "setdefault": lambda tx: tx.setdefault("none", 1),
    "a hidden key": lambda tx: tx.__setitem__("secret", 1),
}


@pytest.mark.parametrize("way", WRITES)
def test_a_denied_write_that_is_caught_has_not_happened_and_lets_the_rest_go_on(way: str) -> None:
    bp = store()
    denied: list[Any] = []
    bp.subscribe(denied.append, kinds=["denied"])
    with clerk_of(bp).transaction() as tx:
        tx["box"] = 3
        with pytest.raises(AccessDeniedError):
            WRITES[way](tx)
        tx.append("new", 1)
    assert dict(bp) == {**store(), "sales.box": 3, "sales.new": [1]}
    assert tx.commit is not None and len(tx.commit.changes) == 2
    assert len(denied) == 1


def test_a_denied_write_that_is_caught_lets_an_async_transaction_go_on() -> None:
    bp = store()

    async def main() -> None:
        async with clerk_of(bp).transaction() as tx:
            tx["new"] = 3
            with pytest.raises(AccessDeniedError):
                tx["fixed"] = 4

    asyncio.run(main())
    assert dict(bp) == {**store(), "sales.new": 3}


def test_a_denied_write_that_is_not_caught_fails_all_of_it() -> None:
    bp = store()
    with pytest.raises(AccessDeniedError), clerk_of(bp).transaction() as tx:
        tx["new"] = 3
        tx["fixed"] = 4
    assert bp == store()
    with pytest.raises(AccessDeniedError):
        clerk_of(bp).update({"new": 3, "fixed": 4})
    assert bp == store()


def test_a_node_s_transaction_reads_nothing_that_the_node_may_not() -> None:
    bp = store()
    with clerk_of(bp).transaction() as tx:
        for read in (tx.__getitem__, tx.get, tx.peek, tx.item, tx.version, tx.pop, tx.setdefault):
            with pytest.raises(AccessDeniedError):
                read("secret")
        assert "secret" not in tx and "TOPSECRET" not in repr(dict(tx))
    assert bp == store()
