"""The table of msgpack extensions: one code for each type that msgpack has no form for.

A *leaf* holds no other value, and its body is raw bytes. A *container* holds values, and its body is the msgpack
of its state, so it may hold extensions in turn:

    TUPLE, SET, FROZENSET   [item...]            (the members of a set are sorted by their packed bytes)
    DEQUE                   [maxlen, item...]
    ORDERED_DICT, COUNTER   {key: value...}
    DEFAULT_DICT            [factory, {key: value...}]
    RECORD, CUSTOM          [name, part...]      (a registered class, see `registry`)

Codes are stored, so a code is never given a second meaning. Types are looked up exactly: a subclass is another
class and is not in the table. Builders may raise whatever Python raises on nonsense; `unpacking` turns that into
`CorruptionError`.
"""

import re
import struct
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from msgpack import ExtType, Timestamp, ext

from backpack.errors import CorruptionError, UnknownTypeError

INT, COMPLEX, SURROGATES, BYTEARRAY = 1, 2, 3, 4
TUPLE, SET, FROZENSET, DEQUE, ORDERED_DICT, COUNTER, DEFAULT_DICT = 5, 6, 7, 8, 9, 10, 11
DATETIME, DATE, TIME, TIMEDELTA = 16, 17, 18, 19
DECIMAL, FRACTION, UUID_, RANGE, PATH, PATTERN = 20, 21, 22, 23, 24, 25
NUMPY_ARRAY, NUMPY_SCALAR = 32, 33
RECORD, CUSTOM = 40, 41

PLAIN_SCALARS: Final[frozenset[type]] = frozenset({type(None), bool, int, float, str})
PLAIN: Final[frozenset[type]] = PLAIN_SCALARS | {list, dict}
FORGED: Final[frozenset[type]] = frozenset({ExtType, Timestamp, memoryview, getattr(ext, "Bypass", ExtType)})
"""Types that msgpack packs by itself although they are not values of ours: let in, they could forge an extension."""


