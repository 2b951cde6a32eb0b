"""The proofs that take a short way: whatever stands in small and large, flat and nested dicts and lists is treated
alike, before and after the garbage collector has looked at them."""

import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgpack import ExtType, Packer, Timestamp

from backpack.codec import pack_checked, pack_value, packing, register, unpack_value
from backpack.errors import UnstorableValueError
from backpack.limits import VALUE_DEPTH_MAX
from tests.codec.test_refusals import MyInt, MyList, MyStr
from tests.codec.values import nest, same

FORGERIES: list[Any] = [
    ExtType(5, b"\x90"),
    ExtType(5, b"x" * 300),
    ExtType(127, b""),
    Timestamp(1),
    Timestamp(1, 2),
    Timestamp(2**40, 5),
    memoryview(b""),
    memoryview(b"x" * 300),
]
FILLERS: dict[str, dict[Any, Any]] = {
    "none": {},
    "texts": {f"key{i}": "text" for i in range(14)},
    "marks": {"c4": 0xC4, "c5": 0xC5C5, "c7": 0xC7D4, "f": [0xC6]},
    "large text": {"body": "x" * 50_000},
    "many": {f"key{i}": i for i in range(600)},
    "odd keys": {1: "a", None: 2, 2.5: [1]},
    "nested": {"usage": {"tokens": 1}, "tags": ["a", "b"]},
    "deep": {"deep": nest(1, "ld", 30)},
    "huge": {"body": "y" * 300_000, "z": [1]},
}
KINDS = ["", "l", "d", "dl", "ddd", "d" * 20]
CASES = [(filler, kinds) for filler in FILLERS for kinds in KINDS if filler != "huge" or kinds in ("", "d")]


def as_made(value: Any) -> Any:
    return value


def collected(value: Any) -> Any:
    gc.collect()
    return value


def frozen(value: Any) -> Any:
    gc.collect()
    gc.freeze()
    return value


TREATMENTS: list[Callable[[Any], Any]] = [as_made, collected]


@pytest.fixture(scope="module", autouse=True)
def only_new_objects_are_collected() -> Iterator[None]:
    """What other tests have left behind would make each collection take a hundred times as long."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def placed(odd: Any, filler: dict[Any, Any]) -> Iterator[Any]:
    """The odd one first, last, as a list's item, and put into a dict that was flat until then."""
    yield {"odd": odd, **filler}
    yield {**filler, "odd": odd}
    yield [*filler.values(), odd]
    grown = dict.fromkeys(["a", "b", "c"], 1)
    grown.update(filler)
    grown["b"] = odd
    yield grown


@pytest.mark.parametrize(("filler", "kinds"), CASES)
@pytest.mark.parametrize("treat", TREATMENTS)
def test_a_forgery_is_refused_as_a_value_and_as_a_key(filler: str, kinds: str, treat: Callable[[Any], Any]) -> None:
    values = [one for odd in FORGERIES for one in placed(odd, FILLERS[filler])]
    values += [{odd: 1, **FILLERS[filler]} for odd in FORGERIES]
    values += [{**FILLERS[filler], odd: 1} for odd in FORGERIES]
    values = [nest(value, kinds, len(kinds)) for value in values]
    treat(values)
    for value in values:
        with pytest.raises(UnstorableValueError):
            pack_value(value)
        with pytest.raises(UnstorableValueError):
            pack_checked(value)


@pytest.mark.parametrize(("filler", "kinds"), CASES)
@pytest.mark.parametrize("treat", TREATMENTS)
def test_a_bytearray_comes_back_as_one_and_is_not_plain(filler: str, kinds: str, treat: Callable[[Any], Any]) -> None:
    values = [one for size in (0, 3, 300, 70_000) for one in placed(bytearray(size), FILLERS[filler])]
    values = [nest(value, kinds, len(kinds)) for value in values]
    treat(values)
    for value in values:
        payload = pack_value(value)
        assert pack_checked(value) == (payload, False)
        assert same(unpack_value(payload), value)


@pytest.mark.parametrize(("filler", "kinds"), CASES)
@pytest.mark.parametrize("treat", TREATMENTS)
def test_plain_values_and_bytes_are_told_apart(filler: str, kinds: str, treat: Callable[[Any], Any]) -> None:
    bare = Packer(strict_types=True).pack
    odds = ((1, True), ("\u00c4", True), ([], True), (b"", False), (b"x" * 300, False))
    cases = [(nest(one, kinds, len(kinds)), plain) for odd, plain in odds for one in placed(odd, FILLERS[filler])]
    treat(cases)
    for value, is_plain in cases:
        assert pack_value(value) == bare(value)
        assert pack_checked(value) == (bare(value), is_plain)
    for value in placed((1,), FILLERS[filler]):
        assert pack_checked(value) == (pack_value(value), False)


