"""Long texts leave a message and come back exactly; what is handed in is never touched; failures are seen."""

import asyncio
import base64
import copy
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

import backpack
from backpack import Backpack, DiskFullError, Event
from backpack.errors import (
    CorruptionError,
    EntryNotFoundError,
    EntryPrunedError,
    InvalidArgumentError,
    UnstorableValueError,
)
from backpack.memory import Memory
from backpack.memory.answers import ANSWERS_MAX
from backpack.memory.offloading import OFFLOAD_LIMIT
from backpack.memory.rendering import text_of_value
from backpack.memory.sink import StoreSink

BIG = "".join(f"line {number} of a long output\n" for number in range(400))
OTHER = "é\r\n" * 7_000
FIELDS = {"id", "title", "mime", "type", "subtype", "size", "lines", "tokens"}


@pytest.fixture(params=["in memory", "opened"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Memory:
    return Memory(Backpack() if request.param == "in memory" else backpack.open(tmp_path / "store"))


def check(memory: Memory, message: Any, **options: Any) -> Any:
    """Offload, hydrate, compare with the original; the offloaded message."""
    before = copy.deepcopy(message)
    short = memory.offload(message, **options)
    assert message == before
    back = memory.hydrate(short)
    assert back == message and type(back) is type(message) and repr(back) == repr(message)
    assert memory.offload(short, **options) == short
    return short


# -- texts ------------------------------------------------------------------------------------------------------


def test_a_text_of_6000_characters_stays_and_one_of_6001_goes(memory: Memory) -> None:
    assert memory.offload("é" * 6_000) == "é" * 6_000
    assert memory.list() == []
    short = check(memory, "é" * 6_001)
    (entry,) = memory.list()
    assert short == "é" * 800 + f"\n[... 5201 characters, 1 line more: mem://{entry.id} ...]"


def test_the_marker_counts_what_is_left_out(memory: Memory) -> None:
    short = check(memory, BIG, preview=100)
    kept, _, marker = short.rpartition("\n")
    assert kept == BIG[:100]
    left_out = BIG[100:]
    id = memory.list()[0].id
    assert marker == f"[... {len(left_out)} characters, {left_out.count(chr(10))} lines more: mem://{id} ...]"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\u2028"])
@pytest.mark.parametrize("end", ["", "\n", "x"])
def test_lines_left_out_are_those_of_the_rest(memory: Memory, newline: str, end: str) -> None:
    for preview in (0, 1, 10, 11, 12, 99, 100):
        text = f"line 00000{newline}" * 10 + end
        rest = text[min(preview, 60) :]
        lines = rest.count("\n") + (not rest.endswith("\n"))
        more = f", {lines} line{'' if lines == 1 else 's'} more"
        assert f" characters{more}" in check(memory, text, preview=preview, limit=60)
        assert f" bytes{more}".encode() in check(memory, text.encode("utf-16-be")[1::2], preview=preview, limit=60)


def test_no_preview_leaves_the_marker_alone(memory: Memory) -> None:
    assert check(memory, BIG, preview=0).startswith("[... ")


def test_a_preview_is_never_longer_than_the_limit(memory: Memory) -> None:
    assert check(memory, "x" * 600, limit=500).startswith("x" * 500 + "\n")


@pytest.mark.parametrize("text", ["\r\n" * 4_000, "\r" * 7_000, "\n" * 7_000, "a\u2028\x85\x0b" * 2_000, "x" * 7_000])
def test_every_kind_of_newline_comes_back(memory: Memory, text: str) -> None:
    check(memory, text)
    check(memory, {"role": "tool", "content": text})


def test_a_text_that_is_no_unicode_comes_back(memory: Memory) -> None:
    check(memory, {"role": "tool", "content": "\udc80\ud83d" * 5_000})


def test_bytes_are_offloaded_as_bytes(memory: Memory) -> None:
    data = bytes(range(256)) * 30
    short = check(memory, {"role": "tool", "content": data})
    assert short["content"].startswith(data[:800] + b"\n[... 6880 bytes, ")
    assert short["memory_refs"][0]["mime"] == "application/octet-stream"
    assert memory.fetch(short["memory_refs"][0]["id"]) == data
    check(memory, data)


def test_a_long_text_is_there_after_reopening(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        short = Memory(bp).offload({"role": "tool", "content": OTHER * 60})
    with backpack.open(tmp_path / "store") as bp:
        assert Memory(bp).hydrate(json.loads(json.dumps(short))) == {"role": "tool", "content": OTHER * 60}


# -- shapes -----------------------------------------------------------------------------------------------------


MESSAGES: dict[str, Any] = {
    "openai text": {"role": "user", "content": BIG},
    "openai parts": {"role": "user", "content": [{"type": "text", "text": BIG}, {"type": "text", "text": "short"}]},
    "openai tool": {"role": "tool", "tool_call_id": "call_1", "name": "grep", "content": BIG},
    "openai tool calls": {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "write", "arguments": json.dumps({"path": "a.py", "text": BIG})},
            }
        ],
    },
    "openai response item": {"type": "function_call_output", "call_id": "1", "output": BIG},
    "anthropic text": {
        "role": "user",
        "content": [{"type": "text", "text": BIG, "cache_control": {"type": "ephemeral"}}],
    },
    "anthropic tool use": {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "1", "name": "write", "input": {"path": "a", "text": BIG}}],
    },
    "anthropic tool result": {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "1", "content": BIG, "is_error": False}],
    },
    "anthropic tool result of blocks": {
        "role": "user",
        "content": [
            {
                "type": "tool_result",
                "tool_use_id": "1",
                "content": [{"type": "text", "text": BIG}, {"type": "text", "text": OTHER}],
            }
        ],
    },
    "gemini": {"role": "user", "parts": [{"text": BIG}, {"function_response": {"name": "f", "response": {"r": BIG}}}]},
    "langchain": {"type": "human", "content": BIG, "additional_kwargs": {}, "response_metadata": {}, "id": None},
    "langchain tool": {"type": "tool", "content": BIG, "tool_call_id": "1", "artifact": {"raw": OTHER}},
    "nested": {"role": "tool", "content": "ok", "data": {"runs": [{"out": BIG}, ("x", BIG), [[OTHER]]]}},
    "no message": {"results": [BIG, "short", 3], "deep": {"deeper": OTHER}},
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_of_every_shape_come_back(memory: Memory, name: str) -> None:
    message = MESSAGES[name]
    short = check(memory, message)
    assert len(repr(short)) < 6_000
    refs = short["memory_refs"]
    assert refs and all(set(ref) == FIELDS for ref in refs)
    for ref in refs:
        assert f"mem://{ref['id']} ...]" in json.dumps(short, ensure_ascii=False)
        assert memory.entry(ref["id"]).size == ref["size"]
    assert {type(value) for ref in refs for value in ref.values()} <= {str, int, type(None)}


