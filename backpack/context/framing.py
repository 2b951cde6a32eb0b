"""How many tokens a message has, whatever its shape: its texts and calls, and what stands around them.

Understood are the dicts and objects of OpenAI (chat and responses), Anthropic (content in blocks), Gemini (parts) and
LangChain. Around each message OpenAI's models have `MESSAGE_TOKENS` and one token for the role, around a name and
around a call a few more, and each reply is primed with `REPLY_TOKENS`: figures that OpenAI documents for its chat
format; others have about as many. Ids of calls are not counted (models don't see them), nor is encrypted reasoning.

Pictures, sound and files cost by their size in pixels or seconds, which nobody can tell from here: each counts as
`MEDIUM_TOKENS`, a picture in low detail as `LOW_DETAIL_TOKENS`, and never as the base64 that it travels in.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from backpack.errors import InvalidArgumentError
from backpack.memory.rendering import text_of_value
from backpack.memory.shapes import CALL_ITEMS, CALLS, MEDIA, attributes, kind_of, unwrapped

MESSAGE_TOKENS: Final = 3
ROLE_TOKENS: Final = 1
NAME_TOKENS: Final = 1
CALL_TOKENS: Final = 3
REPLY_TOKENS: Final = 3

MEDIUM_TOKENS: Final = 1_000
"""A picture of 1,024 x 1,024 is 765 tokens for gpt-4o and about 1,400 for Claude."""

LOW_DETAIL_TOKENS: Final = 85

Count = Callable[[str], int]

_CALLS: Final = CALLS | CALL_ITEMS
_HIDDEN: Final = frozenset(("redacted_thinking", "encrypted_content", "signature", "cache_control", "id", "type"))
"""Fields and blocks that are no text for the model, or that nobody can count."""

_TEXTS: Final = ("text", "thinking", "refusal", "reasoning", "reasoning_content")
_ANSWERS: Final = ("content", "output", "summary", "parts")


def message_tokens(message: Any, count: Count) -> int:
    """Tokens of one message with what stands around it. Each text in it is counted once."""
    fields: Mapping[str, Any] | None = {"content": message} if isinstance(message, str) else _fields(message)
    if fields is None:
        raise InvalidArgumentError(f"a message is a dict, a message object or a text: type={type(message).__name__}")
    fields = unwrapped(fields)
    try:
        tokens = MESSAGE_TOKENS + ROLE_TOKENS + _block(fields, count)
    except RecursionError:
        raise InvalidArgumentError("a message holds containers within containers, too deep to be read") from None
    name = fields.get("name")
    if isinstance(name, str) and name and kind_of(fields) not in _CALLS:
        tokens += NAME_TOKENS + count(name)
    return tokens


def _block(fields: Mapping[str, Any], count: Count) -> int:
    """A message or a block of one: its texts, its calls, what it holds in turn."""
    kind = kind_of(fields)
    if kind in _CALLS:
        return _call(fields, count)
    if kind in MEDIA or "inline_data" in fields or "inlineData" in fields:
        return _medium(fields, count)
    if kind in _HIDDEN:
        return 0
    tokens = sum(count(fields[field]) for field in _TEXTS if isinstance(fields.get(field), str))
    known = [field for field in _ANSWERS if fields.get(field) is not None]
    tokens += sum(_content(fields[field], count) for field in known)
    tokens += _calls(fields, count)
    is_understood = known or "role" in fields or any(field in fields for field in (*_TEXTS, *_ANSWERS, "tool_calls"))
    if tokens == 0 and not is_understood:
        tokens = count(as_text({field: item for field, item in fields.items() if field not in _HIDDEN}))
    return tokens


def _content(content: Any, count: Count) -> int:
    if content is None:
        return 0
    if isinstance(content, str):
        return count(content)
    if isinstance(content, bytes | bytearray):
        return MEDIUM_TOKENS
    if isinstance(content, list | tuple):
        return sum(_content(item, count) for item in content)
    fields = _fields(content)
    return count(as_text(content)) if fields is None else _block(fields, count)


def _calls(fields: Mapping[str, Any], count: Count) -> int:
    """The calls of a message. LangChain keeps them up to three times: in its own form, in blocks, in the provider's."""
    content = fields.get("content")
    in_blocks: set[str | None] = set()
    if isinstance(content, list | tuple):
        blocks = [_fields(item) for item in content]
        in_blocks = {_id(block.get("id")) for block in blocks if block is not None and kind_of(block) in _CALLS}
    calls = [*_items(fields.get("tool_calls")), *_items(fields.get("invalid_tool_calls"))]
    if not calls:
        kwargs = fields.get("additional_kwargs")
        calls = _items(kwargs.get("tool_calls")) if isinstance(kwargs, Mapping) else []
    tokens = 0
    for call in calls:
        parts = _fields(call) or {}
        if not in_blocks or _id(parts.get("id")) not in in_blocks:
            tokens += _call(parts, count)
    for field in ("function_call", "functionCall", "functionResponse", "function_response"):
        single = _fields(fields.get(field))
        if single is not None:
            tokens += _call(single, count)
    return tokens


def _call(call: Mapping[str, Any], count: Count) -> int:
    """A call: the name of the tool and its arguments, as text or as values."""
    function = _fields(call.get("function")) or call
    tokens = CALL_TOKENS
    name = function.get("name")
    if isinstance(name, str):
        tokens += count(name)
    for field in ("arguments", "args", "input", "response"):
        if function.get(field) is not None:
            return tokens + count(as_text(function[field]))
    return tokens


def _medium(fields: Mapping[str, Any], count: Count) -> int:
    """A picture, a sound or a file; a document that is given as text is its text."""
    for place in (fields, fields.get("source"), fields.get("file"), fields.get("image_url")):
        if isinstance(place, Mapping):
            if place.get("detail") == "low":
                return LOW_DETAIL_TOKENS
            if place.get("type") == "text" and isinstance(place.get("data"), str):
                return count(place["data"])
            if place.get("type") == "content":
                return _content(place.get("content"), count)
    return MEDIUM_TOKENS


def as_text(value: Any) -> str:
    """A value as the text that a model is shown: itself, or JSON."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError):  # keys that JSON has not, a list within itself
        return _shown(value)
    except RecursionError:
        raise InvalidArgumentError("a message holds containers within containers, too deep to be read") from None


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except ValueError:  # there is an integer in it that Python doesn't write out
        return text_of_value(value)


def _fields(value: Any) -> Mapping[str, Any] | None:
    """The fields of a message, a block or a call; None where it has none."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, str | bytes | list | tuple | int | float) or value is None:
        return None
    found = attributes(value)
    if found is None:
        found = getattr(value, "__dict__", None)
    return found if isinstance(found, dict) else None


def _items(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _id(value: Any) -> str | None:
    return value if isinstance(value, str) else None
