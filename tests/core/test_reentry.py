"""Code that interrupts a change in the same thread is refused, never locked out for good and never let in half way."""

import gc
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from backpack import Backpack, ReentryError

ROOT: Final = Path(__file__).parents[2]


def test_a_signal_handler_that_packs_is_refused_in_the_middle_of_a_change_and_served_between_two() -> None:
    bp = Backpack({"a": 0})
    outcomes: list[bool] = []

    def handler(*_: Any) -> None:
        try:
            bp.pack("signal", len(outcomes))
            outcomes.append(True)
        except ReentryError:
            outcomes.append(False)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        for number in range(20_000):
            bp.pack("a", {"n": number})
            if len(outcomes) > 50:
                break
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    bp._check()
    assert outcomes
    assert bp.version("signal") == sum(outcomes)


INTERRUPTED: Final = """
import random, signal, sys
from contextlib import suppress
from backpack import Backpack, KeyNotFoundError

def handler(*_):
    raise KeyboardInterrupt

sys.unraisablehook = lambda _: None  # in the callback of a weak reference nobody sees it
bp = Backpack({"a": 0, "list": [1]})
signal.signal(signal.SIGALRM, handler)
chance = random.Random(1)
for count in range(300):
    with suppress(KeyboardInterrupt, KeyNotFoundError):
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.00005, 0.0004))
        for _ in range(1_000):
            bp.append("list", 1)
            bp.update({"a": 1, "b": 2})
            with bp.transaction() as tx:
                tx.pack("c", 1)
            bp.delete("b")
    signal.setitimer(signal.ITIMER_REAL, 0)
    bp.pack("list", [count])
bp._check()
print("done")
"""


def test_ctrl_c_at_any_moment_leaves_a_store_that_takes_the_next_change() -> None:
    command = [sys.executable, "-c", INTERRUPTED]  # a process of its own: what measures coverage would stay locked
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_a_finaliser_that_packs_never_locks_the_store() -> None:
    bp = Backpack({"k": 0})
    refused = 0

    class Finalised:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            nonlocal refused
            try:
                bp.pack("finalised", 1)
            except ReentryError:
                refused += 1

    thresholds = gc.get_threshold()
    gc.set_threshold(50, 1, 1)
    try:
        for number in range(2000):
            Finalised()
            bp.pack(f"k{number % 50}", [number] * 3)
            bp.memory_usage()
            bp.snapshot(1)
    finally:
        gc.set_threshold(*thresholds)
    gc.collect()
    bp._check()
    assert bp.version("finalised") + refused == 2000


def test_a_change_from_a_callback_is_no_reentry() -> None:
    bp = Backpack()
    bp.subscribe(lambda event: bp.pack("seen", event.seq) if event.key == "a" else None, kinds=["pack"])
    bp.pack("a", 1)
    assert bp["seen"] == 1


@pytest.mark.parametrize("skip", [lambda bp: bp.history(node="n"), lambda bp: iter([2])])
def test_a_replay_may_be_given_an_iterator_over_the_store_itself(skip: Any) -> None:
    bp = Backpack({"a": 1})
    bp.pack("a", 2, node="n")
    bp.pack("b", 3)
    assert bp.replay(1, skip=skip(bp)).select("**") == {"a": 1, "b": 3}