@pytest.mark.parametrize("name", MESSAGES)
def test_they_come_back_after_json(memory: Memory, name: str) -> None:
    message = json.loads(json.dumps(MESSAGES[name]))
    assert memory.hydrate(json.loads(json.dumps(memory.offload(message)))) == message


def test_the_arguments_of_a_tool_call_stay_json(memory: Memory) -> None:
    short = check(memory, MESSAGES["openai tool calls"])
    arguments = short["tool_calls"][0]["function"]["arguments"]
    whole = MESSAGES["openai tool calls"]["tool_calls"][0]["function"]["arguments"]
    assert arguments.startswith(whole[:700])
    parsed = json.loads(arguments)
    assert parsed["path"] == "a.py" and parsed["text"].endswith(f"mem://{short['memory_refs'][0]['id']} ...]")
    assert short["memory_refs"][0]["mime"] == "application/json"


def test_arguments_that_are_no_json_are_cut_as_any_text(memory: Memory) -> None:
    call = {"function": {"name": "f", "arguments": '{"text": "' + "x" * 9_000}}
    short = check(memory, {"role": "assistant", "tool_calls": [call]})
    assert short["tool_calls"][0]["function"]["arguments"].endswith(" ...]")


def test_each_message_of_a_list_has_its_own_references(memory: Memory) -> None:
    history = [{"role": "user", "content": "hi"}, {"role": "tool", "content": BIG}, {"role": "user", "content": OTHER}]
    short = check(memory, history)
    assert [len(message.get("memory_refs", ())) for message in short] == [0, 1, 1]
    assert [memory.hydrate(message) for message in short] == history
    check(memory, tuple(history))
    check(memory, [BIG, {"text": OTHER}, (BIG, "x")])


