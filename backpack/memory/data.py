"""Data: lists and dicts that are no messages, hold none, and are no part of one. Only these may become a text as a
whole: all else has a shape that providers and programs rely on.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from backpack.limits import VALUE_DEPTH_MAX
from backpack.memory.messages import REFS
from backpack.memory.shapes import RESULTS, SIGNED, attributes, is_data_url, is_medium, is_message

_LEAVES: Final = frozenset((int, float, bool, type(None), bytes))
_PARTS: Final = RESULTS | SIGNED | frozenset(("tool_use", "server_tool_use", "tool_call", "function_call", "document"))
"""What content blocks say in `type`. Others have a field of the same name: `{"type": "text", "text": "..."}`."""


def is_data(value: Any) -> bool:
    """Is it a list, tuple or dict in which there is no message, content block, medium, or `memory_refs`? O(items).

    What contains itself, and what is nested deeper than a value may be, is none.
    """
    return type(value) in (list, tuple, dict) and _is_data(value, set())


def is_answered_data(value: Any) -> bool:
    """Is it data in the place of a message's content? A list that may be one of content blocks or texts is none."""
    if isinstance(value, list) and all(isinstance(one, str) or _type_of(one) for one in value):
        return False
    return is_data(value) and not _type_of(value)


def _is_data(value: Any, within: set[int]) -> bool:
    kind = type(value)
    if kind is str:
        return not is_data_url(value)
    if kind in _LEAVES:
        return True
    items: Iterable[Any]
    if isinstance(value, dict):
        if REFS in value or is_message(value) or _is_part(value) or is_medium(value):
            return False
        items = value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        items = value
    else:
        return attributes(value) is None
    mark = id(value)
    if mark in within or len(within) >= VALUE_DEPTH_MAX:
        return False
    within.add(mark)
    try:
        return all(_is_data(one, within) for one in items)
    finally:
        within.discard(mark)


def _is_part(value: Mapping[Any, Any]) -> bool:
    kind = _type_of(value)
    return kind in _PARTS or (kind != "" and kind in value)


def _type_of(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else ""
