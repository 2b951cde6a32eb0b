"""A store that nobody closed and nobody can reach any more does not stay locked."""

import gc
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

import backpack
from backpack import Backpack
from backpack.store import abandoned


@pytest.fixture(autouse=True)
def _collected_only_when_told() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()
    gc.collect()
    for thread in list(abandoned._closing):
        thread.join()


def test_a_store_that_was_lost_can_be_opened_again_with_all_that_was_acknowledged(tmp_path: Path) -> None:
    for seq in range(1, 6):
        bp = backpack.open(tmp_path / "store")
        assert bp.pack("count", seq).seq == seq
        del bp
    with backpack.open(tmp_path / "store") as bp:
        assert bp["count"] == 5 and bp.recovery is not None and bp.recovery.dropped_bytes == 0
        assert bp.snapshot(2)["count"] == 2
    with backpack.open(tmp_path / "store") as bp:
        assert bp.recovery is None


HOLDERS: Final[dict[str, Callable[[Backpack], object]]] = {
    "snapshot": lambda bp: bp.snapshot(1),
    "history": lambda bp: bp.history(),
    "fork": lambda bp: bp.fork(1),
    "fork of a fork": lambda bp: bp.fork(1).fork(1),
    "node": lambda bp: bp.node("planner"),
    "iterator": iter,
}


@pytest.mark.parametrize("holding", HOLDERS)
def test_a_store_that_something_still_reads_stays_locked(tmp_path: Path, holding: str) -> None:
    bp = backpack.open(tmp_path / "store")
    bp.pack("plan", ["search"])
    bp.pack("plan", ["book"])
    held = HOLDERS[holding](bp)
    del bp
    with pytest.raises(backpack.StoreLockedError, match="this very process"):
        backpack.open(tmp_path / "store")
    if isinstance(held, Backpack):
        assert held.snapshot(1)["plan"] == ["search"]
    del held
    backpack.open(tmp_path / "store").close()


def test_a_store_that_is_lost_in_a_forked_child_stays_the_parents(tmp_path: Path) -> None:
    bp = backpack.open(tmp_path / "store")
    bp.pack("plan", "search")
    child = os.fork()
    if not child:
        del bp
        gc.collect()
        os._exit(len(abandoned._closing))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    bp.pack("plan", "book")
    bp.close()
    with backpack.open(tmp_path / "store", mode="r") as bp:
        assert bp["plan"] == "book"


def test_no_thread_of_a_lost_store_stays(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    bp = backpack.open(tmp_path / "store", durability="power")
    bp.pack("plan", "search")
    del bp
    backpack.open(tmp_path / "store").close()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive(), thread


def test_a_store_that_was_closed_is_not_closed_again(tmp_path: Path) -> None:
    bp = backpack.open(tmp_path / "store")
    bp.close()
    with backpack.open(tmp_path / "store") as second:
        del bp
        gc.collect()
        assert not abandoned._closing
        second.pack("plan", "search")


def test_a_fork_of_its_own_path_that_was_lost_can_be_opened_again(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        bp.pack("plan", "search")
        fork = bp.fork(path=tmp_path / "fork")
        fork.pack("plan", "book")
        del fork
        with backpack.open(tmp_path / "fork") as again:
            assert again["plan"] == "book"


def test_no_thread_of_a_lost_store_that_was_loaded_stays(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        bp.pack("plan", "search")
        bp.export(tmp_path / "export")
    before = set(threading.enumerate())
    loaded = Backpack.load(tmp_path / "export")
    assert loaded._opened is not None
    loaded._opened.drain()
    threads = set(threading.enumerate()) - before
    assert threads
    del loaded
    gc.collect()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive(), thread


def test_a_closer_that_has_not_begun_is_not_waited_for(tmp_path: Path) -> None:
    bp = backpack.open(tmp_path / "store")
    closer = threading.Thread()
    abandoned._closing.add(closer)  # an interrupt came before it was started
    try:
        with pytest.raises(backpack.StoreLockedError):
            backpack.open(tmp_path / "store")
    finally:
        abandoned._closing.discard(closer)
        bp.close()
