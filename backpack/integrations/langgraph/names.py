"""What threads are called in the keys of a store, and in messages and tags of commits.

    langgraph.saver.<thread>.<commit>-<count>         records, one list after another
    langgraph.saver.<thread>.bytes.<commit>-<count>   long bytes, each by themselves
    langgraph.saver.<thread>.name                     what the thread is called, where its segment is cut off

The segment of a thread is its id where that reads well, with everything else in it written as `%XX` (its UTF-8, as in a
URL). So no id has a dot or a star in a key, none is empty, and no two are the same. An id that would be too long is cut
off, behind a hash of it.
"""

import re
from hashlib import sha256
from typing import Final

PREFIX: Final = "langgraph.saver."
"""Every key of a saver begins so."""

_DIGITS: Final = 16
_PLAIN: Final = re.compile(r"[\w:|@~+=/ -]+", re.ASCII)
_ODD: Final = re.compile(r"[^\w:|@~+=/ -]", re.DOTALL)
_SEGMENT_SIZE_MAX: Final = 600
_HEAD_SIZE: Final = 120
_EMPTY: Final = "%"
_CUT: Final = "%~"
_SHOWN_MAX: Final = 120
STEP: Final = 100_000
"""Numbers of keys are that of the commit times this, and count on from there: no key is ever used twice."""


def segment_of(name: str) -> str:
    """The name as one segment of a key: ASCII that reads well as it is, all else as `%XX`, cut off where it is long."""
    if _PLAIN.fullmatch(name) and len(name) <= _SEGMENT_SIZE_MAX:
        return name
    if not name:
        return _EMPTY
    segment = _ODD.sub(_escaped, name)
    size = len(segment.encode())
    if size <= _SEGMENT_SIZE_MAX:
        return segment
    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    head = segment.encode()[:_HEAD_SIZE].decode("utf-8", "ignore")
    return f"{_CUT}{digest}{_CUT}{head}"


def name_of(segment: str) -> str | None:
    """The name that has this segment; None where the segment is cut off, so that another key has to say."""
    if segment.startswith(_CUT):
        return None
    if segment == _EMPTY:
        return ""
    if "%" not in segment:
        return segment
    parts = re.split(r"((?:%[0-9A-F]{2})+)", segment)
    return "".join(
        bytes.fromhex(part.replace("%", "")).decode("utf-8", "surrogatepass") if part.startswith("%") else part
        for part in parts
    )


def chunk_key(segment: str, number: int) -> str:
    """Where the records from there on stand."""
    return f"{PREFIX}{segment}.{_digits(number)}"


def far_key(segment: str, number: int) -> str:
    """Where long bytes stand by themselves."""
    return f"{PREFIX}{segment}.bytes.{_digits(number)}"


def name_key(segment: str) -> str:
    """Where a thread whose segment is cut off says what it is called."""
    return f"{PREFIX}{segment}.name"


def chunk_number(key: str) -> int | None:
    """The number in the key of a chunk; None for other keys."""
    last = key.rpartition(".")[2]
    commit, _, count = last.partition("-")
    is_number = len(last) == _DIGITS and commit.isascii() and commit.isdigit() and count.isascii() and count.isdigit()
    return int(commit) * STEP + int(count) if is_number else None


def shown(name: str, size_max: int = _SHOWN_MAX) -> str:
    """The name in a message or a tag: whole, unless it is very long or no Unicode."""
    if len(name) > size_max:
        name = f"{name[:size_max]}..."
    return name if name.isascii() else name.encode("utf-8", "backslashreplace").decode()


def _digits(number: int) -> str:
    return f"{number // STEP:010}-{number % STEP:05}"


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))
