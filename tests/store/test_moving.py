"""Opened stores and forks of them get to another place whole."""

import inspect
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack, CommitPrunedError, CorruptionError, InvalidArgumentError, WrongKeyError
from backpack.errors import ClosedError, ValueUnavailableError
from backpack.storage.memory import MemoryFolder
from backpack.store.node import Node
from tests.archive.stores import opened_in, small_segments


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with small_segments(1500, seal_min=500):
        yield


def fill(bp: Backpack, count: int = 60) -> None:
    for number in range(count):
        bp.append("list", {"number": number}, node="lister")
        bp.pack(f"key.{number % 3}", {"number": number, "text": "x" * (number % 7)}, node="packer", tags=["t"])
        if number == 10:
            bp.checkpoint("mark", at=20, notes="early")
        if number % 20 == 10:
            bp.pack("large", bytes(range(256)) * 6 + b"%d" % number)
            bp.delete("key.1")
    bp.pack("bad", 1)
    bp.quarantine("bad", reason="it is bad")


def said(bp: Backpack, upto: int | None = None) -> dict[str, Any]:
    commits = [one for one in bp.history() if upto is None or one.seq <= upto]
    return {
        "commits": [(one.id, one.seq, one.time, one.node, one.tags, dict(one.changes)) for one in commits],
        "states": [bp.snapshot(one).to_dict() for one in commits],
    }


def exported(bp: Backpack) -> bytes:
    file = io.BytesIO()
    bp.export(file)
    return file.getvalue()


@pytest.mark.parametrize("is_reopened", [False, True])
def test_an_export_of_an_opened_store_carries_what_was_archived(is_reopened: bool) -> None:
    folder = MemoryFolder()
    bp = opened_in(folder)
    fill(bp)
    if is_reopened:
        bp.close()
        bp = opened_in(folder)
        bp.pack("more", 1)
    before = said(bp)
    loaded = Backpack.load(io.BytesIO(exported(bp)))
    assert said(loaded) == before and loaded.limits == bp.limits
    assert loaded.quarantined() == {"bad": "it is bad"}
    assert loaded.checkpoints()[0].name == "mark" and loaded.version("list") == bp.version("list")
    assert loaded.pack("new", 1).seq == bp.pack("new", 1).seq
    loaded._check()
    assert said(Backpack.load(io.BytesIO(exported(loaded)))) == said(loaded)


def test_a_reader_exports_too() -> None:
    folder = MemoryFolder()
    bp = opened_in(folder)
    fill(bp)
    bp.close()
    reader = opened_in(folder, mode="r")
    assert said(Backpack.load(io.BytesIO(exported(reader)))) == said(reader)


def test_every_damage_to_such_an_export_is_noticed() -> None:
    bp = opened_in(MemoryFolder())
    fill(bp, 3)
    data = exported(bp)
    for at in range(0, len(data), 7):
        broken = bytearray(data)
        broken[at] ^= 0x40
        with pytest.raises(CorruptionError):
            Backpack.load(io.BytesIO(bytes(broken)))
    for size in range(0, len(data), 31):
        with pytest.raises(CorruptionError):
            Backpack.load(io.BytesIO(data[:size]))


@pytest.mark.parametrize("is_opened", [False, True])
def test_a_fork_with_a_path_is_a_store_of_its_own(tmp_path: Path, is_opened: bool) -> None:
    bp = opened_in(MemoryFolder()) if is_opened else Backpack()
    fill(bp)
    before = said(bp, 50)
    fork = bp.fork(50, path=tmp_path / "fork")
    assert said(fork) == before
    commit = fork.pack("mine", 1)
    assert commit.seq == 51 and commit.id != bp.commit(51).id and "mine" not in bp
    fork._check()
    fork.close()
    fork = backpack.open(tmp_path / "fork")
    assert said(fork, 50) == before and fork["mine"] == 1
    assert [one.name for one in fork.checkpoints()] == ["mark"]
    fork.close()
    with pytest.raises(InvalidArgumentError, match="empty directory"):
        bp.fork(path=tmp_path / "fork")


def test_a_fork_of_a_pruned_store_keeps_what_is_there(tmp_path: Path) -> None:
    bp = Backpack(max_history_size=2000)
    fill(bp)
    first = min(one.seq for one in bp.history() if one.seq != 20)
    before = said(bp)
    fork = bp.fork(path=tmp_path / "fork")
    assert said(fork) == before
    with pytest.raises(CommitPrunedError):
        fork.snapshot(first - 1)
    assert fork.snapshot("mark").to_dict() == bp.snapshot("mark").to_dict()
    fork.close()


