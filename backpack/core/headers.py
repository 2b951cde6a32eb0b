"""The headers of packed lists, texts and bytes: all that changes in front when one of them gets longer.

    list    90 + count    dc count(2)    dd count(4)                  and then the items
    text    a0 + size     d9 size(1)     da size(2)     db size(4)    and then UTF-8
    bytes                 c4 size(1)     c5 size(2)     c6 size(4)    and then the bytes

Numbers are unsigned and big-endian; msgpack writes the shortest form. These are the *families* of payloads that can
grow: two payloads of one family differ in their headers and where their bodies do. Everything here looks at the first
five bytes at most.
"""

from struct import Struct
from typing import Final

from backpack.errors import CorruptionError

NO_FAMILY, LIST, TEXT, BYTES = 0, 1, 2, 3

_LONG: Final = {
    **dict.fromkeys((0xDC, 0xDD), LIST),
    **dict.fromkeys((0xD9, 0xDA, 0xDB), TEXT),
    **dict.fromkeys((0xC4, 0xC5, 0xC6), BYTES),
}
_LONG_SIZES: Final = {0xDC: 3, 0xDD: 5, 0xD9: 2, 0xDA: 3, 0xDB: 5, 0xC4: 2, 0xC5: 3, 0xC6: 5}

FAMILIES: Final = bytes(
    LIST if 0x90 <= first <= 0x9F else TEXT if 0xA0 <= first <= 0xBF else _LONG.get(first, NO_FAMILY)
    for first in range(256)
)
"""By the first byte of a payload: LIST, TEXT, BYTES, or NO_FAMILY for everything that cannot grow."""

HEADER_SIZES: Final = bytes(_LONG_SIZES.get(first, 1 if FAMILIES[first] else 0) for first in range(256))
"""By the first byte of a payload: the size of its header; 0 for what is in no family."""


_HEADER_16: Final = Struct(">BH").pack


def header_size(head: bytes) -> int:
    """The size of the header of a list, text or bytes; 0 for anything else. `head` is the first byte, or more."""
    return HEADER_SIZES[head[0]]


def array_header(count: int) -> bytes:
    """The bytes that stand before the `count` items of a packed list."""
    if 15 < count < 1 << 16:
        return _HEADER_16(0xDC, count)
    if count < 16:
        return bytes((0x90 | count,))
    return b"\xdd" + count.to_bytes(4, "big")


def array_count(header: bytes | bytearray | memoryview) -> int:
    """How many items the whole header of a list says that there are: the inverse of `array_header`."""
    return int.from_bytes(header[1:], "big") if len(header) > 1 else header[0] & 0x0F


def read_array_header(payload: bytes | bytearray | memoryview) -> tuple[int, int] | None:
    """Count of items and size of the header of a packed list; None when the payload is no list.

    The first five bytes of the payload are enough. `CorruptionError` when the header is cut short.
    """
    if not len(payload):
        raise CorruptionError("not a payload: it is empty")
    head = payload[0]
    if FAMILIES[head] != LIST:
        return None
    size = HEADER_SIZES[head]
    if len(payload) < size:
        raise CorruptionError("not a payload: its header is cut short")
    return array_count(payload[:size]), size
