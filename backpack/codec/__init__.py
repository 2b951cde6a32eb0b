"""Values to bytes and back, exactly: msgpack, with every trap of msgpack closed.

`pack_value` packs and proves what msgpack cannot; `pack_checked` also says whether the value is plain, and takes the
known beginning of a list on trust; `encode` and `verify` are its halves. `unpack_value` makes a fresh object.
Pure: no disk, clock, chance or thread of its own (naming a `ZoneInfo` reads the time zone database of the
system). Safe to call from many threads, and again from inside an encode function that a user registered.
"""

from backpack.codec.measure import check_payload
from backpack.codec.packing import array_header
from backpack.codec.registry import register
from backpack.codec.unpacking import read_array_header, unpack_value
from backpack.codec.verify import encode, pack_checked, pack_value, verify

__all__ = [
    "array_header",
    "check_payload",
    "encode",
    "pack_checked",
    "pack_value",
    "read_array_header",
    "register",
    "unpack_value",
    "verify",
]
