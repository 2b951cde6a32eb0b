"""Bytes that are shared while they grow: what is refused leaves them as they were."""

import sys

import pytest

from backpack.core import fields
from backpack.core.payload import Buffer, Pieces, head_of, make_cuts


def test_a_buffer_that_someone_reads_at_this_moment_does_not_grow() -> None:
    buffer = Buffer(bytearray(b"begin"))
    with memoryview(buffer.data):
        assert not buffer.extend(b" more")
    assert buffer.data == b"begin"
    assert buffer.extend(b" more")
    assert buffer.data == b"begin more"


def test_an_extension_that_someone_reads_when_it_is_taken_back_stays_and_the_buffer_grows_no_more() -> None:
    buffer = Buffer(bytearray(b"begin more"))
    with memoryview(buffer.data):
        buffer.cut(5)
    assert buffer.data == b"begin more"
    assert not buffer.extend(b"!")


def test_a_buffer_that_is_sealed_or_of_bytes_does_not_grow() -> None:
    assert not Buffer(bytearray(b"begin"), is_sealed=True).extend(b"!")
    buffer = Buffer(b"begin")
    assert not buffer.extend(b"!")
    buffer.cut(2)
    assert buffer.data == b"begin"


@pytest.mark.parametrize("count", [1, 3, 5, 8, 20])
def test_the_first_bytes_are_found_whatever_slice_they_stand_in(count: int) -> None:
    buffer = Buffer(bytearray(b"__cdefgh__"))
    pieces = Pieces(8, b"ab", (buffer,), make_cuts([0, 0, 2, 1, 2, 8]))
    assert head_of(pieces, count) == b"abcdefgh"[:count]
    assert head_of(b"abcdefgh", count) == b"abcdefgh"[:count]
    alone = Pieces(8, b"abcdefgh", (buffer,), make_cuts([0, 0, 8]))
    assert head_of(alone, count) == b"abcdefgh"[:count]


def test_a_column_is_the_same_on_machines_of_either_byte_order(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {"little": "big", "big": "little"}[sys.byteorder]
    here = fields.bytes_of("q", [1, 2**40])
    assert here == (1).to_bytes(8, "little") + (2**40).to_bytes(8, "little")
    monkeypatch.setattr(sys, "byteorder", other)
    there = fields.bytes_of("q", [1, 2**40])
    assert there == (1).to_bytes(8, other) + (2**40).to_bytes(8, other) if other == "big" else here
    given = fields.Given({"head": 0, "texts": [], "column": there})
    assert list(given.column("column", "q")) == [1, 2**40]
