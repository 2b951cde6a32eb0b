"""What the serializer of a saver leaves out is told, once a class, with what allows it."""

import logging
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import msgpack
import pytest
from langgraph.checkpoint.serde._msgpack import SAFE_MSGPACK_TYPES
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import BaseModel

from backpack.integrations.langgraph import classes, serializing
from backpack.integrations.langgraph.classes import BUILT_ANYWAY, Classes
from backpack.integrations.langgraph.serializing import StrictSerializer

OURS = "backpack.integrations.langgraph.serializing"


@dataclass
class Offer:
    hotel: Any


class Room(BaseModel):
    beds: int


class Season(Enum):
    LOW = "low"


class Place(NamedTuple):
    city: str


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serializing, "_told", set())


def names_in(value: Any) -> set[str]:
    named = Classes()
    for _ in range(2):
        named.add_of(*JsonPlusSerializer().dumps_typed(value))
    assert {module for module, _ in named.found} <= {__name__}
    return {name for _, name in named.found}


def test_a_class_that_is_not_allowed_is_told_once_with_what_allows_it(caplog: pytest.LogCaptureFixture) -> None:
    serde = StrictSerializer()
    with caplog.at_level(logging.WARNING, OURS):
        for hotel in ("Bella", "Vista"):
            assert serde.loads_typed(serde.dumps_typed([Offer(hotel)])) == [{"hotel": hotel}]
    (message,) = [record.getMessage() for record in caplog.records if record.name == OURS]
    assert message.endswith(f"BackpackSaver(..., allowed_types=[({__name__!r}, 'Offer')])")


def test_nothing_is_told_of_what_is_allowed_or_of_other_serializers(caplog: pytest.LogCaptureFixture) -> None:
    serde = StrictSerializer([Offer])
    with caplog.at_level(logging.WARNING, OURS):
        assert serde.loads_typed(serde.dumps_typed(Offer("Bella"))) == Offer("Bella")
        strict = JsonPlusSerializer(allowed_msgpack_modules=None)
        assert strict.loads_typed(serde.dumps_typed(Offer("Bella"))) == {"hotel": "Bella"}
    assert [record for record in caplog.records if record.name == OURS] == []


def test_classes_are_found_however_they_are_stored_and_wherever() -> None:
    value = {"a": [Offer({"room": Room(beds=2)})], "b": ({Season.LOW}, Place("Rome"))}
    assert names_in(value) == {"Offer", "Room", "Season", "Place"}
    assert names_in({"a": 1, "b": [None, "text", {1, 2}]}) == set()


def test_what_is_built_anyway_is_what_langgraph_says() -> None:
    assert BUILT_ANYWAY <= SAFE_MSGPACK_TYPES


def test_bytes_of_any_kind_name_no_class_and_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    named = Classes()
    deep = b"\xc0"
    for _ in range(150):
        deep = msgpack.packb(msgpack.ExtType(0, deep))
    odd: list[Any] = [1, [], ["a"], [1, 2], [["a"], "b"], ["a" * 400, "b" * 400]]
    extensions = [msgpack.packb(msgpack.ExtType(2, msgpack.packb(one))) for one in odd]
    for data in (b"", b"\xc1", b"\xc7\x01", deep, *extensions):
        named.add_of("msgpack", data)
    named.add_of("pickle", b"anything")
    assert named.found == set()
    monkeypatch.setattr(classes, "COUNT_MAX", 2)
    for number in range(5):
        named.add_of("msgpack", msgpack.packb(msgpack.ExtType(0, msgpack.packb(["m", f"C{number}", 1]))))
    assert len(named.found) == 2
