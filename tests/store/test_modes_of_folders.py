"""The folder of a store is 0700 from its first opening for writing on, and no other folder is touched."""

import os
import stat
from pathlib import Path

import pytest

import backpack
from backpack import InvalidArgumentError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="stores on disk need POSIX")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "run.backpack"
    path.mkdir()
    path.chmod(0o755)
    return path


def test_an_empty_folder_that_becomes_a_store_is_private(path: Path) -> None:
    backpack.open(path).close()
    assert mode(path) == 0o700
    assert {mode(one) for one in path.iterdir()} == {0o600, 0o700}


def test_a_store_is_private_again_when_it_is_opened_for_writing(path: Path) -> None:
    backpack.open(path).close()
    for other in (0o755, 0o500, 0o711):
        path.chmod(other)
        backpack.open(path, mode="r").close()
        assert mode(path) == other
        path.chmod(other | 0o200)
        backpack.open(path).close()
        assert mode(path) == 0o700


def test_a_fork_in_an_empty_folder_is_private(path: Path, tmp_path: Path) -> None:
    with backpack.Backpack({"a": 1}).fork(path=path):
        assert mode(path) == 0o700


def test_a_folder_of_something_else_is_left_as_it_is(path: Path) -> None:
    (path / "notes").write_text("mine")
    with pytest.raises(InvalidArgumentError):
        backpack.open(path)
    assert mode(path) == 0o755
