"""One sync for all that wait: the thread that waits for tasks comes and goes."""

import asyncio
from threading import Thread

import pytest

from backpack.archive import syncing
from backpack.archive.syncing import Goal, Syncer


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
