"""Bytes to values. Whatever the bytes are: a value, `UnknownTypeError` or `CorruptionError`, and nothing else.

Lists and dicts are built by msgpack without recursion, at most 1,024 deep. Extensions nest by recursion: up to
the second level through `unpackb`, which keeps 40 KiB of state on the C stack (200 levels of it end the process),
below that through unpackers on the heap, once the body has been measured. Payloads of our own making are not
measured at the top, which would cost a third of the reading; measure foreign bytes with `check_payload` first.
"""

from typing import Any, Final

from msgpack import Timestamp, Unpacker, unpackb

from backpack.codec import arrays
from backpack.codec.accelerator import HEAD, IS_QUICK, SEAL, TAIL, unpack_quickly
from backpack.codec.extensions import BUILDERS, CUSTOM, LEAF_READERS, RECORD
from backpack.codec.measure import check_payload, referents
from backpack.codec.registry import entry_of_name
from backpack.errors import BackpackError, CorruptionError, UnknownTypeError

_HEAP_NESTING: Final = 3
_TIMESTAMP: Final = 0xFF
"""The code of the extension that msgpack reads by itself."""

_LOOKED_AT: Final = 256


class Reader:
    """The hook of one extension at the top, and of all those inside it."""

    __slots__ = ("nesting",)

    def __init__(self) -> None:
        self.nesting = 0

    def extension(self, code: int, body: bytes) -> Any:
        leaf = LEAF_READERS.get(code)
        if leaf is not None:
            return leaf(body)
        if code in arrays.CODES:
            return arrays.decode(code, body)
        builder = BUILDERS.get(code)
        if builder is None and code != RECORD and code != CUSTOM:
            raise UnknownTypeError("stored bytes hold an extension that is not known here", name=f"extension {code}")
        self.nesting += 1
        if self.nesting < _HEAP_NESTING:
            state = unpackb(body, strict_map_key=False, ext_hook=self.extension)
        else:
            if self.nesting == _HEAP_NESTING:
                check_payload(_framed(code, body), depth=_HEAP_NESTING - 1)
            unpacker = Unpacker(strict_map_key=False, ext_hook=self.extension, max_buffer_size=len(body))
            unpacker.feed(body)
            state = unpacker.unpack()
            if unpacker.tell() != len(body):
                raise CorruptionError("bytes follow the body of an extension")
        self.nesting -= 1
        if 0xFF in body and (0xD6 in body or 0xD7 in body or 0xC7 in body):
            _refuse_timestamps(state, body)
        if builder is not None:
            return builder(state)
        name, *parts = state
        entry = entry_of_name(name)
        if entry is None:
            name = name if type(name) is str else "?"
            raise UnknownTypeError(f"stored bytes name a class that is not registered here: name={name!r}", name=name)
        return entry.build(parts)


def _extension(code: int, body: bytes) -> Any:
    return Reader().extension(code, body)


def _framed(code: int, body: bytes) -> bytes:
    return b"\xc9" + len(body).to_bytes(4, "big") + bytes((code,)) + body


def unpack_value(payload: bytes | bytearray | memoryview) -> Any:
    """A fresh value from a payload; costs two thirds of what msgpack costs, or that and 1 µs for each extension.

    Raises `UnknownTypeError` for an extension or a class that is not known here, `CorruptionError` for all else.
    """
    if type(payload) is not bytes:
        payload = bytes(payload)
    try:
        if IS_QUICK[payload[0]]:
            value, seal = unpack_quickly(b"".join((HEAD, payload, TAIL)))
            if seal == SEAL:
                return value
    except Exception:  # msgpack is asked, and its word counts
        pass
    fault: BackpackError | str
    try:
        value = unpackb(payload, strict_map_key=False, ext_hook=_extension)
        if 0xFF in payload and (0xD6 in payload or 0xD7 in payload or 0xC7 in payload):
            _refuse_timestamps(value, payload)
        return value
    except CorruptionError as error:
        fault = error.with_traceback(None)
        fault.__context__ = None
    except Exception as error:
        fault = type(error).__name__
    if isinstance(fault, str):
        raise CorruptionError(f"not a payload: reading it raised {fault}")
    raise fault


def _refuse_timestamps(value: Any, payload: bytes) -> None:
    """msgpack reads its own timestamps without asking the hook; nothing here writes them. All three forms have ff
    as their code, after d6, d7 or c7 0c; only then is the value searched, lists and dicts level by level."""
    if not _may_have_timestamps(payload):
        return
    level = [value]
    while level:
        if Timestamp in set(map(type, level)):
            raise UnknownTypeError("stored bytes hold an extension that is not known here", name="extension -1")
        level = referents([item for item in level if type(item) is list or type(item) is dict])


def _may_have_timestamps(payload: bytes) -> bool:
    """Does one of the three beginnings of a timestamp stand anywhere? Looks at the first few ff one by one, which is
    20 times faster than searching for two bytes, and enough for text."""
    at = payload.find(_TIMESTAMP)
    for _ in range(_LOOKED_AT):
        if at < 0:
            return False
        if payload[at - 1 : at] in (b"\xd6", b"\xd7") or payload[at - 2 : at] == b"\xc7\x0c":
            return True
        at = payload.find(_TIMESTAMP, at + 1)
    return b"\xd6\xff" in payload or b"\xd7\xff" in payload or b"\xc7\x0c\xff" in payload
