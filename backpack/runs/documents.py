"""JSON values in a text: one document, one a line (JSON Lines), or several documents one after the other.

What the text is shows in its first line: if that is a whole JSON value and more follows, every line is one. A text
that fails as a document and looks like lines all the same is read as lines, so that the error names the broken line.

Names that stand twice in an object are refused, not quietly dropped; NaN and Infinity are taken, as Python writes them.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from backpack.limits import VALUE_DEPTH_MAX
from backpack.runs.errors import RunFileError
from backpack.runs.positions import Path, deeper_than, line_at, position_of, repeated_name

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DIGITS: Final = re.compile(r"\d{1000,}")


class _RepeatedNameError(Exception):
    """A name stands twice in one object."""


@dataclass(frozen=True, slots=True)
class Record:
    """A value and where it stands: `source[start:stop]`."""

    value: Any
    source: str
    start: int
    stop: int

    @property
    def line(self) -> int:
        """The line that it begins on, from 1."""
        return line_at(self.source, self.start)

    def line_of(self, path: Path) -> int:
        """The line of a value inside it. Cost: one walk over its text."""
        if "\n" not in self.source[self.start : self.stop]:
            return self.line
        return line_at(self.source, position_of(self.source, path, self.start, self.stop))

    def check_depth(self, depth_max: int = VALUE_DEPTH_MAX) -> None:
        """Raises `RunFileError` when it nests deeper than a Backpack takes."""
        if depth_of(self.value, depth_max) > depth_max:
            raise _too_deep(self.source, depth_max, self.start, self.stop)


def parse_records(text: str) -> list[Record]:
    """Every JSON value in the text, at least one; `RunFileError` names the line of what is wrong."""
    start = _skip_space(text, 0)
    if start == len(text):
        raise RunFileError("empty" if not text else "empty: nothing but spaces", line=1)
    first_stop = _line_stop(text, start)
    if _skip_space(text, first_stop) < len(text) and _is_whole(text[start:first_stop]):
        return _parse_lines(text)
    try:
        return _parse_documents(text, start)
    except RunFileError:
        if _looks_like_lines(text, start, first_stop):
            return _parse_lines(text)
        raise


def depth_of(value: Any, enough: int) -> int:
    """How many containers stand in one another; stops counting above `enough`. No recursion."""
    depth, level = 0, [value]
    while depth <= enough:
        level = [item for item in level if isinstance(item, dict | list)]
        if not level:
            break
        depth += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return depth


def parse_loosely(text: str) -> Any:
    """The object or list that a text is the JSON of, or the text itself: for arguments and results of tools."""
    if not text.lstrip()[:1] or text.lstrip()[0] not in "{[":
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if depth_of(value, VALUE_DEPTH_MAX) > VALUE_DEPTH_MAX else value


# -- the three layouts -----------------------------------------------------------------------------------------


def _parse_documents(text: str, start: int) -> list[Record]:
    records = []
    while start < len(text):
        value, stop = _decode(text, start)
        records.append(Record(value, text, start, stop))
        start = _skip_space(text, stop)
    return records


def _parse_lines(text: str) -> list[Record]:
    records, start, number = [], 0, 1
    while start < len(text):
        stop = _line_stop(text, start)
        line = text[start:stop]
        begin = _skip_space(line, 0)
        if begin < len(line):
            value, end = _decode(line, begin, number)
            if _skip_space(line, end) < len(line):
                raise RunFileError(f"not JSON: more after the end of the value, column {end + 1}", line=number)
            records.append(Record(value, text, start + begin, start + end))
        start, number = stop + 1, number + 1
    return records


def _decode(text: str, start: int, first_line: int = 1) -> tuple[Any, int]:
    """The value that begins there, and where it ends."""
    before = first_line - 1
    try:
        return _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        reason = error.msg.removesuffix(" at").removesuffix(" starting")
        raise RunFileError(f"not JSON: {reason}, column {error.colno}", line=before + error.lineno) from None
    except RecursionError:
        raise _too_deep(text, VALUE_DEPTH_MAX, start, before=before) from None
    except _RepeatedNameError as name:
        line = line_at(text, repeated_name(text, start))
        raise RunFileError(f"the name {name} stands twice in one object", line=before + line) from None
    except ValueError:  # Python refuses to read a number of thousands of digits
        found = _DIGITS.search(text, start)
        line = line_at(text, found.start() if found else start)
        raise RunFileError("a number with too many digits", line=before + line) from None


def _too_deep(text: str, depth_max: int, start: int, stop: int | None = None, *, before: int = 0) -> RunFileError:
    line = before + line_at(text, deeper_than(text, depth_max, start, stop))
    return RunFileError(f"nested deeper than {depth_max} levels", line=line)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _RepeatedNameError(json.dumps(name[:80]))
            seen.add(name)
    return found


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique)

# -- looking at lines ------------------------------------------------------------------------------------------


def _skip_space(text: str, start: int) -> int:
    match = _SPACE.match(text, start)
    return match.end() if match else start


def _line_stop(text: str, start: int) -> int:
    stop = text.find("\n", start)
    return len(text) if stop < 0 else stop


def _is_whole(line: str) -> bool:
    """Is the line a JSON value of its own?"""
    try:
        json.loads(line)
    except json.JSONDecodeError:
        return False
    except (ValueError, RecursionError):
        return True
    return True


def _looks_like_lines(text: str, start: int, first_stop: int) -> bool:
    """A text that is no document: does it look like JSON Lines with a broken first line?"""
    first = text[start:first_stop].strip()
    second_start = _skip_space(text, first_stop)
    second = text[second_start : _line_stop(text, second_start)].strip()
    return len(first) > 1 and first[0] in "{[" and second[:1] == first[0] and _is_whole(second)
