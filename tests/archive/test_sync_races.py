"""What happens while a sync is under way, seen from a thread that acts in the middle of it."""

import pytest

from backpack.archive.syncing import Syncer
from tests.archive.crashes import LazyKeeper, opened, small_files, words
from tests.storage.crashing import CrashingFolder


def test_a_log_that_begins_while_the_folder_is_synced_is_synced_the_next_time() -> None:
    with small_files(LazyKeeper), pytest.MonkeyPatch.context() as patch:
        folder = CrashingFolder()
        store = opened(folder)
        sync = CrashingFolder.sync
        meanwhile = [lambda: [store.pack("late", words(number, 40)) for number in range(4)]]

        def sync_and_roll(self: CrashingFolder) -> None:
            sync(self)
            while meanwhile and self.path == folder.path:
                meanwhile.pop()()

        for number in range(4):
            store.pack("page", words(number, 40))
        patch.setattr(CrashingFolder, "sync", sync_and_roll)
        store.flush()
        assert not meanwhile
        store.flush()
        for image in folder.machine.images():
            assert opened(image.folder)["late"] == words(3, 40)


def test_a_commit_that_is_taken_out_during_a_sync_does_not_count_as_synced() -> None:
    told = []

    def sync() -> int:
        syncer.retreat(4)
        return 5

    syncer = Syncer(sync, 3)
    syncer.tell = told.append
    syncer.sync()
    assert (syncer.synced, told) == (4, [4])


def test_a_commit_that_was_taken_out_before_a_sync_does_not_hold_it_back() -> None:
    syncer = Syncer(lambda: 5, 3)
    syncer.retreat(2)
    syncer.sync()
    assert syncer.synced == 5
