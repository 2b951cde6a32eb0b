"""Logs that wait to be sealed, more of them than a process may open files."""

import os
import shutil
from pathlib import Path
from typing import Final

import pytest

import backpack
from backpack import Backpack
from backpack.archive import opened as files_of_a_store
from backpack.storage import pooling
from tests.archive.crashes import LazyKeeper

LOGS: Final = 40
pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are not listed here")


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def few_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "OPEN_MAX", 10)
    monkeypatch.setattr(files_of_a_store, "SEGMENT_SIZE", 2048)
    monkeypatch.setattr(files_of_a_store, "LOG_SIZE_MIN", 2048)
    monkeypatch.setattr(files_of_a_store, "Keeper", LazyKeeper)


def logs_of(path: Path) -> int:
    return sum(name.endswith(".log") for name in os.listdir(path))


def fill(store: Backpack, path: Path, count: int) -> None:
    number = len(store.get("numbers", []))
    while logs_of(path) < count:
        store.append("numbers", number)
        store.pack("page", {"number": number, "text": "words " * 40})
        number += 1


def page_at(store: Backpack, seq: int) -> object:
    page = store.snapshot(seq)["page"]
    assert isinstance(page, dict)
    return page["number"]


def test_logs_that_wait_are_not_all_open_once_they_are_synced(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with backpack.open(path, max_history_size=4096) as store:
        before = open_files()
        for count in range(6, LOGS, 6):
            fill(store, path, count)
            store.flush()
            assert open_files() <= before + 12
        for seq in range(2, store.head.seq, 20):  # type: ignore[union-attr]
            assert page_at(store, seq - seq % 2) == seq // 2 - 1
        assert open_files() <= before + 12


def test_the_more_logs_are_not_synced_the_longer_the_next_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_of_a_store, "UNSYNCED_LOGS_MAX", 4)
    path = tmp_path / "store"
    with backpack.open(path, max_history_size=4096) as store:
        fill(store, path, 13)
        sizes = [os.stat(path / name).st_size for name in sorted(os.listdir(path)) if name.endswith(".log")]
        assert all(size < 4096 for size in sizes[:4])
        assert all(size > 3 * 2048 for size in sizes[9:12])


def test_a_store_with_more_logs_than_files_may_be_open_is_read_and_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "store"
    store = backpack.open(path, max_history_size=4096)
    fill(store, path, LOGS)
    store._opened.syncer.sync()  # type: ignore[union-attr]
    os.rename(path, tmp_path / "left")  # as a process leaves it that was killed
    path = tmp_path / "copy"
    shutil.copytree(tmp_path / "left", path)
    head = store.head
    assert head is not None
    before = open_files()
    with backpack.open(path, mode="r") as reader:
        assert open_files() <= before + 14
        assert reader.head == head
        assert page_at(reader, 2) == 0
        assert not reader.refresh()
        assert open_files() <= before + 14
    with backpack.open(path) as again:
        assert open_files() <= before + 14
        assert again.head == head
        assert page_at(again, 2) == 0
        again.pack("page", {"number": -1})
    assert backpack.verify(path).ok
    store.close()
