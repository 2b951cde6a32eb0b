"""Values to bytes and back, exactly: msgpack, with every trap of msgpack closed.

`encode` packs, `verify` proves what msgpack cannot, `pack_value` does both; `unpack_value` makes a fresh object.
Pure: no disk, clock, chance or thread of its own (naming a `ZoneInfo` reads the time zone database of the
system). Safe to call from many threads, and again from inside an encode function that a user registered.
"""

from backpack.codec.measure import check_payload
from backpack.codec.packing import array_header, encode
from backpack.codec.registry import register
from backpack.codec.unpacking import read_array_header, unpack_value
from backpack.codec.verify import pack_value, verify

__all__ = [
    "array_header",
    "check_payload",
    "encode",
    "pack_value",
    "read_array_header",
    "register",
    "unpack_value",
    "verify",
]