@pytest.mark.parametrize("filler", FILLERS)
def test_a_value_that_was_frozen_is_proved_like_any_other(filler: str) -> None:
    for odd in FORGERIES:
        for value in frozen(list(placed(odd, FILLERS[filler]))):
            with pytest.raises(UnstorableValueError):
                pack_value(value)
    for value in frozen(list(placed(bytearray(3), FILLERS[filler]))):
        assert same(unpack_value(pack_value(value)), value)


@pytest.mark.parametrize("odd", [MyStr("s"), MyInt(77), MyList()])
@pytest.mark.parametrize("filler", FILLERS)
def test_a_subclass_is_refused_as_a_value_and_as_a_key(odd: Any, filler: str) -> None:
    values = list(placed(odd, FILLERS[filler]))
    if type(odd) is not MyList:
        values += [{odd: 1, **FILLERS[filler]}, {"a": {**FILLERS[filler], odd: 1}}]
    for value in values:
        with pytest.raises(UnstorableValueError):
            pack_value(value)


@pytest.mark.parametrize("last", [{}, {"a": 1}, [], [1], (), (1,), {"a": b""}, {"a": bytearray(300)}, {1: None}])
@pytest.mark.parametrize(
    ("kinds", "beside"),
    [("l", None), ("d", None), ("ld", None), ("ddl", None), ("ddl", "x" * 300), ("ld", "x" * 5_000), ("d", 0xC4)],
)
@pytest.mark.parametrize("treat", TREATMENTS)
def test_256_levels_are_the_most_whatever_the_last_one_is(
    last: Any, kinds: str, beside: Any, treat: Callable[[Any], Any]
) -> None:
    value = treat({"beside": beside, "deep": nest(last, kinds, VALUE_DEPTH_MAX - 2)})
    assert same(unpack_value(pack_value(value)), value)
    assert pack_checked(value)[0] == pack_value(value)
    for deeper in ([value], {"a": value}, {"beside": beside, "deep": nest(last, kinds, VALUE_DEPTH_MAX - 1)}):
        for pack in (pack_value, pack_checked):
            with pytest.raises(UnstorableValueError, match="256"):
                pack(deeper)  # type: ignore[operator]


@pytest.mark.parametrize("value", [{}, {"a": 1}, {"a": {}}, {"a": {"b": {}}}, {"a": [[1]]}, [], [[]], [{"a": 1}]])
def test_depth_counts_from_where_the_value_stands(value: Any) -> None:
    height = str(value).count("{") + str(value).count("[")
    pack_value(value, VALUE_DEPTH_MAX - height)
    pack_checked(value, depth=VALUE_DEPTH_MAX - height)
    with pytest.raises(UnstorableValueError):
        pack_value(value, VALUE_DEPTH_MAX - height + 1)


def test_known_items_are_not_looked_at_and_those_after_them_are() -> None:
    items: list[Any] = [{"role": "user", "content": "x" * 400} for _ in range(1_000)]
    asked: list[bytes] = []
    payload, is_plain = pack_checked(items, lambda payload: asked.append(payload) or 999)
    assert asked == [payload] and is_plain
    for odd in (b"", bytearray(b"x"), (1,), 2**70, "\ud800"):
        items[-1] = {"a": odd}
        payload, is_plain = pack_checked(items, lambda payload: 999)
        assert not is_plain and same(unpack_value(payload), items)
    for odd in FORGERIES:
        items[-1] = {"a": odd}
        with pytest.raises(UnstorableValueError):
            pack_checked(items, lambda payload: 999)
    assert pack_checked({"a": 1}, lambda payload: 1 // 0)[1]


def test_a_writer_with_a_large_buffer_is_kept_and_a_huge_one_is_not() -> None:
    packing._entries.clear()
    for size, count in ((10, 1), (1 << 20, 1), (5 << 20, 0)):
        pack_checked({1: "x" * size})  # a key that the accelerator leaves to msgpack
        assert len(packing._entries) == count
    assert unpack_value(pack_value({"a": (1,)})) == {"a": (1,)} and len(packing._entries) == 1
    assert packing._entries[0][1] == []


def test_packing_again_from_within_uses_another_writer() -> None:
    class Again:
        pass

    register(Again, name="again", encode=lambda v: pack_value({"x": [1], "y": (2,)}), decode=lambda s: unpack_value(s))
    value = {"a": 1, "b": Again(), "c": [Again()]}
    inner = {"x": [1], "y": (2,)}
    assert unpack_value(pack_value(value)) == {"a": 1, "b": inner, "c": [inner]}


def test_threads_that_pack_nested_dicts_do_not_disturb_each_other() -> None:
    wrong: list[Any] = []

    def work(number: int) -> None:
        for i in range(500):
            value = {"n": number, "i": i, "tags": [i, {"x": number}], "odd": (i,) if i % 7 == 0 else 0}
            if unpack_value(pack_value(value)) != value:
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
