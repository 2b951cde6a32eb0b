"""Files and folders on a disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backpack.storage.disk import DiskFolder
from backpack.storage.opening import open_folder
from tests.storage.folder_contract import FolderContract


class TestDiskFolder(FolderContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Iterator[DiskFolder]:
        folder = open_folder(tmp_path / "store", create=True, writable=True)
        yield folder
        folder.close()
