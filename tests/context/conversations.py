"""Conversations for tests: plain ones, and any that Hypothesis can think of."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from backpack.context.message import View, view

IDS = st.sampled_from(["", "1", "2", "3", "call_a"])
TEXTS = st.sampled_from(
    ["", "yes", "Is BX-1 late?", "Error: no seats left on HAT069", "word " * 300, "\ud800", "ünï\n\nx"]
)
STRANGE = st.sampled_from(
    [None, 0, 1.5, True, b"\xff", (), [], {}, [[]], {"type": 7}, {"type": []}, [None, 3], object()]
)


def views_of(messages: Sequence[Any]) -> list[View]:
    return [view(message) for message in messages]


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def system(text: str) -> dict[str, Any]:
    return {"role": "system", "content": text}


def calls(*ids: str, name: str = "look_up", text: str | None = None, **arguments: Any) -> dict[str, Any]:
    made = [
        {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}} for id in ids
    ]
    return {"role": "assistant", "content": text, "tool_calls": made}


def result(id: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": text}


def words(view: View) -> int:
    """A count of tokens for tests: words, and four for the frame."""
    return 4 + len(view.text.split()) + sum(1 + len(call.arguments) // 4 for call in view.calls)


def count(text: str) -> int:
    """A count of tokens for tests: four characters each, rounded up."""
    return -(-len(text) // 4)


BLOCKS = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, TEXTS),
    st.builds(lambda id, value: {"type": "tool_use", "id": id, "name": "f", "input": value}, IDS, STRANGE),
    st.builds(lambda id, text: {"type": "tool_result", "tool_use_id": id, "content": text}, IDS, TEXTS | STRANGE),
    st.builds(
        lambda id: {"type": "tool_result", "tool_use_id": id, "is_error": True, "content": [{"text": "no"}]}, IDS
    ),
    STRANGE,
)
MESSAGES = st.one_of(
    st.builds(user, TEXTS),
    st.builds(said, TEXTS),
    st.builds(system, TEXTS),
    st.builds(lambda ids, text: calls(*ids, text=text), st.lists(IDS, min_size=1, max_size=4), TEXTS),
    st.builds(result, IDS, TEXTS),
    st.builds(
        lambda role, blocks: {"role": role, "content": blocks},
        st.sampled_from(["user", "assistant", "system"]),
        st.lists(BLOCKS, max_size=4),
    ),
    st.builds(lambda id: {"type": "function_call", "call_id": id, "name": "f", "arguments": "{"}, IDS),
    st.builds(lambda id, text: {"type": "function_call_output", "call_id": id, "output": text}, IDS, TEXTS | STRANGE),
    st.just({"type": "reasoning", "id": "rs_1", "summary": []}),
    st.builds(
        lambda role, content, given: {"role": role, "content": content, "tool_calls": given},
        st.sampled_from(["user", "assistant", "tool", "critic"]) | STRANGE,
        STRANGE,
        STRANGE,
    ),
    STRANGE,
)
CONVERSATIONS = st.lists(MESSAGES, max_size=40)
