"""The store of LangGraph over a Backpack: what it is beyond InMemoryStore."""

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore, GetOp, InvalidNamespaceError, PutOp, SearchOp
from typing_extensions import TypedDict

import backpack
from backpack import (
    Backpack,
    ClosedError,
    CorruptionError,
    InvalidArgumentError,
    ReadOnlyError,
    StoreLockedError,
    UnstorableValueError,
)
from backpack.integrations.langgraph import BackpackStore
from backpack.integrations.langgraph.store_names import ITEMS

NAMESPACE = ("users", "123")


def keys(store: BackpackStore, below: tuple[str, ...] = ()) -> list[str]:
    return [item.key for item in store.search(below, limit=1_000)]


# -- values ----------------------------------------------------------------------------------------------------------


def test_what_comes_out_is_a_fresh_copy() -> None:
    store = BackpackStore(Backpack())
    value: dict[str, Any] = {"list": [1], "deep": {"a": 1}}
    store.put(NAMESPACE, "k", value)
    value["list"].append(2)
    found = store.get(NAMESPACE, "k")
    assert found is not None
    found.value["deep"]["a"] = 2
    store.search(())[0].value.clear()
    again = store.get(NAMESPACE, "k")
    assert again is not None and again.value == {"list": [1], "deep": {"a": 1}}


def test_what_cannot_be_stored_is_named_and_nothing_of_the_batch_is_put() -> None:
    store = BackpackStore(Backpack())
    with pytest.raises(UnstorableValueError, match=r"value\.deep\[1\]"):
        store.batch([PutOp(NAMESPACE, "good", {"a": 1}), PutOp(NAMESPACE, "bad", {"deep": [1, object()]})])
    with pytest.raises(InvalidArgumentError, match="must be a dict"):
        store.put(NAMESPACE, "k", [1])  # type: ignore[arg-type]
    with pytest.raises(InvalidNamespaceError):
        store.batch([PutOp("users", "k", {})])  # type: ignore[arg-type]
    assert not store.bp and store.bp.head is None


def test_long_names_are_the_true_ones_again(tmp_path: Path) -> None:
    long, key = ("a" * 5_000, "b"), "ключ" * 1_000
    with BackpackStore(tmp_path / "store") as store:
        store.put(long, key, {"n": 1})
        store.put((*long, "c"), "k", {"n": 2})
        store.put(("a" * 4_999, "b"), key, {"n": 3})
        store.put(tuple(map(str, range(900))), "deep", {"n": 4})
    with BackpackStore(tmp_path / "store") as store:
        found = store.get(long, key)
        assert found is not None and (found.namespace, found.key, found.value) == (long, key, {"n": 1})
        assert [item.value["n"] for item in store.search(long)] == [1, 2]
        assert [item.value["n"] for item in store.search(long[:1])] == [1, 2]
        assert [item.value["n"] for item in store.search(tuple(map(str, range(400))))] == [4]
        assert store.list_namespaces(suffix=("c",)) == [(*long, "c")]
        store.delete(long, key)
        assert store.list_namespaces(prefix=long) == [(*long, "c")]


# -- commits ---------------------------------------------------------------------------------------------------------


def test_a_put_and_a_batch_are_one_commit_each() -> None:
    store = BackpackStore(Backpack())
    store.put(NAMESPACE, "prefs", {"a": 1})
    store.batch(
        [PutOp(NAMESPACE, str(number), {"a": number}) for number in range(5)] + [PutOp(NAMESPACE, "prefs", None)]
    )
    store.delete(NAMESPACE, "unknown")
    store.batch([GetOp(NAMESPACE, "0"), SearchOp(())])
    commits = [(commit.seq, commit.node, commit.message, commit.tags) for commit in store.bp.history()]
    assert commits == [
        (2, None, "put users.123:0, users.123:1, users.123:2 and 2 more; delete users.123:prefs", ("store",)),
        (1, None, "put users.123:prefs", ("store",)),
    ]


def test_old_values_are_in_the_history() -> None:
    store = BackpackStore(Backpack())
    for number in range(3):
        store.put(NAMESPACE, "prefs", {"n": number})
    key = "langgraph.store.item.users.123.:prefs"
    assert [store.bp.snapshot(commit)[key]["value"] for commit in store.bp.history(key)] == [
        {"n": 2},
        {"n": 1},
        {"n": 0},
    ]
    assert store.bp.diff(1, 3).changed[key].paths[0] == "value.n"


class State(TypedDict):
    fact: str


