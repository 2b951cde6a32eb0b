"""The asynchronous calls of an opened store: the thread of the loop neither syncs nor reads, and cancelling is safe."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack
from backpack.archive import opened as archive_opened
from backpack.errors import ClosedError, KeyNotFoundError, NotAListError, StorageError
from backpack.store.tasks import THREADS_MAX
from tests.interrupting import interrupted_behind

from .recording import RecordingFolder, opened, recording

KEYS = 300
LIMIT_S = 30
LATE_S = 0.05


def filled(folder: RecordingFolder, **limits: Any) -> Backpack:
    """A store, opened again, whose keys sleep, with an archived past and some blobs."""
    bp = opened(folder, max_value_size=2_000)
    for number in range(3):
        bp.update({f"key.{key}": {"number": number, "text": "word " * 20} for key in range(KEYS)})
        bp.update({"large": f"{number} line\n" * 10_000, "list": list(range(number + 5)), "long": ["item"] * 2_000})
    bp.close()
    return opened(folder, max_value_size=2_000, **limits)


def outcome(bp: Backpack, folder: RecordingFolder) -> Backpack:
    """The store, whole, closed and opened again."""
    bp._check()
    head = bp.head
    bp.close()
    again = opened(RecordingFolder(folder.inner), max_value_size=2_000)
    assert again.recovery is None
    assert again.head == head
    again._check()
    return again


class Gate:
    """Holds up whoever passes, until it is opened."""

    def __init__(self) -> None:
        self.is_reached = threading.Event()
        self.may_go = threading.Event()

    def __call__(self) -> None:
        self.is_reached.set()
        assert self.may_go.wait(LIMIT_S)


async def reached(event: threading.Event) -> None:
    """Wait for another thread without holding up the loop, and not in its pool, which tests watch."""
    while not event.is_set():
        await asyncio.sleep(0.001)


# -- the thread of the loop ----------------------------------------------------------------------------------------


def test_a_ticker_is_never_late_beside_a_hundred_cold_snapshots(tmp_path: Path) -> None:
    bp = backpack.open(tmp_path / "store")
    for number in range(30):
        bp.update({f"key.{key}": {"number": number, "text": "word " * 20} for key in range(300)})
    bp.close()

    async def main() -> float:
        bp = backpack.open(tmp_path / "store")
        latest = 0.0
        is_done = False

        async def tick() -> None:
            nonlocal latest
            while not is_done:
                began = time.perf_counter()
                await asyncio.sleep(0.005)
                latest = max(latest, time.perf_counter() - began - 0.005)

        ticker = asyncio.create_task(tick())
        snapshots = await asyncio.gather(*(bp.asnapshot(1 + number % 29) for number in range(100)))
        is_done = True
        await ticker
        for number, snapshot in enumerate(snapshots):
            assert len(snapshot) == 300
            assert snapshot["key.7"]["number"] == number % 29
        await bp.aclose()
        return latest

    gc.collect()
    gc.freeze()  # what the other tests have left is no matter of this one
    try:
        assert any(asyncio.run(main()) < LATE_S for _ in range(5))  # the machine may be busy with something else
    finally:
        gc.unfreeze()


@pytest.mark.parametrize("durability", ["process", "power"])
def test_no_sync_and_no_read_is_made_by_the_thread_of_the_loop(durability: str) -> None:
    folder = recording()
    bp = filled(folder, durability=durability)
    before = bp.head
    assert before is not None

    async def main() -> None:
        folder.record.forget()
        await bp.apack("key.1", 1)
        await bp.apack("large", "other\n" * 10_000)
        await bp.apack("large", "0 line\n" * 10_000)  # a blob that was there before
        await bp.apack("long", ["item"] * 2_001)
        await bp.aappend("list", 1, 2)
        await bp.aappend("long", "x")
        await bp.aappend("none", 1)
        await bp.adelete("key.2")
        with pytest.raises(KeyNotFoundError):
            await bp.adelete("key.2")
        with pytest.raises(NotAListError):
            await bp.aappend("key.5", 1)
        async with bp.transaction() as tx:
            tx.pack("key.3", 1)
            tx.append("long", 1)
            tx.delete("key.4")
        with pytest.raises(NotAListError):
            async with bp.transaction() as tx:
                tx.append("key.6", 1)
        node = bp.node("n")
        await node.apack("key.7", 1)
        await node.aappend("key.8.list", 1)
        await node.adelete("key.9")
        await node.asnapshot(2)
        snapshot = await bp.asnapshot(before)
        await bp.asnapshot(3, keys=["large", "key.1"])
        await bp.asnapshot(before.time)
        await bp.asnapshot()
        assert len(snapshot) == KEYS + 3
        assert await bp.aread_text("large", before, lines=(2, 2)) == "2 line\n"
        await bp.aflush()
        await bp.aclose()

    asyncio.run(main())
    me = threading.get_ident()
    for operation in ("sync", "pread"):
        assert folder.record.counts[operation]
        assert me not in folder.record.threads[operation], operation
    assert me in folder.record.threads["append"]


def test_a_loaded_snapshot_reads_nothing_more() -> None:
    folder = recording()
    bp = filled(folder)

    async def main() -> None:
        for at in (2, 4, None):
            snapshot = await bp.asnapshot(at)
            named = await bp.asnapshot(at, keys=["large"])
            folder.record.forget()
            for key in snapshot:
                if key not in ("large", "long"):
                    snapshot[key]
            assert "line" in named["large"]
            assert not folder.record.counts["pread"]

    asyncio.run(main())
    bp.close()


def test_the_pool_that_tasks_share_is_left_alone_and_the_own_one_is_small() -> None:
    folder = recording()
    bp = filled(folder)
    gate = Gate()
    before = set(threading.enumerate())

    def own_threads() -> list[threading.Thread]:
        return [one for one in threading.enumerate() if one not in before and one.name.startswith("backpack-")]

    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        folder.record.before["pread"] = gate
        tasks = [asyncio.create_task(bp.asnapshot(1 + number % 6)) for number in range(100)]
        await reached(gate.is_reached)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: 5), LIMIT_S) == 5
        assert len(own_threads()) == THREADS_MAX
        gate.may_go.set()
        assert len(await asyncio.gather(*tasks)) == 100
        await bp.aclose()

    asyncio.run(main())
    deadline = time.monotonic() + LIMIT_S
    while own_threads():
        assert time.monotonic() < deadline, "a thread outlives the store"


# -- durability ----------------------------------------------------------------------------------------------------


def test_tasks_and_threads_share_syncs() -> None:
    folder = recording()
    bp = opened(folder, durability="power")
    gate = Gate()

    async def main() -> None:
        folder.record.forget()
        folder.record.before["sync"] = gate
        first = asyncio.create_task(bp.apack("first", 0))
        await reached(gate.is_reached)
        tasks = [asyncio.create_task(bp.apack(f"task.{number}", number)) for number in range(64)]
        threads = [threading.Thread(target=bp.pack, args=(f"thread.{number}", 1)) for number in range(16)]
        flushes = [asyncio.create_task(bp.aflush()) for _ in range(8)]
        for thread in threads:
            thread.start()
        while len(bp) < 81:
            await asyncio.sleep(0.001)
        assert not any(task.done() for task in (first, *tasks, *flushes))
        gate.may_go.set()
        await asyncio.gather(first, *tasks, *flushes)
        for thread in threads:
            await asyncio.to_thread(thread.join)

    asyncio.run(main())
    assert bp.head is not None
    assert bp.head.seq == 81
    assert folder.record.counts["sync"] <= 6
    assert bp.health().unsynced_commits == 0
    outcome(bp, folder).close()


def test_a_commit_is_acknowledged_when_it_is_synced_and_seen_at_once() -> None:
    folder = recording()
    bp = opened(folder, durability="power")
    gate = Gate()

    async def main() -> None:
        folder.record.before["sync"] = gate
        task = asyncio.create_task(bp.apack("a", 1))
        await reached(gate.is_reached)
        assert bp["a"] == 1
        assert not task.done()
        gate.may_go.set()
        assert (await task).seq == 1

    asyncio.run(main())
    bp.close()


def test_a_failing_sync_reaches_everybody_who_waits() -> None:
    folder = recording()
    bp = opened(folder, durability="power")
    bp.pack("before", 1)
    gate = Gate()

    def fail() -> None:
        gate()
        raise StorageError("no sync today")

    async def main() -> None:
        errors: list[BaseException] = []

        def pack(number: int) -> None:
            try:
                bp.pack(f"thread.{number}", 1)
            except StorageError as error:
                errors.append(error)

        folder.record.before["sync"] = fail
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(bp.apack(f"task.{number}", 1)) for number in range(20)]
        await reached(gate.is_reached)
        tasks += [asyncio.create_task(bp.aappend(f"later.{number}", 1)) for number in range(20)]
        tasks += [asyncio.create_task(bp.aflush()) for _ in range(5)]
        threads = [threading.Thread(target=pack, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        while len(bp) < 46:
            await asyncio.sleep(0.001)
        gate.may_go.set()
        answers = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), LIMIT_S)
        for thread in threads:
            await asyncio.to_thread(thread.join)
        assert len(errors) == 5
        assert all(type(answer) is StorageError for answer in answers), answers
        assert len({id(answer) for answer in answers}) == len(answers)
        for act in (bp.apack("a", 1), bp.aflush(), bp.aappend("b", 1), bp.adelete("before")):
            with pytest.raises(StorageError):
                await act
        assert bp["before"] == 1
        assert not bp.health().ok
        with pytest.raises(StorageError):  # it is closed, and tells that it could not keep what it promises
            await bp.aclose()

    asyncio.run(main())
    again = opened(RecordingFolder(folder.inner))
    assert again["before"] == 1
    again._check()
    again.close()


def test_closing_does_not_wait_for_a_thread_that_has_nothing_to_do(tmp_path: Path) -> None:
    bp = backpack.open(tmp_path / "store", durability="power")
    asyncio.run(bp.apack("a", 1))
    began = time.monotonic()
    bp.close()
    assert time.monotonic() - began < 2


# -- cancelling ----------------------------------------------------------------------------------------------------

Act = Callable[[Backpack], Awaitable[Any]]


async def transaction_of(bp: Backpack) -> None:
    async with bp.transaction() as tx:
        tx.pack("key.1", 5)
        await asyncio.sleep(0)
        tx.append("long", 5)
        tx.delete("key.2")


ACTS: dict[str, Act] = {
    "apack": lambda bp: bp.apack("key.1", 1),
    "apack of a large value": lambda bp: bp.apack("large", "new\n" * 10_000),
    "aappend": lambda bp: bp.aappend("list", 1),
    "aappend to a large list": lambda bp: bp.aappend("long", 1),
    "adelete": lambda bp: bp.adelete("key.1"),
    "asnapshot": lambda bp: bp.asnapshot(2),
    "aread_text": lambda bp: bp.aread_text("large", lines=(3, 4)),
    "aflush": lambda bp: bp.aflush(),
    "transaction": transaction_of,
    "aclose": lambda bp: bp.aclose(),
}


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("operation", ["pread", "append", "sync"])
def test_cancelling_in_the_middle_of_anything_leaves_the_store_whole(name: str, operation: str) -> None:
    """Cancelled while a thread is held up in that operation; and where the act doesn't come to it, soon after."""
    folder = recording()
    bp = filled(folder, durability="power")
    gate = Gate()
    main_thread = threading.get_ident()
    head = bp.head
    assert head is not None

    def hold() -> None:
        if threading.get_ident() != main_thread:  # the loop itself is never cancelled in the middle of something
            gate()

    async def main() -> tuple[str, bool]:
        folder.record.before[operation] = hold
        task = asyncio.ensure_future(ACTS[name](bp))
        while not task.done() and not gate.is_reached.is_set():
            await asyncio.sleep(0.001)
        is_held = not task.done()
        task.cancel()
        await asyncio.sleep(0.005)
        gate.may_go.set()
        try:
            await asyncio.wait_for(task, LIMIT_S)
        except asyncio.CancelledError:
            return "cancelled", is_held
        return "done", is_held

    ended, is_held = asyncio.run(main())
    assert (ended == "cancelled") == is_held
    folder.record.before.clear()
    if name != "aclose":
        assert bp.head is not None
        assert bp.head.seq - head.seq <= 1
        bp.pack("key.5", "after")
        outcome(bp, folder).close()
    again = opened(RecordingFolder(folder.inner), max_value_size=2_000)
    again._check()
    assert again["key.5"] == "after" or name == "aclose"
    again.close()


