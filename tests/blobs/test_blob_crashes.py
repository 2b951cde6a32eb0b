"""Blobs on a disk that crashes: what was acknowledged as durable is whole, and what is not whole is written again."""

import errno
from collections.abc import Callable
from itertools import chain

import pytest

from backpack.blobs.store import Blobs
from backpack.errors import StorageError
from backpack.storage.cover import PLAIN
from tests.storage.crashing import CrashingFolder, Machine

FIRST, SECOND, THIRD = (word * 20 for word in (b"first\n", b"second\n", b"third\n"))
CONTENTS = {PLAIN.digest([content]): content for content in (FIRST, SECOND, THIRD)}
D1, D2, D3 = CONTENTS


def blobs_in(folder: CrashingFolder) -> Blobs:
    return Blobs(folder, PLAIN, frame_size=64)


def whole(blobs: Blobs, digest: bytes) -> bytes:
    with blobs.open(digest) as blob:
        blob.check()
        return b"".join(blob.chunks())


def story(folder: CrashingFolder) -> list[tuple[int, set[bytes], set[bytes]]]:
    """Some puts; from which operation on which blobs are durable, and which survive the end of the process."""
    blobs, machine, acknowledged = blobs_in(folder), folder.machine, [(0, set[bytes](), set[bytes]())]
    blobs.put_bytes(FIRST, is_durable=True)
    acknowledged.append((machine.position, {D1}, {D1}))
    blobs.put([SECOND[:50], SECOND[50:]], is_durable=False)
    acknowledged.append((machine.position, {D1}, {D1, D2}))
    blobs.put_bytes(THIRD, is_durable=False)
    acknowledged.append((machine.position, {D1}, {D1, D2, D3}))
    blobs.put_bytes(SECOND, is_durable=True)
    acknowledged.append((machine.position, {D1, D2}, {D1, D2, D3}))
    blobs.sync_all()
    acknowledged.append((machine.position, {D1, D2, D3}, {D1, D2, D3}))
    acknowledged.append((machine.position, {D1, D3}, {D1, D3}))
    blobs.remove(D2)
    blobs.sync_all()
    return acknowledged


def promised(acknowledged: list[tuple[int, set[bytes], set[bytes]]], at: int) -> tuple[set[bytes], set[bytes]]:
    return next((durable, alive) for position, durable, alive in reversed(acknowledged) if position <= at)


def test_after_every_crash_the_durable_are_whole_and_the_rest_can_be_put_again() -> None:
    folder = CrashingFolder()
    acknowledged = story(folder)
    machine, seen = folder.machine, set[str]()
    for at in machine.moments():
        durable, _ = promised(acknowledged, at)
        for image in chain(machine.scattered(at), machine.ordered(at)):
            if (key := f"{sorted(durable)} {image.digest}") in seen:
                continue
            seen.add(key)
            again = CrashingFolder(image.folder)
            blobs = blobs_in(again)
            blobs.sweep_temporary()
            assert all(whole(blobs, digest) == CONTENTS[digest] for digest in durable)
            for content in CONTENTS.values():
                blobs.put_bytes(content, is_durable=True)
            assert {digest: whole(blobs, digest) for digest in blobs.digests()} == CONTENTS
            assert blobs.total_size == sum(map(blobs.size_of, CONTENTS))
    assert len(seen) > 50


def test_what_was_put_survives_the_end_of_the_process() -> None:
    folder = CrashingFolder()
    acknowledged = story(folder)
    for at in folder.machine.moments():
        _, alive = promised(acknowledged, at)
        for image in folder.machine.stopped(at):
            blobs = blobs_in(CrashingFolder(image.folder))
            assert all(whole(blobs, digest) == CONTENTS[digest] for digest in alive)


def surviving(machine: Machine) -> list[Blobs]:
    return [Blobs(image.folder, PLAIN) for image in chain(machine.scattered(), machine.ordered())]


def test_an_unsynced_blob_of_a_process_that_died_is_durable_when_the_next_one_says_so() -> None:
    for is_at_once in (True, False):
        folder = CrashingFolder()
        blobs_in(folder).put_bytes(FIRST, is_durable=False)
        again = folder.machine.restart()
        blobs = blobs_in(again)
        blobs.put_bytes(FIRST, is_durable=is_at_once)
        if not is_at_once:
            blobs.sync_all()
        assert all(whole(left, D1) == FIRST for left in surviving(again.machine))


ACTS: dict[str, Callable[[Blobs], object]] = {
    "bytes": lambda blobs: blobs.put_bytes(FIRST, is_durable=False),
    "durable bytes": lambda blobs: blobs.put_bytes(FIRST, is_durable=True),
    "stream": lambda blobs: blobs.put([FIRST], is_durable=False),
    "durable stream": lambda blobs: blobs.put([FIRST], is_durable=True),
    "renewal": lambda blobs: blobs.renew(D1),
    "another": lambda blobs: blobs.put_bytes(SECOND, is_durable=False),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_nothing_that_is_done_with_a_durable_blob_puts_it_at_risk(act: Callable[[Blobs], object]) -> None:
    before = CrashingFolder()
    blobs_in(before).put_bytes(FIRST, is_durable=True)
    folder = before.machine.restart()
    blobs = blobs_in(folder)
    start = folder.machine.position
    act(blobs)
    act(blobs)
    blobs.sync_all()
    for at in range(start, folder.machine.position + 1):
        for image in chain(folder.machine.scattered(at), folder.machine.ordered(at)):
            assert whole(Blobs(image.folder, PLAIN), D1) == FIRST


@pytest.mark.parametrize("is_at_once", [True, False])
def test_a_blob_whose_sync_failed_is_not_relied_on_by_the_next_process(is_at_once: bool) -> None:
    folder = CrashingFolder()
    blobs = blobs_in(folder)
    blobs.put_bytes(FIRST, is_durable=False)
    folder.machine.fail_at(folder.machine.position, errno.EIO)
    with pytest.raises(StorageError):
        blobs.sync_all()
    again = folder.machine.restart()
    later = blobs_in(again)
    assert whole(later, D1) == FIRST  # the page cache shows it
    later.put_bytes(FIRST, is_durable=is_at_once)
    later.sync_all()
    assert all(whole(left, D1) == FIRST for left in surviving(again.machine))


def test_a_failure_at_any_operation_harms_nothing_that_was_acknowledged() -> None:
    count = CrashingFolder()
    story(count)
    for number in range(count.machine.position):
        for code in (errno.EIO, errno.ENOSPC):
            folder = CrashingFolder()
            blobs = blobs_in(folder)
            folder.machine.fail_at(number, code, part=0.5)
            durable = set()
            for content in (FIRST, SECOND, THIRD):
                try:
                    durable.add(blobs.put_bytes(content, is_durable=True))
                except StorageError:
                    continue
            assert all(whole(blobs, digest) == CONTENTS[digest] for digest in blobs.digests())
            for left in surviving(folder.machine):
                assert all(whole(left, digest) == CONTENTS[digest] for digest in durable)