def test_commits_of_a_graph_name_its_nodes_threads_and_steps() -> None:
    store = BackpackStore(Backpack())

    def remember(state: State, *, store: BaseStore) -> State:
        store.put(("facts",), "one", {"fact": state["fact"]})
        return state

    async def recall(state: State, *, store: BaseStore) -> State:
        await store.aput(("facts",), "two", {"fact": state["fact"]})
        return {"fact": ", ".join(item.value["fact"] for item in await store.asearch(("facts",)))}

    graph = StateGraph(State).add_node("remember", remember).add_node("recall", recall)
    made = graph.add_edge(START, "remember").add_edge("remember", "recall").compile(store=store)
    answer = asyncio.run(made.ainvoke({"fact": "it rains"}, {"configurable": {"thread_id": "t1"}}))
    assert answer == {"fact": "it rains, it rains"}
    commits = [(commit.node, commit.tags) for commit in store.bp.history()]
    assert commits == [("recall", ("store", "thread:t1", "step:2")), ("remember", ("store", "thread:t1", "step:1"))]


def test_outside_of_a_graph_who_is_named_by_the_backpack_is_the_node() -> None:
    store = BackpackStore(Backpack())
    with store.bp.as_node("curator"):
        store.put(NAMESPACE, "k", {})
        asyncio.run(store.aput(NAMESPACE, "k", {}))
    assert [commit.node for commit in store.bp.history()] == ["curator", "curator"]


# -- sharing a Backpack ------------------------------------------------------------------------------------------------


def test_stores_of_one_backpack_see_each_other_and_nothing_else() -> None:
    bp = Backpack({"plan": 1, "langgraph.saver.x": 2, "langgraph.store": 3})
    one, other = BackpackStore(bp), BackpackStore(bp)
    one.put(NAMESPACE, "k", {"n": 1})
    assert keys(other) == ["k"] and other.list_namespaces() == [NAMESPACE]
    bp.pack("plan", 2)
    other.put(NAMESPACE, "j", {"n": 2})
    bp.pack("plan", 3)
    one.delete(NAMESPACE, "k")
    assert keys(one) == keys(other) == ["j"]
    one.close()
    assert bp["plan"] == 3


def test_whatever_is_done_to_the_backpack_is_noticed() -> None:
    bp = Backpack(max_commits=20)
    store = BackpackStore(bp)
    for number in range(6):
        store.put(("n", str(number % 2)), str(number), {"n": number})
    assert keys(store) == ["0", "2", "4", "1", "3", "5"]
    before = bp.head
    assert before is not None
    store.delete(("n", "0"), "2")
    store.put(("n", "1"), "7", {})
    bp.restore(before)
    assert keys(store) == ["0", "2", "4", "1", "3", "5"]
    bp.delete(ITEMS + "n.0.:0")
    bp.quarantine(ITEMS + "n.1.:3", reason="odd")
    assert keys(store) == ["2", "4", "1", "5"]
    bp.release(ITEMS + "n.1.:3")
    bp.purge(ITEMS + "n.0.**")
    assert keys(store) == ["1", "3", "5"] and store.list_namespaces() == [("n", "1")]
    for number in range(100):  # more than history keeps
        bp.pack("other", number)
    bp.delete(ITEMS + "n.1.:1")
    for number in range(100):
        bp.pack("other", number)
    assert keys(store) == ["3", "5"]
    bp.clear()
    assert keys(store) == [] == store.list_namespaces()


def test_what_history_has_lost_is_noticed_all_the_same() -> None:
    other = BackpackStore(Backpack())
    other.put(NAMESPACE, "k", {})
    bp = Backpack(max_commits=5)
    store = BackpackStore(bp)
    assert keys(store) == []
    bp.pack(ITEMS + "users.123.:k", other.bp[ITEMS + "users.123.:k"])
    for number in range(20):
        bp.pack("other", number)
    assert keys(store) == ["k"]


def test_a_namespace_that_was_emptied_comes_back_behind_the_others() -> None:
    store = BackpackStore(Backpack())
    store.put(("a",), "k", {})
    store.put(("b",), "j", {})
    assert keys(store) == ["k", "j"]
    store.delete(("a",), "k")
    store.put(("a",), "k", {})
    assert keys(store) == ["j", "k"]


