"""What stands in the place of a long text: its beginning and a marker that names the entry with all of it.

    text             beginning NEWLINE marker          the marker alone when the beginning is empty
    bytes            the same, the marker in ASCII
    JSON arguments   beginning ... marker ... "}       `arguments.py` says how
    marker           [... N characters, L lines more: mem://ID ...]      of bytes: N bytes; of one of them: 1 line

N and L count what the beginning leaves out, lines by newlines, a rest behind the last one included. So whoever has the
entry's content can make the same text again: that is the proof that a text was made here (`restores`), and a text of
the user's that only looks like it, or was changed since, is never taken for one.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backpack.memory.arguments import cut_arguments

_ID: Final = r"mem-[0-9]{8}-[0-9]{6}-[0-9a-f]{8}"
_TEXT: Final = re.compile(
    rf"\[\.\.\. ([0-9]{{1,18}}) characters?, ([0-9]{{1,18}}) lines? more: mem://({_ID}) \.\.\.\]"
    rf"(|\"(?:: null)?[\]}}]+)\Z"
)
_BYTES: Final = re.compile(
    rf"\[\.\.\. ([0-9]{{1,18}}) bytes?, ([0-9]{{1,18}}) lines? more: mem://({_ID}) \.\.\.\]()\Z".encode("ascii")
)
_CHARACTER_SIZE_MAX: Final = 4
_TAIL_SIZE: Final = 512
"""Where a marker is looked for: at the end, with what closes arguments behind it (at most one character a level)."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What the end of a text says: which entry has the whole, how much was left out, whether it closes arguments."""

    id: str
    left_out: int
    lines_left_out: int
    start: int
    """Where in the text it begins."""
    is_arguments: bool


def shorten(
    content: str | bytes, preview: int, id: str, *, is_arguments: bool = False, line_count: int | None = None
) -> str | bytes:
    """The beginning of a content, `preview` characters (bytes) at most, and the marker.

    O(preview) for who knows how many lines the content has, O(length) else.
    """
    if line_count is None:
        line_count = _lines_of(content)
    if isinstance(content, bytes):
        first = content[:preview]
        return (first + b"\n" if first else b"") + _marker(content, first, "bytes", line_count, id).encode("ascii")
    cut = cut_arguments(content, preview) if is_arguments else None
    if cut is not None:
        kept = content[: cut.size]
        return kept + cut.before + _marker(content, kept, "characters", line_count, id) + cut.behind
    kept = content[:preview]
    return (kept + "\n" if kept else "") + _marker(content, kept, "characters", line_count, id)


def find(text: str | bytes) -> Marker | None:
    """The marker at the end of a text, if it looks like there is one. O(1)."""
    if isinstance(text, bytes):
        found = _BYTES.search(text, max(0, len(text) - _TAIL_SIZE)) if text.endswith(b" ...]") else None
        return (
            None
            if found is None
            else Marker(found[3].decode("ascii"), int(found[1]), int(found[2]), found.start(), False)
        )
    if not text.endswith((" ...]", "}", "]")):
        return None
    match = _TEXT.search(text, max(0, len(text) - _TAIL_SIZE))
    if match is None:
        return None
    return Marker(match[3], int(match[1]), int(match[2]), match.start(), bool(match[4]))


def restores(text: str | bytes, marker: Marker, content: object) -> bool:
    """Is this text what `shorten` makes of that content, and nothing else? O(length)."""
    if not isinstance(content, str | bytes):
        return False
    preview = len(content) - marker.left_out
    return shorten(content, preview, marker.id, is_arguments=marker.is_arguments) == text


def fits(text: str | bytes, marker: Marker, ref: Mapping[str, Any]) -> bool:
    """May this text be what `shorten` made of the content that a reference tells of? All that can be known of a content
    that is gone; the figures of both must agree. O(length of the text)."""
    size, lines = ref.get("size"), ref.get("lines")
    if type(size) is not int or type(lines) is not int:
        return False
    newline: Any = b"\n" if isinstance(text, bytes) else "\n"
    kept: Any = text[: marker.start]
    if not marker.is_arguments:
        if kept and not kept.endswith(newline):
            return False
        kept = kept[:-1]
    if marker.lines_left_out != lines - kept.count(newline):
        return False
    if isinstance(text, bytes):
        return len(kept) + marker.left_out == size
    if marker.is_arguments:  # a few characters of what is kept are not the content's
        return marker.left_out <= size
    kept_size = len(kept.encode("utf-8", "surrogatepass"))
    return kept_size + marker.left_out <= size <= kept_size + _CHARACTER_SIZE_MAX * marker.left_out


def is_json_object(text: str) -> bool:
    """Is it the text of a JSON object? O(length)."""
    if not text.lstrip(" \t\r\n").startswith("{"):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _lines_of(text: str | bytes) -> int:
    """Newlines, and a rest behind the last one."""
    if isinstance(text, bytes):
        return text.count(b"\n") + (text != b"" and not text.endswith(b"\n"))
    return text.count("\n") + (text != "" and not text.endswith("\n"))


def _marker(content: str | bytes, kept: str | bytes, unit: str, line_count: int, id: str) -> str:
    """The marker behind what is kept; a line of which a part is kept is one of those left out, too."""
    newlines = kept.count(b"\n") if isinstance(kept, bytes) else kept.count("\n")
    left_out = len(content) - len(kept)
    lines_left_out = line_count - newlines if left_out else 0
    lines = "line" if lines_left_out == 1 else "lines"
    return f"[... {left_out} {unit if left_out != 1 else unit[:-1]}, {lines_left_out} {lines} more: mem://{id} ...]"
