"""Blobs of commits that were not synced: relied on only when whole, and copied before anything sealed points there."""

import pytest

from backpack.archive.manifest import CLEAN
from backpack.errors import CorruptionError
from backpack.storage.memory import MemoryFolder
from backpack.store.store import Backpack
from tests.archive.crashes import opened, small_files, words
from tests.storage.crashing import CrashingFolder

PAGE = words(1, 150)


def killed_after_a_blob(*, is_flushed: bool) -> MemoryFolder:
    """What a process leaves that packed a large value and was killed."""
    folder = CrashingFolder()
    store = opened(folder)
    store.pack("a", 1)
    store.flush()
    store.pack("page", PAGE)
    if is_flushed:
        store.flush()
    store.pack("b", 2)
    (image,) = (image for image in folder.machine.stopped() if image.name == "stopped")
    return image.folder


def blob_names(folder: MemoryFolder) -> list[str]:
    return list(folder.folder("blobs").names())


def reopened(folder: MemoryFolder) -> Backpack:
    return opened(folder, seed=1)


def test_a_commit_whose_blob_did_not_survive_goes_with_it() -> None:
    with small_files():
        folder = killed_after_a_blob(is_flushed=False)
        (name,) = blob_names(folder)
        folder.folder("blobs").remove(name)
        store = reopened(folder)
        assert (store.head and store.head.seq, store.select("**")) == (1, {"a": 1})
        assert store.recovery is not None and store.recovery.dropped_bytes > 0
        (kept,) = store.recovery.kept_in
        assert kept.startswith("aside/") and dict(folder.walk())[kept]


def test_an_acknowledged_commit_whose_blob_is_gone_stays_and_names_the_blob() -> None:
    with small_files():
        folder = killed_after_a_blob(is_flushed=True)
        (name,) = blob_names(folder)
        folder.folder("blobs").remove(name)
        store = reopened(folder)
        assert store.head is not None and store.head.seq == 3
        assert store["b"] == 2
        with pytest.raises(CorruptionError, match=name):
            store["page"]


def test_a_lost_blob_of_an_older_commit_takes_no_newer_one_along() -> None:
    with small_files():
        folder = CrashingFolder()
        store = opened(folder)
        store.pack("page", PAGE)
        store.close()
        store = opened(folder.machine.folder())
        store.pack("copy", PAGE)
        store.pack("b", 2)
        (image,) = (image for image in folder.machine.stopped() if image.name == "stopped")
        (name,) = blob_names(image.folder)
        image.folder.folder("blobs").remove(name)
        again = reopened(image.folder)
        assert again["b"] == 2 and again.head is not None and again.head.seq == 3


def test_blobs_that_were_not_synced_are_copied_when_the_store_is_opened() -> None:
    with small_files():
        folder = CrashingFolder()
        store = opened(folder)
        store.pack("page", PAGE)
        opened(folder.machine.restart(), seed=1)
        for image in folder.machine.images():
            assert reopened(image.folder)["page"] == PAGE


def test_what_a_crash_left_half_written_among_the_blobs_goes() -> None:
    with small_files():
        folder = killed_after_a_blob(is_flushed=False)
        folder.folder("blobs").create("7.tmp").append(b"half")
        reopened(folder)
        assert "7.tmp" not in blob_names(folder)
        assert len(blob_names(folder)) == 1


def test_a_folder_with_what_a_crash_leaves_of_a_new_store_becomes_one() -> None:
    folder = MemoryFolder()
    folder.folder("blobs")
    assert not folder.has(CLEAN)
    opened(folder).pack("a", 1)
