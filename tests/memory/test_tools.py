"""The tools that models get: schemas by the book, results they can read, and for every mistake a way on."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import backpack
from backpack import Backpack
from backpack.errors import InvalidArgumentError
from backpack.memory import Memory
from backpack.memory.tools import LIST_MAX, SEARCH_MAX, TOOLS

NAMES = ["memory_fetch", "memory_search", "memory_list"]


@pytest.fixture
def memory() -> Memory:
    return Memory(Backpack())


def error(memory: Memory, name: Any, arguments: Any = None) -> str:
    answer = memory.call_tool(name, arguments)
    assert answer.startswith("error: ") and "Traceback" not in answer and len(answer) < 1_000
    assert memory.failures == {}
    return answer


# -- schemas ----------------------------------------------------------------------------------------------------


def test_openai_is_told_functions(memory: Memory) -> None:
    told = memory.tool_schema("openai")
    assert [tool["type"] for tool in told] == ["function"] * 3
    assert [tool["function"]["name"] for tool in told] == NAMES
    assert all(set(tool["function"]) == {"name", "description", "parameters"} for tool in told)
    json.dumps(told)


def test_anthropic_is_told_tools(memory: Memory) -> None:
    told = memory.tool_schema("anthropic")
    assert [tool["name"] for tool in told] == NAMES
    assert all(set(tool) == {"name", "description", "input_schema"} for tool in told)
    functions = [tool["function"]["parameters"] for tool in memory.tool_schema("openai")]
    assert [tool["input_schema"] for tool in told] == functions


def test_schemas_are_objects_whose_every_property_says_what_it_is() -> None:
    for tool in TOOLS:
        schema = tool.schema()
        assert schema["type"] == "object" and schema["additionalProperties"] is False
        assert set(schema["required"]) <= set(schema["properties"])
        for property in schema["properties"].values():
            assert property["type"] in ("string", "integer", "boolean", "array") and property["description"]
            if property["type"] == "array":
                assert property["items"]["type"] == "integer" and property["minItems"] == property["maxItems"] == 2


def test_a_schema_is_the_callers_to_change(memory: Memory) -> None:
    memory.tool_schema("openai")[0]["function"]["parameters"]["properties"].clear()
    assert "id" in memory.tool_schema("openai")[0]["function"]["parameters"]["properties"]


@pytest.mark.parametrize("provider", ["gemini", "", None, 3, ["openai"]])
def test_another_provider_is_refused_with_those_there_are(memory: Memory, provider: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="openai, anthropic"):
        memory.tool_schema(provider)


# -- fetching ---------------------------------------------------------------------------------------------------


def test_a_slice_comes_exactly_as_it_stands(memory: Memory) -> None:
    entry = memory.log("".join(f"line {n}\r\n" for n in range(1, 5_001)), title="a log")
    for arguments, wanted in (
        ({"lines": [2, 3]}, "line 2\r\nline 3\r\n"),
        ({"bytes": [0, 6]}, "line 1"),
        ({"chunk": 1}, memory.fetch(entry, chunk=1)),
        ({"summary_only": True}, entry.summary),
        ({"lines": [2, 2], "pattern": None, "chunk": None, "context_lines": 0, "summary_only": False}, "line 2\r\n"),
        ({"lines": "2-3"}, "line 2\r\nline 3\r\n"),
        ({"lines": ["2", 3.0]}, "line 2\r\nline 3\r\n"),
        ({"chunk": "1"}, memory.fetch(entry, chunk=1)),
    ):
        assert memory.call_tool("memory_fetch", {"id": entry.id, **arguments}) == wanted
        assert memory.call_tool("memory_fetch", json.dumps({"id": f"mem://{entry.id}", **arguments})) == wanted
    assert memory.call_tool("memory_fetch", {"id": f"mem://{entry.id}#L7"}) == "line 7\r\n"


def test_a_short_entry_comes_whole(memory: Memory) -> None:
    assert memory.call_tool("memory_fetch", {"id": memory.log("all\nof it").id}) == "all\nof it"


def test_lines_found_by_a_pattern_have_their_numbers(memory: Memory) -> None:
    entry = memory.log("a\nerror one\r\nb\nc\nd\nerror two")
    assert memory.call_tool("memory_fetch", {"id": entry.id, "pattern": "error"}) == "2: error one\n--\n6: error two"
    assert memory.call_tool("memory_fetch", {"id": entry.id, "pattern": "error", "context_lines": 1}) == (
        "1- a\n2: error one\n3- b\n--\n5- d\n6: error two"
    )
    assert "no line" in memory.call_tool("memory_fetch", {"id": entry.id, "pattern": "nothing"})


def test_nothing_is_said_in_words(memory: Memory) -> None:
    entry = memory.log("a\nb\n")
    answer = memory.call_tool("memory_fetch", {"id": entry.id, "lines": [10, 40]})
    assert answer == f"(nothing there: {entry.id} has 2 lines, 4 bytes)"
    assert "nothing there" in memory.call_tool("memory_fetch", {"id": entry.id, "bytes": [100, 5]})


def test_bytes_that_are_no_text_come_as_base64(memory: Memory) -> None:
    picture = memory.log(bytes(range(256)) * 100)
    assert "bytes that are no text, in base64) AAECAwQ" in memory.call_tool(
        "memory_fetch", {"id": picture.id, "bytes": [0, 100]}
    )
    assert '"bytes": [0, 16384]' in error(memory, "memory_fetch", {"id": picture.id})
    assert memory.call_tool("memory_fetch", {"id": memory.log("é".encode()).id}) == "é"
    half = memory.log("éé")
    assert memory.call_tool("memory_fetch", {"id": half.id, "bytes": [1, 2]}) == "\ufffd\ufffd"


def test_what_is_said_can_always_be_encoded(memory: Memory) -> None:
    entry = memory.log("\ud800 half")
    assert memory.call_tool("memory_fetch", {"id": entry.id}) == "? half"
    memory.call_tool("memory_list").encode("utf-8")
    error(memory, "memory_fetch", {"id": "\ud800"}).encode("utf-8")


def test_too_much_is_refused_with_what_would_fit(memory: Memory) -> None:
    many = memory.log("x\n" * 2_001)
    answer = error(memory, "memory_fetch", {"id": many.id})
    assert "2,001 lines" in answer and "at most 2,000" in answer and '"lines": [1, 100]' in answer
    assert memory.call_tool("memory_fetch", {"id": many.id, "lines": [1, 100]}) == "x\n" * 100
    long = memory.log("x" * 65_537)
    answer = error(memory, "memory_fetch", {"id": long.id})
    assert "65,537 bytes" in answer and '"bytes": [0, 4000]' in answer and '"chunk": 0 (to 4)' in answer
    assert '"lines"' not in answer
    assert "one fetch" in error(memory, "memory_fetch", {"id": many.id, "pattern": "x"})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"id": "mem-20261121-151102-0af31c77"}, 'no entry "mem-20261121-151102-0af31c77"; memory_list'),
        ({"id": "nonsense"}, 'no entry "nonsense"'),
        ({"id": "x" * 10_000}, "no entry"),
        ({}, 'needs "id", as in {"id": '),
        ({"id": None}, 'needs "id"'),
        ({"id": 3}, '"id" is a text'),
        ({"id": "ID#lines=3"}, "no such slice"),
        ({"id": "ID", "lines": [0, 3]}, '"lines" are two whole numbers, 1 or more'),
        ({"id": "ID", "lines": [1]}, '"lines" are two'),
        ({"id": "ID", "lines": [3, 1]}, "the smaller number comes first: 1-3"),
        ({"id": "ID#L40-10"}, "the smaller number comes first: 10-40"),
        ({"id": "ID", "lines": "first ten"}, '"lines" are two'),
        ({"id": "ID", "lines": [1, 2.5]}, '"lines" are two'),
        ({"id": "ID", "lines": [True, 2]}, '"lines" are two'),
        ({"id": "ID", "bytes": [-1, 2]}, '"bytes" are two whole numbers, 0 or more'),
        ({"id": "ID", "chunk": 9}, "has no chunk 9: its chunks are 0 to 0"),
        ({"id": "ID", "chunk": -1}, '"chunk" is a whole number, 0 or more'),
        ({"id": "ID", "pattern": "("}, "the pattern can't be used: missing )"),
        ({"id": "ID", "pattern": "a{99999999999}"}, "the pattern can't be used"),
        ({"id": "ID", "pattern": "(" * 5_000 + ")" * 5_000}, "may have 1000 characters"),
        ({"id": "ID", "pattern": "(a+)+$"}, "it may take for ever"),
        ({"id": "ID", "pattern": 3}, '"pattern" is a text'),
        ({"id": "ID", "summary_only": "maybe"}, '"summary_only" is true or false'),
        ({"id": "ID", "lines": [1, 2], "chunk": 0}, "one slice"),
        ({"id": "ID#L1", "chunk": 0}, "one slice"),
        ({"id": "ID", "context_lines": 2}, "context_lines goes with pattern"),
        ({"id": "ID", "line": 3}, 'has no argument "line"; it has: id, lines,'),
        ({"id": "ID", 3: 4}, "has no argument of type int"),
        ("{", "no JSON at character 1"),
        ("[1]", "are an object, such as"),
        ('"text"', "are an object"),
        ([1], "are an object"),
        (3, "are an object"),
        ("[" * 100_000, "no JSON"),
        ("9" * 10_000, "no JSON"),
    ],
)
def test_a_mistake_is_answered_with_what_to_do(memory: Memory, arguments: Any, said: str) -> None:
    entry = memory.log("content")
    if isinstance(arguments, dict) and isinstance(arguments.get("id"), str):
        arguments = {**arguments, "id": arguments["id"].replace("ID", entry.id)}
    assert said in error(memory, "memory_fetch", arguments)


def test_an_unknown_tool_is_answered_with_those_there_are(memory: Memory) -> None:
    for name in ("fetch", "", None, 3, ["memory_fetch"]):
        assert "there are: memory_fetch, memory_search, memory_list" in error(memory, name)


# -- searching and listing --------------------------------------------------------------------------------------


def test_a_search_says_what_to_fetch(memory: Memory) -> None:
    entry = memory.log("the parser failed\n" + "all is well\n" * 10_000, title="nightly", tags=["ci"])
    answer = memory.call_tool("memory_search", {"query": "parser failed"})
    assert entry.id in answer and "nightly #ci" in answer and "parser" in answer
    reference = answer.splitlines()[0].split()[-1]
    assert "parser" in memory.call_tool("memory_fetch", {"id": reference})
    assert "nothing found" in memory.call_tool("memory_search", {"query": "absent"})


@pytest.mark.parametrize(
    "query", ['"', "a AND", "NEAR(", "*", "title:x", "^", "a-b", "'", "\x00", "é" * 5_000, "(" * 500]
)
def test_whatever_is_searched_for_is_a_query(memory: Memory, query: str) -> None:
    memory.log("content")
    assert memory.call_tool("memory_search", {"query": query})
    assert memory.failures == {}


def test_a_list_is_a_line_an_entry_newest_first(memory: Memory) -> None:
    first = memory.log("one", title="first\nline", tags=["a"])
    second = memory.log("two", type="tool_output", title="x" * 1_000)
    lines = memory.call_tool("memory_list").splitlines()
    assert [line[1:29] for line in lines] == [second.id, first.id]
    assert lines[1].endswith("1 line, 1 token: first line #a") and len(lines[0]) < 300
    assert memory.call_tool("memory_list", {"tag": "a"}).splitlines() == lines[1:]
    assert memory.call_tool("memory_list", '{"limit": 1}').splitlines() == lines[:1]
    assert "no entries like that" in memory.call_tool("memory_list", {"tag": "b"})
    assert "types are: chunk, context" in memory.call_tool("memory_list", {"type": "nonsense"})
    assert Memory(Backpack()).call_tool("memory_list", "") == "(no entries)"


def test_more_than_a_tool_gives_is_refused(memory: Memory) -> None:
    assert f"1 to {LIST_MAX}" in error(memory, "memory_list", {"limit": LIST_MAX + 1})
    assert f"1 to {SEARCH_MAX}" in error(memory, "memory_search", {"query": "a", "limit": 10**30})
    assert f"1 to {LIST_MAX}" in error(memory, "memory_list", {"limit": 0})
    assert 'needs "query", as in {"query": ' in error(memory, "memory_search", {"query": " "})


# -- whatever else ----------------------------------------------------------------------------------------------


def test_what_the_store_cannot_do_is_told_and_counted(tmp_path: Path) -> None:
    bp = backpack.open(tmp_path / "store")
    memory = Memory(bp)
    bp.close()
    assert memory.call_tool("memory_list").startswith("error: the store is closed")
    assert memory.failures == {"call_tool": 1}


def test_tasks_call_tools_as_others_do(memory: Memory) -> None:
    entry = memory.log("content")
    assert asyncio.run(memory.acall_tool("memory_fetch", {"id": entry.id})) == "content"
    memory.bp.close()
    assert asyncio.run(memory.acall_tool("memory_list")).startswith("error: the store is closed")
    assert memory.failures == {"call_tool": 1}


_any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_named = st.sampled_from([parameter.name for tool in TOOLS for parameter in tool.parameters])


@given(
    st.sampled_from(NAMES) | _any,
    _any | st.text() | st.dictionaries(_named, _any | st.just("ID") | st.integers(-2, 5), max_size=4),
)
def test_nothing_that_a_model_writes_is_an_exception(name: Any, arguments: Any) -> None:
    memory = Memory(Backpack())
    entry = memory.log("one\ntwo error\nthree\n")
    if isinstance(arguments, dict):
        arguments = {key: entry.id if value == "ID" else value for key, value in arguments.items()}
    answer = memory.call_tool(name, arguments)
    assert isinstance(answer, str) and answer and answer.encode("utf-8")
    assert memory.failures == {}


# -- what is gone -----------------------------------------------------------------------------------------------


def test_of_what_was_pruned_only_the_summary_that_is_there_is_named() -> None:
    now = [1_800_000_000.0]
    memory = Memory(Backpack(), clock=lambda: now[0])
    short, long = memory.log("short", title="one"), memory.log("a line\n" * 4_000, title="two")
    now[0] += 40 * 86_400
    memory.prune(7, 0)
    removed = error(memory, "memory_fetch", {"id": short.id})
    assert removed == f"error: {short.id} (one) was removed on 2027-02-24, nothing is left of it"
    emptied = error(memory, "memory_fetch", {"id": long.id})
    assert emptied.endswith('its summary is still there: "summary_only": true')
    assert memory.call_tool("memory_fetch", {"id": long.id, "summary_only": True}).startswith("[extract]")
