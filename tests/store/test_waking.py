"""A key of an opened store that is asked for the first time comes into memory once, and whole."""

from pathlib import Path
from threading import Event, Thread

import pytest

import backpack
from backpack.archive.archive import Archive
from backpack.archive.content import Change


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