@pytest.mark.parametrize("name", ACTS)
def test_cancelling_at_each_turn_of_the_loop_leaves_the_store_whole(name: str) -> None:
    for turns in range(8):
        folder = recording()
        bp = filled(folder, durability="power")
        head = bp.head
        assert head is not None

        async def main(bp: Backpack = bp, turns: int = turns) -> None:
            task = asyncio.ensure_future(ACTS[name](bp))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait_for(task, LIMIT_S)

        asyncio.run(main())
        if turns == 0 and name != "aclose":
            assert bp.head == head
        if name == "aclose" and turns:
            with pytest.raises(ClosedError):
                bp.pack("a", 1)
            opened(RecordingFolder(folder.inner), max_value_size=2_000).close()
        else:
            outcome(bp, folder).close()


def test_what_was_cancelled_before_it_began_has_not_happened() -> None:
    folder = recording()
    bp = filled(folder)
    gate = Gate()

    async def main() -> None:
        folder.record.before["pread"] = gate
        busy = [asyncio.create_task(bp.asnapshot(1)) for _ in range(THREADS_MAX)]
        await reached(gate.is_reached)
        waiting = [asyncio.create_task(bp.apack(f"key.{number}", 1)) for number in range(20)]
        await asyncio.sleep(0.01)
        for task in waiting:
            task.cancel()
        answers = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), LIMIT_S)
        assert all(isinstance(answer, asyncio.CancelledError) for answer in answers)
        gate.may_go.set()
        await asyncio.gather(*busy)

    head = bp.head
    asyncio.run(main())
    assert bp.head == head
    outcome(bp, folder).close()


