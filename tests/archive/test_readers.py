"""Readers beside a writer: each sees the store as it was at one moment, changes nothing, and can look again."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack, CommitPrunedError, ReadOnlyError, StorageError, StoreLockedError, StoreNotFoundError
from backpack.archive.files import READERS
from backpack.archive.visiting import TRIES, lock_to_read
from backpack.storage.memory import MemoryFile, MemoryFolder

from .damaging import DAMAGED, asked, crash
from .stores import opened_in, small_segments


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with small_segments():
        yield


def filled(count: int = 60) -> tuple[MemoryFolder, Backpack]:
    folder = MemoryFolder()
    bp = opened_in(folder)
    for number in range(1, count + 1):
        bp.pack(f"k{number % 5}", [number] * 20)
    return folder, bp


# -- what a reader sees ------------------------------------------------------------------------------------------


def test_a_reader_sees_all_as_of_the_head_at_opening() -> None:
    folder, bp = filled()
    bp.checkpoint("one", at=20)
    reader = opened_in(folder.reader(), mode="r")
    before = (reader.select("**"), list(reader.history()), reader.checkpoints(), reader.memory_usage().live_bytes)
    assert before[:3] == (bp.select("**"), list(bp.history()), bp.checkpoints())
    bp.update({"k1": "other", "new": 1})
    bp.delete("k2")
    bp.delete_checkpoint("one")
    bp._opened.drain()  # type: ignore[union-attr]
    after = (reader.select("**"), list(reader.history()), reader.checkpoints(), reader.memory_usage().live_bytes)
    assert after == before
    assert reader.head is not None and reader.head.seq == 60 and "new" not in reader


def test_refresh_shows_what_is_new_and_leaves_open_snapshots_alone() -> None:
    folder, bp = filled(7)
    reader = opened_in(folder.reader(), mode="r")
    snapshot, diff = reader.snapshot(), reader.history()
    first = next(diff)
    assert not reader.refresh()
    for number in range(100):
        states = bp.select("**")
        if number % 3 == 0:
            bp.pack(f"k{number % 7}", [number] * 30)
        elif number % 3 == 1:
            bp.append("list", number)
        else:
            bp.checkpoint(f"c{number}")
        assert reader.refresh()
        assert not reader.refresh()
        assert (reader.head, reader.select("**")) == (bp.head, bp.select("**"))
        assert reader.checkpoints() == bp.checkpoints()
        assert reader.snapshot(states and bp.head.seq - 1).to_dict() == bp.snapshot(bp.head.seq - 1).to_dict()  # type: ignore[union-attr]
    assert snapshot.to_dict() == bp.snapshot(7).to_dict() and len(snapshot) == 5
    assert [first, *diff] == list(bp.history(before=8))
    reader._check()


def test_refresh_goes_on_over_closing_sealing_compaction_and_purges() -> None:
    folder, bp = filled(30)
    reader = opened_in(folder.reader(), mode="r")
    old = reader.snapshot(3)
    expected = old.to_dict()
    bp.close()
    assert not reader.refresh()  # it was sealed, and says the same
    bp = opened_in(folder)
    assert not reader.refresh()
    bp.pack("k1", "newer")
    bp.compact(keep_commits=3)
    assert reader.refresh() and reader["k1"] == "newer"
    with pytest.raises(CommitPrunedError):
        reader.snapshot(3)
    assert old.to_dict() == expected
    bp.purge("k2")
    assert reader.refresh() and "k2" not in reader
    crash(bp)
    opened_in(folder).pack("k3", "last")
    assert reader.refresh() and reader["k3"] == "last"


def test_a_store_that_is_no_reader_has_nothing_to_refresh() -> None:
    _, bp = filled(3)
    assert not bp.refresh() and not Backpack({"a": 1}).refresh()


def test_a_commit_that_was_taken_out_again_is_not_kept() -> None:
    folder, bp = filled(3)
    reader = opened_in(folder.reader(), mode="r")
    bp._engine.journal.retract(3)  # type: ignore[union-attr]
    bp._archive.writer.write_one(3, 10**18, (None, None, ()), "k0", 1, b"\x07")  # type: ignore[union-attr]
    assert asked(lambda: reader["k3"]) is DAMAGED
    bp._archive.writer.write_one(4, 10**18, (None, None, ()), "k0", 2, b"\x08")  # type: ignore[union-attr]
    assert reader.refresh()
    assert reader["k0"] == 8 and "k3" not in reader and reader.snapshot(3)["k0"] == 7


def test_a_reader_changes_nothing() -> None:
    folder, bp = filled(20)
    crash(bp)
    files = dict(folder.walk())
    reader = opened_in(folder.reader(), mode="r")
    for write in (lambda: reader.pack("a", 1), lambda: reader.checkpoint("a"), lambda: reader.purge("**")):
        with pytest.raises(ReadOnlyError):
            write()
    reader.flush()
    reader.close()
    assert dict(folder.walk()) == files


# -- races ---------------------------------------------------------------------------------------------------------


class Racing(MemoryFolder):
    """A reader's folder whose writer does something just before a file is opened."""

    __slots__ = ("acts",)

    acts: dict[str, Any]

    def open(self, name: str) -> MemoryFile:
        for ending, act in list(self.acts.items()):
            if name.endswith(ending):
                act()
        return super().open(name)


