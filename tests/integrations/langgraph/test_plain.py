"""Serialized values as plain data: readable, and nothing is imported for it."""

import dataclasses
import subprocess
import sys
from collections import deque
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.types import Interrupt, Send

from backpack.integrations.langgraph.plain import Opaque, plain
from backpack.integrations.langgraph.raw import Raw
from backpack.limits import VALUE_DEPTH_MAX
from backpack.terminal.values import as_json, value_lines


@dataclasses.dataclass
class Invoice:
    total: int
    of: str


def shown(value: Any) -> Any:
    return plain(Raw(*JsonPlusSerializer().dumps_typed(value)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (HumanMessage("hello", id="1"), {"type": "human", "content": "hello", "id": "1"}),
        ([AIMessage("")], [{"type": "ai", "content": ""}]),
        (Invoice(0, "Rome"), {"total": 0, "of": "Rome"}),
        (Send("node", {"at": 1}), {"node": "node", "arg": {"at": 1}}),
        (_DeltaSnapshot([1, 2]), [1, 2]),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2026, 11, 21, tzinfo=UTC), "2026-11-21T00:00:00+00:00"),
        (date(2026, 11, 21), "2026-11-21"),
        (timedelta(1, 2), "1 day, 0:00:02"),
        (Decimal("1.50"), "1.50"),
        (deque([1]), [1]),
        (None, None),
        (b"x", b"x"),
        ({1: [2.5, True]}, {1: [2.5, True]}),
    ],
)
def test_a_value_is_shown_as_what_it_is_made_of(value: Any, expected: Any) -> None:
    assert shown(value) == expected


def test_an_interrupt_shows_what_it_asks() -> None:
    assert shown((Interrupt("book it?", id="x"),))[0]["value"] == "book it?"


def test_a_path_is_shown_as_it_is_written() -> None:
    for text in ("/a/b", "a/b", "/", "."):
        extension = msgpack.packb(["pathlib", "PosixPath", PurePosixPath(text).parts])
        assert plain(Raw("msgpack", msgpack.packb(msgpack.ExtType(1, extension)))) == text


def test_what_only_a_serializer_reads_is_told_by_size_and_digest() -> None:
    one, other = plain(Raw("pickle", b"cos\nsystem\n(S'x'\ntR.")), plain(Raw("pickle", b"."))
    assert isinstance(one, Opaque)
    assert (one.type, one.size) == ("pickle", 20)
    assert one == plain(Raw("pickle", b"cos\nsystem\n(S'x'\ntR.")) != other
    assert repr(plain(Raw("msgpack+aes", b"1"))).startswith("<1 bytes of msgpack+aes, ")


@given(st.binary(max_size=60), st.integers(0, 9))
def test_any_bytes_are_shown_somehow(data: bytes, code: int) -> None:
    plain(Raw("msgpack", data))
    plain(Raw("json", data))
    plain(Raw("msgpack", msgpack.packb(msgpack.ExtType(code, data))))


def test_extensions_nested_without_end_are_not_followed() -> None:
    data = b"\xc0"
    for _ in range(5_000):
        data = msgpack.packb(msgpack.ExtType(7, data))
    assert isinstance(plain(Raw("msgpack", data)), Opaque)


def test_showing_a_class_imports_nothing() -> None:
    inner = msgpack.packb(["this.is.never.imported", "Class", {"a": 1}, "model_validate_json"])
    data = msgpack.packb(msgpack.ExtType(5, inner))
    script = (
        "import sys; from backpack.integrations.langgraph.plain import plain; from backpack.integrations.langgraph.raw "
        f"import Raw; assert plain(Raw('msgpack', {data!r})) == {{'a': 1}}; "
        "assert not [name for name in sys.modules if name.split('.')[0] in ('langgraph', 'langchain_core', 'this')]"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.mark.parametrize(("kind", "begin", "end"), [("msgpack", b"\x91", b"\x01"), ("json", b"[", b"]")])
def test_what_nests_deeper_than_a_value_is_not_opened(kind: str, begin: bytes, end: bytes) -> None:
    """Another saver's file may have it; who goes over it would end by recursion."""
    for depth in (VALUE_DEPTH_MAX, VALUE_DEPTH_MAX + 1, 900):
        found = plain(Raw(kind, begin * depth + (end if kind == "msgpack" else end * depth)))
        assert isinstance(found, list if depth == VALUE_DEPTH_MAX else Opaque)
        assert value_lines(found) and as_json(found)
