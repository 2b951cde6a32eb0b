"""A forked child has a copy of an opened store and none of its rights: every call says so, and the parent goes on."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack
from backpack.errors import ClosedError

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]

LIMIT_S = 20


def in_child(act: Callable[[], Any]) -> Any:
    """What `act` returns or raises in a forked child; a child that hangs is killed, and that fails."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(reading)
            try:
                answer: Any = act()
            except BaseException as error:
                answer = error
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(pickle.dumps(answer))
        finally:
            os._exit(0)
    os.close(writing)
    alarm = threading.Timer(LIMIT_S, os.kill, (pid, 9))
    alarm.start()
    try:
        with os.fdopen(reading, "rb") as pipe:
            data = pipe.read()
        os.waitpid(pid, 0)
    finally:
        alarm.cancel()
    assert data, "the child did not come to an end"
    return pickle.loads(data)


CALLS: dict[str, Callable[[Backpack], Any]] = {
    "pack": lambda bp: bp.pack("a", 1),
    "setitem": lambda bp: bp.__setitem__("a", 1),
    "append": lambda bp: bp.append("list", 1),
    "delete": lambda bp: bp.delete("a"),
    "update": lambda bp: bp.update({"a": 1}),
    "clear": lambda bp: bp.clear(),
    "transaction": lambda bp: bp.transaction(),
    "unpack": lambda bp: bp.unpack("a"),
    "getitem": lambda bp: bp["a"],
    "peek": lambda bp: bp.peek("a"),
    "item": lambda bp: bp.item("a"),
    "version": lambda bp: bp.version("a"),
    "select": lambda bp: bp.select("**"),
    "read_text": lambda bp: bp.read_text("text"),
    "read_bytes": lambda bp: bp.read_bytes("text", 1),
    "contains": lambda bp: "a" in bp,
    "iter": lambda bp: list(bp),
    "len": lambda bp: len(bp),
    "pop": lambda bp: bp.pop("a"),
    "popitem": lambda bp: bp.popitem(),
    "setdefault": lambda bp: bp.setdefault("a", 1),
    "head": lambda bp: bp.head,
    "commit": lambda bp: bp.commit(1),
    "history": lambda bp: list(bp.history()),
    "blame": lambda bp: bp.blame("a"),
    "bisect": lambda bp: bp.bisect(lambda snapshot: True),
    "snapshot": lambda bp: bp.snapshot(1),
    "snapshot_before": lambda bp: bp.snapshot_before("n"),
    "diff": lambda bp: bp.diff(1),
    "restore": lambda bp: bp.restore(1),
    "fork": lambda bp: bp.fork(),
    "replay": lambda bp: bp.replay(1),
    "checkpoint": lambda bp: bp.checkpoint("name"),
    "checkpoints": lambda bp: bp.checkpoints(),
    "delete_checkpoint": lambda bp: bp.delete_checkpoint("there"),
    "memory_usage": lambda bp: bp.memory_usage(),
    "prune": lambda bp: bp.prune(),
    "configure": lambda bp: bp.configure(max_commits=5),
    "node": lambda bp: bp.node("n"),
    "subscribe": lambda bp: bp.subscribe(print),
    "quarantine": lambda bp: bp.quarantine("a", reason="r"),
    "quarantined": lambda bp: bp.quarantined(),
    "release": lambda bp: bp.release("hidden"),
    "purge": lambda bp: bp.purge("a"),
    "export": lambda bp: bp.export("/nowhere/at/all"),
    "flush": lambda bp: bp.flush(),
    "health": lambda bp: bp.health(),
    "enter": lambda bp: bp.__enter__(),
}


def filled(path: Path, mode: Any = "rw") -> Backpack:
    """A store, opened again, in which some keys sleep and a value stands in a blob."""
    bp = backpack.open(path)
    bp.update({"a": 1, "text": "one\ntwo", "list": [1], "hidden": 5, "large": "x\n" * 100_000})
    bp.checkpoint("there")
    bp.quarantine("hidden", reason="r")
    bp.pack("large", 1)
    bp.close()
    return backpack.open(path, mode)


