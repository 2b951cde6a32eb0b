"""Values under other keys are the same bytes, whatever their form, and live as long as any key has them."""

from pathlib import Path
from random import Random

import pytest

import backpack
from backpack import Backpack
from backpack.core.commit import NO_LABEL
from backpack.errors import KeyNotFoundError
from backpack.store.copying import copy_keys

LABEL = (None, None, ())
VALUES = {"short": "x", "text": "a text " * 40, "long": "a long text " * 20_000}
VALUES |= {"bytes": Random(1).randbytes(40_000)}


def filled(bp: Backpack) -> Backpack:
    for key, value in VALUES.items():
        bp.pack(f"from.{key}", value)
    for number in range(30):
        bp.append("from.grown", f"item {number} " * 20)
    return bp


@pytest.mark.parametrize("place", ["memory", "disk", "reopened"])
def test_copies_bring_in_no_bytes_and_outlive_their_origin(tmp_path: Path, place: str) -> None:
    bp = filled(Backpack() if place == "memory" else backpack.open(tmp_path / "store"))
    if place == "reopened":
        bp.close()
        bp = backpack.open(tmp_path / "store")
    values = bp.select("from.*")
    targets = {key: key.replace("from.", "to.") for key in values}
    before = bp.memory_usage(deep=True)
    commit = copy_keys(bp, targets, LABEL)
    after = bp.memory_usage(deep=True)
    assert set(commit.changes) == set(targets.values())
    assert place == "reopened" or (after.live_bytes, after.blob_bytes) == (before.live_bytes, before.blob_bytes)
    bp._check()
    bp.append("from.grown", "more of the origin " * 9)
    bp.append("to.grown", "more of the copy " * 9)
    bp._check()
    bp.purge("from.**")
    bp._check()
    expected = {targets[key]: value for key, value in values.items()}
    expected["to.grown"] = [*values["from.grown"], "more of the copy " * 9]
    assert bp.select("**") == expected
    if place != "memory":
        bp.close()
        bp = backpack.open(tmp_path / "store")
        assert bp.select("**") == expected
        assert backpack.verify(tmp_path / "store").ok
    bp.close()


@pytest.mark.parametrize("is_reopened", [False, True])
def test_a_copy_of_a_payload_is_written_as_where_that_stands(tmp_path: Path, is_reopened: bool) -> None:
    values = {f"from.{number}": Random(number).randbytes(40_000) for number in range(5)}
    bp = backpack.open(tmp_path / "store")
    for key, value in values.items():
        bp.pack(key, value)
    if is_reopened:
        bp.close()
        bp = backpack.open(tmp_path / "store")
    bp.flush()
    size = bp.memory_usage().archive_bytes
    history = bp.memory_usage(deep=True).history_bytes
    for name in ("to", "again"):
        copy_keys(bp, {key: key.replace("from", name) for key in values}, LABEL)
        bp._check()
    bp.flush()
    assert bp.memory_usage().archive_bytes - size < 2_000
    assert is_reopened or bp.memory_usage(deep=True).history_bytes == history
    bp.pack("to.1", b"another")
    bp.purge("from.**")
    bp._check()
    expected = {key.replace("from", name): value for key, value in values.items() for name in ("to", "again")}
    expected["to.1"] = b"another"
    assert bp.select("**") == expected
    bp.close()
    assert backpack.verify(tmp_path / "store").ok
    with backpack.open(tmp_path / "store") as bp:
        assert bp.select("**") == expected
        bp._check()


def test_a_key_without_a_value_is_not_copied_and_nothing_else_is() -> None:
    bp = filled(Backpack())
    head = bp.head
    with pytest.raises(KeyNotFoundError):
        copy_keys(bp, {"from.short": "to.short", "none": "to.none"}, LABEL)
    assert bp.head == head and "to.short" not in bp
    bp._check()


def test_a_value_that_was_large_is_counted_once_however_often_it_is_copied() -> None:
    bp = Backpack({"page": "p" * 1_500}, max_value_size=1_000)
    bp.configure(max_value_size=5_000)
    for target in ("one", "two"):
        copy_keys(bp, {"page": target}, NO_LABEL)
        bp._check()
    assert bp["one"] == bp["two"] == bp["page"]
