"""`recover` makes a new store of all that verifies: what it has is right, and what is lost is said to be."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import (
    Backpack,
    CommitPrunedError,
    CorruptionError,
    InvalidArgumentError,
    Recovered,
    StoreLockedError,
    StoreNotFoundError,
    Unavailable,
)
from backpack.archive.frames import FRAME_SIZE
from backpack.archive.recovering import recovered
from backpack.archive.verifying import verified
from backpack.storage.memory import MemoryFolder

from .damaging import KEYS, Truth, changed, crash, damages, flipped, made, without
from .stores import opened_in, small_segments

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def logged() -> Truth:
    with small_segments(100_000):
        return made(is_closed=False, count=45)


@pytest.fixture(autouse=True)
def _always_sealed() -> Any:
    with small_segments():
        yield


def opened_anew(truth: Truth, folder: MemoryFolder) -> tuple[Backpack, Recovered]:
    """The store that was recovered of a damaged copy, open for writing; whole in every respect."""
    before = dict(folder.walk())
    out = MemoryFolder()
    report = recovered(folder.reader(), out, truth.key)
    assert dict(folder.walk()) == before
    found = verified(out.reader(), truth.key)
    assert found.ok and not found.notes, found
    bp = opened_in(out, key=truth.key)
    assert bp.recovery is None
    return bp, report


def compare(truth: Truth, bp: Backpack, report: Recovered) -> Counter[str]:
    """Hold all that a recovered store says against the truth."""
    counts: Counter[str] = Counter()
    lost = {seq for first, last in report.lost_commits for seq in range(first, last + 1)}
    head = report.head - bool(report.deleted)
    there = [commit.seq for commit in bp.history() if commit.seq <= head]
    assert len(there) + bool(report.deleted) == report.commits
    assert sorted(there) == [seq for seq in range(1, head + 1) if seq not in lost]
    for commit in bp.history(before=head + 1 if report.deleted else None):
        known = truth.commits[commit.seq]
        assert commit == known if report.has_ids else commit.changes == known.changes
        assert (commit.time, commit.node, commit.message, commit.tags) == (
            known.time,
            known.node,
            known.message,
            known.tags,
        )
    for seq in lost:
        oldest = sorted(there)[0]
        with pytest.raises(
            CommitPrunedError, match="lost to damage" if seq > oldest else f"oldest left is seq={oldest}"
        ):
            bp.snapshot(seq)
    for seq in there:
        snapshot = bp.snapshot(seq)
        for key in KEYS:
            value = snapshot.unpack(key)
            if isinstance(value, Unavailable):
                assert value.reason == "damaged"
                counts["unavailable"] += 1
            elif value == truth.states[seq].get(key):
                counts["right"] += 1
            else:  # only where a lost commit had changed the key, and nothing that is left tells
                counts["older"] += 1
                last = max((one for one in truth.changed(key) if one <= seq and one in there), default=0)
                assert any(last < one <= seq for one in lost.intersection(truth.changed(key)))
                assert key in report.doubtful or not last
    for key in KEYS:
        if key in report.deleted:
            assert key not in bp
        elif key not in report.doubtful and key in bp:
            assert bp[key] == truth.states[head][key]
    return counts


@pytest.mark.parametrize("name", ["sealed", "logged"])
def test_whatever_is_damaged_the_rest_comes_back(name: str, request: pytest.FixtureRequest) -> None:
    truth: Truth = request.getfixturevalue(name)
    total: Counter[str] = Counter()
    for what, folder in damages(truth, 3):
        try:
            bp, report = opened_anew(truth, folder)
        except CorruptionError as error:
            assert name == "logged" and "no commit" in str(error), what  # all of it was in one log
            continue
        try:
            total += compare(truth, bp, report)
            bp.pack("a", what)
            bp._check()
            bp.close()
        except AssertionError as error:
            raise AssertionError(what) from error
    assert total["right"] > 20 * total["unavailable"] > 0


def test_of_a_store_that_is_whole_everything_comes_back(sealed: Truth) -> None:
    bp, report = opened_anew(sealed, sealed.folder)
    assert compare(sealed, bp, report) == Counter(right=sealed.head * len(KEYS))
    assert (report.head, report.commits, report.lost_commits, report.lost_values) == (sealed.head, sealed.head, (), 0)
    old = opened_in(sealed.folder.reader(), mode="r")
    assert bp.checkpoints() == old.checkpoints()
    assert bp.select("**") == old.select("**")


def few() -> Truth:
    """Six commits in one log, and two checkpoints."""
    folder = MemoryFolder()
    bp = opened_in(folder)
    for number, key in enumerate(("first", "changed", "changed", "lost", "changed"), 1):
        bp.pack(key, f"value {number}")
    bp.checkpoint("three", at=3)
    bp.checkpoint("five", at=5)
    bp.flush()
    bp.pack("last", "value 6")
    commits = {commit.seq: commit for commit in bp.history()}
    states = {seq: bp.snapshot(seq).to_dict() for seq in [0, *commits]}
    crash(bp)
    return Truth(folder, states, commits)


def damaged_at(truth: Truth, *seqs: int) -> MemoryFolder:
    """Some commits of its log are damaged."""
    bp = opened_in(truth.folder.reader(), mode="r")
    name = next(name for name in truth.files() if name.endswith(".log"))
    folder = truth.folder
    for seq in seqs:
        offset = bp._archive.parts[-1].offset_of(seq)  # type: ignore[union-attr]
        folder = flipped(Truth(folder, {}, {}), name, offset + FRAME_SIZE + 3)
    return folder


def test_a_change_that_is_known_to_be_lost_hides_the_older_value() -> None:
    truth = few()
    bp, report = opened_anew(truth, damaged_at(truth, 3))
    assert report.lost_commits == ((3, 3),)
    assert bp.snapshot(2)["changed"] == "value 2"
    assert bp.snapshot(4).unpack("changed").reason == "damaged"
    assert bp["changed"] == "value 5"
    assert set(report.doubtful) == {"first"} and bp["first"] == "value 1"
    assert report.lost_checkpoints == ("three",)
    assert [one.name for one in bp.checkpoints()] == ["five"]


def test_new_commits_never_have_the_ids_of_lost_ones() -> None:
    truth = few()
    folder = damaged_at(truth, 5, 6)
    bp, report = opened_anew(truth, folder)
    assert report.head == 4
    assert bp.pack("new", 1).id not in {commit.id for commit in truth.commits.values()}
    assert bp.commit(truth.commits[2].id) == truth.commits[2]


def test_a_present_value_that_is_lost_is_deleted_by_a_commit_that_says_so(sealed: Truth) -> None:
    bp = opened_in(sealed.folder.reader(), mode="r")
    change = bp._archive.find("large", sealed.head)  # type: ignore[union-attr]
    assert change is not None and change.value is not None
    bp, report = opened_anew(sealed, without(sealed, f"blobs/{change.value.blobs[0].hex()}"))
    assert report.deleted == ("large",) and report.lost_blobs == 1
    assert "large" not in bp
    assert bp.head is not None and bp.head.seq == sealed.head + 1 and "recovered" in str(bp.head.message)
    assert bp.snapshot(sealed.head).unpack("large").reason == "damaged"
    assert {key: value for key, value in sealed.states[sealed.head].items() if key != "large"} == bp.select("**")
    bp.restore(sealed.changed("large")[1], keys=["large"])
    assert bp["large"] == sealed.states[sealed.changed("large")[1]]["large"]


def test_changes_outlive_the_page_that_had_their_commits(sealed: Truth) -> None:
    bp = opened_in(sealed.folder.reader(), mode="r")
    part = bp._archive.parts[0]  # type: ignore[union-attr]
    offset = part.pieces.page_table().offsets[0]  # type: ignore[attr-defined]
    bp, report = opened_anew(sealed, flipped(sealed, "000000000001.seg", offset + 5))
    assert report.lost_commits == ((part.first_seq, part.last_seq),)
    assert report.lost_values == 0 and not report.doubtful
    assert compare(sealed, bp, report)["right"] == (sealed.head - part.last_seq) * len(KEYS)


def test_the_new_store_goes_on_closes_compacts_and_is_exported(sealed: Truth, tmp_path: Path) -> None:
    bp, report = opened_anew(sealed, without(sealed, "000000000003.seg"))
    assert report.lost_commits
    live = bp.select("**")
    bp.append("list", "more")
    bp.checkpoint("later")
    bp.diff(1)
    bp.export(tmp_path / "export")
    assert Backpack.load(tmp_path / "export").select("**") == {**live, "list": [*live["list"], "more"]}
    bp.compact(keep_commits=5)
    bp._check()
    assert bp.select("**") == {**live, "list": [*live["list"], "more"]}


def test_without_its_manifest_all_but_ids_and_checkpoints_come_back(sealed: Truth) -> None:
    for folder in (without(sealed, "manifest"), flipped(sealed, "manifest", 40)):
        bp, report = opened_anew(sealed, folder)
        assert not report.has_ids
        assert compare(sealed, bp, report) == Counter(right=sealed.head * len(KEYS))


def test_an_encrypted_store_stays_encrypted() -> None:
    truth = made(count=40, key=KEY)
    bp, report = opened_anew(truth, without(truth, "000000000002.seg"))
    compare(truth, bp, report)
    assert report.lost_commits
    with pytest.raises(CorruptionError, match="without the manifest"):
        recovered(without(truth, "manifest").reader(), MemoryFolder(), KEY)


def test_directories_are_made_and_a_failure_leaves_none(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "old") as bp:
        bp.pack("a", 1)
        with pytest.raises(StoreLockedError):
            backpack.recover(tmp_path / "old", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    backpack.recover(tmp_path / "old", tmp_path / "new")
    with backpack.open(tmp_path / "new") as bp:
        assert bp["a"] == 1 and bp.head is not None and bp.head.seq == 1
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir()} == {0o600, 0o700}
    with pytest.raises(InvalidArgumentError, match="already"):
        backpack.recover(tmp_path / "old", tmp_path / "new")
    with pytest.raises(StoreNotFoundError):
        backpack.recover(tmp_path / "nothing", tmp_path / "other")
    for path in (tmp_path / "old").glob("*.seg"):
        path.write_bytes(bytes(100))
    with pytest.raises(CorruptionError, match="no commit of the store can be read"):
        backpack.recover(tmp_path / "old", tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("key", [None, KEY])
def test_a_segment_that_lost_its_end_loses_nothing_else(key: bytes | None) -> None:
    with small_segments():
        truth = made(count=60, key=key)
    name = sorted(name for name in truth.files() if name.endswith(".seg"))[1]
    ends: list[tuple[str, Any]] = [(f"cut by {count}", _cut_by(count)) for count in (1, 8, 24, 25, 32, 47, 48)]
    ends.append(("zeros for it", lambda data: data.__setitem__(slice(-48, None), bytes(48))))
    ends.append(("something behind it", lambda data: data.extend(b"more")))
    for what, change in ends:
        folder = changed(truth, name, change)
        reader = opened_in(folder.reader(), mode="r", key=key)
        assert [reader.snapshot(seq).to_dict() for seq in truth.states] == list(truth.states.values()), what
        bp, report = opened_anew(truth, folder)
        assert report.is_whole, (what, report)
        assert compare(truth, bp, report) == Counter(right=truth.head * len(KEYS)), what


def test_a_segment_that_lost_its_end_is_found_without_a_manifest(sealed: Truth) -> None:
    folder = changed(sealed, "000000000001.seg", _cut_by(1))
    folder.remove("manifest")
    bp, report = opened_anew(sealed, folder)
    assert not report.lost_commits and not report.lost_values and not report.has_ids and not report.is_whole
    compare(sealed, bp, report)


def test_a_directory_that_nothing_proves_is_not_believed(sealed: Truth) -> None:
    def damage(data: bytearray) -> None:
        data[-48 - 176 + 48 + 32] ^= 1  # where the index stands
        del data[-30:]

    report = opened_anew(sealed, changed(sealed, "000000000001.seg", damage))[1]
    assert report.lost_commits and not report.is_whole


def test_the_keys_of_lost_values_are_named(sealed: Truth) -> None:
    bp = opened_in(sealed.folder.reader(), mode="r")
    index = bp._archive.parts[1].pieces.index()  # type: ignore[union-attr, attr-defined]
    name = sorted(name for name in sealed.files() if name.endswith(".seg"))[1]
    bp, report = opened_anew(sealed, flipped(sealed, name, index.block_offsets[0] + 5))
    assert report.lost_values and report.lost_keys and set(report.lost_keys) <= set(KEYS)
    assert not report.is_whole


def _cut_by(count: int) -> Any:
    return lambda data: data.__delitem__(slice(len(data) - count, None))


@pytest.mark.parametrize("inside", ["new", "blobs/new", "../store/new", "../link/new"])
def test_nothing_is_written_inside_the_damaged_store(inside: str, tmp_path: Path) -> None:
    path = tmp_path / "store"
    backpack.open(path).close()
    (tmp_path / "link").symlink_to(path)
    before = sorted(tmp_path.rglob("*"))
    for store in (path, tmp_path / "link"):
        with pytest.raises(InvalidArgumentError, match="inside the damaged store"):
            backpack.recover(store, path / inside)
    assert sorted(tmp_path.rglob("*")) == before
