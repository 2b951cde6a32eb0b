"""One letter: what was written comes back, and nothing else is believed."""

import random
from pathlib import Path
from struct import pack_into

import pytest
from xxhash import xxh3_64_intdigest

import backpack
from backpack.archive.letters import AHEAD, PIECE_SIZE_MAX, TOGETHER, Letter, LetterWriter
from backpack.codec import pack_value
from backpack.core.commit import NO_LABEL
from backpack.errors import BackpackError, CorruptionError, InvalidArgumentError
from backpack.storage.cover import PLAIN, Covers
from backpack.storage.memory import MemoryFolder
from tests.archive.letters import inbox_of, post

STORE_ID = bytes(range(16))
NAME = "0000000000000001-0000000000000002"


def written(*, covers: Covers = PLAIN, payload: bytes = pack_value({"a": [1, 2]})) -> bytes:
    folder = MemoryFolder()
    file = folder.create("letter")
    writer = LetterWriter(file, covers.fresh(b"letter:" + NAME.encode()), STORE_ID, b"saltsalt")
    writer.add("parts.1", AHEAD, pack_value(b"x" * 100))
    writer.add("entries.1", TOGETHER, payload)
    writer.finish(("node", "message", ("tag",)))
    return file.pread(file.size(), 0)


def read(data: bytes, *, store_id: bytes = STORE_ID, covers: Covers = PLAIN) -> Letter:
    folder = MemoryFolder({"letter": data})
    return Letter(folder.open("letter"), NAME, covers, store_id, lambda: folder.open("letter"))


def test_what_was_written_comes_back() -> None:
    letter = read(written())
    letter.check()
    assert letter.label == ("node", "message", ("tag",))
    assert [(piece.key, piece.way) for piece in letter.pieces] == [("parts.1", AHEAD), ("entries.1", TOGETHER)]
    assert letter.payload(letter.pieces[1]) == pack_value({"a": [1, 2]})


def test_every_flipped_byte_and_every_cut_is_noticed() -> None:
    data = written()
    for at in range(len(data)):
        for bit in (0x01, 0x80):
            with pytest.raises(CorruptionError):
                read(data[:at] + bytes((data[at] ^ bit,)) + data[at + 1 :]).check()
        with pytest.raises(CorruptionError):
            read(data[:at]).check()
    with pytest.raises(CorruptionError):
        read(data + b"\0").check()


def test_random_bytes_with_right_checksums_raise_nothing_but_our_errors() -> None:
    data, chance = written(), random.Random(5)
    seed = int.from_bytes(b"saltsalt", "little")
    trailer_at = len(data) - 40
    size = int.from_bytes(data[trailer_at : trailer_at + 8], "little")
    for _ in range(3_000):
        forged = bytearray(data)
        for _ in range(chance.randrange(1, 4)):
            forged[chance.randrange(trailer_at - size, trailer_at)] = chance.randrange(256)
        pack_into("<Q", forged, trailer_at + 8, xxh3_64_intdigest(bytes(forged[trailer_at - size : trailer_at]), seed))
        pack_into("<Q", forged, len(data) - 8, xxh3_64_intdigest(bytes(forged[trailer_at : len(data) - 8]), seed))
        try:
            read(bytes(forged)).check()
        except BackpackError:
            continue


def test_a_letter_for_another_store_is_refused() -> None:
    with pytest.raises(CorruptionError, match="another store"):
        read(written(), store_id=bytes(16))


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x91" * 2_000 + b"\xc0", b"\xdd\xff\xff\xff\xff", b"\xc7\x01\x60a", b"\xc0\xc0", b"\xc1"],
    ids=["empty", "too deep", "a count of nothing", "an unknown extension", "two values", "no value"],
)
def test_what_is_no_value_is_refused_before_it_is_unpacked(payload: bytes) -> None:
    letter = read(written(payload=payload))
    with pytest.raises(CorruptionError):
        letter.check()


def test_more_than_a_letter_may_hold_is_refused_when_it_is_written() -> None:
    writer = LetterWriter(MemoryFolder().create("letter"), PLAIN.fresh(b""), STORE_ID, b"saltsalt")
    with pytest.raises(InvalidArgumentError, match="too large for a letter"):
        writer.add("a", TOGETHER, bytes(PIECE_SIZE_MAX + 1))
    writer.add("a", TOGETHER, bytes(PIECE_SIZE_MAX))
    with pytest.raises(InvalidArgumentError, match="too large for a letter"):
        writer.add("b", TOGETHER, b"\0")
    writer.add("b", AHEAD, b"\0")
    writer.finish(NO_LABEL)


def test_an_encrypted_store_has_no_letter_in_clear_and_reads_none_that_was_moved(tmp_path: Path) -> None:
    from backpack.storage.opening import open_folder

    path, key = tmp_path / "store", bytes(range(32))
    backpack.open(path, key=key).close()
    folder = open_folder(path, create=False, writable=True)
    name = post(folder, 1, {"entries.secretkey": "secretvalue"}, label=("secretnode", None, ()), key=key)
    data = (path / "inbox" / f"{name}.letter").read_bytes()
    assert b"secret" not in data
    other = f"{2:016x}-{2:016x}"
    (path / "inbox" / f"{name}.letter").rename(path / "inbox" / f"{other}.letter")
    with pytest.raises(CorruptionError):
        inbox_of(folder, key).open(other).check()
    (path / "inbox" / f"{other}.letter").rename(path / "inbox" / f"{name}.letter")
    with backpack.open(path, key=key) as bp:
        assert bp["entries.secretkey"] == "secretvalue"