def test_a_time_limit_is_kept_and_the_commit_stays() -> None:
    folder = recording()
    bp = opened(folder, durability="power")
    seen: list[str] = []
    bp.subscribe(lambda event: seen.append(event.kind))
    gate = Gate()

    async def main() -> None:
        folder.record.before["sync"] = gate
        for number in range(50):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.002):
                    await bp.apack("a", number)
        waiting = [turn.waits for turn in bp._opened.syncer._called.values()]  # type: ignore[union-attr]
        assert sum(map(len, waiting)) <= 1  # who gave up is forgotten
        gate.may_go.set()
        await bp.apack("a", 50)

    asyncio.run(main())
    assert seen == ["pack"] * 51
    assert bp["a"] == 50
    outcome(bp, folder).close()


def test_two_who_close_both_return_when_it_is_closed() -> None:
    folder = recording()
    bp = filled(folder)
    bp.pack("a", 1)
    gate = Gate()

    async def main() -> None:
        folder.record.before["sync"] = gate
        first = asyncio.create_task(bp.aclose())
        await reached(gate.is_reached)
        second = asyncio.create_task(bp.aclose())
        third = asyncio.create_task(asyncio.to_thread(bp.close))
        await asyncio.sleep(0.02)
        assert not first.done()
        assert not second.done()
        assert not third.done()
        gate.may_go.set()
        await asyncio.gather(first, second, third)
        opened(RecordingFolder(folder.inner)).close()
        await bp.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_what_fails_before_the_end_is_told_and_the_store_is_closed(is_cancelled: bool) -> None:
    folder = recording()
    bp = filled(folder)
    gate = Gate()

    def fail() -> None:
        gate()
        raise StorageError("the inbox can't be read")

    bp._take_leave = fail  # type: ignore[method-assign]

    async def main() -> None:
        closing = asyncio.create_task(bp.aclose())
        await reached(gate.is_reached)
        bp._take_leave = partial(Backpack._take_leave, bp)  # type: ignore[method-assign]
        if is_cancelled:
            closing.cancel()
            await asyncio.sleep(0)
        gate.may_go.set()
        with pytest.raises(asyncio.CancelledError if is_cancelled else StorageError):
            await closing

    asyncio.run(main())
    with pytest.raises(ClosedError):
        bp.pack("a", 1)
    opened(RecordingFolder(folder.inner)).close()


