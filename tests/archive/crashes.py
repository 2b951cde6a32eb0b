"""A story of a store on a disk that crashes, and what must be there after each crash.

A story is recorded once: a store is opened, written, sealed, closed, killed and opened again in a `CrashingFolder`, and
a `Model` notes beside it what every state was, and from which operation of the disk on which states are promised. A
crash leaves an image; `Judge` opens it, says which state it shows, and that everything in it is right and can be gone
on with. Two things are asked of that state: it is not older than what was promised, not newer than what was written.

A state is a number: 0 before anything was written, one more for each commit and each note (checkpoints) after that.
What is recorded is the same each time: the clock counts, chance is seeded, the keeper works where it is woken.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

import backpack.archive.opened
import backpack.archive.placing
import backpack.store.ground
import backpack.store.packing
import backpack.store.tending
from backpack.archive.keeping import Keeper
from backpack.core.limits import Limits
from backpack.errors import BackpackError
from backpack.storage.memory import MemoryFolder
from backpack.storage.protocol import Folder
from backpack.store.opening import open_in
from backpack.store.store import Backpack
from tests.storage.crashing import CrashingFolder, Machine
from tests.storage.survival import Image

LIMITS: Final = Limits(300, 4_000, None, "oldest", 0.2, False)
_WHOLE_EVERY: Final = 8
Values = dict[str, Any]
Checkpoints = dict[str, int]


class InlineKeeper(Keeper):
    """Does the work in the thread that wakes it: the same operations in the same order each time."""

    def wake(self) -> None:
        self._is_idle = True
        if self._is_stopped or getattr(self, "is_at_work", False):
            return
        self.is_at_work = True
        try:
            while self._step():
                self.failure = None
        except BackpackError as error:
            self.failure = error
        finally:
            self.is_at_work = False


class LazyKeeper(InlineKeeper):
    """Does nothing before it is waited for: logs pile up."""

    def wake(self) -> None:
        self._is_idle = True

    def drain(self) -> None:
        InlineKeeper.wake(self)


class Clock:
    """Instead of the module `time`: a millisecond a look."""

    def __init__(self) -> None:
        self.now = 1_700_000_000 * 10**9

    def time_ns(self) -> int:
        self.now += 10**6
        return self.now


@contextmanager
def small_files(keeper: type[Keeper] = InlineKeeper) -> Iterator[None]:
    """Segments of a few hundred bytes, blobs of a few hundred, nothing left to chance."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backpack.archive.opened, "SEGMENT_SIZE", 900)
        patch.setattr(backpack.archive.opened, "SEAL_SIZE_MIN", 300)
        patch.setattr(backpack.archive.opened, "Keeper", keeper)
        patch.setattr(backpack.archive.placing, "TAIL_SIZE_MAX", 200)
        clock = Clock()
        for module in (backpack.store.ground, backpack.store.packing, backpack.store.tending):
            patch.setattr(module, "time", clock)
        yield


def opened(folder: Folder, durability: str = "process", *, is_writable: bool = True, seed: int = 0) -> Backpack:
    """The store in a folder, with chance that is none."""
    make_random = random.Random(seed).randbytes
    return open_in(folder, LIMITS, is_writable=is_writable, durability=durability, make_random=make_random)


# -- what is told ------------------------------------------------------------------------------------------------


@dataclass
class Model:
    """What was done, and what that promises."""

    machine: Machine
    live: Values = field(default_factory=dict)
    snapshots: list[Values] = field(default_factory=lambda: [{}])
    """By seq."""
    checkpoints: Checkpoints = field(default_factory=dict)
    states: list[tuple[int, Checkpoints]] = field(default_factory=lambda: [(0, {})])
    """`(head, checkpoints)` of each state."""
    begun: list[tuple[int, int]] = field(default_factory=list)
    """`(position, state)`: from there on that state may be found."""
    alive: list[tuple[int, int]] = field(default_factory=list)
    """... it must be found when the process was killed."""
    durable: list[tuple[int, int]] = field(default_factory=list)
    """... it must be found after a power loss."""

    @property
    def newest(self) -> int:
        return len(self.states) - 1

    def begin(self) -> None:
        self.begun.append((self.machine.position, self.newest + 1))

    def end(self) -> None:
        self.states.append((len(self.snapshots) - 1, dict(self.checkpoints)))
        self.alive.append((self.machine.position, self.newest))

    def promise(self) -> None:
        """Everything so far is acknowledged as durable."""
        self.durable.append((self.machine.position, self.newest))


