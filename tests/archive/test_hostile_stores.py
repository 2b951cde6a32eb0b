"""Stores that somebody made to harm whoever opens them: every checksum is right, and what stands there is not."""

import os
import signal
import stat
import struct
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgpack
import pytest
from xxhash import xxh3_64_intdigest

import backpack
from backpack.archive.content import Change, Value
from backpack.archive.frames import COMMIT, NOTE, ONE, PLAIN_SIZE_MAX, WHOLE, Written, pack_commit
from backpack.errors import BackpackError, CorruptionError, InvalidArgumentError
from backpack.limits import KEY_SIZE_MAX, MIB
from backpack.storage.memory import MemoryFolder
from tests.archive.crashes import opened, small_files

MEMORY_MAX: Final = 64 * MIB
TIME_MAX_S: Final = 20


@contextmanager
def bounded() -> Iterator[None]:
    """In there nothing takes much memory or time."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(TIME_MAX_S)
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MEMORY_MAX
    finally:
        tracemalloc.stop()
        signal.alarm(0)


# -- logs whose checksums are right ------------------------------------------------------------------------------


def log_with(body: bytes, kind: int = COMMIT) -> MemoryFolder:
    """A store that was killed, whose log ends in a frame with that body."""
    folder = MemoryFolder()
    store = opened(folder)
    store.pack("a", "right")
    writer = store._opened.writer  # type: ignore[union-attr]
    assert writer is not None
    writer._frame(kind, 2 if kind == COMMIT else 1, 1, body)
    return copied(folder)


def copied(folder: MemoryFolder) -> MemoryFolder:
    """The same files, and nobody has them open."""
    copy = MemoryFolder({name: data for name, data in folder.walk() if data is not None})
    copy.folder("blobs")
    return copy


def commit_of(payload: bytes, key: str = "b", label: bytes = b"") -> bytes:
    """The body of a commit of one payload."""
    value = Value(((1, 1, 0, len(payload)),), size=len(payload))
    return pack_commit(label, [Written(Change(key, 2, "pack", 1, value), payload)], 1)


def detail_of(packed: bytes, more: bytes = b"") -> bytes:
    """The body of a commit whose only change has that detail."""
    detail = struct.pack("<I", len(packed)) + packed + more
    return ONE.pack(1, 0, 1, 1, 0, 2, 1, len(detail)) + b"b" + detail


def nested(depth: int) -> bytes:
    return b"\x91" * depth + b"\x90"


EMPTY_LISTS: Final = b"\xdd" + struct.pack(">I", 8 * MIB) + b"\x90" * (8 * MIB)
BODIES: Final[dict[str, bytes]] = {
    "nothing": b"",
    "too short": b"\1\0",
    "a count beyond the frame": struct.pack("<III", 1 << 31, 0, 1),
    "a label beyond the frame": struct.pack("<III", 1, 1 << 31, 1),
    "a key of no bytes": ONE.pack(1, 0, 1, 0, 0, WHOLE, 1, 1) + b"\xc0",
    "a key of 64 KB": ONE.pack(1, 0, 1, 65_535, 0, WHOLE, 1, 1) + b"k" * 65_535 + b"\xc0",
    "a key one byte too long": ONE.pack(1, 0, 1, KEY_SIZE_MAX + 1, 0, WHOLE, 1, 1) + b"k" * 1025 + b"\xc0",
    "a key that is no text": ONE.pack(1, 0, 1, 2, 0, WHOLE, 1, 1) + b"\xff\xfe\xc0",
    "a key beyond the frame": ONE.pack(1, 0, 1, 9, 0, WHOLE, 1, 1) + b"b\xc0",
    "a payload beyond the frame": ONE.pack(1, 0, 1, 1, 0, WHOLE, 1, 1 << 62) + b"b\xc0",
    "a payload shorter than the frame": ONE.pack(1, 0, 1, 1, 0, WHOLE, 1, 1) + b"b\xc0\xc0",
    "no such kind": ONE.pack(1, 0, 1, 1, 15, WHOLE, 1, 1) + b"b\xc0",
    "no such form": ONE.pack(1, 0, 1, 1, 0, 9, 1, 1) + b"b\xc0",
    "no such version": ONE.pack(1, 0, 1, 1, 0, WHOLE, 1 << 63, 1) + b"b\xc0",
    "a delete with a value": ONE.pack(1, 0, 1, 1, 1, WHOLE, 1, 1) + b"b\xc0",
    "another first source": ONE.pack(1, 0, 7, 1, 0, WHOLE, 1, 1) + b"b\xc0",
    "a label of many lists": commit_of(b"\xc0", label=EMPTY_LISTS),
    "a label that is nested": commit_of(b"\xc0", label=nested(100_000)),
    "a label of numbers": commit_of(b"\xc0", label=msgpack.packb([1, 2, [3]])),
    "a detail of many lists": detail_of(EMPTY_LISTS),
    "a detail that is nested": detail_of(nested(100_000)),
    "a detail whose own bytes say they are free": detail_of(b"\x95\xc6\xff\xff\xff\xff" + EMPTY_LISTS),
    "a detail that cuts what is not there": detail_of(msgpack.packb([b"", [-1, 0, 0, 9], [], "", []])),
    "a detail that cuts no blob": detail_of(msgpack.packb([b"", [0, 3, 0, 9], [], "", []])),
    "a detail with a source to come": detail_of(msgpack.packb([b"", [1, 9, 0, 9], [], "", [9, 0, 1]]), b"x"),
    "a detail with a size of no end": detail_of(msgpack.packb([b"", [], [], "", [1, 0, 1 << 63]]), b"x"),
}
NOTES: Final[dict[str, bytes]] = {
    "many lists": EMPTY_LISTS,
    "nested": nested(100_000),
    "nothing": b"",
    "too short": b"\xdd\xff",
    "a count of no end": b"\xdd\xff\xff\xff\xff",
    "an extension": msgpack.packb(msgpack.ExtType(77, b"x")),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_frame_that_says_nonsense_is_cut_off_and_reported(body: bytes) -> None:
    folder = log_with(body)
    with bounded():
        reader = opened(folder.reader(), is_writable=False)  # type: ignore[arg-type]
        assert reader.select("**") == {"a": "right"}
        reader.close()
        store = opened(folder, seed=1)
        assert store.select("**") == {"a": "right"}
        assert store.recovery is not None and store.recovery.dropped_bytes > len(body)


@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES)
def test_a_note_that_says_nonsense_is_cut_off_or_means_nothing(note: bytes) -> None:
    folder = log_with(note, NOTE)
    with bounded():
        store = opened(folder, seed=1)
        assert store.select("**") == {"a": "right"} and store.checkpoints() == []


POINTERS: Final[dict[str, bytes]] = {
    "a source that is not there": detail_of(msgpack.packb([b"", [1, 99, 0, 9], [], "", []])),
    "bytes behind the end of a source": detail_of(msgpack.packb([b"", [1, 0, 0, 1 << 61], [], "", []])),
    "a segment that is not there": detail_of(msgpack.packb([b"", [99, 0, 0, 9], [], "", []])),
    "a blob that is not there": detail_of(msgpack.packb([b"", [0, 0, 0, 9], [b"\0" * 32], "", []])),
}


@pytest.mark.parametrize("body", POINTERS.values(), ids=POINTERS)
def test_a_value_that_points_nowhere_is_corruption_and_the_rest_can_be_read(body: bytes) -> None:
    folder = log_with(body)
    with bounded():
        reader = opened(folder.reader(), is_writable=False)  # type: ignore[arg-type]
        assert reader["a"] == "right"
        if "b" in reader:
            with pytest.raises(CorruptionError):
                reader["b"]
        reader.close()
        with suppress(CorruptionError):
            assert opened(folder, seed=1)["a"] == "right"


PAYLOADS: Final[dict[str, bytes]] = {
    "nested": nested(100_000),
    "a count of no end": b"\xdd\xff\xff\xff\xff",
    "a map of lists": b"\x81\x90\xc0",
    "an unknown extension": msgpack.packb(msgpack.ExtType(99, b"x")),
    "half a text": b"\xd9\x20abc",
    "nothing": b"",
    "a surrogate": b"\xa3\xed\xa0\x80",
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_a_payload_that_is_no_value_is_corruption_where_it_is_read(payload: bytes) -> None:
    folder = log_with(commit_of(payload))
    with bounded():
        for is_writable in (False, True):
            store = opened(folder if is_writable else folder.reader(), is_writable=is_writable)  # type: ignore[arg-type]
            assert store["a"] == "right"
            with pytest.raises(CorruptionError):
                store["b"]
            store.close()


def test_what_is_written_is_never_longer_than_what_is_read() -> None:
    from backpack.archive.frames import pack_label
    from backpack.limits import MESSAGE_SIZE_MAX, NAME_SIZE_MAX, TAG_COUNT_MAX

    longest = ("n" * NAME_SIZE_MAX, "m" * MESSAGE_SIZE_MAX, ("t" * NAME_SIZE_MAX,) * TAG_COUNT_MAX)
    assert len(pack_label(longest)) < PLAIN_SIZE_MAX
    with small_files():
        folder = MemoryFolder()
        store = opened(folder)
        store.pack("a", 1, node=longest[0], message=longest[1], tags=longest[2])
        store.checkpoint("c" * NAME_SIZE_MAX, notes=longest[1])
        store.append("own", *[{"n": number} for number in range(40_000)])
        store.append("own", "more")
        values = store.select("**")
        again = opened(copied(folder), seed=1)
        assert again.select("**") == values
        assert [one.message for one in again.history(limit=3)][-1] == longest[1]
        assert again.checkpoints()[0].notes == longest[1]


# -- keys --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", ["../../x", "/etc/passwd", "a/../../b", "..", "nul\0byte", "é" * 512, "k" * KEY_SIZE_MAX, "\n", "C:\\x"]
)
def test_no_key_becomes_a_path(key: str, tmp_path: Path) -> None:
    path = tmp_path / "store"
    large = os.urandom(300_000)
    for _ in range(2):
        with backpack.open(path) as store:
            store.pack(key, large)
            store.pack(key + "" if len(key) > 9 else key * 2, "small")
            store.checkpoint(f"{key[:9]} {len(store.checkpoints())}")
    assert os.listdir(tmp_path) == ["store"]
    for _, folders, files in os.walk(path):
        assert set(folders) <= {"blobs", "aside"}
        assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-_") for name in files)
    with backpack.open(path, "r") as store:
        assert key in store


def test_a_key_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as store, pytest.raises(InvalidArgumentError):
        store.pack("k" * (KEY_SIZE_MAX + 1), 1)


# -- folders -----------------------------------------------------------------------------------------------------


def made_store(path: Path) -> Path:
    """One with a segment, a log, a blob."""
    for number in range(2):
        with pytest.MonkeyPatch.context() as patch, backpack.open(path) as store:
            patch.setattr("backpack.archive.opened.SEAL_SIZE_MIN", 1_000 * number)
            store.pack("a", number)
            if not number:
                store.pack("page", os.urandom(300_000))
    return path


def replaced(path: Path, kind: str, secret: Path) -> None:
    """Put something else in the place of a file."""
    data = path.read_bytes()
    path.unlink()
    if kind == "link out":
        secret.write_bytes(data or b"secret")
        path.symlink_to(secret)
    elif kind == "link to a device":
        path.symlink_to("/dev/zero")
    elif kind == "broken link":
        path.symlink_to(secret.with_name("nowhere"))
    elif kind == "second name":
        secret.write_bytes(data or b"secret")
        os.link(secret, path)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        try:
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
        except OSError:
            pytest.skip("no device may be made here")
    else:
        path.mkdir()


def parts_of(path: Path) -> list[str]:
    names = sorted(name for name in os.listdir(path) if name != "blobs")
    return [*names, *(f"blobs/{name}" for name in os.listdir(path / "blobs"))]


@pytest.mark.parametrize(
    "kind", ["link out", "link to a device", "broken link", "second name", "pipe", "device", "folder"]
)
def test_nothing_but_a_file_of_ours_is_read_or_written(kind: str, tmp_path: Path) -> None:
    names = {name.rpartition(".")[2] if "." in name else name for name in parts_of(made_store(tmp_path / "first"))}
    assert {"seg", "log", "manifest", "clean", "lock", "readers"} <= names
    secret = tmp_path / "secret"
    for number, part in enumerate(parts_of(tmp_path / "first")):
        path = made_store(tmp_path / str(number))
        here = parts_of(path)
        name = next(one for one in here if one == part or (part.startswith("blobs/") and one.startswith("blobs/")))
        replaced(path / name, kind, secret)
        before = secret.read_bytes() if secret.exists() else b""
        modes: tuple[Any, ...] = ("r", "rw")
        for mode in modes:
            with bounded():
                is_refused = False
                try:
                    with backpack.open(path, mode) as store:
                        is_refused = mode == "r" and not store.health().ok  # it reads the rest, and says so
                        assert store["a"] == 1 or is_refused
                        assert len(store["page"]) == 300_000
                except BackpackError:
                    is_refused = True
                unused = {"lock"} if mode == "r" else {"readers"}
                assert is_refused or name in {"clean", *unused}, (mode, name)
        assert (secret.read_bytes() if secret.exists() else b"") == before


def test_what_is_not_of_a_store_is_left_alone(tmp_path: Path) -> None:
    path = made_store(tmp_path / "store")
    (path / "Evil\nname.log").write_bytes(b"x")
    (path / ".hidden").write_bytes(b"x")
    (path / "notes").mkdir()
    (path / "blobs" / "README").write_bytes(b"x")
    with backpack.open(path) as store:
        assert store["a"] == 1
    assert {"Evil\nname.log", ".hidden", "notes"} <= set(os.listdir(path))
    assert "README" in os.listdir(path / "blobs")


# -- manifests whose checksums are right -------------------------------------------------------------------------


def manifest_with(body: bytes) -> MemoryFolder:
    """A store whose manifest has that body."""
    folder = MemoryFolder()
    opened(folder).close()
    files = {name: data for name, data in folder.walk() if data is not None}
    head = bytearray(files["manifest"][:36])
    struct.pack_into("<I", head, 16, len(body))
    data = bytes(head) + body
    files["manifest"] = data + struct.pack("<Q", xxh3_64_intdigest(data))
    hostile = MemoryFolder(files)
    hostile.folder("blobs")
    return hostile


ROWS: Final = {
    "lists in lists": b"\x91" * 900 + b"\xc0",
    "empty lists": b"\xdd" + struct.pack(">I", 6 * MIB) + b"\x90" * (6 * MIB),
    "tiny checkpoints": b"\xdd" + struct.pack(">I", 1 * MIB) + b"\x93\xa1a\x01\xa0" * (1 * MIB),
    "rows of lists": b"\xdd" + struct.pack(">I", 90_000) + (b"\x93" + b"\x90" * 3) * 90_000,
    "a row of millions": b"\x91\xdd" + struct.pack(">I", 6 * MIB) + b"\x90" * (6 * MIB),
    "a long text": b"\x91\x93\xdb" + struct.pack(">I", 6 * MIB) + b"x" * (6 * MIB) + b"\x01\xa0",
    "a length without bytes": b"\xdd\xff\xff\xff\xff",
}


@pytest.mark.parametrize("field", ["epochs", "segments", "checkpoints", "head", "unknown"])
@pytest.mark.parametrize("rows", ROWS)
def test_a_manifest_takes_no_more_memory_than_one_that_is_right(rows: str, field: str) -> None:
    folder = manifest_with(b"\x81" + msgpack.packb(field) + ROWS[rows])
    for is_writable in (True, False):
        with bounded(), pytest.raises(CorruptionError, match="manifest"):
            opened(copied(folder), is_writable=is_writable)


def test_what_stands_behind_a_manifest_is_damage() -> None:
    folder = MemoryFolder()
    opened(folder).close()
    whole = dict(folder.walk())["manifest"]
    assert whole is not None
    with pytest.raises(CorruptionError, match="manifest"):
        opened(manifest_with(whole[36:-8] + b"\xc0"))
    opened(manifest_with(whole[36:-8])).close()
