"""A damaged store serves what verifies, and never a value that is wrong or may be out of date."""

import random
from collections import Counter
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack, CorruptionError, StoreNotFoundError
from backpack.archive.frames import FRAME_SIZE
from backpack.archive.holed import HoledArchive
from backpack.archive.manifest import read_front
from backpack.archive.scanning import Log
from backpack.storage.cover import PLAIN
from backpack.storage.memory import MemoryFolder

from .damaging import DAMAGED, KEYS, Truth, asked, changed, crash, damages, flipped, made, without
from .stores import opened_in, small_segments

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def logged() -> Truth:
    with small_segments(100_000):
        return made(is_closed=False, count=90)


@pytest.fixture(scope="module")
def encrypted() -> Truth:
    with small_segments(4000, seal_min=100_000):
        return made(key=KEY, count=40)


def compare(truth: Truth, folder: MemoryFolder) -> Counter[bool]:
    """Ask everything, and count what is right and what says that it is damaged. Nothing may be wrong."""
    try:
        bp = opened_in(folder.reader(), mode="r", key=truth.key)
    except CorruptionError as error:
        assert error.file == "manifest" or not any(name.endswith(".seg") for name in truth.files())
        return Counter({False: 1})
    counts: Counter[bool] = Counter()

    def told(got: Any, expected: Any) -> None:
        assert got == expected or got is DAMAGED
        counts[got is not DAMAGED] += 1

    assert bp.head is not None
    head = bp.head.seq
    live = truth.states[head]
    for key in KEYS:
        changes = [seq for seq in truth.changed(key) if seq <= head]
        told(asked(partial(bp.get, key)), live.get(key))
        told(asked(partial(bp.__contains__, key)), key in live)
        told(asked(partial(_seqs, bp, key)), changes)
        told(asked(partial(bp.version, key)), len(changes))
    told(asked(partial(list, bp)), sorted(live))
    told(asked(partial(bp.select, "**")), live)
    told(asked(partial(_seqs, bp, None)), list(range(head, 0, -1)))
    for key in (None, *KEYS):
        _check_listing(truth, bp, key, head)
    for seq in range(0, head + 1, 3):
        snapshot = bp.snapshot(seq)
        for key in KEYS:
            told(asked(partial(snapshot.get, key)), truth.states[seq].get(key))
        told(asked(partial(sorted, snapshot)), sorted(truth.states[seq]))
        if seq:
            told(asked(partial(bp.commit, seq)), truth.commits[seq])
            told(asked(partial(_seq_at, bp, truth.commits[seq].time)), _last_at(truth, seq, head))
    assert repr(bp) and bp.memory_usage()
    bp.close()
    return counts


def _check_listing(truth: Truth, bp: Backpack, key: str | None, head: int) -> None:
    """History gives commits in order that are right, and either all of them or an error behind the last."""
    whole = [seq for seq in (range(head, 0, -1) if key is None else truth.changed(key)) if seq <= head]
    found: list[int] = []
    commits = bp.history(key)
    try:
        for commit in commits:
            assert commit == truth.commits[commit.seq] and commit.changes == truth.commits[commit.seq].changes
            found.append(commit.seq)
    except CorruptionError:
        assert list(commits) == []
    else:
        assert found == whole
    assert found == [seq for seq in whole if seq in set(found)]
    if key is None:  # every commit that can be read by itself is among them
        assert found == [seq for seq in whole if asked(partial(bp.commit, seq)) != DAMAGED]
    if found:
        assert [commit.seq for commit in bp.history(key, limit=len(found))] == found


def _seqs(bp: Backpack, key: str | None) -> list[int]:
    return [commit.seq for commit in bp.history(key)]


def _seq_at(bp: Backpack, time: datetime) -> int:
    return bp.snapshot(time).seq


def _last_at(truth: Truth, seq: int, head: int) -> int:
    return max(one for one in range(1, head + 1) if truth.commits[one].time <= truth.commits[seq].time)


@pytest.mark.parametrize("name", ["sealed", "logged", "encrypted"])
def test_what_a_damaged_store_says_is_right_or_an_error(name: str, request: pytest.FixtureRequest) -> None:
    truth: Truth = request.getfixturevalue(name)
    assert not compare(truth, truth.folder)[False]
    total: Counter[bool] = Counter()
    for what, folder in damages(truth, 1):
        before = dict(folder.walk())
        try:
            total += compare(truth, folder)
        except AssertionError as error:
            raise AssertionError(what) from error
        assert dict(folder.walk()) == before, what
    assert total[True] > 4 * total[False] > 0


# -- the middle of a log -----------------------------------------------------------------------------------------


def frame_of(truth: Truth, seq: int) -> tuple[str, int]:
    """`(file, offset)` of the frame of a commit that is in a log."""
    name = next(name for name in truth.files() if name.endswith(".log"))
    log = Log.opened(truth.folder.open(name), PLAIN, read_front(truth.folder)[0])
    log.scan()
    return name, log.offset_of(seq)