def test_closing_where_another_thread_has_closed_meanwhile_is_closing() -> None:
    bp = filled(recording())
    leave = bp._take_leave

    def leave_and_be_closed() -> None:
        bp._take_leave = leave  # type: ignore[method-assign]
        bp.close()

    bp._take_leave = leave_and_be_closed  # type: ignore[method-assign]
    asyncio.run(bp.aclose())
    with pytest.raises(ClosedError):
        bp.pack("a", 1)


@pytest.mark.parametrize("is_opened", [False, True])
def test_an_interrupt_leaves_no_lock_with_the_thread_of_the_loop(is_opened: bool) -> None:
    bp = opened(recording()) if is_opened else Backpack()

    def act() -> None:
        with suppress(StopIteration):
            bp.apack("a", 1).send(None)

    def is_free() -> bool:
        return bp._lock.acquire(blocking=False) and bp._lock.release() is None

    step = 1
    with ThreadPoolExecutor(1) as another:
        while interrupted_behind(step, act):
            assert another.submit(is_free).result(), step
            step += 1
    assert step > 10
    bp._check()


# -- the rest ------------------------------------------------------------------------------------------------------


def test_what_is_attributed_stays_so_in_asynchronous_calls() -> None:
    folder = recording()
    bp = filled(folder, durability="power")

    async def work(name: str) -> None:
        with bp.as_node(name):
            commits = [await bp.apack(f"key.{name}", 1)]
            commits.append(await bp.aappend("long", name))
            await asyncio.sleep(0)
            async with bp.transaction() as tx:
                tx.pack("key.1", name)
                await asyncio.sleep(0)
            assert tx.commit is not None
            commits.append(tx.commit)
            commits.append(await bp.adelete(f"key.{name}"))
        assert [commit.node for commit in commits] == [name] * 4
        assert (await bp.node(f"node {name}").apack(f"n.{name}", 1)).node == f"node {name}"
        assert (await bp.apack("key.3", 1)).node is None

    async def main() -> None:
        await asyncio.gather(*(work(str(number)) for number in range(10)))

    asyncio.run(main())
    outcome(bp, folder).close()