def last_at(promises: Sequence[tuple[int, int]], at: int) -> int:
    """The newest state that is noted for a moment."""
    return max((state for position, state in promises if position <= at), default=0)


class Teller:
    """Writes to a store and tells the model."""

    def __init__(self, folder: CrashingFolder, durability: str, model: Model | None = None, seed: int = 0) -> None:
        self.model = model or Model(folder.machine)
        self.is_durable = durability == "power"
        self.seed = seed
        self.store = opened(folder, durability, seed=seed)
        assert found_state(self.store, self.model.states) == self.model.newest

    def pack(self, key: str, value: Any) -> None:
        self._commit(lambda: self.store.pack(key, value), {key: value})

    def append(self, key: str, *values: Any) -> None:
        self._commit(lambda: self.store.append(key, *values), {key: [*self.model.live.get(key, []), *values]})

    def together(self, values: Values) -> None:
        self._commit(lambda: self.store.update(values), values)

    def delete(self, key: str) -> None:
        live = dict(self.model.live)
        self.model.live = {name: value for name, value in live.items() if name != key}
        self._commit(lambda: self.store.delete(key), {})

    def checkpoint(self, name: str) -> None:
        self.model.begin()
        self.store.checkpoint(name)
        self.model.checkpoints[name] = len(self.model.snapshots) - 1
        self._end()

    def delete_checkpoint(self, name: str) -> None:
        self.model.begin()
        self.store.delete_checkpoint(name)
        del self.model.checkpoints[name]
        self._end()

    def flush(self) -> None:
        self.store.flush()
        self.model.promise()

    def close(self) -> None:
        self.store.close()
        self.model.promise()

    def again(self, durability: str = "process") -> "Teller":
        """Opened once more, after a close."""
        return Teller(self.model.machine.folder(), durability, self.model, self.seed + 1)

    def killed(self, durability: str = "process") -> "Teller":
        """The process dies, the machine goes on, and another process opens the store."""
        return Teller(self.model.machine.restart(), durability, self.model, self.seed + 1)

    def _commit(self, act: Callable[[], object], changes: Values) -> None:
        self.model.begin()
        self.model.live = {**self.model.live, **changes}
        self.model.snapshots.append(self.model.live)
        act()
        self._end()

    def _end(self) -> None:
        self.model.end()
        if self.is_durable:
            self.model.promise()


def words(seed: int, count: int) -> str:
    """Text that zstd can't make nothing of."""
    chance = random.Random(seed)
    return " ".join(f"{chance.randrange(1 << 24):x}" for _ in range(count))


def story() -> Model:
    """All that a store does, in four lives: logs roll and are sealed, values grow, blobs come, checkpoints come and
    go, memory is pruned."""
    told = Teller(CrashingFolder(), "process")
    told.pack("plan", ["search", "book"])
    told.pack("count", 1)
    told.flush()
    for number in range(4):
        told.append("log", f"line {number}", {"n": number})
    told.pack("page", words(1, 150))  # large: a blob
    told.checkpoint("lunch")
    told.together({"plan": ["walk"], "count": 2, "note": words(2, 12)})
    told.flush()
    told.pack("page", words(3, 120))
    for number in range(4, 9):
        told.append("log", words(number, 6))
    told.delete("plan")
    told.checkpoint("tea")
    told.store.prune()
    told.close()

    told = told.again("power")
    told.append("log", "in the second life")
    told.pack("page", words(4, 140))
    told.delete_checkpoint("lunch")
    told.pack("count", 3)
    told.append("log", *[words(number, 5) for number in range(20, 24)])
    told.store.compact()

    told = told.killed("process")
    told.pack("page", words(5, 130))
    told.append("log", "in the third life")
    told.pack("other", words(5, 130))  # the same content
    told.checkpoint("dinner")
    told.pack("note", words(6, 40))
    told.together({f"k{number}": words(number, 3) for number in range(4)})
    told.pack("page", words(7, 130))

    told = told.killed("process")
    told.pack("again", words(7, 130))  # a blob that the last process left unsynced
    told.flush()
    for number in range(3):
        told.append("log", words(number + 40, 10))
    told.delete_checkpoint("tea")
    told.close()

    told = told.again("process")
    told.pack("count", 4)  # a log so short that closing does not seal it
    told.close()
    told = told.again("process")
    told.pack("count", 5)
    told.flush()
    told.pack("count", 6)
    told.close()
    return told.model


# -- what is found -----------------------------------------------------------------------------------------------