def few() -> Truth:
    """Six commits in one log."""
    folder = MemoryFolder()
    bp = opened_in(folder)
    for number, key in enumerate(("before", "proved", "lost", "proved", "behind"), 1):
        bp.pack(key, f"value {number}")
    bp.flush()
    bp.pack("last", "value 6")
    commits = {commit.seq: commit for commit in bp.history()}
    states = {seq: bp.snapshot(seq).to_dict() for seq in [0, *commits]}
    crash(bp)
    return Truth(folder, states, commits)


def test_what_follows_a_bad_frame_is_served() -> None:
    truth = few()
    name, offset = frame_of(truth, 3)
    bp = opened_in(flipped(truth, name, offset + FRAME_SIZE + 20).reader(), mode="r")
    assert bp.head == truth.commits[6]
    assert (bp["proved"], bp["behind"], bp["last"]) == ("value 4", "value 5", "value 6")
    assert [commit.seq for commit in bp.history(before=3)] == [2, 1]
    assert [commit.seq for commit in bp.history(limit=5)] == [6, 5, 4, 2, 1]
    assert [commit.seq for commit in bp.history("behind")] == [5]
    commits = bp.history()
    assert [next(commits).seq for _ in range(5)] == [6, 5, 4, 2, 1]
    with pytest.raises(CorruptionError, match="commit 3 can't be read"):
        next(commits)
    assert list(commits) == []
    with pytest.raises(CorruptionError, match="commit 3"):  # a run of a node that it may have been part of
        bp.snapshot_before("nobody")
    assert not bp.health().ok and name in bp.health().problem


def test_a_key_that_a_lost_commit_may_have_changed_raises_with_the_place() -> None:
    truth = few()
    name, offset = frame_of(truth, 3)
    bp = opened_in(flipped(truth, name, offset + FRAME_SIZE + 20).reader(), mode="r")
    for ask in (lambda: bp["before"], lambda: bp["lost"], lambda: "unheard" in bp, lambda: len(bp), lambda: bp.fork()):
        with pytest.raises(CorruptionError, match=r"commit 3 can't be read.*backpack\.recover") as caught:
            ask()
        assert (caught.value.file, caught.value.offset) == (name, offset)
    assert bp.snapshot(2).to_dict() == truth.states[2]


def test_the_next_version_proves_that_nothing_is_lost_of_a_key() -> None:
    truth = few()
    name, offset = frame_of(truth, 3)
    bp = opened_in(flipped(truth, name, offset + FRAME_SIZE + 20).reader(), mode="r")
    assert bp.snapshot(3)["proved"] == "value 2"  # version 1, and the change in commit 4 has version 2
    assert "behind" not in bp.snapshot(4)  # its version 1 comes later
    with pytest.raises(CorruptionError):
        bp.snapshot(3)["lost"]


def test_a_keyframe_proves_that_nothing_is_lost_of_a_key(sealed: Truth) -> None:
    with small_segments():
        bp = opened_in(without(sealed, "000000000002.seg").reader(), mode="r")
    archive = bp._archive
    assert isinstance(archive, HoledArchive) and len(archive.holes) == 1 and not archive.is_doubtful
    assert bp.select("**") == sealed.states[sealed.head]
    lost = range(archive.holes[0].first_seq, archive.holes[0].last_seq + 1)
    with pytest.raises(CorruptionError):
        bp.snapshot(lost[-1]).to_dict()


def test_frames_that_changed_places_are_not_believed() -> None:
    truth = few()
    name, first = frame_of(truth, 2)
    _, second = frame_of(truth, 3)
    _, stop = frame_of(truth, 4)

    def swap(data: bytearray) -> None:
        data[first:stop] = data[second:stop] + data[first:second]

    bp = opened_in(changed(truth, name, swap).reader(), mode="r")
    assert compare(truth, changed(truth, name, swap))[False] > 0
    assert bp.head == truth.commits[6]


def test_frames_without_values_that_changed_places_are_not_believed() -> None:
    folder = MemoryFolder()
    bp = opened_in(folder)
    bp.update({"a": 1, "b": 1, "c": 1})
    bp.delete("a")
    bp.delete("b")
    bp.delete("c")
    bp.pack("d", 1)
    bp.flush()
    bp.pack("d", 2)
    commits = {commit.seq: commit for commit in bp.history()}
    states = {seq: bp.snapshot(seq).to_dict() for seq in [0, *commits]}
    crash(bp)
    truth = Truth(folder, states, commits)
    name, first = frame_of(truth, 2)
    (_, second), (_, stop) = frame_of(truth, 3), frame_of(truth, 4)

    def swap(data: bytearray) -> None:
        data[first:stop] = data[second:stop] + data[first:second]

    bp = opened_in(changed(truth, name, swap).reader(), mode="r")
    assert bp.head == commits[6]
    assert compare(truth, changed(truth, name, swap))[False] > 0
    assert [commit.seq for commit in bp.history(after=2)] == [6, 5, 4, 3]


