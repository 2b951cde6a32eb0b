"""Slices of packed texts and bytes are exact, whatever they are read from."""

import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backpack.blobs.reading import BytesReader, JoinedReader, Reader
from backpack.blobs.store import Blobs
from backpack.blobs.text import byte_slice, line_count, text_lines
from backpack.codec import pack_value
from backpack.errors import BackpackError, CorruptionError, InvalidArgumentError, NotTextError
from backpack.storage.cover import PLAIN
from backpack.storage.memory import MemoryFolder

ENDS = ["\n", "\r\n", "\r", "\n\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\n\n"]
"""All that some program takes for the end of a line, and the one that is."""

TEXTS = st.lists(
    st.sampled_from([*ENDS, "a", "bc", "ä", "€", "\U0001f600", "e\u0301", "\0", "x" * 40]), max_size=50
).map("".join)
SURROGATED = st.lists(st.sampled_from(["\ud800", "\udfff", "\n", "ab", "€"]), max_size=40).map("".join)


def in_memory(payload: bytes) -> Reader:
    return BytesReader(payload)


def in_a_blob(payload: bytes) -> Reader:
    blobs = Blobs(MemoryFolder(), PLAIN, frame_size=7)
    return blobs.open(blobs.put_bytes(payload, is_durable=False))


def in_pieces(payload: bytes) -> Reader:
    """As a text that grew: some bytes of its own, two slices of one blob, more bytes."""
    first, second, third = len(payload) // 5, len(payload) // 2, len(payload) - len(payload) // 4
    blob = in_a_blob(b"\n before \n" + payload[first:third] + b"\n behind")
    rest = BytesReader(b"\n" + payload[third:])
    return JoinedReader(
        [
            (BytesReader(payload), 0, first),
            (blob, 10, 10 + second - first),
            (blob, 3, 3),
            (blob, 10 + second - first, 10 + third - first),
            (rest, 1, rest.size),
        ]
    )


READERS = pytest.mark.parametrize("reader_of", [in_memory, in_a_blob, in_pieces])
ReaderOf = Callable[[bytes], Reader]


