"""The checkpointer by itself: names, writes, listings, serializers, damage, crashes, several at a time."""

import asyncio
import itertools
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import Checkpoint, empty_checkpoint
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.base import CipherProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

import backpack
from backpack import Backpack
from backpack.errors import BackpackError, ClosedError, CorruptionError, InvalidArgumentError, ReadOnlyError
from backpack.integrations.langgraph import BackpackSaver, BackpackStore
from backpack.integrations.langgraph.names import name_of, segment_of

from .graphs import INPUTS, Config, config_of, conversation

NAMES = [
    "t1",
    "",
    ".",
    "..",
    "a.b",
    "a.**",
    "*",
    "%",
    "%2E",
    "%~",
    "../../etc/passwd",
    "C:\\threads\\1",
    "with\0null",
    "line\nbreak",
    "Grüße, 世界 \U0001f392",
    "\ud800 lone",
    "x" * 10_240,
    "x" * 10_239 + "y",
    "." * 3_000,
    "%" * 600,
    "é" * 400,
]


@pytest.fixture(params=["memory", "disk"])
def saver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BackpackSaver]:
    with BackpackSaver(Backpack() if request.param == "memory" else tmp_path / "store") as made:
        yield made
        made.bp._check()


def checkpoint_of(values: dict[str, Any] | None = None, version: Any = "1") -> Checkpoint:
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"] = values or {}
    checkpoint["channel_versions"] = dict.fromkeys(values or {}, version)
    return checkpoint


def put(
    saver: Any, config: Config, values: dict[str, Any] | None = None, version: Any = "1", **metadata: Any
) -> Config:
    checkpoint = checkpoint_of(values, version)
    described: Any = {"source": "loop", "step": 0, **metadata}
    return dict(saver.put(config, checkpoint, described, checkpoint["channel_versions"]))


def reread(saver: BackpackSaver) -> BackpackSaver:
    saver._threads().discard()
    return saver


# -- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])
def test_any_text_names_a_segment_and_comes_back_from_it(name: str) -> None:
    segment = segment_of(name)
    assert segment and "." not in segment and "*" not in segment and len(segment.encode()) <= 800
    assert name_of(segment) in (name, None)
    assert segment.startswith("%~") == (name_of(segment) is None)


def test_no_two_names_have_one_segment() -> None:
    assert len({segment_of(name) for name in NAMES}) == len(NAMES)


def test_threads_namespaces_and_channels_have_any_name(saver: BackpackSaver, tmp_path: Path) -> None:
    for number, name in enumerate(NAMES):
        config = put(saver, config_of(name, checkpoint_ns=name), {name: f"value {number} " * 20, "b": number})
        saver.put_writes(config, [(name, "write " * 30)], name or "task", name)
    reread(saver)
    for number, name in enumerate(NAMES):
        found = saver.get_tuple(config_of(name, checkpoint_ns=name))
        assert found is not None and found.checkpoint["channel_values"] == {name: f"value {number} " * 20, "b": number}
        assert found.pending_writes == [(name or "task", name, "write " * 30)]
        assert found.config["configurable"]["thread_id"] == found.config["configurable"]["checkpoint_ns"] == name
    assert {one.config["configurable"]["thread_id"] for one in saver.list(None)} == set(NAMES)
    folders = {path.name for path in tmp_path.rglob("*") if path.is_dir()}
    assert folders <= {"store", "blobs"} or all(len(one) <= 6 for one in folders - {"store", "blobs"})
    for name in NAMES:
        saver.delete_thread(name)
        assert saver.get_tuple(config_of(name, checkpoint_ns=name)) is None
    assert not len(saver.bp)


def test_a_thread_may_be_called_by_a_number(saver: BackpackSaver) -> None:
    config: Any = {"configurable": {"thread_id": 7, "checkpoint_ns": ""}}
    assert put(saver, config)["configurable"]["thread_id"] == 7
    found = saver.get_tuple({"configurable": {"thread_id": 7}})
    assert found is not None and found.config["configurable"]["thread_id"] == 7
    assert saver.get_tuple(config_of("7")) is not None


