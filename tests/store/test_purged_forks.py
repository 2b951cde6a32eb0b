"""A fork of an opened store is a store of its own: what is purged there is gone from it, wherever the bytes stand."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from backpack import Backpack
from backpack.errors import ValueUnavailableError
from backpack.storage.memory import MemoryFolder
from tests.archive.stores import opened_in, small_segments

SECRET = "PERSONALDATA-" * 30


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with small_segments():
        yield


def parent_of_forks() -> Backpack:
    """Some of it is sealed, some is not; the key is packed, appended to, large, deleted and in quarantine."""
    bp = opened_in(MemoryFolder())
    for number in range(40):
        bp.pack("user.mail", f"{SECRET}{number}")
        bp.append("user.log", SECRET)
        bp.pack("other", {"number": number})
    bp.pack("user.photo", SECRET * 20)
    bp.pack("user.gone", SECRET)
    bp.delete("user.gone")
    bp.pack("user.bad", SECRET)
    bp.quarantine("user.bad", reason="bad")
    bp.pack("copy", SECRET)
    return bp


def assert_is_erased(store: Backpack, upto: int) -> None:
    for seq in range(1, upto + 1):
        snapshot = store.snapshot(seq)
        for key in snapshot:
            found = snapshot.unpack(key)
            if key.startswith("user."):
                assert found.reason == "purged", (seq, key)
                with pytest.raises(ValueUnavailableError):
                    snapshot[key]
            elif key == "other":
                assert found == {"number": min((seq - 3) // 3, 39)}
    store._check()


def test_no_snapshot_of_the_fork_has_the_values() -> None:
    bp = parent_of_forks()
    fork = bp.fork()
    forked_at = bp.head.seq
    fork.pack("user.mail", "new in the fork")
    before = fork.snapshot(2)
    assert before["user.mail"] == SECRET + "0"
    item = before.item("user.mail")
    fork.purge("user.**")
    assert_is_erased(fork, forked_at)
    with pytest.raises(ValueUnavailableError):
        _ = item.value
    assert [key for key in fork if key.startswith("user")] == [] and fork["copy"] == SECRET


def test_the_parent_and_other_forks_keep_theirs() -> None:
    bp = parent_of_forks()
    fork, other = bp.fork(), bp.fork()
    fork.purge("user.**")
    for store in (bp, other):
        assert store["user.photo"] == SECRET * 20
        assert store.snapshot(1)["user.mail"] == SECRET + "0"


def test_it_counts_what_a_purge_of_the_opened_store_counts() -> None:
    bp = parent_of_forks()
    fork, awake = bp.fork(), bp.fork()
    awake.select("**")
    expected = bp.purge("user.**", dry_run=True)
    for store in (fork, awake):
        for report in (store.purge("user.**", dry_run=True), store.purge("user.**")):
            assert (report.keys, report.versions, report.size) == (expected.keys, expected.versions, expected.size)
        assert store.purge("user.**").versions == 0
    early = bp.fork(1)
    assert early.purge("user.**", dry_run=True).versions == 1
    early.pack("user.mail", SECRET)
    assert early.purge("user.**").versions == 2


@pytest.mark.parametrize("is_pruned", [False, True])
def test_exports_and_copies_of_the_fork_have_nothing_of_it(is_pruned: bool) -> None:
    bp = parent_of_forks()
    fork = bp.fork()
    fork.purge("user.**")
    if is_pruned:
        fork.configure(max_commits=1)
    upto = fork.head.seq
    file = io.BytesIO()
    fork.export(file)
    assert_is_erased(Backpack.load(io.BytesIO(file.getvalue())), upto)
    assert_is_erased(fork.fork(), upto)
    assert_is_erased(fork.fork(upto - 1, unavailable="gone"), upto - 2)


def test_a_copy_on_disk_has_none_of_the_bytes(tmp_path: Path) -> None:
    bp = parent_of_forks()
    bp.delete("copy")
    bp.purge("copy")
    fork = bp.fork()
    fork.purge("user.**")
    with fork.fork(path=tmp_path / "s") as copy:
        assert_is_erased(copy, fork.head.seq)
    for file in (tmp_path / "s").rglob("*"):
        if file.is_file():
            assert b"PERSONALDATA" not in file.read_bytes()


def test_a_copy_up_to_a_commit_has_no_bytes_of_later_ones(tmp_path: Path) -> None:
    bp = opened_in(MemoryFolder())
    bp.pack("first", 1)
    bp.pack("later", SECRET)
    bp.fork(1, path=tmp_path / "s").close()
    for file in (tmp_path / "s").rglob("*"):
        if file.is_file():
            assert b"PERSONALDATA" not in file.read_bytes()


def test_a_key_that_is_packed_again_begins_anew() -> None:
    fork = parent_of_forks().fork()
    fork.purge("user.**")
    fork.append("user.log", "new")
    assert fork["user.log"] == ["new"]
    seq = fork.head.seq
    twin = fork.fork()
    assert twin["user.log"] == ["new"] == twin.snapshot(seq)["user.log"]
    assert twin.snapshot(2).unpack("user.log").reason == "purged"


def blobs_in(folder: MemoryFolder) -> int:
    return len([name for name, _ in folder.walk() if name.startswith("blobs/")])


def test_a_closed_fork_keeps_no_blob() -> None:
    folder = MemoryFolder()
    bp = opened_in(folder)
    bp.pack("user.photo", SECRET * 20)
    fork = bp.fork()
    fork.pack("other", 1)
    twin = fork.fork()
    fork.close()
    assert twin["user.photo"] == SECRET * 20
    assert bp.purge("user.**").blobs_held == 1 and blobs_in(folder) == 1
    assert twin["user.photo"] == SECRET * 20
    twin.close()
    assert bp.purge("user.**").blobs_held == 0 and blobs_in(folder) == 0


def test_a_fork_that_nobody_has_any_more_keeps_no_blob() -> None:
    folder = MemoryFolder()
    bp = opened_in(folder)
    bp.pack("user.photo", SECRET * 20)
    fork = bp.fork()
    fork.pack("other", 1)
    del fork  # it is in cycles
    assert bp.purge("user.**").blobs_held == 0
    assert blobs_in(folder) == 0


def test_the_report_counts_the_blobs_that_live_forks_hold() -> None:
    folder = MemoryFolder()
    bp = opened_in(folder)
    bp.pack("user.photo", SECRET * 20)
    bp.pack("user.photo", SECRET * 21)
    bp.pack("kept", SECRET * 21)
    early, late = bp.fork(1), bp.fork()
    assert bp.purge("user.*", dry_run=True).blobs_held == 0
    assert bp.purge("user.**").blobs_held == 1  # the other one is still the value of a key
    assert early["user.photo"] == SECRET * 20 and late.snapshot(1)["user.photo"] == SECRET * 20
    late.purge("user.**")
    assert late["kept"] == SECRET * 21
    assert bp.node("n").purge("user.*").blobs_held == 1
    early.purge("**")
    assert bp.purge("user.**").blobs_held == 0
    assert blobs_in(folder) == 1 and late["kept"] == SECRET * 21 == bp["kept"]
