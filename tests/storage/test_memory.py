"""Files and folders in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backpack.errors import MissingFileError, ReadOnlyError
from backpack.storage.memory import MemoryFolder
from tests.storage.folder_contract import FolderContract


class TestMemoryFolder(FolderContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Iterator[MemoryFolder]:
        yield MemoryFolder()


def test_a_folder_is_made_of_bytes_and_told_in_order() -> None:
    folder = MemoryFolder({"log.1": b"one", "blobs/ab/cd": b"two", "blobs/aa": b""})
    assert list(folder.walk()) == [
        ("blobs", None),
        ("blobs/aa", b""),
        ("blobs/ab", None),
        ("blobs/ab/cd", b"two"),
        ("log.1", b"one"),
    ]
    assert folder.folder("blobs").folder("ab").open("cd").pread(9, 0) == b"two"


def test_a_reader_sees_what_is_written_and_changes_nothing() -> None:
    folder = MemoryFolder({"a": b"one", "f/b": b"two", "lock": b""})
    reader = folder.reader()
    folder.reopen("a").append(b"!")
    assert reader.open("a").pread(9, 0) == b"one!"
    acts = (
        lambda: reader.create("b"),
        lambda: reader.reopen("a"),
        lambda: reader.rename("a", "b"),
        lambda: reader.remove("a"),
        lambda: reader.folder("f").remove("b"),
        lambda: reader.lock("lock"),
        reader.sync,
    )
    for act in acts:
        with pytest.raises(ReadOnlyError):
            act()
    for missing in (lambda: reader.folder("g"), lambda: reader.lock("none", shared=True)):
        with pytest.raises(MissingFileError):
            missing()
    shared = reader.lock("lock", shared=True)
    assert list(folder.walk()) == list(reader.walk())
    shared.release()