def test_the_head_is_no_commit_that_is_lost_even_when_a_note_follows_it() -> None:
    folder = MemoryFolder()
    bp = opened_in(folder)
    bp.pack("a", 1)
    bp.pack("a", 2)
    bp.checkpoint("two")
    bp.flush()
    bp.checkpoint("again")
    crash(bp)
    truth = Truth(folder, {}, {})
    name, offset = frame_of(truth, 2)
    bp = opened_in(flipped(truth, name, offset + FRAME_SIZE).reader(), mode="r")
    assert bp.head is not None and bp.head.seq == 1 and bp["a"] == 1 and not bp.checkpoints()


def test_a_log_whose_head_is_damaged_is_read_by_its_salt() -> None:
    truth = few()
    name, _ = frame_of(truth, 1)
    bp = opened_in(flipped(truth, name, 20).reader(), mode="r")
    assert bp.head == truth.commits[6] and bp.select("**") == truth.states[6]


# -- who may open it ---------------------------------------------------------------------------------------------


def test_a_writer_is_refused_with_the_place_and_what_to_do(sealed: Truth) -> None:
    for folder in (without(sealed, "000000000003.seg"), flipped(sealed, "000000000003.seg", 1)):
        with pytest.raises(CorruptionError, match=r"only be opened to read.*000000000003\.seg.*recover") as caught:
            opened_in(folder)
        assert (caught.value.file, caught.value.offset) == ("000000000003.seg", 0)
    truth = few()
    name, offset = frame_of(truth, 3)
    with pytest.raises(CorruptionError, match="recover") as caught:
        opened_in(flipped(truth, name, offset + FRAME_SIZE + 20))
    assert (caught.value.file, caught.value.offset) == (name, offset)


def test_a_writer_opens_a_store_of_which_only_a_blob_is_damaged(sealed: Truth) -> None:
    blobs = [name for name in sealed.files() if name.startswith("blobs/")]
    with small_segments():
        for folder in (without(sealed, blobs[0]), flipped(sealed, blobs[0], 100)):
            bp = opened_in(folder)
            reads = [partial(bp.snapshot(seq).get, "large") for seq in range(sealed.head)]
            assert any(asked(read) is DAMAGED for read in reads)
            bp.pack("a", "goes on")
            bp.close()


def test_a_store_without_its_manifest_is_damaged_and_a_folder_without_anything_no_store(sealed: Truth) -> None:
    for mode in ("r", "rw"):
        with pytest.raises(CorruptionError, match=r"the manifest of the store is missing.*recover"):
            opened_in(without(sealed, "manifest").reader() if mode == "r" else without(sealed, "manifest"), mode=mode)
    with pytest.raises(StoreNotFoundError):
        opened_in(MemoryFolder().reader(), mode="r")


def test_a_store_whose_end_is_lost_has_the_last_head_that_verifies_and_says_so(sealed: Truth) -> None:
    last = max(name for name in sealed.files() if name.endswith(".seg"))
    bp = opened_in(without(sealed, last).reader(), mode="r")
    assert bp.head is not None and bp.head.seq < sealed.head
    assert bp.select("**") == sealed.states[bp.head.seq]
    assert not bp.health().ok and last in bp.health().problem


def test_a_copy_without_its_empty_folder_of_blobs_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with backpack.open(path) as bp:
        bp.pack("a", 1)
    (path / "blobs").rmdir()
    assert backpack.verify(path).ok
    with backpack.open(path, "r") as reader:
        assert reader["a"] == 1 and reader.health().ok and reader.memory_usage().archive_bytes > 0
        assert not reader.refresh()
    assert backpack.recover(path, tmp_path / "recovered").commits == 1
    assert not (path / "blobs").exists()
    with backpack.open(path) as bp:
        bp.pack("b", 2)
    assert backpack.verify(path).ok


def test_a_store_without_its_folder_of_blobs_serves_all_else(sealed: Truth) -> None:
    files = {name: data for name, data in sealed.folder.walk() if data is not None and not name.startswith("blobs")}
    bp = opened_in(MemoryFolder(files).reader(), mode="r")
    assert bp["d"] == "the last"
    with pytest.raises(CorruptionError, match="a blob is missing"):
        bp["large"]


def test_a_damaged_store_can_be_looked_at_again(sealed: Truth) -> None:
    bp = opened_in(without(sealed, "000000000002.seg").reader(), mode="r")
    assert not bp.refresh()
    assert isinstance(bp, Backpack) and bp["d"] == "the last"


def test_a_store_that_is_refused_for_any_byte_that_opening_reads_is_not_locked(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "s") as bp:
        for number in range(400):
            bp.pack(f"key.{number % 7}", f"{number} {random.Random(number).randbytes(80).hex()}")
    (segment,) = (tmp_path / "s").glob("*.seg")
    whole = segment.read_bytes()
    refused = 0
    for at in range(len(whole) * 4 // 5, len(whole), 67):
        segment.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            backpack.open(tmp_path / "s").close()
        except CorruptionError as error:
            assert "can only be opened to read" in str(error), at
            refused += 1
    assert refused > 1
    segment.write_bytes(whole)
    backpack.open(tmp_path / "s").close()
