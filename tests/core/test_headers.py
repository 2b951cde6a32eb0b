"""What is said of headers is held against what msgpack writes."""

from typing import Any

import pytest
from msgpack import packb, unpackb

from backpack.core.headers import (
    BYTES,
    FAMILIES,
    HEADER_SIZES,
    LIST,
    NO_FAMILY,
    TEXT,
    array_count,
    array_header,
    header_size,
    read_array_header,
)
from backpack.errors import CorruptionError

COUNTS = (0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536)


def test_an_array_header_and_packed_items_are_a_packed_list() -> None:
    for count in COUNTS:
        header = array_header(count)
        payload = header + packb(7) * count
        assert payload == packb([7] * count)
        assert array_count(header) == count
        for form in (bytes, bytearray, memoryview):
            assert read_array_header(form(payload)) == read_array_header(form(payload[:5])) == (count, len(header))


@pytest.mark.parametrize(("family", "item"), [(LIST, [None]), (TEXT, "x"), (BYTES, b"x")])
def test_a_body_is_what_follows_the_header(family: int, item: Any) -> None:
    for count in COUNTS:
        payload = packb(item * count)
        assert FAMILIES[payload[0]] == family
        assert header_size(payload) == header_size(payload[:1]) == len(payload) - count


def test_whatever_else_begins_with_a_byte_is_in_no_family_and_has_no_header() -> None:
    for value in (None, True, False, 0, 127, -1, -32, 128, 2**32, 2**64 - 1, -(2**63), 1.5, {}, {1: 2}):
        first = packb(value)[0]
        assert FAMILIES[first] == NO_FAMILY and HEADER_SIZES[first] == 0
        assert read_array_header(packb(value)) is None
    assert [first for first in range(256) if bool(FAMILIES[first]) != bool(HEADER_SIZES[first])] == []
    assert read_array_header(packb("x")) is None and read_array_header(packb(b"x")) is None


def test_headers_that_are_longer_than_needed_are_read_too() -> None:
    for payload, header in ((b"\xdc\x00\x01\xc0", (1, 3)), (b"\xdd\x00\x00\x00\x01\xc0", (1, 5))):
        assert unpackb(payload) == [None]
        assert read_array_header(payload) == header


@pytest.mark.parametrize("payload", [b"", b"\xdc", b"\xdc\x00", b"\xdd", b"\xdd\xff\xff", b"\xdd\xff\xff\xff"])
def test_a_header_that_is_cut_short_is_corruption(payload: bytes) -> None:
    with pytest.raises(CorruptionError):
        read_array_header(payload)
