"""Values as a serializer wrote them: a type tag and bytes, carried from one place to another without being opened.

What has to be looked into, such as metadata, comes out as lists, dicts and texts with extension types left as they
are, or as a `Raw` again: two values are equal when the serializer wrote the same. No class is imported for it.
"""

from dataclasses import dataclass
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
    """Are two such values the same? A number that is none is the same as itself here."""
    if one == other:
        return True
    try:
        return bool(msgpack.packb(one, default=_told) == msgpack.packb(other, default=_told))
    except (ValueError, TypeError, OverflowError):
        return False


def _told(value: Any) -> Any:
    if type(value) is Raw:
        return [value.type, value.data]
    raise TypeError(f"not of a kind that was read: {type(value).__name__}")
