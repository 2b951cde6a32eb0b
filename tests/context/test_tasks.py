"""Tasks add and ask at once; who is cancelled leaves the conversation and its account as the store has them."""

import asyncio
from pathlib import Path

import pytest

import backpack
from backpack.context import Usage

from .talks import assistant, fill, filler, talk, user


def test_tasks_add_at_once_and_each_message_counts_once(tmp_path: Path) -> None:
    async def run() -> None:
        conversation = talk(bp, window=4_000)
        names = [f"{name}{number}" for number in range(25) for name in "abcd"]
        await asyncio.gather(*(conversation.aadd(user(f"{name} {filler(20)}")) for name in names))
        assert sorted(one["content"].split()[0] for one in conversation.full()) == sorted(names)
        said = await conversation.acontext()
        assert conversation.tracker.count_messages(said) <= 4_000
        assert talk(bp, window=4_000).stats() == conversation.stats()

    with backpack.open(tmp_path / "store", durability="power") as bp:
        asyncio.run(run())


def test_a_long_message_is_counted_beside_the_loop(tmp_path: Path) -> None:
    async def run() -> None:
        conversation = talk(bp, window=100_000)
        await conversation.aadd(user(filler(40_000)))
        await conversation.aadd(assistant("x"), usage=Usage(40_100, 3))
        assert len(await conversation.acontext()) == 2
        assert conversation.stats().input_tokens == 40_100

    with backpack.open(tmp_path / "store") as bp:
        asyncio.run(run())


@pytest.mark.parametrize("turns", range(6))
def test_wherever_an_add_is_cancelled_the_account_is_that_of_the_store(tmp_path: Path, turns: int) -> None:
    async def run() -> None:
        conversation = talk(bp, window=4_000)
        await conversation.aadd(user("one"))
        task = asyncio.ensure_future(conversation.aadd(assistant("x" * 100_000), usage=Usage(100, 3)))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await conversation.aadd(user("two"))
        stats = conversation.stats()
        assert stats == talk(bp, window=4_000).stats()
        assert stats.input_tokens == 100 * (stats.messages - 2)

    with backpack.open(tmp_path / "store", durability="power") as bp:
        asyncio.run(run())


def test_a_summarizer_that_stops_an_iteration_has_failed_like_any_other() -> None:
    async def run() -> None:
        await asyncio.wait_for(conversation.acontext(), 5)

    conversation = talk(window=1_000, summarizer=lambda messages, target: next(iter(())))
    fill(conversation, 30)
    asyncio.run(run())
    assert conversation.was_compressed_last and "StopIteration" in str(conversation.last_error)


@pytest.mark.parametrize("turns", range(6))
def test_wherever_an_add_is_cancelled_records_of_others_are_written(tmp_path: Path, turns: int) -> None:
    async def run() -> None:
        conversation = talk(bp, window=4_000)
        await conversation.aadd(user("one"))
        bp.append("messages", user("by others"))
        await conversation.acontext()
        task = asyncio.ensure_future(conversation.aadd(user("x" * 100_000)))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await conversation.aadd(user("two"))
        assert len(bp["messages.context.records"]) == len(bp["messages"])
        assert conversation.stats() == talk(bp, window=4_000).stats()

    with backpack.open(tmp_path / "store", durability="power") as bp:
        asyncio.run(run())
