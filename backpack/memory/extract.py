"""A summary by rule, for what nobody summarised: the first and the last lines, those that look like errors, and counts.

It says that it is one: it begins with `[extract]`. Cost: a search through the bytes for each sign of an error, up to
the last line that is shown: 2 to 3 us a KB where there is none.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from backpack.memory.wording import counted

EXTRACT: Final = "[extract]"
_COUNTS: Final = re.compile(r"[0-9,]+ lines?, [0-9,]+ characters?, [0-9,]+ tokens?\Z")
_EDGE_LINES: Final = 3
_ERRORS_MAX: Final = 5
_LAST_ERRORS: Final = 2
_LINE_MAX: Final = 160
_EDGE_SIZE: Final = 4 * 1024
_SIGNS: Final = tuple(
    (sign[:1], re.compile(sign))
    for sign in (rb"rror(?<=error)", rb"xception(?<=exception)", rb"fa(?:il|tal)", rb"panic")
)
"""In lower case, each behind its first letter, a rare one where there is a choice. `re` runs through the bytes to the
next such letter, in half the time that `bytes.find` takes for words as short as these; where the first one is,
`bytes.find` says in a tenth of that."""

_SIGN: Final = re.compile("error|exception|fail|fatal|panic", re.IGNORECASE)
_RULED: Final = re.compile(r"([=\-_*#~+])\1{2,}(.*?)\1{3,}")
"""A line that begins and ends as a rule does: a heading, or how a run ended."""
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*(?:[@-~]|\Z)|\][^\x07\x1b]*(?:\x07|\x1b\\|\Z)|[ -/]*[0-~]?)")
"""What a terminal takes as commands: colours, the place of the cursor, titles of windows."""
_HEADINGS: Final = ("errors:", "...")


class Extract:
    """Gathers what an extract says of raw bytes that come part by part."""

    __slots__ = ("_errors", "_head", "_tail")

    def __init__(self) -> None:
        self._head = b""
        self._tail = b""
        self._errors: list[bytes] = []

    def add(self, raw: bytes) -> None:
        """More of the content."""
        if len(self._head) < _EDGE_SIZE:
            self._head += raw[: _EDGE_SIZE - len(self._head)]
        self._tail = raw[-_EDGE_SIZE:] if len(raw) >= _EDGE_SIZE else (self._tail + raw)[-_EDGE_SIZE:]
        if len(self._errors) < _ERRORS_MAX:
            self._errors += error_lines(raw, _ERRORS_MAX - len(self._errors))

    def text(self, lines: int, characters: int, tokens: int) -> str:
        """The summary."""
        counts = ", ".join((counted(lines, "line"), counted(characters, "character"), counted(tokens, "token")))
        said = [f"{EXTRACT} {counts}"]
        said += filter(None, map(_line, self._head.split(b"\n", _EDGE_LINES)[:_EDGE_LINES]))
        errors = [line for line in map(_line, self._first_and_last_errors()) if line not in said]
        if errors:
            said += ["errors:", *errors]
        last = self._tail[:-1] if self._tail.endswith(b"\n") else self._tail
        lines_at_end = map(_line, last.rsplit(b"\n", _EDGE_LINES)[-_EDGE_LINES:])
        tail = [line for line in lines_at_end if line and line not in said]
        if tail and lines > _EDGE_LINES:
            said += ["...", *tail]
        return "\n".join(said)

    def _first_and_last_errors(self) -> list[bytes]:
        """The first ones; where there may be more, the last that stand close to the end take the places of some."""
        first = self._errors
        if len(first) < _ERRORS_MAX:
            return first
        last = error_lines(self._tail[self._tail.find(b"\n") + 1 :], _EDGE_SIZE)[-_LAST_ERRORS:]
        last = [line for line in last if line not in first]
        return first[: _ERRORS_MAX - len(last)] + last


def error_lines(raw: bytes, limit: int) -> list[bytes]:
    """The first lines that look like errors, in their order."""
    if limit <= 0:
        return []
    lower = raw.lower()
    starts: list[int] = []
    stop = len(lower)
    """Behind it are no more of the first: there are enough before."""
    for letter, sign in _SIGNS:
        first = lower.find(letter, 0, stop)
        found = None if first < 0 else sign.search(lower, first, stop)
        for _ in range(limit):
            if found is None:
                break
            at = found.start()
            start = lower.rfind(b"\n", 0, at) + 1
            if start not in starts:
                starts.append(start)
            end = lower.find(b"\n", at)
            found = None if end < 0 else sign.search(lower, end, stop)
        if len(starts) >= limit:
            starts = sorted(starts)[:limit]
            stop = starts[-1]
    return [raw[start : start + 4 * _LINE_MAX].partition(b"\n")[0] for start in sorted(starts)]


def first_line(raw: bytes, length: int) -> str:
    """The first line with a letter or digit in it, else the first that is not blank; of at most so many characters."""
    text = ""
    for line in map(_line, _lines(raw[:_EDGE_SIZE])):
        if any(map(str.isalnum, line)):
            text = line
            break
        text = text or line
    return text if len(text) <= length else text[: length - 3].rstrip() + "..."


def short_extract(raw: bytes) -> str:
    """The summary of a short content: its first line, and the one that says most where that is another."""
    lines = [
        text for text in map(_line, (raw[:_EDGE_SIZE] + b"\n" + raw[_EDGE_SIZE:][-_EDGE_SIZE:]).split(b"\n")) if text
    ]
    said = dict.fromkeys(one for one in (first_line(raw, _LINE_MAX), telling_line(lines)) if one)
    return f"{EXTRACT} " + "\n".join(said) if said else EXTRACT


def lines_of_extract(summary: str) -> list[str]:
    """The lines of the content that an extract has."""
    first, *rest = summary.removeprefix(EXTRACT).strip().split("\n")
    return [line for line in (rest if _COUNTS.match(first) else [first, *rest]) if line not in _HEADINGS]


def telling_line(lines: Iterable[str]) -> str:
    """The line that says most: the last that looks like an error, else the last with letters; empty when there is none.

    A ruled line is a heading, and passed over, unless it has a figure, as `=== 12 passed in 0.10s ===`: what stands
    between the rules counts as a line with letters.
    """
    error = last = ""
    for line in lines:
        ruled = _RULED.fullmatch(line)
        text = ruled[2].strip() if ruled else line
        if not any(map(str.isalpha, text)):
            continue
        if ruled is None and _SIGN.search(text):
            error = text
        elif ruled is None or any(map(str.isdigit, text)):
            last = text
    return error or last


def _lines(raw: bytes) -> Iterator[bytes]:
    """Its lines, each cut off when it is wanted: mostly the first will do."""
    start = 0
    while (end := raw.find(b"\n", start)) >= 0:
        yield raw[start:end]
        start = end + 1
    yield raw[start:]


def _line(line: bytes) -> str:
    """A line as a summary may have it: printable, stripped, clipped."""
    text = line[: 4 * _LINE_MAX + 4].decode("utf-8", "replace").strip()
    if not text.isprintable():
        if "\x1b" in text:
            text = _ESCAPES.sub("", text)
        text = "".join(one if one.isprintable() else " " for one in text).strip()
    return text if len(text) <= _LINE_MAX else text[: _LINE_MAX - 3] + "..."
