"""What stands in a Backpack for an item of a LangGraph store, and what is checked of it before it is believed.

    item     {"value", "time_us", "shelf", "place"} and, where wanted, "name" and "index"
    vectors  bytes: { code, count as u32, floats }, of 4 bytes each (code "f") where nothing is lost by it, else 8 ("d")
    expiry   [minutes, time_us]

`place` says where in the order of all items one was put first, and `shelf` the same of its namespace: LangGraph's own
store returns items in that order. Vectors and expiry have keys of their own, so that neither comes along when a value
is read, and a refreshed expiry is no new version of a value.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from langgraph.store.base import Item, SearchItem

from backpack.codec import pack_value, unpack_value
from backpack.core.headers import BYTES, FAMILIES, header_size
from backpack.core.payload import Content, join
from backpack.errors import CorruptionError, InvalidArgumentError
from backpack.integrations.langgraph.store_names import Namespace, key_in, namespace_in, shelf_in

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_US: Final = 250_000_000_000_000_000
"""The year 9892."""
ITEM_SIZES: Final = {"f": 4, "d": 8}
"""Bytes of a number, by the codes of vectors."""
_COUNT_SIZE: Final = 4

Index = Literal[False] | tuple[str, ...] | None
"""False: by no query; paths: by what stands there; None: as the store has it."""
Vector = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Record:
    """One item as it is stored."""

    value: dict[str, Any]
    time_us: int
    shelf: int
    place: int
    namespace: Namespace
    key: str
    index: Index

    def item(self) -> Item:
        """As `get` returns it."""
        time = _EPOCH + timedelta(microseconds=self.time_us)
        return Item(value=self.value, key=self.key, namespace=self.namespace, created_at=time, updated_at=time)

    def hit(self, score: float | None = None) -> SearchItem:
        """As `search` returns it."""
        time = _EPOCH + timedelta(microseconds=self.time_us)
        return SearchItem(self.namespace, self.key, self.value, time, time, score)


@dataclass(frozen=True, slots=True)
class Expiry:
    """When an item expires, and how long after it was last asked for that is."""

    minutes: float
    time_us: int


def packed_item(name: str, record: Record) -> bytes:
    """An item as bytes. `UnstorableValueError` names the place in the value that can't be stored."""
    fields: dict[str, Any] = {
        "value": record.value,
        "time_us": record.time_us,
        "shelf": record.shelf,
        "place": record.place,
    }
    shelf = shelf_in(name)
    if namespace_in(shelf) is None or key_in(name, shelf) is None:
        fields["name"] = [list(record.namespace), record.key]
    if record.index is not None:
        fields["index"] = list(record.index) if isinstance(record.index, tuple) else record.index
    return pack_value(fields)


def unpacked_item(name: str, content: Content) -> Record:
    """An item of bytes. `CorruptionError` when they are none."""
    return _record(name, _fields(name, content))


def fitting_item(name: str, content: Content, is_wanted: Callable[[dict[str, Any]], bool]) -> Record | None:
    """The same of one whose value passes a test; None of any other, at less cost."""
    fields = _fields(name, content)
    return _record(name, fields) if is_wanted(fields["value"]) else None


def _fields(name: str, content: Content) -> dict[str, Any]:
    fields = unpack_value(content if type(content) is bytes else join(content))
    if (
        type(fields) is not dict
        or type(fields.get("value")) is not dict
        or type(fields.get("time_us")) is not int
        or not 0 <= fields["time_us"] < _LATEST_US
        or type(fields.get("place")) is not int
        or type(fields.get("shelf")) is not int
    ):
        raise _corruption("item", name)
    return fields


def _record(name: str, fields: dict[str, Any]) -> Record:
    index = fields.get("index")
    if type(index) is list and all(type(path) is str for path in index):
        index = tuple(index)
    elif index is not None and index is not False:
        raise _corruption("item", name)
    shelf = shelf_in(name)
    namespace, key = namespace_in(shelf), key_in(name, shelf)
    if namespace is None or key is None:
        namespace, key = _true_name(name, fields.get("name"))
    return Record(fields["value"], fields["time_us"], fields["shelf"], fields["place"], namespace, key, index)


def packed_expiry(expiry: Expiry) -> bytes:
    """An expiry as bytes."""
    return pack_value([expiry.minutes, expiry.time_us])


def unpacked_expiry(name: str, content: Content) -> Expiry:
    """An expiry of bytes. `CorruptionError` when they are none."""
    fields = unpack_value(join(content))
    if type(fields) is not list or len(fields) != 2:
        raise _corruption("expiry", name)
    minutes, time_us = fields
    if type(minutes) is not float or type(time_us) is not int:
        raise _corruption("expiry", name)
    return Expiry(minutes, time_us)


def packed_vectors(vectors: Iterable[Sequence[float]]) -> bytes:
    """Vectors as bytes. `InvalidArgumentError` when one is no row of numbers."""
    parts: list[bytes] = []
    for code, data in map(_packed_vector, vectors):
        parts += (code.encode(), (len(data) // ITEM_SIZES[code]).to_bytes(_COUNT_SIZE, "little"), data)
    return pack_value(b"".join(parts))


def unpacked_vectors(name: str, content: Content) -> list[Vector]:
    """Vectors of bytes, in the same order. `CorruptionError` when they are none. Cost: one copy of them."""
    payload = join(content)  # not unpacked: that looks at each byte
    start = header_size(payload) if payload and FAMILIES[payload[0]] == BYTES else 0
    if not start or len(payload) - start != int.from_bytes(payload[1:start], "big"):
        raise _corruption("vectors", name)
    vectors: list[Vector] = []
    while start < len(payload):
        code = chr(payload[start])
        if code not in ITEM_SIZES:
            raise _corruption("vectors", name)
        begin = start + 1 + _COUNT_SIZE
        start = begin + int.from_bytes(payload[start + 1 : begin], "little") * ITEM_SIZES[code]
        if max(begin, start) > len(payload):
            raise _corruption("vectors", name)
        vectors.append((code, payload[begin:start]))
    return vectors


def vector_length(vector: Vector) -> int:
    """How many numbers it has."""
    return len(vector[1]) // ITEM_SIZES[vector[0]]


def _packed_vector(vector: Sequence[float]) -> Vector:
    try:
        numbers = [float(number) for number in vector]
    except (TypeError, ValueError, OverflowError):
        numbers = None
    if numbers is None:
        raise InvalidArgumentError(
            f"an embedding must be a list of numbers: type={type(vector).__name__}; look at what `embed` returns"
        )
    try:
        data = struct.pack(f"<{len(numbers)}f", *numbers)
        if struct.unpack(f"<{len(numbers)}f", data) == tuple(numbers):
            return "f", data
    except OverflowError:
        pass  # too large for four bytes
    return "d", struct.pack(f"<{len(numbers)}d", *numbers)


def _true_name(name: str, found: Any) -> tuple[Namespace, str]:
    if type(found) is not list or len(found) != 2:
        raise _corruption("item", name)
    labels, key = found
    if type(labels) is not list or not all(type(label) is str for label in labels) or type(key) is not str:
        raise _corruption("item", name)
    return tuple(labels), key


def _corruption(what: str, name: str) -> CorruptionError:
    return CorruptionError(f"not the {what} that was written: name={name!r}; a commit before it may have a good one")