def test_reading_what_is_not_there_creates_nothing(saver: BackpackSaver) -> None:
    assert saver.get_tuple(config_of("none")) is None and saver.get(config_of("none")) is None
    assert list(saver.list(config_of("none"))) == list(saver.list(None)) == []
    assert saver.get_delta_channel_history(config=config_of("none"), channels=["a"]) == {"a": {"writes": []}}
    assert saver.bp.head is None and not saver._threads()._known


def test_what_deltas_are_made_of_is_the_same_in_any_order_of_reading(saver: BackpackSaver) -> None:
    chance = random.Random(1)
    other = InMemorySaver()
    ids: list[str] = []

    def at(name: str | None) -> Config:
        return config_of(checkpoint_ns="", **({} if name is None else {"checkpoint_id": name}))

    def grow() -> None:
        parent, name = chance.choice(ids[-3:]) if ids else None, f"{len(ids):03}"
        values = {channel: [name] for channel in "ab" if chance.random() < 0.1}
        checkpoint = {**checkpoint_of(values), "id": name, "channel_versions": dict.fromkeys("ab", name)}
        ids.append(name)
        for one in (saver, other):
            one.put(at(parent), checkpoint, {"source": "loop", "step": 0}, dict.fromkeys("ab", name))

    def write() -> None:
        task, writes = str(chance.random()), [(channel, chance.random()) for channel in chance.choice(["a", "ab"])]
        name = chance.choice(ids)
        for one in (saver, other):
            one.put_writes(at(name), writes, task)

    def has_same(name: str, channels: list[str]) -> bool:
        found, expected = (one.get_delta_channel_history(config=at(name), channels=channels) for one in (saver, other))
        return found == expected and list(found) == channels

    for _ in range(40):
        grow()
        write()
    for _ in range(20):
        channels = chance.choice([["a"], ["b"], ["a", "b"], ["b", "a"]])
        assert all(has_same(name, channels) for name in reversed(ids))
        assert all(has_same(chance.choice(ids), channels) for _ in range(10))
        chance.choice([grow, write])()


# -- checkpoints and writes ----------------------------------------------------------------------------------------


def test_writes_are_known_by_task_and_position_but_special_ones_are_replaced(saver: BackpackSaver) -> None:
    reference = InMemorySaver()
    found = []
    for one in (saver, reference):
        config = put(one, config_of("t1", checkpoint_ns=""))
        config["configurable"]["checkpoint_id"] = "c1"
        one.put_writes(config, [("a", 1), ("b", 2)], "task 2", "path 1")
        one.put_writes(config, [("a", 3), ("b", 4), ("c", 5)], "task 2", "path 1")
        one.put_writes(config, [("__interrupt__", "first")], "task 1", "path 2")
        one.put_writes(config, [("__interrupt__", "second")], "task 1", "path 2")
        one.put_writes(config, [("a", 9)], "task 0", "path 3")
        one.put(config_of("t1", checkpoint_ns=""), {**checkpoint_of(), "id": "c1"}, {"step": 1}, {})
        tuple_ = one.get_tuple(config)
        assert tuple_ is not None
        found.append(tuple_.pending_writes)
    assert found[0] == found[1] and len(found[0] or ()) == 5
    again = reread(saver).get_tuple(config)
    assert again is not None and again.pending_writes == found[0]


def test_writes_that_are_all_known_make_no_commit(saver: BackpackSaver) -> None:
    config = put(saver, config_of("t1", checkpoint_ns=""))
    saver.put_writes(config, [("a", 1)], "task")
    head = saver.bp.head
    saver.put_writes(config, [("a", 2)], "task")
    saver.put_writes(config, [], "task")
    assert saver.bp.head == head