@pytest.mark.parametrize("is_fork", [False, True])
@pytest.mark.parametrize("is_released", [False, True])
def test_a_copy_has_the_large_values_that_memory_has_let_go_of(
    tmp_path: Path, *, is_fork: bool, is_released: bool
) -> None:
    value = bytes(range(256)) * 9
    bp = opened_in(MemoryFolder())
    bp.pack("large", value)
    if is_released:
        bp.quarantine("large", reason="doubt")
        bp.release("large")
    seq = bp.pack("other", 1).seq
    source = bp.fork() if is_fork else bp
    source.pack("large", 1)
    source.pack("large", 2)
    for at in (seq, 1):
        with source.fork(at, path=tmp_path / f"copy{at}", unavailable="lost") as copy:
            assert copy["large"] == copy.snapshot(1)["large"] == value
            assert copy.version("large") == source.snapshot(at).item("large").version
        twin = source.fork(at)
        twin._check()
        twin.pack("large", 3)
        assert twin.fork(at)["large"] == twin.snapshot(at)["large"] == value
    bp.close()


def test_a_fork_of_a_fork_has_the_large_values_that_memory_has_let_go_of() -> None:
    value = bytes(range(256)) * 9
    bp = opened_in(MemoryFolder())
    bp.pack("large", value)
    fork = bp.fork()
    seq = fork.pack("other", 1).seq
    for store in (fork, bp):
        store.pack("large", 1)
    twin = fork.fork(seq)
    twin._check()
    assert twin["large"] == value
    twin.pack("large", 2)
    assert twin.snapshot(seq)["large"] == value
    bp.close()


def test_a_fork_of_an_opened_store_is_exported_with_what_came_before_it() -> None:
    bp = opened_in(MemoryFolder())
    fill(bp)
    fork = bp.fork(70)
    for number in range(5):
        fork.append("list", number)
    loaded = Backpack.load(io.BytesIO(exported(fork)))
    assert said(loaded) == said(fork)
    loaded._check()


def test_copies_of_an_encrypted_store_want_a_key(tmp_path: Path) -> None:
    bp = opened_in(MemoryFolder(), key=bytes(32))
    fill(bp)
    for copy in (lambda: exported(bp), lambda: bp.fork(path=tmp_path / "fork")):
        with pytest.raises(InvalidArgumentError, match="give a key="):
            copy()
    file = io.BytesIO()
    bp.export(file, key=bytes(range(32)))
    assert said(Backpack.load(io.BytesIO(file.getvalue()), key=bytes(range(32)))) == said(bp)
    with pytest.raises(WrongKeyError):
        Backpack.load(io.BytesIO(file.getvalue()))
    fork = bp.fork(path=tmp_path / "fork", key=bytes(range(32)))
    assert said(fork) == said(bp)
    fork.close()
    with pytest.raises(InvalidArgumentError, match="in memory"):
        Backpack().export(io.BytesIO(), key=bytes(32))


def test_a_node_that_sees_everything_copies_an_encrypted_store_with_a_key(tmp_path: Path) -> None:
    key = bytes(range(32))
    with backpack.open(tmp_path / "store", key=key) as bp:
        bp.pack("plan", "search")
        node = bp.node("copier")
        with node.fork(path=tmp_path / "fork", key=key) as fork:
            assert fork["plan"] == "search"
        node.export(tmp_path / "export", key=key)
    with Backpack.load(tmp_path / "export", key=key) as loaded:
        assert loaded["plan"] == "search"


def test_a_node_has_the_parameters_of_the_store() -> None:
    for name, verb in inspect.getmembers(Node, inspect.isfunction):
        if not name.startswith("_") and name != "snapshot_before":
            expected = [one for one in inspect.signature(getattr(Backpack, name)).parameters if one != "node"]
            assert list(inspect.signature(verb).parameters) == expected, name


EMPTY: dict[str, Callable[[Path], Backpack]] = {
    "in memory": lambda path: Backpack(),
    "opened": lambda path: backpack.open(path / "store"),
    "fork of an opened one": lambda path: backpack.open(path / "store").fork(),
}


@pytest.mark.parametrize("kind", EMPTY)
def test_a_store_without_a_commit_is_copied(tmp_path: Path, kind: str) -> None:
    bp = EMPTY[kind](tmp_path)
    bp.export(tmp_path / "export")
    bp.pack("plan", "nothing of it is copied")
    with bp.fork(0, path=tmp_path / "fork") as fork, Backpack.load(tmp_path / "export") as loaded:
        for copy in (fork, loaded):
            assert copy.head is None and len(copy) == 0 and copy.recovery is None
            assert copy.pack("plan", "search").seq == 1
            copy._check()
    with backpack.open(tmp_path / "fork") as again:
        assert again["plan"] == "search" and len(list(again.history())) == 1
    assert backpack.verify(tmp_path / "fork").ok
    bp.close()


