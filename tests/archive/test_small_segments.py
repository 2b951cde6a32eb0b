"""Small segments become one, in the background, at closing, and where a store is never closed: nothing else changes."""

from collections.abc import Iterator
from typing import Any

import pytest

from backpack import Backpack
from backpack.archive.opened import Opened
from backpack.archive.segment import Segment
from backpack.storage.memory import MemoryFolder

from .stores import opened_in, small_segments

FULL = 40_000
States = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with small_segments(FULL):
        yield


def opened_of(bp: Backpack) -> Opened:
    assert bp._opened is not None
    return bp._opened


def segments_in(folder: MemoryFolder) -> list[str]:
    return [name for name in folder.names() if name.endswith(".seg")]


def act(bp: Backpack, number: int, states: States) -> None:
    """A commit of one kind or another."""
    key = f"k{number % 7}"
    if number % 5 == 0:
        bp.append("list", number, {"text": f"line {number}"})
    elif number % 11 == 3 and key in bp:
        bp.delete(key)
    elif number % 13 == 4:
        bp.pack("photo", bytes([number % 256]) * 1500)
    else:
        bp.pack(key, {"number": number, "text": "x" * (number % 40)})
    states.append(bp.select("**"))


def lived(folder: MemoryFolder, rounds: int, *, is_clean: bool = True) -> States:
    """A store that was opened so many times, for a commit or two."""
    states: States = [{}]
    for number in range(rounds):
        bp = opened_in(folder)
        act(bp, number, states)
        if number % 3 == 0:
            act(bp, number + 1, states)
        if number % 20 == 7:
            bp.checkpoint(f"round {number}")
        if is_clean:
            bp.close()
        else:
            bp.flush()
            opened_of(bp).close(is_clean=False)
    return states


def assert_says(bp: Backpack, states: States) -> None:
    assert bp.head is not None and bp.head.seq == len(states) - 1
    for seq, state in enumerate(states):
        assert bp.snapshot(seq).to_dict() == state, seq
    assert [commit.seq for commit in bp.history()] == list(range(len(states) - 1, 0, -1))
    bp._check()


@pytest.mark.parametrize("is_clean", [True, False])
def test_a_store_that_is_opened_many_times_has_few_segments_and_says_what_it_said(is_clean: bool) -> None:
    folder = MemoryFolder()
    states = lived(folder, 150, is_clean=is_clean)
    assert len(segments_in(folder)) < 15
    bp = opened_in(folder)
    assert_says(bp, states)
    assert bp.blame("list").seq == max(
        seq for seq in range(1, len(states)) if states[seq]["list"] != states[seq - 1].get("list")
    )
    assert {one.name for one in bp.checkpoints()} == {f"round {number}" for number in range(7, 150, 20)}
    assert bp.snapshot("round 27").to_dict() in states
    for part in opened_of(bp).archive.parts:
        assert not isinstance(part, Segment) or list(part.check()) == []


def test_versions_written_after_a_merge_are_cut_from_what_was_merged() -> None:
    folder = MemoryFolder()
    states = lived(folder, 11)
    bp = opened_in(folder)
    before = segments_in(folder)
    assert len(bp["list"]) > 2  # it is in memory now, with its places on the disk
    while opened_of(bp).merge():
        pass
    opened_of(bp).settle()
    for number in range(3):
        act(bp, number * 5, states)
    assert_says(bp, states)
    bp.close()
    assert segments_in(folder) != before
    assert_says(opened_in(folder), states)


def test_the_keeper_merges_what_wait_is_there_when_a_log_is_full() -> None:
    folder = MemoryFolder()
    with small_segments(FULL, seal_min=0), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Opened, "merge", lambda self: False)
        states = lived(folder, 40)
    assert len(segments_in(folder)) == 40
    bp = opened_in(folder)
    number = 0
    while len([part for part in opened_of(bp).archive.parts if not isinstance(part, Segment)]) < 2 and number < 900:
        act(bp, number, states)
        number += 1
    opened_of(bp).drain()
    assert len(segments_in(folder)) < 10
    assert_says(bp, states)


def test_closing_merges_once_however_many_wait() -> None:
    folder = MemoryFolder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Opened, "merge", lambda self: False)
        lived(folder, 40)
    count = 0
    merge = Opened.merge

    def counted(self: Opened) -> bool:
        nonlocal count
        count += 1
        return merge(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Opened, "merge", counted)
        bp = opened_in(folder)
        bp.pack("a", 1)
        bp.close()
    assert count == 1


def test_readers_and_forks_go_on_with_the_files_that_they_have() -> None:
    folder = MemoryFolder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Opened, "merge", lambda self: False)
        states = lived(folder, 40)
    reader, late = opened_in(folder.reader(), mode="r"), opened_in(folder.reader(), mode="r")
    bp = opened_in(folder)
    fork, snapshot = bp.fork(at=20), bp.snapshot(15)
    while opened_of(bp).merge():
        pass
    assert len(segments_in(folder)) < 8
    assert_says(reader, states)
    assert not late.refresh()  # only the files are others
    assert_says(late, states)
    assert fork.select("**") == states[20] and fork.snapshot(9).to_dict() == states[9]
    assert snapshot.to_dict() == states[15]
    act(bp, 1, states)
    assert late.refresh()
    assert_says(late, states)


def test_what_is_purged_or_compacted_after_a_merge_is_gone() -> None:
    folder = MemoryFolder()
    states = lived(folder, 60)
    bp = opened_in(folder)
    bp.purge("list")
    bp.purge("photo")
    bp.compact(keep_commits=10)
    assert "list" not in bp and bp["k1"] == states[-1]["k1"]
    bp.close()
    everything = b"".join(data for _, data in folder.walk() if data is not None)
    assert bytes([4]) * 1500 not in everything
    for number in range(30):
        bp = opened_in(folder)
        bp.pack("k1", number)
        bp.close()
    bp = opened_in(folder)
    assert bp["k1"] == 29
    assert len(segments_in(folder)) < 12
    bp._check()


def test_segments_that_are_damaged_are_left_alone_and_told() -> None:
    folder = MemoryFolder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Opened, "merge", lambda self: False)
        lived(folder, 12)
    name = segments_in(folder)[5]
    files = {name: data for name, data in folder.walk() if data is not None}
    data = bytearray(files[name])
    data[60] ^= 1
    damaged = MemoryFolder({**files, name: bytes(data)})
    bp = opened_in(damaged)
    bp.pack("k1", "after")
    opened_of(bp).drain()
    assert name in segments_in(damaged)
    health = bp.health()
    assert not health.ok and name in health.problem
    bp.close()
    again = opened_in(damaged)
    assert again["k1"] == "after"
    again.close()
