"""With a key nothing of the user's stands on disk in clear, and nothing that is not encrypted is believed."""

import os
from collections.abc import Iterator

import pytest

from backpack import CorruptionError, InvalidArgumentError, WrongKeyError
from backpack.archive.encrypting import rotate
from backpack.storage.memory import MemoryFolder

from .stores import everything_in, opened_in, small_segments

KEY = bytes(range(32))


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with small_segments(seal_min=500):
        yield


def filled(folder: MemoryFolder) -> dict[int, dict[str, object]]:
    bp = opened_in(folder, key=KEY)
    for number in range(80):
        bp.pack(f"SECRET-key-{number % 5}", {"text": "SECRET" * 5, "number": number}, node="SECRET-node")
        bp.append("SECRET-list", f"SECRET-{number}", message="SECRET-message")
    bp.pack("SECRET-large", "SECRET" * 1000)
    bp.checkpoint("SECRET-name", notes="SECRET-notes")
    states = {seq: bp.snapshot(seq).to_dict() for seq in range(0, 160, 7)}
    bp.close()
    return states


def test_nothing_stands_in_clear_and_all_comes_back() -> None:
    folder = MemoryFolder()
    states = filled(folder)
    assert b"SECRET" not in everything_in(folder)
    bp = opened_in(folder, key=lambda _: KEY)
    assert {seq: bp.snapshot(seq).to_dict() for seq in states} == states
    assert bp["SECRET-large"] == "SECRET" * 1000
    assert bp.checkpoints()[0].notes == "SECRET-notes"


def test_without_the_key_or_with_another_nothing_is_read() -> None:
    folder = MemoryFolder()
    filled(folder)
    for key in (None, os.urandom(32)):
        with pytest.raises(WrongKeyError):
            opened_in(folder, key=key)
    opened_in(folder, key=KEY).close()


def test_a_plain_store_takes_no_key() -> None:
    folder = MemoryFolder()
    opened_in(folder).close()
    with pytest.raises(InvalidArgumentError, match="not encrypted"):
        opened_in(folder, key=KEY)


def test_keys_rotate() -> None:
    folder = MemoryFolder()
    states = filled(folder)
    new = os.urandom(32)
    rotate(folder, KEY, new)
    with pytest.raises(WrongKeyError):
        opened_in(folder, key=KEY)
    bp = opened_in(folder, key=new)
    assert bp.snapshot(140).to_dict() == states[140]
    bp.pack("more", 1)
    bp.close()
    assert opened_in(folder, key=new, mode="r")["more"] == 1


def test_plain_files_in_an_encrypted_store_are_refused() -> None:
    folder, plain = MemoryFolder(), MemoryFolder()
    filled(folder)
    bp = opened_in(plain)
    bp.pack("key", 1)
    bp.close()
    name = next(name for name in folder.names() if name.endswith(".seg"))
    for suffix in (".log", ".seg"):
        source = next((one for one in plain.names() if one.endswith(suffix)), None)
        if source is None:
            continue
        file = plain.open(source)
        target = name if suffix == ".seg" else "000000000999.log"
        folder.remove(target)
        copy = folder.create(target)
        copy.append(file.pread(file.size(), 0))
        copy.close()
    with pytest.raises(CorruptionError):
        bp = opened_in(folder, key=KEY)
        [bp.snapshot(seq).to_dict() for seq in range(100)]


def test_purging_and_compacting_keep_a_store_encrypted() -> None:
    folder = MemoryFolder()
    states = filled(folder)
    bp = opened_in(folder, key=KEY)
    bp.purge("SECRET-key-1")
    report = bp.compact(keep_commits=60)
    bp.close()
    bp = opened_in(folder, key=KEY)
    for seq, state in states.items():
        if seq >= report.first_seq:
            assert bp.snapshot(seq)["SECRET-list"] == state["SECRET-list"]
    assert b"SECRET" not in everything_in(folder)
