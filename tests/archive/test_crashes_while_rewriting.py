"""What compaction and purging take away is taken away last: a crash in between leaves all that was promised."""

from collections.abc import Iterator

import pytest

import backpack.archive.opened
from backpack import Backpack, CorruptionError
from backpack.archive.frames import LOG_HEAD
from backpack.archive.keeping import Keeper
from backpack.archive.manifest import read_manifest
from backpack.archive.opened import Opened
from backpack.archive.retention import Retention
from backpack.core.limits import Limits
from backpack.storage.cover import PLAIN
from backpack.storage.memory import MemoryFolder
from backpack.store.opening import open_in
from tests.storage.crashing import CrashingFolder
from tests.storage.survival import Image

from .stores import SMALL, opened_in, small_segments


class LazyKeeper(Keeper):
    """Works in the thread that waits for it, and not before."""

    def wake(self) -> None:
        self._is_idle = True

    def drain(self) -> None:
        while self._step():
            self.failure = None


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(backpack.archive.opened, "Keeper", LazyKeeper)
    with small_segments():
        yield


def opened_on(folder: CrashingFolder, durability: str = "process") -> Backpack:
    return open_in(folder, SMALL, is_writable=True, durability=durability)


def left_from(folder: CrashingFolder, begin: int, seeds: int = 1) -> Iterator[Image]:
    """What crashes from an operation on leave: each content once."""
    seen: set[str] = set()
    for at in range(begin, folder.machine.position + 1):
        for image in folder.machine.images(at, seeds=seeds):
            if image.digest not in seen:
                seen.add(image.digest)
                yield image


