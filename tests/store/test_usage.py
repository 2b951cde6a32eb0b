"""A report of the memory says what was when it was made, and is a value: it can be copied, compared and pickled."""

import copy
import dataclasses
import pickle
import random
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack, MemoryUsage


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def filled() -> Backpack:
    bp = Backpack()
    for number in range(30):
        bp.pack(f"k{number % 7}", noise(100 + number, number))
    return bp


def everything_of(usage: MemoryUsage) -> dict[str, Any]:
    return {one.name: getattr(usage, one.name) for one in dataclasses.fields(usage)}


def change(bp: Backpack) -> None:
    bp.pack("k1", noise(5_000, 100))
    bp.pack("new", noise(9_000, 101))
    bp.delete("k2")
    bp.quarantine("k3", reason="r")


@pytest.mark.parametrize("pinned", ["nothing", "a checkpoint", "a snapshot", "a commit of many keys"])
def test_a_report_that_is_kept_does_not_change_with_what_comes_later(pinned: str) -> None:
    bp = filled()
    snapshot = bp.snapshot(12) if pinned == "a snapshot" else None
    if pinned == "a checkpoint":
        bp.checkpoint("here", at=9)
    if pinned == "a commit of many keys":
        bp.update({f"many.{number}": noise(50, 200 + number) for number in range(300)})
    asked, kept = everything_of(bp.memory_usage()), bp.memory_usage()
    change(bp)
    assert everything_of(kept) == asked
    assert everything_of(bp.memory_usage()) != asked
    del snapshot


def test_what_is_pinned_by_the_newest_commit_alone_is_known_at_once() -> None:
    bp = filled()
    kept = bp.memory_usage()
    change(bp)
    bp.configure(max_commits=1)
    assert kept.pinned_bytes == 131


def test_a_node_reports_what_was_to_be_seen_then() -> None:
    bp = filled()
    node = bp.node("n", reads=["k1", "k2", "new"])
    kept = node.memory_usage()
    asked = node.memory_usage().largest_keys
    change(bp)
    assert kept.largest_keys == asked and {key for key, _ in asked} == {"k1", "k2"}


@pytest.mark.parametrize("is_pinned", [False, True])
def test_a_report_can_be_copied_pickled_and_made_a_dict_of(is_pinned: bool) -> None:
    bp = filled()
    if is_pinned:
        bp.checkpoint("here", at=9)
    expected = everything_of(bp.memory_usage())
    for copied in (copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))):
        made = copied(bp.memory_usage())
        assert type(made) is MemoryUsage and made == bp.memory_usage()
        assert everything_of(made) == expected and str(made) == str(bp.memory_usage())
    assert dataclasses.asdict(bp.memory_usage()) == expected
    assert dataclasses.replace(bp.memory_usage(), live_bytes=1).live_bytes == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.pinned_bytes = 3  # type: ignore[misc]


def test_a_report_outlives_its_store(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        bp.pack("a", noise(100, 1))
        bp.checkpoint("here")
        usage = bp.memory_usage()
    assert usage.largest_keys == [("a", 102)] and usage.pinned_bytes == 102
