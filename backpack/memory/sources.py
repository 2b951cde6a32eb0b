"""Contents of every kind, as a run of bytes: str, bytes, values, file objects, paths.

A str is text and bytes are bytes. A path or a file object is read to its end, never taken into memory as a whole: what
gives str is text; what gives bytes is text if all of it is valid UTF-8, and bytes if not.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, BinaryIO, Final

from backpack.codec import pack_value
from backpack.errors import InvalidArgumentError
from backpack.memory.content import PART_SIZE
from backpack.memory.entry import Kind
from backpack.memory.rendering import text_of_value
from backpack.storage.faults import storage_error

_READ_SIZE: Final = PART_SIZE


@dataclass(frozen=True, slots=True)
class Whole:
    """A content that is in memory."""

    kind: Kind
    raw: bytes
    view: bytes
    """What `fetch` sees: the raw bytes, or of a value its text."""
    text: str | None
    """The view as text; None of bytes."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A content that comes bit by bit."""

    chunks: Iterator[bytes]
    kind: Kind | None
    """None: text if all of it is valid UTF-8, else bytes."""


def whole_of(content: Any) -> Whole:
    """A content that is no file."""
    if isinstance(content, str):
        text = str.__str__(content)
        raw = encoded(text)
        return Whole("text", raw, raw, text)
    if isinstance(content, bytes | bytearray | memoryview):
        raw = bytes(content)
        return Whole("bytes", raw, raw, None)
    raw = pack_value(content)
    text = text_of_value(content)
    return Whole("value", raw, encoded(text), text)


def found(raw: bytes) -> Whole:
    """Bytes from a file: text, if they can be."""
    text = decoded_or_none(raw)
    return Whole("bytes", raw, raw, None) if text is None else Whole("text", raw, raw, text)


def is_file(content: Any) -> bool:
    """Is it to be read, rather than stored as it is?"""
    return isinstance(content, os.PathLike) or callable(getattr(content, "read", None))


def name_of(content: Any) -> str | None:
    """The name of a file, without the folders it is in."""
    if isinstance(content, os.PathLike):
        return PurePath(os.fsdecode(content)).name or None
    name = getattr(content, "name", None)
    return PurePath(name).name or None if isinstance(name, str) and not name.startswith("<") else None


@contextmanager
def stream_of(content: Any) -> Iterator[Stream]:
    """A file to be read. One that was opened here is closed; `StorageError` when it can't be read, and
    `InvalidArgumentError` for a path that can't be one."""
    if not isinstance(content, os.PathLike):
        yield _stream(content)
        return
    fault: Exception | None = None
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open(content, "rb"))
        except OSError as error:
            fault = storage_error("the file to log can't be opened", error, os.fsdecode(content))
        except ValueError:
            fault = InvalidArgumentError("the file to log can't be opened: no path has a NUL in it")
        else:
            yield _stream(_Opened(file, os.fsdecode(content)))
    if fault is not None:
        raise fault


class _Opened:
    """A file that was opened here, read as any that is handed in."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name

    def read(self, size: int) -> bytes:
        """At most so many bytes. `StorageError`."""
        try:
            return self._file.read(size)
        except OSError as error:
            fault = storage_error("the file to log can't be read", error, self._name)
        raise fault


def _stream(file: Any) -> Stream:
    first = file.read(_READ_SIZE)
    if isinstance(first, str):
        return Stream(map(encoded, _rest(file, first)), "text")
    if isinstance(first, bytes | bytearray | memoryview):
        return Stream(map(bytes, _rest(file, first)), None)
    raise InvalidArgumentError(f"a file must give str or bytes, not {type(first).__name__}: open it for reading")


def _rest(file: Any, first: Any) -> Iterator[Any]:
    data = first
    while data:
        yield data
        data = file.read(_READ_SIZE)
        if type(data) is not type(first):
            raise InvalidArgumentError(f"a file must go on as it began: {type(data).__name__}")


def slices(raw: bytes) -> Iterator[bytes]:
    """Bytes in memory, in steps."""
    for start in range(0, len(raw), _READ_SIZE):
        yield raw[start : start + _READ_SIZE]


def encoded(text: str) -> bytes:
    """As UTF-8; a lone surrogate, which has none, as the three bytes that it would have."""
    return text.encode() if text.isascii() else text.encode("utf-8", "surrogatepass")


def decoded(raw: bytes) -> str:
    """The text again."""
    return raw.decode("utf-8", "surrogatepass")


def decoded_or_none(raw: bytes) -> str | None:
    """The text, if it is valid UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None
