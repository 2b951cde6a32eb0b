"""Beginning the next log: whatever stops it, every commit is where it was, and what comes after is found too."""

import linecache
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from backpack import Backpack, BackpackError, ClosedError, DiskFullError, StorageError
from backpack.archive import keeping, opened, writing
from backpack.storage.memory import MemoryFolder
from tests.storage.crashing import CrashingFolder

from .stores import opened_in, small_segments


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with small_segments(100_000, seal_min=0):
        yield


def test_a_compact_that_a_full_disk_refused_loses_nothing_that_comes_after_it() -> None:
    folder = CrashingFolder()
    bp = opened_in(folder)  # type: ignore[arg-type]
    bp["k"] = "old"
    folder.machine.room = 10
    with pytest.raises(DiskFullError):
        bp.compact()
    folder.machine.room = None
    for number in range(50):
        bp.pack("k", f"new {number}")
    bp.checkpoint("done")
    bp.flush()
    assert bp.health().ok
    states = {seq: bp.snapshot(seq)["k"] for seq in range(1, 52)}
    assert states[51] == "new 49"
    bp.prune()
    bp.close()
    again = opened_in(folder.machine.folder())  # type: ignore[arg-type]
    assert {seq: again.snapshot(seq)["k"] for seq in range(1, 52)} == states
    assert [checkpoint.name for checkpoint in again.checkpoints()] == ["done"]


def interrupted_at(line: int, act: Callable[[], object], codes: set[Any]) -> bool:
    """Did the act last until so many lines of these functions had run? A Ctrl-C comes at the next one."""
    count = 0

    def local(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        source = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        if event == "line" and not source.lstrip().startswith(("with ", "try:")):  # where no signal can come
            count += 1
            if count == line:
                raise KeyboardInterrupt
        return local

    def trace(frame: FrameType, *_: Any) -> Any:
        return local if frame.f_code in codes else None

    sys.settrace(trace)
    try:
        act()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
    return False


ROLL = {
    function.__code__
    for function in (
        opened.Opened._roll,
        opened.Opened.begin_tail,
        writing.Writer.begun,
        writing.Writer.take,
        keeping.Keeper.wake,
    )
}


def test_an_interrupt_at_any_line_of_it_loses_nothing_that_was_acknowledged() -> None:
    outcomes = set()
    for line in range(1, 200):
        folder = MemoryFolder()
        bp = opened_in(folder)
        bp["k"] = "old"
        was_interrupted = interrupted_at(line, bp.compact, ROLL)
        try:
            for number in range(5):
                bp.pack("k", number)
            bp.flush()
        except StorageError:
            outcomes.add("stopped")
        else:
            outcomes.add("went on")
        value, head = bp["k"], bp.head
        assert head is not None and bp.snapshot(head.seq)["k"] == value
        try:
            bp.close()
        except BackpackError:
            outcomes.add("closed with an error")
        again = opened_in(folder)
        assert again.head == head and again["k"] == value
        assert [commit.seq for commit in again.history()] == list(range(head.seq, 0, -1))
        again.close()
        if not was_interrupted:
            break
    assert line > 30 and outcomes == {"stopped", "went on", "closed with an error"}


@pytest.mark.parametrize("act", ["compact", "purge"])
def test_a_store_that_is_closed_meanwhile_keeps_every_blob(act: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = MemoryFolder()
    bp = opened_in(folder)
    for number in range(10):
        bp.pack(f"large.{number}", bytes(range(200)) * 10 + bytes([number]))
    bp.pack("person", "x" * 2000)
    is_there, may_go_on = threading.Event(), threading.Event()
    sweep = opened.Opened.sweep

    def late(self: Any, **options: Any) -> int:
        is_there.set()
        may_go_on.wait(10)
        return sweep(self, **options)

    monkeypatch.setattr(opened.Opened, "sweep", late)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            bp.compact() if act == "compact" else bp.purge("person")
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert is_there.wait(10)
    closing = threading.Thread(target=bp._opened.close)  # type: ignore[union-attr]
    closing.start()
    closing.join(10)
    assert not closing.is_alive()
    may_go_on.set()
    thread.join(10)
    assert [type(error) for error in errors] == [ClosedError]
    again: Backpack = opened_in(folder)
    for number in range(10):
        assert again[f"large.{number}"][-1] == number
