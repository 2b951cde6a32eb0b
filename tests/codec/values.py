"""Values for the tests of the codec: exact comparison, samples of every type, containers of a given depth."""

import math
import re
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")


def same(a: Any, b: Any) -> bool:
    """Equal in type and value at every depth, with NaN equal to NaN, -0.0 unlike 0.0, and order kept."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, Decimal):
        return str(a) == str(b)
    if isinstance(a, datetime):
        return (a.replace(tzinfo=None), a.fold, str(a.tzinfo), a.tzname(), type(a.tzinfo)) == (
            b.replace(tzinfo=None),
            b.fold,
            str(b.tzinfo),
            b.tzname(),
            type(b.tzinfo),
        )
    if isinstance(a, time):
        return (a.replace(tzinfo=None), a.fold, repr(a.tzinfo)) == (b.replace(tzinfo=None), b.fold, repr(b.tzinfo))
    if isinstance(a, dict):
        if isinstance(a, defaultdict) and a.default_factory is not b.default_factory:
            return False
        pairs = zip(a.items(), b.items(), strict=True) if len(a) == len(b) else [((0, 0), (1, 1))]
        return all(same(k, m) and same(v, w) for (k, v), (m, w) in pairs)
    if isinstance(a, (list, tuple, deque)):
        if isinstance(a, deque) and a.maxlen != b.maxlen:
            return False
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (set, frozenset)):
        return len(a) == len(b) and sorted(map(repr, a)) == sorted(map(repr, b))
    if isinstance(a, re.Pattern):
        return (a.pattern, a.flags) == (b.pattern, b.flags)
    return bool(a == b)


NAN = float("nan")

SAMPLES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**63 - 1,
    -(2**63),
    2**64 - 1,
    2**64,
    -(2**63) - 1,
    10**400,
    -(10**400),
    0.0,
    -0.0,
    1.5,
    NAN,
    math.inf,
    -math.inf,
    5e-324,
    complex(1, -0.0),
    complex(NAN, math.inf),
    complex(-0.0, NAN),
    "",
    "text",
    "\x00",
    "ä\U0001f600",
    "\ud800",
    "a\udcff\udc00b",
    "x" * 70_000,
    b"",
    b"\x00\xff",
    b"y" * 70_000,
    bytearray(),
    bytearray(b"\xc4\xff"),
    [],
    [1, [2, []]],
    {},
    {"a": {"b": 1}},
    (),
    (1, (2, ())),
    set(),
    {1, "a", (2,)},
    frozenset(),
    frozenset({1, frozenset()}),
    {
        None: 1,
        True: 2,
        2: 3,
        2.5: 4,
        b"b": 5,
        (1, ("x",)): 6,
        frozenset({1}): 7,
        date(2020, 1, 1): 8,
        Decimal("1.10"): 9,
        "\udc00": 10,
        2**70: 11,
        "": 12,
        NAN: 13,
    },
    {"b": 1, "a": 2, "c": 3},
    datetime(1, 1, 1),
    datetime.max,
    datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN, fold=1),
    datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN),
    datetime(2024, 1, 1, tzinfo=UTC),
    datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=-3, seconds=7, microseconds=5))),
    datetime(2024, 1, 1, 5, tzinfo=timezone(timedelta(hours=2), "name\ud800")),
    datetime(2024, 1, 1, fold=1),
    date.min,
    date.max,
    time(),
    time(1, 2, 3, 4, fold=1),
    time(1, tzinfo=UTC),
    time(2, tzinfo=BERLIN),
    timedelta(),
    timedelta.min,
    timedelta.max,
    timedelta(days=-1, microseconds=1),
    Decimal("0"),
    Decimal("-0"),
    Decimal("-0E+5"),
    Decimal("1E-400"),
    Decimal("NaN"),
    Decimal("sNaN12"),
    Decimal("-sNaN"),
    Decimal("-Infinity"),
    Decimal("1.10"),
    Decimal("9" * 60),
    Fraction(0),
    Fraction(-1, 3),
    Fraction(10**50, 7),
    UUID(int=0),
    UUID("12345678-1234-5678-1234-567812345678"),
    range(0),
    range(5),
    range(10, -10, -3),
    range(2**70, 2**71, 2**65),
    deque(),
    deque([1, [2]], maxlen=2),
    deque(maxlen=0),
    OrderedDict([("z", 1), ("a", [2])]),
    Counter("abca"),
    Counter({"a": -1, "b": 2.5}),
    defaultdict(list, {"a": [1]}),
    defaultdict(None, {1: 2}),
    defaultdict(frozenset),
    defaultdict(object, {"a": 1}),
    PurePosixPath("/a/b"),
    PureWindowsPath("C:\\x\\y"),
    PurePosixPath("\udcff"),
    type(PurePath())("."),
    re.compile("a.b"),
    re.compile(b"\xff+", re.DOTALL),
    re.compile("(?i)x\ud800", re.MULTILINE | re.VERBOSE),
    re.compile("x", re.ASCII),
    {"__type__": "tuple", "items": [1]},
    {"": [5, b"\x92"]},
    ["backpack", {"$ref": 1}],
    {"code": 5, "data": b"\x90"},
]


def nest(value: Any, kinds: str, depth: int) -> Any:
    """`value` inside `depth` containers; `kinds` names them in turn: l, t, d, k (a key), s, o, q, c, f (default)."""
    for level in range(depth):
        match kinds[level % len(kinds)]:
            case "l":
                value = [value]
            case "t":
                value = (value,)
            case "d":
                value = {"k": value}
            case "k":
                value = {value: 1}
            case "s":
                value = frozenset({value})
            case "o":
                value = OrderedDict(k=value)
            case "q":
                value = deque([value])
            case "c":
                value = Counter({"k": value})
            case "f":
                value = defaultdict(int, {"k": value})
    return value
