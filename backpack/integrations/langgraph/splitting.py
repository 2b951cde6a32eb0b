"""A serialized checkpoint as its parts: each channel's value as it stands there, byte for byte, and all the rest.

SqliteSaver keeps a checkpoint as one map in which `channel_values` is a map of its own. The value of a channel is
found in it by its length alone; nothing in it is decoded, so what it is made of need not be there, nor be allowed.

    msgpack    a slice of the checkpoint is what the serializer would have made of the value by itself
    json       the same, in files of early releases

Of a name that is there twice the last one counts, as for whoever reads the whole map.

The other way, `joined` puts values into one map again. Cost of both: one pass over the bytes.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgpack

from backpack.integrations.langgraph.raw import MSGPACK, Raw

VALUES: Final = "channel_values"
JSON: Final = "json"
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_JSON_DECODER: Final = json.JSONDecoder()
_NIL: Final = b"\xc0"


@dataclass(frozen=True, slots=True)
class Parts:
    """A checkpoint in parts."""

    rest: dict[str, Any]
    """All but the channel values; extension types of msgpack as `msgpack.ExtType`."""
    values: dict[str, Raw]


def split(type_: str, data: bytes) -> Parts:
    """The parts of a serialized checkpoint. `ValueError` says why there are none."""
    if type_ == MSGPACK:
        return _split_msgpack(data)
    if type_ == JSON:
        return _split_json(data)
    raise ValueError(f"a checkpoint of type {type_!r}, which only its serializer can read")


def check(value: Raw) -> None:
    """`ValueError` if bytes that say they are msgpack are not one whole value. Cost: one pass over them."""
    if value.type != MSGPACK:
        return
    unpacker = _unpacker(value.data)
    _guarded(unpacker.skip)
    _require_end(unpacker, value.data)


def _split_msgpack(data: bytes) -> Parts:
    unpacker = _unpacker(data)
    rest: dict[str, Any] = {}
    values: dict[str, Raw] = {}
    for _ in range(_guarded(unpacker.read_map_header)):
        name = _text(_guarded(unpacker.unpack))
        if name != VALUES:
            rest[name] = _guarded(unpacker.unpack)
            continue
        values = {}
        for _ in range(_guarded(unpacker.read_map_header)):
            channel = _text(_guarded(unpacker.unpack))
            start = unpacker.tell()
            _guarded(unpacker.skip)
            values[channel] = Raw(MSGPACK, data[start : unpacker.tell()])
    _require_end(unpacker, data)
    return Parts(rest, values)


def _unpacker(data: bytes) -> Any:
    unpacker = msgpack.Unpacker(max_buffer_size=max(1, len(data)), strict_map_key=False, ext_hook=msgpack.ExtType)
    unpacker.feed(data)
    return unpacker


def _guarded(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (msgpack.UnpackException, ValueError, TypeError, RecursionError) as error:
        reason = str(error) or type(error).__name__
    raise ValueError(f"not msgpack: {reason}")


def _require_end(unpacker: Any, data: bytes) -> None:
    if unpacker.tell() != len(data):
        raise ValueError("bytes after the end of the value")


def _text(name: Any) -> str:
    if type(name) is not str:
        raise ValueError("a name that is no text")
    return name


# -- JSON ------------------------------------------------------------------------------------------------------


def _split_json(data: bytes) -> Parts:
    rest: dict[str, Any] = {}
    values: dict[str, Raw] = {}
    try:
        text = data.decode()
        members, end = _members(text, _SPACE.match(text).end())  # type: ignore[union-attr]
        if text[end:].strip():
            raise ValueError("text after the end of the value")
        for name, (first, last) in members.items():
            if name != VALUES:
                rest[name] = json.loads(text[first:last])
                continue
            for channel, (start, stop) in _members(text, first)[0].items():
                values[channel] = Raw(JSON, text[start:stop].encode())
        return Parts(rest, values)
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise ValueError(f"not JSON: {reason}")


def _members(text: str, at: int) -> tuple[dict[str, tuple[int, int]], int]:
    """Where the value of each member of the object that begins there stands, and where the object ends."""
    found: dict[str, tuple[int, int]] = {}
    at = _expected("{", text, at)
    is_empty = text.startswith("}", at)
    while not is_empty:
        name, at = _value(text, at)
        at = _expected(":", text, _behind_space(text, at))
        _, end = _value(text, at)
        found[_text(name)] = at, end
        at = _behind_space(text, end)
        if text.startswith("}", at):
            break
        at = _expected(",", text, at)
    return found, at + 1


def _behind_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return at if match is None else match.end()


def _value(text: str, at: int) -> tuple[Any, int]:
    return _JSON_DECODER.raw_decode(text, at)


def _expected(letter: str, text: str, at: int) -> int:
    """Behind the letter that stands there, and behind the space after it."""
    if not text.startswith(letter, at):
        raise ValueError(f"no {letter!r} at character {at}")
    return _behind_space(text, at + 1)


# -- together again --------------------------------------------------------------------------------------------


def joined(parts: Parts) -> Raw:
    """The checkpoint as one value. `ValueError` names a type that can't stand beside the others.

    Bytes become bytes of msgpack, and so do bytearrays, as everywhere inside a value.
    """
    if parts.values and all(value.type == JSON for value in parts.values.values()):
        return _joined_json(parts)
    pack = msgpack.Packer(autoreset=False, use_bin_type=True)
    pack.pack_map_header(len(parts.rest) + 1)
    for name, value in parts.rest.items():
        pack.pack(name)
        pack.pack(value)
    pack.pack(VALUES)
    pack.pack_map_header(len(parts.values))
    pieces = [pack.bytes()]
    for channel, raw in parts.values.items():
        pieces += [msgpack.packb(channel), _embedded(channel, raw)]
    return Raw(MSGPACK, b"".join(pieces))


def as_part(value: Raw) -> Raw:
    """The value as msgpack has it inside of another one; one of another type as it is."""
    if value.type == "null":
        return Raw(MSGPACK, _NIL)
    if value.type in ("bytes", "bytearray"):
        return Raw(MSGPACK, bytes(msgpack.packb(value.data, use_bin_type=True)))
    return value


def _embedded(channel: str, value: Raw) -> bytes:
    """The bytes of the value inside of a checkpoint of msgpack."""
    part = _of_json(value) if value.type == JSON else as_part(value)
    if part.type != MSGPACK:
        raise ValueError(f"a value of type {value.type!r} can't stand in a checkpoint of msgpack: channel={channel!r}")
    return part.data


def _of_json(value: Raw) -> Raw:
    """JSON of an early release as msgpack, if it is plain; where it names a class it stays what it is."""
    try:
        return Raw(MSGPACK, bytes(msgpack.packb(json.loads(value.data, object_hook=_plain))))
    except (ValueError, OverflowError, RecursionError):
        return value


def _plain(members: dict[str, Any]) -> dict[str, Any]:
    if "lc" in members:
        raise ValueError("an object of a class")
    return members


def _joined_json(parts: Parts) -> Raw:
    members = [(name, json.dumps(value, ensure_ascii=False)) for name, value in parts.rest.items()]
    inner = ", ".join(f"{json.dumps(name)}: {value.data.decode()}" for name, value in parts.values.items())
    text = ", ".join(f"{json.dumps(name)}: {value}" for name, value in [*members, (VALUES, f"{{{inner}}}")])
    return Raw(JSON, f"{{{text}}}".encode())