def filled(bp: Backpack, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        bp.pack(f"filler.{number % 3}", {"number": number, "text": "x" * 60})


def test_a_checkpoint_whose_deletion_was_lost_is_whole_after_a_compaction() -> None:
    folder = CrashingFolder()
    bp = opened_on(folder)
    bp.pack("plan", "early")
    bp.checkpoint("early")
    bp.pack("plan", "late")
    filled(bp, 100)
    bp._opened.drain()  # type: ignore[union-attr]
    bp._opened.retention = Retention(keep_commits=10)  # type: ignore[union-attr]
    bp.delete_checkpoint("early")
    begin = folder.machine.position
    bp._tend()
    for image in left_from(folder, begin, seeds=2):
        again = opened_in(image.folder)
        for checkpoint in again.checkpoints():
            assert again.snapshot(checkpoint.name)["plan"] == "early", (image.at, image.name)
        assert again["plan"] == "late"


def test_compaction_leaves_what_logs_that_are_not_sealed_are_cut_from() -> None:
    folder = MemoryFolder()
    bp = opened_in(folder, limits=Limits(1000, 100_000, None, "oldest", 0.2, False))
    first, second = {"text": "a" * 300}, {"text": "b" * 300}
    bp.pack("plan", first)
    bp.pack("plan", second)
    bp.restore(1, keys=["plan"])
    bp.pack("plan", second)
    filled(bp, 40)
    bp._opened.drain()  # type: ignore[union-attr]
    bp.restore(1, keys=["plan"])  # in a log that is not sealed, cut from what stands in a segment
    seq = bp.head.seq  # type: ignore[union-attr]
    bp.pack("plan", second)
    change = bp._opened.archive.find("plan", seq)  # type: ignore[union-attr]
    assert change is not None and change.value is not None
    assert change.value.cuts[0][0] < bp._opened.archive.parts[-1].origins[0]  # type: ignore[union-attr]
    bp._opened.retention = Retention(keep_commits=3)  # type: ignore[union-attr]
    bp._tend()
    bp.close()
    again = opened_in(folder)
    assert again.snapshot(seq)["plan"] == first


def test_a_blob_that_was_purged_is_off_the_disk_after_a_power_loss_too() -> None:
    folder = CrashingFolder()
    bp = opened_on(folder)
    bp.pack("user.photo", bytes(range(256)) * 40)
    filled(bp, 10)
    bp.flush()
    bp.purge("user.**")
    for image in folder.machine.images():
        assert [name for name, _ in image.folder.walk() if name.startswith("blobs/")] == [], image.name


def test_a_purge_that_crashed_is_finished_by_the_next_one() -> None:
    folder = CrashingFolder()
    bp = opened_on(folder)
    bp.pack("user.name", "SECRET")
    bp.pack("user.photo", b"SECRET" + bytes(range(256)) * 40)
    filled(bp, 10)
    bp.flush()
    folder.folder("aside").create("1-70.cut").append(b"SECRET")
    folder.folder("aside").sync()
    begin = folder.machine.position
    bp.purge("user.**")
    for image in left_from(folder, begin):
        again = opened_in(image.folder)
        again.purge("user.**")
        files = {name: data for name, data in image.folder.walk() if data is not None}
        assert [name for name in files if name.startswith(("blobs/", "aside/"))] == [], (image.at, image.name)
        assert b"SECRET" not in b"".join(files.values())


def test_a_crash_at_any_moment_of_a_purge_or_compaction_takes_nothing_else_along() -> None:
    folder = CrashingFolder()
    bp = opened_on(folder)
    bp.pack("user.name", "Ada")
    bp.pack("user.photo", bytes(range(256)) * 40)
    bp.append("talk", "hello")
    bp.checkpoint("early")
    filled(bp, 40)
    bp.append("talk", "again")
    filled(bp, 20)
    bp.flush()
    begin, head = folder.machine.position, bp.head
    bp.purge("user.**")
    bp.compact(keep_commits=5)
    assert head is not None
    for image in left_from(folder, begin):
        again = opened_in(image.folder)
        assert again["talk"] == ["hello", "again"], (image.at, image.name)
        early = again.snapshot("early")
        assert early["talk"] == ["hello"]
        assert early.unpack("user.name") == "Ada" or early.unpack("user.name").reason == "purged"
        newest = again.snapshot(head)
        assert newest["filler.1"] == {"number": 19, "text": "x" * 60}
        again._check()


def segments_in(folder: CrashingFolder) -> list[str]:
    return [name for name in folder.names() if name.endswith(".seg")]


def assert_whole(bp: Backpack, count: int) -> None:
    """Everything that was filled in is there."""
    assert bp.head is not None and bp.head.seq == count
    for number in range(count):
        assert bp.snapshot(number + 1)[f"filler.{number % 3}"]["number"] == number
    assert {one.name for one in bp.checkpoints()} == {"early"}
    bp._check()


def test_a_crash_at_any_moment_of_a_merge_changes_nothing() -> None:
    folder = CrashingFolder()
    with small_segments(40_000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Opened, "merge", lambda self: False)
            for number in range(6):
                bp = opened_on(folder)
                filled(bp, 2, start=2 * number)
                if number == 3:
                    bp.checkpoint("early")
                bp.close()
                folder = folder.machine.folder()
        bp = opened_on(folder)
        filled(bp, 1, start=12)
        bp.flush()
        begin, before = folder.machine.position, segments_in(folder)
        assert bp._opened is not None and bp._opened.merge()
        assert len(segments_in(folder)) < len(before)
        images = list(left_from(folder, begin))
        assert len(images) > 10
        for number, image in enumerate(images):
            assert_whole(opened_in(image.folder), 13)
            if number % 6 == 0:  # the next opening merges as well, and crashes again
                second = CrashingFolder(image.folder)
                assert_whole(opened_on(second), 13)
                for left in left_from(second, 0):
                    assert_whole(opened_in(left.folder), 13)


def test_recovery_does_not_forget_which_logs_there_were() -> None:
    folder = CrashingFolder()
    bp = opened_on(folder, "power")
    filled(bp, 60)
    bp._opened._seal_next()  # type: ignore[union-attr]
    known = read_manifest(folder, PLAIN).last_log
    assert known > 2
    image = next(iter(folder.machine.stopped())).folder
    recovering = CrashingFolder(image)
    opened_on(recovering)
    for at in recovering.machine.moments():
        for left in recovering.machine.images(at, seeds=1):
            assert read_manifest(left.folder, PLAIN).last_log >= known, (at, left.name)


def test_a_log_whose_head_is_damaged_is_no_torn_log_when_its_commits_were_acknowledged() -> None:
    folder = CrashingFolder()
    bp = opened_on(folder, "power")
    filled(bp, 60)
    newest = max(name for name in folder.names() if name.endswith(".log"))
    files = {name: data for name, data in next(iter(folder.machine.stopped())).folder.walk() if data is not None}
    assert len(files[newest]) > 500
    for offset in range(LOG_HEAD.size - 8):
        data = bytearray(files[newest])
        data[offset] ^= 1
        with pytest.raises(CorruptionError, match=newest):
            opened_in(MemoryFolder({**files, newest: bytes(data)}))


def test_logs_that_nobody_has_read_yet_count_as_archived_bytes() -> None:
    folder = MemoryFolder()
    bp = opened_in(folder)
    filled(bp, 60)
    sizes = [len(data) for name, data in folder.walk() if data is not None and name.endswith((".log", ".seg"))]
    assert len(sizes) > 3
    assert bp.memory_usage().archive_bytes == sum(sizes)