def test_a_checkpoint_that_is_put_again_is_replaced_and_its_children_stay_as_they_were(saver: BackpackSaver) -> None:
    first = checkpoint_of({"a": "old " * 50, "b": 1})
    config = dict(saver.put(config_of("t1", checkpoint_ns=""), first, {"step": 1}, first["channel_versions"]))
    child = checkpoint_of({"a": "old " * 50, "c": 3})
    child["channel_versions"] = {"a": "1", "c": "2"}
    saver.put(config, child, {"step": 2}, {"c": "2"})
    again: Checkpoint = {**first, "channel_values": {"a": "new " * 50}, "channel_versions": {"a": "5"}}
    saver.put(config_of("t1", checkpoint_ns=""), again, {"step": 9}, {"a": "5"})
    for one in (saver, reread(saver)):
        tuples = {found.checkpoint["id"]: found for found in one.list(config_of("t1"))}
        assert len(tuples) == 2
        assert tuples[first["id"]].checkpoint["channel_values"] == {"a": "new " * 50}
        assert tuples[first["id"]].metadata["step"] == 9
        assert tuples[child["id"]].checkpoint["channel_values"] == {"a": "old " * 50, "c": 3}


def test_every_field_of_a_checkpoint_comes_back(saver: BackpackSaver) -> None:
    checkpoint: Any = checkpoint_of({"a": [1, 2], "none": None, "bytes": b"\x00\xff", "list": bytearray(b"x" * 99)})
    checkpoint["channel_versions"] = {"a": 1, "none": 2.5, "bytes": "3", "list": 4, "empty": "5"}
    checkpoint["versions_seen"] = {"node": {"a": 1, "none": 2.5}, "": {}, "__start__": {"bytes": "2"}}
    checkpoint |= {"updated_channels": ["a"], "pending_sends": [{"x": (1, 2)}], "future": {"deep": [None]}, "v": 4}
    config = saver.put(config_of("t1", checkpoint_ns=""), checkpoint, {"step": 1}, checkpoint["channel_versions"])
    for one in (saver, reread(saver)):
        found: Any = one.get_tuple(config)
        expected = {**checkpoint, "pending_sends": [{"x": [1, 2]}]}
        assert found.checkpoint == expected
        assert [type(version) for version in found.checkpoint["channel_versions"].values()] == [
            int,
            float,
            str,
            int,
            str,
        ]
        assert type(found.checkpoint["channel_values"]["list"]) is bytearray
    del checkpoint["updated_channels"]
    again: Any = saver.get_tuple(saver.put(config, {**checkpoint, "id": "z"}, {"step": 2}, {}))
    assert "updated_channels" not in again.checkpoint and again.checkpoint["future"] == {"deep": [None]}


def test_a_value_is_stored_though_no_version_says_that_it_is_new(saver: BackpackSaver) -> None:
    checkpoint = checkpoint_of({"a": "text " * 40})
    config = saver.put(config_of("t1", checkpoint_ns=""), checkpoint, {"step": 1}, {})
    found = saver.get_tuple(config)
    assert found is not None and found.checkpoint["channel_values"] == {"a": "text " * 40}


def test_what_a_caller_does_to_a_tuple_shows_in_no_other(saver: BackpackSaver) -> None:
    config = put(saver, config_of("t1", checkpoint_ns=""), {"a": [{"b": 1}]}, tags=["x"])
    for _ in range(2):
        found: Any = saver.get_tuple(config)
        assert found.checkpoint["channel_values"] == {"a": [{"b": 1}]} and found.metadata["tags"] == ["x"]
        found.checkpoint["channel_values"]["a"][0]["b"] = 2
        found.checkpoint["channel_versions"]["a"] = "9"
        found.checkpoint["versions_seen"]["n"] = {}
        found.metadata["tags"].append("y")


def test_listings_go_by_id_over_all_namespaces_and_threads(saver: BackpackSaver) -> None:
    made = []
    for number in range(12):
        config = config_of(f"t{number % 3}", checkpoint_ns="" if number % 2 else "sub:1")
        made.append(put(saver, config, step=number, odd=bool(number % 2))["configurable"]["checkpoint_id"])

    def listed(config: Config | None = None, **how: Any) -> list[int]:
        return [made.index(one.checkpoint["id"]) for one in saver.list(config, **how)]

    assert listed() == [*range(11, -1, -1)]
    assert listed(limit=3) == [11, 10, 9] and listed(limit=0) == []
    assert listed(config_of("t1")) == [10, 7, 4, 1] and listed(config_of("t1", checkpoint_ns="")) == [7, 1]
    assert listed(filter={"odd": True, "source": "loop"}, limit=2) == [11, 9]
    before = config_of("t1", checkpoint_id=made[5])
    assert listed(before=before) == [4, 3, 2, 1, 0] and listed(config_of("t1"), before=before, limit=1) == [4]
    assert listed(config_of("t1", checkpoint_id=made[4])) == [4]
    assert listed(filter={"odd": {"$or": 1}}) == []


