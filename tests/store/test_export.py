"""The file of an export: published whole or not at all, and refused when a byte of it is not as it was written."""

import errno
import io
import os
import random
import stat
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from msgpack import ExtType, packb, unpackb

from backpack import (
    Backpack,
    BackpackError,
    ClosedError,
    CorruptionError,
    DiskFullError,
    InvalidArgumentError,
    StorageError,
    StoreNotFoundError,
)
from backpack.core import describing
from backpack.store.export import FORMAT_VERSION, HEADER, MAGIC, _digest
from tests.interrupting import interrupted_at


def store() -> Backpack:
    bp = Backpack({"a": "some text " * 8}, max_value_size=200)
    bp.append("list", {"one": 1}, [2])
    bp.append("list", 3)
    bp.pack("big", "B" * 300, node="n", message="why", tags=("t",))
    bp.checkpoint("here")
    bp.quarantine("big", reason="doubt")
    bp.delete("a")
    return bp


def exported(bp: Backpack) -> bytes:
    file = io.BytesIO()
    bp.export(file)
    return file.getvalue()


def loaded(whole: bytes) -> Backpack:
    return Backpack.load(io.BytesIO(whole))


def with_body(body: bytes, version: int = FORMAT_VERSION) -> bytes:
    """A file whose checksum is right."""
    return HEADER.pack(MAGIC, version, len(body), _digest(version, len(body), [body])) + body


def fields_of(whole: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = unpackb(whole[HEADER.size :])
    return fields


# -- writing -------------------------------------------------------------------------------------------------------


def test_a_path_and_an_open_file_get_the_same_bytes(tmp_path: Path) -> None:
    bp = store()
    bp.export(tmp_path / "file")
    with open(tmp_path / "other", "wb") as opened:
        bp.export(opened)
    assert (tmp_path / "file").read_bytes() == (tmp_path / "other").read_bytes() == exported(bp)


def test_a_file_is_for_its_owner_only_whatever_the_mask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store().export(tmp_path / "file")
        os.umask(0o777)
        store().export(tmp_path / "other")
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("file", "other")] == [0o600, 0o600]


def test_a_relative_path_stands_in_the_present_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store().export("file")
    assert Backpack.load("file").head is not None
    assert os.listdir() == ["file"]


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, DiskFullError),
        (errno.EDQUOT, DiskFullError),
        (errno.EFBIG, DiskFullError),
        (errno.EIO, StorageError),
    ],
)
def test_the_old_file_stays_when_the_disk_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, error: type[StorageError]
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, refuse)
        with pytest.raises(error) as caught:
            store().export(file)
    assert type(caught.value) is error
    assert (caught.value.errno, caught.value.__context__) == (number, None)
    assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_no_temporary_file_stays_after_an_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    for call in ("write", "fsync", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(os, call, interrupt)
            with pytest.raises(KeyboardInterrupt):
                store().export(tmp_path / "file")
        assert os.listdir(tmp_path) == []


def test_short_writes_are_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda descriptor, view: write(descriptor, view[:7]))
        store().export(tmp_path / "file")
    assert Backpack.load(tmp_path / "file")["list"] == [{"one": 1}, [2], 3]


