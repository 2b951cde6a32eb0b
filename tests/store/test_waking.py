"""A key of an opened store that is asked for the first time comes into memory once, and whole."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest

import backpack
from backpack import Backpack
from backpack.archive.archive import Archive
from backpack.archive.content import Change
from backpack.archive.dormant import Dormant
from backpack.errors import CorruptionError
from tests.interrupting import interrupted_at

WAKING = ("core/waking.py", "core/ledger.py")


def test_a_key_whose_version_is_asked_for_is_not_packed_before_it_is_awake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with backpack.open(tmp_path / "store") as bp:
        for number in range(5):
            bp.pack("plan", number)
    with backpack.open(tmp_path / "store") as bp:
        versions: list[int] = []
        is_packed = Event()

        def pack() -> None:
            versions.append(bp.pack("plan", "new").changes["plan"].version)
            is_packed.set()

        packing = Thread(target=pack)
        find = Archive.find

        def find_while_packing(archive: Archive, key: str, seq: int) -> Change | None:
            if packing.ident is None:
                packing.start()
                is_packed.wait(0.05)  # it has to wait for this very read
            return find(archive, key, seq)

        monkeypatch.setattr(Archive, "find", find_while_packing)
        assert bp.version("plan") == 5
        packing.join()
        assert versions == [6] and bp["plan"] == "new"
        bp._check()


def test_a_key_that_is_listed_out_of_order_is_damage_and_not_a_failed_assertion(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        bp.update({"a": 1, "b": 2, "c": 3})
    with backpack.open(tmp_path / "store") as bp:
        assert bp._archive is not None
        bp._archive.dormant = Dormant(None, {})  # as one is whose names are not sorted: none of them is found
        for ask in (bp.blame, bp.unpack, bp.item, bp.version, bp.delete, lambda key: bp.pack(key, 4)):
            with pytest.raises(CorruptionError, match="a key that is listed"):
                ask("b")
        assert bp.pack("new", 1).seq == 2


STRIDE = int(os.environ.get("BACKPACK_INTERRUPT_STRIDE", "8"))
"""Every how many lines an interrupt is tried: each of them in the long profile."""


def filled(path: Path) -> None:
    with backpack.open(path, max_value_size=1_000) as bp:
        bp.update({"plan": ["search"] * 20, "page": "p" * 2_000, "bad": "x", "gone": 1, "list": ["an item"] * 9})
        bp.quarantine("bad", reason="r")
        bp.delete("gone")


ASKED: dict[str, Callable[[Backpack], object]] = {
    "read": lambda bp: [bp.unpack(key) for key in ("plan", "page", "bad", "gone", "new")],
    "versions": lambda bp: [bp.version(key) for key in ("plan", "page", "bad", "gone", "new")],
    "quarantined": lambda bp: bp.quarantined(),
    "append": lambda bp: (bp.append("list", "one"), bp.append("list", "two")),
    "change several": lambda bp: _change_several(bp),
    "fork": lambda bp: bp.fork(1).fork().close(),
}


def _change_several(bp: Backpack) -> None:
    bp.append("list", "a first item")
    bp.append("list", "a second item that makes a buffer grow")
    with bp.transaction() as tx:
        tx.append("list", "third")
        tx.append("plan", "book")
        tx.pack("page", "q" * 3_000)
        tx.pack("new", 1)


@pytest.mark.uncounted
@pytest.mark.parametrize("asked", ASKED)
def test_an_interrupt_at_any_line_leaves_a_key_asleep_or_awake(tmp_path: Path, asked: str) -> None:
    step = 1 - STRIDE + len(asked) % STRIDE
    filled(tmp_path / "store")
    while True:
        step += STRIDE
        if step < 1:
            continue
        with backpack.open(tmp_path / "store", max_value_size=1_000) as bp:
            before = bp.head
            is_over = not interrupted_at(step, partial(ASKED[asked], bp), lambda name: name.endswith(WAKING))
            bp._check()
            with bp.fork() as fork:
                fork._check()
            assert bp["plan"][0] == "search" and len(bp["page"]) >= 2_000 and bp["list"][:9] == ["an item"] * 9
            assert bp.version("gone") == 2 and bp.quarantined() == {"bad": "r"}
            bp._check()
            bp.restore(before)
        assert backpack.verify(tmp_path / "store").ok
        if is_over:
            break
    assert step > STRIDE


def test_who_set_a_value_that_was_read_from_disk_is_known_after_an_interrupt(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        bp.pack("plan", ["search"], node="planner")
        bp.update({"a": 1, "b": 2}, node="loader")
    with backpack.open(tmp_path / "store") as bp:
        assert bp["plan"] == ["search"] and bp["a"] == 1
        bp._engine.repair()
        assert bp.blame("plan").node == "planner" and bp.blame("plan").seq == 1
        assert bp.blame("a").node == "loader" and len(bp.blame("a").changes) == 2
        bp._check()
