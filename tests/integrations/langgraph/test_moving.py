"""What SqliteSaver has becomes what BackpackSaver has, and back: the real savers return the same tuples."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, Send, interrupt
from typing_extensions import TypedDict

import backpack
from backpack import Backpack
from backpack.errors import CorruptionError, InvalidArgumentError
from backpack.integrations.langgraph import BackpackSaver
from backpack.integrations.langgraph.exporting import Exported, compare, export_threads
from backpack.integrations.langgraph.importing import Imported, check, import_file
from backpack.integrations.langgraph.sqlite_file import opened
from backpack.integrations.langgraph.sqlite_opening import SqliteFileError
from backpack.integrations.langgraph.sqlite_writing import check_free, written
from backpack.integrations.langgraph.threads import threads_of

from .sqlite_files import changed, made, talk

CONFIG: dict[str, Any] = {"configurable": {"thread_id": "rome"}}


def silent(what: str, done: int, total: int) -> None:
    assert done < total


def imported(path: str, bp: Backpack) -> Imported:
    done = Imported()
    with opened(path) as file:
        check(file, bp, silent)
        import_file(file, bp, done, silent)
    assert done.is_complete
    return done


def exported(bp: Backpack, path: Path) -> Exported:
    done = Exported()
    with written(str(path)) as writer:
        export_threads(bp, writer, done, silent)
        writer.finish()
        with opened(writer.path) as file:
            compare(file, bp, done, silent)
    return done


def tuples(saver: Any) -> list[Any]:
    """All that a saver returns, by thread, namespace and id."""
    found = [(*one.config["configurable"].values(), one) for one in saver.list(None)]
    return [one for *_, one in sorted(found, key=lambda row: row[:3])]


@contextmanager
def sqlite(path: Path | str) -> Iterator[SqliteSaver]:
    with SqliteSaver.from_conn_string(str(path)) as saver:
        yield saver


class Trip(TypedDict):
    messages: Annotated[list[Any], add_messages]
    offers: Annotated[list[int], lambda old, new: sorted(old + new)]
    note: str


def agent(saver: Any) -> Any:
    """Parallel branches by `Send`, a subgraph with checkpoints of its own, an interrupt, an error."""

    def chat(state: Trip) -> dict[str, Any]:
        return {"messages": [AIMessage(f"answer {len(state['messages'])}", id=f"a{len(state['messages'])}")]}

    def price(asked: dict[str, int]) -> dict[str, Any]:
        if asked["price"] == 13:
            raise ValueError("unlucky")
        return {"offers": [asked["price"]]}

    def ask(state: Trip) -> dict[str, Any]:
        return {"note": interrupt(f"book for {min(state['offers'])}?")}

    inner = StateGraph(Trip)
    inner.add_node("ask", ask)
    inner.add_edge(START, "ask")
    outer = StateGraph(Trip)
    outer.add_node("chat", chat)
    outer.add_node("price", price)
    outer.add_node("inner", inner.compile(checkpointer=True))
    outer.add_edge(START, "chat")
    prices = {"": (7, 5), "error": (7, 13)}
    outer.add_conditional_edges(
        "chat", lambda state: [Send("price", {"price": one}) for one in prices[state["note"]]], ["price"]
    )
    outer.add_edge("price", "inner")
    outer.add_edge("inner", END)
    return outer.compile(checkpointer=saver)


def play(saver: Any) -> None:
    """Three threads: one interrupted, one answered and forked, one that failed."""
    graph = agent(saver)
    first = {"messages": [HumanMessage("hello", id="q")], "offers": [], "note": ""}
    threads = [{"configurable": {"thread_id": name}} for name in ("asked", "trip to Rome: 3.5 * 2 / é", "failed")]
    graph.invoke(first, threads[0])
    graph.invoke(first, threads[1])
    graph.invoke(Command(resume="yes"), threads[1])
    early = list(graph.get_state_history(threads[1]))[-2]
    graph.invoke(None, graph.update_state(early.config, {"note": ""}))
    with pytest.raises(ValueError, match="unlucky"):
        graph.invoke({**first, "note": "error"}, threads[2])


def test_a_saver_returns_after_the_import_what_the_other_did(tmp_path: Path) -> None:
    with sqlite(tmp_path / "c.db") as saver:
        play(saver)
        expected = tuples(saver)
    assert {one.config["configurable"]["checkpoint_ns"] for one in expected} != {""}
    assert any(write[1] == "__interrupt__" for one in expected for write in one.pending_writes)
    assert any(write[1] == "__error__" for one in expected for write in one.pending_writes)
    with backpack.open(tmp_path / "store") as bp:
        done = imported(str(tmp_path / "c.db"), bp)
        assert (done.threads, done.checkpoints) == (3, len(expected))
        assert done.writes == sum(len(one.pending_writes) for one in expected)
    with BackpackSaver(str(tmp_path / "store")) as ours:
        assert tuples(ours) == expected


def test_an_imported_thread_goes_on_where_it_stood(tmp_path: Path) -> None:
    with sqlite(tmp_path / "c.db") as saver, backpack.open(tmp_path / "store") as bp:
        play(saver)
        imported(str(tmp_path / "c.db"), bp)
        thread = {"configurable": {"thread_id": "asked"}}
        states = [agent(one).invoke(Command(resume="yes"), thread) for one in (saver, BackpackSaver(bp))]
        assert states[0] == states[1]
        assert states[1]["note"] == "yes"


def test_what_is_exported_the_other_saver_returns_and_goes_on_with(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        saver = BackpackSaver(bp)
        play(saver)
        expected = tuples(saver)
        done = exported(bp, tmp_path / "c.db")
        assert (done.threads, done.checkpoints) == (3, len(expected))
        with sqlite(tmp_path / "c.db") as theirs:
            assert tuples(theirs) == expected
            thread = {"configurable": {"thread_id": "asked"}}
            states = [agent(one).invoke(Command(resume="yes"), thread) for one in (saver, theirs)]
            assert states[0] == states[1]


def test_there_and_back_and_there_again_adds_nothing(tmp_path: Path) -> None:
    with sqlite(tmp_path / "c.db") as saver:
        play(saver)
        expected = tuples(saver)
    with backpack.open(tmp_path / "store") as bp:
        imported(str(tmp_path / "c.db"), bp)
        assert bp.head is not None
        head = bp.head.seq
        exported(bp, tmp_path / "d.db")
        with sqlite(tmp_path / "d.db") as saver:
            assert tuples(saver) == expected
        for name in ("c.db", "d.db"):
            done = imported(str(tmp_path / name), bp)
            assert (done.checkpoints, done.writes, done.compared) == (0, 0, len(expected))
        assert bp.head.seq == head


def test_a_later_import_adds_what_came_since(tmp_path: Path) -> None:
    path = made(tmp_path / "c.db", turns=3)
    bp = Backpack()
    before = imported(path, bp)
    with sqlite(path) as saver:
        talk(saver, ("paris",), turns=3)
        expected = tuples(saver)
    done = imported(path, bp)
    assert done.checkpoints == len(expected) - before.checkpoints > 0
    assert tuples(BackpackSaver(bp)) == expected


def test_what_the_store_has_beyond_the_file_is_left_alone(tmp_path: Path) -> None:
    with sqlite(tmp_path / "c.db") as saver:
        play(saver)
    bp = Backpack()
    imported(str(tmp_path / "c.db"), bp)
    ours = BackpackSaver(bp)
    agent(ours).invoke(Command(resume="yes"), {"configurable": {"thread_id": "asked"}})
    expected = tuples(ours)
    assert imported(str(tmp_path / "c.db"), bp).checkpoints == 0
    assert tuples(ours) == expected


def test_a_growing_conversation_costs_what_was_added(tmp_path: Path) -> None:
    path = made(tmp_path / "c.db", threads=("rome",), turns=60)
    bp = Backpack()
    imported(path, bp)
    usage = bp.memory_usage()
    assert 3 * usage.history_bytes < Path(path).stat().st_size


def test_what_was_pruned_comes_back_with_another_import(tmp_path: Path) -> None:
    path, bp = made(tmp_path / "c.db"), Backpack()
    imported(path, bp)
    BackpackSaver(bp).prune(["rome"], keep_last=2)
    assert imported(path, bp).checkpoints == 5
    with sqlite(path) as saver:
        assert tuples(BackpackSaver(bp)) == tuples(saver)


def test_state_made_of_writes_is_the_same_on_both_sides(tmp_path: Path) -> None:
    class State(TypedDict):
        messages: Annotated[list[Any], DeltaChannel(lambda state, writes: [*state, *(m for w in writes for m in w)])]
        turn: int

    def graph_of(saver: Any) -> Any:
        builder = StateGraph(State)
        builder.add_node("node", lambda state: {"messages": [f"m{state['turn']}"], "turn": state["turn"] + 1})
        builder.add_edge(START, "node")
        builder.add_conditional_edges("node", lambda state: "node" if state["turn"] % 5 else END, ["node", END])
        return builder.compile(checkpointer=saver)

    with sqlite(tmp_path / "c.db") as saver:
        graph_of(saver).invoke({"messages": [], "turn": 0}, CONFIG)
        states = [state.values for state in graph_of(saver).get_state_history(CONFIG)]
    assert states[0]["messages"] == ["m0", "m1", "m2", "m3", "m4"]
    pruned = Backpack()
    imported(str(tmp_path / "c.db"), pruned)
    BackpackSaver(pruned).prune(["rome"])
    assert graph_of(BackpackSaver(pruned)).get_state(CONFIG).values == states[0]
    exported(pruned, tmp_path / "pruned.db")
    with sqlite(tmp_path / "pruned.db") as saver:
        assert graph_of(saver).get_state(CONFIG).values == states[0]
    with pytest.raises(InvalidArgumentError, match="the store has pruned that thread"):
        imported(str(tmp_path / "c.db"), pruned)
    with backpack.open(tmp_path / "store") as bp:
        imported(str(tmp_path / "c.db"), bp)
        ours = graph_of(BackpackSaver(bp))
        assert [state.values for state in ours.get_state_history(CONFIG)] == states
        ours.invoke({"messages": ["more"]}, CONFIG)
        states = [state.values for state in ours.get_state_history(CONFIG)]
        exported(bp, tmp_path / "d.db")
    with sqlite(tmp_path / "d.db") as saver:
        assert [state.values for state in graph_of(saver).get_state_history(CONFIG)] == states


# -- checkpoints that no loop would make, by hand --------------------------------------------------------------


def put_by_hand(saver: Any, name: str, values: dict[str, Any], **more: Any) -> None:
    parent = more.pop("parent", None)
    config: Any = {"configurable": {"thread_id": "hand", "checkpoint_ns": "", "checkpoint_id": parent}}
    content = {"v": 4, "ts": "t", "id": name, "channel_values": values, "channel_versions": {}, "versions_seen": {}}
    saver.put(config, {**content, **more}, {"source": "update", "step": 1, "score": float("nan"), "x": None}, {})


def scored(saver: Any) -> list[Any]:
    """The tuples without their score, which is NaN and so never equal to itself."""
    found = tuples(saver)
    assert all(isnan(one.metadata.pop("score")) for one in found)
    return found


def test_odd_checkpoints_are_the_same_on_both_sides(tmp_path: Path) -> None:
    path, config = tmp_path / "c.db", {"configurable": {"thread_id": "hand", "checkpoint_ns": "", "checkpoint_id": "b"}}
    with sqlite(path) as saver:
        put_by_hand(saver, "b", {"no version": [1], "none": None, "data": b"\x00", "set": {1}})
        put_by_hand(saver, "a", {"no version": [2]}, parent="b", channel_versions={"gone": 3, "f": 1.5})
        put_by_hand(saver, "c", {}, parent="nowhere", pending_sends=[Send("n", HumanMessage("x", id="1"))], own="field")
        put_by_hand(saver, "d", {"no version": [1]}, parent="b", updated_channels=["no version"])
        saver.put_writes(config, [("x", 1), ("__interrupt__", 2), ("y", None), ("z", b"1")], "task 2", "path")
        saver.put_writes(config, [("__error__", "late")], "task 1")
        lonely = {"configurable": {"thread_id": "lonely", "checkpoint_ns": "n", "checkpoint_id": "x"}}
        saver.put_writes(lonely, [("x", 1)], "task")
        expected = scored(saver)
    bp = Backpack()
    imported(str(path), bp)
    assert scored(BackpackSaver(bp)) == expected
    assert expected[1].checkpoint["channel_values"] == {"no version": [1], "none": None, "data": b"\x00", "set": {1}}
    exported(bp, tmp_path / "d.db")
    with sqlite(tmp_path / "d.db") as saver:
        assert scored(saver) == expected
        count = saver.conn.execute("SELECT COUNT(*) FROM writes WHERE thread_id = 'lonely'").fetchone()
    assert count == (1,)


def test_values_of_classes_that_are_not_allowed_go_over_byte_for_byte(tmp_path: Path) -> None:
    inner = msgpack.packb(["os", "system", "echo this would be run"])
    evil = msgpack.ExtType(0, inner)
    content = {"v": 4, "ts": "t", "id": "1", "channel_values": {"x": evil}, "channel_versions": {"x": 1}}
    content["versions_seen"] = {}
    path = tmp_path / "c.db"
    with sqlite(path) as saver:
        saver.setup()
        row = ("t", "", "1", None, "msgpack", msgpack.packb(content), b"{}")
        saver.conn.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        pickled = ("t", "", "1", "task", "", 0, "y", "pickle", b"cos\nsystem\n(S'x'\ntR.")
        saver.conn.execute("INSERT INTO writes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", pickled)
        saver.conn.commit()
    bp = Backpack()
    imported(str(path), bp)
    exported(bp, tmp_path / "d.db")
    for file in (path, tmp_path / "d.db"):
        with changed(file) as connection:
            (data,) = connection.execute("SELECT checkpoint FROM checkpoints").fetchone()
            assert msgpack.packb(evil) in data
            assert connection.execute("SELECT * FROM writes").fetchall() == [pickled]
    read = BackpackSaver(bp, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
    with pytest.raises(NotImplementedError, match="pickle"):  # of the serializer: nothing of it was called
        read.get_tuple({"configurable": {"thread_id": "t"}})


def test_files_of_early_releases_with_json_are_the_same_on_both_sides(tmp_path: Path) -> None:
    path = made(tmp_path / "c.db", threads=("rome",))
    with changed(tmp_path / "c.db") as connection:
        rows = connection.execute("SELECT rowid, checkpoint FROM checkpoints").fetchall()
        for number, data in rows:
            text = json.dumps(JsonPlusSerializer().loads_typed(("msgpack", data)), ensure_ascii=False).encode()
            connection.execute("UPDATE checkpoints SET type = 'json', checkpoint = ? WHERE rowid = ?", (text, number))
    with sqlite(path) as saver:
        expected = tuples(saver)
    with backpack.open(tmp_path / "store") as bp:
        imported(path, bp)
        ours = BackpackSaver(bp)
        assert tuples(ours) == expected
        newest = expected[-1]
        config = {"configurable": {**newest.config["configurable"]}}
        versions = {"turn": "9" * 32}
        content = {**newest.checkpoint, "id": "2" + newest.checkpoint["id"][1:]}
        content["channel_values"] = {**content["channel_values"], "turn": 99}
        content["channel_versions"] = {**content["channel_versions"], **versions}
        ours.put(config, content, {}, versions)  # type: ignore[arg-type]
        expected = tuples(ours)
        exported(bp, tmp_path / "d.db")
    with sqlite(tmp_path / "d.db") as saver:
        assert tuples(saver) == expected


NAMES = st.text(max_size=6)
VALUES = st.none() | st.integers(-(2**40), 2**40) | st.text(max_size=80) | st.binary(max_size=80) | st.lists(NAMES)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_whatever_a_file_has_is_the_same_on_both_sides(data: st.DataObject) -> None:
    with TemporaryDirectory() as name:
        check_any(data, Path(name))


def check_any(data: st.DataObject, folder: Path) -> None:
    with sqlite(folder / "c.db") as saver:
        ids: list[str] = []
        for number in range(data.draw(st.integers(1, 6))):
            name, thread = f"{number}{data.draw(NAMES)}", data.draw(st.sampled_from(["", "a.b", "*", "é/%41"]))
            parent = data.draw(st.sampled_from([None, *ids]))
            config: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": "", "checkpoint_id": parent}}
            values = data.draw(st.dictionaries(NAMES, VALUES, max_size=3))
            versions = data.draw(st.dictionaries(NAMES, st.integers(0, 3) | st.text(max_size=2), max_size=3))
            content: Any = {"v": 1, "ts": "t", "id": name, "channel_values": values, "channel_versions": versions}
            saver.put(config, {**content, "versions_seen": {"n": versions}}, {"step": number}, {})
            config["configurable"]["checkpoint_id"] = name
            saver.put_writes(config, data.draw(st.lists(st.tuples(NAMES, VALUES), max_size=3)), data.draw(NAMES))
            ids.append(name)
        expected = tuples(saver)
    bp = Backpack()
    imported(str(folder / "c.db"), bp)
    assert tuples(BackpackSaver(bp)) == expected
    exported(bp, folder / "d.db")
    with sqlite(folder / "d.db") as saver:
        assert tuples(saver) == expected
    bp._check()


# -- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE checkpoints SET checkpoint = substr(checkpoint, 1, 40)", "not msgpack"),
        ("UPDATE checkpoints SET checkpoint = x'93010203'", "not msgpack"),
        ("UPDATE checkpoints SET checkpoint = CAST(checkpoint || x'00' AS BLOB)", "bytes after the end"),
        ("UPDATE checkpoints SET checkpoint_id = 'other'", "another id than its row"),
        ("UPDATE checkpoints SET metadata = '{'", "a damaged row: Expecting"),
        ("UPDATE checkpoints SET metadata = '[]'", "metadata that is no object"),
        ('UPDATE checkpoints SET metadata = \'{"a": 1' + "0" * 40 + "}'", "a whole number of more than 64 bits"),
        ("UPDATE checkpoints SET type = 'pickle'", "a checkpoint of type 'pickle', which only its serializer can read"),
        ("UPDATE writes SET value = substr(value, 1, 1) WHERE channel = 'messages'", "not msgpack"),
    ],
)
def test_nothing_is_put_when_a_row_is_damaged(tmp_path: Path, statement: str, said: str) -> None:
    path = made(tmp_path / "c.db")
    last = " WHERE rowid = (SELECT MAX(rowid) FROM checkpoints)"
    with changed(tmp_path / "c.db") as connection:
        connection.execute(statement + ("" if "WHERE" in statement else last))
    bp = Backpack()
    with pytest.raises(SqliteFileError, match=said) as caught:
        imported(path, bp)
    assert len(bp) == 0 and bp.head is None
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "rest",
    [
        {"versions_seen": []},
        {"versions_seen": {"n": 1}},
        {"versions_seen": {1: {}}},
        {"channel_versions": None},
        {"channel_versions": {"a": None}},
        {"channel_versions": {"a": True}},
        {"updated_channels": "a"},
        {"updated_channels": [msgpack.ExtType(5, b"a")]},
        {"v": msgpack.ExtType(5, b"a")},
        {"ts": msgpack.Timestamp(5)},
        {"ts": b"t"},
    ],
)
def test_a_checkpoint_that_is_none_is_refused(tmp_path: Path, rest: dict[str, Any]) -> None:
    path = made(tmp_path / "c.db", threads=("rome",), turns=1)
    content = {"v": 4, "ts": "t", "id": "1", "channel_values": {}, "channel_versions": {}, "versions_seen": {}, **rest}
    with changed(tmp_path / "c.db") as connection:
        row = ("t", "", "1", None, "msgpack", msgpack.packb(content), b"{}")
        connection.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    with pytest.raises(SqliteFileError, match="a damaged row: a checkpoint w"):
        imported(path, Backpack())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (10**30, "a checkpoint with a whole number of more than 64 bits"),
        ("\ud800", "a damaged row: .* surrogates not allowed"),
    ],
)
def test_json_that_a_store_can_not_hold_is_refused_before_anything_is_put(tmp_path: Path, more: Any, said: str) -> None:
    path = made(tmp_path / "c.db", threads=("rome",), turns=1)
    content = {"v": 1, "ts": "t", "id": "1", "channel_values": {}, "channel_versions": {}, "versions_seen": {}}
    with changed(tmp_path / "c.db") as connection:
        row = ("t", "", "1", None, "json", json.dumps({**content, "pending_sends": [more]}).encode(), b"{}")
        connection.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    bp = Backpack()
    with pytest.raises(SqliteFileError, match=said):
        imported(path, bp)
    assert bp.head is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content["channel_values"].update(turn=77), "channel values"),
        (lambda content: content["channel_versions"].update(turn="77"), "versions"),
        (lambda content: content.update(ts="later"), "versions"),
    ],
)
def test_another_checkpoint_of_the_same_id_is_refused_before_anything_is_put(
    tmp_path: Path, change: Callable[[Any], None], said: str
) -> None:
    path = made(tmp_path / "c.db")
    bp = Backpack()
    imported(path, bp)
    assert bp.head is not None
    head = bp.head.seq
    with changed(tmp_path / "c.db") as connection:
        number, data = connection.execute("SELECT MAX(rowid), checkpoint FROM checkpoints").fetchone()
        content = JsonPlusSerializer().loads_typed(("msgpack", data))
        change(content)
        row = (JsonPlusSerializer().dumps_typed(content)[1], number)
        connection.execute("UPDATE checkpoints SET checkpoint = ? WHERE rowid = ?", row)
    with pytest.raises(InvalidArgumentError, match=f"nothing was imported: it differs in {said}: thread='oslo'"):
        imported(path, bp)
    assert bp.head.seq == head


def test_another_parent_metadata_or_write_of_the_same_id_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "c.db", threads=("rome",))
    bp = Backpack()
    imported(path, bp)
    for statement, said in {
        "UPDATE checkpoints SET metadata = '{}' WHERE rowid = 2": "metadata",
        "UPDATE checkpoints SET metadata = replace(metadata, '\"step\": 1', '\"step\": 1.0')": "metadata",
        "UPDATE checkpoints SET metadata = replace(metadata, '\"step\": 1', '\"step\": true')": "metadata",
        "UPDATE checkpoints SET parent_checkpoint_id = 'x' WHERE rowid = 3": "its parent",
        "UPDATE writes SET value = x'c0' WHERE rowid = 2": "pending writes",
    }.items():
        whole = Path(path).read_bytes()
        with changed(tmp_path / "c.db") as connection:
            connection.execute(statement)
        with pytest.raises(InvalidArgumentError, match=f"it differs in {said}: "):
            imported(path, bp)
        Path(path).write_bytes(whole)


def test_an_import_that_was_stopped_goes_on_and_says_what_is_in(tmp_path: Path) -> None:
    path = made(tmp_path / "c.db")
    bp, done = Backpack(), Imported()

    def stop(what: str, number: int, total: int) -> None:
        if what == "checkpoints imported" and number == 9:
            raise KeyboardInterrupt

    with opened(path) as file:
        with pytest.raises(KeyboardInterrupt):
            import_file(file, bp, done, stop)
        assert (done.checkpoints, done.compared, done.is_complete) == (9, 0, False)
        done = Imported()
        import_file(file, bp, done, silent)
    assert (done.checkpoints, done.compared) == (5, 14)
    with sqlite(path) as saver:
        assert tuples(BackpackSaver(bp)) == tuples(saver)


def test_what_was_lost_on_the_way_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path / "c.db", threads=("rome",))
    from backpack.integrations.langgraph import importing

    real = importing.put
    for harm in ("values", "versions", "seen"):

        def harmed(threads: Any, thread: Any, draft: Any, metadata: Any, harm: str = harm) -> None:
            if getattr(draft, harm):
                getattr(draft, harm).popitem()
            real(threads, thread, draft, metadata)

        monkeypatch.setattr(importing, "put", harmed)
        with pytest.raises(CorruptionError, match="what was imported is not what the file says: it differs in"):
            imported(path, Backpack())


def test_a_checkpoint_that_is_counted_and_not_there_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path / "c.db", threads=("rome",))
    with opened(path) as file:
        monkeypatch.setattr(file, "threads", lambda: iter(()))
        with pytest.raises(CorruptionError, match="not all that the file counts"):
            import_file(file, Backpack(), Imported(), silent)


def test_an_export_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    bp = Backpack()
    talk(BackpackSaver(bp), ("rome",))
    target = tmp_path / "out.db"
    with pytest.raises(KeyboardInterrupt), written(str(target)) as writer:
        export_threads(bp, writer, Exported(), silent)
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
    exported(bp, target)
    assert [file.name for file in tmp_path.iterdir()] == ["out.db"]
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_value_that_sqlite_saver_could_not_hold_is_named(tmp_path: Path) -> None:
    class Sealing(JsonPlusSerializer):
        def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
            kind, data = super().dumps_typed(obj)
            return f"{kind}+aes", data[::-1]

    bp = Backpack()
    talk(BackpackSaver(bp, serde=Sealing()), ("rome",))
    with pytest.raises(InvalidArgumentError, match=r"nothing was exported: .* type 'msgpack\+aes'"):
        exported(bp, tmp_path / "out.db")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("what", ["thread_id", "checkpoint_ns", "task"])
def test_a_name_that_sqlite_has_no_form_for_is_told(tmp_path: Path, what: str) -> None:
    bp = Backpack()
    saver = BackpackSaver(bp)
    names = {"thread_id": "rome", "checkpoint_ns": "", "task": "task", what: "\ud800"}
    task = names.pop("task")
    config = saver.put({"configurable": names}, empty_checkpoint(), {}, {})
    saver.put_writes(config, [("a", 1)], task)
    with pytest.raises(InvalidArgumentError, match=r"nothing was exported: .* half a surrogate pair in a name"):
        exported(bp, tmp_path / "out.db")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_or_open_is_not_replaced(tmp_path: Path) -> None:
    path = made(tmp_path / "c.db")
    with pytest.raises(InvalidArgumentError, match="the file exists"):
        check_free(path, may_replace=False)
    check_free(path, may_replace=True)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE more (x)")
    with pytest.raises(InvalidArgumentError, match="a journal lies beside the file"):
        check_free(path, may_replace=True)
    connection.close()
    os.mkfifo(tmp_path / "pipe")
    for name in ("", "a\0b", str(tmp_path), str(tmp_path / "pipe")):
        with pytest.raises(InvalidArgumentError):
            check_free(name, may_replace=True)


def test_reading_what_is_not_there_makes_no_thread(tmp_path: Path) -> None:
    path = made(tmp_path / "c.db")
    bp = Backpack()
    with opened(path) as file:
        check(file, bp, silent)
    assert len(bp) == 0 and not threads_of(bp).names()
