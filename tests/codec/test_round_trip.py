import sys
import threading
from decimal import Decimal, localcontext
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.codec import pack_checked, pack_value, unpack_value
from backpack.codec.extensions import PATH
from tests.codec.values import SAMPLES, nest, same

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.complex_numbers()
    | st.decimals()
    | st.datetimes()
    | st.fractions()
    | st.uuids()
    | st.dates()
    | st.times()
    | st.timedeltas()
)
KEYS = st.recursive(SCALARS.filter(lambda v: type(v) is not Decimal or not v.is_snan()), lambda k: st.tuples(k, k))
VALUES = st.recursive(
    SCALARS | st.binary().map(bytearray),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner) | st.tuples(inner, inner) | st.sets(KEYS),
    max_leaves=30,
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(-(2**63), 2**64 - 1) | st.none(), inner),
    max_leaves=40,
)


@pytest.mark.parametrize("index", range(len(SAMPLES)))
def test_every_type_comes_back_as_itself_at_every_depth(index: int) -> None:
    value = SAMPLES[index]
    for wrapped in (
        value,
        [value],
        {"a": [value]},
        (value,),
        ([0, {"k": (value, value)}],),
        nest(value, "ltdofqc", 30),
    ):
        assert same(unpack_value(pack_value(wrapped)), wrapped)
    for form in (bytearray, memoryview):
        assert same(unpack_value(form(pack_value(value))), value)


def test_every_hashable_sample_comes_back_as_a_key_and_as_a_member() -> None:
    count = 0
    for value in SAMPLES:
        try:
            hash(value)
        except TypeError:
            continue
        count += 1
        for wrapped in ({value: 1}, {value}, frozenset({value}), {(value, 1): [value]}, [{"x": {value}}]):
            assert same(unpack_value(pack_value(wrapped)), wrapped)
    assert count > 60


@given(VALUES)
def test_any_value_comes_back_equal_in_type_and_value(value: Any) -> None:
    assert same(unpack_value(pack_value(value)), value)


@given(PLAIN)
def test_a_plain_value_is_known_as_plain(value: Any) -> None:
    assert pack_checked(value) == (pack_value(value), True)


@pytest.mark.parametrize("odd", [b"", bytearray(b"a"), (1,), 2**64, -(2**63) - 1, "\ud800", {1}, 1j, Decimal(1)])
def test_a_value_with_anything_else_in_it_is_not_plain(odd: Any) -> None:
    for value in (odd, [odd], {"a": odd}, {"a": [1, {"b": odd}]}):
        assert pack_checked(value) == (pack_value(value), False)
    assert pack_checked([1, 2, odd], lambda payload: 2) == (pack_value([1, 2, odd]), False)


def test_marks_that_stand_in_plain_bytes_by_chance_do_not_make_a_value_less_plain() -> None:
    for mark in range(0x80, 0x100):
        for value in ({"a": mark}, [chr(0x100 + mark)], {"a": [mark << 8 | mark] * 9}, {"a": {"b": float(mark) / 7}}):
            assert pack_checked(value) == (pack_value(value), True)


def test_a_bytearray_at_any_depth_comes_back_as_bytearray() -> None:
    for depth in (0, 1, 2, 50, 256):
        value = nest(bytearray(b"x"), "ltd", depth)
        assert same(unpack_value(pack_value(value)), value)
    deep: Any = bytearray(b"0")
    for _ in range(250):
        deep = (bytearray(b"1"), "\ud800", deep)
    assert same(unpack_value(pack_value(deep)), deep)


def test_a_tuple_that_looks_like_an_extension_is_another_key_than_a_surrogate() -> None:
    value = {"\ud800": 1, (3, b"\xed\xa0\x80"): 2, b"\xed\xa0\x80": 3}
    assert same(unpack_value(pack_value(value)), value)


def test_equal_sets_have_equal_bytes() -> None:
    forward = {f"m{i}" for i in range(500)}
    backward = {f"m{i}" for i in reversed(range(500))}
    assert pack_value(forward) == pack_value(backward)
    assert pack_value(frozenset(forward)) == pack_value(frozenset(backward)) != pack_value(forward)


def test_what_comes_back_is_fresh() -> None:
    payload = pack_value({"a": [bytearray(b"x")]})
    first = unpack_value(payload)
    first["a"].append(1)
    first["a"][0] += b"y"
    assert unpack_value(payload) == {"a": [bytearray(b"x")]}


def test_a_concrete_path_keeps_its_type_here_and_turns_pure_elsewhere() -> None:
    assert type(unpack_value(pack_value(Path("/a")))) is type(Path())
    posix, windows = (unpack_value(pack_value(cls("a"))) for cls in (PurePosixPath, PureWindowsPath))
    assert (type(posix), type(windows)) == (PurePosixPath, PureWindowsPath)
    foreign = 3 if isinstance(Path(), PurePosixPath) else 2
    body = bytes((foreign,)) + b"x"
    found = unpack_value(bytes((0xC7, len(body), PATH)) + body)
    assert type(found) is (PureWindowsPath if foreign == 3 else PurePosixPath)


def test_a_decimal_does_not_depend_on_the_context() -> None:
    value = Decimal("1.23E+50")
    with localcontext() as context:
        context.capitals = 0
        context.prec = 1
        payload = pack_value(value)
        assert str(unpack_value(payload)) == "1.23e+50"
    assert payload == pack_value(value)


def test_only_the_items_that_are_not_known_are_looked_at() -> None:
    assert pack_checked([memoryview(b""), 1], lambda payload: 1) == (pack_value([b"", 1]), True)
    for known in (0, 1, 2, 9):
        assert pack_checked([1, 2], lambda payload, known=known: known) == (pack_value([1, 2]), True)


def test_threads_do_not_disturb_each_other() -> None:
    wrong: list[Any] = []

    def work(number: int) -> None:
        value = {"n": number, "deep": nest((number, bytearray(b"x")), "ltd", 20), "list": [{"a": i} for i in range(40)]}
        flat = {"a": number, "b": "x" * number}
        for _ in range(150):
            payload, is_plain = pack_checked(value)
            if is_plain or not same(unpack_value(payload), value):
                wrong.append(value)
            payload, is_plain = pack_checked(flat)
            if not is_plain or unpack_value(payload) != flat:
                wrong.append(flat)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong
