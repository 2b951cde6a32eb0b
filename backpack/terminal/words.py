"""Values, sizes and texts in few characters, safe for any terminal."""

import json
import re
import unicodedata
from typing import Any, Final

from backpack.limits import KIB, MIB

_UNITS: Final = {"": 1, "b": 1, "k": KIB, "kib": KIB, "m": MIB, "mib": MIB, "g": KIB * MIB, "gib": KIB * MIB}
_SIZE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)
_SHOWN_SOURCE_MAX: Final = 2_000
_NAMES_SHOWN: Final = 20
_INTEGER_BITS_MAX: Final = 13_000
"""Well below the 4,300 digits that Python writes at most."""
_SIZE_MAX: Final = 2**60


def bytes_of(text: str) -> int:
    """A size that a user wrote: `65536`, `64KiB`, `1.5 MiB`; `ValueError` says what would be one."""
    match = _SIZE.fullmatch(text)
    factor = _UNITS.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise ValueError(f"not a size: {shown(text, 40)} (try 65536, 64KiB or 1.5MiB)")
    size = int(min(float(match[1]), _SIZE_MAX) * factor)
    if size < 1:
        raise ValueError("a size must be above 0")
    return size


def size_shown(size: int) -> str:
    """`512 B`, `63.2 KiB`, `1.4 MiB`."""
    if size < KIB:
        return f"{size} B"
    return f"{size / KIB:,.1f} KiB" if size < MIB else f"{size / MIB:,.1f} MiB"


def count_of(count: int, noun: str) -> str:
    """`1 commit`, `2,658 commits`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def size_of(text: str | None) -> str:
    """How long a text is."""
    return "nothing" if not text else count_of(len(text), "character")


def shown(value: Any, width: int) -> str:
    """A value in one line of at most `width` columns: text as it is, containers as JSON, control characters escaped."""
    if isinstance(value, str):
        text = value[:_SHOWN_SOURCE_MAX]
    elif isinstance(value, list):
        text = f"[{count_of(len(value), 'item')}]" if len(value) != 0 else "[]"
    elif isinstance(value, dict):
        text = ", ".join(f"{name}: {_inner(item)}" for name, item in list(value.items())[:_NAMES_SHOWN])
        text = f"{{{text}{', ...' if len(value) > _NAMES_SHOWN else ''}}}"
    else:
        text = _inner(value)
    return cut(printable(" ".join(text.split())), width)


def printable(text: str) -> str:
    """The text with everything that is no plain letter to a terminal escaped."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def columns_of(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def cut(text: str, width: int) -> str:
    """The text, cut with `...` where it is wider."""
    if columns_of(text) <= width:
        return text
    room, kept = max(0, width - 3), []
    for letter in text:
        room -= columns_of(letter)
        if room < 0:
            break
        kept.append(letter)
    return "".join(kept).rstrip(" .") + "..."[: max(0, width)]


def around(text: str, at: int, width: int) -> str:
    """A line of at most `width` columns, safe for any terminal, with the letter at a place well within it."""
    if columns_of(printable(text)) <= width:
        return printable(text)
    start = max(0, at - width // 3)
    return cut(("..." if start else "") + printable(text[start:]), width)


def text_of_atom(value: Any) -> str:
    """A value that is no container: as JSON has it, else as Python writes it."""
    if isinstance(value, int) and value.bit_length() > _INTEGER_BITS_MAX:  # Python refuses to write it out
        return f"(an integer of {value.bit_length():,} bits)"
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return repr(value)[:_SHOWN_SOURCE_MAX]


def _inner(value: Any) -> str:
    if isinstance(value, list):
        return f"[{len(value)}]"
    if isinstance(value, dict):
        return f"{{{len(value)}}}"
    if isinstance(value, str):
        return value[:_SHOWN_SOURCE_MAX]
    return text_of_atom(value)
