import struct
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgpack import ExtType, Timestamp, packb

from backpack.codec import check_payload, pack_value, unpack_value
from backpack.codec.extensions import BUILDERS, CUSTOM, LEAF_READERS, NUMPY_ARRAY, NUMPY_SCALAR, RECORD, TUPLE
from backpack.core.headers import read_array_header
from backpack.errors import CorruptionError, UnknownTypeError
from tests.codec.array_values import ARRAYS, SCALARS
from tests.codec.classes import OBJECTS
from tests.codec.values import SAMPLES, nest

CODES = [*LEAF_READERS, *BUILDERS, NUMPY_ARRAY, NUMPY_SCALAR, RECORD, CUSTOM]
GOOD = [pack_value(v) for v in [*SAMPLES, *OBJECTS, *ARRAYS, *SCALARS] if len(pack_value(v)) < 5000]


def harmless(payload: bytes) -> None:
    for read in (unpack_value, check_payload, read_array_header):
        try:
            read(payload)
        except CorruptionError as error:
            assert error.__context__ is None and error.__cause__ is None


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_corruption(payload: bytes) -> None:
    harmless(payload)


@settings(max_examples=2000)
@given(st.sampled_from(CODES), st.binary(max_size=60) | st.sampled_from(GOOD))
def test_any_body_of_any_extension_is_a_value_or_corruption(code: int, body: bytes) -> None:
    harmless(packb(ExtType(code, body)))
    harmless(packb({ExtType(code, body): [ExtType(code, body)]}))


@settings(max_examples=2000)
@given(
    st.sampled_from(GOOD), st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=4), st.integers(0, 3)
)
def test_a_mutated_payload_is_a_value_or_corruption(payload: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    changed = bytearray(payload)
    for position, byte in changes:
        changed[position % len(changed)] = byte
    harmless(bytes(changed[: len(changed) - cut]))


def test_every_truncation_and_every_trailing_byte_is_corruption() -> None:
    for payload in GOOD:
        for end in range(min(len(payload), 300)):
            with pytest.raises(CorruptionError):
                unpack_value(payload[:end])
        for tail in (b"\x00", b"\xc0", payload):
            with pytest.raises(CorruptionError):
                unpack_value(payload + tail)
            with pytest.raises(CorruptionError):
                check_payload(payload + tail)


def test_what_is_stored_passes_the_check_of_payloads_with_its_depth() -> None:
    for payload in GOOD:
        check_payload(payload)
    for kinds in ("l", "t", "ltdoqfc", "s"):
        for depth in (0, 1, 30, 256):
            payload = pack_value(nest(1, kinds, depth))
            assert check_payload(payload) == depth
            if depth == 256:
                with pytest.raises(CorruptionError):
                    check_payload(b"\x91" + payload)
    with pytest.raises(CorruptionError):
        check_payload(pack_value([[]] * 100), node_count_max=100)
    assert check_payload(pack_value([[]] * 100), node_count_max=101) == 2


def test_an_unknown_extension_is_an_unknown_type() -> None:
    for code in set(range(128)) - set(CODES):
        for value in (ExtType(code, b""), [{"a": ExtType(code, b"x")}], ExtType(TUPLE, packb([ExtType(code, b"")]))):
            with pytest.raises(UnknownTypeError):
                unpack_value(packb(value))
    for code in (-2, -128):
        with pytest.raises(CorruptionError):
            unpack_value(b"\xc7\x00" + struct.pack("b", code))


@pytest.mark.parametrize("stamp", [Timestamp(1), Timestamp(2**33, 5), Timestamp(-1, 7)])
def test_a_timestamp_of_msgpack_is_no_value_of_ours(stamp: Timestamp) -> None:
    forms: list[Any] = [
        stamp,
        [stamp],
        {"a": [stamp]},
        {stamp: 1},
        ExtType(TUPLE, packb([stamp])),
        [ExtType(TUPLE, packb([[stamp]]))],
    ]
    for value in forms:
        with pytest.raises(CorruptionError):
            unpack_value(packb(value))


def bomb(levels: int, inside: bytes = b"\x90", code: int = TUPLE) -> bytes:
    for _ in range(levels):
        body = b"\x91" + inside
        inside = b"\xc9" + len(body).to_bytes(4, "big") + bytes((code,)) + body
    return inside


@pytest.mark.parametrize("levels", [100, 200, 255, 256, 257, 300, 1000, 5000])
def test_a_bomb_of_nested_extensions_is_refused_or_read(levels: int) -> None:
    for inside in (b"\x90", b"\x91" * 300 + b"\x90", b"\x91" * 1020 + b"\x90"):
        payload = bomb(levels, inside)
        if levels > 255 or len(inside) > 1:
            with pytest.raises(CorruptionError):
                unpack_value(payload)
            with pytest.raises(CorruptionError):
                check_payload(payload)
        else:
            unpack_value(payload)
    for code in (RECORD, CUSTOM):
        with pytest.raises(CorruptionError):
            unpack_value(bomb(levels, code=code))


def test_lists_nested_beyond_reason_are_corruption() -> None:
    for head in (b"\x91", b"\x81\xc0", b"\x81\x90"):
        for count in (1025, 100_000):
            with pytest.raises(CorruptionError):
                unpack_value(head * count + b"\xc0")
    with pytest.raises(CorruptionError):
        check_payload(b"\x91" * 257 + b"\xc0")


def test_huge_counts_cost_nothing() -> None:
    started = time.perf_counter()
    for head in (b"\xdd", b"\xdf", b"\xc6", b"\xdb", b"\xc9"):
        for size in (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"):
            harmless(head + size)
            harmless((head + size) * 200)
            harmless(bomb(3, head + size))
    assert time.perf_counter() - started < 5


def test_unhashable_keys_and_bad_text_are_corruption() -> None:
    for payload in (
        b"\x81\x90\x01",
        b"\x81\x80\x01",
        b"\xa1\xff",
        b"\xa2\xed\xa0",
        b"\x81" + pack_value({1, 2}) + b"\x01",
        b"\xc1",
    ):
        with pytest.raises(CorruptionError):
            unpack_value(payload)