# -- commits -------------------------------------------------------------------------------------------------------


def test_commits_speak_of_threads_steps_and_nodes(saver: BackpackSaver) -> None:
    conversation(saver, turns=2).invoke(INPUTS["conversation"], config_of("thread one"))
    history = list(saver.bp.history())
    texts = [one.message for one in history]
    assert 'thread "thread one" step -1 (input)' in texts and 'thread "thread one" step 3 (loop)' in texts
    assert 'thread "thread one" writes of model' in texts
    assert {one.node for one in history} == {None, "__start__", "model", "person"}
    newest = next(saver.bp.history(tag="step:3"))
    assert newest.tags == ("thread:thread one", "step:3", "source:loop") and newest.node == "model"
    assert len(list(saver.bp.history(tag="thread:thread one"))) == len(history)


def test_checkpoints_are_no_history_and_outlive_its_budget() -> None:
    bp = Backpack(max_history_size=20_000)
    saver = BackpackSaver(bp)
    conversation(saver, turns=40).invoke(INPUTS["conversation"], config_of())
    assert bp.memory_usage().commits_pruned > 50
    states = list(reread(saver).list(config_of()))
    assert len(states) == 81 and len(states[0].checkpoint["channel_values"]["messages"]) == 80
    assert len(states[40].checkpoint["channel_values"]["messages"]) == 40


# -- serializers ---------------------------------------------------------------------------------------------------


@dataclass
class Plain:
    name: str


def test_only_allowed_types_are_built(tmp_path: Path) -> None:
    bp = Backpack()
    config = put(BackpackSaver(bp), config_of("t1", checkpoint_ns=""), {"a": Plain("x")})

    def value(saver: Any) -> Any:
        return saver.get_tuple(config).checkpoint["channel_values"]["a"]

    assert value(BackpackSaver(bp)) == {"name": "x"}
    assert value(BackpackSaver(bp, allowed_types=[Plain])) == Plain("x")
    assert value(BackpackSaver(bp).with_allowlist([(Plain.__module__, "Plain")])) == Plain("x")
    assert value(BackpackSaver(bp, serde=JsonPlusSerializer(allowed_msgpack_modules=[Plain]))) == Plain("x")
    with pytest.raises(InvalidArgumentError):
        BackpackSaver(bp, serde=JsonPlusSerializer(), allowed_types=[Plain])


def test_pickled_bytes_are_not_unpickled_by_default() -> None:
    bp = Backpack()
    writing = BackpackSaver(bp, serde=JsonPlusSerializer(pickle_fallback=True))
    config = put(writing, config_of("t1", checkpoint_ns=""), {"a": {complex(1, 2)}})
    assert writing.get_tuple(config) is not None
    with pytest.raises(NotImplementedError):
        BackpackSaver(bp).get_tuple(config)


class Turned(CipherProtocol):
    """Bytes that no two times look the same and don't say what they are."""

    def __init__(self) -> None:
        self.turns = itertools.count(1)

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        turn = next(self.turns) % 256  # taken once: the graph encrypts in several threads
        return "turned", bytes([turn]) + bytes((byte + turn) % 256 for byte in plaintext)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        assert ciphername == "turned"
        return bytes((byte - ciphertext[0]) % 256 for byte in ciphertext[1:])


def test_an_encrypting_serializer_works_and_nothing_of_values_is_in_the_clear(tmp_path: Path) -> None:
    with BackpackSaver(tmp_path / "store", serde=EncryptedSerializer(Turned(), JsonPlusSerializer())) as saver:
        graph = conversation(saver, turns=3)
        graph.invoke(INPUTS["conversation"], config_of())
        reread(saver)
        assert len(graph.get_state(config_of()).values["messages"]) == 6
        assert len(list(graph.get_state_history(config_of()))) == 7
    assert not any(b"answer" in one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())


# -- several at a time ---------------------------------------------------------------------------------------------