def test_the_file_and_then_the_folder_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def renamed(one: str, other: Path) -> None:
        steps.append("rename")
        replace(one, other)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    store().export(tmp_path / "file")
    assert steps == ["file", "rename", "folder"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_what_is_no_file_is_neither_replaced_nor_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(StorageError):
            store().export(tmp_path / name)
        with pytest.raises(StorageError):
            Backpack.load(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe"]


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("open files can't be counted here")
    store().export(tmp_path / "file")
    (tmp_path / "bad").write_bytes(b"bad")
    before = len(os.listdir("/proc/self/fd"))
    for name in ("file", "bad", ".", "missing"):
        try:
            Backpack.load(tmp_path / name)
        except BackpackError:
            continue
    assert len(os.listdir("/proc/self/fd")) == before


class Slow(io.RawIOBase):
    """A file that takes and gives a few bytes at a time and can't seek."""

    def __init__(self, whole: bytes = b"") -> None:
        self.whole = bytearray(whole)

    def write(self, data: Any) -> int:
        self.whole += data[:5]
        return min(5, len(data))

    def read(self, size: int = -1) -> bytes:
        taken = bytes(self.whole[: min(size, 5)])
        del self.whole[: len(taken)]
        return taken


def test_an_open_file_may_take_and_give_little() -> None:
    bp, file = store(), Slow()
    bp.export(file)  # type: ignore[arg-type]
    assert bytes(file.whole) == exported(bp)
    other = Backpack.load(file)  # type: ignore[arg-type]
    assert dict(other) == dict(bp)


def test_a_failure_of_an_open_file_is_a_storage_error() -> None:
    class Full(io.RawIOBase):
        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, "full")

        def read(self, size: int = -1) -> bytes:
            raise OSError(errno.EIO, "broken")

    with pytest.raises(DiskFullError):
        store().export(Full())  # type: ignore[arg-type]
    with pytest.raises(StorageError):
        Backpack.load(Full())  # type: ignore[arg-type]


@pytest.mark.parametrize("file", [io.StringIO(), 3, None, "", "a\0b", object()])
def test_what_is_neither_path_nor_file_is_refused(file: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        store().export(file)
    with pytest.raises(InvalidArgumentError):
        Backpack.load(file)


def test_a_closed_store_is_not_exported() -> None:
    bp = store()
    bp.close()
    with pytest.raises(ClosedError):
        bp.export(io.BytesIO())


def test_a_list_of_many_versions_is_exported_at_about_the_size_of_the_last() -> None:
    bp = Backpack()
    for number in range(1_000):
        bp.append("log", {"role": "user", "content": f"message number {number}, " * 8})
    assert len(exported(bp)) < 1.3 * bp.item("log").size


def test_data_of_many_megabytes_comes_back() -> None:
    bp = Backpack(max_value_size=10**8)
    bp.pack("long", os.urandom(9 * 1024 * 1024 + 1))
    bp.pack("more", [os.urandom(1_000_000) for _ in range(6)])
    other = loaded(exported(bp))
    assert other["long"] == bp["long"]
    assert other["more"] == bp["more"]


def test_a_pattern_that_is_no_unicode_in_a_message_comes_back() -> None:
    bp = Backpack({"a": 1})
    bp._label = lambda *_: (None, "\ud800", ())  # type: ignore[method-assign]
    bp.pack("a", 2)
    commit = loaded(exported(bp)).head
    assert commit is not None
    assert commit.message == "\ud800"


def test_an_export_while_others_pack_is_one_moment() -> None:
    bp = Backpack({"log": ["begin" * 10]})
    is_over = threading.Event()

    def pack() -> None:
        number = 0
        while not is_over.is_set() and number < 20_000:
            number += 1
            with bp.transaction() as transaction:
                transaction.pack("one", number)
                transaction.pack("two", number)
            bp.append("log", number)

    thread = threading.Thread(target=pack)
    thread.start()
    try:
        for _ in range(8):
            other = loaded(exported(bp))
            assert other.peek("one") == other.peek("two")
            for commit in other.history(limit=3):
                assert len(other.snapshot(commit.seq)["log"]) >= len(other.snapshot(1)["log"])
    finally:
        is_over.set()
        thread.join()


def test_an_export_is_one_moment_where_who_set_a_value_leaves_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    bp = Backpack()
    bp.pack("plan", "search", node="planner")
    bp.quarantine("plan", reason="wrong")
    bp.update({"a": 1, "b": 2})
    bp.pack("a", 2)
    makers = describing._Writer._makers

    def pruning_meanwhile(*arguments: Any) -> Any:
        found = makers(*arguments)
        if arguments[1] == "setter_":
            bp.configure(max_commits=1)
        return found

    monkeypatch.setattr(describing._Writer, "_makers", pruning_meanwhile)
    whole = exported(bp)
    monkeypatch.undo()
    other = loaded(whole)
    other.release("plan")
    assert other.blame("plan").node == "planner" and other["a"] == 2


# -- going on ------------------------------------------------------------------------------------------------------


def test_two_loads_of_one_export_never_make_the_same_ids() -> None:
    bp = store()
    whole = exported(bp)
    one, two = loaded(whole), loaded(whole)
    assert bp.head is not None and one.head is not None
    assert one.head.id == bp.head.id
    ids = {store.pack("a", 1).id for store in (bp, one, two)}
    assert len(ids) == 3


def test_ids_survive_a_row_of_exports() -> None:
    bp, ids = Backpack(), []
    for number in range(8):
        ids.append(bp.pack("a", number).id)
        bp = loaded(exported(bp))
    assert [commit.id for commit in bp.history()] == ids[::-1]
    assert [bp.commit(id_).seq for id_ in ids] == list(range(1, 9))


def test_time_never_runs_backwards_over_a_load(monkeypatch: pytest.MonkeyPatch) -> None:
    bp = store()
    bp._last_ns += 10**15
    head = bp.pack("a", 1)
    other = loaded(exported(bp))
    assert other.pack("a", 2).time >= head.time


def test_limits_and_counts_are_those_of_the_original() -> None:
    bp = Backpack(max_commits=5, prune_strategy="least-accessed", prune_percentage=0.4, max_history_size=5_000)
    for number in range(20):
        bp.pack(f"k{number % 3}", number)
    other = loaded(exported(bp))
    assert other.limits == bp.limits
    for name in ("live_bytes", "history_bytes", "commits_in_memory", "commits_pruned", "large_values"):
        assert getattr(other.memory_usage(), name) == getattr(bp.memory_usage(), name)


def test_open_snapshots_and_subscriptions_stay_behind() -> None:
    bp = store()
    told: list[Any] = []
    bp.subscribe(told.append)
    opened = bp.snapshot(1)
    other = loaded(exported(bp))
    other.pack("a", 1)
    assert told == []
    assert (bp._engine.pins.seqs(), other._engine.pins.seqs()) == ({1, 4}, {4})
    assert opened["a"] == "some text " * 8


# -- reading -------------------------------------------------------------------------------------------------------


def test_a_flip_of_any_byte_is_corruption_and_says_where(tmp_path: Path) -> None:
    whole = exported(store())
    file = tmp_path / "file"
    for position in range(len(whole)):
        for bits in (0x01, 0x80, 0xFF):
            damaged = bytearray(whole)
            damaged[position] ^= bits
            with pytest.raises(CorruptionError):
                loaded(bytes(damaged))
            file.write_bytes(damaged)
            with pytest.raises(CorruptionError) as caught:
                Backpack.load(file)
            facts = vars(caught.value)
            assert (facts["file"], facts["offset"] >= 0) == (str(file), True)
            assert caught.value.__context__ is None


def test_a_cut_at_any_byte_is_corruption(tmp_path: Path) -> None:
    whole = exported(store())
    file = tmp_path / "file"
    for size in range(len(whole)):
        with pytest.raises(CorruptionError):
            loaded(whole[:size])
        file.write_bytes(whole[:size])
        with pytest.raises(CorruptionError):
            Backpack.load(file)


def test_bytes_behind_the_end_of_a_file_are_corruption(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(exported(store()) + b"\0")
    with pytest.raises(CorruptionError, match="goes on"):
        Backpack.load(tmp_path / "file")


@pytest.mark.parametrize("more", [b"\0", b"junk", b"x" * 100_000])
def test_bytes_behind_the_end_of_an_open_file_are_corruption(more: bytes) -> None:
    for file in (io.BytesIO(exported(store()) + more), io.BytesIO(exported(store()) * 2)):
        with pytest.raises(CorruptionError, match="goes on") as caught:
            Backpack.load(file)
        assert caught.value.offset == len(exported(store()))


def test_an_open_file_is_read_from_where_it_stands_to_its_end() -> None:
    file = io.BytesIO(b"before" + exported(Backpack({"a": 1})))
    file.seek(6)
    assert Backpack.load(file)["a"] == 1
    assert file.read() == b""


def test_a_newer_format_is_refused_and_named() -> None:
    body = exported(store())[HEADER.size :]
    with pytest.raises(CorruptionError, match="version=3 known=2"):
        loaded(with_body(body, 3))


@pytest.mark.parametrize("name", ["missing", "no folder/file", "file/below"])
def test_nothing_at_a_path_is_not_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreNotFoundError):
        Backpack.load(tmp_path / name)


def test_a_length_that_lies_asks_for_no_memory(tmp_path: Path) -> None:
    lying = HEADER.pack(MAGIC, FORMAT_VERSION, 1 << 62, bytes(32)) + bytes(1_000)
    (tmp_path / "file").write_bytes(lying)
    tracemalloc.start()
    try:
        for file in (io.BytesIO(lying), tmp_path / "file"):
            with pytest.raises(CorruptionError):
                Backpack.load(file)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x90",
        b"\xc0",
        packb({}),
        packb({"data": []}),
        packb([[]] * 1_000),
        packb({1: 2}),
        packb({"data": ExtType(1, b"\x01")}),
        packb({"data": ExtType(99, b"")}),
        b"\xd6\xff\0\0\0\0",
        b"\x91" * 5_000 + b"\xc0",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc1",
        b"\x81\xa4head\x01\x00",
    ],
)
def test_a_body_that_is_none_under_a_good_checksum_is_corruption(body: bytes) -> None:
    with pytest.raises(CorruptionError) as caught:
        loaded(with_body(body))
    assert caught.value.__context__ is None