def test_the_type_is_by_who_speaks_unless_it_is_said(memory: Memory) -> None:
    def of(message: Any, **options: Any) -> str:
        found: str = memory.offload(message, **options)["memory_refs"][0]["type"]
        return found

    assert of({"role": "tool", "content": BIG}) == of(MESSAGES["anthropic tool result"]) == "tool_output"
    assert of({"role": "user", "content": BIG}) == "context"
    assert of({"role": "assistant", "content": BIG}) == of({"text": BIG}) == "output"
    assert of({"role": "tool", "content": BIG}, type="web_scrape") == "web_scrape"


def test_title_subtype_and_tags_are_those_of_the_entry(memory: Memory) -> None:
    short = memory.offload({"text": BIG}, title="A run", type="tool_output", subtype="pytest", tags=["ci"])
    (ref,) = short["memory_refs"]
    assert (ref["title"], ref["type"], ref["subtype"]) == ("A run", "tool_output", "pytest")
    assert ref["lines"] == 400 and ref["tokens"] == -(-len(BIG) // 4) and ref["size"] == len(BIG)
    assert memory.entry(ref["id"]).tags == ("ci",)


class Message(pydantic.BaseModel):
    """As those of LangChain."""

    model_config = pydantic.ConfigDict(extra="allow")
    content: Any
    additional_kwargs: dict[str, Any] = {}
    type: str = "tool"


def test_message_objects_come_back(memory: Memory) -> None:
    message = Message(content=[{"type": "text", "text": BIG}, "x"], extra=OTHER)
    before = message.model_copy(deep=True)
    short = memory.offload([message])
    assert message == before and "memory_refs" not in message.additional_kwargs
    assert [ref["type"] for ref in short[0].additional_kwargs["memory_refs"]] == ["tool_output", "tool_output"]
    assert memory.hydrate(short) == [message]
    again = Message.model_validate_json(short[0].model_dump_json())
    assert memory.hydrate(again) == message


def test_media_stay_whole(memory: Memory) -> None:
    image = "data:image/png;base64," + "iVBOR" * 4_000
    message = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": image}}, {"text": BIG}]}
    short = check(memory, message)
    assert short["content"][0]["image_url"]["url"] == image and len(short["memory_refs"]) == 1


# -- data ---------------------------------------------------------------------------------------------------------


ROWS = [f"{number:03} {'x' * 96}" for number in range(200)]
DATA: dict[str, Any] = {
    "rows": {"results": ROWS},
    "texts": ROWS,
    "numbers": list(range(5_000)),
    "a tuple": tuple(range(5_000)),
    "what json has not": {
        "pairs": [(number, -number) for number in range(500)],
        7: {1, 2, 3},
        None: b"\x00\xff",
        2.5: [1, 1.0, True, None, 10**30, -0.0, datetime(2026, 11, 21, tzinfo=UTC)],
        (1, "a"): frozenset(("b",)),
    },
    "rows with a type": [{"type": "file", "name": f"{number}.py", "size": number} for number in range(400)],
    "surrogates": {"key \ud800": ["\udfff"] * 2_000},
}


@pytest.mark.parametrize("name", DATA)
def test_data_that_is_long_though_no_text_in_it_is_goes_as_a_whole(memory: Memory, name: str) -> None:
    value = DATA[name]
    before = copy.deepcopy(value)
    short = memory.offload(value)
    (entry,) = memory.list()
    text = memory.read(entry)
    assert isinstance(text, str) and len(text) > OFFLOAD_LIMIT
    assert isinstance(short, str) and short.startswith(text[:800] + "\n[... ") and entry.id in short
    assert (entry.kind, entry.mime, entry.type) == ("value", "application/json", "output")
    assert repr(memory.hydrate(short)) == repr(value) == repr(before)
    assert type(memory.hydrate(short)) is type(value)
    assert memory.offload(short) == short and len(memory.list()) == 1
    assert 10 < len(entry.title) <= 80 and "\n" not in entry.title


def test_data_goes_when_its_json_text_is_longer_than_the_limit(memory: Memory) -> None:
    value = {"numbers": [1, 2, 3]}
    size = len(text_of_value(value))
    assert memory.offload(value, limit=size) == value and memory.list() == []
    assert isinstance(memory.offload(value, limit=size - 1), str)


@pytest.mark.parametrize(
    "value",
    [
        [{"role": "user", "content": "short"}] * 500,
        {"state": {"messages": [{"type": "human", "content": "short"}] * 500}},
        [{"type": "text", "text": "short"}] * 500,
        [{"type": "tool_use", "id": "1", "name": "f", "input": {}}] * 500,
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": "short"}}] * 500},
        {"role": "user", "content": [{"type": "text", "text": "short"}] * 500},
        {"role": "user", "content": list(range(5_000))},
        {"role": "tool", "content": ["text"] * 5_000},
        {"role": "tool", "content": "short", "data": list(range(5_000))},
        {"role": "tool", "content": [{"type": "json", "value": 1}] * 500},
        {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "x"}] * 500}]},
        {"memory_refs": [], "rows": list(range(5_000))},
        {"picture": {"type": "image", "source": {"type": "base64", "data": "QUJD" * 5_000}}},
        {"picture": "data:image/png;base64," + "QUJD" * 5_000},
        [SimpleNamespace(content="short")] * 500,
    ],
    ids=lambda value: repr(value)[:50],
)
def test_messages_and_their_parts_keep_their_shape(memory: Memory, value: Any) -> None:
    assert memory.offload(value) == value
    assert memory.list() == [] and not memory.failures