def test_events_come_in_the_thread_of_the_loop() -> None:
    folder = recording()
    bp = filled(folder)
    seen: list[tuple[str, int]] = []

    async def main() -> None:
        bp.subscribe(lambda event: seen.append((event.kind, threading.get_ident())))
        await bp.apack("key.1", 1)
        await bp.apack("large", "x" * 10_000)
        await bp.aappend("long", 1)
        await bp.adelete("key.2")
        await bp.aread_text("large")
        async with bp.transaction() as tx:
            tx.pack("key.3", 1)

    asyncio.run(main())
    me = threading.get_ident()
    assert seen == [(kind, me) for kind in ("pack", "pack", "pack", "delete", "unpack", "pack")]
    bp.close()


def test_a_subscriber_that_packs_is_acknowledged_when_that_is_durable() -> None:
    folder = recording()
    bp = opened(folder, durability="power")
    synced: list[int] = []

    def follow(event: Any) -> None:
        if event.key == "a":
            commit = bp.pack("b", 1)
            assert bp._opened is not None
            synced.append(bp._opened.syncer.synced - commit.seq)

    bp.subscribe(follow)
    asyncio.run(bp.apack("a", 1))
    assert synced == [0]
    bp.close()


def test_a_loop_does_not_wait_for_a_change_in_another_thread() -> None:
    folder = recording()
    bp = filled(folder)
    bp.unpack("key.1")
    gate = Gate()

    async def main() -> None:
        folder.record.before["append"] = gate
        thread = threading.Thread(target=bp.pack, args=("large", "y" * 100_000))
        thread.start()
        await reached(gate.is_reached)
        task = asyncio.create_task(bp.apack("key.1", 1))
        again = asyncio.create_task(bp.apack("key.new", list(range(1_000))))
        await asyncio.sleep(0.02)  # the loop turns
        assert not task.done()
        gate.may_go.set()
        await asyncio.wait_for(asyncio.gather(task, again), LIMIT_S)
        await asyncio.to_thread(thread.join)

    asyncio.run(main())
    outcome(bp, folder).close()


