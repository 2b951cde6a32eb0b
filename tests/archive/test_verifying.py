"""`verify` finds what is wrong, names it and what it hits, and changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import backpack
from backpack import Backpack, StoreNotFoundError, WrongKeyError
from backpack.archive.frames import FRAME_SIZE
from backpack.archive.segment import Segment
from backpack.archive.verifying import verified
from backpack.storage.memory import MemoryFolder

from .damaging import Truth, crash, damages, flipped, made, without
from .stores import opened_in, small_segments

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def logged() -> Truth:
    with small_segments(100_000):
        return made(is_closed=False)


def test_a_store_that_is_whole_is_ok_and_counted(sealed: Truth, logged: Truth) -> None:
    for truth in (sealed, logged):
        found = verified(truth.folder.reader())
        assert found.ok and not found.notes
        assert found.commits == truth.head
        assert found.blobs == sum(name.startswith("blobs/") for name in truth.files())
        assert (found.files, found.size) == (len(truth.files()), sum(map(len, truth.files().values())))


@pytest.mark.parametrize("seed", [1, 2])
def test_every_damage_of_what_was_acknowledged_is_found(sealed: Truth, seed: int) -> None:
    for what, folder in damages(sealed, seed):
        before = dict(folder.walk())
        found = verified(folder.reader())
        if before != dict(sealed.folder.walk()) and what != "clean missing":
            assert not found.ok, what
            assert what.split()[0] in {problem.file for problem in found.problems}, what
        assert dict(folder.walk()) == before


def test_damage_before_what_was_synced_is_found_in_a_log(logged: Truth) -> None:
    name = next(name for name in logged.files() if name.endswith(".log"))
    size = len(logged.files()[name])
    for offset in range(1, size // 2, 997):
        found = verified(flipped(logged, name, offset).reader())
        assert not found.ok
        assert {problem.file for problem in found.problems} == {name}


def test_what_was_not_acknowledged_is_a_note() -> None:
    folder = MemoryFolder()
    bp = opened_in(folder)
    bp.pack("a", 1)
    crash(bp)
    name = next(name for name, _ in folder.walk() if name.endswith(".log"))
    files = {one: data for one, data in folder.walk() if data is not None}
    found = verified(MemoryFolder({**files, name: files[name][:-1]}).reader())
    assert found.ok and "not acknowledged" in found.notes[0] and name in found.notes[0]


def test_a_problem_names_the_commits_and_keys_that_it_hits(sealed: Truth) -> None:
    large = [seq for seq in sealed.changed("large")]
    data = sealed.states[large[0]]["large"]
    with small_segments():
        bp = opened_in(MemoryFolder({name: data for name, data in sealed.folder.walk() if data is not None}), mode="rw")
        assert bp.snapshot(large[0])["large"] == data
        archive = bp._archive
        assert archive is not None
        change = archive.find("large", large[0])
        bp.close()
    assert change is not None and change.value is not None
    name = f"blobs/{change.value.blobs[0].hex()}"
    for folder in (without(sealed, name), flipped(sealed, name, 200)):
        (problem,) = verified(folder.reader()).problems
        assert (problem.file, problem.commits, problem.keys) == (name, (large[0], large[0]), ("large",))
    problem = verified(without(sealed, "000000000002.seg").reader()).problems[0]
    with small_segments():
        bp = opened_in(sealed.folder.reader(), mode="r")
    part = bp._archive.parts[1]  # type: ignore[union-attr]
    assert isinstance(part, Segment)
    assert problem.commits is not None and problem.commits[0] == part.first_seq and problem.commits[1] >= part.last_seq


def test_several_problems_are_all_told(sealed: Truth) -> None:
    folder = flipped(sealed, "000000000001.seg", 90)
    folder = flipped(Truth(folder, {}, {}), "000000000003.seg", 1)
    folder = without(Truth(folder, {}, {}), "000000000004.seg")
    files = {problem.file for problem in verified(folder.reader()).problems}
    assert files >= {"000000000001.seg", "000000000003.seg", "000000000004.seg"}


def test_files_that_nothing_refers_to_are_notes(sealed: Truth) -> None:
    folder = without(sealed, "nothing")
    for name in ("000000000099.seg", "1.tmp"):
        folder.create(name).append(b"anything")
    folder.folder("blobs").create("ab" * 32).append(b"no blob")
    folder.folder("aside").create("1-2.cut").append(b"cut")
    found = verified(folder.reader())
    assert found.ok
    for text in ("000000000099.seg", "1.tmp", "blobs that nothing refers to: 1", "aside/1-2.cut"):
        assert any(text in note for note in found.notes), text


def test_progress_ends_at_the_whole(sealed: Truth) -> None:
    told: list[tuple[int, int]] = []
    found = verified(sealed.folder.reader(), progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told) and told[-1][0] == found.size <= told[-1][1]


def test_an_encrypted_store_is_verified_with_its_key() -> None:
    with small_segments():
        truth = made(count=30, key=KEY)
    assert verified(truth.folder.reader(), KEY).ok
    assert not verified(flipped(truth, "000000000001.seg", 400).reader(), KEY).ok
    for key in (None, KEY[::-1]):
        with pytest.raises(WrongKeyError):
            verified(truth.folder.reader(), key)


def test_a_damaged_frame_is_one_problem_with_its_commit(logged: Truth) -> None:
    name = next(name for name in logged.files() if name.endswith(".log"))
    bp = opened_in(logged.folder.reader(), mode="r")
    offset = bp._archive.parts[-1].offset_of(7)  # type: ignore[union-attr]
    (problem,) = verified(flipped(logged, name, offset + FRAME_SIZE).reader()).problems
    assert (problem.file, problem.offset, problem.commits) == (name, offset, (7, 7))


_WRITER = """
import sys, backpack
from backpack.archive import opened
opened.SEGMENT_SIZE, opened.SEAL_SIZE_MIN = 3000, 0
print("ready", flush=True)
for number in range(10_000):
    with backpack.open(sys.argv[1]) as bp:
        for one in range(60):
            bp.pack(f"k{one % 7}", [number] * one)
            if one == 30:
                bp.pack("large", b"%d," % number * 40_000)
        bp.compact(keep_commits=100)
