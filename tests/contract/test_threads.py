"""Threads: nothing lost, nothing torn, nothing out of order."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backpack import Backpack

from .readings import check, is_parent


@pytest.fixture(autouse=True)
def eager_switching() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def together(*works: Callable[[], None]) -> None:
    """Run them all at once; raise the first error that any raised."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        try:
            barrier.wait()
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "it hangs"
    if errors:
        raise errors[0]


def test_8_threads_of_1_000_packs_to_one_key_give_seq_and_version_8_000() -> None:
    bp = Backpack()
    answers: dict[int, list[Any]] = {name: [] for name in range(8)}

    def work(name: int) -> None:
        for number in range(1_000):
            answers[name].append(bp.pack("key", (name, number), node=f"t{name}"))

    together(*(lambda name=name: work(name) for name in range(8)))
    assert bp.head.seq == 8_000
    assert bp.version("key") == 8_000
    assert bp.item("key").version == 8_000
    commits = sorted(bp.history(), key=lambda commit: commit.seq)
    assert [commit.seq for commit in commits] == list(range(1, 8_001))
    assert len({commit.id for commit in commits}) == 8_000
    previous = None
    for commit in commits:
        assert commit.changes["key"].version == commit.seq
        assert is_parent(commit.parent, previous)
        assert previous is None or previous.time <= commit.time
        previous = commit
    for name, made in answers.items():
        assert [commit.seq for commit in made] == sorted(commit.seq for commit in made)
        for number, commit in enumerate(made):
            assert commit.node == f"t{name}"
            if number % 50 == 0:
                assert bp.snapshot(commit)["key"] == (name, number)
                assert bp.commit(commit.seq).id == commit.id
    check(bp)


def test_appends_of_many_threads_are_all_there() -> None:
    bp = Backpack()

    def work(name: int) -> None:
        for number in range(300):
            bp.append("list", (name, number))

    together(*(lambda name=name: work(name) for name in range(6)))
    found = bp["list"]
    assert len(found) == 1_800
    for name in range(6):
        assert [number for who, number in found if who == name] == list(range(300))
    assert bp.version("list") == 1_800
    for seq in (1, 900, 1_799):
        assert bp.snapshot(seq)["list"] == found[:seq]


def test_readers_see_whole_states_while_writers_write_and_prune() -> None:
    bp = Backpack({"a": 0, "b": 0}, max_history_size=2_000)
    is_over = threading.Event()

    def write() -> None:
        try:
            for number in range(1, 1_500):
                bp.update({"a": number, "b": number, f"pad{number % 3}": "x" * (number % 70)})
        finally:
            is_over.set()

    def read() -> None:
        while not is_over.is_set():
            snapshot = bp.snapshot()
            state = snapshot.to_dict()
            assert state["a"] == state["b"]
            assert snapshot["a"] == state["a"]
            assert len(snapshot) == len(state)

    def read_history() -> None:
        while not is_over.is_set():
            seqs = [commit.seq for commit in bp.history(limit=20)]
            assert seqs == sorted(seqs, reverse=True)
            usage = bp.memory_usage()
            assert usage.history_bytes <= 2_000 or usage.over_budget

    together(write, read, read, read_history)
    check(bp)
    assert bp.memory_usage().history_bytes == bp.memory_usage(deep=True).history_bytes


def test_an_open_snapshot_is_unchanged_under_concurrent_writers() -> None:
    bp = Backpack({f"k{number}": number for number in range(20)}, max_history_size=1_000)
    snapshot = bp.snapshot()
    is_over = threading.Event()

    def write(name: int) -> None:
        for number in range(500):
            bp.pack(f"k{(number + name) % 20}", "y" * (number % 60))
        is_over.set()

    def read() -> None:
        while not is_over.is_set():
            assert snapshot.to_dict() == {f"k{number}": number for number in range(20)}

    together(lambda: write(0), lambda: write(7), read)


def test_iteration_is_not_disturbed_by_writers() -> None:
    bp = Backpack({f"k{number}": number for number in range(200)})
    is_over = threading.Event()

    def write() -> None:
        for number in range(2_000):
            bp.pack(f"n{number % 50}", number)
            if f"n{(number + 25) % 50}" in bp:
                bp.delete(f"n{(number + 25) % 50}")
        is_over.set()

    def read() -> None:
        while not is_over.is_set():
            keys = list(bp)
            assert sum(key.startswith("k") for key in keys) == 200
            dict(bp.snapshot())

    together(write, read)


def test_forks_checkpoints_and_limits_beside_writers_leave_a_sound_store() -> None:
    bp = Backpack(max_history_size=3_000)

    def write(name: int) -> None:
        for number in range(400):
            bp.pack(f"w{name}", (name, number))

    def fork() -> None:
        for number in range(60):
            if bp.head is None:
                continue
            made = bp.fork()
            seq = made.head.seq
            made.pack("fork", number)
            assert made.head.seq == seq + 1

    def mark() -> None:
        for number in range(60):
            if bp.head is not None:
                bp.checkpoint(f"c{number}")
                bp.delete_checkpoint(f"c{number}")
            bp.configure(prune_percentage=0.1 + (number % 8) / 10)

    together(lambda: write(0), lambda: write(1), fork, mark)
    assert bp.head.seq == 800
    assert (bp["w0"], bp["w1"]) == ((0, 399), (1, 399))
    check(bp)
    assert bp.memory_usage().history_bytes == bp.memory_usage(deep=True).history_bytes


def test_mixed_writes_of_many_threads_replay_to_the_present() -> None:
    bp = Backpack()

    def work(name: int) -> None:
        for number in range(200):
            key = f"k{number % 4}"
            if number % 5 == 4:
                with contextlib.suppress(KeyError):
                    bp.delete(key)
            elif number % 5 == 3:
                with bp.transaction() as tx:
                    tx.pack(key, (name, number))
                    tx.pack("all", (name, number))
            else:
                bp.pack(key, (name, number))

    together(*(lambda name=name: work(name) for name in range(4)))
    versions: dict[str, int] = {}
    visible: set[str] = set()
    for commit in sorted(bp.history(), key=lambda commit: commit.seq):
        for key, change in commit.changes.items():
            versions[key] = versions.get(key, 0) + 1
            assert change.version == versions[key]
            if change.kind == "delete":
                visible.remove(key)
            else:
                visible.add(key)
        if commit.seq % 40 == 0:
            assert set(bp.snapshot(commit)) == visible
    assert set(bp) == visible
