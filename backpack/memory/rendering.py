"""A stored value as text, for models and people: JSON, with everything that JSON has not as the text it prints.

Slices of a value are slices of this text. It depends on the value alone: members of sets are sorted. Integers that
Python refuses to write out are in hexadecimal.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

_LONG: Final = 10**4300
"""The first integer that `str` refuses, unless it is told otherwise."""


def text_of_value(value: Any) -> str:
    """The text of a value; a str is itself.

    >>> print(text_of_value({"when": (1, 2), 3: b"ab"}))
    {
     "when": [
      1,
      2
     ],
     "3": "b'ab'"
    }
    """
    if isinstance(value, str):
        return value
    return json.dumps(_plain(value), ensure_ascii=False, indent=1)


def _plain(value: Any) -> Any:
    if isinstance(value, int) and not -_LONG < value < _LONG:
        return hex(value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else said(key): _plain(one) for key, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((_plain(one) for one in value), key=repr)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return said(value)


def said(value: Any) -> str:
    """As `str` has it; where that refuses an integer in it, hexadecimal, or what type it is."""
    try:
        return str(value)
    except ValueError:
        return hex(value) if isinstance(value, int) else type(value).__name__
