import collections
import datetime
import enum
import io
import pickle
import threading
import zoneinfo
from collections import OrderedDict, defaultdict
from typing import Any

import pytest
from msgpack import ExtType, Timestamp

from backpack.codec import pack_checked, pack_value, unpack_value
from backpack.errors import UnstorableValueError
from backpack.limits import VALUE_DEPTH_MAX
from tests.codec.values import nest, same


class MyDict(dict[Any, Any]):
    pass


class MyStr(str):
    __slots__ = ()


class MyInt(int):
    __slots__ = ()


class MyList(list[Any]):
    pass


class Level(enum.IntEnum):
    HIGH = 3


class Zone(datetime.tzinfo):
    pass


STRANGE: list[Any] = [
    object(),
    lambda: 0,
    io.StringIO(),
    MyDict(a=1),
    MyStr("s"),
    MyInt(1),
    MyList([1]),
    Level.HIGH,
    ...,
    NotImplemented,
    memoryview(b"x"),
    memoryview(bytearray(b"x")),
    ExtType(5, b"\x90"),
    ExtType(100, b""),
    Timestamp(1, 2),
    threading.Lock(),
    type,
    int,
    defaultdict(lambda: 0),
    defaultdict(MyStr),
    datetime.datetime(2020, 1, 1, tzinfo=Zone()),
    collections.ChainMap(),
    (i for i in ()),
    iter([]),
    {}.keys(),
    bytearray,
    (1).__add__,
]
WRAPPERS = ["", "l", "t", "d", "ld", "lt", "tl", "dt", "o", "q", "f", "c", "ltdoqfc"]


@pytest.mark.parametrize("index", range(len(STRANGE)))
@pytest.mark.parametrize("kinds", WRAPPERS)
def test_what_cannot_be_stored_is_refused_at_any_depth(index: int, kinds: str) -> None:
    for repeat in (1, 3, 12) if kinds else (1,):
        with pytest.raises(UnstorableValueError) as caught:
            pack_value(nest(STRANGE[index], kinds, len(kinds) * repeat))
        assert caught.value.__cause__ is None and caught.value.__context__ is None


@pytest.mark.parametrize("kinds", ["k", "s", "kl", "st", "tk", "tsk"])
def test_what_cannot_be_stored_is_refused_as_a_key_and_as_a_member(kinds: str) -> None:
    refused = 0
    for strange in STRANGE:
        try:
            value = nest(strange, kinds, len(kinds))
        except (TypeError, ValueError, NotImplementedError):
            continue
        with pytest.raises(UnstorableValueError):
            pack_value(value)
        refused += 1
    assert refused > 9


def test_a_forgery_beside_bytes_and_surrogates_is_refused_too() -> None:
    for strange in (ExtType(5, b"\x90"), Timestamp(1), memoryview(b"")):
        for value in (
            ["\ud800", strange],
            [bytearray(b""), strange],
            ({"a": [bytearray(b""), strange]},),
            {"\ud800": (strange,)},
        ):
            with pytest.raises(UnstorableValueError):
                pack_value(value)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (object(), ""),
        ({"findings": [1, 2, 3, {"handle": object()}]}, "findings[3].handle"),
        ([object()], "[0]"),
        ({"odd key": {1: object()}}, "['odd key'][1]"),
        ({"a": (1, {"b": [object()]})}, "a[1].b[0]"),
        ({"a": OrderedDict(b=object())}, "a.b"),
        ({"a": defaultdict(list, b=[object()])}, "a.b[0]"),
        ({"a": {None: object()}}, "a[None]"),
        ({"a": [0, memoryview(b"secret")]}, "a[1]"),
        ({"a": [0, ("\ud800", ExtType(5, b"secret"))]}, "a[1][1]"),
        (["\ud800", {"x": MyStr("secret")}], "[1].x"),
        ({"a": defaultdict(lambda: 0)}, "a"),
    ],
)
def test_the_error_names_the_path_and_never_the_value(value: Any, path: str) -> None:
    with pytest.raises(UnstorableValueError) as caught:
        pack_value(value)
    assert caught.value.path == path
    assert "secret" not in str(caught.value) and "0x" not in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).path == path


def test_a_cycle_is_refused_with_its_path() -> None:
    looped: Any = {"a": [1]}
    looped["a"].append({"b": looped})
    through_tuple: Any = []
    through_tuple.append((through_tuple, through_tuple))
    wide: Any = []
    wide += [wide, wide, wide]
    late: Any = ["\ud800", b"x"]
    late += [late, late]
    for value, path in ((looped, "a[1].b"), (through_tuple, "[0][0]"), (wide, "[0]"), (late, "[2]")):
        with pytest.raises(UnstorableValueError, match="contains itself") as caught:
            pack_value(value)
        assert caught.value.path == path


