"""What a newcomer gets wrong is told, with what to do instead."""

from pathlib import Path

import pytest

from backpack import (
    Backpack,
    InvalidArgumentError,
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
