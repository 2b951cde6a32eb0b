"""What a newcomer gets wrong is told, with what to do instead."""

from pathlib import Path

import pytest

from backpack import Backpack, InvalidArgumentError, KeyNotFoundError


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
