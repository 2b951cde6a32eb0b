"""A view of a message says the same for every shape."""

import json
from types import SimpleNamespace
from typing import Any

import pydantic
import pytest
from hypothesis import given

from backpack.context.message import Call, view

from .conversations import MESSAGES, calls, result

MEM = "mem-20261121-151102-0af31c77"


class Human(pydantic.BaseModel):
    """As LangChain's messages are."""

    content: Any
    additional_kwargs: dict[str, Any] = {}
    type: str = "human"


class Answering(Human):
    type: str = "ai"
    tool_calls: list[Any] = []


class Tool(Human):
    type: str = "tool"
    tool_call_id: str = ""
    status: str = "success"


class Function(pydantic.BaseModel):
    name: str
    arguments: str


class SdkCall(pydantic.BaseModel):
    id: str
    function: Function


class SdkMessage(pydantic.BaseModel):
    role: str
    content: str | None
    tool_calls: list[SdkCall] | None = None


@pytest.mark.parametrize(
    ("message", "role"),
    [
        ({"role": "developer", "content": "x"}, "system"),
        ({"role": "user", "content": "x"}, "user"),
        ({"role": "user", "content": [{"type": "text", "text": "x"}]}, "user"),
        ({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]}, "assistant"),
        ({"type": "human", "content": "x"}, "user"),
        ({"type": "human", "data": {"content": "x"}}, "user"),
        ({"lc": 1, "type": "constructor", "id": ["langchain", "HumanMessage"], "kwargs": {"content": "x"}}, "user"),
        ({"role": "model", "parts": [{"text": "x"}]}, "assistant"),
        ({"role": "critic", "content": "x"}, "assistant"),
        ({"role": "assistant", "content": None, "refusal": "x"}, "assistant"),
        (Human(content="x"), "user"),
        (Answering(content=[{"type": "text", "text": "x"}]), "assistant"),
        (SdkMessage(role="assistant", content="x"), "assistant"),
        (SimpleNamespace(role="user", content="x"), "user"),
        ("x", "user"),
    ],
)
def test_who_speaks_and_what_is_found_in_any_shape(message: Any, role: str) -> None:
    assert (view(message).role, view(message).text) == (role, "x")


CALL = Call("1", "look_up", '{"a":1,"b":2}')


@pytest.mark.parametrize(
    "message",
    [
        calls("1", b=2, a=1),
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "1", "name": "look_up", "input": {"b": 2, "a": 1}}],
        },
        Answering(content="", tool_calls=[{"name": "look_up", "args": {"b": 2, "a": 1}, "id": "1"}]),
        Answering(
            content=[{"type": "tool_use", "id": "1", "name": "look_up", "input": {"b": 2, "a": 1}}],
            tool_calls=[{"name": "look_up", "args": {"b": 2, "a": 1}, "id": "1"}],
        ),
        Answering(content="", additional_kwargs={"tool_calls": calls("1", b=2, a=1)["tool_calls"]}),
        SdkMessage(
            role="assistant",
            content=None,
            tool_calls=[SdkCall(id="1", function=Function(name="look_up", arguments='{"b": 2, "a": 1}'))],
        ),
        {"type": "function_call", "call_id": "1", "name": "look_up", "arguments": '{"b": 2, "a": 1}'},
        {"type": "ai", "content": "", "tool_calls": [{"name": "look_up", "args": {"b": 2, "a": 1}, "id": "1"}]},
    ],
)
def test_a_call_is_the_same_in_any_shape(message: Any) -> None:
    assert view(message).calls == (CALL,)
    assert view(message).role == "assistant"


@pytest.mark.parametrize(
    "message",
    [
        result("1", "found"),
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "found"}]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "found"}]}],
        },
        Tool(content="found", tool_call_id="1"),
        {"type": "tool", "data": {"content": "found", "tool_call_id": "1"}},
        {"type": "function_call_output", "call_id": "1", "output": "found"},
    ],
)
def test_a_result_is_the_same_in_any_shape(message: Any) -> None:
    found = view(message)
    assert (found.role, found.text, found.result_of, found.is_error) == ("tool", "found", ("1",), False)


def test_a_result_beside_a_question_is_of_the_user() -> None:
    block = {"type": "tool_result", "tool_use_id": "1", "content": "found"}
    found = view({"role": "user", "content": [block, {"type": "text", "text": "And now?"}]})
    assert (found.role, found.result_of) == ("user", ("1",))
    assert view({"role": "user", "content": [block, {"type": "image", "source": {}}]}).role == "user"


def test_a_legacy_call_and_its_result_find_each_other_by_name() -> None:
    asked = view({"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}})
    told = view({"role": "function", "name": "f", "content": "found"})
    assert asked.calls[0].id == told.result_of[0] == "function:f"


@pytest.mark.parametrize(
    "message",
    [
        result("1", "Error: no seats left"),
        result("1", '{"error": "no seats"}'),
        result("1", "Traceback (most recent call last):"),
        Tool(content="x", tool_call_id="1", status="error"),
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "is_error": True, "content": "x"}]},
    ],
)
def test_an_error_is_seen(message: Any) -> None:
    assert view(message).is_error


def test_what_a_person_says_is_never_an_error() -> None:
    assert not view({"role": "user", "content": "Error: what does that mean?"}).is_error


def test_references_are_found_in_fields_and_in_texts() -> None:
    named = {"memory_refs": [{"id": MEM}, {"id": 3}, "mem://x", None]}
    assert view({"role": "user", "content": "", **named}).refs == (MEM,)
    assert view(Human(content="x", additional_kwargs=named)).refs == (MEM,)
    assert view({"role": "tool", "content": f"beginning\n[... 9 characters, 1 line more: mem://{MEM} ...]"}).refs == (
        MEM,
    )


def test_signed_reasoning_is_no_text_and_belongs_to_what_follows() -> None:
    item = view({"type": "reasoning", "id": "rs_1", "summary": [{"text": "x"}]})
    assert (item.text, item.is_leading) == ("", True)
    assert view({"role": "assistant", "content": [{"type": "thinking", "thinking": "x", "text": "y"}]}).text == ""


def test_a_system_message_calls_nothing_whatever_it_holds() -> None:
    blocks = [{"type": "tool_use", "id": "1", "name": "f"}, {"type": "tool_result", "tool_use_id": "1", "content": "x"}]
    found = view({"role": "system", "content": blocks})
    assert (found.calls, found.results, found.text) == ((), (), "x")


def test_half_of_a_pair_in_arguments_stays_escaped() -> None:
    message = calls("1")
    message["tool_calls"][0]["function"]["arguments"] = '{"a": "\\ud800"}'
    view(message).calls[0].arguments.encode()


def test_deep_and_cyclic_contents_end() -> None:
    cyclic: dict[str, Any] = {"type": "text"}
    cyclic["content"] = [cyclic, cyclic]
    assert view({"role": "user", "content": [cyclic]}).role == "user"
    message = calls("1")
    message["tool_calls"][0]["function"]["arguments"] = "[" * 100_000
    assert view(message).calls[0].name == "look_up"


@given(MESSAGES)
def test_any_value_has_a_view_and_stays_what_it_was(message: Any) -> None:
    before = json.dumps(message, default=repr)
    found = view(message)
    assert found.role in ("system", "user", "assistant", "tool")
    assert isinstance(found.text, str) and found.raw is message
    assert before == json.dumps(message, default=repr)
