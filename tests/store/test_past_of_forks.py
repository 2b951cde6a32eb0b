"""A fork reads the files of the store that it came from, and nothing in them that came behind the fork."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack
from backpack.storage.memory import MemoryFolder
from tests.archive.stores import opened_in, small_segments

SIZE = 2_000


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with small_segments():
        yield


def forked(at: int | None) -> tuple[Backpack, Backpack]:
    """A store and a fork of it, in memory, from commit 3 on; the store goes on by itself, before or after the fork."""
    bp = opened_in(MemoryFolder())
    bp.pack("page", "0" * SIZE, node="first")
    bp.pack("bad", ["value"] * 9, node="first")
    bp.quarantine("bad", reason="wrong")
    fork = None if at is not None else bp.fork()
    for number in range(1, 9):
        bp.update({"page": str(number) * SIZE, "bad": number}, node="parent")
        bp.pack("other", "parent's", node="parent")
    return bp, bp.fork(at) if fork is None else fork


@pytest.mark.parametrize("at", [None, 3])
def test_a_large_value_that_left_its_memory_is_not_one_of_the_other_store(at: int | None) -> None:
    bp, fork = forked(at)
    for letter in "abcdefgh":
        fork.pack("page", letter * SIZE)
    for seq in range(4, 11):
        found = fork.snapshot(seq).unpack("page")
        assert found == "abcdefgh"[seq - 4] * SIZE or found.reason == "dropped"
    assert fork.snapshot(1)["page"] == "0" * SIZE
    fork.close()
    bp.close()


@pytest.mark.parametrize("at", [None, 3])
def test_its_history_has_no_commit_of_the_other_store(at: int | None) -> None:
    bp, fork = forked(at)
    for number in range(8):
        fork.pack("page", number, node="fork")
    fork.configure(max_commits=2)
    for key in (None, "page", "other"):
        assert not [commit for commit in fork.history(key) if commit.node == "parent"], key
        assert not [commit for commit in fork.history(key) if commit.seq > 3 and commit.node != "fork"], key
    assert [commit.seq for commit in fork.history()][-3:] == [3, 2, 1]
    assert fork.bisect(lambda snapshot: snapshot.get("page") == 7).seq == 11
    fork.close()
    bp.close()


@pytest.mark.parametrize("at", [None, 3])
def test_the_history_of_a_key_has_what_the_fork_did_and_what_was_before_it(at: int | None) -> None:
    bp, fork = forked(at)
    fork.pack("page", "fork's")
    fork.pack("new", "fork's")
    fork.delete("page")
    twin = fork.fork()
    twin.pack("page", "twin's")
    for one, seqs in ((fork, [6, 4, 1]), (twin, [7, 6, 4, 1])):
        assert [commit.seq for commit in one.history("page")] == seqs
        assert [commit.seq for commit in one.history("page", before=seqs[0], after=1)] == seqs[1:-1]
        assert [commit.seq for commit in one.history("page", limit=1)] == seqs[:1]
        assert [commit.seq for commit in one.history("new")] == [5]
        assert [commit.seq for commit in one.history("other")] == []
    assert [commit.seq for commit in fork.node("reader").history("page")] == [6, 4, 1]
    fork.configure(max_commits=2, prune_percentage=0.5)
    assert [commit.seq for commit in fork.history("page")] == [6, 1]
    twin.close()
    fork.close()
    bp.close()


@pytest.mark.parametrize("at", [None, 3])
def test_who_set_a_value_that_it_releases_is_known(at: int | None) -> None:
    bp, fork = forked(at)
    fork.release("bad")
    fork.pack("other", 1)
    assert fork.blame("bad").node == "first" and fork.blame("bad").seq == 2
    assert fork.snapshot().item("bad").commit == fork.blame("bad")
    fork.close()
    bp.close()


@pytest.mark.parametrize("limits", [{"max_commits": 3}, {"max_commits": 4, "prune_strategy": "least-accessed"}])
def test_a_copy_of_it_reads_no_commit_that_had_left_its_memory(tmp_path: Path, limits: dict[str, Any]) -> None:
    bp, fork = forked(3)
    states = {}
    for number in range(12):
        commit = fork.pack(f"k{number % 5}", number, node=f"n{number}")
        states[commit.seq] = fork.snapshot().to_dict()
        for seq in (4, 4, 7):
            if seq in states:
                fork.commit(seq)
    fork.configure(**limits)
    readable = {commit.seq for commit in fork.history()}
    file = io.BytesIO()
    fork.export(file)
    file.seek(0)
    with fork.fork(path=tmp_path / "copy") as one, Backpack.load(file) as other:
        for copy in (one, other):
            found = [commit.seq for commit in copy.history()]
            assert set(found) <= readable and 15 in found
            assert all(copy.snapshot(seq).to_dict() == states[seq] for seq in found)
            assert [copy.blame(f"k{number % 5}").node for number in range(7, 12)] == [f"n{n}" for n in range(7, 12)]
            copy._check()
    assert backpack.verify(tmp_path / "copy").ok
    fork.close()
    bp.close()


def test_a_copy_of_it_knows_what_it_had_deleted(tmp_path: Path) -> None:
    bp, fork = forked(3)
    fork.delete("page")
    fork.pack("other", 1)
    fork.configure(max_commits=1)
    fork.configure(max_commits=None)
    seq = fork.pack("other", 2).seq
    fork.pack("page", "made again")
    file = io.BytesIO()
    fork.export(file)
    file.seek(0)
    with fork.fork(path=tmp_path / "copy") as one, Backpack.load(file) as other:
        for copy in (fork, one, other):
            assert copy.snapshot(seq).to_dict() == {"other": 2}
            assert copy.item("page").version == 3 and copy["page"] == "made again"
            copy._check()
    fork.close()
    bp.close()
