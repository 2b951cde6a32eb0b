"""Items that expire: what is over is gone at once, and reads begin the time anew."""

from pathlib import Path
from threading import Event
from typing import Any

import pytest
from langgraph.store.base import GetOp, PutOp, SearchOp

import backpack
from backpack import Backpack, InvalidArgumentError
from backpack.integrations.langgraph import BackpackStore
from backpack.integrations.langgraph.store_names import EXPIRY
from backpack.integrations.langgraph.store_sweeping import Sweeper

NAMESPACE = ("notes",)


class Clock:
    """A clock that somebody turns."""

    def __init__(self) -> None:
        self.minutes = 29_000_000.0

    def __call__(self) -> float:
        return self.minutes * 60


@pytest.fixture
def clock() -> Clock:
    return Clock()


def store_of(clock: Clock, where: Any = None, **ttl: Any) -> BackpackStore:
    return BackpackStore(Backpack() if where is None else where, ttl=ttl or None, clock=clock)  # type: ignore[arg-type]


def keys(store: BackpackStore, **asked: Any) -> list[str]:
    return [item.key for item in store.search((), refresh_ttl=False, **asked)]


def test_what_is_expired_is_never_returned(clock: Clock) -> None:
    store = store_of(clock)
    store.put(NAMESPACE, "short", {"text": "fox"}, ttl=1)
    store.put(NAMESPACE, "long", {"text": "fox"}, ttl=2.5)
    store.put(("ever",), "ever", {"text": "fox"})
    clock.minutes += 1
    assert store.get(NAMESPACE, "short") is None
    assert keys(store) == ["long", "ever"] == keys(store, filter={"text": "fox"})
    assert sorted(keys(store, query="fox")) == ["ever", "long"]
    assert store.list_namespaces() == [("ever",), NAMESPACE]
    clock.minutes += 1.5
    assert keys(store) == ["ever"] == keys(store, query="fox")
    assert store.list_namespaces() == [("ever",)]
    assert store.sweep_ttl() == 2
    assert store.sweep_ttl() == 0
    assert [key for key in store.bp if "notes" in key] == []


def test_vectors_of_what_is_expired_are_near_nothing(clock: Clock) -> None:
    index: Any = {"embed": lambda texts: [[1.0, float(len(text))] for text in texts]}
    store = BackpackStore(Backpack(), index=index, clock=clock)
    store.put(NAMESPACE, "short", {"text": "fox"}, ttl=1)
    store.put(NAMESPACE, "ever", {"text": "fox"})
    clock.minutes += 1
    assert keys(store, query="fox") == ["ever"]
    assert store.sweep_ttl() == 1
    assert len(store.bp) == 2


def test_a_read_begins_the_time_anew(clock: Clock) -> None:
    store = store_of(clock)
    store.put(NAMESPACE, "read", {}, ttl=10)
    store.put(NAMESPACE, "found", {}, ttl=10)
    store.put(NAMESPACE, "passed", {}, ttl=10)
    for _ in range(5):
        clock.minutes += 9
        assert store.get(NAMESPACE, "read") is not None
        assert len(store.search(NAMESPACE, limit=2)) == 2
        if store.get(NAMESPACE, "passed", refresh_ttl=False) is None:
            break
    assert keys(store) == ["read", "found"]


def test_reads_refresh_as_configured_and_as_asked(clock: Clock) -> None:
    store = store_of(clock, refresh_on_read=False, default_ttl=10)
    store.put(NAMESPACE, "k", {})
    store.put(NAMESPACE, "ever", {}, ttl=None)
    clock.minutes += 9
    store.get(NAMESPACE, "k")
    store.search(())
    clock.minutes += 0.9
    assert store.get(NAMESPACE, "k", refresh_ttl=True) is not None
    clock.minutes += 9
    assert keys(store) == ["k", "ever"]
    clock.minutes += 1
    assert keys(store) == ["ever"]


def test_a_refresh_counts_to_the_microsecond_and_is_written_now_and_then(clock: Clock) -> None:
    bp = Backpack()
    store = store_of(clock, bp)
    store.put(NAMESPACE, "k", {}, ttl=100)
    head = bp.head
    clock.minutes += 2
    store.get(NAMESPACE, "k")
    assert bp.head == head
    clock.minutes += 2
    store.get(NAMESPACE, "k")
    assert bp.head is not None and head is not None and bp.head.seq == head.seq + 1
    assert list(bp.head.changes) == [EXPIRY + "notes.:k"] and bp.version("langgraph.store.item.notes.:k") == 1
    clock.minutes += 2
    store.get(NAMESPACE, "k")
    clock.minutes += 99.9
    assert keys(store) == ["k"]
    clock.minutes += 0.1
    assert keys(store) == []


def test_a_close_writes_what_was_refreshed(clock: Clock, tmp_path: Path) -> None:
    with store_of(clock, tmp_path / "store") as store:
        store.put(NAMESPACE, "k", {}, ttl=100)
        store.put(NAMESPACE, "deleted", {}, ttl=100)
        clock.minutes += 1
        store.search(())
        store.delete(NAMESPACE, "deleted")
    with store_of(clock, tmp_path / "store") as store:
        clock.minutes += 99.5
        assert keys(store) == ["k"]
        clock.minutes += 0.5
        assert keys(store) == []


