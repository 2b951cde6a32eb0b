"""What threads are called in the keys of a store, and in messages and tags of commits.

A key of a thread is `langgraph.saver.<thread>.<number>`: the thread's id where it reads well, with everything else in
it written as `%XX` (its UTF-8, as in a URL). So no id has a dot or a star in a key, none is empty, and no two are the
same. An id that would be too long is cut off and followed by a hash of it; its thread says in a key of its own,
`langgraph.saver.<thread>.name`, what it is called.
"""

import re
from hashlib import sha256
from typing import Final

PREFIX: Final = "langgraph.saver."
"""Every key of a saver begins so."""

NAME: Final = "name"
"""The last segment of the key that has the whole id of a thread whose segment is cut off."""

_PLAIN: Final = re.compile(r"[\w:|@~+=/ -]+", re.ASCII)
_ODD: Final = re.compile(r"[^\w:|@~+=/ -]", re.DOTALL)
_SEGMENT_SIZE_MAX: Final = 600
_HEAD_SIZE: Final = 120
_EMPTY: Final = "%"
_CUT: Final = "%~"
_SHOWN_MAX: Final = 120
_NUMBER_DIGITS: Final = 8


def segment_of(name: str) -> str:
    """The name as one segment of a key: letters and digits of any script as they are."""
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
    return f"{PREFIX}{segment}.{number:0{_NUMBER_DIGITS}}"


def far_key(segment: str, number: int) -> str:
    """Where long bytes stand by themselves."""
    return f"{PREFIX}{segment}.bytes.{number:0{_NUMBER_DIGITS}}"


def shown(name: str) -> str:
    """The name in a message or a tag: whole, unless it is very long or no Unicode."""
    text = name if len(name) <= _SHOWN_MAX else f"{name[:_SHOWN_MAX]}..."
    return text.encode("utf-8", "backslashreplace").decode()


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))