MIXTURES = [
    "l",
    "t",
    "d",
    "ld",
    "lt",
    "td",
    "ltd",
    "tttl",
    "o",
    "q",
    "f",
    "c",
    "ltdoqfc",
    "lllllllllt",
    "st",
    "s",
    "sst",
]


@pytest.mark.parametrize("kinds", MIXTURES)
@pytest.mark.parametrize("leaf", [1, b"b", bytearray(b"x"), "\ud800", 2**80, "long" * 100, datetime.date(2020, 1, 1)])
def test_exactly_256_levels_can_be_stored_and_257_cannot(kinds: str, leaf: Any) -> None:
    if ("s" in kinds or "k" in kinds) and type(leaf) is bytearray:
        leaf = 2
    value = nest(leaf, kinds, VALUE_DEPTH_MAX)
    assert same(unpack_value(pack_value(value)), value)
    beside = ["x" * 300, *([nest(leaf, kinds, VALUE_DEPTH_MAX - 1)] * 2)]
    assert same(unpack_value(pack_value(beside)), beside)
    with pytest.raises(UnstorableValueError):
        pack_value([value])
    with pytest.raises(UnstorableValueError):
        pack_value((value,))
    with pytest.raises(UnstorableValueError):
        pack_value({"a": 1, "b": value})
    with pytest.raises(UnstorableValueError):
        pack_checked(value, depth=1)


def test_an_empty_container_is_a_level() -> None:
    for empty in ([], {}, (), frozenset()):
        pack_value(nest(empty, "lt", 255))
        with pytest.raises(UnstorableValueError):
            pack_value(nest(empty, "lt", 256))
    pack_checked({}, depth=255)
    pack_checked(1, depth=256)
    for value in ({}, [], (), {"a": 1}):
        with pytest.raises(UnstorableValueError):
            pack_checked(value, depth=256)


def test_the_depth_of_items_after_known_ones_counts_the_list() -> None:
    for kinds in ("l", "t", "ltd"):
        good, bad = [0, nest(1, kinds, 255)], [0, nest(1, kinds, 256)]
        pack_checked(good, lambda payload: 1)
        with pytest.raises(UnstorableValueError):
            pack_checked(bad, lambda payload: 1)
        with pytest.raises(UnstorableValueError):
            pack_checked(good, lambda payload: 1, depth=1)


@pytest.mark.parametrize("kinds", ["l", "t", "d", "ltd", "l" * 400 + "t", "s", "tl", "o", "l" * 200 + "d" * 300 + "q"])
def test_a_hundred_thousand_levels_are_refused_cleanly(kinds: str) -> None:
    value = nest(1, kinds, 100_000)
    with pytest.raises(UnstorableValueError):
        pack_value(value)
    with pytest.raises(UnstorableValueError):
        pack_value(["\ud800", b"", value])
    while value is not None and type(value) in (list, tuple, dict):
        value = next(iter(value.values() if isinstance(value, dict) else value)) if type(value) is not int else None


def test_a_zone_without_a_key_is_refused() -> None:
    with open(f"{zoneinfo.TZPATH[0]}/Europe/Berlin", "rb") as file:
        zone = zoneinfo.ZoneInfo.from_file(file)
    with pytest.raises(UnstorableValueError):
        pack_value([datetime.datetime(2020, 1, 1, tzinfo=zone)])


def test_a_failure_leaves_the_next_call_whole() -> None:
    for _ in range(3):
        with pytest.raises(UnstorableValueError):
            pack_value([(1, (2, object()))])
        assert unpack_value(pack_value([(1, (2, "x"))])) == [(1, (2, "x"))]


def test_deep_values_fit_on_a_stack_of_one_mebibyte() -> None:
    faults: list[BaseException] = []

    def work() -> None:
        try:
            for kinds in ("t", "ltdoqfc", "lllllllllt"):
                value = nest(1, kinds, VALUE_DEPTH_MAX)
                assert same(unpack_value(pack_value(value)), value)
            with pytest.raises(UnstorableValueError):
                pack_value(nest(1, "l" * 500 + "t", 5000))
        except BaseException as fault:
            faults.append(fault)

    before = threading.stack_size(1 << 20)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert not faults