def racing(folder: MemoryFolder, **acts: Any) -> Racing:
    twin = Racing(path=folder.path)
    twin._content, twin._is_writable = folder._content, False
    twin.acts = {name.replace("_", "."): act for name, act in acts.items()}
    return twin


def once(act: Any) -> Any:
    """That, the first time it is called."""
    acts = [act]
    return lambda: acts.pop()() if acts else None


def test_a_log_that_is_sealed_while_a_reader_opens_it_is_found_in_its_segment() -> None:
    folder, bp = filled(5)
    reader = opened_in(racing(folder, _log=once(bp.close)), mode="r")
    assert reader.health().ok and reader.select("**") == opened_in(folder.reader(), mode="r").select("**")
    assert len(reader) == 5


def test_segments_that_are_replaced_while_a_reader_opens_them_are_found_anew() -> None:
    folder, bp = filled(60)
    bp.flush()
    reader = opened_in(racing(folder, _seg=once(lambda: bp.compact(keep_commits=5))), mode="r")
    assert reader.health().ok and reader.select("**") == bp.select("**")


def test_a_writer_that_opens_and_closes_in_between_is_no_damage() -> None:
    folder, bp = filled(3)
    with small_segments(100_000, seal_min=100_000):
        bp.close()
        bp = opened_in(folder)
        bp.close()

        def write() -> None:
            bp = opened_in(folder)
            bp.pack("more", 1)
            bp.close()

        bp = opened_in(folder)
        bp.pack("one", 1)
        bp.close()
        reader = opened_in(racing(folder, clean=once(write)), mode="r")
    assert reader.health().ok and reader["more"] == 1


def test_a_reader_gives_up_where_the_store_never_stands_still() -> None:
    folder, bp = filled(40)
    bp._opened.drain()  # type: ignore[union-attr]
    count = 0

    def replace() -> None:
        nonlocal count
        count += 1
        bp.pack("k0", count)
        bp.compact(keep_commits=1)

    with pytest.raises(StorageError, match="faster than it can be opened"):
        opened_in(racing(folder, _seg=replace), mode="r")
    assert count >= TRIES


def test_a_reader_waits_for_a_sweep_and_not_for_ever() -> None:
    folder, _ = filled(3)
    lock = folder.lock(READERS)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            lock.release()

    lock_to_read(folder, wait).release()
    assert len(waits) == 3
    folder.lock(READERS)
    with pytest.raises(StoreLockedError):
        lock_to_read(folder, waits.append)
    assert 1 < sum(waits) < 30


def test_blobs_stay_while_readers_are_there() -> None:
    folder, bp = filled(3)
    bp.pack("large", "x" * 5000)
    reader = opened_in(folder.reader(), mode="r")
    bp.delete("large")
    bp.compact(keep_commits=1)
    assert reader["large"] == "x" * 5000
    reader.close()
    bp.pack("k1", 1)
    bp.compact(keep_commits=1)
    assert not folder.folder("blobs").names()


# -- other processes -------------------------------------------------------------------------------------------------

