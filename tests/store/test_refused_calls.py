"""What the system refuses, as a program meets it that replaces functions of `os`: an error of ours with its number,
reads go on, nothing that was acknowledged is lost, and what only reopening mends is mended by it."""

import asyncio
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack, DiskFullError, StorageError
from backpack.archive import opened as files_of_a_store

pytestmark = pytest.mark.skipif(not hasattr(os, "fdatasync"), reason="syncs go another way here")


@contextmanager
def refusing(name: str, number: int) -> Iterator[list[tuple[Any, ...]]]:
    """That function of `os` fails; the calls of it."""
    calls: list[tuple[Any, ...]] = []

    def refuse(*arguments: Any, **_: Any) -> None:
        calls.append(arguments)
        raise OSError(number, os.strerror(number))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, name, refuse)
        yield calls


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.backpack"


def assert_stopped(bp: Backpack, path: Path, state: dict[str, Any], number: int) -> None:
    """No more writes, all reads; opened again it is as it was, or has what was not acknowledged as well."""
    for write in (lambda: bp.pack("b", 2), lambda: bp.append("list", 2), lambda: bp.checkpoint("c")):
        with pytest.raises(StorageError) as caught:
            write()
        assert caught.value.errno == number
        assert "open it again" in str(caught.value)
    assert dict(bp) == state and bp.snapshot(1).to_dict() == {"a": 1}
    assert not bp.health().ok
    with pytest.raises(StorageError):
        bp.close()
    with backpack.open(path) as again:
        assert dict(again).items() >= state.items()
        again.pack("b", 3)
    assert backpack.verify(path).ok


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_sync_that_fails_stops_the_writer(path: Path, number: int) -> None:
    bp = backpack.open(path, durability="power")
    bp.pack("a", 1)
    with refusing("fdatasync", number) as calls, pytest.raises(StorageError) as caught:
        bp.pack("b", 1)
    assert calls and caught.value.errno == number
    assert_stopped(bp, path, dict(bp), number)


def test_a_flush_that_fails_stops_the_writer(path: Path) -> None:
    bp = backpack.open(path)
    bp.pack("a", 1)
    with refusing("fdatasync", errno.EIO), pytest.raises(StorageError) as caught:
        bp.flush()
    assert caught.value.errno == errno.EIO
    assert_stopped(bp, path, {"a": 1}, errno.EIO)


def test_a_sync_that_fails_is_told_to_every_task(path: Path) -> None:
    bp = backpack.open(path, durability="power")

    async def pack() -> list[object]:
        packs = [bp.apack(f"b{number}", 1) for number in range(5)]
        return await asyncio.gather(*packs, return_exceptions=True)

    bp.pack("a", 1)
    with refusing("fdatasync", errno.EIO):
        errors = asyncio.run(pack())
    assert [error.errno for error in errors if isinstance(error, StorageError)] == [errno.EIO] * 5
    assert_stopped(bp, path, dict(bp), errno.EIO)


def test_a_write_that_fails_stops_the_writer_and_changes_nothing(path: Path) -> None:
    bp = backpack.open(path)
    bp.pack("a", 1)
    with refusing("write", errno.EIO), pytest.raises(StorageError) as caught:
        bp.pack("b", 1)
    assert caught.value.errno == errno.EIO and "b" not in bp
    assert_stopped(bp, path, {"a": 1}, errno.EIO)


def test_a_full_disk_is_told_and_the_store_goes_on_when_there_is_room(path: Path) -> None:
    with backpack.open(path) as bp:
        bp.pack("a", 1)
        with refusing("write", errno.ENOSPC), pytest.raises(DiskFullError) as caught:
            bp.pack("b", 1)
        assert caught.value.errno == errno.ENOSPC and "b" not in bp
        bp.pack("b", 2)
        bp.flush()
    with backpack.open(path) as bp:
        assert dict(bp) == {"a": 1, "b": 2} and bp.recovery is None


def test_a_full_disk_where_the_rest_can_not_be_cut_off_stops_the_writer(path: Path) -> None:
    bp = backpack.open(path)
    bp.pack("a", 1)
    write = os.write
    with pytest.MonkeyPatch.context() as patched, refusing("ftruncate", errno.EIO) as cuts:

        def half(descriptor: int, data: bytes) -> int:
            if len(data) < 40:
                raise OSError(errno.ENOSPC, "full")
            return write(descriptor, data[: len(data) // 2])

        patched.setattr(os, "write", half)
        with pytest.raises(StorageError):
            bp.pack("b", 1)
    assert cuts and "b" not in bp
    with pytest.raises(StorageError):
        bp.pack("b", 2)
    assert dict(bp) == {"a": 1}
    with pytest.raises(StorageError):
        bp.close()
    with backpack.open(path) as again:
        assert dict(again) == {"a": 1} and again.recovery is not None and again.recovery.dropped_bytes


@pytest.mark.parametrize("name", ["rename", "fsync"])
def test_a_segment_that_can_not_be_published_loses_nothing_and_is_told(
    path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_of_a_store, "SEGMENT_SIZE", 20_000)
    bp = backpack.open(path)
    bp.pack("a", 1)
    assert bp._opened is not None
    told = []
    with refusing(name, errno.EIO) as calls:
        for number in range(400):
            try:
                bp.pack("b", f"{number} " * 20)
            except StorageError as error:  # the keeper's sync of the folder: nothing more is made in it
                told.append(error)
                break
        state = dict(bp)
        bp._opened._keeper.drain()  # it has tried, however late it came to it
        try:
            bp.flush()
        except StorageError as error:
            told.append(error)
    assert calls and told and {error.errno for error in told} == {errno.EIO}
    assert dict(bp) == state and bp.snapshot(1).to_dict() == {"a": 1}
    if name == "rename":  # nothing has happened: it is tried again
        assert state["b"] == "399 " * 20
        bp.flush()
        bp._opened.drain()
        assert bp.health().ok
        bp.close()
    else:
        assert not bp.health().ok
        with pytest.raises(StorageError):
            bp.close()
    with backpack.open(path) as again:
        assert dict(again) == state
    assert backpack.verify(path).ok


@pytest.mark.parametrize("name", ["write", "fsync", "fdatasync", "rename"])
def test_a_store_that_can_not_be_made_is_an_error_of_ours_and_can_be_made_later(path: Path, name: str) -> None:
    with refusing(name, errno.EIO), pytest.raises(OSError) as caught:
        backpack.open(path)
    assert isinstance(caught.value, StorageError) and caught.value.errno == errno.EIO
    with backpack.open(path) as bp:
        bp.pack("a", 1)
    assert backpack.verify(path).ok