def test_a_bomb_of_small_objects_is_refused_before_it_goes_off() -> None:
    body = b"\xdd" + (600_000).to_bytes(4, "big") + b"\x90" * 600_000
    whole = with_body(body)
    tracemalloc.start()
    try:
        with pytest.raises(CorruptionError):
            loaded(whole)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_values_that_multiply_one_source_are_not_joined_on_the_way_in() -> None:
    bp = Backpack(max_value_size=10**9, max_history_size=10**9)
    text = os.urandom(40_000).hex()
    bp.pack("text", text)
    for number in range(3_000):
        bp.pack("text", text[:40_000] + f"edit {number}" + text[40_000:])
    other = loaded(exported(bp))
    assert other["text"] == bp["text"]


def test_any_change_of_a_body_under_a_good_checksum_is_corruption_or_a_sound_store() -> None:
    whole = exported(store())
    body = whole[HEADER.size :]
    chance = random.Random(1)
    refused = 0
    for position in range(len(body)):
        changed = bytearray(body)
        changed[position] ^= 1 << chance.randrange(8)
        try:
            bp = loaded(with_body(bytes(changed)))
        except CorruptionError:
            refused += 1
            continue
        use(bp)
    assert refused > len(body) // 4


def use(bp: Backpack) -> None:
    """Whatever can be asked is answered, or refused with an error of ours."""
    acts = [
        lambda: bp.select("**"),
        lambda: [commit.changes for commit in bp.history()],
        lambda: [bp.snapshot(commit.seq).to_dict(unavailable=None) for commit in bp.history()],
        lambda: [(bp.blame(key), bp.item(key).value) for key in bp],
        lambda: bp.commit("HEAD~1"),
        lambda: bp.checkpoints(),
        lambda: bp.append("list", 1),
        lambda: bp.release("big"),
        lambda: bp.fork(2),
        lambda: bp.memory_usage(deep=True),
        lambda: bp.prune(),
        lambda: exported(bp),
    ]
    for act in acts:
        try:
            act()  # type: ignore[no-untyped-call]
        except BackpackError:
            continue
    bp._check()