_WRITER = """
import sys, backpack
from backpack.archive import opened
opened.SEGMENT_SIZE, opened.SEAL_SIZE_MIN = 4000, 0
seq = 0
while True:
    with backpack.open(sys.argv[1]) as bp:
        for _ in range(150):
            seq += 1
            with bp.transaction() as transaction:
                transaction.pack("n", seq)
                transaction.pack(f"k{seq % 7}", [seq] * (seq % 50))
                if seq % 31 == 0:
                    transaction.pack("large", b"%d," % seq * 40_000)
            if seq % 40 == 0:
                bp.checkpoint(f"c{seq}")
            if seq % 90 == 0:
                bp.compact(keep_commits=100)
            if seq == 40:
                print("ready", flush=True)
"""

_READER = """
import random, sys, backpack
news = 0
for _ in range(int(sys.argv[2])):
    with backpack.open(sys.argv[1], mode="r") as bp:
        assert bp.health().ok, bp.health()
        for _ in range(4):
            seq = bp.head.seq
            kept = bp.snapshot()
            for snapshot in (bp, kept):
                assert snapshot["n"] == seq
                for number in range(7):
                    last = seq - (seq - number) % 7
                    assert snapshot[f"k{number}"] == [last] * (last % 50), (seq, number)
            assert bp["large"] == b"%d," % (seq - seq % 31) * 40_000
            older = random.randint(max(seq - 90, 1), seq)
            try:
                assert bp.snapshot(older)["n"] == older
            except backpack.CommitPrunedError as error:
                assert older < error.oldest
            assert [commit.seq for commit in bp.history(limit=20)] == list(range(seq, seq - 20, -1))
            assert all(one.seq <= seq for one in bp.checkpoints())
            is_new = bp.refresh()
            news += is_new
            assert (bp.head.seq > seq) or not is_new or bp.head.seq == seq
            assert kept["n"] == seq and len(kept) == 9
print(news)
"""


def run(program: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_readers_in_other_processes_see_consistent_states_while_a_writer_goes_on(tmp_path: Path) -> None:
    writer = run(_WRITER, tmp_path / "store")
    try:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
        readers = [run(_READER, tmp_path / "store", 12) for _ in range(2)]
        for reader in readers:
            told, faults = reader.communicate(timeout=120)
            assert reader.returncode == 0, faults
            assert int(told) > 0
        assert writer.poll() is None, writer.stderr
    finally:
        writer.kill()
        writer.communicate()


def test_a_reader_survives_the_death_of_the_writer(tmp_path: Path) -> None:
    writer = run(_WRITER, tmp_path / "store")
    try:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
        with backpack.open(tmp_path / "store", mode="r") as bp:
            seq = bp["n"]
            writer.send_signal(signal.SIGKILL)
            writer.communicate()
            assert bp["n"] == bp.snapshot(seq)["n"] == seq
            bp.refresh()
            last = bp["n"]
            assert last >= seq and bp.snapshot(last).to_dict() == bp.select("**")
            with backpack.open(tmp_path / "store") as other:
                assert other["n"] == last
                other.pack("n", -1)
                assert bp.refresh() and bp["n"] == -1
    finally:
        writer.kill()
        writer.communicate()


_ALONE = """
import os, sys, backpack
assert backpack.verify  # all is imported while the modules of Python itself can be read
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    open(os.path.join(sys.argv[1], "new"), "x")
except PermissionError:
    pass
else:
    raise AssertionError("the folder can be written")
with backpack.open(sys.argv[1], mode="r") as bp:
    print(bp["n"], len(bp["large"]), bp.refresh(), backpack.verify(sys.argv[1]).ok)
"""


@pytest.mark.skipif(os.name != "posix", reason="modes and owners")
def test_a_directory_that_nobody_may_write_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with backpack.open(path) as bp:
        bp.pack("large", "x" * 300_000)
        for number in range(100):
            bp.pack("n", number)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o111)
    everything = [*path.rglob("*"), path]
    for one in everything:
        if os.geteuid() == 0:
            os.chown(one, 65534, 65534)
        one.chmod(0o500 if one.is_dir() else 0o400)
    try:
        reader = run(_ALONE, path)
        told, faults = reader.communicate(timeout=60)
        assert reader.returncode == 0, faults
        assert told.split() == ["99", "300000", "False", "True"]
    finally:
        for one in reversed(everything):
            one.chmod(0o700)


def test_what_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFoundError):
        backpack.open(tmp_path / "nothing", mode="r")
    with pytest.raises(StoreNotFoundError):
        backpack.open(tmp_path, mode="r")
    assert not list(tmp_path.iterdir())
