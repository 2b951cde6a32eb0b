"""What a newcomer gets wrong is told, with what to do instead."""

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import (
    Backpack,
    BackpackError,
    InvalidArgumentError,
    KeyNotFoundError,
    StorageError,
    UnstorableValueError,
)


@pytest.mark.parametrize("path", ["run.backpack", Path("run.backpack"), b"run"])
def test_a_path_is_for_open(path: object) -> None:
    with pytest.raises(InvalidArgumentError, match=r"backpack\.open"):
        Backpack(path)  # type: ignore[arg-type]


def test_a_transaction_that_was_not_begun_takes_no_change() -> None:
    bp = Backpack({"list": [1]})
    for change in (
        lambda tx: tx.pack("a", 1),
        lambda tx: tx.append("list", 1),
        lambda tx: tx.delete("list"),
        lambda tx: tx["list"],
    ):
        with pytest.raises(InvalidArgumentError, match="with"):
            change(bp.transaction())
    assert bp.head is not None and bp.head.seq == 1


def test_restoring_a_key_that_never_was_is_an_error_and_changes_nothing() -> None:
    bp = Backpack({"plan": 1, "gone": 2})
    bp.delete("gone")
    with pytest.raises(KeyNotFoundError, match="plam"):
        bp.restore(1, keys=["plan", "plam"])
    assert bp.head is not None and bp.head.seq == 2
    assert bp.restore(2, keys=["gone"]) is None
    commit = bp.restore(1, keys=["gone"])
    assert commit is not None and bp["gone"] == 2


class Zone(tzinfo):
    """As little of a time zone as one can write."""

    def utcoffset(self, moment: datetime | None) -> timedelta:
        raise NotImplementedError("a tzinfo subclass must implement utcoffset()")


MOMENT = datetime(2026, 1, 1, tzinfo=Zone())

MISTAKES: dict[str, Callable[[Any, Path], object]] = {
    "a path of bytes to read": lambda bp, path: backpack.open(b"x", "r"),  # type: ignore[arg-type]
    "a path of bytes": lambda bp, path: backpack.open(b"x"),  # type: ignore[arg-type]
    "no path": lambda bp, path: backpack.open(None),  # type: ignore[arg-type]
    "a path with a zero": lambda bp, path: backpack.open("a\0b", "r"),
    "a path that is too long to read": lambda bp, path: backpack.open("x" * 5000, "r"),
    "a name that is too long to read": lambda bp, path: backpack.open(path / ("x" * 300), "r"),
    "a path that is too long": lambda bp, path: backpack.open("x" * 5000),
    "verify nothing": lambda bp, path: backpack.verify(5),  # type: ignore[arg-type]
    "recover to nothing": lambda bp, path: backpack.recover(path, 5),  # type: ignore[arg-type]
    "a fork at no path": lambda bp, path: bp.fork(path=5),
    "no name of a checkpoint": lambda bp, path: bp.delete_checkpoint([]),
    "no name of a checkpoint, as a node": lambda bp, path: bp.node("n").delete_checkpoint([]),
    "replace by no mapping": lambda bp, path: bp.replay(1, replace={2: 5}),
    "replace by a list": lambda bp, path: bp.replay(1, replace=[1]),
    "skip no list": lambda bp, path: bp.replay(1, skip=5),
    "kinds that are no list": lambda bp, path: bp.subscribe(print, kinds=5),
    "kinds that are no text": lambda bp, path: bp.subscribe(print, kinds=[[], "x", 5]),
    "kinds that are no list, of a node": lambda bp, path: bp.node("n").subscribe(print, kinds=5),
    "an unknown kind, of a node": lambda bp, path: bp.node("n").subscribe(print, kinds="packs"),
    "a time zone of one's own": lambda bp, path: bp.snapshot(MOMENT),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_an_error_of_ours(name: str, tmp_path: Path) -> None:
    bp = Backpack({"a": 1})
    bp.pack("a", 2)
    with pytest.raises(BackpackError) as caught:
        MISTAKES[name](bp, tmp_path)
    assert len(str(caught.value)) > 10
    assert bp["a"] == 2 and list(tmp_path.iterdir()) == []


def test_a_time_zone_of_ones_own_is_not_stored_and_the_place_is_told() -> None:
    bp = Backpack()
    for moment in (MOMENT, MOMENT.timetz()):
        with pytest.raises(UnstorableValueError) as caught:
            bp.pack("a", {"times": [1, moment]})
        assert caught.value.path == "times[1]"


def test_one_kind_needs_no_list() -> None:
    bp = Backpack()
    seen: list[str] = []
    bp.subscribe(lambda event: seen.append(event.kind), kinds="pack")
    bp.node("n").subscribe(lambda event: seen.append(event.kind), kinds="delete")
    bp["a"] = 1
    del bp["a"]
    assert seen == ["pack", "delete"]


def test_a_file_is_no_store_and_the_error_names_load(tmp_path: Path) -> None:
    Backpack({"a": 1}).export(tmp_path / "export")
    for mode in ("rw", "r"):
        with pytest.raises(StorageError, match=r"that is a file.*Backpack\.load"):
            backpack.open(tmp_path / "export", mode)  # type: ignore[arg-type]
