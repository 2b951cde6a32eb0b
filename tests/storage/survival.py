"""What a crash leaves of the operations before it.

A sync makes the changes of its file (a folder sync: of the entries of its folder) last; every other change is *open*
at a crash and may be lost. Syncing a file doesn't make its name last, nor the reverse. A change that was open when a
sync failed stays open for ever.

**Scattered**: any subset of the open changes survives. Of an append any run of its bytes may have reached the disk,
and the file may be long or not; what wasn't written and lies before the end is zeros. Entries come and go one by one, a
rename as a whole. There are too many subsets to try all, so there are named ones, those in which stores have failed,
and some at random.

**Ordered**, as journalling file systems do it: the changes of entries survive up to some moment, in the order in which
they were made over all folders, and of each file the appends survive up to some byte.

**Stopped**: the process is killed and the machine goes on. Everything is there, and of the append that ran any part.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Final

from backpack.storage.memory import MemoryFolder

ENTRY_VERBS: Final = frozenset(("create", "rename", "remove", "make"))


@dataclass(frozen=True, slots=True)
class Operation:
    """One act; which fields count depends on the verb."""

    verb: str
    inode: int
    """The file, or the folder of the entry."""
    name: str = ""
    new: str = ""
    target: int = 0
    """What the entry leads to."""
    offset: int = 0
    data: bytes = b""
    size: int = 0
    failed: bool = False
    """Raised an error; an append has `data` in the file all the same."""


@dataclass(slots=True)
class Inode:
    """A file or folder, with what was done to it."""

    is_folder: bool
    data: bytearray = field(default_factory=bytearray)
    entries: dict[str, int] = field(default_factory=dict)
    first_entries: dict[str, int] = field(default_factory=dict)
    bases: list[tuple[int, bytes]] = field(default_factory=lambda: [(-1, b"")])
    """Numbers of syncs, with the bytes that were certain then, whatever comes after."""
    based: int = 0
    """How many changes there were at the last of them."""
    changes: list[tuple[int, Operation]] = field(default_factory=list)
    settled: dict[int, int] = field(default_factory=dict)
    """Number of a change -> number of the sync that made it last."""
    waiting: list[int] = field(default_factory=list)
    is_doubtful: bool = False
    """A sync failed once: from there on no base is certain."""

    def change(self, number: int, operation: Operation) -> None:
        self.changes.append((number, operation))
        self.waiting.append(number)
        if self.is_folder:
            _apply_entry(self.entries, operation)
        else:
            _apply_data(self.data, operation, ALL)

    def settle(self, number: int, has_failed: bool) -> None:
        if has_failed:
            self.is_doubtful = self.is_doubtful or bool(self.waiting)
        else:
            self.settled.update(dict.fromkeys(self.waiting, number))
            if not self.is_folder and not self.is_doubtful and len(self.changes) >= self.based + _BASE_EVERY:
                self.based = len(self.changes)
                self.bases.append((number, bytes(self.data)))
        self.waiting.clear()

    def is_certain(self, number: int, at: int) -> bool:
        """Is that change sure to survive a crash after the first `at` operations?"""
        return self.settled.get(number, at) < at


@dataclass(frozen=True)
class Image:
    """What a crash left."""

    name: str
    """Which model and survival: for the message of a test that fails."""
    at: int
    folder: MemoryFolder

    @cached_property
    def digest(self) -> str:
        """Equal for equal contents."""
        return digest_of(self.folder)


def digest_of(folder: MemoryFolder) -> str:
    """A digest of all names and bytes."""
    state = blake2b(digest_size=16)
    for name, data in folder.walk():
        state.update(f"{name}\0{-1 if data is None else len(data)}\0".encode() + (data or b""))
    return state.hexdigest()


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of an open change: lost, whole, or of an append the bytes from `start` to `stop`."""

    start: float
    stop: float
    """Shares of the bytes."""
    is_long: bool = False
    """The file has the length of a whole append, whatever of its bytes is there."""


ALL: Final = Fate(0.0, 1.0)
LOST: Final = Fate(0.0, 0.0)
FRONT: Final = Fate(0.0, 0.5)
BACK: Final = Fate(0.5, 1.0)
ZEROS: Final = Fate(0.0, 0.0, is_long=True)

