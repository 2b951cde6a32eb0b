"""Values as a serializer wrote them: a type tag and bytes, carried from one place to another without being opened.

`Untouched` may stand in the place of a saver's serializer. What it is handed as a `Raw` goes into the store as it is.
What it reads comes out as lists, dicts and texts with extension types left as they are, or as a `Raw` again: two values
are equal when the serializer wrote the same. No class is imported and no object of one made.
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


class Untouched:
    """A serializer that opens no more than what every serializer of msgpack has in common."""

    def dumps_typed(self, value: Any) -> tuple[str, bytes]:
        """A `Raw` as it is; all else, which is plain, as msgpack."""
        if type(value) is Raw:
            return value.type, value.data
        return MSGPACK, bytes(msgpack.packb(value, use_bin_type=True))

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """What the bytes have in them, as far as that is plain; else a `Raw`. Cost: O(size)."""
        type_, payload = data
        if type_ != MSGPACK:
            return Raw(type_, bytes(payload))
        try:
            return msgpack.unpackb(payload, ext_hook=msgpack.ExtType, strict_map_key=False)
        except (msgpack.UnpackException, ValueError, TypeError, RecursionError):
            return Raw(type_, bytes(payload))


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
