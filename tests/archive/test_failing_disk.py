"""A disk that refuses one operation, whichever it is: the error is ours, reads go on, nothing acknowledged is lost, a
full disk is no end, and what only reopening mends is mended by it."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from backpack.archive.keeping import Keeper
from backpack.archive.opened import RESERVE
from backpack.errors import BackpackError, DiskFullError, StorageError
from backpack.store.store import Backpack
from tests.archive.crashes import InlineKeeper, LazyKeeper, Values, opened, small_files, words
from tests.storage.crashing import CrashingFolder

IS_LONG: Final = os.environ.get("HYPOTHESIS_PROFILE") == "long"
STRIDE: Final = 1 if IS_LONG else 2
FAILURES: Final = {
    "error": (errno.EIO, 0.0, False),
    "error after a part": (errno.EIO, 0.5, False),
    "full": (errno.ENOSPC, 0.0, False),
    "full after a part": (errno.ENOSPC, 0.5, False),
    "error from there on": (errno.EIO, 0.5, True),
}

Act = tuple[str, Any]
"""`("flush", None)`, or a key with what to pack there (a list in a tuple: to append; None: to delete)."""
ACTS: Final[tuple[Act, ...]] = (
    ("a", 1),
    ("page", words(1, 130)),
    ("flush", None),
    ("log", ("one", words(2, 10))),
    ("log", ("two", words(3, 30))),
    ("log", (words(4, 30),)),
    ("a", 2),
    ("flush", None),
    ("page", words(5, 130)),
    ("log", (words(6, 60),)),
    ("a", None),
    ("log", (words(7, 60),)),
    ("flush", None),
    ("a", 3),
)


PLENTY: Final = 1_000_000


@dataclass
class Run:
    """Some acts on a store whose disk fails, and what they left."""

    folder: CrashingFolder
    live: Values = field(default_factory=dict)
    snapshots: list[Values] = field(default_factory=lambda: [{}])
    durable: int = 0
    """The head that was acknowledged as durable."""
    errors: list[StorageError] = field(default_factory=list)

    def act(self, store: Backpack, act: Act) -> bool:
        """Do it; False when the disk refused. What was refused has changed nothing."""
        key, value = act
        head = len(self.snapshots) - 1
        if value is None and key not in (*self.live, "flush"):
            return True  # it was never packed
        try:
            if key == "flush":
                store.flush()
                self.durable = head
                return True
            if value is None:
                store.delete(key)
            elif isinstance(value, tuple):
                store.append(key, *value)
            else:
                store.pack(key, value)
        except StorageError as error:
            self.errors.append(error)
            assert store.select("**") == self.live
            assert (store.head.seq if store.head else 0) == head
            return False
        self.live = dict(self.live)
        if value is None:
            del self.live[key]
        else:
            self.live[key] = [*self.live.get(key, []), *value] if isinstance(value, tuple) else value
        self.snapshots.append(self.live)
        assert store.select("**") == self.live
        return True

    def check(self, store: Backpack, least: int) -> None:
        """Everything up to there is in the store, and nothing that never was."""
        head = store.head.seq if store.head else 0
        assert least <= head < len(self.snapshots)
        for seq in range(head + 1):
            assert store.snapshot(seq).to_dict() == self.snapshots[seq]
        store._check()


def operations_of_a_run() -> int:
    run = Run(CrashingFolder())
    store = opened(run.folder)
    assert all(run.act(store, act) for act in ACTS)
    store.close()
    return run.folder.machine.position


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_of_any_operation_loses_nothing_and_reopening_goes_on(kind: str) -> None:
    code, part, is_lasting = FAILURES[kind]
    with small_files():
        for number in range(list(FAILURES).index(kind) % STRIDE, operations_of_a_run(), STRIDE):
            run = Run(CrashingFolder())
            run.folder.machine.fail_at(number, code, part=part, lasting=is_lasting)
            try:
                store = opened(run.folder)
            except StorageError as error:
                run.errors.append(error)
            else:
                perform(run, store, is_full=code == errno.ENOSPC)
            machine = run.folder.machine
            machine._failures.clear()
            for image in machine.images(seeds=1):
                run.check(opened(image.folder, seed=1), run.durable)
            again = opened(machine.restart(), seed=2)
            run.check(again, len(run.snapshots) - 1)
            assert run.act(again, ("after", 1)) and run.act(again, ("flush", None))
            again.close()
            for image in machine.images(seeds=1):
                run.check(opened(image.folder, seed=3), run.durable)


def perform(run: Run, store: Backpack, *, is_full: bool) -> None:
    """All acts; after one that was refused, what can be said of the store."""
    machine = run.folder.machine
    for act in ACTS:
        if run.act(store, act):
            continue
        refused = next(one for one in machine.operations if one.failed)
        is_sync = refused.verb in ("sync", "sync folder")
        assert isinstance(run.errors[0], DiskFullError) == is_full or is_sync
        if is_full and not is_sync:
            assert run.act(store, act), run.errors[-1]  # there is room again
    try:
        store.close()
    except StorageError as error:
        run.errors.append(error)
        refused = next(one for one in machine.operations if one.failed)
        assert not is_full or refused.verb in ("sync", "sync folder"), "what had no room was only sealing"
    else:
        run.durable = len(run.snapshots) - 1


@pytest.mark.parametrize("durability", ["process", "power"])
def test_a_failed_sync_stops_writers_and_reopening_recovers(durability: str) -> None:
    with small_files():
        folder = CrashingFolder()
        store = opened(folder, durability)
        store.pack("a", 1)
        store.flush()
        assert store.health().ok
        if durability == "process":
            store.pack("a", 2)
        folder.machine.fail_at(folder.machine.position + (durability == "power"), errno.EIO)
        with pytest.raises(StorageError):
            store.flush() if durability == "process" else store.pack("a", 2)
        acts: list[Callable[[], object]] = [
            lambda: store.pack("a", 3),
            lambda: store.append("log", 1),
            lambda: store.update({"x": 1, "y": 2}),
            lambda: store.checkpoint("c"),
            store.flush,
        ]
        for act in acts:
            with pytest.raises(StorageError, match="again"):
                act()
        assert store["a"] == 2 and store.snapshot(1)["a"] == 1
        health = store.health()
        assert not health.ok and "failed as planned" in health.problem
        with pytest.raises(StorageError, match="again"):
            store.close()
        again = opened(folder.machine.folder())
        assert again["a"] == 2
        again.flush()
        for image in folder.machine.images():
            assert opened(image.folder)["a"] == 2


def test_what_fails_in_the_background_loses_nothing_and_is_told_at_the_next_flush() -> None:
    with small_files():
        folder = CrashingFolder()
        store = opened(folder)
        store.pack("a", words(1, 130))
        store.pack("a", words(2, 130))
        machine = folder.machine
        machine.room = 500  # less than a segment
        with pytest.raises(BackpackError):
            while True:
                store.append("log", words(3, 2))
        assert not store.health().ok or store.health().unsealed_logs > 0
        machine.room = None
        store.append("log", "more")
        values = store.select("**")
        store.close()
        assert opened(machine.folder()).select("**") == values


@pytest.mark.parametrize("keeper", [InlineKeeper, LazyKeeper])
def test_closing_without_room_for_segments_raises_nothing_and_loses_nothing(keeper: type[Keeper]) -> None:
    found: set[tuple[bool, int]] = set()
    for room in [-1, *range(0, 4_000, 80), PLENTY]:
        with small_files(keeper):
            run = Run(CrashingFolder())
            store = opened(run.folder)
            assert all(run.act(store, act) for act in [*ACTS, ("log", (words(8, 40),))])  # enough to seal at closing
            machine = run.folder.machine
            if room < 0:
                store._opened.folder.remove(RESERVE)  # type: ignore[union-attr]
            machine.room = max(room, 0)
            store.close()
            run.durable = len(run.snapshots) - 1
            logs = [name for name in machine.live.names() if name.endswith(".log")]
            is_clean = machine.live.has("clean")
            assert is_clean == (room >= 0), room
            found.add((is_clean, len(logs)))
            assert not [name for name in machine.live.names() if name.endswith(".tmp")]
            reader = opened(machine.folder(), is_writable=False)
            run.check(reader, run.durable)
            reader.close()
            for image in machine.images(seeds=1):
                run.check(opened(image.folder, seed=1), run.durable)
            machine.room = None
            again = opened(machine.folder(), seed=2)
            run.check(again, run.durable)
            assert (again.recovery is None) == (is_clean or not logs)
            assert run.act(again, ("after", 1))
            again.close()
            run.check(opened(machine.folder(), is_writable=False), run.durable + 1)
            least = len(logs)
    assert least < 2 and (True, least) in found, "there was room for everything"
    assert any(is_clean and logs > least for is_clean, logs in found), "there was room for the mark only"
    assert any(not is_clean for is_clean, _ in found), "there was room for nothing, and no reserve"