def test_a_payload_of_an_unknown_extension_raises_only_when_it_is_unpacked() -> None:
    bp = Backpack({"a": (1, 2), "b": 2})
    fields = fields_of(exported(bp))
    data = b"".join(fields["data"])
    assert data.count(b"\x05\x92\x01\x02") == 1
    fields["data"] = [data.replace(b"\x05\x92\x01\x02", b"\x63\x92\x01\x02")]
    other = loaded(with_body(packb(fields)))
    assert other["b"] == 2
    with pytest.raises(CorruptionError):
        other["a"]


def test_no_error_holds_a_value() -> None:
    secret = "SECRETVALUE"
    whole = exported(Backpack({"a": secret, "b": [secret] * 20}))
    body = whole[HEADER.size :]
    for position in range(0, len(body), 3):
        changed = body[:position] + bytes([body[position] ^ 0x11]) + body[position + 1 :]
        try:
            loaded(with_body(changed))
        except CorruptionError as error:
            assert secret not in f"{error!s}{error!r}{error.__dict__}"


def test_an_interrupt_at_any_line_leaves_the_old_file_or_the_new_one_and_nothing_else(tmp_path: Path) -> None:
    bp = Backpack({"a": 1})
    wanted = tmp_path / "file"
    bp.export(wanted)
    old = wanted.read_bytes()
    bp.pack("a", 2)
    step, seen = 1, set()
    while interrupted_at(step, lambda: bp.export(wanted), lambda name: name.endswith("store/export.py")):
        assert [file.name for file in tmp_path.iterdir()] == ["file"]
        seen.add(wanted.read_bytes())
        wanted.write_bytes(old)
        step += 1
    assert len(seen) == 2 and old in seen
