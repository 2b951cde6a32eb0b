"""Tokens of messages of every shape, and of the definitions of tools."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.context import TokenTracker
from backpack.context.framing import (
    CALL_TOKENS,
    LOW_DETAIL_TOKENS,
    MEDIUM_TOKENS,
    MESSAGE_TOKENS,
    NAME_TOKENS,
    ROLE_TOKENS,
    message_tokens,
)
from backpack.errors import InvalidArgumentError

FRAME = MESSAGE_TOKENS + ROLE_TOKENS
ARGUMENTS = '{"id": "ZFA04Y"}'
CALLED = CALL_TOKENS + len("get") + len(ARGUMENTS)


def tokens(message: Any) -> int:
    """With a token a character, so that it can be seen what was counted, and that nothing was twice."""
    return message_tokens(message, len)


MESSAGES: list[tuple[Any, int]] = [
    ("hello", 5),
    ({"role": "user", "content": "hello"}, 5),
    ({"role": "user", "content": ""}, 0),
    ({"role": "assistant", "content": None}, 0),
    ({"role": "user", "name": "ada", "content": "hello"}, 5 + NAME_TOKENS + 3),
    ({"role": "user", "content": [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]}, 5),
    ({"role": "assistant", "content": None, "refusal": "no"}, 2),
    ({"role": "assistant", "reasoning_content": "hmm", "content": "so"}, 5),
    (
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "get", "arguments": ARGUMENTS}},
                {"id": "c2", "type": "function", "function": {"name": "get", "arguments": ARGUMENTS}},
            ],
        },
        2 * CALLED,
    ),
    ({"role": "assistant", "content": None, "function_call": {"name": "get", "arguments": ARGUMENTS}}, CALLED),
    ({"role": "tool", "tool_call_id": "c1", "content": "result"}, 6),
    (
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "hello"},
                {"type": "tool_use", "id": "t1", "name": "get", "input": {"id": "ZFA04Y"}},
                {"type": "thinking", "thinking": "hmm", "signature": "x" * 500},
                {"type": "redacted_thinking", "data": "x" * 500},
            ],
        },
        5 + CALLED + 3,
    ),
    ({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "result"}]}, 6),
    (
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "result"}]},
                {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "more"}]},
            ],
        },
        10,
    ),
    ({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}, 5),
    ({"type": "function_call", "call_id": "c1", "name": "get", "arguments": ARGUMENTS}, CALLED),
    ({"type": "function_call_output", "call_id": "c1", "output": "result"}, 6),
    ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "hmm"}], "encrypted_content": "x" * 500}, 3),
    (
        {"role": "model", "parts": [{"text": "hello"}, {"functionCall": {"name": "get", "args": {"id": "ZFA04Y"}}}]},
        5 + CALLED,
    ),
    ({"role": "user", "parts": [{"functionResponse": {"name": "get", "response": {"id": "ZFA04Y"}}}]}, CALLED),
    ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:," + "x" * 9999}}]}, MEDIUM_TOKENS),
    (
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}]},
        LOW_DETAIL_TOKENS,
    ),
    (
        {"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "x" * 9999}}]},
        MEDIUM_TOKENS,
    ),
    ({"role": "user", "content": [{"type": "document", "source": {"type": "text", "data": "hello"}}]}, 5),
    ({"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": "x" * 9999}}]}, MEDIUM_TOKENS),
    (SimpleNamespace(role="assistant", content="hello", tool_calls=None), 5),
    ({"type": "human", "data": {"content": "hello", "type": "human"}}, 5),
    ({"anything": "else"}, len('{"anything": "else"}')),
]


@pytest.mark.parametrize(("message", "inside"), MESSAGES)
def test_a_message_has_the_tokens_of_what_is_in_it(message: Any, inside: int) -> None:
    assert tokens(message) == FRAME + inside


@pytest.mark.parametrize("message", [None, 3, 2.5, b"bytes", ["a", "list"], object])
def test_what_is_no_message_is_refused(message: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="type="):
        tokens(message)


def test_what_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidArgumentError, match="too deep"):
        tokens({"role": "user", "content": endless})
    strange = {"role": "assistant", "tool_calls": [{"name": "get", "args": {(1, 2): {3}}}]}
    assert tokens(strange) == FRAME + CALL_TOKENS + 3 + len("{(1, 2): {3}}")


def test_messages_of_langchain_count_each_call_once() -> None:
    kinds = pytest.importorskip("langchain_core.messages")
    call = {"name": "get", "args": {"id": "ZFA04Y"}, "id": "c1", "type": "tool_call"}
    raw = {"id": "c1", "type": "function", "function": {"name": "get", "arguments": ARGUMENTS}}
    block = {"type": "tool_use", "id": "c1", "name": "get", "input": {"id": "ZFA04Y"}}
    assert tokens(kinds.HumanMessage("hello")) == FRAME + 5
    assert tokens(kinds.SystemMessage("hello")) == FRAME + 5
    assert tokens(kinds.ToolMessage("result", tool_call_id="c1")) == FRAME + 6
    assert tokens(kinds.AIMessage("", tool_calls=[call])) == FRAME + CALLED
    assert tokens(kinds.AIMessage("", tool_calls=[call], additional_kwargs={"tool_calls": [raw]})) == FRAME + CALLED
    assert tokens(kinds.AIMessage([{"type": "text", "text": "hello"}, block], tool_calls=[call])) == FRAME + 5 + CALLED
    assert tokens({"lc": 1, "type": "constructor", "kwargs": {"content": "hello"}}) == FRAME + 5


FIELDS = ["role", "content", "type", "text", "tool_calls", "function", "name", "input", "parts", "source", "id"]
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.sampled_from(FIELDS), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(FIELDS), _VALUES))
def test_any_dict_has_a_count(message: dict[str, Any]) -> None:
    assert tokens(message) >= FRAME


def test_a_prompt_has_what_openai_counts_for_it() -> None:
    messages = [
        {"role": "system", "content": "You are a helpful assistant that can answer to questions about the weather."},
        {"role": "user", "content": "What's the weather like in San Francisco?"},
    ]
    tools = [WEATHER]
    counts = {}
    for model in ("gpt-4o", "gpt-4"):
        tracker = TokenTracker(model)
        counts[model] = tracker.count_messages(messages) + tracker.count_tools(tools)
    assert counts == {"gpt-4o": 101, "gpt-4": 105}  # what the API itself says, by OpenAI's documentation


WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_current_weather",
        "description": "Get the current weather in a given location",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
                "unit": {
                    "type": "string",
                    "description": "The unit of temperature to return",
                    "enum": ["celsius", "fahrenheit"],
                },
            },
            "required": ["location"],
        },
    },
}


def test_definitions_of_all_providers_count_alike() -> None:
    tracker, function = TokenTracker(), WEATHER["function"]
    named = {"name": function["name"], "description": function["description"]}
    openai = tracker.count_tools([WEATHER])
    assert openai > 40
    assert tracker.count_tools([{**named, "input_schema": function["parameters"]}]) == openai
    assert tracker.count_tools([{"type": "function", **function}]) == openai
    tool = SimpleNamespace(**named, args_schema=function["parameters"])
    assert tracker.count_tools([tool]) == openai


def test_definitions_count_more_the_more_they_say() -> None:
    tracker = TokenTracker()
    nested = {"type": "object", "properties": {"items": {"type": "array", "items": WEATHER["function"]["parameters"]}}}
    deep = {"name": "f", "parameters": nested}
    assert tracker.count_tools([]) == 0
    assert 12 < tracker.count_tools([{"name": "f"}]) < tracker.count_tools([deep])
    assert tracker.count_tools([deep, WEATHER]) > tracker.count_tools([WEATHER])
    assert tracker.count_tools([{"type": "web_search"}]) > 12


@pytest.mark.parametrize("tools", [None, {"name": "f"}, "tools", [print], [3]])
def test_what_defines_no_tools_is_refused(tools: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="type="):
        TokenTracker().count_tools(tools)