def test_what_is_no_item_any_more_is_told() -> None:
    for damaged in (1, {}, {"value": 1}, {"value": {}, "time_us": -1}, {"value": {}, "time_us": 10**30}):
        store = BackpackStore(Backpack())
        store.put(NAMESPACE, "k", {"n": 1})
        store.bp.pack(ITEMS + "users.123.:k", damaged)
        for act in (lambda s=store: s.get(NAMESPACE, "k"), lambda s=store: s.search(())):
            with pytest.raises(CorruptionError, match=r"not the item that was written: name='users\.123\.:k'"):
                act()
    good = {"value": {}, "time_us": 0, "place": 1, "shelf": 1}
    for more in ({"index": True}, {"index": [1]}):
        store.bp.pack(ITEMS + "users.123.:k", {**good, **more})
        with pytest.raises(CorruptionError):
            store.get(NAMESPACE, "k")
    for name in (None, [], [1, "k"], [["a"], 1], [[1], "k"]):
        store.bp.pack(ITEMS + "%~0.:k", {**good, "name": name})
        with pytest.raises(CorruptionError):
            store.list_namespaces()


# -- on disk -----------------------------------------------------------------------------------------------------------


def test_opened_again_it_is_the_same(tmp_path: Path) -> None:
    with BackpackStore(tmp_path / "store") as store:
        for number in range(30):
            store.put((f"n{number % 3}",), str(number), {"n": number})
        store.put(("n1",), "1", {"n": -1})
        store.delete(("n2",), "2")
        before = store.search((), limit=100)
    with pytest.raises(ClosedError):
        store.get(("n0",), "0")
    with BackpackStore(str(tmp_path / "store"), durability="power") as store:
        assert store.search((), limit=100) == before
        store.put(("n1",), "31", {})
        assert keys(store, ("n1",))[-1] == "31"
        with pytest.raises(StoreLockedError):
            BackpackStore(tmp_path / "store")
    with backpack.open(tmp_path / "store", mode="r") as bp:
        reader = BackpackStore(bp)
        assert reader.get(("n1",), "31") is not None
        with pytest.raises(ReadOnlyError):
            reader.put(("n1",), "32", {})


