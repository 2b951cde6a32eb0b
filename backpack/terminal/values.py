"""Values of any kind as JSON, or as lines of text, for people and programs outside of Python.

JSON has fewer kinds of values than Python, so this goes one way. What has no counterpart is written as what comes
nearest: tuples, deques and sets as lists, dicts with other keys than text as lists of pairs, times as ISO 8601, all
else as Python writes it. Whether anything was is told along.
"""

import json
import math
from collections import deque
from collections.abc import Mapping
from datetime import date, time
from typing import Any, Final

from backpack.terminal.words import printable, text_of_atom

_INDENT: Final = 2
_TAB: Final = 8
_DIGITS_BITS_MAX: Final = 13_000


def as_json(value: Any) -> tuple[Any, bool]:
    """The value in kinds that JSON has, and whether it is exactly the value. Cost: O(size), depth as it nests."""
    if value is None or type(value) in (bool, str):
        return value, True
    if type(value) is int:
        return (value, True) if value.bit_length() <= _DIGITS_BITS_MAX else (text_of_atom(value), False)
    if type(value) is float:
        return (value, True) if math.isfinite(value) else (repr(value), False)
    if isinstance(value, Mapping):
        return _pairs_as_json(value)
    if isinstance(value, list | tuple | deque | set | frozenset):
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        pairs = [as_json(item) for item in items]
        return [item for item, _ in pairs], type(value) is list and all(is_exact for _, is_exact in pairs)
    if isinstance(value, date | time):
        return value.isoformat(), False
    return repr(value), False


def json_text(document: Any, *, indent: int | None = None) -> str:
    """A document of such values as JSON of plain ASCII: nothing in it means anything to a terminal."""
    return json.dumps(document, indent=indent).replace("\x7f", "\\u007f")


def value_lines(value: Any) -> list[str]:
    """A value as lines that are safe for any terminal: a text as its own lines, all else as JSON."""
    plain, _ = as_json(value)
    text = plain if isinstance(plain, str) else json.dumps(plain, indent=_INDENT, ensure_ascii=False)
    return [printable(line.expandtabs(_TAB)) for line in text.replace("\r\n", "\n").split("\n")]


def flow(value: Any) -> str:
    """A value in one line with all that is in it: `{question: "book?", hotels: ["Bella"]}`."""
    plain, _ = as_json(value)
    return _flow(plain)


def _flow(plain: Any) -> str:
    if isinstance(plain, dict):
        return f"{{{', '.join(f'{name}: {_flow(item)}' for name, item in plain.items())}}}"
    if isinstance(plain, list):
        return f"[{', '.join(map(_flow, plain))}]"
    return json.dumps(plain, ensure_ascii=False)


def _pairs_as_json(value: Mapping[Any, Any]) -> tuple[Any, bool]:
    pairs = {key: as_json(item) for key, item in value.items()}
    if all(type(key) is str for key in pairs):
        is_exact = type(value) is dict and all(is_exact for _, is_exact in pairs.values())
        return {key: item for key, (item, _) in pairs.items()}, is_exact
    return [[as_json(key)[0], item] for key, (item, _) in pairs.items()], False
