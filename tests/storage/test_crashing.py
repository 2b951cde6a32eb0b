"""The fake that crashes: what it says may be left is what a disk may leave, no less and no more."""

import errno
import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backpack.errors import DiskFullError, InvalidArgumentError, MissingFileError, StorageError, StoreLockedError
from backpack.storage.memory import MemoryFolder
from backpack.storage.protocol import publish
from tests.storage.crashing import CrashingFolder
from tests.storage.folder_contract import FolderContract
from tests.storage.survival import digest_of


class TestCrashingFolder(FolderContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Iterator[CrashingFolder]:
        yield CrashingFolder()


class TestCrashingFolderAfterARestart(FolderContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Iterator[CrashingFolder]:
        folder = CrashingFolder(MemoryFolder({"old": b"x"}))
        folder.lock("lock")
        again = folder.machine.restart()
        again.remove("old")
        again.remove("lock")
        yield again


def one_file() -> tuple[CrashingFolder, Any]:
    """A folder with a synced file `a` of four bytes."""
    folder = CrashingFolder()
    file = folder.create("a")
    file.append(b"0123")
    file.sync()
    folder.sync()
    return folder, file


def contents(images: Any, name: str = "a") -> set[bytes | None]:
    """What stands under that name in the images; None where nothing does."""
    return {image.folder.open(name).pread(999, 0) if image.folder.has(name) else None for image in images}


# -- bytes ---------------------------------------------------------------------------------------------------------


def test_what_is_synced_is_in_every_image() -> None:
    folder, _ = one_file()
    assert contents(folder.machine.images()) == {b"0123"}
    assert len(list(folder.machine.images())) == 1


def test_an_append_survives_not_at_all_or_in_part_or_with_holes() -> None:
    folder, file = one_file()
    file.append(b"abcd")
    assert contents(folder.machine.scattered(seeds=0)) == {
        b"0123",
        b"0123abcd",
        b"0123ab",
        b"0123\0\0cd",
        b"0123ab\0\0",
        b"0123\0\0\0\0",
    }
    assert contents(folder.machine.ordered()) == {b"0123", b"0123ab", b"0123abcd"}


def test_an_append_is_torn_at_every_byte_in_the_end() -> None:
    folder, file = one_file()
    file.append(b"abcd")
    shares = [kept / 4 for kept in range(5)]
    assert contents(folder.machine.ordered(shares=shares)) == {b"0123" + b"abcd"[:kept] for kept in range(5)}
    assert {b"0123" + b"abcd"[:kept] for kept in range(5)} <= contents(folder.machine.scattered(seeds=200))


def test_a_later_append_survives_an_earlier_one_only_where_scattered() -> None:
    folder, file = one_file()
    file.append(b"ab")
    file.append(b"cd")
    assert b"0123\0\0cd" in contents(folder.machine.scattered())
    assert contents(folder.machine.ordered()) == {b"0123", b"0123ab", b"0123abcd"}


def test_a_cut_may_be_lost_under_a_later_append() -> None:
    folder, file = one_file()
    file.truncate(1)
    file.append(b"x")
    found = contents(folder.machine.scattered())
    assert {b"0123", b"0", b"0x", b"0x23"} <= found
    assert contents(folder.machine.ordered()) == {b"0123", b"0", b"0x"}


def test_a_synced_cut_is_certain() -> None:
    folder, file = one_file()
    file.truncate(1)
    file.sync()
    assert contents(folder.machine.images()) == {b"0"}


def test_a_certain_cut_gives_the_size_whatever_became_of_the_bytes() -> None:
    folder, file = one_file()
    file.append(b"abcd")
    folder.machine.fail_at(folder.machine.position)
    with pytest.raises(StorageError):
        file.sync()
    again = folder.reopen("a")
    again.truncate(6)
    again.sync()
    assert contents(folder.machine.ordered()) == {b"0123ab", b"0123\0\0"}
    assert {b"0123ab", b"0123\0\0", b"0123a\0"} <= contents(folder.machine.scattered(seeds=50))
    assert all(len(content or b"") == 6 for content in contents(folder.machine.scattered(seeds=50)))


def test_each_file_is_cut_short_on_its_own() -> None:
    folder, file = one_file()
    other = folder.create("b")
    folder.sync()
    file.append(b"x" * 50)
    other.append(b"y" * 50)
    sizes = {
        (image.folder.open("a").size() - 4, image.folder.open("b").size()) for image in folder.machine.ordered(seeds=50)
    }
    assert {(0, 0), (25, 25), (50, 50)} <= sizes
    assert any(one > two for one, two in sizes) and any(one < two for one, two in sizes)


# -- entries -------------------------------------------------------------------------------------------------------


def test_a_synced_file_has_no_name_before_its_folder_is_synced() -> None:
    folder = CrashingFolder()
    file = folder.create("a")
    file.append(b"0123")
    file.sync()
    assert contents(folder.machine.scattered()) == contents(folder.machine.ordered()) == {None, b"0123"}


def test_a_name_may_be_there_before_its_bytes() -> None:
    folder = CrashingFolder()
    folder.create("a").append(b"0123")
    folder.sync()
    assert {b"", b"01", b"0123", b"\0\0\0\0"} <= contents(folder.machine.scattered())
    assert contents(folder.machine.ordered()) == {b"", b"01", b"0123"}


def test_a_rename_is_whole_or_not() -> None:
    folder, _ = one_file()
    folder.rename("a", "b")
    for images in (folder.machine.scattered(), folder.machine.ordered()):
        assert {tuple(image.folder.names()) for image in images} == {("a",), ("b",)}


def test_a_removed_file_may_come_back_with_its_bytes() -> None:
    folder, file = one_file()
    file.append(b"x")
    folder.remove("a")
    assert {None, b"0123", b"0123x"} <= contents(folder.machine.scattered())
    folder.sync()
    assert contents(folder.machine.images()) == {None}


def test_entries_survive_in_any_order_or_in_theirs() -> None:
    folder = CrashingFolder()
    for name in "abc":
        folder.create(name).close()
    names = {"".join(image.folder.names()) for image in folder.machine.scattered(seeds=100)}
    assert names == {"".join(some) for count in range(4) for some in itertools.combinations("abc", count)}
    assert {"".join(image.folder.names()) for image in folder.machine.ordered()} == {"", "a", "ab", "abc"}


def test_in_order_a_synced_folder_takes_earlier_entries_of_others_along() -> None:
    folder = CrashingFolder()
    inner = folder.folder("inner")
    folder.create("a").close()
    inner.create("b").close()
    inner.sync()
    folder.create("c").close()
    assert {"".join(image.folder.names()) for image in folder.machine.ordered()} == {"ainner", "acinner"}
    assert any(not image.folder.has("a") for image in folder.machine.scattered())
    assert all(image.folder.folder("inner").has("b") for image in folder.machine.images())


def test_a_file_has_one_name_whichever_renames_survive() -> None:
    folder, _ = one_file()
    folder.rename("a", "b")
    folder.rename("b", "c")
    assert {tuple(image.folder.names()) for image in folder.machine.images(seeds=50)} == {("a",), ("b",), ("c",)}


def test_a_removal_takes_only_the_file_that_was_meant() -> None:
    folder, _ = one_file()
    folder.create("b").append(b"other")
    sync_all(folder)
    folder.rename("a", "b")
    folder.remove("b")
    names = {tuple(image.folder.names()) for image in folder.machine.images(seeds=50)}
    assert names == {("a", "b", "inner"), ("b", "inner"), ("inner",)}


def test_a_folder_that_was_made_is_there() -> None:
    folder = CrashingFolder()
    folder.folder("inner")
    assert [operation.verb for operation in folder.machine.operations] == ["make", "sync folder"]
    assert {tuple(image.folder.names()) for image in folder.machine.images(1)} == {(), ("inner",)}
    assert {tuple(image.folder.names()) for image in folder.machine.images()} == {("inner",)}


# -- failures ------------------------------------------------------------------------------------------------------


def test_after_a_failed_sync_bytes_are_read_and_never_made_to_last() -> None:
    folder, file = one_file()
    file.append(b"abcd")
    folder.machine.fail_at(folder.machine.position)
    with pytest.raises(StorageError):
        file.sync()
    with pytest.raises(StorageError):
        file.append(b"x")
    again = folder.reopen("a")
    assert again.pread(99, 0) == b"0123abcd"
    again.sync()
    again.append(b"ef")
    again.sync()
    found = contents(folder.machine.scattered())
    assert {b"0123abcdef", b"0123\0\0\0\0ef"} <= found
    assert all(content is not None and content.endswith(b"ef") for content in found)
    assert contents(folder.machine.ordered()) == {b"0123abcdef", b"0123\0\0\0\0ef"}


def test_after_a_failed_sync_of_a_folder_a_name_may_always_go() -> None:
    folder = CrashingFolder()
    folder.create("a").close()
    folder.machine.fail_at(1)
    for act in (folder.sync, lambda: folder.create("b"), folder.sync):
        with pytest.raises(StorageError):
            act()
    folder.machine.folder().sync()
    assert contents(folder.machine.scattered()) == {None, b""}


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_an_operation_fails_as_planned_and_changes_nothing(code: int) -> None:
    def acts(folder: CrashingFolder) -> list[Callable[[], Any]]:
        file = folder.reopen("a")
        return [
            lambda: folder.create("b"),
            lambda: file.append(b"x"),
            lambda: file.truncate(1),
            lambda: folder.rename("a", "c"),
            lambda: folder.remove("a"),
            lambda: folder.folder("inner"),
            file.sync,
            folder.sync,
        ]

    for which in range(len(acts(one_file()[0]))):
        folder = one_file()[0]
        number = folder.machine.position
        folder.machine.fail_at(number, code)
        with pytest.raises(StorageError) as caught:
            acts(folder)[which]()
        assert isinstance(caught.value, DiskFullError) == (code != errno.EIO)
        assert caught.value.errno == code
        assert folder.machine.operations[number].failed
        assert folder.names() == ["a"] and folder.open("a").pread(99, 0) == b"0123"
        assert contents(folder.machine.images()) == {b"0123"}
        assert folder.machine.position == number + 1


def test_a_short_write_leaves_a_part_and_then_all_fails() -> None:
    folder, file = one_file()
    folder.machine.fail_at(folder.machine.position, errno.ENOSPC, part=0.5, lasting=True)
    with pytest.raises(DiskFullError):
        file.append(b"abcd")
    assert file.pread(99, 0) == b"0123ab"
    for act in (lambda: file.append(b"x"), lambda: file.truncate(4), lambda: folder.create("b")):
        with pytest.raises(DiskFullError):
            act()
    assert b"0123a" in contents(folder.machine.images())
    assert max(map(len, filter(None, contents(folder.machine.images())))) == 6


def test_a_full_disk_takes_what_fits_and_works_again_when_there_is_room() -> None:
    folder, file = one_file()
    folder.machine.room = 2
    with pytest.raises(DiskFullError):
        file.append(b"abcd")
    assert file.pread(99, 0) == b"0123ab"
    file.truncate(4)
    file.append(b"xy")
    with pytest.raises(DiskFullError):
        file.append(b"z")
    folder.remove("a")
    folder.create("b").append(b"012345")


def test_a_call_that_is_refused_is_no_operation() -> None:
    folder, file = one_file()
    position = folder.machine.position
    acts: list[tuple[type[Exception], Callable[[], Any]]] = [
        (StorageError, lambda: folder.create("a")),
        (MissingFileError, lambda: folder.rename("b", "c")),
        (InvalidArgumentError, lambda: file.truncate(9)),
        (InvalidArgumentError, lambda: folder.remove("../a")),
    ]
    for error, act in acts:
        with pytest.raises(error):
            act()
    folder.remove("missing")
    assert folder.machine.position == position


def test_a_file_can_be_made_unreadable() -> None:
    folder, file = one_file()
    folder.machine.unreadable.add("a")
    for reader in (file, folder.open("a")):
        with pytest.raises(StorageError):
            reader.pread(1, 0)


# -- the process dies, the machine goes on ---------------------------------------------------------------------------


def test_after_a_restart_all_is_read_and_nothing_more_is_certain() -> None:
    folder, file = one_file()
    file.append(b"abcd")
    folder.lock("lock")
    with pytest.raises(StoreLockedError):
        folder.lock("lock")
    again = folder.machine.restart()
    for act in (lambda: file.append(b"x"), file.sync, lambda: file.pread(1, 0), folder.names, folder.sync):
        with pytest.raises(StorageError):
            act()
    again.lock("lock")
    assert again.open("a").pread(99, 0) == b"0123abcd"
    assert b"0123" in contents(folder.machine.images())
    again.reopen("a").sync()
    assert contents(folder.machine.images()) == {b"0123abcd"}


def test_a_killed_process_leaves_all_it_wrote_and_a_part_of_what_it_was_writing() -> None:
    folder, file = one_file()
    at = folder.machine.position
    file.append(b"abcd")
    assert contents(folder.machine.stopped(at)) == {b"0123", b"0123a", b"0123ab", b"0123abc"}
    assert contents(folder.machine.stopped()) == {b"0123abcd"}


# -- images --------------------------------------------------------------------------------------------------------


def test_an_image_is_a_start_of_which_all_is_certain() -> None:
    folder, file = one_file()
    folder.folder("inner").create("b").append(b"x")
    file.append(b"abcd")
    for image in folder.machine.images():
        again = CrashingFolder(image.folder)
        assert [found.digest for found in again.machine.images()] == [image.digest]
        again.reopen("a").append(b"!")
        assert image.digest in {found.digest for found in again.machine.images()}
        assert digest_of(image.folder) == image.digest, "an image is not changed by what is run on it"


def test_images_are_the_same_each_time_and_none_comes_twice() -> None:
    folder = scribbled(3)
    for at in folder.machine.moments():
        first = [(image.name, image.digest) for image in folder.machine.images(at)]
        assert first == [(image.name, image.digest) for image in folder.machine.images(at)]
        assert len({digest for _, digest in first}) == len(first)


def test_digests_tell_contents_and_names_apart() -> None:
    folders = [
        {},
        {"a": b""},
        {"a": b"\0"},
        {"b": b""},
        {"a": b"", "b": b""},
        {"a/b": b""},
        {"a": b"b"},
        {"ab": b""},
    ]
    assert len({digest_of(MemoryFolder(files)) for files in folders}) == len(folders)


def test_old_moments_stay_as_they_were() -> None:
    folder, file = one_file()
    file.append(b"abcd")
    at = folder.machine.position
    before = [image.digest for image in folder.machine.images(at)]
    file.sync()
    folder.remove("a")
    folder.sync()
    assert [image.digest for image in folder.machine.images(at)] == before


# -- at random, against other ways to say the same ------------------------------------------------------------------


def scribbled(seed: int, count: int = 40, *, has_failures: bool = False) -> CrashingFolder:
    """A folder in which things were done at random."""
    chance = random.Random(seed)
    folder = CrashingFolder(MemoryFolder({"a": b"start", "inner/a": b""}))
    for _ in range(count):
        where = folder if chance.random() < 0.7 else folder.folder("inner")
        name, other = chance.choice("abc"), chance.choice("abc")
        verb = chance.choice(["append"] * 4 + ["cut", "rename", "remove", "sync", "sync", "sync folder"])
        if verb == "sync folder":
            where.sync()
        elif verb == "sync" and has_failures and chance.random() < 0.3 and where.has(name):
            folder.machine.fail_at(folder.machine.position)
            with pytest.raises(StorageError):
                where.reopen(name).sync()
        elif not where.has(name):
            where.create(name).close()
        elif verb == "append":
            where.reopen(name).append(chance.randbytes(chance.randrange(1, 9)))
        elif verb == "cut":
            where.reopen(name).truncate(where.open(name).size() // 2)
        elif verb == "sync":
            where.reopen(name).sync()
        elif verb == "rename":
            where.rename(name, other)
        else:
            where.remove(name)
    return folder


def sync_all(folder: CrashingFolder) -> None:
    for where in (folder, folder.folder("inner")):
        for name in where.names():
            if name != "inner":
                where.reopen(name).sync()
        where.sync()


@pytest.mark.parametrize("seed", range(20))
def test_all_survives_where_all_is_synced(seed: int) -> None:
    folder = scribbled(seed)
    sync_all(folder)
    assert {image.digest for image in folder.machine.images()} == {digest_of(folder.machine.live)}


@pytest.mark.parametrize("seed", range(20))
def test_when_everything_survives_it_is_what_was_read(seed: int) -> None:
    folder = scribbled(seed)
    live = digest_of(folder.machine.live)
    assert live in {image.digest for image in folder.machine.scattered()}
    assert live in {image.digest for image in folder.machine.ordered()}
    assert [image.digest for image in folder.machine.stopped()] == [live]


@pytest.mark.parametrize("seed", range(20))
def test_bases_spare_work_and_change_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for every in (1, 10**6):
        monkeypatch.setattr("tests.storage.survival._BASE_EVERY", every)
        machine = scribbled(seed, 60, has_failures=seed % 2 == 0).machine
        found.append([[image.digest for image in machine.images(at)] for at in machine.moments()])
    assert found[0] == found[1]


@pytest.mark.parametrize("seed", range(30))
def test_images_of_one_file_are_subsets_of_what_was_not_synced(seed: int) -> None:
    """Said again by trying every subset: whole appends and cuts only, so those that tear or lengthen are left out."""
    chance = random.Random(seed)
    folder, file = one_file()
    base, done = b"0123", []
    for _ in range(7):
        if chance.random() < 0.75:
            data = chance.randbytes(3)
            done.append((file.size(), data))
            file.append(data)
        else:
            size = chance.randrange(file.size() + 1)
            done.append((size, None))
            file.truncate(size)
        if chance.random() < 0.15:
            file.sync()
            base, done = file.pread(999, 0), []
    possible = set()
    for kept in itertools.product([False, True], repeat=len(done)):
        content = base
        for (offset, data), is_kept in zip(done, kept, strict=True):
            if is_kept and data is None:
                content = content.ljust(offset, b"\0")[:offset]
            elif is_kept:
                content = content.ljust(offset, b"\0")[:offset] + data + content[offset + 3 :]
        possible.add(content)
    partial = ("torn", "front", "long", "lengths")
    images = [image for image in folder.machine.scattered(seeds=0) if not any(word in image.name for word in partial)]
    assert contents(images) <= possible
    assert contents(folder.machine.ordered(shares=(0.0, 1.0))) <= possible


# -- does it find what it is for? ------------------------------------------------------------------------------------


def publications(publish_new: Callable[[CrashingFolder], None]) -> set[bytes | None]:
    """What any crash leaves under `manifest` while and after it is published anew."""
    folder = CrashingFolder(MemoryFolder({"manifest": b"old old old"}))
    publish_new(folder)
    return {found for at in folder.machine.moments() for found in contents(folder.machine.images(at), "manifest")}


def test_a_publication_is_old_or_new_at_every_crash() -> None:
    assert publications(lambda folder: publish(folder, "manifest", [b"new ", b"new"])) == {b"old old old", b"new new"}
    folder = CrashingFolder(MemoryFolder({"manifest": b"old old old"}))
    publish(folder, "manifest", [b"new ", b"new"])
    assert contents(folder.machine.images(), "manifest") == {b"new new"}


def test_a_publication_without_a_sync_is_found_out() -> None:
    def unsynced(folder: CrashingFolder) -> None:
        folder.create("manifest.tmp").append(b"new new")
        folder.rename("manifest.tmp", "manifest")
        folder.sync()

    assert publications(unsynced) - {b"old old old", b"new new"}


def test_a_publication_in_place_is_found_out() -> None:
    def in_place(folder: CrashingFolder) -> None:
        file = folder.reopen("manifest")
        file.truncate(0)
        file.append(b"new new")
        file.sync()

    assert publications(in_place) - {b"old old old", b"new new"}


def test_a_publication_whose_folder_was_not_synced_is_found_out() -> None:
    folder = CrashingFolder()
    file = folder.create("manifest.tmp")
    file.append(b"new")
    file.sync()
    folder.rename("manifest.tmp", "manifest")
    assert None in contents(folder.machine.images(), "manifest")


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("part", [0.0, 0.5])
def test_a_publication_that_fails_anywhere_leaves_old_or_new(code: int, part: float) -> None:
    trial = CrashingFolder(MemoryFolder({"manifest": b"old"}))
    publish(trial, "manifest", [b"new ", b"new"])
    for number in range(trial.machine.position):
        folder = CrashingFolder(MemoryFolder({"manifest": b"old"}))
        folder.machine.fail_at(number, code, part=part)
        with pytest.raises(StorageError):
            publish(folder, "manifest", [b"new ", b"new"])
        for at in folder.machine.moments():
            assert contents(folder.machine.images(at), "manifest") <= {b"old", b"new new"}
        last = number == trial.machine.position - 1
        assert folder.names() == ["manifest"]
        assert folder.open("manifest").pread(99, 0) == (b"new new" if last else b"old")
