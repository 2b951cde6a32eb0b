"""Values as a serializer wrote them: a type tag and bytes, carried from one place to another without being opened.

What has to be looked into, such as metadata, comes out as lists, dicts and texts with extension types left as they
are, or as a `Raw` again: two values are equal when the serializer wrote the same. No class is imported for it.
"""

from dataclasses import dataclass
from math import isnan
from typing import Any, Final

import msgpack

MSGPACK: Final = "msgpack"


@dataclass(frozen=True, slots=True)
class Raw:
    """A value in its serialized form."""

    type: str
    data: bytes


def opened(value: Raw) -> Any:
    """What the bytes have in them, as far as that is plain msgpack; else the `Raw`. Cost: O(size)."""
    if value.type != MSGPACK:
        return value
    try:
        return msgpack.unpackb(value.data, ext_hook=msgpack.ExtType, strict_map_key=False)
    except (msgpack.UnpackException, ValueError, TypeError, RecursionError):
        return value


def is_same(one: Any, other: Any) -> bool:
    """Are two such values the same? True, 1 and 1.0 are three values here, and a number that is none is the same as
    itself; the order of a dict is no matter. No recursion."""
    waiting = [(one, other)]
    while waiting:
        mine, its = waiting.pop()
        if type(mine) is not type(its):
            return False
        if type(mine) is dict:
            if mine.keys() != its.keys():
                return False
            waiting += [(value, its[name]) for name, value in mine.items()]
        elif type(mine) is list:
            if len(mine) != len(its):
                return False
            waiting += zip(mine, its, strict=True)
        elif mine != its and not (type(mine) is float and isnan(mine) and isnan(its)):
            return False
    return True
