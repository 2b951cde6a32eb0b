"""A stored value as text, for models and people: JSON, with everything that JSON has not as the text it prints.

Slices of a value are slices of this text. It depends on the value alone: members of sets are sorted.
"""

import json
from collections.abc import Mapping
from typing import Any


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
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((_plain(one) for one in value), key=repr)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value)
