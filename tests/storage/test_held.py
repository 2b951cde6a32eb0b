"""A descriptor is not lost, and not closed twice, wherever a Ctrl-C comes."""

import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from backpack import Backpack
from backpack.integrations.langgraph.sqlite_writing import written
from backpack.memory.status_file import StatusFile
from backpack.storage import held
from backpack.storage.held import Held
from backpack.storage.mounts import network_type
from backpack.storage.opening import open_folder
from tests.interrupting import interrupted_at_instruction, interrupted_behind

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="descriptors are counted by /proc")


def opened() -> set[str]:
    """The descriptors of this process, once what nobody refers to any more is gone."""
    gc.collect()
    return {name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")}


def at_every_call(act: Callable[[], object]) -> int:
    """Behind how many calls the interrupt came; no descriptor was lost by one of them."""
    act()
    step, before = 1, opened()
    while interrupted_behind(step, act):
        assert opened() == before, step
        step += 1
    assert opened() == before
    return step


def test_it_is_open_in_its_block_and_closed_behind_it(tmp_path: Path) -> None:
    with Held(str(tmp_path / "file"), os.O_CREAT | os.O_WRONLY) as number:
        os.write(number, b"written")
    with pytest.raises(OSError):
        os.fstat(number)
    kept = Held(str(tmp_path / "file"), os.O_RDONLY)
    assert os.read(kept.number, 10) == b"written"
    kept.close()
    kept.close()
    assert kept.number == -1


def test_it_is_closed_when_nobody_refers_to_it(tmp_path: Path) -> None:
    before = opened()
    kept = Held(str(tmp_path), os.O_RDONLY)
    assert len(opened()) == len(before) + 1
    del kept
    assert opened() == before


def test_what_cannot_be_opened_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Held(str(tmp_path / "missing"), os.O_RDONLY)


def test_an_interrupt_at_any_instruction_loses_none(tmp_path: Path) -> None:
    def act() -> None:
        with Held(str(tmp_path), os.O_RDONLY) as number:
            os.fstat(number)

    before, step = opened(), 1
    while interrupted_at_instruction(step, act, held.__file__):
        assert opened() == before, step
        step += 1
    assert step > 30


def test_exporting_and_loading_lose_none(tmp_path: Path) -> None:
    bp = Backpack({"a": 1})
    assert at_every_call(lambda: bp.export(tmp_path / "file")) > 20
    assert at_every_call(lambda: Backpack.load(tmp_path / "file")) > 20


def test_a_status_loses_none(tmp_path: Path) -> None:
    status = StatusFile(str(tmp_path))
    assert at_every_call(lambda: status.rewrite(lambda old: old + b"x")) > 10


def test_a_database_that_is_written_loses_none(tmp_path: Path) -> None:
    def act() -> None:
        with written(str(tmp_path / "file")):
            pass

    assert at_every_call(act) > 5


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Python closes a file that an interrupt has left, and says so
def test_a_folder_its_files_and_its_lock_lose_none(tmp_path: Path) -> None:
    def act() -> None:
        folder = open_folder(tmp_path / "store", create=True, writable=True)
        inner = folder.folder("inner")
        if not inner.has("file"):
            inner.create("file").close()
        inner.open("file").pread(1, 0)
        lock = folder.lock("lock")
        lock.release()

    assert at_every_call(act) > 20


def test_asking_for_the_kind_of_a_mount_loses_none(tmp_path: Path) -> None:
    with Held(str(tmp_path), os.O_RDONLY) as number:
        assert at_every_call(lambda: network_type(number)) > 3
