"""What every folder and file keeps, whatever it is made of: on a disk, in memory, or the fake that crashes.

A test class inherits `FolderContract` and says in `folder()` what an empty folder is.
"""

import contextlib
import os
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from backpack.errors import (
    InvalidArgumentError,
    MissingFileError,
    ReadOnlyError,
    StorageError,
    StoreLockedError,
)
from backpack.storage.protocol import Folder, publish

HOSTILE_NAMES = (
    *(
        "",
        ".",
        "..",
        ".hidden",
        "a/b",
        "../a",
        "/etc/passwd",
        "a\0b",
        "A",
        "LOCK",
        "ä",
        "a b",
        "a\nb",
        "\udcff",
        "a\\b",
    ),
    *("a:b", "~", "a" * 129, "$HOME", "*", "a\u2028"),
)


class FolderContract:
    """Inherit, and give `folder`."""

    @pytest.fixture
    def folder(self, tmp_path: Any) -> Iterator[Folder]:
        raise NotImplementedError
        yield

    def test_it_says_where_it_is_only_where_it_is_still_there(self, folder: Folder) -> None:
        location = folder.location()
        assert location is None or (os.path.isabs(location) and os.path.isdir(location))
        if location is not None:
            os.rename(location, location + ".moved")
            assert folder.location() is None
            os.mkdir(location)
            assert folder.location() is None

    # -- files -------------------------------------------------------------------------------------------------

    def test_what_was_appended_is_read(self, folder: Folder) -> None:
        file = folder.create("log.1")
        for part in (b"one", b"", b"two", b"x" * 5_000_000):
            file.append(part)
        assert file.size() == 5_000_006
        assert file.pread(6, 0) == b"onetwo"
        assert file.pread(2_000_000, 6) == b"x" * 2_000_000
        assert file.pread(0, 3) == b""

    def test_a_read_is_short_only_at_the_end(self, folder: Folder) -> None:
        file = folder.create("a")
        file.append(b"0123456789")
        assert file.pread(10, 8) == b"89"
        assert file.pread(10**9, 3) == b"3456789"
        assert file.pread(1, 10) == file.pread(2**62, 2**62) == file.pread(1, 2**80) == b""

    def test_nonsense_places_are_an_error_of_ours(self, folder: Folder) -> None:
        file = folder.create("a")
        for size, offset in ((-1, 0), (1, -1)):
            with pytest.raises(StorageError):
                file.pread(size, offset)

    def test_appending_goes_on_after_a_cut(self, folder: Folder) -> None:
        file = folder.create("a")
        file.append(b"0123456789")
        file.truncate(4)
        file.append(b"ab")
        assert (file.size(), file.pread(99, 0)) == (6, b"0123ab")
        file.truncate(0)
        assert (file.size(), file.pread(99, 0)) == (0, b"")

    def test_a_cut_never_makes_longer(self, folder: Folder) -> None:
        file = folder.create("a")
        file.append(b"0123")
        for size in (5, -1):
            with pytest.raises(InvalidArgumentError):
                file.truncate(size)
        assert file.size() == 4

    def test_a_file_opened_for_reading_can_not_be_changed(self, folder: Folder) -> None:
        folder.create("a").append(b"x")
        file = folder.open("a")
        for change in (lambda: file.append(b"y"), lambda: file.truncate(0), file.sync):
            with pytest.raises(ReadOnlyError):
                change()
        assert file.pread(9, 0) == b"x"

    def test_a_reopened_file_is_appended_to(self, folder: Folder) -> None:
        folder.create("a").append(b"x")
        file = folder.reopen("a")
        file.append(b"y")
        assert file.pread(9, 0) == folder.open("a").pread(9, 0) == b"xy"

    def test_two_openings_see_one_file(self, folder: Folder) -> None:
        writer, reader = folder.create("a"), folder.open("a")
        writer.append(b"xyz")
        assert (reader.size(), reader.pread(9, 1)) == (3, b"yz")

    def test_a_closed_file_does_nothing_more(self, folder: Folder) -> None:
        file = folder.create("a")
        file.append(b"x")
        file.close()
        file.close()
        for act in (
            lambda: file.pread(1, 0),
            file.size,
            lambda: file.append(b"y"),
            lambda: file.truncate(0),
            file.sync,
        ):
            with pytest.raises(StorageError):
                act()
        assert folder.open("a").pread(9, 0) == b"x"

    def test_a_file_knows_its_place_in_the_store(self, folder: Folder) -> None:
        assert folder.create("log.1").name == "log.1"
        assert folder.folder("blobs").create("ab").name == "blobs/ab"
        assert folder.folder("blobs").open("ab").name == "blobs/ab"
        assert folder.folder("blobs").path == folder.path + "/blobs"

    def test_threads_read_while_one_appends(self, folder: Folder) -> None:
        file = folder.create("a")
        wrong: list[Any] = []

        def read() -> None:
            for _ in range(200):
                size = file.size() // 4 * 4
                data = file.pread(size, 0)
                if data != b"abcd" * (size // 4):
                    wrong.append(data)

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(2000):
            file.append(b"abcd")
        for thread in threads:
            thread.join()
        assert not wrong
        assert file.size() == 8000

    # -- names -------------------------------------------------------------------------------------------------

    def test_names_are_sorted_and_hold_folders_too(self, folder: Folder) -> None:
        for name in ("b", "a", "log.10", "log.9", "0123456789abcdef", "x_y-z"):
            folder.create(name).close()
        folder.folder("blobs").create("inside").close()
        assert folder.names() == sorted(["b", "a", "log.10", "log.9", "0123456789abcdef", "x_y-z", "blobs"])
        assert folder.folder("blobs").names() == ["inside"]
        assert folder.has("blobs") and folder.has("a") and not folder.has("c")

    @pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
    def test_hostile_names_are_refused_everywhere(self, folder: Folder, name: str) -> None:
        folder.create("a").close()
        acts = (folder.has, folder.open, folder.create, folder.reopen, folder.remove, folder.folder, folder.lock)
        renames = (lambda name: folder.rename(name, "b"), lambda name: folder.rename("a", name))
        for act in (*acts, *renames):
            with pytest.raises(InvalidArgumentError):
                act(name)
        assert folder.names() == ["a"]

    def test_creating_a_file_that_is_there_is_an_error(self, folder: Folder) -> None:
        folder.create("a").append(b"x")
        folder.folder("f")
        for name in ("a", "f"):
            with pytest.raises(StorageError):
                folder.create(name)
        assert folder.open("a").size() == 1

    def test_a_missing_file_is_a_file_not_found_error_of_ours(self, folder: Folder) -> None:
        acts = (folder.open, folder.reopen, lambda name: folder.rename(name, "other"))
        for act in acts:
            with pytest.raises(MissingFileError) as caught:
                act("missing")
            assert isinstance(caught.value, FileNotFoundError) and isinstance(caught.value, StorageError)
            assert "missing" in str(caught.value)
        assert folder.names() == []

    def test_a_file_is_no_folder_and_a_folder_no_file(self, folder: Folder) -> None:
        folder.create("file").close()
        folder.folder("folder").create("kept").close()
        folder.create("other").close()
        acts = (
            lambda: folder.folder("file"),
            lambda: folder.open("folder"),
            lambda: folder.reopen("folder"),
            lambda: folder.remove("folder"),
            lambda: folder.rename("other", "folder"),
        )
        for act in acts:
            with pytest.raises(StorageError):
                act()
        assert folder.folder("folder").names() == ["kept"]

    def test_a_rename_replaces(self, folder: Folder) -> None:
        folder.create("old").append(b"new bytes")
        folder.create("name").append(b"old bytes")
        reader = folder.open("name")
        folder.rename("old", "name")
        assert folder.names() == ["name"]
        assert folder.open("name").pread(99, 0) == b"new bytes"
        assert reader.pread(99, 0) == b"old bytes"

    def test_an_open_file_follows_its_rename(self, folder: Folder) -> None:
        file = folder.create("a")
        folder.rename("a", "b")
        file.append(b"x")
        assert folder.open("b").pread(9, 0) == b"x"

    def test_a_removed_file_stays_readable_where_it_is_open(self, folder: Folder) -> None:
        file = folder.create("a")
        file.append(b"x")
        folder.remove("a")
        assert folder.names() == []
        assert file.pread(9, 0) == b"x"
        folder.create("a").close()
        assert file.pread(9, 0) == b"x"

    def test_removing_what_is_missing_is_fine(self, folder: Folder) -> None:
        folder.remove("missing")

    def test_a_folder_is_made_once(self, folder: Folder) -> None:
        folder.folder("blobs").folder("ab").create("x").append(b"1")
        assert folder.folder("blobs").folder("ab").open("x").pread(9, 0) == b"1"

    def test_syncs_change_nothing_that_is_read(self, folder: Folder) -> None:
        file = folder.create("a")
        file.append(b"x")
        file.sync()
        folder.sync()
        assert folder.open("a").pread(9, 0) == b"x"

    def test_a_closed_folder_does_nothing_more_and_its_files_do(self, folder: Folder) -> None:
        inner = folder.folder("inner")
        file = inner.create("a")
        inner.close()
        inner.close()
        acts = (inner.names, inner.sync, lambda: inner.has("a"), lambda: inner.open("a"), lambda: inner.create("b"))
        for act in (*acts, lambda: inner.remove("a"), lambda: inner.folder("b"), lambda: inner.lock("lock")):
            with pytest.raises(StorageError):
                act()
        file.append(b"x")
        assert folder.folder("inner").open("a").pread(9, 0) == b"x"

    # -- publishing --------------------------------------------------------------------------------------------

    def test_publishing_replaces_a_file(self, folder: Folder) -> None:
        publish(folder, "manifest", [b"one"])
        publish(folder, "manifest", iter([b"two", b"", b"three"]))
        assert folder.names() == ["manifest"]
        assert folder.open("manifest").pread(99, 0) == b"twothree"

    def test_what_a_crash_left_of_a_publication_is_in_nobodys_way(self, folder: Folder) -> None:
        folder.create("manifest.tmp").append(b"half a")
        publish(folder, "manifest", [b"whole"])
        assert folder.names() == ["manifest"]
        assert folder.open("manifest").pread(99, 0) == b"whole"

    def test_a_publication_that_fails_leaves_the_old_file_and_no_rest(self, folder: Folder) -> None:
        publish(folder, "manifest", [b"old"])

        def chunks() -> Iterator[bytes]:
            yield b"new"
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            publish(folder, "manifest", chunks())
        assert folder.names() == ["manifest"]
        assert folder.open("manifest").pread(99, 0) == b"old"

    # -- locks -------------------------------------------------------------------------------------------------

    def test_one_lock_at_a_time(self, folder: Folder) -> None:
        lock = folder.lock("lock")
        for shared in (False, True):
            with pytest.raises(StoreLockedError) as caught:
                folder.lock("lock", shared=shared)
            assert caught.value.pid == os.getpid()
            assert f"pid={os.getpid()}" in str(caught.value)
            assert f"path={caught.value.path!r}" in str(caught.value)
        folder.lock("other").release()
        lock.release()
        lock.release()
        folder.lock("lock").release()

    def test_a_lock_released_twice_does_not_take_the_next_one_away(self, folder: Folder) -> None:
        first = folder.lock("lock")
        first.release()
        second = folder.lock("lock")
        first.release()
        with pytest.raises(StoreLockedError):
            folder.lock("lock")
        second.release()

    def test_shared_locks_go_together_and_keep_others_out(self, folder: Folder) -> None:
        first, second = folder.lock("readers", shared=True), folder.lock("readers", shared=True)
        for lock in (first, second):
            with pytest.raises(StoreLockedError):
                folder.lock("readers")
            lock.release()
        folder.lock("readers").release()

    def test_the_file_of_a_lock_stays(self, folder: Folder) -> None:
        folder.lock("lock").release()
        assert folder.names() == ["lock"]

    def test_a_lock_of_threads_has_one_winner(self, folder: Folder) -> None:
        start = threading.Barrier(8)
        won: list[Any] = []

        def take() -> None:
            start.wait()
            with contextlib.suppress(StoreLockedError):
                won.append(folder.lock("lock"))

        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        won[0].release()

    # -- everything at random ----------------------------------------------------------------------------------

    @pytest.mark.parametrize("seed", range(20))
    def test_any_changes_leave_what_a_dictionary_would_hold(self, folder: Folder, seed: int) -> None:
        chance = random.Random(seed)
        model: dict[str, bytes] = {}
        for _ in range(60):
            verb = chance.choice(["append", "append", "cut", "rename", "remove"])
            name, other, data = chance.choice("abc"), chance.choice("abc"), chance.randbytes(chance.randrange(20))
            if verb == "append":
                file = folder.reopen(name) if name in model else folder.create(name)
                file.append(data)
                model[name] = model.get(name, b"") + data
            elif verb == "cut" and name in model:
                size = len(model[name]) // 2
                folder.reopen(name).truncate(size)
                model[name] = model[name][:size]
            elif verb == "rename" and name in model:
                folder.rename(name, other)
                model[other] = model.pop(name)
            elif verb == "remove":
                folder.remove(name)
                model.pop(name, None)
            assert folder.names() == sorted(model)
            assert {name: folder.open(name).pread(999, 0) for name in model} == model