"""


def test_a_writer_beside_it_is_no_false_alarm(tmp_path: Path) -> None:
    path = tmp_path / "store"
    backpack.open(path).close()
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
        commits = set()
        while len(commits) < 8:
            found = backpack.verify(path)
            assert found.ok, found.problems
            commits.add(found.commits)
        assert writer.poll() is None
    finally:
        writer.kill()
        writer.communicate()


def test_where_there_is_no_store_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFoundError):
        backpack.verify(tmp_path)
    with pytest.raises(StoreNotFoundError):
        backpack.verify(tmp_path / "nothing")
    assert isinstance(Backpack(), Backpack) and not list(tmp_path.iterdir())


def test_no_blob_is_called_unused_while_a_segment_can_not_be_read(sealed: Truth) -> None:
    for name in [name for name in sealed.files() if name.endswith(".seg")]:
        found = verified(without(sealed, name).reader())
        assert not found.ok and not found.notes, found.notes


KINDS = ("link", "link to nothing", "pipe", "folder", "second name")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["manifest", "readers", "lock", "clean", "*.log", "blobs", "inbox", "aside"])
def test_what_is_no_file_or_folder_of_the_store_is_a_problem(name: str, kind: str, tmp_path: Path) -> None:
    path, moved = tmp_path / "run.backpack", tmp_path / "moved"
    with backpack.open(path) as bp:
        bp.pack("a", 1)
        bp.pack("large", "x" * 200_000)
    place = next(path.glob(name), path / name)
    if place.exists():
        if place.is_dir() and kind in ("folder", "second name"):
            return
        place.rename(moved)
    elif kind in ("folder", "second name"):
        return
    if kind.startswith("link"):
        place.symlink_to(moved if kind == "link" else tmp_path / "nothing")
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.hardlink_to(moved)
    found = backpack.verify(path)
    assert not found.ok
    assert place.name in {problem.file for problem in found.problems}
