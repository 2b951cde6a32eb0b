"""Packing, and the proof of what msgpack cannot prove about it: that the value is no deeper than allowed and holds no
object of msgpack's own, which would have been packed as if it were an extension of ours, and no bytearray.

The proof walks the value, not its bytes, level by level: `get_referents` finds all that stands in some containers at
5 to 10 ns each, whatever they hold, and nothing in atoms. As long as the hook was not used:

- no object of msgpack's own is there if the levels come to an end, since the referents of its instances hold their
  class, from which there is no end; and the number of levels bounds the depth. This was tried out when imported.
- a bytearray or memoryview needs one of the marks c4 (c5, c6 from 256 and 65,536 bytes on) in the payload. When there
  is one, by chance mostly, or the payload is large for so few values, types are looked at, 25 ns each.
- a flat dict needs no walk: CPython up to 3.13 does not track a dict for the garbage collector as long as its keys
  and values are of types that cannot hold references, and among those that msgpack packs only bytearray is bad.

What the accelerator packs needs less: see there. Anything else is surveyed by types. States of extensions were
surveyed when they were packed; here only their depth counts, and a payload too short to be deep is not deep.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from gc import get_referents, is_tracked
from typing import Any, Final

from msgpack import ExtType, Timestamp

from backpack.codec.accelerator import OPTIONS, QUICK_TYPES, ROOM, SHRUNK_MAX, has_no_instances, pack_quickly
from backpack.codec.extensions import FORGED, LEAVES, PLAIN, Refusal
from backpack.codec.faults import unstorable
from backpack.codec.measure import check_payload, referents, survey
from backpack.codec.packing import give, is_even, new_entry, pack_carefully, put_back, take
from backpack.errors import CorruptionError
from backpack.limits import VALUE_DEPTH_MAX

_SIZE_OF_SCANNED: Final = 128
"""Bytes that are scanned for three marks in the time in which the type of one value is looked at, roughly."""

_LEVELS_MAX: Final = 12
_HIDDEN: Final[frozenset[type]] = frozenset({bytearray, memoryview})
_NOTHING: Final[frozenset[type]] = frozenset()


def _is_endless(value: Any) -> bool:
    return type(value) in get_referents(value) and object in get_referents(*get_referents(type(value)))


_IS_WALK_SOUND: Final = all(map(_is_endless, (ExtType(1, b""), Timestamp(0)))) and get_referents({"": 0}, [1]) == [0, 1]
_HOLDERS: Final[tuple[Any, ...]] = ([], {}, ExtType(1, b""), Timestamp(0), memoryview(b""))
_IS_FLAT_UNTRACKED: Final = not is_tracked({"": 0, 0: b""}) and all(
    is_tracked({"": holder}) and (not holder.__hash__ or is_tracked({holder: 0})) for holder in _HOLDERS
)
"""What this interpreter does, tried out rather than read off a version."""

_SIZE_WALKED_MAX: Final = 4096 if _IS_WALK_SOUND else 0
"""Payloads up to this size are proved on the spot: too small for c6, for a large buffer, and for many values."""

_may_hold: Final[Callable[[Any], bool]] = is_tracked if _IS_FLAT_UNTRACKED else lambda value: True


def pack_value(value: Any, depth: int = 0) -> bytes:
    """The payload of a value that can be stored; raises `UnstorableValueError`. `depth`: how deep it stands.

    Costs what msgpack costs and, for 500 bytes, up to 200 ns; a large list costs half. About 1 µs for each extension.
    """
    if depth:
        return pack_checked(value, depth=depth)[0]
    if type(value) in QUICK_TYPES:
        try:
            payload = pack_quickly(value, None, OPTIONS)
        except Exception:  # msgpack is asked, and its word counts
            pass
        else:
            if has_no_instances() and (
                not (0xC4 in payload or 0xC5 in payload or 0xC6 in payload)
                or ((strangers := _strangers(value, payload, 0)) is not None and strangers.isdisjoint(_HIDDEN))
            ):
                return payload if len(payload) > SHRUNK_MAX else b"".join((b"", payload))
    try:
        entry = take()
    except IndexError:
        entry = new_entry()
    pack, uses, _ = entry
    try:
        payload = pack(value)
    except MemoryError:
        raise
    except Exception as error:
        fault = type(error)
    else:
        if uses or len(payload) > _SIZE_WALKED_MAX:
            is_used = put_back(entry, len(payload))
            if not is_used and _is_flat_without_bytearray(value, payload):
                return payload
            return _proved(value, payload, is_used, 0, 0)[0]
        give(entry)
        if type(value) is dict:
            if not _may_hold(value):
                if not (0xC4 in payload or 0xC5 in payload) or bytearray not in map(type, value.values()):
                    return payload
            else:
                fields = get_referents(value)
                inner = get_referents(*fields)
                if (not inner or not get_referents(*inner)) and (
                    not (0xC4 in payload or 0xC5 in payload) or _HIDDEN.isdisjoint(map(type, fields + inner))
                ):
                    return payload
        return _proved(value, payload, False, 0, 0)[0]
    return _proved(value, pack_carefully(value, fault), True, 0, 0, is_careful=True)[0]


def pack_checked(value: Any, known: Callable[[bytes], int] | None = None, depth: int = 0) -> tuple[bytes, bool]:
    """As `pack_value`, and whether the value is plain: None, bool, int within 64 bits, float, str, list, dict.

    For a list, `known` is asked with the payload how many of the first items are known to be good and plain, since
    they have the same bytes as items of which this was said before: they are not looked at, and cost only packing.
    """
    if type(value) in QUICK_TYPES and depth <= ROOM:
        try:
            payload = pack_quickly(value, None, OPTIONS)
        except Exception:  # msgpack is asked, and its word counts
            pass
        else:
            if has_no_instances():
                if not depth and len(payload) <= SHRUNK_MAX:
                    payload = b"".join((b"", payload))
                start = 0 if known is None or type(value) is not list else known(payload)
                if not (0xC4 in payload or 0xC5 in payload or 0xC6 in payload):
                    return payload, True
                strangers = _strangers(value[start:] if start else value, payload, depth)
                if strangers is not None and strangers.isdisjoint(_HIDDEN):
                    return payload, not strangers
    payload, is_used, is_careful = _first(value)
    start = known(payload) if known is not None and type(value) is list else 0
    return _proved(value, payload, is_used, start, depth, is_careful)


def _first(value: Any) -> tuple[bytes, bool, bool]:
    """The payload, whether the hook was used, and whether the payload is that of the careful pass."""
    try:
        entry = take()
    except IndexError:
        entry = new_entry()
    try:
        payload = entry[0](value)
    except MemoryError:
        raise
    except Exception as error:
        fault = type(error)
    else:
        return payload, put_back(entry, len(payload)), False
    return pack_carefully(value, fault), True, True


def _proved(
    value: Any, payload: bytes, is_used: bool, start: int, depth: int, is_careful: bool = False
) -> tuple[bytes, bool]:
    """The right payload and whether the value is plain; `start` items of it are."""
    is_hiding = False
    if is_used and not is_careful and not is_even(payload):
        payload, is_careful = pack_carefully(value), True
    try:
        tail = value[start:] if start else value
        strangers = None if is_used else _strangers(tail, payload, depth)
        if strangers is None:
            _, strangers = survey([tail], depth, len(payload) + 1)
        is_hiding = bytearray in strangers and not is_careful
        if any(cls is not bytes and cls not in LEAVES for cls in strangers):
            own = _first(tail)[0] if start else payload
            if depth + len(own) > VALUE_DEPTH_MAX:
                check_payload(own, depth=depth)
        is_plain = not strangers and not is_used
    except (Refusal, CorruptionError):
        payload = b""  # raised outside, so that nothing is carried along
    if not payload:
        raise unstorable(value, depth=depth)
    return (pack_carefully(value), False) if is_hiding else (payload, is_plain)


def _is_flat_without_bytearray(value: Any, payload: bytes) -> bool:
    """Whether it is a dict of atoms only, given that the hook was not used."""
    if type(value) is not dict or _may_hold(value):
        return False
    return not _may_hide(payload, len(value)) or bytearray not in map(type, value.values())


def _strangers(value: Any, payload: bytes, depth: int) -> AbstractSet[type] | None:
    """The proof by walking: the types in the value that are not plain; None when it proves nothing."""
    if (type(value) is not dict and type(value) is not list) or not _IS_WALK_SOUND:
        return None
    levels = []
    level = [value]
    count = 0
    while level := referents(level):
        levels.append(level)
        count += len(level)
        if count > len(payload) or len(levels) == _LEVELS_MAX:
            return None
    if depth + 1 + len(levels) > VALUE_DEPTH_MAX:
        return None
    if not _may_hide(payload, count):
        return _NOTHING
    types: set[type] = set()
    for level in levels:
        types.update(map(type, level))
    return types - PLAIN if types.isdisjoint(FORGED) else None


def _may_hide(payload: bytes, count: int) -> bool:
    """Whether the types of `count` values must be looked at: there is a mark of bytes, or looking is cheaper."""
    return len(payload) > _SIZE_OF_SCANNED * count or 0xC4 in payload or 0xC5 in payload or 0xC6 in payload
