"""What other processes post becomes commits, once, and readers see it at once."""

import asyncio
import io
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

import backpack
from backpack import Backpack
from backpack.errors import DiskFullError, InvalidArgumentError, MissingFileError, StoreNotFoundError
from backpack.storage.opening import open_folder
from backpack.storage.protocol import Folder
from backpack.store.opening import open_in
from backpack.store.posting import open_to_post, post_in
from tests.archive.crashes import LIMITS, opened
from tests.archive.letters import post
from tests.storage.crashing import CrashingFolder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with backpack.open(tmp_path / "store") as bp:
        bp.pack("plan", ["search"])
    return tmp_path / "store"


@pytest.fixture
def bp(path: Path) -> Iterator[Backpack]:
    with backpack.open(path) as store:
        yield store


def folder_of(path: Path) -> Folder:
    return open_folder(path, create=False, writable=True)


def posted(path: Path, number: int = 1, **more: Any) -> Path:
    """A letter with the key `entries.<number>`; its file."""
    values = {f"entries.{number}": {"number": number}, **more.pop("values", {})}
    return path / "inbox" / f"{post(folder_of(path), number, values, **more)}.letter"


def files_of(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_a_letter_becomes_one_commit_with_its_label(path: Path, bp: Backpack) -> None:
    head = bp.head
    assert head is not None
    with open_to_post(path).letter() as letter:
        letter.finish({"entries.1": {"a": 1}, "more": (1, 2)}, added={"log": 1}, node="n", message="m", tags=["t"])
    assert bp._adopt() == 1
    commit = bp.head
    assert commit is not None
    assert (commit.seq, commit.node, commit.message, commit.tags) == (head.seq + 1, "n", "m", ("t",))
    assert bp.select("**") == {"plan": ["search"], "entries.1": {"a": 1}, "more": (1, 2), "log": [1]}
    assert list((path / "inbox").glob("*.letter")) == []


def test_what_goes_ahead_is_packed_where_it_is_not_there(path: Path, bp: Backpack) -> None:
    bp.pack("parts.a", "there")
    bp.pack("parts.b", "gone")
    bp.delete("parts.b")
    posted(path, ahead={"parts.a": "new", "parts.b": "new", "parts.c": "new"})
    bp._adopt()
    assert bp.select("parts.*") == {"parts.a": "there", "parts.b": "new", "parts.c": "new"}


def test_a_value_that_is_there_is_not_replaced(path: Path, bp: Backpack) -> None:
    posted(path, values={"plan": ["posted"]})
    bp._adopt()
    assert bp["plan"] == ["search"]
    assert "entries.1" in bp


def test_a_letter_that_comes_back_does_nothing(path: Path, bp: Backpack) -> None:
    file = posted(path, added={"operations": "one"})
    data = file.read_bytes()
    bp._adopt()
    for _ in range(2):
        head = bp.head
        file.write_bytes(data)
        file.chmod(0o600)
        bp._adopt()
        assert bp.head == head
        assert not file.exists()
        if "entries.1" in bp:
            bp.delete("entries.1")
    assert bp["operations"] == ["one"]
    assert "entries.1" not in bp


@pytest.mark.parametrize("how", ["flush", "close", "open", "aflush", "aclose", "export"])
def test_it_is_adopted_when_the_store_is(how: str, path: Path) -> None:
    bp = backpack.open(path)
    if how == "open":
        bp.close()
    posted(path)
    if how == "open":
        bp = backpack.open(path)
    elif how == "export":
        bp.export(io.BytesIO())
    elif how.startswith("a"):
        asyncio.run(getattr(bp, how)())
    else:
        getattr(bp, how)()
    assert list((path / "inbox").glob("*.letter")) == []
    bp.close()
    with backpack.open(path, "r") as reader:
        assert reader["entries.1"] == {"number": 1}


def test_a_reader_sees_it_at_once_and_changes_no_file(path: Path, bp: Backpack) -> None:
    with backpack.open(path, "r") as reader:
        assert reader._look_into_inbox() is None
        posted(path, ahead={"parts.1": "x" * 200_000})
        before = files_of(path)
        found = reader._look_into_inbox()
        assert found is not None
        assert list(found) == ["entries.1", "parts.1"]
        payload = found.payload("parts.1")
        assert payload is not None and len(payload) > 200_000
        assert files_of(path) == before
        bp._adopt()
        with pytest.raises(MissingFileError):
            found.payload("parts.1")
        assert reader._look_into_inbox() is None
        assert reader["entries.1"] == {"number": 1}


def test_a_reader_leaves_out_a_letter_that_was_adopted_and_is_still_there(path: Path, bp: Backpack) -> None:
    file = posted(path)
    data = file.read_bytes()
    bp._adopt()
    bp.delete("entries.1")
    file.write_bytes(data)
    file.chmod(0o600)
    with backpack.open(path, "r") as reader:
        assert reader._look_into_inbox() is None


def test_a_damaged_letter_stays_is_told_and_stops_no_other(path: Path, bp: Backpack) -> None:
    bad = posted(path, 1)
    data = bytearray(bad.read_bytes())
    data[-60] ^= 1
    bad.write_bytes(data)
    good = posted(path, 2)
    assert bp._adopt() == 1
    assert bad.exists() and not good.exists()
    assert bp["entries.2"] == {"number": 2}
    health = bp.health()
    assert (health.ok, health.refused_letters) == (False, 1)
    assert f"inbox/{bad.name}" in health.problem
    found = backpack.verify(path)
    assert [problem.file for problem in found.problems] == [f"inbox/{bad.name}"]
    with backpack.open(path, "r") as reader:
        assert reader._look_into_inbox() is None
        assert reader.health().refused_letters == 1
    bad.unlink()
    bp.flush()
    assert bp.health().ok


@pytest.mark.parametrize("place", [0.0, 0.2, 0.5, 0.9])
def test_a_flipped_bit_anywhere_in_a_letter_stops_no_reader_and_no_other_letter(
    place: float, path: Path, bp: Backpack
) -> None:
    bad = posted(path, 1, values={"text": "x" * 300}, ahead={"parts.1": "y" * 300})
    data = bytearray(bad.read_bytes())
    data[int(place * len(data))] ^= 1
    bad.write_bytes(data)
    good = posted(path, 2)
    with backpack.open(path, "r") as reader:
        found = reader._look_into_inbox()
        assert found is not None and list(found) == ["entries.2"]
        assert reader.health().refused_letters == 1
    assert bp._adopt() == 1
    assert bad.exists() and not good.exists()


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_what_is_no_file_and_has_the_name_of_a_letter_stops_no_other(kind: str, path: Path, bp: Backpack) -> None:
    good = posted(path, 2)
    bad = path / "inbox" / f"{1:016x}-{1:016x}.letter"
    make: dict[str, Any] = {
        "folder": bad.mkdir,
        "link": lambda: bad.symlink_to("/etc/passwd"),
        "pipe": lambda: os.mkfifo(bad),
    }
    make[kind]()
    with backpack.open(path, "r") as reader:
        found = reader._look_into_inbox()
        assert found is not None and list(found) == ["entries.2"]
        assert reader.health().refused_letters == 1
    assert bp._adopt() == 1
    assert not good.exists() and bp["entries.2"] == {"number": 2}
    assert f"inbox/{bad.name}" in bp.health().problem
    bp.purge("entries.2")
    assert os.path.lexists(bad) is (kind == "folder")


def test_what_the_store_refuses_stays_until_it_has_room(path: Path) -> None:
    with backpack.open(path, max_history_size=2_000, hard_limit=True, prune_strategy="none") as bp:
        file = posted(path, values={"large": "x" * 5_000})
        assert bp._adopt() == 0
        assert file.exists() and not bp.health().ok and "entries.1" not in bp
        bp.configure(max_history_size=1 << 20)
        assert bp._adopt() == 1
        assert bp.health().ok and bp["large"] == "x" * 5_000


def test_verify_reads_whole_letters_and_has_nothing_against_them(path: Path) -> None:
    file = posted(path, ahead={"parts.1": "x" * 100_000})
    (path / "inbox" / f"{3:016x}-{3:016x}.tmp").write_bytes(b"rest")
    found = backpack.verify(path)
    assert found.ok
    assert any("letters in the inbox: 1" in note for note in found.notes)
    assert any(".tmp is a letter on its way" in note for note in found.notes)
    assert found.size > file.stat().st_size


def test_the_inbox_is_for_its_owner_only(path: Path) -> None:
    file = posted(path)
    assert (path / "inbox").stat().st_mode & 0o777 == 0o700
    assert all(one.stat().st_mode & 0o777 == 0o600 for one in (path / "inbox").iterdir())
    assert file.exists()


# -- posting -----------------------------------------------------------------------------------------------------


def test_there_must_be_a_store_to_post_to(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFoundError):
        open_to_post(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreNotFoundError):
        open_to_post(tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_letter_that_is_not_finished_leaves_nothing(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_to_post(path).letter() as letter:
        letter.put("parts.1", 1)
        raise ZeroDivisionError
    with pytest.raises(InvalidArgumentError, match="not finished"), open_to_post(path).letter() as letter:
        letter.put("parts.1", 1)
    assert [file.name for file in (path / "inbox").iterdir()] == ["posters"]


def test_a_full_disk_leaves_nothing_of_a_letter() -> None:
    folder = CrashingFolder()
    opened(folder).close()
    folder.machine.room = 3_000
    with pytest.raises(DiskFullError), post_in(folder.machine.folder()).letter() as letter:
        letter.put("parts.1", "x" * 5_000)
    assert folder.folder("inbox").names() == ["posters"]
    with post_in(folder.machine.folder()).letter() as letter:
        letter.finish({"entries.1": 1})
    folder.machine.room = None
    assert opened(folder.machine.folder())["entries.1"] == 1


def test_what_a_dead_poster_left_is_swept_and_what_a_live_one_writes_is_not(path: Path) -> None:
    (path / "inbox").mkdir(mode=0o700)
    left = path / "inbox" / f"{3:016x}-{3:016x}.tmp"
    left.write_bytes(b"rest")
    with open_to_post(path).letter() as letter:
        letter.put("parts.1", 1)
        backpack.open(path).close()
        assert left.exists()
        letter.finish({"entries.1": 1})
    with backpack.open(path) as bp:
        assert not left.exists()
        assert bp["entries.1"] == 1


# -- with the rest of the store ----------------------------------------------------------------------------------


def test_a_purge_erases_letters_too(path: Path, bp: Backpack) -> None:
    file = posted(path, values={"user.email": "x@example.org"})
    data = file.read_bytes()
    bad = posted(path, 2)
    bad.write_bytes(bad.read_bytes()[:-1])
    (path / "inbox" / f"{3:016x}-{3:016x}.tmp").write_bytes(b"x@example.org")
    assert bp.purge("user.**").keys == ("user.email",)
    assert not any(b"x@example.org" in content for content in files_of(path).values())
    assert not bad.exists()
    assert bp["entries.1"] == {"number": 1}
    file.write_bytes(data)
    file.chmod(0o600)
    bp.purge("user.**")
    assert not file.exists() and "user.email" not in bp


def test_a_dry_run_of_a_purge_adopts_nothing(path: Path, bp: Backpack) -> None:
    file = posted(path)
    bp.purge("entries.**", dry_run=True)
    assert file.exists() and "entries.1" not in bp


def test_recover_takes_the_letters_along_that_verify(path: Path, tmp_path: Path) -> None:
    posted(path, 1)
    bad = posted(path, 2)
    bad.write_bytes(bad.read_bytes()[:-1])
    found = backpack.recover(path, tmp_path / "out")
    assert (found.letters, found.lost_letters) == (1, 1)
    with backpack.open(tmp_path / "out") as bp:
        assert bp.select("**") == {"plan": ["search"], "entries.1": {"number": 1}}


def test_subscribers_are_told_and_may_ask_the_store_to_adopt(path: Path, bp: Backpack) -> None:
    seen = []

    def tell(event: Any) -> None:
        seen.append(event.keys)
        bp.flush()

    bp.subscribe(tell, kinds=["pack", "commit"])
    for number in range(3):
        posted(path, number)
    bp._adopt()
    assert seen == [("entries.0",), ("entries.1",), ("entries.2",)]


def test_several_threads_adopt_each_letter_once(path: Path, bp: Backpack) -> None:
    for number in range(20):
        posted(path, number, added={"operations": number})
    barrier = Barrier(4)

    def adopt() -> None:
        barrier.wait()
        bp._adopt()
        assert sum(key.startswith("entries.") for key in bp) == 20

    threads = [Thread(target=adopt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(bp["operations"]) == list(range(20))
    assert bp.health().ok


def test_an_inbox_that_is_no_folder_is_told_and_stops_nothing(path: Path) -> None:
    (path / "inbox").write_text("no folder")
    with backpack.open(path) as bp:
        bp.pack("a", 1)
        assert not bp.health().ok
    with backpack.open(path, "r") as reader:
        assert reader["a"] == 1


def test_a_look_when_there_is_nothing_reads_no_letter(path: Path) -> None:
    folder = CrashingFolder()
    store = open_in(folder, LIMITS, is_writable=True)
    before = folder.machine.position
    assert store._adopt() == 0
    assert folder.machine.position == before
    store.close()
