"""After `close` every call raises `ClosedError`: each verb of a store and of a node, and what was begun before."""

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack, ClosedError, Node

Call = Callable[[Any], object]

OF_BOTH: dict[str, Call] = {
    "__contains__": lambda one: "a" in one,
    "__contains__ of no key": lambda one: 5 in one,
    "__delitem__": lambda one: one.__delitem__("a"),
    "__eq__": lambda one: one == {},
    "__getitem__": lambda one: one["a"],
    "__iter__": iter,
    "__len__": len,
    "__setitem__": lambda one: one.__setitem__("a", 1),
    "aappend": lambda one: one.aappend("list", 1),
    "adelete": lambda one: one.adelete("a"),
    "aflush": lambda one: one.aflush(),
    "apack": lambda one: one.apack("a", 1),
    "aread_bytes": lambda one: one.aread_bytes("text"),
    "aread_text": lambda one: one.aread_text("text"),
    "append": lambda one: one.append("list", 1),
    "asnapshot": lambda one: one.asnapshot(),
    "bisect": lambda one: one.bisect(lambda snapshot: True),
    "blame": lambda one: one.blame("a"),
    "checkpoint": lambda one: one.checkpoint("another"),
    "checkpoints": lambda one: one.checkpoints(),
    "clear": lambda one: one.clear(),
    "commit": lambda one: one.commit(1),
    "configure": lambda one: one.configure(max_commits=5),
    "delete": lambda one: one.delete("a"),
    "delete_checkpoint": lambda one: one.delete_checkpoint("first"),
    "diff": lambda one: one.diff(1),
    "export": lambda one: one.export(io.BytesIO()),
    "flush": lambda one: one.flush(),
    "fork": lambda one: one.fork(),
    "get": lambda one: one.get("a"),
    "head": lambda one: one.head,
    "history": lambda one: one.history(),
    "item": lambda one: one.item("a"),
    "items": lambda one: list(one.items()),
    "keys": lambda one: list(one.keys()),
    "limits": lambda one: one.limits,
    "memory_usage": lambda one: one.memory_usage(),
    "pack": lambda one: one.pack("a", 1),
    "peek": lambda one: one.peek("a"),
    "pop": lambda one: one.pop("a", None),
    "popitem": lambda one: one.popitem(),
    "prune": lambda one: one.prune(),
    "purge": lambda one: one.purge("**"),
    "quarantine": lambda one: one.quarantine("a", reason="r"),
    "quarantined": lambda one: one.quarantined(),
    "read_bytes": lambda one: one.read_bytes("text"),
    "read_text": lambda one: one.read_text("text", 1, (1, 1)),
    "release": lambda one: one.release("bad"),
    "replay": lambda one: one.replay(1),
    "restore": lambda one: one.restore(1),
    "select": lambda one: one.select("**"),
    "select of nothing": lambda one: one.select("nothing.*"),
    "setdefault": lambda one: one.setdefault("a", 1),
    "snapshot": lambda one: one.snapshot(),
    "subscribe": lambda one: one.subscribe(print),
    "transaction": lambda one: one.transaction(),
    "unpack": lambda one: one.unpack("a"),
    "unpack_required": lambda one: one.unpack_required("a"),
    "update": lambda one: one.update({}),
    "values": lambda one: list(one.values()),
    "version": lambda one: one.version("a"),
}
OF_STORES: dict[str, Call] = {
    **OF_BOTH,
    "__aenter__": lambda one: one.__aenter__(),
    "__bool__": bool,
    "__enter__": lambda one: one.__enter__(),
    "as_node": lambda one: one.as_node("n"),
    "compact": lambda one: one.compact(),
    "health": lambda one: one.health(),
    "node": lambda one: one.node("n"),
    "refresh": lambda one: one.refresh(),
    "snapshot_before": lambda one: one.snapshot_before("n"),
}
OF_NODES: dict[str, Call] = {**OF_BOTH, "snapshot_before": lambda one: one.snapshot_before()}

OF_THE_WHOLE = {"configure", "delete_checkpoint", "export", "fork", "prune", "replay"}
"""What a node with a namespace may not do, closed or not."""

NO_CALLS = {"aclose", "close", "load", "name", "namespace", "recovery"}
"""Closing is idempotent; the others ask nothing of the store as it is now."""