def test_asynchronous_packs_of_a_list_that_grows_cost_what_they_add() -> None:
    folder = recording()
    bp = opened(folder)

    async def main() -> None:
        items: list[Any] = []
        for number in range(300):
            items.append({"number": number, "text": "a message of some length"})
            await bp.apack("list", items)

    asyncio.run(main())
    assert bp.memory_usage().history_bytes < 300 * 200
    outcome(bp, folder).close()


def test_logs_roll_and_are_sealed_while_tasks_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_opened, "SEGMENT_SIZE", 20_000)
    monkeypatch.setattr(archive_opened, "SEAL_SIZE_MIN", 500)
    folder = recording()
    bp = opened(folder, durability="power")

    async def work(name: int) -> None:
        for number in range(40):
            await bp.apack(f"key.{name}", {"number": number, "text": "x" * 100})
            await bp.aappend("list", number)
            if number % 10 == 5:
                assert (await bp.asnapshot(max(1, number))).seq == max(1, number)

    async def main() -> None:
        folder.record.forget()
        await asyncio.gather(*(work(name) for name in range(8)))
        await bp.aclose()

    asyncio.run(main())
    me = threading.get_ident()
    assert me not in folder.record.threads["sync"]
    assert me not in folder.record.threads["pread"]
    again = opened(RecordingFolder(folder.inner))
    assert again.head is not None
    assert again.head.seq == 640
    again._check()
    again.close()


def test_a_checkpoint_is_as_durable_as_a_commit() -> None:
    folder = recording()
    bp = opened(folder, durability="power")
    bp.pack("a", 1)
    for act in (lambda: bp.checkpoint("here"), lambda: bp.delete_checkpoint("here")):
        folder.record.forget()
        act()
        assert folder.record.counts["sync"] == 1
    bp.close()
    bp = opened(folder)
    folder.record.forget()
    bp.checkpoint("here")
    assert not folder.record.counts["sync"]
    bp.close()


def test_a_cancelled_transaction_says_what_it_became() -> None:
    folder = recording()
    bp = filled(folder)
    gate = Gate()
    main_thread = threading.get_ident()
    tx = bp.transaction()

    async def act() -> None:
        async with tx:
            tx.pack("large", "new\n" * 10_000)

    async def main() -> None:
        folder.record.before["append"] = lambda: gate() if threading.get_ident() != main_thread else None
        task = asyncio.ensure_future(act())
        while not gate.is_reached.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.sleep(0)
        gate.may_go.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    folder.record.before.clear()
    assert tx.commit is not None and tx.commit == bp.head
    bp.close()
