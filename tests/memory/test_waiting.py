"""Threads, subscribers and posters at the same time: nobody waits for ever."""

import faulthandler
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import pytest

import backpack
from backpack import Backpack
from backpack.memory import Memory, log_beside

TIME_MAX_S: Final = 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def bp(path: Path) -> Iterator[Backpack]:
    with backpack.open(path) as store:
        yield store


@pytest.fixture(autouse=True)
def told_who_waits() -> Iterator[None]:
    """A thread that waits for ever ends the run, with the stacks of all."""
    faulthandler.dump_traceback_later(3 * TIME_MAX_S, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def together(*works: Callable[[], object]) -> None:
    """Have each done in a thread of its own; all have to end."""
    threads = [Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIME_MAX_S)
    assert not any(thread.is_alive() for thread in threads)


def read_all(memory: Memory) -> None:
    memory.list(limit=1)
    memory.stats()
    memory.search("word")
    memory.operations()


READERS: Final[dict[str, Callable[[Memory], Any]]] = {
    "stats": lambda memory: memory.stats(),
    "search": lambda memory: memory.search("word"),
}
TAKERS: Final[dict[str, Callable[[Memory], Any]]] = {
    "delete": lambda memory: memory.delete(memory.log("mine")),
    "prune": lambda memory: memory.prune(0, 0),
    "checkpoint": lambda memory: memory.checkpoint(notes="here"),
}


@pytest.mark.parametrize("take", TAKERS)
@pytest.mark.parametrize("read", READERS)
def test_who_reads_while_another_takes_away_waits_for_nobody_who_waits_for_him(
    read: str, take: str, bp: Backpack
) -> None:
    memory = Memory(bp)
    adopting, is_reading = Event(), Event()
    real = bp._opened.adopting  # type: ignore[union-attr]

    class Watched:
        """The lock, in the hands of the one who takes away until the other one has come as far as he can."""

        def acquire(self, blocking: bool = True) -> bool:
            if blocking and adopting.is_set():
                is_reading.set()
            return real.acquire(blocking)

        def release(self) -> None:
            real.release()

        def __enter__(self) -> None:
            real.acquire()

        def __exit__(self, *_: object) -> None:
            real.release()

    memory.log("a word")
    read_all(memory)
    bp._opened.adopting = Watched()  # type: ignore[union-attr, assignment]
    rows = memory.statistics.rows

    def taking() -> None:
        with bp._letters_at_rest():
            adopting.set()
            is_reading.wait(TIME_MAX_S)
            TAKERS[take](memory)

    def reading() -> None:
        adopting.wait(TIME_MAX_S)
        READERS[read](memory)

    together(taking, reading)
    assert len(rows()) == len(memory.list())


def test_a_subscriber_may_ask_for_anything_when_letters_are_adopted(path: Path, bp: Backpack) -> None:
    memory = Memory(bp)
    memory.log("a word")
    told: list[str] = []

    def ask(event: backpack.Event) -> None:
        read_all(memory)
        told.append(event.kind)

    with bp.subscribe(ask, kinds="commit"):
        for number, read in enumerate(READERS.values()):
            log_beside(path, f"posted {number}")
            together(lambda read=read: read(memory))  # type: ignore[misc]
            assert len(told) == number + 1


def test_a_subscriber_may_ask_for_anything_while_entries_are_taken_away(bp: Backpack) -> None:
    memory = Memory(bp)
    bp.subscribe(lambda event: read_all(memory))
    stop = Event()

    def log() -> None:
        while not stop.is_set():
            memory.log("a word")

    def take() -> None:
        for number in range(20):
            TAKERS[("delete", "checkpoint", "prune")[number % 3]](memory)
        stop.set()

    together(log, take)


def test_statistics_of_reader_and_writer_have_what_was_posted(path: Path, bp: Backpack) -> None:
    memory = Memory(bp)
    memory.log("one")
    with backpack.open(path, "r") as reader:
        watching = Memory(reader)
        assert (watching.stats().entries, watching.search("two")) == (1, [])
        log_beside(path, "two")
        assert (watching.stats().entries, len(watching.search("two"))) == (2, 1)
        assert memory.stats().entries == 2
        log_beside(path, "three")
        assert memory.stats().entries == 3
        assert watching.stats().entries == 3
        assert [len(watching.search(word)) for word in ("one", "two", "three")] == [1, 1, 1]