BEGUN: dict[str, Callable[[Any], Call]] = {
    "iterator": lambda one: _next_of(iter(one)),
    "items": lambda one: _next_of(iter(one.items())),
    "history": lambda one: _next_of(one.history()),
    "history of a key": lambda one: _next_of(one.history("a")),
    "a view of the keys": lambda one: (lambda keys: lambda _: len(keys))(one.keys()),
    "a read in a transaction": lambda one: (lambda tx: lambda _: tx["a"])(one.transaction()),
    "a test in a transaction": lambda one: (lambda tx: lambda _: "a" in tx)(one.transaction()),
    "the keys of a transaction": lambda one: (lambda tx: lambda _: list(tx))(one.transaction()),
    "a delete in a transaction": lambda one: (lambda tx: lambda _: tx.delete("a"))(one.transaction()),
    "a transaction without changes": lambda one: (lambda tx: lambda _: tx.__exit__(None, None, None))(
        one.transaction().__enter__()
    ),
    "a transaction with changes": lambda one: (lambda tx: lambda _: tx.__exit__(None, None, None))(
        _packed(one.transaction().__enter__())
    ),
}


def _next_of(iterator: Iterator[Any]) -> Call:
    next(iterator)
    return lambda _: next(iterator)


def _packed(transaction: Any) -> Any:
    transaction.pack("a", 5)
    return transaction


def filled(store: Backpack) -> Backpack:
    store.update({"a": 1, "b": 2, "list": [], "bad": 4, "text": "one"})
    store.pack("a", 2, node="n")
    store.quarantine("bad", reason="r")
    store.checkpoint("first", at=1)
    return store


@pytest.fixture(params=["empty", "memory", "opened", "opened again"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Backpack:
    if request.param == "empty":
        return Backpack()
    made = filled(Backpack() if request.param == "memory" else backpack.open(tmp_path / "store"))
    if request.param != "opened again":
        return made
    made.close()
    return backpack.open(tmp_path / "store")


def ask(call: Call, one: Any) -> None:
    answer = call(one)
    if isinstance(answer, Awaitable):

        async def wait() -> None:
            await answer

        asyncio.run(wait())


@pytest.mark.parametrize("name", OF_STORES)
def test_after_close_every_call_of_a_store_raises(store: Backpack, name: str) -> None:
    store.close()
    with pytest.raises(ClosedError, match="closed"):
        ask(OF_STORES[name], store)


@pytest.mark.parametrize("name", OF_NODES)
def test_after_close_every_call_of_a_node_raises(store: Backpack, name: str) -> None:
    node = store.node("n")
    store.close()
    with pytest.raises(ClosedError, match="closed"):
        ask(OF_NODES[name], node)


@pytest.mark.parametrize("name", sorted(OF_NODES.keys() - OF_THE_WHOLE))
def test_after_close_every_call_of_a_node_with_a_namespace_raises(name: str) -> None:
    store = Backpack()
    node = store.node("n", namespace="sales")
    store.close()
    with pytest.raises(ClosedError, match="closed"):
        ask(OF_NODES[name], node)


def test_a_node_that_may_see_nothing_says_that_the_store_is_closed() -> None:
    store = Backpack({"a": 1})
    node = store.node("n", reads=[])
    store.close()
    for call in (lambda: "a" in node, lambda: list(node), lambda: len(node), lambda: node.select("**")):
        with pytest.raises(ClosedError):
            call()


@pytest.mark.parametrize("name", BEGUN)
@pytest.mark.parametrize("kind", ["store", "node"])
@pytest.mark.parametrize("is_opened", [False, True])
def test_what_was_begun_before_close_ends_with_it(name: str, kind: str, is_opened: bool, tmp_path: Path) -> None:
    store = filled(backpack.open(tmp_path / "store") if is_opened else Backpack())
    one = store if kind == "store" else store.node("n")
    call = BEGUN[name](one)
    store.close()
    with pytest.raises(ClosedError, match="closed"):
        call(None)


def test_no_call_is_missing_here() -> None:
    public = {name for name in dir(Backpack) if not name.startswith("_")}
    assert public - NO_CALLS == {name for name in OF_STORES if not name.startswith("_") and " " not in name}
    public = {name for name in dir(Node) if not name.startswith("_")}
    assert public - NO_CALLS == {name for name in OF_NODES if not name.startswith("_") and " " not in name}


def test_closing_again_is_fine_and_a_block_raises_its_own_error() -> None:
    store = Backpack({"a": 1})
    with pytest.raises(RuntimeError, match="mine"), store.transaction():
        store.close()
        raise RuntimeError("mine")
    store.close()
    asyncio.run(store.aclose())
    assert repr(store) == "<Backpack closed>"
