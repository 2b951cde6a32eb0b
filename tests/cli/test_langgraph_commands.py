"""The command line on LangGraph's threads: moved in and out, and shown in LangGraph's words."""

import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import interrupt
from typing_extensions import TypedDict

import backpack
from backpack.cli import import_langgraph
from backpack.errors import DiskFullError
from backpack.integrations.langgraph import BackpackSaver

from ..integrations.langgraph.sqlite_files import changed, made, talk
from .stores import Calls, Captured, files_of

ROOT = Path(__file__).parents[2]


@dataclass
class City:
    name: str


class Trip(TypedDict):
    messages: Annotated[list[Any], add_messages]
    city: str
    ids: set[int]


def trip(saver: Any, ask: Any = "book it?") -> Any:
    """Two steps, the second of which asks."""

    def plan(state: Trip) -> dict[str, Any]:
        call = {"name": "find_hotels", "args": {"city": state["city"]}, "id": "1"}
        return {"messages": [AIMessage("Looking.", tool_calls=[call], id="a")], "city": "Oslo"}

    def book(state: Trip) -> dict[str, Any]:
        return {"city": interrupt(ask)}

    builder = StateGraph(Trip)
    builder.add_node("plan", plan)
    builder.add_node("book", book)
    builder.add_edge(START, "plan")
    builder.add_edge("plan", "book")
    builder.add_edge("book", END)
    return builder.compile(checkpointer=saver)


@pytest.fixture
def calls(tmp_path: Path, capsys: Captured) -> Calls:
    """The command line on a store that is not there yet."""
    return Calls(tmp_path / "store", capsys)


@pytest.fixture
def asked(tmp_path: Path, capsys: Captured) -> Calls:
    """The command line on a store with one thread, which waits for an answer."""
    with BackpackSaver(str(tmp_path / "store")) as saver:
        first = {"messages": [HumanMessage("three nights\x1b[2J", id="q")], "city": "Rome", "ids": {1}}
        trip(saver).invoke(first, {"configurable": {"thread_id": "rome/1"}}, durability="sync")
    return Calls(tmp_path / "store", capsys)


def seqs_of(calls: Calls, words: str) -> dict[str, int]:
    """By message the seq of each commit."""
    lines = calls(f"log --json {words}").splitlines()
    return {found["message"]: found["seq"] for found in map(json.loads, lines)}


# -- in and out ------------------------------------------------------------------------------------------------


def test_a_file_is_imported_compared_and_told(calls: Calls, tmp_path: Path) -> None:
    path = made(tmp_path / "c.db", turns=60)
    out = calls(["import", "--langgraph-sqlite", path]).splitlines()
    assert out[0] == f"imported 2 threads, 124 checkpoints, 366 pending writes: {calls.store}"
    assert out[1] == "equal    124 of 124 checkpoints, compared one by one"
    assert out[2].startswith("SQLite   ")
    assert out[-1].startswith("on disk  ") and out[-1].endswith(" times less")
    assert seqs_of(calls, "--tag thread:oslo")['thread "oslo" step 59 (loop)']
    with SqliteSaver.from_conn_string(path) as theirs, BackpackSaver(str(calls.store)) as ours:
        for thread in ("rome", "oslo"):
            config: Any = {"configurable": {"thread_id": thread}}
            assert list(ours.list(config)) == list(theirs.list(config))


def test_an_import_names_the_classes_that_a_saver_has_to_allow(calls: Calls, tmp_path: Path) -> None:
    path = str(tmp_path / "c.db")
    with SqliteSaver.from_conn_string(path) as theirs:
        first: Any = {"messages": [HumanMessage("three nights", id="q")], "city": City("Rome"), "ids": {1}}
        trip(theirs, ask=City("Bergen")).invoke(first, {"configurable": {"thread_id": "t"}})
    out = calls(["import", "--langgraph-sqlite", path, "-q"])
    named = f'allowed_types=[("{__name__}", "City")]'
    assert out.splitlines()[-1] == f"classes  plain data unless allowed: BackpackSaver(..., {named})"
    assert calls.json(["import", "--langgraph-sqlite", path, "-q"])["classes_to_allow"] == []
    with backpack.open(calls.store) as bp:
        assert BackpackSaver(bp, allowed_types=[City]).get_tuple({"configurable": {"thread_id": "t"}}) is not None


