"""Values to bytes and back, exactly: msgpack, with every trap of msgpack closed.

`pack_value` packs and proves what msgpack cannot; `pack_checked` also says whether the value is plain, and takes the
known beginning of a list on trust. `unpack_value` makes a fresh object; `check_payload` comes first when bytes are
foreign.
Pure: no disk, clock, chance or thread of its own (naming a `ZoneInfo` reads the time zone database of the
system). Safe to call from many threads, and again from inside an encode function that a user registered.
"""

from backpack.codec.measure import check_payload
from backpack.codec.proving import pack_checked, pack_value
from backpack.codec.registry import register
from backpack.codec.unpacking import unpack_value

__all__ = [
    "check_payload",
    "pack_checked",
    "pack_value",
    "register",
    "unpack_value",
]
