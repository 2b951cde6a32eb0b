"""The asynchronous calls, in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from backpack import Backpack
from backpack.errors import ClosedError, KeyNotFoundError, UnstorableValueError

from .model import same


def test_apack_aappend_and_adelete_do_what_their_namesakes_do() -> None:
    async def main() -> None:
        bp = Backpack()
        commit = await bp.apack("a", [1], node="n", message="m", tags=("t",))
        assert (commit.seq, commit.node, commit.message, set(commit.tags)) == (1, "n", "m", {"t"})
        commit = await bp.aappend("a", 2, 3)
        assert commit.seq == 2
        assert same(bp["a"], [1, 2, 3])
        commit = await bp.adelete("a")
        assert commit.changes["a"].kind == "delete"
        assert "a" not in bp
        with pytest.raises(KeyNotFoundError):
            await bp.adelete("a")
        with pytest.raises(UnstorableValueError):
            await bp.apack("a", object())
        assert bp.head.seq == 3

    asyncio.run(main())


def test_an_async_transaction_is_one_commit_or_none() -> None:
    async def main() -> None:
        bp = Backpack({"a": 1})
        async with bp.transaction(node="n", message="m", tags=("t",)) as tx:
            tx.pack("a", 2)
            await asyncio.sleep(0)
            tx.pack("b", 3)
            assert bp["a"] == 1
        assert tx.commit.seq == 2
        assert tx.commit.node == "n"
        with pytest.raises(RuntimeError):
            async with bp.transaction() as tx:
                tx.pack("a", 9)
                raise RuntimeError
        assert dict(bp) == {"a": 2, "b": 3}
        async with bp.transaction() as tx:
            pass
        assert tx.commit is None

    asyncio.run(main())


def test_overlapping_async_transactions_are_each_whole() -> None:
    async def main() -> None:
        bp = Backpack()

        async def work(name: str) -> None:
            for number in range(20):
                async with bp.transaction(node=name) as tx:
                    tx.pack("x", (name, number))
                    await asyncio.sleep(0)
                    tx.pack("y", (name, number))

        await asyncio.wait_for(asyncio.gather(*(work(f"t{number}") for number in range(5))), 20)
        assert bp.head.seq == 100
        for commit in bp.history():
            snapshot = bp.snapshot(commit)
            assert snapshot["x"] == snapshot["y"]
            assert snapshot["x"][0] == commit.node

    asyncio.run(main())


def test_a_cancelled_transaction_makes_no_commit() -> None:
    async def main() -> None:
        bp = Backpack({"a": 1})

        async def work() -> None:
            async with bp.transaction() as tx:
                tx.pack("a", 2)
                await asyncio.sleep(60)

        task = asyncio.create_task(work())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert bp["a"] == 1
        assert bp.head.seq == 1
        await bp.apack("a", 3)
        assert bp["a"] == 3

    asyncio.run(main())


def test_many_tasks_pack_to_one_key_and_none_is_lost() -> None:
    async def main() -> None:
        bp = Backpack()

        async def work(name: int) -> None:
            for number in range(100):
                commit = await bp.apack("a", (name, number))
                assert bp.snapshot(commit)["a"] == (name, number)

        await asyncio.gather(*(work(name) for name in range(8)))
        assert bp.head.seq == 800
        assert bp.version("a") == 800

    asyncio.run(main())


def test_a_backpack_is_an_async_context_manager_and_closes() -> None:
    async def main() -> None:
        async with Backpack({"a": 1}) as bp:
            await bp.apack("a", 2)
            await bp.aflush()
        with pytest.raises(ClosedError):
            await bp.apack("a", 3)
        other: Any = Backpack()
        await other.aclose()
        await other.aclose()
        with pytest.raises(ClosedError):
            other.pack("a", 1)

    asyncio.run(main())


def test_synchronous_calls_work_on_the_event_loop_s_thread() -> None:
    async def main() -> None:
        bp = Backpack()
        bp.pack("a", 1)
        with bp.transaction() as tx:
            tx.pack("a", 2)
        assert (await bp.asnapshot())["a"] == 2

    asyncio.run(main())


def test_one_store_serves_several_event_loops_one_after_the_other() -> None:
    bp = Backpack()
    for number in range(3):
        asyncio.run(bp.apack("a", number))
    assert bp.head.seq == 3


def test_asnapshot_s_named_keys_are_loaded() -> None:
    async def main() -> None:
        bp = Backpack({"a": "x" * 500, "b": 1}, max_value_size=100)
        snapshot = await bp.asnapshot(keys=["a"])
        bp.pack("a", "y")
        assert snapshot["a"] == "x" * 500
        assert snapshot.commit.seq == 1

    asyncio.run(main())