def test_two_savers_of_one_store_see_what_the_other_does(saver: BackpackSaver) -> None:
    other = BackpackSaver(saver.bp)
    config = config_of("t1", checkpoint_ns="")
    for number in range(20):
        config = put(other if number % 2 else saver, config, {"a": "word " * number}, str(number), step=number)
        for one in (saver, other):
            found = one.get_tuple(config_of())
            assert found is not None and found.metadata["step"] == number


def test_a_restored_store_has_the_threads_of_then(saver: BackpackSaver) -> None:
    config = put(saver, config_of("t1", checkpoint_ns=""), {"a": "first " * 30}, step=1)
    then = saver.bp.head
    assert then is not None
    put(saver, config, {"a": "first second " * 30}, "2", step=2)
    saver.bp.restore(then)
    found = saver.get_tuple(config_of())
    assert found is not None and found.metadata["step"] == 1
    put(saver, config, {"a": "first third " * 30}, "3", step=3)
    assert [one.metadata["step"] for one in reread(saver).list(config_of())] == [3, 1]


def test_a_reader_in_another_process_follows(tmp_path: Path) -> None:
    with BackpackSaver(tmp_path / "store") as saver, backpack.open(tmp_path / "store", mode="r") as reading:
        reader = BackpackSaver(reading)
        config = config_of("t1", checkpoint_ns="")
        for number in range(150):
            config = put(saver, config, {"a": os.urandom(600).hex()}, str(number), step=number)
            if number % 50 == 0:
                found = reader.get_tuple(config_of())
                assert found is not None and found.metadata["step"] == number
                assert next(reader.list(config_of())).metadata["step"] == number
        with pytest.raises(ReadOnlyError):
            put(reader, config)


def test_many_threads_write_at_once(saver: BackpackSaver) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            config = config_of("shared" if number % 2 else f"own {number}", checkpoint_ns=f"ns {number}")
            for step in range(15):
                values = {"a": [f"{number} {one} " * 9 for one in range(step)]}
                config = put(saver, config, values, str(step), step=step)
                saver.put_writes(config, [("a", [f"{number} {step} " * 9])], f"task {step}")
                found = saver.get_tuple(config)
                assert found is not None and found.checkpoint["channel_values"] == values
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
    before = {one.checkpoint["id"]: one for one in saver.list(None)}
    assert len(before) == 8 * 15 and {one.checkpoint["id"]: one for one in reread(saver).list(None)} == before


def test_the_loop_goes_on_while_a_call_waits_for_the_disk(tmp_path: Path) -> None:
    async def run() -> int:
        async with BackpackSaver(tmp_path / "store", durability="power") as saver:
            threads = saver._threads()
            held, turns = threading.Event(), 0
            threads.lock.acquire()  # as long as another thread reads the disk, say
            holder = asyncio.create_task(saver.aput(config_of(checkpoint_ns=""), checkpoint_of(), {"step": 1}, {}))
            reader = asyncio.create_task(saver.aget_tuple(config_of()))
            for turns in range(50):  # noqa: B007
                await asyncio.sleep(0)
            assert not holder.done() and not reader.done()
            threads.lock.release()
            held.set()
            await asyncio.gather(holder, reader)
            return turns

    assert asyncio.run(run()) == 49


def test_a_saver_and_a_store_share_one_backpack(saver: BackpackSaver) -> None:
    store = BackpackStore(saver.bp)
    store.put(("people",), "ada", {"name": "Ada"})
    put(saver, config_of("people", checkpoint_ns=""), {"a": 1})
    store.put(("people",), "alan", {"name": "Alan"})
    saver.delete_thread("people")
    assert sorted(item.key for item in store.search(("people",))) == ["ada", "alan"]
    assert list(saver.list(None)) == []


def test_a_missing_extra_is_named() -> None:
    code = "import sys; sys.modules['langgraph'] = None; from backpack.integrations.langgraph import BackpackSaver"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert done.returncode and "pip install 'backpack-state[langgraph]'" in done.stderr.splitlines()[-1]


# -- the end, and damage -------------------------------------------------------------------------------------------


