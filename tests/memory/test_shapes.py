"""What all who read messages agree on: roles, the forms that LangChain writes, media."""

from typing import Any

import pytest

from backpack.context import view
from backpack.context.framing import message_tokens
from backpack.memory.shapes import LANGCHAIN_ROLES, ROLES, is_medium, is_message, speaker_of, unwrapped

HELLO = {"content": "hello there"}


def words(text: str) -> int:
    return len(text.split())


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ({"type": "human", "data": HELLO}, "human"),
        ({"lc": 1, "type": "constructor", "id": ["langchain", "AIMessage"], "kwargs": HELLO}, "AIMessage"),
        ({"lc": 1, "type": "constructor", "id": ["langchain", "Other"], "kwargs": HELLO}, None),
        ({"lc": 1, "type": "constructor", "kwargs": HELLO}, None),
        ({"type": "chat", "data": {**HELLO, "role": "user"}}, None),
    ],
)
def test_what_langchain_wrote_down_is_read_the_same_by_all(written: dict[str, Any], kind: str | None) -> None:
    fields = unwrapped(written)
    assert fields.get("type") == kind
    assert fields["content"] == view(written).text == "hello there"
    assert message_tokens(written, words) == message_tokens(HELLO, words)
    assert view(written).role == ROLES.get(kind or fields.get("role", ""), "assistant")


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "human", "content": "outside", "data": HELLO},
        {"type": "report", "data": HELLO},
        {"type": "human", "data": "text"},
        {"kwargs": {"x": 1}},
    ],
)
def test_other_fields_stay_as_they_are(fields: dict[str, Any]) -> None:
    assert unwrapped(fields) is fields


def test_a_type_of_langchain_says_who_speaks_and_makes_a_message() -> None:
    for kind, role in LANGCHAIN_ROLES.items():
        assert speaker_of({"type": kind}) == role == view({"type": kind, **HELLO}).role
        assert is_message({"type": kind, **HELLO})
        assert not is_message({"type": kind})
    assert speaker_of({"type": "function", "function": {}}) == ""
    assert not is_message({"type": "user", **HELLO})


def test_a_medium_is_told_by_its_type_its_format_or_its_mime() -> None:
    for fields in ({"type": "image"}, {"format": "wav", "data": ""}, {"media_type": "image/png"}):
        assert is_medium(fields)
    assert not is_medium({"type": "document", "media_type": "text/plain", "data": "x"})