class Refusal(Exception):
    """A value cannot be stored: `what` is wrong with it, and the `remedy`. It becomes `UnstorableValueError` once the
    path is known; a refusal without a remedy is met again by the walk that looks for the path, in better words."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


class RawExtension:
    """Stands for a value that the packer would get wrong by itself; equal to nothing, so it is safe as a key."""

    __slots__ = ("body", "code")

    def __init__(self, code: int, body: bytes) -> None:
        self.code = code
        self.body = body


# -- leaves: value -> bytes --------------------------------------------------------------------------------


def _int_bytes(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _ints_bytes(*values: int) -> bytes:
    """Each number as its size (four bytes) and its bytes."""
    parts = [_int_bytes(value) for value in values]
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def _read_ints(body: bytes, count: int) -> list[int]:
    values = []
    position = 0
    for _ in range(count):
        (size,) = struct.unpack_from(">I", body, position)
        position += 4 + size
        if position > len(body):
            raise ValueError
        values.append(int.from_bytes(body[position - size : position], "big", signed=True))
    if position != len(body):
        raise ValueError
    return values


def surrogate_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _read_text(body: bytes) -> str:
    return body.decode("utf-8", "surrogatepass")


def _zone_bytes(zone: tzinfo | None) -> bytes:
    """Empty: naive; U: UTC; K: the key of a ZoneInfo; O: a fixed offset in microseconds; N: that and a name."""
    if zone is None:
        return b""
    if zone is UTC:
        return b"U"
    if type(zone) is ZoneInfo:
        if zone.key is None:
            raise Refusal("a ZoneInfo without a key cannot be stored", "make it with ZoneInfo(key)")
        return b"K" + surrogate_bytes(zone.key)
    if type(zone) is timezone:
        offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined]
        micros = offset // timedelta(microseconds=1)
        return struct.pack(">cq", b"N" if name else b"O", micros) + (surrogate_bytes(name[0]) if name else b"")
    raise Refusal(f"a time zone of type {type_name(type(zone))} cannot be stored", "use a ZoneInfo or a timezone")


def _read_zone(body: bytes) -> tzinfo | None:
    kind, rest = body[:1], body[1:]
    if kind == b"":
        return None
    if body == b"U":
        return UTC
    if kind == b"K":
        key = _read_text(rest)
        try:
            return ZoneInfo(key)
        except (KeyError, OSError):
            pass  # raised outside, so that the caught error is not carried along
        raise UnknownTypeError("the time zone of a stored value is not in the database of this system", name=key)
    if kind == b"N" or (kind == b"O" and len(rest) == 8):
        offset = timedelta(microseconds=struct.unpack_from(">q", rest)[0])
        return timezone(offset, _read_text(rest[8:])) if kind == b"N" else timezone(offset)
    raise ValueError


_DATE = struct.Struct(">HBB")
_TIME = struct.Struct(">BBBIB")
_DATETIME = struct.Struct(">HBBBBBIB")
_TIMEDELTA = struct.Struct(">iII")


def _datetime_bytes(v: datetime) -> bytes:
    packed = _DATETIME.pack(v.year, v.month, v.day, v.hour, v.minute, v.second, v.microsecond, v.fold)
    return packed + _zone_bytes(v.tzinfo)


def _read_datetime(body: bytes) -> datetime:
    *fields, fold = _DATETIME.unpack_from(body)
    return datetime(*fields).replace(tzinfo=_read_zone(body[_DATETIME.size :]), fold=fold)


def _time_bytes(v: time) -> bytes:
    return _TIME.pack(v.hour, v.minute, v.second, v.microsecond, v.fold) + _zone_bytes(v.tzinfo)


def _read_time(body: bytes) -> time:
    *fields, fold = _TIME.unpack_from(body)
    return time(*fields).replace(tzinfo=_read_zone(body[_TIME.size :]), fold=fold)


_DECIMAL = re.compile(r"-?(\d+(\.\d+)?(E[+-]?\d+)?|INFINITY|S?NAN\d*)", re.ASCII)


def _decimal_bytes(value: Decimal) -> bytes:
    return str(value).upper().encode("ascii")  # upper: the case of the exponent depends on the decimal context


def _read_decimal(body: bytes) -> Decimal:
    text = body.decode("ascii")
    if not _DECIMAL.fullmatch(text):
        raise ValueError
    return Decimal(text)


def _read_fraction(body: bytes) -> Fraction:
    return Fraction(*_read_ints(body, 2))


_PATHS: Final[tuple[type[PurePath], ...]] = (PurePosixPath, PureWindowsPath, PosixPath, WindowsPath)


def _path_bytes(value: PurePath) -> bytes:
    return bytes((_PATHS.index(type(value)),)) + surrogate_bytes(str(value))


def _read_path(body: bytes) -> PurePath:
    kind = body[0]
    cls = _PATHS[kind]
    if kind >= 2 and cls is not type(Path()):
        cls = _PATHS[kind - 2]  # a concrete path of a foreign system
    return cls(_read_text(body[1:]))


_FLAGS = int(re.ASCII | re.IGNORECASE | re.LOCALE | re.MULTILINE | re.DOTALL | re.UNICODE | re.VERBOSE)


def _pattern_bytes(value: re.Pattern[Any]) -> bytes:
    pattern = value.pattern
    kind, data = (b"s", surrogate_bytes(pattern)) if type(pattern) is str else (b"b", bytes(pattern))
    return struct.pack(">Ic", value.flags & _FLAGS, kind) + data


def _read_pattern(body: bytes) -> re.Pattern[Any]:
    flags, kind = struct.unpack_from(">Ic", body)
    if flags & ~_FLAGS or kind not in (b"s", b"b"):
        raise ValueError
    return re.compile(_read_text(body[5:]) if kind == b"s" else body[5:], flags)


LEAVES: Final[dict[type, tuple[int, Callable[[Any], bytes]]]] = {
    int: (INT, _int_bytes),
    complex: (COMPLEX, lambda v: struct.pack(">dd", v.real, v.imag)),
    bytearray: (BYTEARRAY, bytes),
    datetime: (DATETIME, _datetime_bytes),
    date: (DATE, lambda v: _DATE.pack(v.year, v.month, v.day)),
    time: (TIME, _time_bytes),
    timedelta: (TIMEDELTA, lambda v: _TIMEDELTA.pack(v.days, v.seconds, v.microseconds)),
    Decimal: (DECIMAL, _decimal_bytes),
    Fraction: (FRACTION, lambda v: _ints_bytes(v.numerator, v.denominator)),
    UUID: (UUID_, lambda v: v.bytes),
    range: (RANGE, lambda v: _ints_bytes(v.start, v.stop, v.step)),
    **{cls: (PATH, _path_bytes) for cls in _PATHS},
    re.Pattern: (PATTERN, _pattern_bytes),
}
"""Type -> code and the function that makes its body. `int` is only asked about beyond 64 bits."""

LEAF_READERS: Final[dict[int, Callable[[bytes], Any]]] = {
    INT: lambda b: int.from_bytes(b, "big", signed=True),
    COMPLEX: lambda b: complex(*struct.unpack(">dd", b)),
    SURROGATES: _read_text,
    BYTEARRAY: bytearray,
    DATETIME: _read_datetime,
    DATE: lambda b: date(*_DATE.unpack(b)),
    TIME: _read_time,
    TIMEDELTA: lambda b: timedelta(*_TIMEDELTA.unpack(b)),
    DECIMAL: _read_decimal,
    FRACTION: _read_fraction,
    UUID_: lambda b: UUID(bytes=b),
    RANGE: lambda b: range(*_read_ints(b, 3)),
    PATH: _read_path,
    PATTERN: _read_pattern,
}


# -- containers: value -> state ----------------------------------------------------------------------------

_FACTORIES: Final[tuple[Any, ...]] = (
    None, list, dict, set, int, str, float, tuple, bool, bytes, bytearray, complex, frozenset, object,
)  # fmt: skip
"""What a defaultdict may make; stored by index, so only ever appended to."""


def _default_dict_state(value: defaultdict[Any, Any]) -> list[Any]:
    for index, factory in enumerate(_FACTORIES):
        if value.default_factory is factory:
            return [index, dict(value)]
    what = "a defaultdict whose factory is not a builtin type cannot be stored"
    raise Refusal(what, "give it a builtin factory, or pack dict() of it")


def _expect(state: Any, cls: type) -> Any:
    if type(state) is not cls:
        raise CorruptionError("an extension has a body of the wrong type")
    return state


def _build_deque(state: Any) -> deque[Any]:
    maxlen = _expect(state, list)[0]
    if maxlen is not None and (type(maxlen) is not int or maxlen < len(state) - 1):
        raise ValueError
    return deque(state[1:], maxlen)


def _build_default_dict(state: Any) -> defaultdict[Any, Any]:
    index, items = _expect(state, list)
    if type(index) is not int or index < 0:
        raise ValueError
    return defaultdict(_FACTORIES[index], _expect(items, dict))


CONTAINERS: Final[dict[type, tuple[int, Callable[[Any], Any]]]] = {
    tuple: (TUPLE, list),
    set: (SET, list),
    frozenset: (FROZENSET, list),
    deque: (DEQUE, lambda v: [v.maxlen, *v]),
    OrderedDict: (ORDERED_DICT, dict),
    Counter: (COUNTER, dict),
    defaultdict: (DEFAULT_DICT, _default_dict_state),
}
"""Type -> code and the function that makes its state, an exact list or dict."""

BUILDERS: Final[dict[int, Callable[[Any], Any]]] = {
    TUPLE: lambda s: tuple(_expect(s, list)),
    SET: lambda s: set(_expect(s, list)),
    FROZENSET: lambda s: frozenset(_expect(s, list)),
    DEQUE: _build_deque,
    ORDERED_DICT: lambda s: OrderedDict(_expect(s, dict)),
    COUNTER: lambda s: Counter(_expect(s, dict)),
    DEFAULT_DICT: _build_default_dict,
}

UNCOUNTED_FRAME: Final[frozenset[int]] = frozenset({DEFAULT_DICT, RECORD, CUSTOM})
"""Containers whose body is an array that is only a frame around the parts: it adds nothing to the depth."""


def type_name(cls: type) -> str:
    """A type as messages show it: never more of a value than this."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