def test_two_loads_of_the_export_of_an_opened_store_never_make_the_same_ids(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        first = bp.pack("plan", "search")
        whole = exported(bp)
        stores = [bp, *(Backpack.load(io.BytesIO(whole)) for _ in range(2))]
        assert len({store.pack("plan", "book").id for store in stores}) == 3
        again = Backpack.load(io.BytesIO(exported(stores[1])))
        assert [commit.id for commit in again.history()] == [commit.id for commit in stores[1].history()]
        assert again.commit(first.id) == first


LOST: dict[str, Callable[[Path], Backpack]] = {
    "purged": lambda path: backpack.open(path / "store"),
    "purged in memory": lambda path: Backpack(),
    "purged in a fork": lambda path: backpack.open(path / "store").fork(),
}


@pytest.mark.parametrize("substitute", [None, ["short"], "long" * 50_000])
@pytest.mark.parametrize("kind", LOST)
def test_a_copy_puts_what_it_is_told_where_values_are_lost_and_refuses_else(
    tmp_path: Path, kind: str, substitute: Any
) -> None:
    bp = LOST[kind](tmp_path)
    bp.update({"user.mail": "secret", "plan": "search"}, node="loader")
    bp.pack("user.bad", "secret")
    bp.quarantine("user.bad", reason="wrong")
    bp.pack("plan", "book")
    bp.purge("user.**")
    with pytest.raises(ValueUnavailableError):
        bp.fork(4, path=tmp_path / "refused")
    with bp.fork(4, path=tmp_path / "fork", unavailable=substitute) as fork:
        expected = {"user.mail": substitute, "plan": "book"}
        assert fork.snapshot().to_dict() == fork.select("**") == expected
        assert fork.blame("user.mail").seq == 1 and fork.blame("user.mail").node == "loader"
        fork.release("user.bad")
        assert fork["user.bad"] == substitute and fork.blame("user.bad").seq == 2
        assert fork.item("user.mail").is_large == isinstance(substitute, str)
        fork._check()
    assert backpack.verify(tmp_path / "fork").ok
    with bp.fork(4, unavailable=substitute) as told, told.fork(path=tmp_path / "second") as second:
        assert told.snapshot().to_dict() == told.select("**") == expected and list(told.quarantined()) == ["user.bad"]
        told._check()
        assert second.select("**") == expected
        file = io.BytesIO()
        told.export(file)
        assert Backpack.load(io.BytesIO(file.getvalue())).select("**") == expected
    bp.close()


def test_a_copy_up_to_a_checkpoint_that_is_none_any_more_can_be_read(tmp_path: Path) -> None:
    bp = opened_in(MemoryFolder())
    fill(bp)
    bp.checkpoint("early", at=5)
    state = bp.snapshot(5).to_dict()
    bp.compact(keep_commits=1)
    bp.delete_checkpoint("early")
    with bp.fork(5, path=tmp_path / "fork") as fork:
        assert fork.snapshot().to_dict() == state and fork.head is not None and fork.head.seq == 5
    bp.close()


@pytest.mark.parametrize("way", ["fork", "fork of a fork", "snapshot", "replay", "load", "empty", "closed"])
def test_what_comes_of_an_encrypted_store_leaves_memory_with_a_key_only(way: str, tmp_path: Path) -> None:
    key, other_key = bytes(range(32)), bytes(32)
    bp = backpack.open(tmp_path / "store", key=key)
    bp.pack("secret", "in words " * 50)
    for number in range(5):
        bp.pack("number", number)
    file = io.BytesIO()
    bp.export(file, key=key)
    file.seek(0)
    fork = {
        "fork": lambda: bp.fork(),
        "fork of a fork": lambda: bp.fork().fork().fork(2),
        "snapshot": lambda: bp.snapshot(3).fork(),
        "replay": lambda: bp.replay(1),
        "load": lambda: Backpack.load(file, key=key).fork(),
        "empty": lambda: bp.fork(0),
        "closed": lambda: bp.fork(),
    }[way]()
    fork.pack("more", "words of mine " * 20)
    if way == "closed":
        bp.close()
    else:
        with pytest.raises(InvalidArgumentError, match="key="):
            fork.export(io.BytesIO())
        with pytest.raises(InvalidArgumentError, match="key="):
            fork.export(tmp_path / "plain")
        with pytest.raises(InvalidArgumentError, match="key="):
            fork.fork(path=tmp_path / "folder")
        expected = fork.snapshot().to_dict()
        sealed = io.BytesIO()
        fork.export(sealed, key=other_key)
        assert b"words" not in sealed.getvalue()
        sealed.seek(0)
        with Backpack.load(sealed, key=other_key) as loaded:
            assert loaded.snapshot().to_dict() == expected
        with fork.fork(path=tmp_path / "copy", key=other_key) as copy:
            assert copy.snapshot().to_dict() == expected
        plain = io.BytesIO()
        Backpack(expected).export(plain)  # said in so many words
        assert b"words of mine" in plain.getvalue()
    with pytest.raises((InvalidArgumentError, ClosedError)):
        fork.export(io.BytesIO())
    assert not (tmp_path / "plain").exists()
