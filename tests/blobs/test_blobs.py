"""Blobs in their folder: put once, relied on when known, and left whole by whatever fails."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backpack.blobs import writing
from backpack.blobs.store import Blobs
from backpack.errors import CorruptionError, DiskFullError, InvalidArgumentError, StorageError
from backpack.storage.cover import PLAIN
from backpack.storage.memory import MemoryFolder
from backpack.storage.opening import open_folder
from tests.blobs.covers import MarkedCovers
from tests.blobs.watched import WatchedFolder

FRAME_SIZE = 64
CONTENT = b"".join(b"line %d of a value\n" % number for number in range(40))


@pytest.fixture
def folder() -> WatchedFolder:
    return WatchedFolder(MemoryFolder())


@pytest.fixture
def blobs(folder: WatchedFolder) -> Blobs:
    return reopened(folder)


def reopened(folder: WatchedFolder | MemoryFolder) -> Blobs:
    """As the next process would."""
    return Blobs(folder, PLAIN, frame_size=FRAME_SIZE)


def syncs(folder: WatchedFolder) -> list[str]:
    """The files that were synced since the last time; `""` is the folder. Nothing else was changed."""
    events = [event for event in folder.watch.events if event[0] not in ("pread", "reopen")]
    folder.watch.events.clear()
    assert {operation for operation, _ in events} <= {"sync"}
    return [name for _, name in events]


def content_of(blobs: Blobs, digest: bytes) -> bytes:
    with blobs.open(digest) as blob:
        blob.check()
        return b"".join(blob.chunks())


def flipped(folder: WatchedFolder, name: str, at: int) -> None:
    data = bytearray(dict(folder.inner.walk())[name] or b"")
    data[at] ^= 0x10
    folder.inner.remove(name)
    folder.inner.create(name).append(bytes(data))


# -- putting -------------------------------------------------------------------------------------------------------


def test_a_stream_and_its_bytes_make_the_same_blob(blobs: Blobs, folder: WatchedFolder) -> None:
    digest, size = blobs.put([CONTENT[:3], b"", CONTENT[3:200], CONTENT[200:]], is_durable=True)
    assert (digest, size) == (PLAIN.digest([CONTENT]), len(CONTENT))
    assert blobs.put_bytes(CONTENT, is_durable=True) == digest
    assert folder.names() == [digest.hex()]
    assert content_of(blobs, digest) == CONTENT


@pytest.mark.parametrize(
    "size", [0, 1, FRAME_SIZE - 1, FRAME_SIZE, FRAME_SIZE + 1, 3 * FRAME_SIZE, 300 * FRAME_SIZE + 7]
)
def test_every_size_around_the_borders_comes_back(blobs: Blobs, size: int) -> None:
    content = os.urandom(size)
    digest = blobs.put_bytes(content, is_durable=False)
    with blobs.open(digest) as blob:
        assert (blob.size, blob.read(0, size + 9), blob.read(size, 1)) == (size, content, b"")
        assert blob.line_count == content.count(b"\n")
        assert blob.file_size == blobs.size_of(digest)
    assert content_of(blobs, digest) == content


def test_a_durable_put_syncs_the_file_before_its_name_and_the_folder_after(blobs: Blobs, folder: WatchedFolder) -> None:
    digest = blobs.put_bytes(CONTENT, is_durable=True)
    events = [event for event in changes(folder) if event[0] != "append"]
    assert events == [("create", "0.tmp"), ("sync", "0.tmp"), ("rename", digest.hex()), ("sync", "")]


def test_a_content_that_is_known_is_neither_written_nor_synced_again(blobs: Blobs, folder: WatchedFolder) -> None:
    digest = blobs.put_bytes(CONTENT, is_durable=True)
    folder.watch.events.clear()
    assert blobs.put_bytes(CONTENT, is_durable=True) == blobs.put_bytes(CONTENT, is_durable=False) == digest
    assert folder.watch.events == []
    assert blobs.put([CONTENT], is_durable=True)[0] == digest
    assert [event for event in folder.watch.events if event[0] != "append"] == [
        ("create", "1.tmp"),
        ("remove", "1.tmp"),
    ]


def test_what_was_put_without_a_sync_is_synced_when_that_is_asked_for(blobs: Blobs, folder: WatchedFolder) -> None:
    digest = blobs.put_bytes(CONTENT, is_durable=False)
    assert all(operation != "sync" for operation, _ in folder.watch.events)
    folder.watch.events.clear()
    blobs.put_bytes(CONTENT, is_durable=True)
    assert syncs(folder) == [digest.hex(), ""]
    other = blobs.put_bytes(CONTENT + b"!", is_durable=False)
    folder.watch.events.clear()
    blobs.sync_all()
    assert syncs(folder) == [other.hex(), ""]
    folder.watch.events.clear()
    blobs.sync_all()
    assert syncs(folder) == [""]


COPIED = [
    ("create", "0.tmp"),
    ("append", "0.tmp"),
    ("sync", "0.tmp"),
    ("rename", PLAIN.digest([CONTENT]).hex()),
    ("sync", ""),
]


def changes(folder: WatchedFolder) -> list[tuple[str, str]]:
    """What was done since the last time, but for reading."""
    events = [event for event in folder.watch.events if event[0] not in ("pread", "reopen")]
    folder.watch.events.clear()
    return events


def test_a_found_blob_is_read_and_copied_and_synced_once_before_it_is_relied_on(
    blobs: Blobs, folder: WatchedFolder
) -> None:
    digest = blobs.put_bytes(CONTENT, is_durable=True)
    before = dict(folder.inner.walk())
    later = reopened(folder)
    changes(folder)
    assert later.put_bytes(CONTENT, is_durable=True) == digest
    assert changes(folder) == COPIED
    assert later.put_bytes(CONTENT, is_durable=True) == digest
    assert folder.watch.events == []
    assert dict(folder.inner.walk()) == before


def test_a_found_blob_that_need_not_be_durable_waits_for_sync_all(blobs: Blobs, folder: WatchedFolder) -> None:
    blobs.put_bytes(CONTENT, is_durable=False)
    later = reopened(folder)
    changes(folder)
    later.put_bytes(CONTENT, is_durable=False)
    assert changes(folder) == []
    later.sync_all()
    assert changes(folder) == [*COPIED, ("sync", "")]
    later.sync_all()
    assert changes(folder) == [("sync", "")]
    later.put_bytes(CONTENT, is_durable=True)
    assert changes(folder) == []


@pytest.mark.parametrize("at", [0, 30, -1])
def test_a_torn_blob_under_the_right_name_is_written_again(blobs: Blobs, folder: WatchedFolder, at: int) -> None:
    digest = blobs.put_bytes(CONTENT, is_durable=False)
    flipped(folder, digest.hex(), at)
    later = reopened(folder)
    assert later.put_bytes(CONTENT, is_durable=True) == digest
    assert content_of(later, digest) == CONTENT


def test_a_stream_replaces_a_blob_of_unknown_origin(blobs: Blobs, folder: WatchedFolder) -> None:
    digest = blobs.put_bytes(CONTENT, is_durable=False)
    flipped(folder, digest.hex(), 40)
    later = reopened(folder)
    assert later.put([CONTENT], is_durable=True)[0] == digest
    assert content_of(later, digest) == CONTENT


@pytest.mark.parametrize(("is_durable", "moment"), [(True, "append"), (True, "sync"), (False, "append")])
def test_the_first_of_two_threads_with_one_content_wins(
    blobs: Blobs, folder: WatchedFolder, is_durable: bool, moment: str
) -> None:
    """Else the second, which may sync nothing, would take away what was acknowledged to the first."""

    def first() -> None:
        blobs.put_bytes(CONTENT, is_durable=not is_durable)

    folder.watch.before[moment] = first
    digest = blobs.put([CONTENT], is_durable=is_durable)[0]
    assert [event for event in folder.watch.events if event[0] == "rename"] == [("rename", digest.hex())]
    assert ("sync", digest.hex() if is_durable else "1.tmp") in folder.watch.events
    assert folder.names() == [digest.hex()]


def test_renewing_writes_the_same_file_again_and_syncs_it(blobs: Blobs, folder: WatchedFolder) -> None:
    digest = blobs.put_bytes(CONTENT, is_durable=False)
    before = dict(folder.inner.walk())
    later = reopened(folder)
    changes(folder)
    later.renew(digest)
    assert changes(folder) == COPIED
    assert dict(folder.inner.walk()) == before


@pytest.mark.parametrize("moment", ["append", "sync"])
@pytest.mark.parametrize("act", [Blobs.sync_all, lambda later: later.renew(PLAIN.digest([CONTENT]))])
def test_a_blob_that_is_removed_while_it_is_copied_stays_away(
    blobs: Blobs, folder: WatchedFolder, moment: str, act: Callable[[Blobs], None]
) -> None:
    digest = blobs.put_bytes(CONTENT, is_durable=True)
    later = reopened(folder)
    later.put_bytes(CONTENT, is_durable=False)
    folder.watch.before[moment] = lambda: later.remove(digest)
    act(later)
    assert folder.names() == []
    later.put_bytes(CONTENT, is_durable=True)
    assert content_of(later, digest) == CONTENT


def test_a_found_blob_that_was_damaged_since_is_told_by_sync_all(blobs: Blobs, folder: WatchedFolder) -> None:
    digest = blobs.put_bytes(CONTENT, is_durable=True)
    later = reopened(folder)
    later.put_bytes(CONTENT, is_durable=False)
    flipped(folder, digest.hex(), 40)
    with pytest.raises(CorruptionError, match=digest.hex()):
        later.sync_all()


def test_renewing_a_damaged_blob_changes_nothing(blobs: Blobs, folder: WatchedFolder) -> None:
    digest = blobs.put_bytes(CONTENT, is_durable=True)
    flipped(folder, digest.hex(), 50)
    before = dict(folder.inner.walk())
    with pytest.raises(CorruptionError):
        reopened(folder).renew(digest)
    assert dict(folder.inner.walk()) == before


# -- what fails ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("good", range(5))
def test_a_full_disk_leaves_no_trace_and_the_next_put_works(blobs: Blobs, folder: WatchedFolder, good: int) -> None:
    folder.watch.fail["append"] = good
    with pytest.raises(DiskFullError):
        blobs.put_bytes(CONTENT, is_durable=True)
    assert folder.names() == []
    folder.watch.fail.clear()
    assert content_of(blobs, blobs.put_bytes(CONTENT, is_durable=True)) == CONTENT
    assert folder.watch.open_count == 0


def test_an_error_in_the_stream_leaves_no_trace(blobs: Blobs, folder: WatchedFolder) -> None:
    def chunks() -> Iterator[bytes]:
        yield CONTENT
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        blobs.put(chunks(), is_durable=True)
    assert folder.names() == []
    assert folder.watch.open_count == 0


@pytest.mark.parametrize("good", [0, 1])
def test_a_sync_that_fails_is_never_tried_again(blobs: Blobs, folder: WatchedFolder, good: int) -> None:
    kept = blobs.put_bytes(b"kept", is_durable=True)
    folder.watch.fail["sync"] = good
    with pytest.raises(StorageError):
        blobs.put_bytes(CONTENT, is_durable=True)
    folder.watch.fail.clear()
    folder.watch.events.clear()
    for act in (
        lambda: blobs.put_bytes(CONTENT, is_durable=True),
        lambda: blobs.put([b"other"], is_durable=False),
        lambda: blobs.renew(kept),
        blobs.sync_all,
    ):
        with pytest.raises(StorageError, match="reopen"):
            act()
    assert folder.watch.events == []
    assert content_of(blobs, kept) == b"kept"


def test_a_sync_of_all_that_fails_ends_writing(blobs: Blobs, folder: WatchedFolder) -> None:
    blobs.put_bytes(CONTENT, is_durable=False)
    folder.watch.fail["sync"] = 0
    with pytest.raises(StorageError):
        blobs.sync_all()
    folder.watch.fail.clear()
    with pytest.raises(StorageError, match="reopen"):
        blobs.sync_all()


def test_an_error_of_reading_is_not_taken_for_damage(blobs: Blobs, folder: WatchedFolder) -> None:
    digest = blobs.put_bytes(CONTENT, is_durable=True)
    for good in range(4):
        folder.watch.fail["pread"] = good
        with pytest.raises(StorageError):
            reopened(folder).put_bytes(CONTENT, is_durable=True)
    folder.watch.fail.clear()
    assert folder.names() == [digest.hex()]
    assert folder.watch.open_count == 0


def test_half_written_files_are_ignored_and_swept(blobs: Blobs, folder: WatchedFolder) -> None:
    digest = blobs.put_bytes(CONTENT, is_durable=True)
    for name in ("0.tmp", "7.tmp", "readme", digest.hex()[:-1]):
        folder.inner.create(name).append(b"rest")
    later = reopened(folder)
    assert list(later.digests()) == [digest]
    assert later.total_size == later.size_of(digest)
    assert later.put_bytes(b"over the old rest", is_durable=True)
    assert later.sweep_temporary() == 1  # the other one was in the way and went before
    assert later.sweep_temporary() == 0
    assert set(folder.names()) == {digest.hex(), "readme", digest.hex()[:-1], *(d.hex() for d in later.digests())}


# -- the folder as a whole -----------------------------------------------------------------------------------------


def test_a_missing_blob_is_named(blobs: Blobs) -> None:
    digest = PLAIN.digest([b"never put"])
    assert not blobs.has(digest)
    for act in (blobs.open, blobs.size_of, blobs.renew):
        with pytest.raises(CorruptionError, match=digest.hex()) as caught:
            act(digest)
        assert caught.value.file == digest.hex()  # type: ignore[attr-defined]
    blobs.remove(digest)


@pytest.mark.parametrize("digest", [b"", b"x" * 31, "0" * 64, bytearray(32)])
def test_nothing_but_a_digest_becomes_a_name(blobs: Blobs, digest: bytes) -> None:
    for act in (blobs.open, blobs.has, blobs.remove, blobs.size_of):
        with pytest.raises(InvalidArgumentError):
            act(digest)


def test_sizes_are_those_of_the_files_through_puts_and_removals(blobs: Blobs, folder: WatchedFolder) -> None:
    digests = [blobs.put_bytes(b"%d" % number * 300, is_durable=False) for number in range(5)]
    for later in (blobs, reopened(folder)):
        assert later.total_size == sum(len(data or b"") for _, data in folder.inner.walk())
        later.put_bytes(CONTENT, is_durable=False)
        later.put([CONTENT], is_durable=False)
        later.remove(digests.pop())
        assert later.total_size == sum(len(data or b"") for _, data in folder.inner.walk())
    assert sorted(later.digests()) == list(later.digests())
    assert blobs.put_bytes(b"%d" % 4 * 300, is_durable=True)
    assert blobs.total_size > 0


@pytest.mark.parametrize("change", ["put", "remove"])
def test_sizes_are_right_when_somebody_changes_them_while_they_are_counted(folder: WatchedFolder, change: str) -> None:
    waiting: list[Callable[[], object]] = []

    class Counted(Blobs):
        __slots__ = ()

        def size_of(self, digest: bytes) -> int:
            size = super().size_of(digest)
            if waiting:
                waiting.pop()()  # what another thread does meanwhile
            return size

    blobs = Counted(folder, PLAIN, frame_size=FRAME_SIZE)
    digest, _ = blobs.put([CONTENT], is_durable=True)
    acts: dict[str, Callable[[], object]] = {
        "put": lambda: blobs.put([b"other"], is_durable=True),
        "remove": lambda: blobs.remove(digest),
    }
    waiting.append(acts[change])
    assert blobs.total_size == sum(map(reopened(folder).size_of, blobs.digests()))


def test_a_removal_waits_for_the_next_sync_when_one_was_interrupted(blobs: Blobs, folder: WatchedFolder) -> None:
    digest, _ = blobs.put([CONTENT], is_durable=True)
    blobs.remove(digest)

    def interrupt() -> None:
        raise KeyboardInterrupt

    folder.watch.before["sync"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        blobs.sync_all()
    assert not blobs.is_synced
    blobs.sync_all()
    assert blobs.is_synced


def test_a_removed_content_is_written_again(blobs: Blobs) -> None:
    digest = blobs.put_bytes(CONTENT, is_durable=True)
    blobs.remove(digest)
    blobs.sync_all()
    assert not blobs.has(digest)
    blobs.put_bytes(CONTENT, is_durable=True)
    assert content_of(blobs, digest) == CONTENT


@pytest.mark.parametrize("moment", ["sync", "reopen"])
def test_what_is_removed_while_all_is_synced_is_not_taken_to_be_there(
    blobs: Blobs, folder: WatchedFolder, moment: str
) -> None:
    digest = blobs.put_bytes(CONTENT, is_durable=False)
    folder.watch.before[moment] = lambda: blobs.remove(digest)
    blobs.sync_all()
    assert not blobs.has(digest)
    blobs.put_bytes(CONTENT, is_durable=True)
    assert content_of(blobs, digest) == CONTENT


def test_a_blob_that_vanished_is_missed_when_it_is_synced(blobs: Blobs, folder: WatchedFolder) -> None:
    digest = blobs.put_bytes(CONTENT, is_durable=False)
    folder.inner.remove(digest.hex())
    with pytest.raises(StorageError, match=digest.hex()):
        blobs.sync_all()


def test_a_content_beyond_the_limit_is_refused_without_a_trace(
    blobs: Blobs, folder: WatchedFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "BLOB_SIZE_MAX", len(CONTENT))
    assert blobs.put([CONTENT[:9], CONTENT[9:]], is_durable=False)
    with pytest.raises(InvalidArgumentError, match="limit"):
        blobs.put([CONTENT, b"!"], is_durable=False)
    assert len(folder.names()) == 1


def test_an_open_blob_outlives_its_removal(blobs: Blobs) -> None:
    digest = blobs.put_bytes(CONTENT, is_durable=True)
    with blobs.open(digest) as blob:
        blobs.remove(digest)
        assert b"".join(blob.chunks()) == CONTENT


def test_a_covered_blob_can_not_stand_for_another() -> None:
    folder, covers = MemoryFolder(), MarkedCovers()
    blobs = Blobs(folder, covers, frame_size=FRAME_SIZE)
    first = blobs.put_bytes(CONTENT, is_durable=True)
    second = blobs.put([CONTENT[::-1]], is_durable=True)[0]
    assert first != PLAIN.digest([CONTENT])
    assert content_of(blobs, first) == CONTENT
    folder.rename(second.hex(), first.hex())
    with pytest.raises(CorruptionError):
        blobs.open(first)
    with pytest.raises(CorruptionError):
        Blobs(folder, PLAIN).open(first)


def test_a_plain_blob_can_not_stand_for_a_covered_one() -> None:
    folder = MemoryFolder()
    digest = Blobs(folder, PLAIN).put_bytes(CONTENT, is_durable=True)
    with pytest.raises(CorruptionError, match="not covered"):
        Blobs(folder, MarkedCovers()).open(digest)


def test_threads_put_and_read_the_same_contents_at_once(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "store", create=True, writable=True).folder("blobs")
    blobs = Blobs(folder, PLAIN, frame_size=1024)
    contents = [os.urandom(50) * 200 + b"%d" % number for number in range(6)]
    shared = blobs.open(blobs.put_bytes(contents[0], is_durable=False))
    faults: list[BaseException] = []

    def work(offset: int) -> None:
        try:
            for number in range(60):
                content = contents[(number + offset) % 6]
                digest = blobs.put_bytes(content, is_durable=number % 7 == 0)
                assert blobs.open(digest).read(3, 5000) == content[3:5003]
                at = number * 160
                assert shared.read(at, 2000) == contents[0][at : at + 2000]
                assert shared.count_newlines(0, at) == contents[0].count(b"\n", 0, at)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    blobs.sync_all()
    assert len(folder.names()) == 6
    assert all(reopened_on_disk(folder, digest) in contents for digest in blobs.digests())


def reopened_on_disk(folder: object, digest: bytes) -> bytes:
    return content_of(Blobs(folder, PLAIN), digest)  # type: ignore[arg-type]