@pytest.mark.parametrize("mode", ["rw", "r"])
def test_every_call_in_a_forked_child_raises_and_the_parent_goes_on(tmp_path: Path, mode: str) -> None:
    bp = filled(tmp_path / "store", mode)
    snapshots = [bp.snapshot(1), bp.snapshot()]
    node = bp.node("n")

    def every() -> dict[str, str]:
        answers = {}
        calls = {
            **CALLS,
            "archived snapshot": lambda _: snapshots[0]["a"],
            "archived slice": lambda _: snapshots[0].read_text("large"),
            "sleeping key of a snapshot": lambda _: snapshots[1]["text"],
            "node": lambda _: node.unpack("a"),
            "compact": lambda store: store.compact(),
        }
        for name, call in calls.items():
            try:
                answers[name] = f"returned {call(bp)!r}"
            except BaseException as error:
                answers[name] = f"{type(error).__name__}: {error}"
        bp.close()
        bp.__exit__()
        return answers

    answers = in_child(every)
    wrong = {name: answer for name, answer in answers.items() if "ClosedError" not in answer or "fork" not in answer}
    assert wrong == {}
    assert snapshots[0]["large"] == "x\n" * 100_000
    assert bp["text"] == "one\ntwo"
    if mode == "rw":
        bp.pack("a", 2)
        bp.flush()
    bp.close()
    again = backpack.open(tmp_path / "store")
    assert again.recovery is None
    assert again["a"] == (2 if mode == "rw" else 1)
    again._check()
    again.close()


def test_a_child_does_not_wait_for_a_lock_that_another_thread_had(tmp_path: Path) -> None:
    bp = filled(tmp_path / "store")
    snapshot = bp.snapshot()
    has_lock, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        with bp._lock:
            has_lock.set()
            may_go.wait(LIMIT_S)

    thread = threading.Thread(target=hold)
    thread.start()
    assert has_lock.wait(LIMIT_S)
    try:
        for call in (
            lambda: bp.pack("a", 2),
            lambda: bp["a"],
            lambda: bp.snapshot(),
            lambda: snapshot["text"],
            lambda: list(snapshot),
            lambda: bp.close(),
        ):
            began = time.monotonic()
            answer = in_child(call)  # type: ignore[arg-type]
            assert time.monotonic() - began < LIMIT_S / 2
            assert isinstance(answer, ClosedError | list | None)
    finally:
        may_go.set()
        thread.join()
    assert bp.pack("a", 2).seq == bp.head.seq
    bp.close()


def test_a_fork_in_the_middle_of_a_change_of_the_same_thread_leaves_both_sides_whole(tmp_path: Path) -> None:
    bp = filled(tmp_path / "store")
    with bp._lock:
        answer = in_child(lambda: bp.pack("a", 2))
        assert isinstance(answer, ClosedError)
    bp.pack("a", 3)
    bp._check()
    bp.close()


def test_the_lock_of_the_parent_outlives_its_children_and_not_the_parent(tmp_path: Path) -> None:
    path = tmp_path / "store"
    bp = filled(path)

    def attempt() -> Any:
        bp.close()
        backpack.open(path)
        return None

    answer = in_child(attempt)
    assert type(answer).__name__ == "StoreLockedError"
    assert answer.pid == os.getpid()

    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(writing)
        os.read(reading, 1)  # lives on after the parent has closed
        os._exit(0)
    bp.close()
    backpack.open(path).close()
    os.close(writing)
    os.close(reading)
    os.waitpid(pid, 0)


def test_a_child_opens_a_store_of_its_own(tmp_path: Path) -> None:
    bp = filled(tmp_path / "store")

    def act() -> Any:
        other = backpack.open(tmp_path / "other")
        other.pack("a", 1)
        other.close()
        with backpack.open(tmp_path / "store", "r") as reader:
            return reader["text"]

    answer = in_child(act)
    assert answer == "one\ntwo", answer
    assert backpack.open(tmp_path / "other")["a"] == 1
    bp.close()


def test_a_transaction_begun_before_the_fork_is_refused_in_the_child(tmp_path: Path) -> None:
    bp = filled(tmp_path / "store")

    def act() -> None:
        tx.pack("a", 5)
        tx.__exit__(None)

    tx = bp.transaction()
    with tx:
        assert isinstance(in_child(act), ClosedError)
        tx.pack("a", 9)
    assert bp["a"] == 9
    bp.close()


def test_asynchronous_calls_in_a_child_are_refused(tmp_path: Path) -> None:
    bp = filled(tmp_path / "store")
    asyncio.run(bp.apack("a", 2))
    asyncio.run(bp.aread_text("large", 1))  # the threads are there, in the parent

    for make in (
        lambda: bp.apack("a", 3),
        lambda: bp.aappend("list", 3),
        lambda: bp.adelete("a"),
        lambda: bp.asnapshot(1),
        lambda: bp.aread_text("large", 1),
        lambda: bp.aread_bytes("text"),
        lambda: bp.aflush(),
    ):
        answer = in_child(lambda make=make: asyncio.run(make()))  # type: ignore[misc]
        assert isinstance(answer, ClosedError), answer
        assert "fork" in str(answer)
    assert in_child(lambda: asyncio.run(bp.aclose())) is None
    assert bp["a"] == 2
    bp.close()