def test_a_reader_refreshes_for_itself_alone(clock: Clock, tmp_path: Path) -> None:
    with store_of(clock, tmp_path / "store") as store:
        store.put(NAMESPACE, "k", {}, ttl=10)
    with backpack.open(tmp_path / "store", mode="r") as bp:
        reader = store_of(clock, bp)
        clock.minutes += 9
        assert reader.get(NAMESPACE, "k") is not None
        clock.minutes += 9
        assert keys(reader) == ["k"]
    with store_of(clock, tmp_path / "store") as store:
        assert keys(store) == []


def test_a_put_without_a_ttl_lasts_for_ever(clock: Clock) -> None:
    store = store_of(clock)
    store.put(NAMESPACE, "k", {"n": 1}, ttl=1)
    store.put(NAMESPACE, "k", {"n": 2})
    clock.minutes += 1e6
    assert keys(store) == ["k"] and store.sweep_ttl() == 0


def test_what_was_expired_comes_back_behind_the_others(clock: Clock) -> None:
    store = store_of(clock)
    store.put(NAMESPACE, "k", {}, ttl=1)
    store.put(NAMESPACE, "j", {})
    assert keys(store) == ["k", "j"]
    clock.minutes += 1
    store.put(NAMESPACE, "k", {})
    assert keys(store) == ["j", "k"]


def test_a_restore_brings_expiries_back(clock: Clock) -> None:
    store = store_of(clock)
    store.put(NAMESPACE, "k", {}, ttl=1)
    before = store.bp.head
    store.put(NAMESPACE, "k", {})
    assert keys(store) == ["k"] and before is not None
    store.bp.restore(before)
    clock.minutes += 1
    assert keys(store) == []


@pytest.mark.parametrize("ttl", [0, -1])
def test_no_time_is_over_at_once(clock: Clock, ttl: float) -> None:
    store = store_of(clock)
    store.put(NAMESPACE, "k", {}, ttl=ttl)
    assert keys(store) == []


@pytest.mark.parametrize("ttl", ["1", True, float("nan"), float("inf"), 1e300, [1]])
def test_a_ttl_is_a_number_of_minutes(clock: Clock, ttl: Any) -> None:
    store = store_of(clock)
    with pytest.raises(InvalidArgumentError, match="a ttl is minutes"):
        store.put(NAMESPACE, "k", {}, ttl=ttl)
    with pytest.raises(InvalidArgumentError, match="a ttl is minutes"):
        store_of(clock, default_ttl=ttl)
    assert not store.bp


def test_operations_carry_their_own_wish(clock: Clock) -> None:
    store = store_of(clock)
    store.batch([PutOp(NAMESPACE, "k", {}, ttl=10), PutOp(NAMESPACE, "j", {}, ttl=10)])
    clock.minutes += 5
    store.batch([GetOp(NAMESPACE, "k", refresh_ttl=False), SearchOp(NAMESPACE, offset=1, refresh_ttl=True)])
    clock.minutes += 5
    assert keys(store) == ["j"]


def test_the_sweeper_sweeps_until_it_is_stopped(clock: Clock) -> None:
    store = store_of(clock, sweep_interval_minutes=5)
    swept = Event()
    store.bp.subscribe(lambda event: swept.set(), kinds=["commit"])
    store.put(NAMESPACE, "k", {}, ttl=1)
    assert not swept.wait(0) or swept.clear() is None
    clock.minutes += 1
    future = store.start_ttl_sweeper(0.0001)
    assert store.start_ttl_sweeper() is future
    assert swept.wait(10)
    assert store.stop_ttl_sweeper(10) and future.result(10) is None
    assert store.stop_ttl_sweeper() and not list(store.bp)


def test_without_a_ttl_nothing_is_swept_and_a_cancelled_future_ends_it(clock: Clock) -> None:
    assert store_of(clock).start_ttl_sweeper().done()
    store = store_of(clock, default_ttl=1)
    future = store.start_ttl_sweeper()
    assert future.cancel()
    thread = store._sweeper._thread
    assert thread is not None
    thread.join(10)
    assert not thread.is_alive()


def test_a_close_and_the_end_of_the_store_end_the_sweeper(clock: Clock) -> None:
    store = store_of(clock, default_ttl=1)
    store.start_ttl_sweeper()
    store.close()
    assert store._sweeper._thread is not None and not store._sweeper._thread.is_alive()
    store = store_of(clock, default_ttl=1)
    future = store.start_ttl_sweeper(0.0001)
    del store
    assert future.result(10) is None


def test_a_sweeper_that_was_cancelled_is_followed_by_another() -> None:
    is_sweeping, may_end, count = Event(), Event(), 0

    def sweep() -> bool:
        nonlocal count
        count += 1
        is_sweeping.set()
        may_end.wait(20)
        return count < 3

    sweeper = Sweeper(sweep)
    first = sweeper.start(0.0001)
    assert is_sweeping.wait(20) and first.cancel()
    second = sweeper.start(0.0001)
    assert second is not first and not second.done()
    may_end.set()
    assert second.result(20) is None and count >= 3
