"""Values of commits that only the disk has, where what is read goes away under the reader."""

from pathlib import Path
from typing import NoReturn

import pytest

import backpack
from backpack import CommitPrunedError, CorruptionError


@pytest.mark.parametrize("value", [{"a": 1}, "x" * 2_000_000])
@pytest.mark.parametrize("has_left", [True, False])
def test_a_read_that_fails_because_the_commit_has_left_says_that_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: object, has_left: bool
) -> None:
    with backpack.open(tmp_path / "store") as bp:
        bp.pack("key", value)
        bp.pack("key", 2)
    with backpack.open(tmp_path / "store", mode="r") as bp:
        archive = bp._archive
        assert archive is not None

        def fail(*_: object) -> NoReturn:
            if has_left:
                monkeypatch.setattr(archive, "has", lambda seq: False)
            raise CorruptionError("a value points to what the segment does not hold")

        snapshot = bp.snapshot(1)
        found = snapshot._find("key")
        assert found is not None and found.is_visible
        for name in ("at_hand", "content_of"):
            monkeypatch.setattr(archive, name, fail)
        with pytest.raises(CommitPrunedError if has_left else CorruptionError):
            snapshot["key"]
        with pytest.raises(CommitPrunedError if has_left else CorruptionError):
            found.content()
