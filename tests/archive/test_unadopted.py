"""A commit that an interrupt struck between the log and memory has not happened, whatever the store does next."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack
from backpack.archive.journal import LogJournal


class Interrupt(BaseException):
    """Stands for Ctrl-C."""


def interrupted(bp: Backpack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that is written down and not adopted."""
    write = LogJournal.write

    def write_and_raise(*arguments: Any) -> None:
        write(*arguments)
        raise Interrupt

    with monkeypatch.context() as patched:
        patched.setattr(LogJournal, "write", write_and_raise)
        with pytest.raises(Interrupt), bp.transaction() as tx:
            tx.append("list", "an item that was not acknowledged")
            tx.pack("other", 1)


NEXT: dict[str, Callable[[Backpack], object]] = {
    "close": lambda bp: None,
    "pack": lambda bp: bp.pack("x", 1),
    "append": lambda bp: bp.append("list", "the next item of the list"),
    "flush": lambda bp: bp.flush(),
    "checkpoint": lambda bp: bp.checkpoint("now"),
    "delete_checkpoint": lambda bp: bp.delete_checkpoint("early"),
    "compact": lambda bp: bp.compact(),
    "purge": lambda bp: bp.purge("gone"),
    "fork": lambda bp: bp.fork(path=Path(bp._opened.folder.location()).with_name("fork")).close(),  # type: ignore[union-attr, arg-type]
}


def seen(bp: Backpack) -> tuple[Any, ...]:
    return bp.select("**"), [commit.id for commit in bp.history()], [(one.name, one.commit) for one in bp.checkpoints()]


@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.parametrize("act", NEXT)
def test_it_has_not_happened_whatever_comes_next(
    tmp_path: Path, act: str, goes_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with backpack.open(tmp_path / "store") as bp:
        bp.append("list", *["an item of the list"] * 4)
        bp.append("list", "another item of the list")
        bp.pack("gone", "to be purged")
        bp.delete("gone")
        bp.checkpoint("early", at=1)
        before = seen(bp)
        interrupted(bp, monkeypatch)
        assert seen(bp) == before
        NEXT[act](bp)
        if goes_on:
            bp.append("list", "and one more item")
            bp.pack("y", 2)
        bp._check()
        expected = seen(bp)
    assert backpack.verify(tmp_path / "store").ok
    with backpack.open(tmp_path / "store") as bp:
        assert seen(bp) == expected
        bp._check()


def test_a_flush_in_the_middle_of_a_change_takes_nothing_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = LogJournal.write

    def write_and_flush(*arguments: Any) -> None:
        write(*arguments)
        bp.flush()  # as a signal handler might

    with backpack.open(tmp_path / "store") as bp:
        with monkeypatch.context() as patched:
            patched.setattr(LogJournal, "write", write_and_flush)
            bp.update({"a": 1, "b": 2})
        bp.pack("a", 3)
    assert backpack.verify(tmp_path / "store").ok
    with backpack.open(tmp_path / "store") as bp:
        assert bp.select("**") == {"a": 3, "b": 2} and len(list(bp.history())) == 2
