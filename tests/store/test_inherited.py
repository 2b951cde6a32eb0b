"""What a forked child has of the stores of its parent: real forks, each in an interpreter of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import backpack

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")

TIMEOUT_S = 30

PREAMBLE = """
import os, sys, threading, traceback
import backpack
from backpack import Backpack, ClosedError

def child_says(act):
    out, into = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.write(into, repr(act()).encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(into)
    with open(out, "rb") as pipe:
        said = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return eval(said)

def while_another_thread_is_in(owner, name, body, act):
    '''Have a thread run `body` and stand still where it calls that method; fork there: what the child says of `act`.'''
    there, go = threading.Event(), threading.Event()
    real = getattr(owner, name)
    def stand(*rest, **named):
        if threading.current_thread() is thread:
            there.set()
            go.wait()
        return real(*rest, **named)
    setattr(owner, name, stand)
    thread = threading.Thread(target=body)
    thread.start()
    try:
        assert there.wait(20), "it never came by"
        return child_says(act)
    finally:
        go.set()
        thread.join()
"""


def run(program: str, *arguments: str) -> None:
    """Run a program that asserts; a child that hangs fails it."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PREAMBLE + program, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(backpack.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr


def test_parent_and_child_go_on_under_different_ids() -> None:
    run("""
bp = Backpack({"a": 1})
first = bp.head.id

def act():
    commits = [bp.pack("a", number) for number in range(50)]
    assert [bp.commit(commit.id) for commit in commits] == commits
    assert bp.commit(1).id == first and bp.commit(first).seq == 1
    bp._check()
    return [commit.id for commit in commits]

there = child_says(act)
here = [bp.pack("a", number).id for number in range(50)]
assert not set(there) & set(here)
other = child_says(lambda: [bp.pack("a", 1).id, bp["a"]])
assert other[1] == 1 and other[0] not in there and bp["a"] == 49
""")


def test_children_of_children_go_on_and_add_nothing_where_they_packed_nothing() -> None:
    run("""
bp = Backpack({"a": 1})

def generation(left):
    if not left:
        epoch, count = bp._engine.epoch, 0
        while epoch is not None:
            epoch, count = epoch.parent, count + 1
        return [count, bp.pack("a", 2).id]
    return child_says(lambda: generation(left - 1))

count, id = generation(5)
assert count == 2, count
assert id != bp.pack("a", 2).id
""")


def test_a_fork_of_a_store_and_its_nodes_and_snapshots_live_on_in_a_child() -> None:
    run("""
bp = Backpack({"a": 1})
node, twin, snapshot, history = bp.node("n"), bp.fork(), bp.snapshot(), bp.history()
bp.pack("a", 2)

def act():
    ids = [node.pack("a", 3).id, twin.pack("a", 4).id]
    return [*ids, snapshot["a"], bp["a"], twin["a"], [commit.seq for commit in history]]

said = child_says(act)
assert said[2:] == [1, 3, 4, [1]], said
assert not set(said[:2]) & {node.pack("a", 3).id, twin.pack("a", 4).id}
""")


@pytest.mark.parametrize(
    "method", ["Engine._finished", "Ledger.hide", "Engine._enter", "Timeline.append", "Pruner.step", "Engine.chain_of"]
)
def test_a_change_that_another_thread_was_making_happened_in_the_child_or_did_not(method: str) -> None:
    run(
        """
from backpack.core.engine import Engine
from backpack.core.ledger import Ledger
from backpack.core.pruning import Pruner
from backpack.core.timeline import Timeline

bp = Backpack({"a": 1, "b": "x" * 60, "big": "y" * 500}, max_value_size=100, max_history_size=220)
bp.checkpoint("begun")
bp.pack("b", "z" * 90)
snapshot = bp.snapshot()
iterator = bp.history()
owner, name = sys.argv[1].split(".")

def act():
    bp._check()
    assert snapshot["b"] == "z" * 90 and snapshot["a"] == 1
    assert [commit.seq for commit in iterator][-1] == 1
    whole = bp.select("*")
    assert whole in (before, {**before, "a": "new", "b": 7, "big": 1}), whole
    bp.pack("a", "goes on")
    bp.update({"a": 1, "b": 2})
    bp.delete_checkpoint("begun")
    bp._check()
    return bp.head.id

before = bp.select("*")
id = while_another_thread_is_in(globals()[owner], name, lambda: bp.update({"a": "new", "b": 7, "big": 1}), act)
assert id not in [commit.id for commit in bp.history()]
bp._check()
""",
        method,
    )


def test_locks_of_readers_subscribers_and_classes_are_free_in_a_child() -> None:
    run("""
from backpack.codec import registry

bp = Backpack({"a": 1})
snapshot = bp.snapshot()
held, go = threading.Event(), threading.Event()
def hold():
    with bp._lock, bp._events._lock, registry._lock:
        held.set()
        go.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()

def act():
    seen = []
    bp.subscribe(seen.append)
    class Own: pass
    backpack.register(Own, encode=lambda one: 1, decode=lambda one: Own())
    assert list(snapshot) == ["a"]
    assert bp.pack("a", Own()) and len(seen) == 1
    assert sorted(bp.fork()) == ["a"]
    return True

assert child_says(act)
go.set()
thread.join()
""")


def test_a_change_of_the_thread_that_forks_ends_in_both() -> None:
    run("""
from backpack.core.timeline import Timeline

bp = Backpack({"a": 1})
real, says = Timeline.append, []
def append(self, *rest):
    if not says:
        says.append(None)
        says.append(child_says_of_the_rest(lambda: real(self, *rest)))
    else:
        real(self, *rest)

def child_says_of_the_rest(finish):
    global is_child, into
    out, into = os.pipe()
    is_child = not os.fork()
    finish()
    if not is_child:
        os.close(into)
        return os.read(out, 99)

Timeline.append = append
bp.update({"a": 2, "b": 3})
bp._check()
bp.pack("a", 4)
if is_child:
    os.write(into, repr([bp.commit(2).id, bp.commit(3).id]).encode())
    os._exit(0)
os.wait()
assert not {bp.commit(2).id, bp.commit(3).id} & set(eval(says[1]))
""")


def test_what_was_opened_is_closed_in_a_child_and_goes_on_in_the_parent(tmp_path: Path) -> None:
    run(
        """
bp = backpack.open(sys.argv[1])
bp.pack("a", 1)
twin = bp.fork()
closed = Backpack({"a": 1})
closed.close()

def act():
    refused = 0
    for store in (bp, twin, closed):
        for act in (lambda: store.pack("a", 2), lambda: store["a"], store.snapshot, lambda: store.limits):
            try:
                act()
            except ClosedError as error:
                refused += 1
                assert ("fork" in str(error)) == (store is not closed), error
        store.close()
    return refused

assert child_says(act) == 12
assert bp.pack("a", 2).seq == 2 and twin.pack("a", 3).seq == 2
bp.close()
assert backpack.open(sys.argv[1], mode="r")["a"] == 2
""",
        str(tmp_path / "store"),
    )
