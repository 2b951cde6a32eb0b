"""One sync for all that wait: the thread that waits for tasks comes and goes."""

import asyncio
from threading import Event, Thread

import pytest

from backpack.archive import syncing
from backpack.archive.syncing import Goal, Syncer
from backpack.errors import StorageError


def test_joining_ends_a_flusher_that_has_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncing, "_IDLE_S", 3600.0)
    syncer = Syncer(lambda: 1, 0)
    asyncio.run(syncer.until(1))
    joining = Thread(target=syncer.join, daemon=True)
    joining.start()
    joining.join(30)
    assert not joining.is_alive()


def test_a_task_whose_loop_was_closed_does_not_end_the_flusher() -> None:
    synced = iter((1, 2))
    syncer = Syncer(lambda: next(synced), 0)
    loop = asyncio.new_event_loop()
    gone: asyncio.Future[None] = loop.create_future()
    loop.close()
    syncer._waiters[gone] = Goal(1, 0), loop
    asyncio.run(asyncio.wait_for(_until_both(syncer), 30))
    syncer.join()
    assert syncer.synced == 2


async def _until_both(syncer: Syncer) -> None:
    await syncer.until(1)
    await syncer.until(2)


def test_tasks_that_are_ready_together_wait_for_one_sync() -> None:
    written: list[int] = []
    rounds: list[int] = []

    def sync() -> int:
        rounds.append(len(written))
        return len(written)

    syncer = Syncer(sync, 0)

    async def commit(count: int) -> None:
        for _ in range(count):
            written.append(1)
            await syncer.until(len(written))

    async def all_at_once() -> None:
        await asyncio.gather(*(commit(3) for _ in range(16)))

    asyncio.run(all_at_once())
    syncer.join()
    assert rounds == [16, 32, 48]


def test_joining_serves_tasks_whose_loop_has_not_called_yet() -> None:
    syncer = Syncer(lambda: 1, 0)

    async def close_beside() -> None:
        waiting = asyncio.create_task(syncer.until(1))
        closing = asyncio.create_task(_synced_when_joined(syncer))  # runs before the loop could call the flusher
        assert await asyncio.wait_for(asyncio.gather(waiting, closing), 30) == [None, 1]

    asyncio.run(close_beside())
    assert syncer._flusher is None


async def _synced_when_joined(syncer: Syncer) -> int:
    syncer.join()
    return syncer.synced


@pytest.mark.parametrize("is_settling", [False, True])
def test_a_task_that_the_round_of_a_thread_did_not_serve_has_the_next_one(
    monkeypatch: pytest.MonkeyPatch, is_settling: bool
) -> None:
    monkeypatch.setattr(syncing, "_IDLE_S", 3600.0)
    begun, go = Event(), Event()
    upto = iter((1, 2))

    def sync() -> int:
        begun.set()
        assert go.wait(30)
        return next(upto)

    syncer = Syncer(sync, 0)
    leader = Thread(target=syncer.wait, args=(1,), daemon=True)
    leader.start()
    assert begun.wait(30)

    async def wait_for_both() -> None:
        both = asyncio.gather(syncer.until(1), syncer.settled() if is_settling else syncer.until(2))
        asyncio.get_running_loop().call_later(0.01, go.set)
        await asyncio.wait_for(both, 20)

    asyncio.run(wait_for_both())
    leader.join(30)
    syncer.join()
    assert syncer.synced == 2


def test_tasks_are_told_when_no_thread_can_be_started_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    syncer = Syncer(lambda: 1, 0)

    def refuse(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def wait_twice() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(Thread, "start", refuse)
            for told in await asyncio.wait_for(
                asyncio.gather(syncer.until(1), syncer.until(1), return_exceptions=True), 20
            ):
                assert isinstance(told, StorageError)
            assert syncer._flusher is None
            syncer.join()
        await asyncio.wait_for(syncer.until(1), 20)

    asyncio.run(wait_twice())
    syncer.join()
    assert syncer.synced == 1