def found_state(store: Backpack, states: Sequence[tuple[int, Checkpoints]], upto: int | None = None) -> int:
    """The newest of the states (up to one) that the store shows; AssertionError when it shows none of them."""
    head = 0 if store.head is None else store.head.seq
    shown = (head, {one.name: one.commit.seq for one in store.checkpoints()})
    for state in range(len(states) - 1 if upto is None else upto, -1, -1):
        if states[state] == shown:
            return state
    raise AssertionError(f"no state that ever was: {shown}")


def check_past(store: Backpack, snapshots: Sequence[Values]) -> None:
    """Every change shows in the snapshot of its commit; the newest snapshots and one in some show all they should."""
    head = 0 if store.head is None else store.head.seq
    for seq in range(head + 1):
        wanted, before = snapshots[seq], snapshots[seq - 1] if seq else {}
        shown = store.snapshot(seq)
        for key in {key for key in wanted if key not in before or before[key] is not wanted[key]}:
            assert shown[key] == wanted[key], f"{key!r} as of commit {seq} is not what it was"
        if seq > head - 2 or not seq % _WHOLE_EVERY:
            assert shown.to_dict() == wanted, f"commit {seq} is not what it was"
    assert [commit.seq for commit in store.history()] == list(range(head, 0, -1))


def go_on(folder: MemoryFolder, store: Backpack) -> None:
    """Write, close, open, and find it all."""
    head = 0 if store.head is None else store.head.seq
    values = store.snapshot().to_dict()
    more = {"later": 1, "large": words(99, 130), "log": words(98, 60)}
    for key, value in more.items():
        store.pack(key, value)
    store.append("grown", "a")
    store.close()
    again = opened(folder, is_writable=False)
    assert again.select("**") == {**values, **more, "grown": [*values.get("grown", []), "a"]}
    assert again.snapshot(head).to_dict() == values
    again.close()


@dataclass
class Verdict:
    """What an image shows: a state, or what is wrong."""

    state: int = 0
    problem: str = ""


class Judge:
    """Opens images; each content once."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.tried = 0
        self.verdicts: dict[str, Verdict] = {}
        self.problems: list[str] = []

    def judge(self, name: str, image: Image, least: int, most: int) -> None:
        """The image has to show a state between these two."""
        self.tried += 1
        verdict = self.verdicts.get(image.digest)
        if verdict is None:
            verdict = self.verdicts[image.digest] = self._opened(image.folder, most)
        if not verdict.problem and least <= verdict.state <= most:
            return
        problem = verdict.problem or f"state {verdict.state}"
        self.problems.append(f"{name}: wanted {least} to {most}: {problem}")

    def _opened(self, folder: MemoryFolder, most: int) -> Verdict:
        try:
            store = opened(folder, seed=77)
            state = found_state(store, self.model.states, most)
            store._check()
            check_past(store, self.model.snapshots)
            go_on(folder, store)
        except (AssertionError, BackpackError) as error:
            return Verdict(0, f"{type(error).__name__}: {str(error)[:300]}")
        return Verdict(state)


def judge_power_losses(judge: Judge, moments: Sequence[int], *, seeds: int) -> None:
    """Every survival of a power loss at these moments."""
    model = judge.model
    for at in moments:
        least, most = last_at(model.durable, at), last_at(model.begun, at)
        for image in model.machine.images(at, seeds=seeds):
            judge.judge(f"{at}, {image.name}", image, least, most)


def judge_kills(judge: Judge, moments: Sequence[int]) -> None:
    """The process ends at these moments, and the machine does not."""
    model = judge.model
    for at in moments:
        least, most = last_at(model.alive, at), last_at(model.begun, at)
        for image in model.machine.stopped(at):
            judge.judge(f"{at}, {image.name}", image, least, most)


def judge_second_crashes(judge: Judge, moments: Sequence[int], *, stride: int, seeds: int) -> None:
    """Of all survivals at these moments one in so many is opened on a disk that crashes again: at every moment of that,
    with every survival. What was promised before the first crash still holds."""
    model, chance = judge.model, random.Random(2)
    for at in moments:
        least, most = last_at(model.durable, at), last_at(model.begun, at)
        for image in model.machine.images(at, seeds=seeds):
            if chance.randrange(stride):
                continue
            folder = CrashingFolder(image.folder)
            opened(folder, seed=at).close()
            for second in folder.machine.moments():
                for again in folder.machine.images(second, seeds=seeds):
                    judge.judge(f"{at}, {image.name}; {second}, {again.name}", again, least, most)
