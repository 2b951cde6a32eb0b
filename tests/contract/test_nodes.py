"""Nodes: who did it, what a node may do, and every way around that is closed."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import inspect
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backpack import Backpack
from backpack.errors import AccessDeniedError, BackpackError, KeyNotFoundError

from .model import same
from .readings import event_keys, everything_in, holds, is_nobody

SECRET = "TOPSECRETVALUE"


def store() -> Any:
    bp = Backpack()
    bp.update({"sales.a": 1, "sales.b.c": 2, "sales": 0, "hr.plan": SECRET, "notes": "n"})
    return bp


# -- attribution -------------------------------------------------------------------------------------------


def test_a_node_s_writes_carry_its_name() -> None:
    bp = store()
    node = bp.node("planner")
    for commit in (
        node.pack("a", 1, message="m", tags=("t",)),
        node.append("l", 1),
        node.update({"b": 1}),
        node.delete("a"),
        node.restore(1),
    ):
        assert commit.node == "planner"
        assert bp.commit(commit.seq).node == "planner"
    with node.transaction() as tx:
        tx.pack("c", 1)
    assert tx.commit.node == "planner"
    node["d"] = 1
    assert bp.head.node == "planner"
    del node["d"]
    assert bp.head.node == "planner"


def test_a_node_s_calls_take_no_node() -> None:
    node = store().node("planner")
    for act in (
        lambda: node.pack("a", 1, node="other"),
        lambda: node.transaction(node="other"),
        lambda: node.restore(1, node="other"),
    ):
        with pytest.raises(TypeError):
            act()


def test_a_node_without_patterns_may_do_everything() -> None:
    bp = store()
    node = bp.node("all")
    assert holds(node, dict(bp))
    node.pack("hr.plan", "new")
    assert bp["hr.plan"] == "new"
    node.delete("hr.plan")
    assert "hr.plan" not in bp


def test_as_node_attributes_what_runs_inside_it() -> None:
    bp = Backpack()
    with bp.as_node("outer"):
        assert bp.pack("a", 1).node == "outer"
        with bp.as_node("inner"):
            assert bp.append("l", 1).node == "inner"
            with bp.transaction() as tx:
                tx.pack("a", 2)
            assert tx.commit.node == "inner"
        assert bp.delete("a").node == "outer"
        assert bp.update({"a": 1}).node == "outer"
        assert bp.clear().node == "outer"
    assert is_nobody(bp.pack("a", 1).node)


def test_as_node_ends_when_its_block_raises() -> None:
    bp = Backpack()
    with pytest.raises(RuntimeError), bp.as_node("outer"):
        raise RuntimeError
    assert is_nobody(bp.pack("a", 1).node)


def test_an_explicit_node_goes_before_as_node() -> None:
    bp = Backpack()
    with bp.as_node("around"):
        assert bp.pack("a", 1, node="explicit").node == "explicit"
        assert bp.node("handle").pack("a", 1).node == "handle"
        assert bp.pack("a", 1).node == "around"


def test_as_node_of_one_store_does_not_sign_in_another() -> None:
    one, two = Backpack(), Backpack()
    with one.as_node("n"):
        assert is_nobody(two.pack("a", 1).node)
        assert one.pack("a", 1).node == "n"


def test_attribution_needs_no_patching_of_functions() -> None:
    bp = Backpack()
    pack = bp.pack
    with bp.as_node("n"):
        assert pack("a", 1).node == "n"
        assert Backpack.pack(bp, "a", 2).node == "n"
    assert is_nobody(pack("a", 3).node)


def test_two_overlapping_tasks_are_attributed_right() -> None:
    bp = Backpack()

    async def work(name: str, other: asyncio.Event, mine: asyncio.Event) -> None:
        with bp.as_node(name):
            for number in range(50):
                bp.pack(name, number)
                mine.set()
                await other.wait()
                other.clear()
                await bp.apack(name, number + 0.5)
                with bp.as_node(f"{name}.inner"):
                    await asyncio.sleep(0)
                    bp.pack(f"{name}.inner", number)
                mine.set()
            mine.set()

    async def main() -> None:
        first, second = asyncio.Event(), asyncio.Event()
        one = asyncio.create_task(work("one", first, second))
        two = asyncio.create_task(work("two", second, first))
        await asyncio.wait_for(asyncio.gather(one, two), 20)

    asyncio.run(main())
    for commit in bp.history():
        assert set(commit.changes) == {commit.node}
    assert bp.head.seq == 300


def test_overlapping_blocks_that_end_out_of_order_are_attributed_right() -> None:
    bp = Backpack()

    async def work(name: str, delay: int) -> None:
        with bp.as_node(name):
            for _ in range(delay):
                await asyncio.sleep(0)
            assert bp.pack(name, 1).node == name
        assert is_nobody(bp.pack("outside", 1).node)

    async def main() -> None:
        await asyncio.gather(*(work(f"t{number}", (7 * number) % 11) for number in range(12)))

    asyncio.run(main())


def test_blocks_of_one_thread_may_end_in_any_order() -> None:
    bp = Backpack()
    first, second = bp.as_node("o1"), bp.as_node("o2")
    first.__enter__()
    second.__enter__()
    assert bp.pack("a", 1).node == "o2"
    first.__exit__(None, None, None)
    assert bp.pack("a", 2).node == "o2"
    second.__exit__(None, None, None)
    assert is_nobody(bp.pack("a", 3).node)


def test_blocks_of_generators_that_take_turns_leave_nobody_signing() -> None:
    bp = Backpack()

    def step(name: str) -> Iterator[None]:
        with bp.as_node(name):
            yield
            bp.pack(name, 1)
            yield

    with bp.as_node("around"):
        one, two = step("one"), step("two")
        for generator in (one, two, one, two):
            next(generator)
        one.close()
        assert bp.pack("a", 1).node == "two"
        two.close()
        assert bp.pack("a", 2).node == "around"
    assert is_nobody(bp.pack("a", 3).node)


def test_a_block_that_is_left_in_a_copy_of_its_context_ends_there() -> None:
    bp = Backpack()
    block = bp.as_node("n")
    block.__enter__()
    copy = contextvars.copy_context()
    copy.run(block.__exit__, None, None, None)
    assert is_nobody(copy.run(lambda: bp.pack("a", 1).node))


def test_a_block_may_be_entered_again_and_inside_itself() -> None:
    bp = Backpack()
    block = bp.as_node("n")
    for _ in range(2):
        with block:
            assert bp.pack("a", 1).node == "n"
            with bp.as_node("between"), block:
                assert bp.pack("a", 1).node == "n"
            assert bp.pack("a", 1).node == "n"
        assert is_nobody(bp.pack("a", 1).node)


def test_a_block_that_two_tasks_share_attributes_each_for_itself() -> None:
    bp = Backpack()
    block = bp.as_node("shared")

    async def work(other: asyncio.Event, mine: asyncio.Event) -> None:
        with block:
            mine.set()
            await other.wait()
            assert (await bp.apack("a", 1)).node == "shared"
        assert is_nobody(bp.pack("a", 1).node)

    async def main() -> None:
        one, two = asyncio.Event(), asyncio.Event()
        await asyncio.wait_for(asyncio.gather(work(one, two), work(two, one)), 20)

    asyncio.run(main())
    assert is_nobody(bp.pack("a", 1).node)


def test_a_block_decorates_a_function() -> None:
    bp = Backpack()

    @bp.as_node("worker")
    def work(value: int) -> str | None:
        return bp.pack("a", value).node

    assert [work(1), work(2)] == ["worker", "worker"]
    assert is_nobody(bp.pack("a", 1).node)


def test_a_task_keeps_the_node_of_the_block_that_it_began_in() -> None:
    bp = Backpack()

    async def work(may_go_on: asyncio.Event) -> Any:
        await may_go_on.wait()
        return bp.pack("a", 1).node

    async def main() -> None:
        may_go_on = asyncio.Event()
        with bp.as_node("parent"):
            task = asyncio.create_task(work(may_go_on))
            await asyncio.sleep(0)
        may_go_on.set()
        assert await task == "parent"
        assert is_nobody(bp.pack("a", 2).node)

    asyncio.run(main())


def test_threads_are_attributed_each_for_itself() -> None:
    bp = Backpack()
    barrier = threading.Barrier(4)

    def work(name: str) -> None:
        with bp.as_node(name):
            barrier.wait()
            for number in range(200):
                bp.pack(name, number)

    with bp.as_node("main"):
        threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        bp.pack("main", 1)
    for commit in bp.history():
        assert set(commit.changes) == {commit.node}


def test_identity_does_not_leak_through_a_thread_pool() -> None:
    bp = Backpack()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:

        def inside() -> Any:
            with bp.as_node("worker"):
                return bp.pack("a", 1).node

        assert pool.submit(inside).result() == "worker"
        assert is_nobody(pool.submit(lambda: bp.pack("a", 2).node).result())
        with bp.as_node("caller"):
            assert is_nobody(pool.submit(lambda: bp.pack("a", 3).node).result())
            assert bp.pack("a", 4).node == "caller"
            carried = contextvars.copy_context()
        assert pool.submit(carried.run, lambda: bp.pack("a", 5).node).result() in ("caller", None, "")
        assert is_nobody(pool.submit(lambda: bp.pack("a", 6).node).result())


def test_a_handle_carries_its_identity_to_any_thread_or_task() -> None:
    bp = Backpack()
    node = bp.node("handle", writes=["a"])

    async def main() -> None:
        assert (await asyncio.to_thread(node.pack, "a", 1)).node == "handle"
        with pytest.raises(AccessDeniedError):
            await asyncio.to_thread(node.pack, "b", 1)

    asyncio.run(main())
    with concurrent.futures.ThreadPoolExecutor(1) as pool, bp.as_node("caller"):
        assert pool.submit(node.pack, "a", 2).result().node == "handle"


# -- namespaces --------------------------------------------------------------------------------------------


def test_a_namespace_is_a_prefix_with_a_dot() -> None:
    bp = store()
    node = bp.node("n", namespace="sales")
    assert node["a"] == 1
    assert node["b.c"] == 2
    node.pack("new", 5)
    assert bp["sales.new"] == 5
    node.append("list", 1)
    assert bp["sales.list"] == [1]
    node.delete("new")
    assert "sales.new" not in bp
    assert "plan" not in node
    with pytest.raises((KeyNotFoundError, AccessDeniedError)):
        node["hr.plan"]
    node.update({"x": 1, "y": 2})
    assert (bp["sales.x"], bp["sales.y"]) == (1, 2)
    with node.transaction() as tx:
        tx.pack("z", 3)
    assert bp["sales.z"] == 3


def test_a_namespaced_node_lists_keys_that_it_can_read_back() -> None:
    bp = store()
    node = bp.node("n", namespace="sales")
    keys = list(node)
    assert len(keys) == len(node) == 2
    assert sorted(node[key] for key in keys) == [1, 2]
    assert all(key in node for key in keys)


def test_the_patterns_of_a_namespaced_node_are_absolute() -> None:
    bp = store()
    node = bp.node("n", namespace="sales", reads=["sales.*"], writes=["sales.a"], denies=["sales.b.**"])
    assert node["a"] == 1
    with pytest.raises(AccessDeniedError):
        node["b.c"]
    node.pack("a", 5)
    assert bp["sales.a"] == 5
    with pytest.raises(AccessDeniedError):
        node.pack("z", 1)
    relative = bp.node("r", namespace="sales", writes=["a"])
    with pytest.raises(AccessDeniedError):
        relative.pack("a", 6)


def test_clear_of_a_namespaced_node_stays_in_its_namespace() -> None:
    bp = store()
    bp.node("n", namespace="sales").clear()
    assert set(bp) == {"sales", "hr.plan", "notes"}


def test_select_of_a_namespaced_node_sees_nothing_outside() -> None:
    bp = store()
    node = bp.node("n", namespace="sales")
    for pattern in ("**", "*", "hr.**", "sales.**"):
        assert SECRET not in node.select(pattern).values()


def test_a_namespaced_snapshot_sees_nothing_outside() -> None:
    bp = store()
    node = bp.node("n", namespace="sales")
    snapshot = node.snapshot()
    assert SECRET not in list(snapshot.values())
    assert len(snapshot) == 2


# -- permissions -------------------------------------------------------------------------------------------


def test_a_refusal_raises_with_node_key_and_operation() -> None:
    node = store().node("clerk", reads=["sales.**"], writes=["sales.a"])
    with pytest.raises(AccessDeniedError) as caught:
        node.pack("hr.plan", 1)
    assert (caught.value.node, caught.value.key) == ("clerk", "hr.plan")
    assert isinstance(caught.value.operation, str) and caught.value.operation
    assert isinstance(caught.value, PermissionError)
    with pytest.raises(AccessDeniedError) as caught:
        node.unpack("hr.plan")
    assert (caught.value.node, caught.value.key) == ("clerk", "hr.plan")
    assert SECRET not in everything_in(caught.value)


def test_absent_patterns_allow_everything_and_empty_ones_nothing() -> None:
    bp = store()
    reader = bp.node("reader", writes=[])
    assert reader["hr.plan"] == SECRET
    with pytest.raises(AccessDeniedError):
        reader.pack("notes", 1)
    writer = bp.node("writer", reads=[])
    writer.pack("notes", 1)
    assert bp["notes"] == 1
    for key in bp:
        with pytest.raises(AccessDeniedError):
            writer.unpack(key)
    assert list(writer) == []
    neither = bp.node("neither", reads=(), writes=())
    with pytest.raises(AccessDeniedError):
        neither["notes"]
    with pytest.raises(AccessDeniedError):
        neither.pack("notes", 2)


def test_deny_beats_allow() -> None:
    bp = store()
    node = bp.node("n", reads=["**", "hr.plan"], writes=["hr.plan"], denies=["hr.**"])
    with pytest.raises(AccessDeniedError):
        node["hr.plan"]
    with pytest.raises(AccessDeniedError):
        node.pack("hr.plan", 1)
    assert bp["hr.plan"] == SECRET
    assert node["notes"] == "n"


@pytest.mark.parametrize(
    ("pattern", "allowed", "refused"),
    [
        ("sales.**", ["sales.a", "sales.b.c"], ["sales", "notes"]),
        ("sales.*", ["sales.a"], ["sales", "sales.b.c", "notes"]),
        ("sales", ["sales"], ["sales.a", "sales.b.c"]),
        ("sales.a", ["sales.a"], ["sales", "sales.b.c"]),
        ("*", ["sales", "notes"], ["sales.a", "hr.plan"]),
        ("**", ["sales", "notes", "sales.a", "sales.b.c", "hr.plan"], []),
        ("sales.?", [], ["sales.a"]),
        ("[sn]*", [], ["sales", "notes"]),
        ("SALES.**", [], ["sales.a"]),
    ],
)
def test_patterns_know_segments_and_nothing_of_shells(pattern: str, allowed: list[str], refused: list[str]) -> None:
    bp = store()
    try:
        reader, writer = bp.node("r", reads=[pattern]), bp.node("w", writes=[pattern])
    except ValueError:
        assert not allowed
        return
    for key in allowed:
        assert reader[key] == bp[key]
        writer.pack(key, bp[key])
    for key in refused:
        assert key not in reader
        with pytest.raises(AccessDeniedError):
            reader.unpack(key)
        with pytest.raises(AccessDeniedError):
            writer.pack(key, 1)


def test_an_empty_pattern_is_refused() -> None:
    for argument in ("reads", "writes", "denies"):
        with pytest.raises(ValueError, match=r"."):
            store().node("n", **{argument: [""]})


def test_a_bare_string_of_patterns_is_one_pattern_or_refused_but_never_letters() -> None:
    bp = Backpack({"a": 1, "*": 2, "**": 3})
    try:
        node = bp.node("n", reads="a.**")
    except (TypeError, ValueError):
        return
    with pytest.raises(AccessDeniedError):
        node["a"]


def test_patterns_are_copied_when_the_node_is_made() -> None:
    bp = store()
    reads, writes, denies = ["notes"], ["notes"], ["hr.**"]
    node = bp.node("n", reads=reads, writes=writes, denies=denies)
    reads.append("hr.plan")
    writes.append("hr.plan")
    denies.clear()
    with pytest.raises(AccessDeniedError):
        node["hr.plan"]
    with pytest.raises(AccessDeniedError):
        node.pack("hr.plan", 1)
    assert node["notes"] == "n"


def test_permissions_edited_between_check_and_commit_change_nothing() -> None:
    bp = store()
    writes = ["notes"]
    node = bp.node("n", writes=writes)
    with pytest.raises(AccessDeniedError), node.transaction() as tx:
        tx.pack("notes", "edited")
        writes.append("hr.plan")
        tx.pack("hr.plan", "edited")
    assert bp["notes"] == "n"
    assert bp["hr.plan"] == SECRET


def test_a_node_offers_no_attribute_that_widens_its_rights() -> None:
    bp = store()
    node = bp.node("n", reads=["notes"], writes=["notes"])
    for name in ("reads", "writes", "denies", "name", "namespace"):
        try:
            setattr(node, name, ("**",) if name != "namespace" else "")
        except (AttributeError, TypeError):
            continue
    with pytest.raises(AccessDeniedError):
        node["hr.plan"]
    with pytest.raises(AccessDeniedError):
        node.pack("hr.plan", 1)
    for name in dir(node):
        if not name.startswith("_"):
            assert getattr(node, name, None) is not bp


def test_a_node_makes_no_node_with_more_rights_than_its_own() -> None:
    node = store().node("n", reads=["notes"], writes=["notes"])
    for name in ("node", "as_node"):
        make = getattr(node, name, None)
        if make is None:
            continue
        try:
            other = make("other")
            read = other["hr.plan"]
        except (BackpackError, TypeError, AttributeError):
            continue
        assert read != SECRET


# -- ways around: reading ----------------------------------------------------------------------------------


def clerk(bp: Any) -> Any:
    return bp.node("clerk", reads=["sales.**", "notes"], writes=["sales.**", "mine"])


def busy() -> tuple[Any, Any]:
    """A store with a past in which secrets came and went, and a clerk who may not know of them."""
    bp = store()
    bp.pack("hr.plan", SECRET + "2", node="boss", message="to hr")
    bp.update({"hr.other": SECRET, "sales.a": 5}, node="boss")
    bp.pack("notes", "n2")
    bp.delete("hr.other")
    bp.pack("sales.a", 6)
    return bp, clerk(bp)


def test_an_unreadable_key_raises_on_single_reads() -> None:
    _, node = busy()
    for read in (node.__getitem__, node.unpack, node.item, node.unpack_required, node.peek, node.blame):
        with pytest.raises(AccessDeniedError):
            read("hr.plan")


def test_an_unreadable_key_is_absent_from_in_len_iteration_and_select() -> None:
    bp, node = busy()
    assert "hr.plan" not in node
    assert set(node) == {"sales.a", "sales.b.c", "notes"}
    assert len(node) == 3
    assert set(node.keys()) == {"sales.a", "sales.b.c", "notes"}
    assert SECRET not in repr(list(node.values()))
    assert dict(node.items()) == {"sales.a": 6, "sales.b.c": 2, "notes": "n2"}
    for pattern in ("**", "hr.*", "hr.plan", "*"):
        assert not any(key.startswith("hr") for key in node.select(pattern))
    assert len(bp) == 5


def test_get_and_default_reads_give_no_way_around() -> None:
    _, node = busy()
    for read in (
        lambda: node.get("hr.plan"),
        lambda: node.unpack("hr.plan", "d"),
        lambda: node.setdefault("hr.plan", 1),
    ):
        try:
            assert read() in (None, "d")
        except AccessDeniedError:
            continue


def test_a_denied_key_looks_the_same_whether_or_not_it_exists() -> None:
    bp = store()
    node = bp.node("n", denies=["hr.**"])

    def story(key: str) -> list[Any]:
        told: list[Any] = [key in node, node.select(key)]
        for act in (
            lambda: node[key],
            lambda: node.unpack(key),
            lambda: node.unpack(key, "default"),
            lambda: node.peek(key),
            lambda: node.item(key),
            lambda: node.blame(key),
            lambda: node.version(key),
            lambda: node.delete(key),
            lambda: node.append(key, 1),
            lambda: node.pack(key, 1),
            lambda: node.quarantine(key, reason="r"),
            lambda: node.release(key),
            lambda: node.pop(key),
            lambda: list(node.history(key)),
            lambda: node.snapshot().unpack(key),
            lambda: node.snapshot()[key],
        ):
            try:
                told.append(act())
            except Exception as error:
                told.append((type(error), str(error).replace(key, "KEY")))
        return told

    assert story("hr.plan") == story("hr.none")


def test_a_snapshot_through_a_node_is_filtered() -> None:
    _, node = busy()
    for at in (1, 3, None, "HEAD~2"):
        snapshot = node.snapshot(at)
        assert set(snapshot) <= {"sales.a", "sales.b.c", "notes"}
        assert len(snapshot) == len(set(snapshot))
        assert "hr.plan" not in snapshot
        assert SECRET not in repr(snapshot.to_dict())
        assert not any(key.startswith("hr") for key in snapshot.select("**"))
        for read in (snapshot.__getitem__, snapshot.item, snapshot.unpack):
            try:
                found = read("hr.plan")
            except (AccessDeniedError, KeyNotFoundError):
                continue
            assert found is None
    assert asyncio.run(node.asnapshot())["sales.a"] == 6
    assert "hr.plan" not in asyncio.run(node.asnapshot())
    before = list(inspect.signature(node.snapshot_before).parameters)
    found = node.snapshot_before("boss") if before[0] == "node" else node.snapshot_before()
    assert set(found or ()) <= {"sales.a", "sales.b.c", "notes"}


def test_a_diff_through_a_node_is_filtered() -> None:
    _, node = busy()
    for diff in (node.diff(0), node.diff(1), node.diff(1, 3), node.snapshot(1).diff(node.snapshot()), node.diff(4, 0)):
        told = {*diff.added, *diff.removed, *diff.changed}
        assert not any(key.startswith("hr") for key in told)
        assert SECRET not in everything_in(diff)
    assert set(node.diff(1).changed) == {"sales.a", "notes"}


def test_history_and_commits_through_a_node_are_filtered() -> None:
    _, node = busy()
    for commit in node.history():
        assert not any(key.startswith("hr") for key in commit.changes)
    assert {key for commit in node.history() for key in commit.changes} == {"sales.a", "sales.b.c", "notes"}
    for at in (1, 2, 3, 5, "HEAD"):
        try:
            commit = node.commit(at)
        except BackpackError:
            continue
        assert not any(key.startswith("hr") for key in commit.changes)
    try:
        found = list(node.history("hr.plan"))
    except AccessDeniedError:
        return
    assert found == []


def test_the_commit_of_an_item_or_a_snapshot_does_not_tell_of_other_keys() -> None:
    _, node = busy()
    for commit in (node.item("sales.b.c").commit, node.snapshot(3).commit, node.blame("sales.b.c"), node.head):
        if commit is not None:
            assert not any(key.startswith("hr") for key in commit.changes)


def test_bisect_through_a_node_sees_filtered_snapshots() -> None:
    _, node = busy()
    seen: list[Any] = []

    def predicate(snapshot: Any) -> bool:
        seen.extend(snapshot)
        return "notes" in snapshot and snapshot["notes"] == "n2"

    assert node.bisect(predicate).seq == 4
    assert not any(key.startswith("hr") for key in seen)


def test_events_through_a_node_are_filtered() -> None:
    bp, node = busy()
    seen: list[Any] = []
    node.subscribe(seen.append)
    bp.pack("hr.plan", 1)
    bp.update({"hr.plan": 2, "sales.a": 7})
    bp.unpack("hr.plan")
    bp.delete("hr.plan")
    bp.pack("sales.a", 8)
    assert any("sales.a" in event_keys(event) for event in seen)
    for event in seen:
        assert not any(key.startswith("hr") for key in event_keys(event))
        assert "hr.plan" not in repr(event)


def test_quarantined_through_a_node_is_filtered() -> None:
    bp, node = busy()
    bp.quarantine("hr.plan", reason="doubt")
    assert "hr.plan" not in repr(node.quarantined())


def test_the_largest_keys_through_a_node_are_filtered() -> None:
    _, node = busy()
    usage = getattr(node, "memory_usage", None)
    if usage is None:
        return
    try:
        found = usage()
    except BackpackError:
        return
    assert "hr.plan" not in str(found)
    assert "hr.plan" not in repr(found.largest_keys)


def test_the_answer_of_a_write_tells_nothing_of_the_previous_value() -> None:
    bp = store()
    node = bp.node("blind", reads=[], writes=["**"])
    for commit in (node.pack("hr.plan", 1), node.update({"hr.plan": 2, "notes": 3})):
        assert SECRET not in everything_in(commit)
    bp.pack("hr.plan", SECRET)
    for act in (lambda: node.pop("hr.plan"), lambda: node.setdefault("hr.plan", 1), lambda: node.popitem()):
        try:
            assert act() != SECRET
        except (AccessDeniedError, KeyError, AttributeError):
            continue
    with pytest.raises(AccessDeniedError), node.transaction() as tx:
        tx.pack("notes", 1)
        tx.unpack("hr.plan")


def test_a_transaction_of_a_node_reads_only_what_the_node_may() -> None:
    _, node = busy()
    with node.transaction() as tx:
        tx.pack("sales.x", 1)
        assert tx.unpack("sales.a") == 6
        for read in (lambda: tx.unpack("hr.plan"), lambda: tx["hr.plan"], lambda: tx.peek("hr.plan")):
            try:
                found = read()
            except (AccessDeniedError, AttributeError, TypeError):
                continue
            assert found is None


def test_forks_and_replays_of_a_node_show_no_secrets() -> None:
    _, node = busy()
    for make in (lambda: node.fork(), lambda: node.fork(2), lambda: node.replay(1), lambda: node.snapshot().fork()):
        try:
            made = make()
        except (AccessDeniedError, AttributeError, TypeError):
            continue
        found = []
        try:
            found = [made.unpack(key) for key in ("hr.plan", "hr.other")]
            found += list(made.snapshot(1).values())
        except (AccessDeniedError, KeyNotFoundError):
            pass
        assert SECRET not in repr(found)
        assert not any(key.startswith("hr") for key in made)


def test_an_export_of_a_node_holds_no_secrets(tmp_path: Path) -> None:
    _, node = busy()
    file = tmp_path / "export"
    export = getattr(node, "export", None)
    if export is None:
        return
    try:
        export(file)
    except (AccessDeniedError, AttributeError, TypeError):
        return
    loaded = Backpack.load(file)
    assert "hr.plan" not in loaded
    assert SECRET.encode() not in file.read_bytes()
    for commit in loaded.history():
        assert "hr.plan" not in loaded.snapshot(commit)


def test_a_node_s_repr_and_errors_name_no_forbidden_keys() -> None:
    _, node = busy()
    assert "hr.plan" not in repr(node)
    texts = []
    for act in (
        lambda: node.restore(1),
        lambda: node.restore(0),
        lambda: node.clear(),
        lambda: node.fork(1),
        lambda: node.replay(1),
        lambda: node.purge("**"),
        lambda: node.unpack("nothing.there"),
        lambda: node["sales.nothing"],
        lambda: node.snapshot("no such"),
    ):
        try:
            act()
        except (BackpackError, AttributeError, TypeError) as error:
            texts.append(f"{error} {error!r} {vars(error)}")
    assert not any("hr." in text for text in texts)


# -- ways around: writing ----------------------------------------------------------------------------------


def forbidden_writes(node: Any) -> dict[str, Callable[[], Any]]:
    def in_transaction() -> Any:
        with node.transaction() as tx:
            tx.pack("mine", "edited")
            tx.pack("hr.plan", "edited")

    def delete_in_transaction() -> Any:
        with node.transaction() as tx:
            tx.pack("mine", "edited")
            tx.delete("hr.plan")

    def set_item() -> None:
        node["hr.plan"] = "edited"

    def del_item() -> None:
        del node["hr.plan"]

    async def in_async_transaction() -> None:
        async with node.transaction() as tx:
            tx.pack("mine", "edited")
            tx.pack("hr.plan", "edited")

    return {
        "pack": lambda: node.pack("hr.plan", "edited"),
        "[]=": set_item,
        "append": lambda: node.append("hr.plan", "edited"),
        "delete": lambda: node.delete("hr.plan"),
        "del": del_item,
        "pop": lambda: node.pop("hr.plan"),
        "update": lambda: node.update({"mine": "edited", "hr.plan": "edited"}),
        "transaction": in_transaction,
        "delete in a transaction": delete_in_transaction,
        "async transaction": lambda: asyncio.run(in_async_transaction()),
        "quarantine": lambda: node.quarantine("hr.plan", reason="mine"),
        "apack": lambda: asyncio.run(node.apack("hr.plan", "edited")),
        "aappend": lambda: asyncio.run(node.aappend("hr.plan", "edited")),
        "adelete": lambda: asyncio.run(node.adelete("hr.plan")),
        "write of a readable key": lambda: node.pack("notes", "edited"),
        "delete of a readable key": lambda: node.delete("notes"),
        "update of a readable key": lambda: node.update({"mine": "edited", "notes": "edited"}),
        "restore of a forbidden key": lambda: node.restore(1, keys=["hr.plan"]),
        "restore of a readable key": lambda: node.restore(1, keys=["notes"]),
    }


@pytest.mark.parametrize("way", forbidden_writes(None))
def test_a_forbidden_write_raises_changes_nothing_and_is_told(way: str) -> None:
    bp, node = busy()
    before, seq = dict(bp), bp.head.seq
    denied: list[Any] = []
    bp.subscribe(denied.append, kinds=["denied"])
    with pytest.raises(AccessDeniedError):
        forbidden_writes(node)[way]()
    assert dict(bp) == before
    assert bp.head.seq == seq
    assert denied, "a denied write was lost in silence"


def test_restore_clear_and_popitem_through_a_node_write_no_forbidden_key() -> None:
    for act in (
        lambda node: node.restore(0),
        lambda node: node.restore(1),
        lambda node: node.clear(),
        lambda node: node.popitem(),
    ):
        bp, node = busy()
        before = {key: bp[key] for key in ("hr.plan", "notes", "sales")}
        try:
            act(node)
        except AccessDeniedError:
            assert bp.head.seq == 6
        assert {key: bp[key] for key in before} == before


def test_release_and_purge_through_a_node_touch_no_forbidden_key() -> None:
    bp, node = busy()
    bp.quarantine("hr.plan", reason="doubt")
    with pytest.raises(AccessDeniedError):
        node.release("hr.plan")
    assert "hr.plan" not in bp
    bp.release("hr.plan")
    for pattern in ("hr.**", "**", "hr.plan", "notes"):
        with contextlib.suppress(AccessDeniedError, AttributeError):
            node.purge(pattern)
    assert bp["hr.plan"] == SECRET + "2"
    assert bp["notes"] == "n2"


def test_replay_and_fork_through_a_node_leave_the_original_alone() -> None:
    bp, node = busy()
    before = dict(bp)
    for make in (lambda: node.replay(1, replace={2: {"hr.plan": "x"}}), lambda: node.fork(1)):
        try:
            made = make()
            made.pack("hr.plan", "x")
        except (AccessDeniedError, BackpackError, AttributeError, TypeError):
            continue
    assert dict(bp) == before


def test_a_node_may_write_where_it_may_not_read() -> None:
    bp = store()
    node = bp.node("blind", reads=[], writes=["box.**"])
    node.pack("box.a", 1)
    assert bp["box.a"] == 1
    with pytest.raises(AccessDeniedError):
        node["box.a"]


def test_a_node_cannot_be_told_from_a_store_that_holds_only_what_it_may_see() -> None:
    _, node = busy()
    assert holds(node, {"sales.a": 6, "sales.b.c": 2, "notes": "n2"})
    assert same(node.select("sales.**"), {"sales.a": 6, "sales.b.c": 2})


def test_a_key_that_a_node_may_read_tells_version_and_item() -> None:
    _, node = busy()
    assert node.version("sales.a") == 3
    assert node.item("sales.a").value == 6
    assert node.item("sales.a").version == 3


# -- what a namespaced node is given ----------------------------------------------------------------------


def test_all_keys_that_a_namespaced_node_is_given_are_relative() -> None:
    bp = store()
    node = bp.node("n", namespace="sales")
    first = bp.head
    commit = node.update({"a": 5, "new": 1})
    assert set(commit.changes) == {"a", "new"}
    assert set(bp.commit(commit).changes) == {"sales.a", "sales.new"}
    assert node.commit(commit) == bp.commit(commit) == node.head
    assert set(node.head.changes) == {"a", "new"}
    assert [set(one.changes) for one in node.history()] == [{"a", "new"}, {"a", "b.c"}]
    assert [one.seq for one in node.history("a")] == [2, 1]
    snapshot = node.snapshot(first)
    assert snapshot.to_dict() == {"a": 1, "b.c": 2} == dict(snapshot)
    assert list(snapshot) == ["a", "b.c"]
    assert "a" in snapshot and "sales.a" not in snapshot and "hr.plan" not in snapshot
    assert snapshot.unpack("a") == snapshot["a"] == snapshot.get("a") == 1
    assert snapshot.unpack("sales.a") is None
    assert snapshot.select("*") == {"a": 1}
    assert snapshot.select("**") == {"a": 1, "b.c": 2}
    assert set(snapshot.commit.changes) == {"a", "b.c"}
    item = snapshot.item("a")
    assert (item.key, item.value, set(item.commit.changes)) == ("a", 1, {"a", "b.c"})
    assert set(node.blame("a").changes) == set(node.item("a").commit.changes) == {"a", "new"}
    diff = node.diff(first)
    assert (set(diff.added), set(diff.changed), set(diff.removed)) == ({"new"}, {"a"}, set())
    assert (diff.changed["a"].old, diff.changed["a"].new, diff.changed["a"].key) == (1, 5, "a")
    assert set(diff.changed["a"].commit.changes) == {"a", "new"}
    assert set(node.restore(first).changes) == {"a", "new"}
    assert asyncio.run(node.asnapshot(first)).to_dict() == {"a": 1, "b.c": 2}
    assert node.snapshot_before().to_dict() == {"a": 1, "b.c": 2}
    assert node.bisect(lambda found: "new" in found, bad=2).seq == 2


def test_events_of_a_namespaced_node_have_relative_keys() -> None:
    bp = store()
    node = bp.node("n", namespace="sales", denies=["sales.secret"])
    seen: list[Any] = []
    fitting: list[Any] = []
    node.subscribe(seen.append)
    node.subscribe(fitting.append, key="b.*")
    bp.pack("hr.plan", 1)
    bp.update({"hr.plan": 2, "sales.a": 7})
    node.pack("b.c", 8)
    with pytest.raises(AccessDeniedError):
        node.pack("secret", 1)
    assert [(event.kind, event.keys) for event in seen] == [
        ("commit", ("a",)),
        ("pack", ("b.c",)),
        ("denied", ("secret",)),
    ]
    assert [set(event.commit.changes) for event in seen[:2]] == [{"a"}, {"b.c"}]
    assert [event.keys for event in fitting] == [("b.c",)]


def test_a_large_value_out_of_reach_is_told_by_its_relative_key() -> None:
    bp = Backpack(max_value_size=50)
    node = bp.node("n", namespace="sales")
    first = node.pack("a", "x" * 100)
    node.pack("a", 1)
    snapshot = node.snapshot(first)
    found = snapshot.unpack("a")
    assert (found.key, found.reason, set(found.commit.changes)) == ("a", "dropped", {"a"})
    with pytest.raises(BackpackError):
        snapshot["a"]


def test_a_snapshot_of_a_node_is_compared_with_that_of_another_as_each_shows_it() -> None:
    bp = store()
    sales = bp.node("n", namespace="sales").snapshot()
    clerk_s = clerk(bp).snapshot()
    assert set(clerk_s.diff(bp.snapshot()).added) == {"hr.plan", "sales"}
    assert set(bp.snapshot().diff(clerk_s).removed) == {"hr.plan", "sales"}
    assert set(sales.diff(clerk_s).removed) == {"a", "b.c"}


# -- the verbs of the store --------------------------------------------------------------------------------


def test_a_node_has_every_verb_of_the_store_but_those_that_end_it_or_hand_it_on() -> None:
    node = Backpack().node("n")
    missing = {name for name in dir(Backpack) if not name.startswith("_") and not hasattr(node, name)}
    assert missing == {"close", "aclose", "load", "node", "as_node", "health", "recovery", "compact", "refresh"}


def test_what_hands_out_the_whole_store_wants_the_right_to_read_everything(tmp_path: Path) -> None:
    bp = store()
    bp.pack("notes", "later")
    for limited in (clerk(bp), bp.node("n", namespace="sales"), bp.node("n", denies=["hr.**"]), bp.node("n", reads=[])):
        for act in (
            limited.fork,
            lambda limited=limited: limited.replay(1),
            lambda limited=limited: limited.export(tmp_path / "export"),
        ):
            with pytest.raises(AccessDeniedError):
                act()
    assert list(tmp_path.iterdir()) == []
    reader = bp.node("reader", writes=[])
    assert dict(reader.fork(1)) == {**bp, "notes": "n"}
    assert dict(reader.replay(1, skip=[2])) == {**bp, "notes": "n"}
    reader.export(tmp_path / "export")
    assert dict(Backpack.load(tmp_path / "export")) == dict(bp)


def test_what_takes_from_everybody_wants_the_right_to_write_everything() -> None:
    bp = store()
    bp.checkpoint("here")
    for limited in (clerk(bp), bp.node("n", namespace="sales"), bp.node("n", denies=["hr.**"])):
        for act in (
            limited.prune,
            lambda limited=limited: limited.configure(max_history_size=1),
            lambda limited=limited: limited.delete_checkpoint("here"),
        ):
            with pytest.raises(AccessDeniedError):
                act()
    assert bp.checkpoints()
    blind = bp.node("blind", reads=[])
    blind.configure(max_history_size=10_000)
    assert blind.limits.max_history_size == bp.limits.max_history_size == 10_000
    assert blind.prune() == 0
    blind.delete_checkpoint("here")
    assert not bp.checkpoints()


def test_a_node_that_may_write_something_may_set_a_checkpoint() -> None:
    bp, node = busy()
    with pytest.raises(AccessDeniedError):
        bp.node("reader", writes=[]).checkpoint("mine")
    made = node.checkpoint("mine", at=3, notes="why")
    assert (made.name, made.notes, made.seq) == ("mine", "why", 3)
    assert set(made.commit.changes) == {"sales.a"}
    assert [set(one.commit.changes) for one in node.checkpoints()] == [{"sales.a"}]
    assert node.snapshot("mine")["sales.a"] == 5
    assert [one.name for one in bp.checkpoints()] == ["mine"]


def test_a_purge_through_a_node_is_of_what_it_sees_and_may_write() -> None:
    bp = store()
    bp.update({"sales.a": 2, "sales.x": 3})
    node = bp.node("n", namespace="sales", writes=["sales.a", "sales.x"])
    seq = bp.head.seq
    for pattern in ("**", "b.*", "b.c"):
        with pytest.raises(AccessDeniedError):
            node.purge(pattern)
    assert bp.head.seq == seq
    assert bp.snapshot(1)["sales.b.c"] == 2
    report = node.purge("*", dry_run=True)
    assert (report.keys, report.versions, report.commit) == (("a", "x"), 3, None)
    assert node["a"] == 2
    report = node.purge("*")
    assert (report.keys, set(report.commit.changes), report.commit.node) == (("a", "x"), {"a", "x"}, "n")
    assert bp.snapshot(1).unpack("sales.a").reason == "purged"
    assert bp.snapshot(1)["hr.plan"] == SECRET
    assert bp.node("m", denies=["hr.**"]).purge("hr.**").keys == ()
    for key in ("hr.plan", "hr.none"):
        with pytest.raises(AccessDeniedError):
            bp.node("m", denies=["hr.**"]).purge(key)


def test_memory_usage_of_a_node_names_the_keys_it_sees() -> None:
    bp = store()
    node = bp.node("n", namespace="sales")
    assert {key for key, _ in node.memory_usage().largest_keys} == {"a", "b.c"}
    assert node.memory_usage(deep=True) == bp.memory_usage()
    assert "hr.plan" not in str(node.memory_usage())


def test_pop_popitem_and_setdefault_of_a_node_are_those_of_the_store() -> None:
    bp = store()
    node = bp.node("n", namespace="sales")
    assert node.popitem() == ("b.c", 2)
    assert bp.head.node == "n"
    assert node.pop("a") == 1
    assert bp.head.node == "n"
    assert node.pop("a", "default") == "default"
    with pytest.raises(KeyNotFoundError):
        node.pop("a")
    with pytest.raises(KeyNotFoundError):
        node.popitem()
    assert node.setdefault("a", 3) == 3 == node.setdefault("a", 4)
    assert bp["sales.a"] == 3
    reader = bp.node("r", writes=[])
    assert reader.setdefault("sales.a", 4) == 3
    for act in (lambda: reader.pop("sales.a"), lambda: reader.setdefault("new", 1)):
        with pytest.raises(AccessDeniedError):
            act()


def test_flush_of_a_node_is_the_store_s() -> None:
    bp = store()
    node = bp.node("n", reads=[], writes=[])
    node.flush()
    asyncio.run(node.aflush())
    bp.close()
    with pytest.raises(BackpackError):
        node.flush()
