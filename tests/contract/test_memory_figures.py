"""Memory as tracemalloc sees it: not our own counters, so what is dropped must really be gone."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backpack import Backpack

from .readings import is_unavailable

KIB = 1024


@pytest.fixture(autouse=True)
def traced() -> Iterator[None]:
    warm = Backpack({"a": [1, "x"], "big": bytes(3_000 * KIB)})  # scratch of the packer: a test of its own
    warm.append("a", 2)
    warm.snapshot().to_dict()
    gc.collect()
    tracemalloc.start()
    yield
    tracemalloc.stop()


def held_by(build: Callable[[], Any]) -> tuple[Any, int]:
    """What `build` made, and how many bytes stay because of it."""
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    made = build()
    gc.collect()
    return made, tracemalloc.get_traced_memory()[0] - before


def message(number: int) -> dict[str, str]:
    return {"role": "user", "content": random.Random(number).randbytes(240).hex()}


@pytest.mark.parametrize("limits", [{}, {"max_value_size": 10 * KIB * KIB}])
@pytest.mark.parametrize("by", ["pack", "append"])
def test_a_list_growing_by_a_message_costs_at_most_twice_its_last_size_for_all_versions(
    by: str, limits: dict[str, int]
) -> None:
    def build() -> Any:
        bp = Backpack(**limits)
        messages: list[Any] = []
        for number in range(1_000):
            if by == "append":
                bp.append("messages", message(number))
            else:
                messages.append(message(number))
                bp.pack("messages", messages)
        return bp

    bp, size = held_by(build)
    assert size <= 2 * bp.item("messages").size
    for seq in (1, 2, 100, 533, 999, 1_000):
        found = bp.snapshot(seq).unpack("messages")
        if limits or seq <= 150:
            assert not is_unavailable(found)
        if not is_unavailable(found):
            assert len(found) == seq
            assert found[-1] == message(seq - 1)
            assert found[seq // 2] == message(seq // 2)


def edit(text: str, number: int) -> str:
    chance = random.Random(number)
    at = len(text) // 2 + chance.randrange(-2_000, 2_000)
    return text[:at] + chance.randbytes(10).hex() + text[at + 20 :]


def test_a_text_of_50_kb_edited_in_the_middle_costs_a_tenth_of_storing_it_whole() -> None:
    first = random.Random(0).randbytes(25_000).hex()

    def build() -> Any:
        bp = Backpack({"text": first})
        text = first
        for number in range(1, 400):
            text = edit(text, number)
            bp.pack("text", text)
        return bp

    bp, size = held_by(build)
    assert size <= 0.1 * 400 * 50_000
    text = first
    for number in range(1, 400):
        text = edit(text, number)
        if number % 97 == 0 or number > 397:
            assert bp.snapshot(number + 1)["text"] == text
    assert bp.memory_usage().history_bytes == bp.memory_usage(deep=True).history_bytes


def conversation(count: int) -> list[dict[str, str]]:
    return [message(number) for number in range(count)]


def edited_message(value: Any, number: int) -> Any:
    value[(7 * number) % len(value)] = {"role": "user", "content": f"edited {number}"}
    return value


def cut_head(value: Any, number: int) -> Any:
    return [*value[1:], message(1_000 + number)]


def changed_field(value: Any, number: int) -> Any:
    value[f"k{number % len(value)}"] = f"changed {number}"
    return value


@pytest.mark.parametrize(
    ("first", "step"),
    [
        (lambda: conversation(100), edited_message),
        (lambda: conversation(100), cut_head),
        (lambda: {f"k{number}": message(number)["content"] for number in range(100)}, changed_field),
    ],
    ids=["a message edited", "the head cut", "a field changed"],
)
def test_a_small_edit_of_a_big_value_does_not_cost_the_whole_value_again(first: Any, step: Any) -> None:
    whole = Backpack({"v": first()}).item("v").size
    count = 150

    def build() -> Any:
        bp = Backpack({"v": first()})
        value = first()
        for number in range(count):
            value = step(value, number)
            bp.pack("v", value)
        return bp

    bp, size = held_by(build)
    assert size <= 0.25 * whole * count
    value = first()
    for number in range(count):
        value = step(value, number)
        if number % 29 == 0:
            assert bp.snapshot(number + 2)["v"] == value


@pytest.mark.parametrize("strategy", ["oldest", "least-accessed"])
def test_what_is_pruned_is_really_gone(strategy: str) -> None:
    def build() -> Any:
        bp = Backpack(max_history_size=200 * KIB, prune_strategy=strategy)
        for number in range(3_000):
            bp.pack(f"k{number % 5}", random.Random(number).randbytes(4 * KIB))
        return bp

    bp, size = held_by(build)
    usage = bp.memory_usage()
    assert usage.history_bytes <= 200 * KIB
    assert usage.commits_pruned > 2_900
    assert size <= 3 * 200 * KIB


def test_what_is_pruned_from_a_growing_list_that_was_cut_is_really_gone() -> None:
    def build() -> Any:
        bp = Backpack(max_history_size=200 * KIB)
        for _ in range(20):
            for number in range(100):
                bp.append("list", random.Random(number).randbytes(KIB))
            bp.pack("list", [])
        return bp

    bp, size = held_by(build)
    assert bp.memory_usage().history_bytes <= 200 * KIB
    assert size <= 4 * 200 * KIB


def test_lowering_the_budget_gives_memory_back() -> None:
    bp, size = held_by(lambda: filled(1_000, 4 * KIB))
    assert size > 3_900 * KIB

    def lower() -> None:
        bp.configure(max_history_size=50 * KIB)
        for number in range(2_000):
            bp.pack("small", number)

    _, change = held_by(lower)
    assert change < -3_000 * KIB


def filled(count: int, size: int) -> Any:
    bp = Backpack()
    for number in range(count):
        bp.pack("v", random.Random(number).randbytes(size))
    return bp


def test_a_large_value_that_is_replaced_is_really_gone() -> None:
    def build() -> Any:
        bp = Backpack(max_value_size=10 * KIB)
        for number in range(200):
            bp.pack("v", random.Random(number).randbytes(100 * KIB))
        return bp

    _, size = held_by(build)
    assert size <= 5 * 100 * KIB


def test_a_snapshot_that_is_let_go_gives_back_what_it_held() -> None:
    def build() -> Any:
        bp = Backpack(max_history_size=50 * KIB)
        bp.pack("v", random.Random(0).randbytes(4_000 * KIB // 2))
        snapshot = bp.snapshot()
        for number in range(100):
            bp.pack("v", number)
        assert len(snapshot["v"]) == 2_000 * KIB
        del snapshot
        gc.collect()
        for number in range(100):
            bp.pack("v", number)
        return bp

    _, size = held_by(build)
    assert size <= 500 * KIB


def test_a_deleted_checkpoint_gives_back_what_it_held() -> None:
    def build() -> Any:
        bp = Backpack(max_history_size=50 * KIB, max_value_size=10**8)
        bp.pack("v", random.Random(0).randbytes(2_000 * KIB))
        bp.checkpoint("c")
        for number in range(100):
            bp.pack("v", number)
        bp.delete_checkpoint("c")
        for number in range(2_000):
            bp.pack("v", number)
        return bp

    _, size = held_by(build)
    assert size <= 500 * KIB


def test_what_is_purged_is_really_gone() -> None:
    bp, size = held_by(lambda: filled(500, 4 * KIB))
    assert size > 1_900 * KIB
    _, change = held_by(lambda: bp.purge("v"))
    assert change < -1_800 * KIB


def test_a_fork_shares_the_bytes_of_its_origin() -> None:
    bp, size = held_by(lambda: filled(500, 4 * KIB))
    forks, more = held_by(lambda: [bp.fork() for _ in range(10)])
    assert len(forks) == 10
    assert more < 0.5 * size


def test_a_fork_that_is_let_go_and_its_origin_are_really_gone() -> None:
    def build() -> None:
        bp = filled(500, 4 * KIB)
        fork = bp.fork(250)
        fork.pack("v", 1)
        bp.close()

    _, size = held_by(build)
    assert size <= 300 * KIB


def test_a_store_that_is_let_go_is_really_gone_without_close() -> None:
    def build() -> None:
        bp = filled(500, 4 * KIB)
        bp.subscribe(lambda event: None)
        bp.node("n").pack("x", 1)
        bp.snapshot()

    _, size = held_by(build)
    assert size <= 300 * KIB


def test_packing_a_big_value_leaves_no_scratch_of_its_size_behind() -> None:
    program = (
        "import gc, tracemalloc\n"
        "from backpack import Backpack\n"
        "Backpack({'a': 1})\n"
        "value = bytes(16 << 20)\n"
        "tracemalloc.start()\n"
        "bp = Backpack({'a': value})\n"
        "bp.pack('a', 1)\n"
        "del bp\n"
        "gc.collect()\n"
        "left = tracemalloc.get_traced_memory()[0]\n"
        "raise SystemExit(f'{left} bytes are left' if left > 2 << 20 else 0)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr


def test_denied_and_failed_writes_leave_nothing_behind() -> None:
    bp = Backpack({"a": 1})
    node = bp.node("n", writes=["b"])
    value = random.Random(0).randbytes(100 * KIB)

    def fail() -> None:
        for _ in range(50):
            for act in (lambda: node.pack("a", value), lambda: bp.pack("a", [value, object()])):
                with contextlib.suppress(PermissionError, TypeError):
                    act()
            try:
                with bp.transaction() as tx:
                    tx.pack("a", value + b"x")
                    raise KeyError
            except KeyError:
                pass

    _, size = held_by(fail)
    assert size <= 350 * KIB


def many_versions(bp: Any, number: int) -> None:
    bp.pack(f"k{number % 200}", random.Random(number).randbytes(100))


def many_keys(bp: Any, number: int) -> None:
    bp.pack(f"key.{number}", {"number": number, "text": "x" * 30})


def many_keys_at_once(bp: Any, number: int) -> None:
    if number == 0:
        bp.update({f"key.{one}": one for one in range(3_000)})


def several_keys(bp: Any, number: int) -> None:
    bp.update({f"k{one}": 10 * number + one for one in range(10)})


def own_messages(bp: Any, number: int) -> None:
    bp.pack("k", number, node="n", message=f"step {number}")


def own_labels(bp: Any, number: int) -> None:
    bp.pack(f"k{number % 50}", number, node=f"n{number % 5}", message=f"step {number}", tags=("t", f"run {number}"))


def one_message(bp: Any, number: int) -> None:
    bp.pack("k", number, message="the same for all")


def one_message_a_run(bp: Any, number: int) -> None:
    if number % 20 == 0:
        message = f"run {number}"
        for step in range(20):
            bp.pack("k", number + step, message=message)


def appends(bp: Any, number: int) -> None:
    bp.append("messages", {"role": "user", "content": f"message {number}"})


def appends_to_several(bp: Any, number: int) -> None:
    bp.append(f"list {number % 50}", f"message {number}")


def growing_list(bp: Any, number: int) -> None:
    if number < 600:
        bp.pack("list", [f"message {one}" for one in range(number)])


def growing_text(bp: Any, number: int) -> None:
    if number < 600:
        bp.pack("text", "".join(f"line {one} of a text\n" for one in range(number)))


TEXT = random.Random(0).randbytes(25_000).hex()


def edited_text(bp: Any, number: int) -> None:
    if number < 600:
        bp.pack("text", edit(TEXT, number))


def long_values(bp: Any, number: int) -> None:
    bp.pack(f"k{number % 50}", random.Random(number).randbytes(1_500))


def large_values(bp: Any, number: int) -> None:
    if number == 0:
        bp.configure(max_value_size=1_000)
    bp.pack(f"k{number % 5}", random.Random(number).randbytes(2_000))


def equal_values(bp: Any, number: int) -> None:
    bp.pack(f"k{number % 50}", "x" * (number % 500))


def deletes(bp: Any, number: int) -> None:
    bp.delete(f"k{number // 2 % 50}") if number % 2 else bp.pack(f"k{number // 2 % 50}", number)


def conversation_of_nodes(bp: Any, number: int) -> None:
    bp.append("messages", {"role": "user", "content": f"message {number}"})
    bp.pack("state.step", number, node="agent")
    bp.pack("state.plan", {"goal": "g", "steps": ["a", "b", number]}, node="planner")


WORKLOADS = [
    many_versions,
    many_keys,
    many_keys_at_once,
    several_keys,
    own_messages,
    own_labels,
    one_message,
    one_message_a_run,
    appends,
    appends_to_several,
    growing_list,
    growing_text,
    edited_text,
    long_values,
    large_values,
    equal_values,
    deletes,
    conversation_of_nodes,
]


@pytest.mark.parametrize("step", WORKLOADS, ids=lambda step: step.__name__.replace("_", " "))
def test_overhead_bytes_are_within_a_fifth_of_what_tracemalloc_sees(step: Callable[[Any, int], None]) -> None:
    def build() -> Any:
        bp = Backpack(max_value_size=10**9)
        for number in range(3_000):
            step(bp, number)
        return bp

    bp, size = held_by(build)
    usage = bp.memory_usage()
    overhead = size - usage.history_bytes - (usage.live_bytes if step is large_values else 0)
    assert abs(usage.overhead_bytes - overhead) <= 0.2 * overhead, usage.overhead_bytes / overhead


def test_overhead_bytes_of_a_pruned_store_are_within_a_fifth_as_well() -> None:
    def build() -> Any:
        bp = Backpack(max_history_size=100_000)
        for number in range(10_000):
            bp.pack(f"k{number % 500}", random.Random(number).randbytes(100), message=f"step {number}")
        return bp

    bp, size = held_by(build)
    usage = bp.memory_usage()
    assert usage.commits_pruned > 8_000
    assert usage.live_bytes == 500 * 102  # all but the newest commits' beside the history
    overhead = size - usage.history_bytes
    assert abs(usage.overhead_bytes - overhead) <= 0.2 * overhead