def test_a_reader_sees_what_another_process_puts(tmp_path: Path) -> None:
    with BackpackStore(tmp_path / "store") as store:
        store.put(NAMESPACE, "k", {})
    script = """
import sys
from backpack.integrations.langgraph import BackpackStore
store = BackpackStore(sys.argv[1])
for line in sys.stdin:
    store.put(("users", "123"), line.strip(), {"text": line})
    print("put", flush=True)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "store")]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer,
        backpack.open(tmp_path / "store", mode="r") as bp,
    ):
        assert writer.stdin is not None and writer.stdout is not None
        reader = BackpackStore(bp)
        assert keys(reader) == ["k"]
        for number in range(3):
            writer.stdin.write(f"word{number}\n")
            writer.stdin.flush()
            assert writer.stdout.readline() == "put\n"
            assert keys(reader)[-1] == f"word{number}"
            assert [item.key for item in reader.search((), query=f"word{number}")] == [f"word{number}"]
        writer.kill()
    with BackpackStore(tmp_path / "store") as store:
        assert keys(store) == ["k", "word0", "word1", "word2"]


def test_it_is_made_of_a_backpack_or_of_a_path(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="made of a Backpack or of a path"):
        BackpackStore({})  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="durability"):
        BackpackStore(Backpack(), durability="power")
    with BackpackStore.from_conn_string(":memory:") as store:
        store.setup()
        store.put(NAMESPACE, "k", {})
    with pytest.raises(ClosedError):
        store.setup()

    async def run() -> None:
        async with BackpackStore.from_conn_string(str(tmp_path / "store"), ttl={"default_ttl": 1}) as store:
            await store.aput(NAMESPACE, "k", {})
            assert store.start_ttl_sweeper().running() is False
        assert store._sweeper.stop(0)

    asyncio.run(run())
    with backpack.open(tmp_path / "store", mode="r") as bp:
        assert keys(BackpackStore(bp)) == ["k"]


# -- threads and tasks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_many_threads_may_use_it(tmp_path: Path, where: str) -> None:
    with BackpackStore(Backpack() if where == "memory" else tmp_path / "store") as store:

        def work(number: int) -> None:
            for step in range(20):
                store.put(("n", str(number)), str(step % 5), {"text": f"word{number}", "step": step})
                store.search(("n",), query=f"word{number}")
                assert len(store.search(("n", str(number)), filter={"step": {"$lte": step}})) == min(step + 1, 5)
                store.list_namespaces()

        with ThreadPoolExecutor(6) as threads:
            list(threads.map(work, range(6)))
        assert len(keys(store)) == 30 and len(store.list_namespaces()) == 6
        assert store.bp.head is not None and store.bp.head.seq == 120
        assert keys(BackpackStore(store.bp.fork())) == keys(store)


def test_a_batch_is_seen_whole_or_not_at_all() -> None:
    store = BackpackStore(Backpack())
    store.batch([PutOp(NAMESPACE, str(key), {"n": 0}) for key in range(10)])
    stop = threading.Event()

    def put() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            store.batch([PutOp(NAMESPACE, str(key), {"n": number}) for key in range(10)])

    thread = threading.Thread(target=put)
    thread.start()
    try:
        for _ in range(100):
            assert len({item.value["n"] for item in store.search(NAMESPACE)}) == 1
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("durability", ["process", "power"])
def test_many_tasks_may_use_it(tmp_path: Path, durability: str) -> None:
    async def work(store: BackpackStore, number: int) -> None:
        for step in range(5):
            await store.aput(("n", str(number)), str(step), {"step": step})
            found = await store.asearch(("n", str(number)), filter={"step": {"$gte": 0}})
            assert [item.key for item in found] == [str(one) for one in range(step + 1)]
        await store.adelete(("n", str(number)), "0")

    async def run() -> None:
        async with BackpackStore(tmp_path / "store", durability=durability) as store:
            await asyncio.gather(*(work(store, number) for number in range(8)))
            assert len(await store.asearch((), limit=100)) == 32
            assert len(await store.alist_namespaces()) == 8

    asyncio.run(run())


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_a_loop_goes_on_while_another_thread_is_in_the_way(tmp_path: Path, where: str) -> None:
    async def run(store: BackpackStore) -> None:
        held, released = threading.Event(), threading.Event()
        catalog = store._catalog

        def hold() -> None:
            with catalog.lock:
                held.set()
                released.wait(30)

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait(30)
        calls = [store.aput(NAMESPACE, "k", {}), store.asearch(()), store.aget(NAMESPACE, "k")]
        running = [asyncio.ensure_future(call) for call in calls]
        for _ in range(50):
            await asyncio.sleep(0)
        assert not any(task.done() for task in running)
        released.set()
        await asyncio.gather(*running)
        thread.join()
        assert [item.key for item in await store.asearch(())] == ["k"]

    with BackpackStore(Backpack() if where == "memory" else tmp_path / "store") as store:
        asyncio.run(run(store))


def test_a_put_that_is_cancelled_is_made_whole_or_not_at_all(tmp_path: Path) -> None:
    async def run(store: BackpackStore) -> None:
        task = asyncio.ensure_future(store.abatch([PutOp(NAMESPACE, str(key), {}) for key in range(5)]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(await store.asearch(())) in (0, 5)

    with BackpackStore(tmp_path / "store") as store:
        asyncio.run(run(store))


def test_a_search_of_one_namespace_reads_nothing_of_the_others(tmp_path: Path) -> None:
    with BackpackStore(tmp_path / "store") as store:
        store.batch([PutOp(("n", str(number % 100)), str(number), {"n": number}) for number in range(2_000)])
    with BackpackStore(tmp_path / "store") as store:
        assert len(store.search(("n", "7"), limit=100)) == 20
        awake = [key for key in store.bp._engine.chains if key.startswith(ITEMS)]
        assert len(awake) == 20


def test_of_many_namespaces_only_those_that_are_searched_are_known() -> None:
    bp = Backpack()
    BackpackStore(bp).batch([PutOp(("n", str(number % 10), str(number)), "k", {}) for number in range(100)])
    store = BackpackStore(bp.fork())
    assert len(store.search(("n", "7"), limit=100)) == 10
    assert len(store._catalog._namespaces) == 10
    assert len(store.search(("n", "7", "17"), limit=100)) == 1 and len(store._catalog._known) == 1
    store.put(("n", "7", "new"), "k", {})
    store.put(("n", "8", "new"), "k", {})
    assert [len(store.list_namespaces(prefix=("n", part))) for part in "789"] == [11, 11, 10]
    assert len(store.list_namespaces(limit=200)) == 102


def test_what_is_known_of_items_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backpack.integrations.langgraph.store_catalog._ITEMS_MAX", 10)
    store = BackpackStore(Backpack())
    store.batch([PutOp(("n", str(number % 6)), str(number), {}) for number in range(36)])
    for _ in range(2):
        assert keys(store) == [str(number) for first in range(6) for number in range(first, 36, 6)]
        assert sum(len(shelf.items) for shelf in store._catalog._shelves.values()) <= 10


@pytest.mark.parametrize("asked", [{}, {"filter": {"a": 1}}, {"query": "fox"}])
def test_a_search_takes_any_number_for_all_there_are(asked: dict[str, Any]) -> None:
    store = BackpackStore(Backpack())
    store.put(NAMESPACE, "k", {"a": 1, "b": "fox"})
    assert [item.key for item in store.search((), limit=1 << 80, **asked)] == ["k"]
    assert store.search((), offset=1 << 80, **asked) == []
