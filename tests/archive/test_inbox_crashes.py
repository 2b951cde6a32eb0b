"""A crash at every operation of posting and adopting: no posted letter is lost, and none counts twice."""

import os
import random
from dataclasses import dataclass, field
from typing import Final

import pytest

from backpack.errors import BackpackError
from backpack.storage.memory import MemoryFolder
from backpack.store.store import Backpack
from tests.archive.crashes import opened, small_files, words
from tests.archive.letters import post
from tests.storage.crashing import CrashingFolder, Machine

LETTERS: Final = 5
IS_LONG: Final = os.environ.get("HYPOTHESIS_PROFILE") == "long"
SEEDS: Final = 6 if IS_LONG else 1
STRIDE: Final = 50 if IS_LONG else 2_000
"""Of the images one in so many is opened on a disk that crashes again."""

TRIED_MIN: Final = 3_000


def entry_of(number: int) -> dict[str, object]:
    return {"number": number, "text": words(number, 8)}


def part_of(number: int) -> str:
    """Large: a blob. The first two letters share it."""
    return words(100 + max(number, 1), 120)


def part_key(number: int) -> str:
    return f"parts.{max(number, 1)}"


@dataclass
class Told:
    """What was done, and from which operation of the disk on it is promised."""

    machine: Machine
    begun: dict[int, int] = field(default_factory=dict)
    posted: dict[int, int] = field(default_factory=dict)

    def post(self, folder: CrashingFolder, number: int) -> None:
        self.begun[number] = self.machine.position
        post(
            folder,
            number,
            {f"entries.{number}": entry_of(number)},
            ahead={part_key(number): part_of(number), f"small.{number}": number},
            added={"operations": number},
            label=("poster", None, (f"t{number}",)),
        )
        self.posted[number] = self.machine.position


def story() -> Told:
    """Letters posted beside a writer, without one, before a kill and after."""
    folder = CrashingFolder()
    told = Told(folder.machine)
    store = opened(folder)
    store.pack("plan", 1)
    told.post(folder.machine.folder(), 0)
    told.post(folder.machine.folder(), 1)
    store.pack("plan", 2)
    assert store._adopt() == 2
    told.post(folder.machine.folder(), 2)
    store.flush()
    store.close()
    told.post(folder.machine.folder(), 3)
    store = opened(folder.machine.folder())
    store.append("operations", "own")
    told.post(folder.machine.folder(), 4)
    store = opened(folder.machine.restart())  # the other was killed
    store.pack("plan", 3)
    store.close()
    return told


def problem_with(store: Backpack, told: Told, at: int) -> str:
    present = [number for number in range(LETTERS) if f"entries.{number}" in store]
    for number in present:
        if told.begun[number] > at:
            return f"letter {number} is there before it was written"
        if store[f"entries.{number}"] != entry_of(number) or store[part_key(number)] != part_of(number):
            return f"letter {number} is not what was posted"
        if store[f"small.{number}"] != number or store.version(f"entries.{number}") != 1:
            return f"letter {number} was adopted in part, or twice"
        if store.blame(f"entries.{number}").tags != (f"t{number}",):
            return f"letter {number} has lost its label"
    noted = [number for number in store.get("operations", []) if number != "own"]
    if sorted(noted) != present:
        return f"letters {present} are there, and the list says {noted}"
    lost = {number for number, position in told.posted.items() if position <= at} - set(present)
    return f"lost letters {sorted(lost)}" if lost else ""


def judged(folder: MemoryFolder, told: Told, at: int) -> str:
    """What is wrong with what a crash left; empty when nothing is."""
    try:
        store = opened(folder, seed=9)
        problem = problem_with(store, told, at)
        head = store.head
        store.close()
        left = [name for name, data in folder.walk() if data is not None and name.startswith("inbox/")]
        if any(name != "inbox/posters" for name in left):
            problem = problem or f"left in the inbox: {left}"
        store = opened(folder, seed=10)
        if store.head != head:
            problem = problem or "opening it again made a commit"
        store._check()
        store.close()
    except BackpackError as error:
        return f"{type(error).__name__}: {error}"
    return problem


def test_no_crash_loses_a_posted_letter_or_adopts_one_twice(capsys: pytest.CaptureFixture[str]) -> None:
    with small_files():
        told, chance = story(), random.Random(3)
        tried = 0
        problems: list[str] = []
        seen: set[tuple[str, int]] = set()
        for at in told.machine.moments():
            for image in [*told.machine.stopped(at), *told.machine.images(at, seeds=SEEDS)]:
                tried += 1
                digest = image.digest
                copy = MemoryFolder({name: data for name, data in image.folder.walk() if data is not None})
                done = sum(position <= at for position in told.posted.values())
                if (digest, done) not in seen:
                    seen.add((digest, done))
                    problem = judged(image.folder, told, at)
                    if problem:
                        problems.append(f"{at}, {image.name}: {problem}")
                if not chance.randrange(STRIDE):
                    again = CrashingFolder(copy)
                    opened(again, seed=at).close()
                    for second in again.machine.moments():
                        for left in again.machine.images(second, seeds=1):
                            tried += 1
                            problem = judged(left.folder, told, at)
                            if problem:
                                problems.append(f"{at}, {image.name}; {second}, {left.name}: {problem}")
    with capsys.disabled():
        print(f"\n{tried} states tried, {len(seen)} distinct")
    assert not problems, problems[:5]
    assert tried >= TRIED_MIN
