"""One sync for all that wait: the thread that waits for tasks comes and goes."""

import asyncio
import itertools
from threading import Event, Thread
from typing import Any

import pytest

from backpack.archive import syncing
from backpack.archive.syncing import Syncer, Turn
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
    turn = syncer._called[loop] = Turn(loop)
    turn.waits.append((loop.create_future(), 1, 0))
    loop.close()
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


def test_loops_of_several_threads_are_each_told_when_their_commits_are_there() -> None:
    written = itertools.count(1)
    newest = [0]
    syncer = Syncer(lambda: newest[0], 0)
    early: list[int] = []

    async def commit(number: int) -> None:
        for turn in range(12):
            newest[0] = seq = next(written)
            waiting = asyncio.ensure_future(syncer.until(seq))
            if (number + turn) % 5 == 0:
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.wait([waiting])
            else:
                await waiting
                early.extend([seq] if syncer.synced < seq else [])

    async def many() -> None:
        await asyncio.wait_for(asyncio.gather(*map(commit, range(8))), 60)

    threads = [Thread(target=asyncio.run, args=(many(),), daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert not any(thread.is_alive() for thread in threads)
    syncer.join()
    assert not early
    assert not syncer._gathering
    assert not syncer._called


def test_who_begins_to_wait_while_join_serves_the_others_is_served_by_its_own_call() -> None:
    begun, go = Event(), Event()
    rounds = iter((1, 2))
    told: list[int] = []

    def sync() -> int:
        begun.set()
        assert go.wait(30)
        return next(rounds)

    syncer = Syncer(sync, 0)

    async def close_beside() -> None:
        early = asyncio.ensure_future(syncer.until(1))
        await asyncio.sleep(0)  # it waits, and the call of its loop is still to come: this task runs before it
        joining = Thread(target=syncer.join, daemon=True)
        joining.start()
        assert begun.wait(30)
        late = syncer.waiter(2)
        assert late is not None
        late.add_done_callback(lambda _: told.append(syncer.synced))
        go.set()
        joining.join(30)
        await asyncio.wait_for(early, 30)
        await asyncio.wait_for(late, 30)

    asyncio.run(close_beside())
    syncer.join()
    assert told == [2]


def test_the_goal_of_a_turn_is_never_less_than_what_those_wait_for_who_are_not_served() -> None:
    syncer = Syncer(lambda: 1, 1)
    loop = asyncio.new_event_loop()
    turn = Turn(loop)
    goals: list[tuple[int, int]] = []

    class Served(asyncio.Future[None]):
        def set_result(self, result: None, /) -> None:
            goals.append(turn.goal())  # as the flusher, which asks in another thread at any moment
            super().set_result(result)

    late: asyncio.Future[None] = loop.create_future()
    turn.waits += [(Served(loop=loop), 1, 0), (late, 2, 0)]
    syncer._resolve(turn, None)
    loop.close()
    assert goals == [(2, 0)] == [turn.goal()]
    assert [wait[0] for wait in turn.waits] == [late] and not late.done()


def test_a_task_that_is_interrupted_when_it_begins_to_wait_keeps_no_other_waiting() -> None:
    class Interrupt(BaseException):
        pass

    syncer = Syncer(lambda: 1, 0)

    async def interrupted_and_another(monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        real = loop.call_soon

        def strike(*arguments: Any) -> None:
            real(*arguments)
            raise Interrupt

        with monkeypatch.context() as patched:
            patched.setattr(loop, "call_soon", strike)
            with pytest.raises(Interrupt):
                syncer.waiter(1)
        waiter = syncer.waiter(1)
        assert waiter is not None
        await asyncio.wait_for(waiter, 30)

    with pytest.MonkeyPatch.context() as monkeypatch:
        asyncio.run(interrupted_and_another(monkeypatch))
    syncer.join()
    assert not syncer._gathering


def test_a_loop_that_was_closed_before_it_could_call_is_forgotten() -> None:
    syncer = Syncer(lambda: 2, 0)
    closed = asyncio.new_event_loop()
    closed.run_until_complete(_waiter_of(syncer, 1))
    closed.close()
    assert closed in syncer._gathering
    asyncio.run(_until_both(syncer))
    assert not syncer._gathering
    syncer.join()


async def _waiter_of(syncer: Syncer, seq: int) -> None:
    asyncio.get_running_loop().call_soon(syncer.waiter, seq)  # behind what ends the loop
