"""An interrupt while segments are exchanged loses nothing, whatever is exchanged next."""

import random
from collections.abc import Callable
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import pytest

import backpack
from backpack import Backpack
from backpack.archive import files
from backpack.archive.archive import Archive
from backpack.archive.files import Files
from backpack.archive.manifest import Manifest
from backpack.storage.cover import Covers
from backpack.storage.protocol import Folder


class Interrupt(BaseException):
    """Stands for Ctrl-C, which comes to the main thread."""


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backpack.archive.opened.SEGMENT_SIZE", 20_000)


def after_the_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    publish = Files.publish

    def publish_and_raise(self: Files, manifest: Manifest) -> None:
        publish(self, manifest)
        if current_thread() is main_thread():
            raise Interrupt

    monkeypatch.setattr(Files, "publish", publish_and_raise)


def within_the_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    publish = files.publish_manifest

    def publish_and_raise(folder: Folder, manifest: Manifest, covers: Covers) -> None:
        publish(folder, manifest, covers)
        if current_thread() is main_thread():
            raise Interrupt

    monkeypatch.setattr(files, "publish_manifest", publish_and_raise)


ACTS: dict[str, Callable[[Backpack], object]] = {
    "compact": lambda bp: bp.compact(keep_commits=60),
    "purge": lambda bp: bp.purge("secret"),
}
NEXT: dict[str, Callable[[Backpack], object]] = {
    "nothing": lambda bp: None,
    "the same": lambda bp: None,
    "compact": lambda bp: bp.compact(keep_commits=40),
    "purge": lambda bp: bp.purge("other"),
}


def fill(bp: Backpack, chance: random.Random, count: int) -> None:
    for number in range(count):
        bp.pack(f"k{number % 7}", chance.randbytes(1_000))
        if number % 10 == 0:
            bp.update({"secret": chance.randbytes(300), "other": chance.randbytes(300)})
    bp.flush()


def commits(bp: Backpack) -> list[Any]:
    """All of them, and what they show but for the key whose purge may not have come to its end."""
    return [(commit.id, bp.snapshot(commit).select("k*")) for commit in bp.history()]


@pytest.mark.parametrize("strike", [after_the_exchange, within_the_exchange])
@pytest.mark.parametrize("then", NEXT)
@pytest.mark.parametrize("act", ACTS)
def test_what_was_there_is_there_whatever_is_exchanged_next(
    tmp_path: Path, act: str, then: str, strike: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(7)
    with backpack.open(tmp_path / "store") as bp:
        fill(bp, chance, 150)
        bp.checkpoint("early", at=20)
        with monkeypatch.context() as patched:
            strike(patched)
            with pytest.raises(Interrupt):
                ACTS[act](bp)
        (ACTS[act] if then == "the same" else NEXT[then])(bp)
        fill(bp, chance, 50)
        bp._check()
        expected = commits(bp)
        assert bp.snapshot("early").seq == 20
    assert backpack.verify(tmp_path / "store").ok
    with backpack.open(tmp_path / "store") as bp:
        assert commits(bp) == expected
        assert (act, then) != ("purge", "the same") or bp.snapshot("early").unpack("secret").reason == "purged"
        assert bp.snapshot("early").seq == 20
        bp._check()


def test_a_number_of_a_manifest_that_may_be_on_disk_is_not_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with backpack.open(tmp_path / "store") as bp:
        fill(bp, random.Random(7), 150)
        opened = bp._opened
        assert opened is not None
        opened.drain()
        with monkeypatch.context() as patched:
            within_the_exchange(patched)
            with pytest.raises(Interrupt):
                bp.compact(keep_commits=60)
        left = backpack.open(tmp_path / "store", mode="r")._opened
        assert left is not None
        bp.compact(keep_commits=60)
        assert opened.manifest.generation > left.manifest.generation


def test_a_checkpoint_can_be_read_all_the_time_while_its_neighbours_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with backpack.open(tmp_path / "store") as bp:
        fill(bp, random.Random(7), 150)
        bp.checkpoint("early", at=20)
        seen = []
        exchange = Archive.set_parts

        def look_and_exchange(archive: Archive, parts: Any) -> None:
            exchange(archive, parts)
            if archive is bp._archive:
                seen.append(bp._archive.has(20))

        monkeypatch.setattr(Archive, "set_parts", look_and_exchange)
        bp.compact(keep_commits=60)
        assert all(seen) and len(seen) > 1
        monkeypatch.undo()