def test_where_a_text_goes_the_data_around_it_stays(memory: Memory) -> None:
    value = [BIG, *range(5_000)]
    short = check(memory, value)
    assert short[1:] == value[1:] and len(memory.list()) == 1
    assert memory.offload(short) == short and len(memory.list()) == 1


@pytest.mark.parametrize(
    "message",
    [
        {"role": "tool", "tool_call_id": "1", "content": DATA["rows"]},
        {"role": "tool", "tool_call_id": "1", "content": DATA["numbers"]},
        {"type": "tool", "tool_call_id": "1", "content": DATA["rows"]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": DATA["rows"]}]},
        {"type": "function_call_output", "call_id": "1", "output": DATA["rows"]},
    ],
    ids=lambda message: repr(message)[:50],
)
def test_data_that_a_tool_answered_goes_with_a_reference(memory: Memory, message: dict[str, Any]) -> None:
    short = check(memory, message)
    (ref,) = short["memory_refs"]
    (entry,) = memory.list()
    assert ref["id"] == entry.id and (ref["type"], ref["mime"]) == ("tool_output", "application/json")
    assert len(repr(short)) < 2_000
    assert memory.offload(short) == short
    assert memory.hydrate(json.loads(json.dumps(short))) == message
    memory.delete(entry)
    assert memory.offload(short) == short
    with pytest.raises(EntryNotFoundError):
        memory.hydrate(short)


def test_data_that_can_not_be_stored_stays_and_it_is_seen(memory: Memory) -> None:
    errors: list[Exception] = []
    value = {"rows": list(range(5_000)), "what": object()}
    assert memory.offload(value, on_error=errors.append) is value
    assert [type(error) for error in errors] == [UnstorableValueError] and memory.failures == {"offload": 1}
    assert memory.offload({"what": value["what"]}) == {"what": value["what"]}
    assert memory.list() == [] and memory.failures == {"offload": 1}


def test_data_that_contains_itself_stays(memory: Memory) -> None:
    value: list[Any] = list(range(5_000))
    value.append(value)
    assert memory.offload(value)[:5_000] == value[:5_000] and memory.list() == [] and not memory.failures


# -- exactness --------------------------------------------------------------------------------------------------


def test_nothing_to_offload_is_a_copy(memory: Memory) -> None:
    message = {"role": "user", "content": ["a", {"b": "c"}]}
    short = memory.offload(message)
    assert short == message and short is not message and short["content"] is not message["content"]
    assert "memory_refs" not in short and memory.list() == []


def test_two_fields_of_the_same_text_come_back_and_are_stored_once(memory: Memory) -> None:
    short = check(memory, {"role": "tool", "content": BIG, "raw": BIG})
    first, second = (memory.entry(ref["id"]) for ref in short["memory_refs"])
    assert first.id != second.id and first.digest == second.digest
    assert len(memory.bp.select("memory.content.*")) == 1
    memory.delete(first)
    assert memory.value(second) == BIG


def test_references_that_were_there_before_come_back(memory: Memory) -> None:
    for refs in ([], ["mine"], {"id": 1}, None, "x", [{"id": "mem-20261121-151102-0af31c77", "title": "mine"}], [[]]):
        for content in (BIG, "short"):
            check(memory, {"memory_refs": refs, "role": "tool", "content": content})


def test_a_message_that_is_offloaded_goes_on(memory: Memory) -> None:
    short = memory.offload({"role": "tool", "content": BIG, "memory_refs": ["mine"]})
    more = memory.offload({**short, "more": OTHER})
    assert len(more["memory_refs"]) == 2
    assert memory.hydrate(more) == {"role": "tool", "content": BIG, "memory_refs": ["mine"], "more": OTHER}


def test_text_that_looks_like_a_marker_stays(memory: Memory) -> None:
    short = memory.offload({"role": "tool", "content": BIG})
    shown, (ref,) = short["content"], short["memory_refs"]
    marker = shown.rpartition("\n")[2]
    check(memory, {"role": "user", "content": shown})  # quoted, and no reference says so
    check(memory, {"role": "user", "content": "what is " + marker, "memory_refs": [ref]})
    check(memory, {"role": "user", "content": shown, "other": OTHER})
    check(memory, "what is " + marker)
    check(memory, marker * 200)
    check(memory, [shown + " ", "x" + shown])
    long = memory.offload({"role": "user", "content": "x" * 7_000 + marker, "memory_refs": [ref]})
    assert len(long["content"]) < 1_000 and memory.hydrate(long)["content"] == "x" * 7_000 + marker
    check(memory, {"arguments": '{"a": "' + marker + '"}', "memory_refs": [ref]})


def test_a_marker_of_another_store_stays_what_it_was(memory: Memory) -> None:
    foreign = Memory(Backpack()).offload({"role": "tool", "content": BIG})
    text = foreign["content"]
    for ref in ({**foreign["memory_refs"][0], "size": 4}, {"id": foreign["memory_refs"][0]["id"]}):
        unlike = {**foreign, "memory_refs": [ref]}
        assert memory.hydrate(memory.offload(unlike)) == unlike
    assert memory.hydrate(memory.offload(text)) == text
    with pytest.raises(EntryNotFoundError):
        memory.hydrate(foreign)
    with pytest.raises(EntryNotFoundError):
        memory.hydrate(text)


def test_a_text_that_was_edited_since_stays_as_it_was_edited(memory: Memory) -> None:
    short = memory.offload({"role": "tool", "content": BIG, "more": OTHER})
    short["content"] = "edited " + short["content"]
    back = memory.hydrate(short)
    assert back["content"] == short["content"] and back["more"] == OTHER
    assert back["memory_refs"] == short["memory_refs"][:1]


def test_what_was_there_before_stays_with_what_is_left(memory: Memory) -> None:
    short = memory.offload({"role": "tool", "content": BIG, "more": OTHER, "memory_refs": ["mine"]})
    back = memory.hydrate({**short, "more": "edited"})
    assert back["content"] == BIG and back["memory_refs"] == [{**short["memory_refs"][1], "replaced": ["mine"]}]


def test_nothing_in_what_comes_back_is_what_was_handed_in(memory: Memory) -> None:
    refs = ["mine"]
    assert memory.offload({"role": "tool", "content": "short", "memory_refs": refs})["memory_refs"] is not refs
    short = memory.offload({"role": "tool", "content": BIG})
    more = memory.offload({**short, "more": OTHER})
    assert more["memory_refs"][0] == short["memory_refs"][0] and more["memory_refs"][0] is not short["memory_refs"][0]


def test_what_stands_in_two_places_is_offloaded_in_both(memory: Memory) -> None:
    shared = {"text": BIG}
    short = check(memory, {"role": "tool", "content": [shared, shared], "many": [[n] for n in range(300)] + [[BIG]]})
    assert len(short["memory_refs"]) == 3


def test_what_is_gone_is_an_error_not_a_preview(memory: Memory) -> None:
    short = memory.offload({"role": "tool", "content": BIG})
    memory.delete(short["memory_refs"][0]["id"])
    with pytest.raises(EntryNotFoundError):
        memory.hydrate(short)


_texts = st.text(max_size=40) | st.text(min_size=30, max_size=120) | st.sampled_from(("\n" * 70, "ab" * 50, '{"a": 1}'))
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(("role", "content", "type", "memory_refs", "arguments", "text", "id")) | st.text(),
            inner | st.sampled_from(("tool", "human", "tool_result", "thinking", "base64", "user")),
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(_json, st.integers(1, 60), st.integers(0, 60))
def test_any_json_comes_back_and_is_not_touched(value: Any, limit: int, preview: int) -> None:
    memory = Memory(Backpack())
    before = copy.deepcopy(value)
    short = memory.offload(value, limit=limit, preview=preview)
    assert repr(value) == repr(before)
    assert repr(memory.hydrate(short)) == repr(value)
    assert memory.hydrate(json.loads(json.dumps(short))) == value
    assert memory.offload(short, limit=limit, preview=preview) == short


@given(st.lists(_json, min_size=2, max_size=3), st.integers(1, 60))
def test_what_was_offloaded_in_one_message_is_plain_text_in_another(values: list[Any], limit: int) -> None:
    memory = Memory(Backpack())
    quoted = json.dumps([memory.offload(value, limit=limit, preview=20) for value in values])
    message = {"role": "user", "content": quoted, "parts": json.loads(quoted)}
    for text in (quoted, repr(values)):
        assert memory.hydrate(memory.offload({"role": "user", "content": text}, limit=limit)) == {
            "role": "user",
            "content": text,
        }
    assert memory.hydrate(memory.offload(message, limit=10_000)) is not message


# -- failures ---------------------------------------------------------------------------------------------------


class Failing(StoreSink):
    """Fails from the n-th log on."""

    error: Exception = DiskFullError("no space left")
    left = 0

    def finish(self, values: Mapping[str, object], **labels: Any) -> None:
        if self.left <= 0:
            raise self.error
        self.left -= 1
        super().finish(values, **labels)


def failing(memory: Memory, left: int = 0) -> Memory:
    sink = Failing(memory.bp, memory.operations_log)
    sink.left = left
    return Memory(memory.bp, sink=sink)


def test_if_storing_fails_the_original_comes_back_and_it_is_seen(
    memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    events: list[Event] = []
    errors: list[Exception] = []
    memory.bp.subscribe(events.append, kinds="error")
    broken = failing(memory)
    message = {"role": "tool", "content": BIG}
    with caplog.at_level(logging.WARNING, "backpack"):
        assert broken.offload(message, on_error=errors.append) is message
    assert message == {"role": "tool", "content": BIG}
    assert broken.failures == {"offload": 1}
    assert caplog.messages == ["offload failed: error=DiskFullError"]
    assert [event.detail for event in events] == ["DiskFullError"] and errors == [Failing.error]
    assert memory.list() == []


def test_if_storing_one_of_several_fails_none_of_them_is_replaced(memory: Memory) -> None:
    message = {"role": "tool", "content": BIG, "more": OTHER}
    assert failing(memory, left=1).offload(message) is message
    assert failing(memory, left=2).offload(message) != message


def test_a_closed_store_leaves_the_original(tmp_path: Path) -> None:
    bp = backpack.open(tmp_path / "store")
    memory = Memory(bp)
    bp.close()
    assert memory.offload(BIG) is BIG
    assert memory.failures == {"offload": 1}


def test_a_store_that_may_only_be_read_leaves_the_original(tmp_path: Path) -> None:
    backpack.open(tmp_path / "store").close()
    with backpack.open(tmp_path / "store", mode="r") as bp:
        memory = Memory(bp)
        assert memory.offload(BIG) is BIG and memory.failures == {"offload": 1}


@pytest.mark.parametrize(
    "options",
    [
        {"limit": 0},
        {"limit": True},
        {"limit": 1.5},
        {"preview": -1},
        {"preview": "8"},
        {"type": "nonsense"},
        {"type": 3},
    ],
)
def test_arguments_that_mean_nothing_are_refused(options: dict[str, Any]) -> None:
    memory = Memory(Backpack())
    for value in (BIG, "short"):
        with pytest.raises(InvalidArgumentError):
            memory.offload(value, **options)
    assert memory.failures == {}


def test_damaged_content_is_an_error_on_hydrating(memory: Memory) -> None:
    short = memory.offload({"role": "tool", "content": BIG})
    digest = memory.entry(short["memory_refs"][0]["id"]).digest
    memory.bp.pack(f"memory.content.{digest}", ["nonsense"])
    with pytest.raises(CorruptionError):
        memory.hydrate(short)


def test_offloading_in_many_threads_loses_nothing(memory: Memory) -> None:
    async def all_at_once() -> list[Any]:
        jobs = (asyncio.to_thread(memory.offload, {"role": "tool", "content": BIG + str(n % 5)}) for n in range(40))
        return await asyncio.gather(*jobs)

    shorts = asyncio.run(all_at_once())
    assert [memory.hydrate(short)["content"] for short in shorts] == [BIG + str(n % 5) for n in range(40)]
    assert len(memory.list()) == 40 and len(memory.bp.select("memory.content.*")) == 5


def test_tasks_offload_and_hydrate_as_others_do(memory: Memory) -> None:
    message = {"role": "tool", "content": BIG}

    async def there_and_back() -> Any:
        with memory.bp.as_node("reader"):
            short = await memory.aoffload(message, title="t", tags=["a"])
        assert len(short["content"]) < 1_000
        return await memory.ahydrate(short)

    assert asyncio.run(there_and_back()) == message
    (entry,) = memory.list()
    assert (entry.title, entry.tags, entry.node) == ("t", ("a",), "reader")
    memory.bp.close()
    assert asyncio.run(memory.aoffload(message)) is message
    assert memory.failures == {"offload": 1}


class Uncopyable:
    """A message that can't be copied."""

    def __init__(self, content: str) -> None:
        self.content = content

    def __copy__(self) -> "Uncopyable":
        raise RuntimeError("not me")


class Stubborn(dict[str, Any]):
    """A dict that can't be copied, which shows only once its texts are through."""

    def __copy__(self) -> "Stubborn":
        raise RuntimeError("nor me")


def test_a_message_object_is_copied_or_stays_and_leaves_no_entry_that_nothing_refers_to() -> None:
    memory = Memory(Backpack())
    given = SimpleNamespace(role="user", content="x" * 7_000)
    short = memory.offload(given)
    assert len(short.content) < 1_000 and len(given.content) == 7_000 and memory.hydrate(short) == given
    count = len(memory.list())
    for kept in (Uncopyable("x" * 7_000), Stubborn(role="user", content="y" * 7_000)):
        assert memory.offload(kept) is kept
        assert len(memory.list()) == count
    assert memory.stats().failures == {"offload": 1}


def test_what_is_in_the_place_of_a_medium_and_is_no_base64_is_a_text() -> None:
    memory = Memory(Backpack())
    picture = base64.b64encode(bytes(range(256)) * 100).decode()
    wrapped = base64.encodebytes(bytes(range(256)) * 100).decode()
    for text in ("a,b\n" * 5_000, "a caption " * 2_000, "word\nlonger\n" * 2_000):
        for fields in ({"format": "csv"}, {"mime_type": "application/octet-stream"}, {"type": "image"}):
            message = {"role": "tool", "content": {**fields, "data": text}}
            short = memory.offload(message)
            assert len(short["content"]["data"]) < 1_000 and memory.hydrate(short) == message
    for data in (picture, wrapped, wrapped.replace("\n", "\r\n")):
        message = {"role": "user", "content": [{"type": "image", "mime_type": "image/png", "data": data}]}
        assert memory.offload(message) == message


def test_what_an_assistant_writes_into_a_call_is_output() -> None:
    memory = Memory(Backpack())
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": json.dumps({"x": "y" * 9_000})}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    short = memory.offload(message)
    assert short["memory_refs"][0]["type"] == "output" and memory.hydrate(short) == message


# -- what a model fetched ---------------------------------------------------------------------------------------


def test_what_a_tool_answered_stays_however_often_it_is_offloaded(memory: Memory) -> None:
    ref = memory.offload({"role": "tool", "content": BIG * 3})["memory_refs"][0]["id"]
    for arguments in ({"id": ref, "chunk": 0}, {"id": ref, "lines": [1, 900]}, {"id": ref, "pattern": "output"}):
        answer = memory.call_tool("memory_fetch", arguments)
        assert len(answer) > 6_000
        for shape in (
            {"role": "tool", "tool_call_id": "c", "content": answer},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": answer}]},
        ):
            assert memory.offload(shape) == shape
            assert Memory(memory.bp).offload([shape, shape]) == [shape, shape]
    assert len(memory.list()) == 1


def test_a_text_that_was_changed_since_a_tool_answered_it_goes(memory: Memory) -> None:
    entry = memory.log(BIG)
    answer = memory.call_tool("memory_fetch", {"id": entry.id})
    assert memory.offload(answer) == answer
    assert len(memory.offload(answer + ".")) < 1_000


def test_of_the_answers_of_tools_the_latest_are_known(memory: Memory) -> None:
    answers = memory.shared.answers
    for number in range(ANSWERS_MAX + 1):
        answers.add(f"answer {number}")
        assert answers.has("answer 0") or number == 0  # who is asked about stays
    assert len(answers) == ANSWERS_MAX
    assert answers.has("answer 0") and not answers.has("answer 1") and answers.has("answer 2")


def test_an_answer_is_known_whoever_else_is_as_long(memory: Memory) -> None:
    answers = memory.shared.answers
    for text in ("abc", "abc", "abd", ""):
        answers.add(text)
    assert answers.has("abc") and answers.has("abd") and answers.has("")
    assert not answers.has("abe") and not answers.has("ab")
    for number in range(ANSWERS_MAX - 1):
        answers.add(f"answer {number:05}")
    assert [answers.has(text) for text in ("abc", "abd", "")] == [False, False, True]  # asked for in this order
    for number in range(ANSWERS_MAX):
        answers.add(f"another answer {number:05}")
    assert not answers.has("") and not answers.has("answer 00000") and answers.has("another answer 00000")


# -- what is sent -----------------------------------------------------------------------------------------------


def test_a_model_is_sent_messages_without_references(memory: Memory) -> None:
    messages = [
        {"role": "user", "content": "run the tests"},
        {"role": "tool", "tool_call_id": "c", "content": BIG},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "d", "content": BIG}]},
        Message(content=BIG),
    ]
    kept = memory.offload(messages)
    before = copy.deepcopy(kept)
    sent = memory.for_model(kept)
    assert "memory_refs" not in repr(sent) and kept == before
    assert [one["content"] for one in sent[:2]] == [one["content"] for one in kept[:2]]
    assert sent[3].content == kept[3].content and sent[3].additional_kwargs == {}
    assert memory.hydrate(kept) == messages


