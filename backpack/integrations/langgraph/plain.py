"""What LangGraph's serializer wrote, as plain data: lists, dicts, texts and numbers. Nothing is imported or called.

An extension of the serializer names a class and has what its constructor gets. Here that stands for the object: the
fields of a message, of a pydantic model or a dataclass as a dict, the elements of a set as a list, a time as ISO 8601.
The serializer itself does the same with a class that is not allowed. What isn't plain text, bytes or JSON, msgpack or
null inside, such as what was encrypted or pickled, is told of by its type, size and digest and never opened; so is what
nests deeper than a value may.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import msgpack

from backpack.integrations.langgraph.raw import Raw
from backpack.limits import MIB, VALUE_DEPTH_MAX

SIZE_MAX: Final = 64 * MIB
"""More than this is not opened: the objects would take many times as much."""

_DEPTH_MAX: Final = 100
"""Extensions in extensions."""

_SINGLE, _POSITIONAL, _NAMED, _METHOD, _PYDANTIC_1, _PYDANTIC_2, _ARRAY, _SNAPSHOT = range(8)
_MESSAGES: Final = "langchain_core.messages."
_DIGEST_SIZE: Final = 6
_NOT_OPENED: Final = (msgpack.UnpackException, ValueError, TypeError, LookupError, RecursionError, OverflowError)


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value that is not opened. Two are equal when their bytes are, as far as a digest says."""

    type: str
    size: int
    digest: str

    def __repr__(self) -> str:
        return f"<{self.size:,} bytes of {self.type}, {self.digest}>"


def plain(value: Raw) -> Any:
    """The value as plain data. Cost: O(size), once; never raises for what the bytes say."""
    read = _READERS.get(value.type)
    if read is None or len(value.data) > SIZE_MAX:
        return opaque(value)
    try:
        found = read(value.data)
    except _NOT_OPENED:
        return opaque(value)
    return opaque(value) if _is_too_deep(found) else found


def _is_too_deep(found: Any) -> bool:
    """Does it nest deeper than a value may? No recursion."""
    depth, level = 0, [found]
    while level := [item for item in level if isinstance(item, list | dict)]:
        depth += 1
        if depth > VALUE_DEPTH_MAX:
            return True
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return False


def opaque(value: Raw) -> Opaque:
    """What can be said of a value without opening it."""
    return Opaque(value.type, len(value.data), hashlib.blake2b(value.data, digest_size=_DIGEST_SIZE).hexdigest())


def _unpacked(data: bytes, depth: int = 0) -> Any:
    if depth > _DEPTH_MAX:
        raise ValueError("nested too deep")

    def extended(code: int, inner: bytes) -> Any:
        return _extension(code, bytes(inner), depth + 1)

    return msgpack.unpackb(data, ext_hook=extended, strict_map_key=False)


_READERS: Final[Mapping[str, Callable[[bytes], Any]]] = {
    "null": lambda _: None,
    "bytes": lambda data: data,
    "bytearray": lambda data: data,
    "json": json.loads,
    "msgpack": _unpacked,
}


# -- extensions ------------------------------------------------------------------------------------------------


def _extension(code: int, data: bytes, depth: int) -> Any:
    if code == _SNAPSHOT:
        return _unpacked(data, depth)
    if not 0 <= code < _SNAPSHOT:
        return opaque(Raw(f"extension {code}", data))
    if code == _ARRAY:
        kind, shape, order, items = _unpacked(data, depth)
        return {"dtype": kind, "shape": list(shape), "order": order, "items": opaque(Raw("array", bytes(items)))}
    module, name, argument, *_ = _unpacked(data, depth)
    if code == _POSITIONAL:
        return _called(module, name, argument)
    if (module, name) == ("uuid", "UUID"):
        return str(UUID(argument))
    if isinstance(argument, dict) and str(module).startswith(_MESSAGES):
        return _message(argument)
    return argument


def _called(module: str, name: str, arguments: Any) -> Any:
    """What a class with several arguments is made of, in the words of its kind where there are such."""
    if module.startswith("pathlib"):
        first, *rest = arguments or ["."]
        return "/".join([first.rstrip("/"), *rest]) if rest else first
    if (module, name) == ("datetime", "timedelta"):
        return str(timedelta(*arguments))
    if (module, name) == ("datetime", "date"):
        return date(*arguments).isoformat()
    if (module, name) == ("re", "compile"):
        return arguments[0]
    if name == "Send" and module.startswith("langgraph."):
        return {"node": arguments[0], "arg": arguments[1]}
    return arguments


def _message(fields: dict[str, Any]) -> dict[str, Any]:
    """A message: who says it, what, and of the rest what is there."""
    first = {name: fields[name] for name in ("type", "content") if name in fields}
    rest = {name: value for name, value in fields.items() if name not in first and not _is_absent(value)}
    return first | rest


def _is_absent(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, str | list | dict) and not value)