SHARES: Final = (0.0, 0.5, 1.0)
_BASE_EVERY: Final = 16
"""Changes between two contents that are kept: they are bytes of the whole file."""

_Choice = Callable[[int], Fate]


# -- any subset --------------------------------------------------------------------------------------------------


def scattered_images(
    operations: Sequence[Operation], inodes: Sequence[Inode], at: int, seeds: int = 4
) -> Iterator[Image]:
    """The named survivals, and `seeds` of them at random."""
    pending = _pending(inodes, at)
    for name, fates in _survivals(operations, pending, at, seeds):
        yield Image(f"scattered, {name}", at, build(inodes, at, _fate_in(fates)))


def _survivals(
    operations: Sequence[Operation], pending: Sequence[int], at: int, seeds: int
) -> Iterator[tuple[str, dict[int, Fate]]]:
    def each(choose: Callable[[int], Fate]) -> dict[int, Fate]:
        return {number: choose(number) for number in pending}

    yield "none", each(lambda _: LOST)
    if not pending:
        return
    last, first = pending[-1], pending[0]
    appends = [number for number in pending if operations[number].verb == "append"]
    entries = {number for number in pending if operations[number].verb in ENTRY_VERBS}
    yield "all", each(lambda _: ALL)
    yield "all but last", each(lambda number: LOST if number == last else ALL)
    yield "all but first", each(lambda number: LOST if number == first else ALL)
    yield "only last", each(lambda number: ALL if number == last else LOST)
    yield "only first", each(lambda number: ALL if number == first else LOST)
    yield "only entries", each(lambda number: ALL if number in entries else LOST)
    yield "only bytes", each(lambda number: LOST if number in entries else ALL)
    yield "lengths", each(lambda number: ALL if number in entries else ZEROS)
    if appends:
        yield "last torn", each(lambda number: FRONT if number == appends[-1] else ALL)
        yield "last without its front", each(lambda number: BACK if number == appends[-1] else ALL)
        yield "last long", each(lambda number: Fate(0.0, 0.5, True) if number == appends[-1] else ALL)
        yield "first torn", each(lambda number: FRONT if number == appends[0] else ALL)
        yield "all torn", each(lambda number: FRONT if number in appends else ALL)
    for seed in range(seeds):
        chance = random.Random(f"{seed} {at}")
        yield f"random {seed}", {number: _any_fate(chance) for number in pending}


def _any_fate(chance: random.Random) -> Fate:
    kind = chance.randrange(8)
    if kind < 3:
        return LOST
    if kind < 6:
        return ALL
    start, stop = sorted((chance.choice((0.0, chance.random())), chance.random()))
    return Fate(start, stop, chance.random() < 0.5)


# -- in order ----------------------------------------------------------------------------------------------------


def ordered_images(
    operations: Sequence[Operation],
    inodes: Sequence[Inode],
    at: int,
    shares: Sequence[float] = SHARES,
    seeds: int = 0,
) -> Iterator[Image]:
    """Each number of open changes of entries that may survive, with each share of the open bytes of all files, and
    `seeds` times with shares at random, one for each file."""
    pending = _pending(inodes, at)
    entries = [number for number in pending if operations[number].verb in ENTRY_VERBS]
    certain = [
        number for inode in inodes if inode.is_folder for number, _ in inode.changes if inode.is_certain(number, at)
    ]
    forced = sum(number < max(certain, default=-1) for number in entries)
    cuts: list[tuple[str, Callable[[], float]]] = [(f"share={share}", lambda share=share: share) for share in shares]  # type: ignore[misc]
    cuts += [(f"random {seed}", random.Random(f"{seed} {at}").random) for seed in range(seeds)]
    for cut, share_of_file in cuts if len(entries) < len(pending) else cuts[:1]:
        fates: dict[int, Fate] = {}
        for inode in inodes:
            if not inode.is_folder:
                fates.update(_cut_short(inode, at, share_of_file()))
        for count in range(forced, len(entries) + 1):
            fates.update((number, ALL if place < count else LOST) for place, number in enumerate(entries))
            name = f"ordered, entries={count}/{len(entries)} {cut}"
            yield Image(name, at, build(inodes, at, _fate_in(fates)))


