"""A purge takes values off the disk: out of logs, segments, blobs and what recovery put aside."""

from collections.abc import Iterator

import pytest

from backpack.storage.memory import MemoryFolder

from .stores import everything_in, opened_in, small_segments


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with small_segments():
        yield


def test_the_bytes_are_off_the_disk_when_it_returns() -> None:
    folder = MemoryFolder()
    bp = opened_in(folder)
    secret = bytes(range(256)) * 3  # compresses badly, so its beginning would stand in the clear
    for number in range(60):
        bp.pack(f"user.{number % 3}", secret[:200] + b"SECRET-%d" % number)
        bp.pack("other", {"number": number})
        bp.append("user.list", "SECRET in a list")
    bp.pack("user.large", secret * 20 + b"SECRET")
    bp.pack("keep.large", b"kept" * 1000)
    bp.checkpoint("before")
    states = {seq: bp.snapshot(seq).to_dict() for seq in (10, 50, 100)}
    dry = bp.purge("user.**", dry_run=True)
    report = bp.purge("user.**")
    assert (dry.keys, dry.versions, dry.size) == (report.keys, report.versions, report.size)
    assert report.versions == 121 and report.keys == ("user.0", "user.1", "user.2", "user.large", "user.list")
    for _ in range(2):
        assert [key for key in bp if key.startswith("user")] == []
        for seq, state in states.items():
            snapshot = bp.snapshot(seq)
            assert snapshot["other"] == state["other"]
            assert snapshot.unpack("user.0").reason == "purged"
            assert snapshot.item("user.0").version > 0
        assert bp["keep.large"] == b"kept" * 1000
        assert b"SECRET" not in everything_in(folder)
        assert len([name for name, _ in folder.walk() if name.startswith("blobs/")]) == 1
        bp._check()
        bp.close()
        bp = opened_in(folder)


def test_keys_that_were_deleted_long_ago_are_erased_too() -> None:
    folder = MemoryFolder()
    bp = opened_in(folder)
    bp.pack("gone", "SECRET" * 10)
    bp.delete("gone")
    for number in range(300):
        bp.pack("other", number)
    bp.close()
    bp = opened_in(folder)
    assert bp.purge("gone").versions == 1
    assert bp.snapshot(1).unpack("gone").reason == "purged"
    assert b"SECRET" not in everything_in(folder)


def test_an_equal_value_of_another_key_stays() -> None:
    folder = MemoryFolder()
    bp = opened_in(folder)
    for _ in range(3):
        bp.pack("mine", "shared text " * 20)
        bp.pack("yours", "shared text " * 20)
    bp.purge("mine")
    bp.close()
    bp = opened_in(folder)
    assert bp["yours"] == "shared text " * 20 == bp.snapshot(2)["yours"]
    assert bp.snapshot(5).unpack("mine").reason == "purged"


def test_a_key_that_is_packed_again_begins_anew() -> None:
    folder = MemoryFolder()
    bp = opened_in(folder)
    bp.pack("key", [1])
    bp.append("key", 2)
    bp.purge("key")
    assert bp.append("key", 3).changes["key"].version == 4
    bp.purge("nothing")
    bp.close()
    bp = opened_in(folder)
    assert bp["key"] == [3] and bp.snapshot(2).unpack("key").reason == "purged"