def test_importing_twice_adds_nothing(calls: Calls, tmp_path: Path) -> None:
    path = made(tmp_path / "c.db")
    calls(["import", "--langgraph-sqlite", path, "-q"])
    before = calls.json("usage")
    found = calls.json(["import", "--langgraph-sqlite", path, "-q"])
    assert calls.err == ""
    assert (found["checkpoints"], found["pending_writes"], found["complete"]) == (0, 0, True)
    assert (found["checkpoints_in_file"], found["compared"]) == (14, 14)
    assert calls.json("usage")["head"] == before["head"]
    out = calls(["import", "--langgraph-sqlite", path]).splitlines()
    assert out[0] == f"nothing new in 2 threads, 14 checkpoints, 36 pending writes: {calls.store}"
    assert out[1].startswith("equal    14 of 14 checkpoints") and calls.err == ""


def test_what_an_import_knew_before_is_told(calls: Calls, tmp_path: Path) -> None:
    path = made(tmp_path / "c.db")
    calls(["import", "--langgraph-sqlite", path, "-q"])
    with SqliteSaver.from_conn_string(path) as theirs:
        talk(theirs, threads=("bergen",))
    out = calls(["import", "--langgraph-sqlite", path, "-q"]).splitlines()
    assert out[0].startswith("imported 3 threads, 7 checkpoints, ")
    assert out[1] == "known    14 checkpoints that the store had already"


def test_there_and_back_is_the_same_to_the_other_saver(calls: Calls, tmp_path: Path) -> None:
    path, target = made(tmp_path / "c.db"), str(tmp_path / "d.db")
    calls(["import", "--langgraph-sqlite", path, "-q"])
    out = calls(["export", "--langgraph-sqlite", target, "-q"])
    assert out.startswith("2 threads, 14 checkpoints, 36 pending writes, ") and out.endswith(f": {target}\n")
    with SqliteSaver.from_conn_string(path) as one, SqliteSaver.from_conn_string(target) as other:
        assert list(one.list(None)) == list(other.list(None))
    assert "the file exists" in calls.refused(["export", "--langgraph-sqlite", target], code=2)
    found = calls.json(["export", "--langgraph-sqlite", target, "--force", "-q"])
    assert (found["threads"], found["checkpoints"], found["pending_writes"]) == (2, 14, 36)


@pytest.mark.parametrize(
    "harm",
    [
        "DROP TABLE writes",
        "ALTER TABLE checkpoints RENAME thread_id TO thread",
        "UPDATE checkpoints SET checkpoint = substr(checkpoint, 1, 90) WHERE rowid = 3",
        "UPDATE checkpoints SET metadata = 'no' WHERE rowid = 14",
        "UPDATE writes SET value = x'c1' WHERE rowid = 5",
    ],
)
def test_what_is_wrong_with_a_file_is_one_line_and_nothing_is_imported(calls: Calls, tmp_path: Path, harm: str) -> None:
    path = made(tmp_path / "c.db")
    with changed(tmp_path / "c.db") as connection:
        connection.execute(harm)
    reason = calls.refused(["import", "--langgraph-sqlite", path, "-q"], code=2)
    assert reason.endswith("; nothing was imported") and path in reason
    assert not calls.store.exists()
    with backpack.open(calls.store) as bp:
        bp.pack("own", 1)
    calls.refused(["import", "--langgraph-sqlite", path, "-q"], code=2)
    with backpack.open(calls.store) as bp:
        assert list(bp) == ["own"]


