"""A large value that goes to the disk and not into memory."""

import os
from pathlib import Path

import pytest

import backpack
from backpack import Backpack
from backpack.archive.values import Stored
from backpack.core.payload import Pieces

SIZE = 300_000


def payload(number: int) -> bytes:
    return bytes([number % 251]) * SIZE


def test_in_memory_it_is_a_pack() -> None:
    bp = Backpack()
    assert bp._pack_stored("a", payload(1)) >= SIZE
    assert bp["a"] == payload(1)
    bp._check()


@pytest.mark.parametrize("key", [None, os.urandom(32)], ids=["plain", "encrypted"])
def test_an_opened_store_has_the_bytes_on_disk_only(tmp_path: Path, key: bytes | None) -> None:
    with backpack.open(tmp_path / "store", key=key) as bp:
        taken = bp._pack_stored("a", payload(1))
        assert 0 < taken < SIZE and bp._stored_size("a") == taken
        content = bp._present_content("a")
        assert isinstance(content, Pieces) and all(isinstance(source, Stored) for source in content.sources)
        seq = bp.head.seq if bp.head else 0
        assert bp["a"] == payload(1) and bp.read_bytes("a", start=7, length=3) == payload(1)[7:10]
        bp._pack_stored("b", payload(1))
        bp._pack_stored("a", payload(2))
        bp.pack("a", "small")
        bp.append("c", payload(3))
        assert bp.snapshot(seq)["a"] == payload(1) and bp.snapshot(seq + 2)["a"] == payload(2)
        fork = bp.fork()
        assert fork["b"] == payload(1)
        bp.compact()
        bp._check()
    with backpack.open(tmp_path / "store", key=key) as bp:
        assert (bp["a"], bp["b"], bp.snapshot(seq)["a"]) == ("small", payload(1), payload(1))
        assert bp.purge("b").versions == 1 and "b" not in bp
        assert bp.snapshot(seq)["a"] == payload(1)
    assert backpack.verify(tmp_path / "store", key=key).ok


def test_it_is_one_commit_and_obeys_the_hard_limit_and_reading_only(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store", hard_limit=True, max_history_size=1_000) as bp:
        for number in range(40):
            bp._pack_stored(f"k{number}", payload(number))
        assert bp.head is not None and bp.head.seq == 40
        assert bp.head.changes["k39"].is_large and bp.head.changes["k39"].size > SIZE
        bp._check()
    with backpack.open(tmp_path / "store", mode="r") as bp, pytest.raises(backpack.ReadOnlyError):
        bp._pack_stored("a", payload(1))


def test_many_of_them_leave_resident_memory_flat(tmp_path: Path) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    if not Path("/proc/self/statm").exists():
        pytest.skip("resident memory is read from /proc")
    with backpack.open(tmp_path / "store") as bp:
        for number in range(20):
            bp._pack_stored(f"part.{number}", number.to_bytes(4, "big") * (2**20 // 4))
        before = resident()
        for number in range(20, 200):
            bp._pack_stored(f"part.{number}", number.to_bytes(4, "big") * (2**20 // 4))
        assert resident() - before < 12 * 2**20
        assert bp["part.150"][:4] == (150).to_bytes(4, "big")


@pytest.mark.parametrize("act", ["restore", "pack"])
def test_a_value_on_disk_that_is_large_no_more_comes_into_memory(tmp_path: Path, act: str) -> None:
    value = "x" * 3_000
    with backpack.open(tmp_path / "store", max_value_size=1_000) as bp:
        bp.pack("a", value)
        if act == "restore":
            bp.pack("a", 1)
    with backpack.open(tmp_path / "store", max_value_size=1_000) as bp:
        bp.configure(max_value_size=10_000)
        commit = bp.restore(1) if act == "restore" else bp.pack("a", value)
        assert commit is not None and not commit.changes["a"].is_large
        assert bp["a"] == bp.snapshot(1)["a"] == value
        usage, recounted = bp.memory_usage(), bp.memory_usage(deep=True)
        assert usage.history_bytes == recounted.history_bytes == commit.size
        assert type(bp._engine.chains["a"].last) is bytes
        bp._check()
    with backpack.open(tmp_path / "store", "r") as bp:
        assert bp["a"] == bp.snapshot(1)["a"] == value