def lines_of(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


@READERS
@given(text=st.one_of(TEXTS, SURROGATED), cuts=st.lists(st.integers(1, 30), max_size=6), data=st.data())
@example(text="", cuts=[1], data=None)
@example(text="\n", cuts=[1], data=None)
@example(text="x" * 0x0A + "\n" * 22, cuts=[5], data=None)  # headers that hold the byte of a newline
@example(text="x" * 0x0A0A, cuts=[1], data=None)
def test_the_slices_of_any_partition_join_to_the_text(
    reader_of: ReaderOf, text: str, cuts: list[int], data: Any
) -> None:
    reader = reader_of(pack_value(text))
    lines = lines_of(text)
    assert line_count(reader) == len(lines)
    parts, first = [], 1
    for count in cuts:
        parts.append(text_lines(reader, first, first + count - 1))
        assert parts[-1] == "".join(lines[first - 1 : first - 1 + count])
        first += count
    parts.append(text_lines(reader, first, 10**30))
    assert "".join(parts) == text
    if data is not None:
        first = data.draw(st.integers(1, len(lines) + 2))
        last = data.draw(st.integers(first, len(lines) + 3))
        assert text_lines(reader, first, last) == "".join(lines[first - 1 : last])


@READERS
@given(value=st.one_of(TEXTS, SURROGATED, st.binary(max_size=300)), size=st.integers(1, 50), is_array=st.booleans())
def test_slices_of_bytes_join_to_the_bytes(reader_of: ReaderOf, value: str | bytes, size: int, is_array: bool) -> None:
    content = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    packed = pack_value(bytearray(value) if is_array and isinstance(value, bytes) else value)
    reader = reader_of(packed)
    parts = [byte_slice(reader, start, size) for start in range(0, len(content) + size, size)]
    assert b"".join(parts) == content
    assert parts == [content[start : start + size] for start in range(0, len(content) + size, size)]
    assert byte_slice(reader, len(content), 5) == b""
    assert byte_slice(reader, 0, 10**30) == content


@pytest.mark.parametrize("size", [0, 1, 2, 4, 8, 16, 17, 31, 32, 255, 256, 65_535, 65_536])
@READERS
def test_every_form_of_header_is_passed_over(reader_of: ReaderOf, size: int) -> None:
    if reader_of is not in_memory and size > 60_000:
        size //= 32
    content = b"ab\nc" * (size // 4) + b"x" * (size % 4)
    for value in (content, bytearray(content), content.decode()):
        assert byte_slice(reader_of(pack_value(value)), 0, size + 1) == content
    assert text_lines(reader_of(pack_value(content.decode())), 1, size + 1) == content.decode()
    surrogated = "\udc80" + content.decode()
    assert text_lines(reader_of(pack_value(surrogated)), 1, size + 1) == surrogated


@READERS
def test_past_the_end_is_empty(reader_of: ReaderOf) -> None:
    for text in ("", "one", "one\n", "one\ntwo"):
        reader = reader_of(pack_value(text))
        assert text_lines(reader, len(lines_of(text)) + 1, 10**18) == ""


def test_a_blob_line_of_many_frames_is_one_line() -> None:
    text = "first\n" + "€" * 50_000 + "\nlast"
    blobs = Blobs(MemoryFolder(), PLAIN, frame_size=1_000)
    blob = blobs.open(blobs.put_bytes(pack_value(text), is_durable=False))
    assert text_lines(blob, 2, 2) == "€" * 50_000 + "\n"
    assert text_lines(blob, 3, 3) == "last"


@pytest.mark.parametrize("arguments", [(0, 1), (-1, 1), (2, 1), (1, 0), (1.0, 2), (1, "2"), (True, 1), (None, 1)])
def test_no_range_of_lines_is_refused(arguments: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        text_lines(BytesReader(pack_value("text")), *arguments)


@pytest.mark.parametrize("arguments", [(-1, 1), (0, -1), (1.0, 2), (0, None), (False, 1)])
def test_no_slice_of_bytes_is_refused(arguments: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        byte_slice(BytesReader(pack_value("text")), *arguments)


OTHERS: list[tuple[Any, str]] = [
    *[(None, "None"), (True, "bool"), (False, "bool"), (1, "int"), (-1, "int"), (200, "int"), (-200, "int")],
    *[(2**63, "int"), (2**80, "int"), (1.5, "float"), (1j, "complex"), ([], "list"), ([1] * 20, "list")],
    *[([1] * 70_000, "list"), ({}, "dict"), ({n: n for n in range(20)}, "dict"), ((1,), "tuple"), ({1}, "set")],
    *[(frozenset({1}), "frozenset"), (deque([1]), "deque"), (OrderedDict(), "OrderedDict"), (Counter("a"), "Counter")],
    *[
        (defaultdict(list), "defaultdict"),
        (datetime.now(UTC), "datetime"),
        (date(2020, 1, 1), "date"),
        (time(), "time"),
    ],
    *[(timedelta(1), "timedelta"), (Decimal(1), "Decimal"), (Fraction(1, 2), "Fraction"), (UUID(int=1), "UUID")],
    *[(range(3), "range"), (PurePosixPath("a"), "Path"), (re.compile("a"), "Pattern")],
]


@pytest.mark.parametrize(("value", "kind"), OTHERS, ids=lambda case: type(case).__name__)
def test_what_is_neither_text_nor_bytes_is_refused_by_its_name(value: Any, kind: str) -> None:
    reader = BytesReader(pack_value(value))
    for act in (lambda: text_lines(reader, 1, 1), lambda: byte_slice(reader, 0, 1), lambda: line_count(reader)):
        with pytest.raises(TypeError, match=kind) as caught:
            act()
        assert isinstance(caught.value, NotTextError) and caught.value.kind == kind


@pytest.mark.parametrize("value", [b"bytes", bytearray(b"bytes")])
def test_bytes_have_no_lines(value: Any) -> None:
    with pytest.raises(NotTextError, match="bytes"):
        text_lines(BytesReader(pack_value(value)), 1, 1)


def test_numpy_values_are_refused_by_their_name() -> None:
    numpy = pytest.importorskip("numpy")
    with pytest.raises(NotTextError, match="numpy"):
        byte_slice(BytesReader(pack_value(numpy.zeros(3))), 0, 1)


@given(
    payload=st.one_of(st.binary(max_size=40), st.sampled_from([pack_value("a\nb"), pack_value("\ud800")])),
    cut=st.integers(0, 9),
)
@example(payload=b"", cut=0)
@example(payload=b"\xdb\xff\xff\xff\xff", cut=0)
@example(payload=b"\xc9\xff\xff\xff\xff\x03", cut=0)
@example(payload=b"\xa2\xff\xff", cut=0)
@example(payload=b"\xc7", cut=0)
def test_any_bytes_give_a_slice_or_an_error_of_ours(payload: bytes, cut: int) -> None:
    payload = payload[: len(payload) - cut] if cut else payload
    for act in (lambda: text_lines(BytesReader(payload), 1, 3), lambda: byte_slice(BytesReader(payload), 0, 9)):
        try:
            act()
        except BackpackError as error:
            assert isinstance(error, CorruptionError | NotTextError)
            assert error.__context__ is None


def test_a_text_that_is_no_utf_8_is_damage_that_shows_no_byte_of_it() -> None:
    with pytest.raises(CorruptionError, match="UTF-8") as caught:
        text_lines(BytesReader(b"\xa6secre\xff"), 1, 1)
    assert "secre" not in repr(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("value", ["text\n", "\ud800", b"bytes", bytearray(b"bytes"), "x" * 300])
def test_a_header_that_says_another_size_is_damage(value: Any) -> None:
    payload = pack_value(value)
    for wrong in (payload + b"x", payload[:-1]):
        with pytest.raises(CorruptionError, match="size"):
            byte_slice(BytesReader(wrong), 0, 1)
