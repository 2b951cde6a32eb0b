"""ormsgpack, which packs and reads the bytes of msgpack in half the time.

It is asked first and believed only where it cannot differ. Whatever it refuses is asked of msgpack again, so what can
be stored, the bytes and the words of every error are the same without it. It is never given a hook, in which it would
swallow Ctrl-C and walk a list that another thread makes shorter: values with extensions are left to msgpack.

Some of what it packs is no plain value:

- enums, tuples, dates, subclasses and the like, unless the options say that it shall not: they do
- bytes, bytearray and memoryview, which leave one of the marks c4, c5, c6 in the payload
- its own `Ext` and `Fragment`, which could forge anything. Each instance holds its class, so as long as the classes
  have as many references as when this was imported, no instance has been made since. Those that were there already
  are found by the garbage collector, and not counted.

All of this, and how deep it goes, is tried out when imported; an interpreter or a version where it is otherwise does
without. Reading, it takes no notice of what follows a value, so a payload is read between a head and a random seal.
"""

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from gc import get_referrers, is_tracked
from sys import getrefcount
from typing import Any, Final
from uuid import UUID, SafeUUID

from backpack.limits import VALUE_DEPTH_MAX

_WAS_IMPORTED: Final = "ormsgpack" in sys.modules
"""Else there is no instance of its classes."""

try:
    import ormsgpack
except ImportError:  # msgpack does all
    ormsgpack = None  # type: ignore[assignment]

_REFUSED: Final = ("BIG_INT", "DATACLASS", "DATETIME", "ENUM", "SUBCLASS", "TUPLE", "UUID")
OPTIONS: Final[int] = sum(getattr(ormsgpack, f"OPT_PASSTHROUGH_{kind}", 0) for kind in _REFUSED)

pack_quickly: Final[Callable[[Any, None, int], bytes]] = getattr(ormsgpack, "packb", None)  # type: ignore[assignment]
unpack_quickly: Final[Callable[[bytes], Any]] = getattr(ormsgpack, "unpackb", None)  # type: ignore[assignment]
"""Not to be called where `QUICK_TYPES` is empty and `IS_QUICK` false."""

ROOM: Final = 1
"""What it packs may stand this deep in a value and still be within the limit."""

SHRUNK_MAX: Final = 479
"""Payloads up to this size that are kept are copied: they stand in the beginning of a block of 1,024 bytes, which was
given back behind them, and not where CPython has small objects, so that each takes 24 bytes more."""

HEAD: Final = b"\x92"
SEAL: Final = os.urandom(8)
TAIL: Final = b"\xc4\x08" + SEAL
"""Between these a payload is the first of two items, and the other one the seal if nothing follows the payload."""

_EXT: Final[Any] = getattr(ormsgpack, "Ext", None)
_FRAGMENT: Final[Any] = getattr(ormsgpack, "Fragment", None)


@dataclass(frozen=True)
class _Record:
    field: int


def _refuses(value: Any) -> bool:
    try:
        pack_quickly(value, None, OPTIONS)
    except Exception:
        return True
    return False


def _strangers() -> list[Any]:
    """One of each kind that it could take for a plain value."""
    found: list[Any] = [type("_Own", (base,), {})() for base in (str, int, float, bytes, bytearray, list, dict)]
    found += [_Record(1), (1,), {1}, frozenset((1,)), range(1), 1j, 2**64, "\ud800", SafeUUID.safe, re.ASCII]
    moment = datetime(2000, 1, 1, tzinfo=UTC)
    found += [moment, moment.date(), moment.time(), timedelta(1), UUID(int=1)]
    return found


def _nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"": value}
    return value


def _is_counted() -> bool:
    """Whether each instance of its own classes is one reference more to the class, for as long as it lives, and known
    to the garbage collector."""
    before = getrefcount(_EXT), getrefcount(_FRAGMENT)
    made = [_EXT(1, b""), _FRAGMENT(b"\x01"), _FRAGMENT(b"\x01")]
    during = getrefcount(_EXT), getrefcount(_FRAGMENT)
    if not all(map(is_tracked, made)):
        return False
    made.clear()
    return during == (before[0] + 1, before[1] + 2) and (getrefcount(_EXT), getrefcount(_FRAGMENT)) == before


def _is_sound() -> bool:
    """Whether it is there, and does what is said above."""
    if _FRAGMENT is None:  # new in 1.13
        return False
    strangers = _strangers()
    keys = [*strangers, 1, None, b"", True]
    return (
        all(map(_refuses, strangers))
        and all(_refuses([{"a": stranger}]) for stranger in strangers)
        and all(_refuses({key: 1}) for key in keys if key.__hash__)
        and _refuses(_nested(VALUE_DEPTH_MAX - ROOM + 1))
        and _is_counted()
    )


QUICK_TYPES: Final[frozenset[type]] = frozenset((dict, list) if _is_sound() else ())
"""The values that it is asked to pack are of these types."""

IS_QUICK: Final = bytes(bool(QUICK_TYPES) and (0x80 <= first < 0xA0 or 0xDC <= first < 0xE0) for first in range(256))
"""By the first byte of a payload: is it asked to read it? Lists and dicts."""


def _made_before() -> list[type]:
    """The class of each instance that is there. Cost: a look at all objects, 10 ms for 100,000, if the module was
    imported before; else nothing."""
    if not QUICK_TYPES or not _WAS_IMPORTED:
        return []
    return [type(held) for held in get_referrers(_EXT, _FRAGMENT) if type(held) is _EXT or type(held) is _FRAGMENT]


_before: Final = [cls is _EXT for cls in _made_before()]
_ext_count = getrefcount(_EXT) - sum(_before)
_fragment_count = getrefcount(_FRAGMENT) - (len(_before) - sum(_before))


def has_no_instances() -> bool:
    """Whether no object of ormsgpack's own classes has been made that is still there; a False may be wrong."""
    if getrefcount(_EXT) == _ext_count and getrefcount(_FRAGMENT) == _fragment_count:
        return True
    _lower()
    return False


def _lower() -> None:
    """Who held a class for a moment while this was imported does so no more: that is no room for an instance."""
    global _ext_count, _fragment_count
    _ext_count = min(_ext_count, getrefcount(_EXT))
    _fragment_count = min(_fragment_count, getrefcount(_FRAGMENT))