def test_a_path_is_opened_and_closed_here_and_a_store_of_yours_is_not(tmp_path: Path) -> None:
    with BackpackSaver.from_conn_string(str(tmp_path / "store")) as saver:
        put(saver, config_of("t1", checkpoint_ns=""))
    saver.close()
    with pytest.raises(ClosedError):
        saver.get_tuple(config_of())
    bp = Backpack()
    with BackpackSaver(bp) as saver:
        put(saver, config_of("t1", checkpoint_ns=""))
    assert saver.get_tuple(config_of()) is not None
    with BackpackSaver.from_conn_string(":memory:") as saver:
        assert saver.get_tuple(config_of()) is None
    with pytest.raises(ClosedError):
        saver.get_tuple(config_of())
    with pytest.raises(InvalidArgumentError):
        BackpackSaver(bp, durability="power")


def test_what_other_savers_are_made_of_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgumentError, match=r"BackpackSaver\(Backpack\(\)\)"):
        BackpackSaver(":memory:")
    with pytest.raises(InvalidArgumentError, match=r"BackpackStore\(Backpack\(\)\)"):
        BackpackStore(":memory:")
    with closing(sqlite3.connect("c.db")) as connection:
        connection.execute("CREATE TABLE t (a)")
        with pytest.raises(InvalidArgumentError, match="made of a Backpack or of a path, not of a Connection"):
            BackpackSaver(connection)  # type: ignore[arg-type]
    for path in ("c.db", tmp_path / "c.db"):
        with pytest.raises(InvalidArgumentError, match="backpack import --langgraph-sqlite"):
            BackpackSaver(path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["c.db"]


def test_get_is_the_checkpoint_of_get_tuple_and_both_are_of_the_class(saver: BackpackSaver) -> None:
    assert {"get", "aget"} <= vars(BackpackSaver).keys() and saver.get(config_of()) is None
    put(saver, config_of("t1", checkpoint_ns=""), {"a": 1})
    found = saver.get_tuple(config_of())
    assert found is not None and saver.get(config_of()) == found.checkpoint


CHILD = """
import sys
from langgraph.graph import StateGraph
sys.path.insert(0, sys.argv[2])
from tests.integrations.langgraph.graphs import INPUTS, config_of, conversation
from backpack.integrations.langgraph import BackpackSaver, BackpackStore
class Telling(BackpackSaver):
    def put(self, *arguments):
        done = super().put(*arguments)
        print(done["configurable"]["checkpoint_id"], flush=True)
        return done
conversation(Telling(sys.argv[1]), turns=10_000).invoke(INPUTS["conversation"], config_of(), durability="sync")
"""


def test_every_acknowledged_checkpoint_is_there_after_kill_9(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "store"), str(root)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert child.stdout is not None
    told = [child.stdout.readline().strip() for _ in range(25)]
    child.send_signal(signal.SIGKILL)
    told += [line.strip() for line in child.stdout if line.endswith("\n")]
    child.stdout.close()
    child.wait()
    with BackpackSaver(tmp_path / "store") as saver:
        assert set(told) <= {one.checkpoint["id"] for one in saver.list(config_of())}
        graph = conversation(saver, turns=15)
        graph.invoke(None, config_of())
        assert graph.get_state(config_of()).values["count"] >= 15


def record(**parts: Any) -> list[Any]:
    """A checkpoint record that is right but for these parts."""
    whole = {
        "kind": 1,
        "namespace": "",
        "id": "c1",
        "parent": None,
        "base": None,
        "head": [1, "", None, None],
        "metadata": ["msgpack", b"\x80"],
        "marks": ["1"],
        "versions": {"a": 0},
        "seen": {},
        "values": {"a": ["msgpack", 0, 2]},
        "added": {"a": b"\x91\x01"},
        "is hidden": False,
    }
    return [*{**whole, **parts}.values()]


DAMAGES: dict[str, Any] = {
    "no list": "text",
    "no record": [1],
    "an empty record": [[]],
    "an unknown kind": [[9, "x"]],
    "a bool as a kind": [[True, *record()[1:]]],
    "a record too short": [record()[:-1]],
    "bytes that are not there": [record(values={"a": ["msgpack", 0, 3]})],
    "bytes before the beginning": [record(values={"a": ["msgpack", -1, 2]})],
    "bytes from behind": [record(values={"a": ["msgpack", 2, 1]})],
    "bytes of another channel": [record(values={"b": ["msgpack", 0, 2]})],
    "half a slice": [record(values={"a": ["msgpack", 0]})],
    "half a slice before bytes": [record(values={"a": ["msgpack", 0, b"", 2]})],
    "no type tag": [record(values={"a": [b"msgpack", 0, 2]})],
    "long bytes that are not there": [record(added={"a": [7, 2]})],
    "an unknown base": [record(base=0)],
    "a parent without a base": [record(parent=True)],
    "an unknown mark": [record(versions={"a": 1})],
    "a mark of another type": [record(marks=[None])],
    "a seen version of another type": [record(seen={"n": {"a": "1"}})],
    "metadata that are cut from a channel": [record(metadata=["msgpack", 0, 2])],
    "metadata of another type": [record(metadata=["msgpack", "{}"])],
    "a head too short": [record(head=[1, ""])],
    "a write of bytes that are not there": [record(), [2, "", "c1", "t", "", [[0, "a", ["msgpack", 0, 9]]], {}]],
    "a write at no position": [record(), [2, "", "c1", "t", "", [["0", "a", ["msgpack"]]], {}]],
    "a write without a channel": [record(), [2, "", "c1", "t", "", [[0, None, ["msgpack"]]], {}]],
    "leaving without a name": [record(), [3, [["", 1, False]]]],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_records_that_are_not_what_was_written_are_corruption(damage: str) -> None:
    bp = Backpack()
    saver = BackpackSaver(bp)
    key = "langgraph.saver.t1.0000000001-00000"
    bp[key] = [record()]
    found = saver.get_tuple(config_of(checkpoint_id="c1"))
    assert found is not None and found.checkpoint["channel_values"] == {"a": [1]}
    bp[key] = DAMAGES[damage]
    with pytest.raises(CorruptionError):
        saver.get_tuple(config_of(checkpoint_id="c1"))


def test_a_damaged_thread_can_be_deleted_and_the_others_are_read() -> None:
    bp = Backpack()
    saver = BackpackSaver(bp)
    put(saver, config_of("t1", checkpoint_ns=""))
    put(saver, config_of("t2", checkpoint_ns=""))
    bp[next(iter(bp))] = "damage"
    assert saver.get_tuple(config_of("t2")) is not None
    with pytest.raises(BackpackError):
        saver.get_tuple(config_of("t1"))
    saver.delete_thread("t1")
    assert [one.config["configurable"]["thread_id"] for one in saver.list(None)] == ["t2"]


class CountingSerializer(JsonPlusSerializer):
    """Counts how often it decodes a text."""

    def __init__(self) -> None:
        super().__init__()
        self.texts = 0

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        value = super().loads_typed(data)
        self.texts += isinstance(value, str)
        return value


def test_a_listing_decodes_what_nobody_can_change_once_and_all_else_anew() -> None:
    serde = CountingSerializer()
    saver = BackpackSaver(Backpack(), serde=serde)
    for thread in ("one", "other"):
        config = config_of(thread)
        for step in range(10):
            values = {"text": f"a long text of {thread} " * 20, "list": [thread, "m" * 100], "step": step}
            checkpoint = checkpoint_of(values)
            checkpoint["channel_versions"]["step"] = str(step)
            changed = {"step": str(step)} if step else checkpoint["channel_versions"]
            config = saver.put(config, checkpoint, {"step": step}, changed)
    found = list(saver.list(config_of("one")))
    assert serde.texts == 1
    found[0].checkpoint["channel_values"]["list"].append("changed")
    found[0].checkpoint["channel_values"]["text"] = "another"
    for number, one in enumerate(reversed(found)):
        values = one.checkpoint["channel_values"]
        if number < 9:
            assert values == {"text": "a long text of one " * 20, "list": ["one", "m" * 100], "step": number}
    for one in saver.list(None):
        thread = one.config["configurable"]["thread_id"]
        assert one.checkpoint["channel_values"]["text"] == f"a long text of {thread} " * 20
