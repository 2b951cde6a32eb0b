"""The crash tests find what they are there to find: each defect here, put in on purpose, turns them red."""

import random
from collections.abc import Callable
from typing import Any, Final

import pytest

import backpack.archive.files
import backpack.archive.manifest
import backpack.archive.opening
import backpack.archive.scanning
from backpack.archive.manifest import CLEAN
from backpack.archive.opened import Opened
from backpack.archive.segment import Segment
from backpack.archive.syncing import Syncer
from backpack.archive.writing import Writer
from backpack.blobs.store import Blobs
from backpack.errors import BackpackError
from backpack.storage.protocol import Folder
from tests.archive.crashes import (
    InlineKeeper,
    Judge,
    LazyKeeper,
    judge_kills,
    judge_power_losses,
    small_files,
    story,
)
from tests.storage.crashing import CrashingFile, CrashingFolder

Patch = pytest.MonkeyPatch


class LateFile:
    """Keeps what is appended to itself until somebody asks for more."""

    def __init__(self, file: CrashingFile) -> None:
        self._file = file
        self._late = bytearray()

    def append(self, data: bytes) -> None:
        self._late += data

    def __getattr__(self, name: str) -> Any:
        if self._late:
            late, self._late = bytes(self._late), bytearray()
            self._file.append(late)
        return getattr(self._file, name)


class Agreeable:
    """A checksum that is always right."""

    def __ne__(self, _: object) -> bool:
        return False


def no_file_sync(patch: Patch) -> None:
    patch.setattr(CrashingFile, "sync", lambda _: None)


def no_folder_sync(patch: Patch) -> None:
    patch.setattr(CrashingFolder, "sync", lambda _: None)


def no_checksum_of_the_body(patch: Patch) -> None:
    patch.setattr(backpack.archive.scanning, "xxh3_64_intdigest", lambda *_: Agreeable())


def acknowledged_before_it_is_synced(patch: Patch) -> None:
    patch.setattr(Syncer, "wait", lambda *_: None)


def flushed_without_a_sync(patch: Patch) -> None:
    patch.setattr(Opened, "flush", lambda _: None)


def acknowledged_before_it_is_written(patch: Patch) -> None:
    take = Writer.take

    def late(self: Writer, file: Any, *rest: Any) -> None:
        take(self, LateFile(file), *rest)  # type: ignore[arg-type]

    patch.setattr(Writer, "take", late)


def manifest_not_synced_before_logs_go(patch: Patch) -> None:
    patch.setattr(backpack.archive.manifest, "publish", publish_unsynced)


def segment_not_synced_before_the_manifest_lists_it(patch: Patch) -> None:
    patch.setattr(backpack.archive.files, "publish", publish_unsynced)


def publish_unsynced(folder: Folder, name: str, chunks: list[bytes]) -> None:
    folder.remove(name + ".tmp")
    file = folder.create(name + ".tmp")
    for chunk in chunks:
        file.append(chunk)
    folder.rename(name + ".tmp", name)


def entry_of_a_new_log_not_synced(patch: Patch) -> None:
    patch.setattr(Opened, "_is_folder_unsynced", property(lambda _: False, lambda *_: None), raising=False)


def blobs_not_synced(patch: Patch) -> None:
    patch.setattr(Blobs, "sync_all", lambda _: None)


def found_blobs_relied_on(patch: Patch) -> None:
    patch.setattr(Blobs, "renew", lambda *_: None)


def commits_believed_without_their_blobs(patch: Patch) -> None:
    patch.setattr(backpack.archive.opening, "cut_doubtful", lambda *_: None)


def sweep_that_takes_live_blobs(patch: Patch) -> None:
    patch.setattr(Segment, "blobs", lambda _: set())


def mark_of_a_close_that_stays(patch: Patch) -> None:
    remove = CrashingFolder.remove
    patch.setattr(CrashingFolder, "remove", lambda self, name: None if name == CLEAN else remove(self, name))


DEFECTS: Final[dict[str, Callable[[Patch], None]]] = {
    found.__name__.replace("_", " "): found
    for found in (
        no_file_sync,
        no_folder_sync,
        no_checksum_of_the_body,
        acknowledged_before_it_is_synced,
        flushed_without_a_sync,
        acknowledged_before_it_is_written,
        manifest_not_synced_before_logs_go,
        segment_not_synced_before_the_manifest_lists_it,
        entry_of_a_new_log_not_synced,
        blobs_not_synced,
        found_blobs_relied_on,
        commits_believed_without_their_blobs,
        sweep_that_takes_live_blobs,
        mark_of_a_close_that_stays,
    )
}


SEED: Final = 445
"""Of the order of the moments: one that meets each defect soon."""


def problems(budget: int) -> list[str]:
    """What the crash tests say of the store as it is now; they stop at the first moment with something to say."""
    try:
        judge = Judge(story())
    except (AssertionError, BackpackError) as error:
        return [f"the story itself: {error}"]
    moments = list(judge.model.machine.moments())
    random.Random(SEED).shuffle(moments)
    for moment in moments:
        judge_kills(judge, [moment])
        judge_power_losses(judge, [moment], seeds=2)
        if judge.problems or judge.tried > budget:
            break
    return judge.problems


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=DEFECTS)
def test_a_defect_is_found(defect: Callable[[Patch], None]) -> None:
    found: list[str] = []
    for keeper in (LazyKeeper, InlineKeeper):
        with small_files(keeper), pytest.MonkeyPatch.context() as patch:
            defect(patch)
            found = found or problems(3_000)
    assert found


def test_without_a_defect_nothing_is_found() -> None:
    with small_files():
        assert not problems(300)