def test_a_value_without_references_is_sent_as_it_is(memory: Memory) -> None:
    for value in ("text", b"bytes", None, 3, [], {"role": "user", "content": ["a", 1, None]}):
        assert memory.for_model(value) == value


# -- what is gone -----------------------------------------------------------------------------------------------


def test_a_message_whose_entry_is_gone_stays_as_it_is(memory: Memory) -> None:
    shown = [
        memory.offload({"role": "tool", "content": BIG}),
        memory.offload({"role": "tool", "content": OTHER}, preview=0),
        memory.offload({"role": "tool", "content": BIG.encode()}),
        memory.offload({"arguments": json.dumps({"path": "a.py", "text": BIG})}),
    ]
    other = Memory(Backpack())
    for one in shown:
        assert other.offload(one) == one and other.offload([one], limit=50) == [one]
        with pytest.raises(EntryNotFoundError):
            other.hydrate(other.offload(one))
        memory.delete(one["memory_refs"][0]["id"])
        assert memory.offload(one) == one
        with pytest.raises(EntryNotFoundError):
            memory.hydrate(memory.offload(one))
    assert memory.list() == other.list() == []


def test_a_message_whose_entry_was_pruned_stays_as_it_is() -> None:
    now = [1_800_000_000.0]
    memory = Memory(Backpack(), clock=lambda: now[0])
    shown = memory.offload([{"role": "tool", "content": BIG}, {"role": "tool", "content": BIG * 2}])
    now[0] += 40 * 86_400
    report = memory.prune(7, 0)
    assert len(report.removed) == len(report.emptied) == 1
    assert memory.offload(shown) == shown
    for one in shown:
        with pytest.raises(EntryPrunedError):
            memory.hydrate(memory.offload(one))


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_roles_types_and_the_ids_of_calls_stay_however_low_the_limit_is(limit: int) -> None:
    memory = Memory(Backpack())
    messages = [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "what is there?"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "input": {"path": "/a/b/c"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "a listing"}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "a long answer"},
        {"type": "function_call_output", "call_id": "call_2", "output": "another one"},
        {"type": "human", "content": "a question"},
    ]
    short = memory.offload(messages, limit=limit, preview=0)
    assert memory.hydrate(short) == messages
    for one, was in zip(short, messages, strict=True):
        for name in ("role", "type", "tool_call_id", "call_id"):
            assert one.get(name) == was.get(name)
    assert short[3]["content"][0] == {**messages[3]["content"][0], "content": short[3]["content"][0]["content"]}
    assert short[2]["content"][0]["type"] == "tool_use" and short[1]["content"][0]["type"] == "text"
    assert all("mem://" in str(one) for one in short)
    assert {entry.type for entry in memory.list()} == {"tool_output", "context", "output"}


def test_a_long_text_in_a_field_called_role_or_type_is_a_text() -> None:
    memory = Memory(Backpack())
    value = {"role": "x" * 7_000, "type": "y" * 7_000, "call_id": "z" * 7_000}
    short = memory.offload(value)
    assert len(str(short)) < 4_000 and memory.hydrate(short) == value