def test_what_is_no_file_of_a_saver_is_refused(calls: Calls, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    for name in ("text", "nowhere", "."):
        calls.refused(["import", "--langgraph-sqlite", str(tmp_path / name), "-q"], code=2)
    assert not calls.store.exists()


def test_a_database_among_the_runs_is_told_with_the_option_for_it(calls: Calls, tmp_path: Path) -> None:
    path = made(tmp_path / "c.db")
    for words in (["import", path], ["import", "--with", f"a={path}", path]):
        reason = calls.refused(words, code=2)
        assert "a SQLite database" in reason and "--langgraph-sqlite DB" in reason and path in reason
    assert not calls.store.exists()


def test_options_that_say_nothing_together_are_refused(calls: Calls, asked: Calls, tmp_path: Path) -> None:
    path = made(tmp_path / "c.db")
    for words in (["a.json"], ["--prefix", "a"], ["--state"], ["--with", "a=b"]):
        calls.refused(["import", "--langgraph-sqlite", path, *words], code=2)
    calls.refused("import", code=2)
    asked.refused("export", code=2)
    asked.refused(["export", "a", "--langgraph-sqlite", "b"], code=2)
    asked.refused(["export", "--langgraph-sqlite", str(tmp_path)], code=2)


def test_a_store_without_threads_exports_no_file(tmp_path: Path, capsys: Captured) -> None:
    with backpack.open(tmp_path / "store") as bp:
        bp.pack("a", 1)
    calls = Calls(tmp_path / "store", capsys)
    assert "no threads" in calls.refused(["export", "--langgraph-sqlite", str(tmp_path / "d.db"), "-q"], code=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


def test_an_import_that_stops_says_what_is_in_and_goes_on_later(
    calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path / "c.db")
    real = import_langgraph.import_file

    def failing(file: Any, bp: Any, imported: Any, steps: Any) -> None:
        def step(what: str, done: int, total: int) -> None:
            if done == 5:
                raise DiskFullError("the disk is full")

        real(file, bp, imported, step)

    monkeypatch.setattr(import_langgraph, "import_file", failing)
    reason = calls.refused(["import", "--langgraph-sqlite", path, "-q"], code=3)
    assert "imported before, and not compared as a whole: 5 of 14 checkpoints; the same command goes on" in reason
    monkeypatch.undo()
    found = calls.json(["import", "--langgraph-sqlite", path, "-q"])
    assert (found["checkpoints"], found["compared"], found["complete"]) == (9, 14, True)


def test_threads_are_moved_and_shown_where_langgraph_is_not_installed(tmp_path: Path) -> None:
    path = made(tmp_path / "c.db")
    script = (
        "import sys; sys.modules['langgraph'] = sys.modules['langchain_core'] = None\n"
        "from backpack.cli.main import main\n"
        f"store, path, out = {str(tmp_path / 's')!r}, {path!r}, {str(tmp_path / 'd.db')!r}\n"
        "for words in (['import', '--langgraph-sqlite', path, '-q'], ['log'], ['show'], ['diff', '3'], ['usage'],\n"
        "              ['export', '--langgraph-sqlite', out, '-q']):\n"
        "    assert main([*words, '--store', store]) == 0, words\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "checkpoint 1f" in done.stdout


# -- shown -----------------------------------------------------------------------------------------------------


def test_log_speaks_of_threads_and_steps(asked: Calls) -> None:
    seqs = seqs_of(asked, "--tag thread:rome/1")
    assert {'thread "rome/1" step -1 (input)', 'thread "rome/1" step 1 (loop)'} <= seqs.keys()
    assert 'thread "rome/1" interrupt of book' in seqs
    assert len(seqs_of(asked, "--tag step:1")) == 1


def test_show_has_the_channels_of_a_checkpoint_in_plain_words(asked: Calls) -> None:
    seq = seqs_of(asked, "")['thread "rome/1" step 1 (loop)']
    out = asked(f"show {seq}")
    assert "[0] human: three nights\\x1b[2J\n" in out
    assert "[1] ai: Looking. (calls find_hotels)\n" in out
    assert "  city            Oslo\n" in out
    assert "\ncheckpoint 1f" in out and "\nparent     1f" in out
    found = asked.json(f"show {seq}")["record"]
    assert found["thread"] == "rome/1" and found["metadata"]["step"] == 1
    assert found["channels"]["messages"][0] == {"type": "human", "content": "three nights\x1b[2J", "id": "q"}
    assert found["channels"]["ids"] == [1]


def test_show_has_what_an_interrupt_asks(asked: Calls) -> None:
    seq = seqs_of(asked, "")['thread "rome/1" interrupt of book']
    assert "pending writes to checkpoint 1f" in asked(f"show {seq}")
    (write,) = asked.json(f"show {seq}")["record"]["writes"]
    assert (write["channel"], write["value"][0]["value"]) == ("__interrupt__", "book it?")


def test_show_has_all_of_what_an_interrupt_asks(tmp_path: Path, capsys: Captured) -> None:
    calls = Calls(tmp_path / "store", capsys)
    for count in (1, 40):
        question = {"question": "book?\x1b[2J", "hotels": [{"name": "Bella"}] * count}
        with BackpackSaver(str(tmp_path / "store")) as saver:
            trip(saver, question).invoke({"city": "Rome"}, {"configurable": {"thread_id": f"t{count}"}})
        seq = seqs_of(calls, f"--tag thread:t{count}")[f'thread "t{count}" interrupt of book']
        out = calls(f"show {seq}")
        if count == 1:
            assert '\n    {value: {question: "book?\\u001b[2J", hotels: [{name: "Bella"}]}, id: "' in out
        assert out.count("Bella") == count and "\x1b" not in out


def test_show_has_the_channels_of_the_checkpoint_that_writes_belong_to(asked: Calls) -> None:
    seq = seqs_of(asked, "")['thread "rome/1" interrupt of book']
    assert asked(f"show {seq} city") == "Oslo\n"
    assert asked.json(f"show {seq} ids")["value"] == [1]
    assert '"book it?"' in asked(f"show {seq} __interrupt__")
    asked(f"show {seq} nowhere", code=1)


def test_show_has_one_channel_as_of_a_commit(asked: Calls) -> None:
    seq = seqs_of(asked, "")['thread "rome/1" step 1 (loop)']
    assert asked(f"show {seq} city") == asked("show HEAD rome/1/city") == "Oslo\n"
    before = seqs_of(asked, "")['thread "rome/1" step 0 (loop)']
    assert asked(f"show {before} rome/1/city") == "Rome\n"
    assert asked.json(f"show {seq} city")["value"] == "Oslo"
    asked(f"show {seq} nowhere", code=1)
    asked("show HEAD rome/2/city", code=1)


def test_channels_differ_where_the_values_of_keys_would(calls: Calls, tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        saver, config = BackpackSaver(bp), {"configurable": {"thread_id": "rome", "checkpoint_ns": ""}}
        for version, one in enumerate((1, True), 1):
            checkpoint = empty_checkpoint()
            checkpoint["channel_values"] = {"one": one, "none": math.nan, "same": [1]}
            checkpoint["channel_versions"] = dict.fromkeys(checkpoint["channel_values"], version)
            config = saver.put(config, checkpoint, {}, checkpoint["channel_versions"])
    assert list(calls.json("diff 1 2")["changed"]) == ["rome/(checkpoint)", "rome/one"]


def test_diff_says_which_channels_differ_and_what_in_them(asked: Calls) -> None:
    seqs = seqs_of(asked, "")
    a, b = seqs['thread "rome/1" step 0 (loop)'], seqs['thread "rome/1" step 1 (loop)']
    out = asked(f"diff {a} {b}")
    assert "~  rome/1/messages" in out and "at [1]" in out
    assert "~  rome/1/city" in out and "Rome -> Oslo" in out
    assert "langgraph.saver" not in out
    out = asked(f"diff {a} {b} messages")
    assert out.startswith("~ ") and "  [1]\n    + {type: ai, content: Looking." in out
    assert "    - Rome\n    + Oslo\n" in asked(f"diff {a} rome/1/city")
    found = asked.json(f"diff {a} {b} rome/1/city")
    assert found["changed"]["rome/1/city"]["new"] == "Oslo"
    assert "no difference" in asked(f"diff {a} {b} ids") or asked.err == ""
    asked(f"diff {a} {b} nowhere", code=1)
    assert "rome/1/(checkpoint)" in asked.json(f"diff 0 {b}")["added"]


def test_usage_says_which_threads_are_large(asked: Calls) -> None:
    out = asked("usage")
    assert "thread  checkpoints  writes" in out and "\nrome/1            3 " in out
    (found,) = asked.json("usage")["threads"]
    assert (found["thread"], found["checkpoints"]) == ("rome/1", 3) and found["size"] > 0


def test_looking_changes_no_file(asked: Calls) -> None:
    before = files_of(asked.store)
    for words in ("log", "show", "show HEAD rome/1/city", "diff 1", "usage", "keys"):
        asked(words)
    assert files_of(asked.store) == before


def test_keys_of_others_that_only_look_alike_are_shown_as_they_are(tmp_path: Path, capsys: Captured) -> None:
    with backpack.open(tmp_path / "store") as bp:
        bp.pack("plan", 1)
        bp.pack("langgraph.saver.rome.note", {"a": 1})
        bp.pack("langgraph.saver.oslo.0000000001-00000", [[9, "no record"]])
    calls = Calls(tmp_path / "store", capsys)
    assert "plan" in calls("show 1")
    assert "langgraph.saver.rome.note" in calls("show 2")
    assert "it is of no known kind" in calls.refused("diff 2", code=3)