def _cut_short(inode: Inode, at: int, share: float) -> Iterator[tuple[int, Fate]]:
    """The open changes of a file survive up to that share of their bytes."""
    changes = [(number, change) for number, change in inode.changes if number < at]
    certain = [number for number, _ in changes if inode.is_certain(number, at)]
    pending = [(number, change) for number, change in changes if not inode.is_certain(number, at)]
    left = int(share * sum(len(change.data) for _, change in pending))
    is_over = share == 0.0
    for number, change in pending:
        if number < max(certain, default=-1):  # a sync failed over it, and a later one didn't
            yield number, ALL if share == 1.0 else LOST
            continue
        taken = min(left, len(change.data))
        left -= taken
        if change.verb == "append":
            yield number, Fate(0.0, taken / len(change.data) if change.data else 1.0) if not is_over else LOST
            is_over = is_over or taken < len(change.data)
        else:
            yield number, LOST if is_over else ALL


# -- killed ------------------------------------------------------------------------------------------------------


def stopped_images(operations: Sequence[Operation], inodes: Sequence[Inode], at: int) -> Iterator[Image]:
    """Everything, and with a part of the append that comes next."""
    yield Image("stopped", at, build(inodes, at, _fate_in({})))
    if at < len(operations) and operations[at].verb == "append" and len(operations[at].data) > 1:
        size = len(operations[at].data)
        for kept in sorted({1, size // 2, size - 1}):
            choice = _fate_in({at: Fate(0.0, kept / size)})
            yield Image(f"stopped, kept={kept}/{size}", at, build(inodes, at + 1, choice))


# -- building ----------------------------------------------------------------------------------------------------


def build(inodes: Sequence[Inode], at: int, choose: _Choice) -> MemoryFolder:
    """The folder after the first `at` operations when the open ones have the fates that `choose` says."""
    root = MemoryFolder(path="image")
    _fill(root, 0, inodes, at, choose)
    return root


def _fate_in(fates: Mapping[int, Fate]) -> _Choice:
    return lambda number: fates.get(number, ALL)


def _fill(folder: MemoryFolder, number: int, inodes: Sequence[Inode], at: int, choose: _Choice) -> None:
    entries = dict(inodes[number].first_entries)
    for change, operation in inodes[number].changes:
        if change < at and (inodes[number].is_certain(change, at) or choose(change) != LOST):
            _apply_entry(entries, operation)
    for name, target in entries.items():
        if inodes[target].is_folder:
            _fill(folder.folder(name), target, inodes, at, choose)
        else:
            folder.create(name).append(_content(inodes[target], at, choose))


def _content(inode: Inode, at: int, choose: _Choice) -> bytes:
    since, base = next((since, base) for since, base in reversed(inode.bases) if since < at)
    data = bytearray(base)
    for number, operation in inode.changes:
        if since < number < at:
            _apply_data(data, operation, ALL if inode.is_certain(number, at) else choose(number))
    return bytes(data)


def _apply_data(data: bytearray, operation: Operation, fate: Fate) -> None:
    if operation.verb == "cut":
        if fate != LOST:
            _lengthen(data, operation.size)
            del data[operation.size :]
        return
    size = len(operation.data)
    start, stop = round(size * fate.start), round(size * fate.stop)
    if stop > start:
        _lengthen(data, operation.offset + start)
        data[operation.offset + start : operation.offset + stop] = operation.data[start:stop]
    if fate.is_long:
        _lengthen(data, operation.offset + size)


def _lengthen(data: bytearray, size: int) -> None:
    """What was never written and lies before the end is zeros."""
    if len(data) < size:
        data += bytes(size - len(data))


def _apply_entry(entries: dict[str, int], operation: Operation) -> None:
    name, target = operation.name, operation.target
    if operation.verb in ("create", "make"):
        entries[name] = target
    else:
        # a file has one name: a rename takes it from wherever it is when an earlier one was lost
        for old in [old for old, found in entries.items() if found == target and operation.verb == "rename"]:
            del entries[old]
        if operation.verb == "rename":
            entries[operation.new] = target
        elif entries.get(name) == target:
            del entries[name]


def _pending(inodes: Sequence[Inode], at: int) -> list[int]:
    """The numbers of all changes that a crash there may lose."""
    return sorted(
        number for inode in inodes for number, _ in inode.changes if number < at and not inode.is_certain(number, at)
    )
