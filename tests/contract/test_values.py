"""Values: what goes in comes out, of the same type, and nothing outside can reach what is inside."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import copy
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import io
import pathlib
import pickle
import re
import typing
import uuid
import zoneinfo
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backpack
from backpack import Backpack
from backpack.errors import BackpackError, UnstorableValueError

from .model import same

np = pytest.importorskip("numpy")

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")

STORABLE: dict[str, Any] = {
    "None": None,
    "True": True,
    "False": False,
    "zero": 0,
    "negative": -1,
    "int64 max": 2**63 - 1,
    "uint64 max": 2**64 - 1,
    "beyond uint64": 2**64,
    "below int64": -(2**63) - 1,
    "int of 6,000 decimal digits": 7**7100,
    "float": 0.1,
    "minus zero": -0.0,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "minus infinity": float("-inf"),
    "smallest float": 5e-324,
    "float that is whole": 3.0,
    "complex": complex(1.5, -0.0),
    "complex NaN": complex(float("nan"), float("inf")),
    "empty str": "",
    "str": "Grüße, 世界 \U0001f600",
    "str with NUL": "a\x00b",
    "lone surrogate": "a\ud800b",
    "low surrogate alone": "\udfff",
    "list with lone surrogate": ["\ud800", {"\udc00": "\udc01"}],
    "empty bytes": b"",
    "bytes": bytes(range(256)),
    "bytearray": bytearray(b"abc"),
    "nested bytearray": [bytearray(b""), {"a": bytearray(b"\xff")}, (bytearray(b"x"), b"x")],
    "empty list": [],
    "list": [1, "a", None, [2.5, []]],
    "empty tuple": (),
    "tuple": (1, (2, [3, (4,)])),
    "empty dict": {},
    "dict in insertion order": {"z": 1, "a": 2, "m": {"y": 1, "b": 2}},
    "dict with keys of many types": {
        None: 1,
        1: 2,
        2.5: 3,
        b"b": 4,
        (1, ("a",)): 5,
        frozenset({1, 2}): 6,
        dt.date(2020, 1, 1): 7,
        decimal.Decimal("1.5"): 8,
        uuid.UUID(int=5): 9,
        "": 10,
        range(3): 11,
        2**80: 12,
        1j: 13,
    },
    "dict with a bool key": {True: "t", "1": 1},
    "empty set": set(),
    "set": {1, "a", None, (1, 2)},
    "frozenset": frozenset({1, frozenset({2})}),
    "set of mixed numbers": {1.5, 2, decimal.Decimal(3)},
    "datetime": dt.datetime(2024, 2, 29, 23, 59, 59, 999999),
    "datetime min": dt.datetime.min,
    "datetime max": dt.datetime.max,
    "datetime UTC": dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    "datetime offset": dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=-3, minutes=-30))),
    "datetime odd offset": dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(seconds=3661))),
    "datetime named offset": dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1), "here")),
    "datetime ZoneInfo": dt.datetime(2024, 7, 1, 12, tzinfo=BERLIN),
    "datetime fold": dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN, fold=1),
    "naive datetime fold": dt.datetime(2024, 10, 27, 2, 30, fold=1),
    "date": dt.date(1, 1, 1),
    "time": dt.time(1, 2, 3, 4),
    "time fold": dt.time(1, 2, 3, 4, fold=1),
    "time with zone": dt.time(1, tzinfo=BERLIN),
    "time UTC": dt.time(1, tzinfo=dt.UTC),
    "timedelta": dt.timedelta(days=-3, seconds=5, microseconds=7),
    "timedelta max": dt.timedelta.max,
    "timedelta min": dt.timedelta.min,
    "Decimal": decimal.Decimal("1.10"),
    "Decimal NaN": decimal.Decimal("-NaN123"),
    "Decimal sNaN": decimal.Decimal("sNaN"),
    "Decimal infinity": decimal.Decimal("-Infinity"),
    "Decimal minus zero": decimal.Decimal("-0E+5"),
    "Decimal of many digits": decimal.Decimal("1." + "9" * 5000),
    "Fraction": fractions.Fraction(-22, 7),
    "Fraction of big numbers": fractions.Fraction(2**200 + 1, 3**150),
    "UUID": uuid.UUID("12345678-1234-5678-1234-567812345678"),
    "range": range(10, -5, -3),
    "range of big numbers": range(2**70, 2**71, 2**65),
    "deque": collections.deque([1, [2], 3]),
    "deque with maxlen": collections.deque([1, 2], maxlen=2),
    "deque with maxlen 0": collections.deque(maxlen=0),
    "OrderedDict": collections.OrderedDict([("b", 1), ("a", [2])]),
    "Counter": collections.Counter({"a": 3, "b": -1, 5: 0}),
    "defaultdict of list": collections.defaultdict(list, {"a": [1]}),
    "defaultdict of int": collections.defaultdict(int, {1: 2}),
    "defaultdict without factory": collections.defaultdict(None, {"a": 1}),
    "PurePosixPath": pathlib.PurePosixPath("/a/b.c"),
    "PureWindowsPath": pathlib.PureWindowsPath("C:\\a\\b"),
    "pattern": re.compile(r"a(?P<x>b)", re.IGNORECASE | re.DOTALL),
    "bytes pattern": re.compile(rb"\x00+"),
    "array": np.arange(6, dtype="int16").reshape(2, 3),
    "array of floats": np.array([1.5, float("nan"), -0.0]),
    "array of 0 dimensions": np.array(5.5),
    "empty array": np.zeros((0, 3), dtype="float32"),
    "big-endian array": np.array([1, 2], dtype=">i4"),
    "array that is not contiguous": np.arange(12).reshape(3, 4)[:, ::2],
    "array of bools": np.array([True, False]),
    "array of complex": np.array([1 + 2j]),
    "array of datetimes": np.array(["2024-01-01", "NaT"], dtype="datetime64[D]"),
    "array of str": np.array(["a", "long"]),
    "np.int8": np.int8(-5),
    "np.uint64": np.uint64(2**64 - 1),
    "np.float32": np.float32(0.1),
    "np.float64 is not float": np.float64(0.5),
    "np.bool": np.bool_(True),
    "np.datetime64": np.datetime64("2024-01-01T00:00:01"),
    "np.complex128": np.complex128(1 - 1j),
}

INTERNAL_LOOKS: list[Any] = [
    {"__ref__": "abc", "size": 10},
    {"__large_value_ref__": True},
    {"kind": "delete"},
    {"kind": "pack", "version": 1, "size": 3, "is_large": True},
    {"deleted": True},
    {"__deleted__": True},
    {"op": "delete", "key": "a"},
    {"key": "a", "size": 3, "reason": "purged", "commit": 1},
    {"type": "LargeValueRef", "hash": "00" * 16, "size": 1},
    {"__type__": "datetime", "value": "2024-01-01"},
    {"__tuple__": [1, 2]},
    {"__set__": [1]},
    {"__class__": "os.system", "args": ["true"]},
    {"$type": "bytes", "data": "AA=="},
    {"__backpack__": 1, "t": "tuple", "v": [1]},
    {"py/object": "builtins.set", "py/set": []},
    {"lc": 1, "type": "constructor", "id": ["a"], "kwargs": {}},
    {b"nd": True, b"type": "<i4", b"kind": b"", b"shape": [1], b"data": b"\x00\x00\x00\x00"},
    {"__numpy__": True},
    {"buffer": 0, "length": 3, "count": 1},
    ["__ref__", 1],
    "HEAD",
    "__missing__",
    "<deleted>",
    b"\x81\xa7__ref__\x01",
    b"\xc7\x03\x01abc",
    b"\xd4\x01\x00",
    b"\xc1",
    "\x00",
]


@pytest.mark.parametrize("name", STORABLE)
def test_a_value_comes_back_with_type_and_value_live_in_snapshots_and_nested(name: str) -> None:
    value = STORABLE[name]
    bp = Backpack()
    first = bp.pack("v", value)
    bp.pack("nested", {"in": [value, (value,)], "twice": value})
    bp.pack("v", "something else")
    assert same(bp.snapshot(first).unpack("v"), value)
    assert same(bp.snapshot(first)["v"], value)
    assert same(bp.unpack("nested"), {"in": [value, (value,)], "twice": value})
    bp.restore(first)
    assert same(bp["v"], value)
    assert same(bp.item("v").value, value)
    assert same(bp.peek("v"), value)


@pytest.mark.parametrize("name", STORABLE)
def test_a_hashable_value_is_as_good_as_a_key_or_member(name: str) -> None:
    value = STORABLE[name]
    builtin = (type(None), bool, int, float, complex, str, bytes, tuple, frozenset, range, uuid.UUID, dt.date, dt.time)
    if not isinstance(value, (*builtin, dt.timedelta, decimal.Decimal, fractions.Fraction, pathlib.PurePath)):
        return
    if isinstance(value, np.generic) or name in ("Decimal sNaN", "tuple"):
        return
    bp = Backpack({"d": {value: 1}, "s": {value}, "f": frozenset([value]), "t": {(value, 1): 2}})
    assert same(bp["d"], {value: 1})
    assert same(bp["s"], {value})
    assert same(bp["f"], frozenset([value]))
    assert same(bp["t"], {(value, 1): 2})


@pytest.mark.parametrize("value", INTERNAL_LOOKS, ids=lambda value: repr(value)[:40])
def test_what_looks_like_an_internal_record_comes_back_verbatim(value: Any) -> None:
    bp = Backpack()
    commit = bp.pack("v", value)
    bp.pack("nested", [value, {"v": value}])
    assert same(bp["v"], value)
    assert same(bp["nested"], [value, {"v": value}])
    bp.append("list", value)
    bp.append("list", value)
    assert same(bp["list"], [value, value])
    bp.delete("v")
    assert same(bp.snapshot(commit)["v"], value)
    bp.restore(commit, keys=["v"])
    assert same(bp["v"], value)


FALSY: list[Any] = [None, False, 0, 0.0, -0.0, 0j, "", b"", bytearray(), [], (), {}, set(), frozenset(), range(0)]


@pytest.mark.parametrize("value", FALSY, ids=repr)
def test_a_falsy_value_is_not_a_missing_one(value: Any) -> None:
    bp = Backpack()
    commit = bp.pack("v", value)
    missing = object()
    assert "v" in bp
    assert len(bp) == 1
    assert list(bp) == ["v"]
    assert same(bp.unpack("v", missing), value)
    assert same(bp.peek("v", missing), value)
    assert same(bp.get("v", missing), value)
    assert same(bp.unpack_required("v"), value)
    assert same(bp.setdefault("v", "default"), value)
    assert bp.version("v") == 1
    snapshot = bp.snapshot(commit)
    assert "v" in snapshot
    assert same(snapshot.unpack("v", missing), value)
    assert same(snapshot.get("v", missing), value)
    assert same(snapshot.to_dict(), {"v": value})
    bp.delete("v")
    assert bp.unpack("v", missing) is missing
    assert same(bp.diff(commit).removed["v"].old, value)
    bp.restore(commit)
    assert same(bp["v"], value)
    assert same(bp.select("v"), {"v": value})
    assert same(bp.pop("v", missing), value)
    assert "v" not in bp


@pytest.mark.parametrize(("first", "second"), [(0, False), (1, True), (1, 1.0), (0.0, -0.0), (b"a", "a"), ([], ())])
def test_values_that_compare_equal_are_not_merged(first: Any, second: Any) -> None:
    bp = Backpack({"a": first, "b": second})
    bp.pack("a", second)
    bp.pack("b", first)
    assert same(bp["a"], second)
    assert same(bp["b"], first)
    assert same(bp.snapshot(1)["a"], first)
    assert same(bp.snapshot(1)["b"], second)
    assert same(Backpack({"v": [first, second, first]})["v"], [first, second, first])


def test_a_default_is_given_back_as_it_is_only_when_the_key_is_missing() -> None:
    default: list[int] = []
    bp = Backpack({"none": None})
    assert bp.unpack("gone", default) is default
    assert bp.unpack("gone") is None
    assert bp.unpack("none", default) is None


# -- aliasing ----------------------------------------------------------------------------------------------


def nested() -> dict[str, Any]:
    return {"list": [1, {"deep": [2]}], "set": {3}, "bytes": bytearray(b"x"), "deque": collections.deque([[4]])}


def spoil(value: Any) -> None:
    """Change a `nested()` in every place that can be changed."""
    value["list"][1]["deep"].append("spoilt")
    value["list"].append("spoilt")
    value["set"].add("spoilt")
    value["bytes"].extend(b"spoilt")
    value["deque"][0].append("spoilt")
    value["spoilt"] = True


WAYS_IN: dict[str, Any] = {
    "pack": lambda bp, value: bp.pack("v", value),
    "[]=": lambda bp, value: bp.__setitem__("v", value),
    "update": lambda bp, value: bp.update({"v": value}),
    "setdefault": lambda bp, value: bp.setdefault("v", value),
}

WAYS_OUT: dict[str, Any] = {
    "unpack": lambda bp: bp.unpack("v"),
    "unpack_required": lambda bp: bp.unpack_required("v"),
    "[]": lambda bp: bp["v"],
    "peek": lambda bp: bp.peek("v"),
    "get": lambda bp: bp.get("v"),
    "item": lambda bp: bp.item("v").value,
    "select": lambda bp: bp.select("v")["v"],
    "values": lambda bp: next(iter(bp.values())),
    "items": lambda bp: dict(bp.items())["v"],
    "setdefault": lambda bp: bp.setdefault("v", None),
    "snapshot []": lambda bp: bp.snapshot()["v"],
    "snapshot unpack": lambda bp: bp.snapshot(1).unpack("v"),
    "snapshot item": lambda bp: bp.snapshot(1).item("v").value,
    "snapshot select": lambda bp: bp.snapshot().select("**")["v"],
    "snapshot to_dict": lambda bp: bp.snapshot().to_dict()["v"],
    "diff added": lambda bp: bp.diff(0, 1).added["v"].new,
    "diff removed": lambda bp: bp.diff(1, 0).removed["v"].old,
    "fork": lambda bp: bp.fork()["v"],
    "node": lambda bp: bp.node("n")["v"],
}


@pytest.mark.parametrize("way", WAYS_IN)
def test_changing_an_object_after_it_was_packed_changes_nothing(way: str) -> None:
    bp, value = Backpack(), nested()
    WAYS_IN[way](bp, value)
    spoil(value)
    assert same(bp["v"], nested())
    assert same(bp.snapshot(1)["v"], nested())


def test_changing_the_initial_mapping_changes_nothing() -> None:
    first = {"v": nested()}
    bp = Backpack(first)
    spoil(first["v"])
    first["other"] = nested()
    assert same(dict(bp), {"v": nested()})


def test_changing_what_was_appended_changes_nothing() -> None:
    bp, value = Backpack(), nested()
    bp.append("v", value, value)
    spoil(value)
    assert same(bp["v"], [nested(), nested()])


def test_changing_what_a_transaction_packed_or_read_changes_nothing() -> None:
    bp, value = Backpack(), nested()
    with bp.transaction() as tx:
        tx.pack("v", value)
        spoil(value)
        spoil(tx.unpack("v"))
        assert same(tx.unpack("v"), nested())
    assert same(bp["v"], nested())


@pytest.mark.parametrize("way", WAYS_OUT)
def test_changing_what_was_returned_changes_nothing(way: str) -> None:
    bp = Backpack({"v": nested()})
    spoil(WAYS_OUT[way](bp))
    for other in WAYS_OUT.values():
        assert same(other(bp), nested())


def test_a_snapshot_read_twice_gives_two_objects() -> None:
    snapshot = Backpack({"v": nested()}).snapshot()
    spoil(snapshot["v"])
    assert same(snapshot["v"], nested())
    assert snapshot["v"] is not snapshot["v"]


def test_changing_what_a_diff_returned_changes_neither_the_store_nor_the_next_diff() -> None:
    bp = Backpack({"v": nested()})
    bp.pack("v", {**nested(), "more": 1})
    diff = bp.diff(1)
    spoil(diff.changed["v"].old)
    spoil(diff.changed["v"].new)
    assert same(bp.diff(1).changed["v"].old, nested())
    assert same(bp["v"], {**nested(), "more": 1})
    assert same(bp.snapshot(1)["v"], nested())


def test_replacements_given_to_replay_are_copies() -> None:
    bp = Backpack({"a": 1})
    bp.pack("v", 1)
    value = nested()
    result = bp.replay(1, replace={2: {"v": value}})
    spoil(value)
    assert same(result["v"], nested())


def test_changing_what_an_event_carries_changes_nothing() -> None:
    bp = Backpack()
    seen: list[Any] = []
    bp.subscribe(seen.append)
    bp.pack("v", nested())
    bp.update({"v": nested(), "w": 1})
    for event in seen:
        for attribute in list(getattr(event, "__dict__", {}).values()):
            if isinstance(attribute, (list, set, dict)):
                attribute.clear()
    assert same(bp["v"], nested())
    assert set(bp.head.changes) == {"v", "w"}


def test_the_changes_of_a_commit_cannot_be_changed() -> None:
    bp = Backpack()
    commit = bp.pack("v", 1)
    with pytest.raises((TypeError, AttributeError)):
        commit.changes["w"] = commit.changes["v"]
    with pytest.raises((TypeError, AttributeError)):
        del commit.changes["v"]
    with pytest.raises((TypeError, AttributeError)):
        commit.changes["v"].version = 7
    assert set(bp.commit(1).changes) == {"v"}
    assert bp.commit(1).changes["v"].version == 1


def test_an_array_is_copied_on_the_way_in_and_out() -> None:
    array = np.arange(5)
    bp = Backpack({"v": array})
    array[0] = 99
    out = bp["v"]
    with contextlib.suppress(ValueError):
        out[1] = 99
    assert same(bp["v"], np.arange(5))


# -- registered classes ------------------------------------------------------------------------------------


class Point(typing.NamedTuple):
    x: int
    y: Any = None


Old = collections.namedtuple("Old", ["a", "b"])


class Colour(enum.Enum):
    RED = "red"
    BLUE = ("b", 1)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Flags(enum.Flag):
    A = 1
    B = 2


@dataclasses.dataclass
class Doc:
    title: str
    lines: list[Any] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    at: tuple[int, ...]
    extra: Any = None


class Plain:
    def __init__(self, words: list[str]) -> None:
        self.words = words

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and self.words == other.words

    __hash__ = None  # type: ignore[assignment]


UNREGISTERED: dict[str, Any] = {}


def _unregistered() -> dict[str, Any]:
    class Pair(typing.NamedTuple):
        a: int

    class Choice(enum.Enum):
        ONE = 1

    class Number(enum.IntEnum):
        ONE = 1

    class Word(enum.StrEnum):
        ONE = "one"

    @dataclasses.dataclass
    class Data:
        a: int = 1

    class Text(str):
        __slots__ = ()

    class Whole(int):
        pass

    class Real(float):
        pass

    class Mapping(dict):  # type: ignore[type-arg]
        pass

    class Sequence(list):  # type: ignore[type-arg]
        pass

    class Pile(tuple):  # type: ignore[type-arg]
        __slots__ = ()

    class Members(set):  # type: ignore[type-arg]
        pass

    class Raw(bytes):
        pass

    class Day(dt.date):
        pass

    class Money(decimal.Decimal):
        pass

    class Queue(collections.deque):  # type: ignore[type-arg]
        pass

    class Order(collections.OrderedDict):  # type: ignore[type-arg]
        pass

    return {
        "named tuple": Pair(1),
        "enum": Choice.ONE,
        "int enum": Number.ONE,
        "str enum": Word.ONE,
        "dataclass": Data(),
        "subclass of str": Text("a"),
        "subclass of int": Whole(1),
        "subclass of float": Real(1.5),
        "subclass of dict": Mapping(a=1),
        "subclass of list": Sequence([1]),
        "subclass of tuple": Pile((1,)),
        "subclass of set": Members({1}),
        "subclass of bytes": Raw(b"a"),
        "subclass of date": Day(2024, 1, 1),
        "subclass of Decimal": Money("1.5"),
        "subclass of deque": Queue([1]),
        "subclass of OrderedDict": Order(a=1),
        "lambda": lambda: None,
        "function": nested,
        "class": int,
        "module": re,
        "object": object(),
        "generator": (n for n in range(3)),
        "open file": io.BytesIO(b"abc"),
        "exception": ValueError("a"),
        "defaultdict with a lambda": collections.defaultdict(lambda: 0),
        "ellipsis": ...,
        "NotImplemented": NotImplemented,
        "dict view": {}.keys(),
        "iterator": iter([1]),
    }


UNREGISTERED.update(_unregistered())


@pytest.fixture(scope="module")
def registered() -> None:
    backpack.register(Point)
    backpack.register(Old, name="an-old-one")
    backpack.register(Colour)
    backpack.register(Level)
    backpack.register(Flags)
    backpack.register(Doc)
    backpack.register(Frozen)
    backpack.register(
        Plain, name="plain", encode=lambda it: {"words": it.words}, decode=lambda raw: Plain(raw["words"])
    )


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    "value",
    [
        Point(1, [2]),
        Point(1, Point(2)),
        Old(1, "b"),
        Colour.RED,
        Colour.BLUE,
        Level.HIGH,
        Flags.A | Flags.B,
        Doc("t", [Doc("inner"), (1,)]),
        Frozen((1, 2), {"a": Frozen(())}),
    ],
    ids=repr,
)
def test_a_registered_class_needs_no_functions_when_its_shape_is_known(value: Any) -> None:
    bp = Backpack()
    commit = bp.pack("v", value)
    bp.pack("w", [value, {"k": (value,)}])
    bp.delete("v")
    found = bp.snapshot(commit)["v"]
    assert type(found) is type(value)
    assert found == value
    assert type(bp["w"][1]["k"][0]) is type(value)
    assert bp["w"] == [value, {"k": (value,)}]


@pytest.mark.usefixtures("registered")
def test_a_registered_class_is_not_aliased_either() -> None:
    doc = Doc("t", ["a"])
    bp = Backpack({"v": doc})
    doc.lines.append("b")
    bp["v"].lines.append("c")
    assert bp["v"] == Doc("t", ["a"])


@pytest.mark.usefixtures("registered")
def test_a_registered_class_with_functions_comes_back() -> None:
    bp = Backpack({"v": [Plain(["a"]), {"k": Plain([])}]})
    assert bp["v"] == [Plain(["a"]), {"k": Plain([])}]
    assert type(bp["v"][0]) is Plain


def test_a_pydantic_model_needs_no_functions() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Inner(pydantic.BaseModel):
        when: dt.datetime
        score: decimal.Decimal

    class Outer(pydantic.BaseModel):
        name: str
        inner: Inner
        tags: set[str] = pydantic.Field(default_factory=set)

    backpack.register(Outer)
    backpack.register(Inner)
    value = Outer(name="n", inner=Inner(when=dt.datetime(2024, 1, 1, tzinfo=dt.UTC), score="1.50"), tags={"a"})
    bp = Backpack({"v": value})
    found = bp["v"]
    assert type(found) is Outer
    assert type(found.inner) is Inner
    assert found == value
    found.tags.add("b")
    assert bp["v"] == value


def test_any_other_class_needs_functions() -> None:
    class Opaque:
        def __init__(self) -> None:
            self.handle = 1

    with pytest.raises(TypeError):
        backpack.register(Opaque)


@pytest.mark.parametrize("name", UNREGISTERED)
def test_what_cannot_be_stored_is_refused_and_the_store_is_unchanged(name: str) -> None:
    value = UNREGISTERED[name]
    bp = Backpack({"v": "before"})
    usage = bp.memory_usage()
    for nested_value in (value, [1, value], {"a": {"b": (value,)}}):
        with pytest.raises(UnstorableValueError):
            bp.pack("v", nested_value)
        with pytest.raises(UnstorableValueError):
            bp.append("list", nested_value)
        with pytest.raises(UnstorableValueError):
            bp.update({"other": 1, "v": nested_value})
        with pytest.raises(UnstorableValueError), bp.transaction() as tx:
            tx.pack("other", 1)
            tx.pack("v", nested_value)
    assert dict(bp) == {"v": "before"}
    assert bp.head.seq == 1
    assert bp.version("v") == 1
    assert bp.version("other") == 0
    assert bp.memory_usage().history_bytes == usage.history_bytes
    assert bp.memory_usage().live_bytes == usage.live_bytes


def test_a_class_as_a_key_of_a_dict_or_member_of_a_set_is_refused_as_well() -> None:
    class Key(typing.NamedTuple):
        a: int

    for value in ({Key(1): 1}, {Key(1)}, frozenset([Key(1)]), collections.deque([Key(1)]), {1: {Key(1): 2}}):
        with pytest.raises(UnstorableValueError):
            Backpack().pack("v", value)


def test_an_encoder_that_fails_leaves_the_store_unchanged() -> None:
    class Fragile:
        pass

    def refuse(it: Any) -> Any:
        raise RuntimeError("not today")

    backpack.register(Fragile, name="fragile", encode=refuse, decode=lambda raw: Fragile())
    bp = Backpack({"v": 1})
    with pytest.raises((UnstorableValueError, RuntimeError)):
        bp.pack("v", [Fragile()])
    assert dict(bp) == {"v": 1}
    assert bp.head.seq == 1


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"findings": [0, 1, 2, {"handle": lambda: None}]}, "findings[3].handle"),
        ([0, [1, object()]], "[1][1]"),
        ({"a": {"b": object()}}, "a.b"),
        ({"a": ({"b": [object()]},)}, "a[0].b[0]"),
    ],
)
def test_a_refusal_names_the_path_inside_the_value(value: Any, path: str) -> None:
    with pytest.raises(UnstorableValueError) as caught:
        Backpack().pack("key", value)
    assert path in str(caught.value)
    assert path in str(caught.value.path)


def ways_to_pack(bp: Backpack) -> dict[str, Callable[[str, Any], object]]:
    """Every call that takes the value of a key."""

    def in_transaction(key: str, value: Any) -> None:
        with bp.transaction() as tx:
            tx.pack("other", 1)
            tx.pack(key, value)

    return {
        "pack": bp.pack,
        "apack": lambda key, value: asyncio.run(bp.apack(key, value)),
        "update": lambda key, value: bp.update({"other": 1, key: value}),
        "setdefault": bp.setdefault,
        "[]": bp.__setitem__,
        "transaction": in_transaction,
        "initial": lambda key, value: Backpack({"other": 1, key: value}),
        "replay": lambda key, value: bp.replay(0, replace={1: {"other": 1, key: value}}),
        "node": bp.node("n").pack,
        "node update": lambda key, value: bp.node("n").update({"other": 1, key: value}),
    }


@pytest.mark.parametrize("way", sorted(ways_to_pack(Backpack())))
@pytest.mark.parametrize(
    ("value", "place"),
    [
        ([0, 1, 2, {"handle": object()}], "findings[3].handle"),
        ({"handle": object()}, "findings.handle"),
        (object(), "findings"),
    ],
)
def test_a_refusal_names_the_key(way: str, value: Any, place: str) -> None:
    with pytest.raises(UnstorableValueError, match=rf"^cannot pack {re.escape(place)}: ") as caught:
        ways_to_pack(Backpack({"v": 1}))[way]("findings", value)
    assert caught.value.key == "findings"
    assert caught.value.path == place.removeprefix("findings").removeprefix(".")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.key, again.path) == (str(caught.value), "findings", caught.value.path)


def test_a_refusal_to_append_names_the_key() -> None:
    bp = Backpack()

    def in_transaction(*values: Any) -> None:
        with bp.transaction() as tx:
            tx.append("list", *values)

    for append in (
        partial(bp.append, "list"),
        lambda *values: asyncio.run(bp.aappend("list", *values)),
        in_transaction,
    ):
        for values in ([{"handle": object()}], [1, {"handle": object()}]):
            with pytest.raises(UnstorableValueError, match=r"^cannot append to list: .* path=handle ") as caught:
                append(*values)
            assert (caught.value.key, caught.value.path) == ("list", "handle")


def cycles() -> list[Any]:
    in_list: list[Any] = [1]
    in_list.append(in_list)
    in_dict: dict[str, Any] = {}
    in_dict["deep"] = [{"again": in_dict}]
    in_tuple: tuple[Any, ...] = ([],)
    in_tuple[0].append(in_tuple)
    in_deque: Any = collections.deque()
    in_deque.append(in_deque)
    return [in_list, in_dict, in_tuple, in_deque]


@pytest.mark.parametrize("number", range(4))
def test_a_cycle_is_refused(number: int) -> None:
    bp = Backpack({"v": 1})
    with pytest.raises(UnstorableValueError):
        bp.pack("v", cycles()[number])
    with pytest.raises(UnstorableValueError):
        bp.append("list", cycles()[number])
    assert dict(bp) == {"v": 1}


def test_the_same_object_twice_is_no_cycle() -> None:
    shared = [1]
    assert same(Backpack({"v": {"a": shared, "b": [shared, shared]}})["v"], {"a": [1], "b": [[1], [1]]})


def nest(depth: int, kind: str) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"list": [value], "dict": {"a": value}, "tuple": (value,)}[kind]
    return value


@pytest.mark.parametrize("kind", ["list", "dict", "tuple"])
def test_a_value_may_nest_256_deep_but_not_much_deeper(kind: str) -> None:
    bp = Backpack()
    bp.pack("v", nest(250, kind))
    assert repr(bp["v"]) == repr(nest(250, kind))
    for depth in (300, 5_000):
        with pytest.raises(UnstorableValueError):
            bp.pack("v", nest(depth, kind))
    assert bp.head.seq == 1


def test_a_deep_item_is_refused_by_append_as_by_pack() -> None:
    bp = Backpack({"v": [1]})
    with pytest.raises(UnstorableValueError):
        bp.append("v", nest(300, "list"))
    assert same(bp["v"], [1])


def test_a_memoryview_is_refused_or_kept_but_never_turned_into_bytes() -> None:
    bp = Backpack()
    try:
        bp.pack("v", [memoryview(b"abc")])
    except BackpackError:
        return
    assert type(bp["v"][0]) is memoryview


def test_an_array_of_objects_is_refused_or_kept() -> None:
    array = np.array([{"a": 1}, [2]], dtype=object)
    bp = Backpack()
    try:
        bp.pack("v", array)
    except BackpackError:
        return
    assert list(bp["v"]) == list(array)


@pytest.mark.parametrize("text", ["ж", "é", "€", "\U0001f600", "\ud800"])
def test_sizes_are_bytes_and_not_characters(text: str) -> None:
    bp = Backpack()
    wide = bp.pack("a", text * 50).changes["a"].size
    narrow = bp.pack("b", "x" * 50).changes["b"].size
    encoded = len(text.encode("utf-8", "surrogatepass"))
    assert wide >= 50 * encoded
    if "\ud800" not in text:
        assert wide - narrow <= 50 * (encoded - 1) + 4


def test_the_size_of_a_value_is_the_same_in_change_item_and_commit() -> None:
    bp = Backpack()
    commit = bp.pack("a", {"text": "x" * 300})
    assert commit.changes["a"].size == bp.item("a").size == commit.size
    assert bp.snapshot().item("a").size == commit.size
    assert 300 < commit.size < 330


# -- any value at all --------------------------------------------------------------------------------------

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(st.characters(), max_size=12),
    st.binary(max_size=12),
    st.binary(max_size=12).map(bytearray),
    st.datetimes(timezones=st.one_of(st.none(), st.just(dt.UTC), st.just(BERLIN))),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.decimals(),
    st.fractions(),
    st.uuids(),
    st.builds(range, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 3)),
)
hashable = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters(), max_size=6),
    st.binary(max_size=6),
    st.tuples(st.integers(), st.text(max_size=3)),
    st.dates(),
    st.frozensets(st.integers(), max_size=3),
)
any_value = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(hashable, inner, max_size=5),
        st.sets(hashable, max_size=4),
        st.frozensets(hashable, max_size=4),
        st.lists(inner, max_size=3).map(collections.deque),
        st.dictionaries(hashable, inner, max_size=3).map(collections.OrderedDict),
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=150)
@given(any_value, any_value)
def test_any_storable_value_comes_back_live_and_in_snapshots(first: Any, second: Any) -> None:
    bp = Backpack()
    one = bp.pack("v", first)
    two = bp.pack("v", second)
    three = bp.pack("v", [first, second])
    bp.delete("v")
    assert same(bp.snapshot(one)["v"], first)
    assert same(bp.snapshot(two)["v"], second)
    assert same(bp.snapshot(three)["v"], [first, second])


@settings(deadline=None, max_examples=100)
@given(st.lists(any_value, max_size=6), st.data())
def test_a_list_that_grows_and_is_edited_is_right_at_every_version(values: list[Any], data: st.DataObject) -> None:
    bp = Backpack()
    wanted: list[Any] = []
    current: list[Any] = []
    for value in values:
        how = data.draw(st.sampled_from(["append", "pack", "cut", "edit", "insert"]))
        if how == "append" or not current:
            current = [*current, value]
            bp.append("v", value)
        else:
            position = data.draw(st.integers(0, len(current) - 1))
            current = {
                "pack": [*current, value],
                "cut": current[1:],
                "edit": [*current[:position], value, *current[position + 1 :]],
                "insert": [*current[:position], value, *current[position:]],
            }[how]
            bp.pack("v", current)
        wanted.append(copy.deepcopy(current))
    for seq, expected in enumerate(wanted, start=1):
        assert same(bp.snapshot(seq)["v"], expected)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=6), st.data())
def test_a_text_that_grows_and_is_edited_is_right_at_every_version(texts: list[str], data: st.DataObject) -> None:
    bp = Backpack()
    wanted: list[str] = []
    current = "start " * 40
    for text in texts:
        how = data.draw(st.sampled_from(["grow", "middle", "cut", "new"]))
        position = data.draw(st.integers(0, len(current)))
        current = {
            "grow": current + text,
            "middle": current[:position] + text + current[position:],
            "cut": current[position:],
            "new": text,
        }[how]
        bp.pack("v", current)
        wanted.append(current)
    for seq, expected in enumerate(wanted, start=1):
        assert bp.snapshot(seq)["v"] == expected
