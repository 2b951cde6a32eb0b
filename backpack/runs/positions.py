"""Where in a JSON text a value stands: for the line in an error message.

The parser of the standard library is fast and forgets positions. So they are looked for only when something is wrong,
by going over the tokens once more with the path at hand: no recursion, however deep the text.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

Path = Sequence[str | int]
"""Names and indices from the outermost value inwards: `("messages", 3, "role")`."""

_TOKEN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)


class Token(NamedTuple):
    """A value that begins, or a name in an object. `path` is alive: it changes as the walk goes on."""

    kind: str
    """`{`, `[`, `value` or `name`."""
    path: list[str | int]
    position: int


def walk(text: str, start: int = 0, stop: int | None = None) -> Iterator[Token]:
    """Every value and every name of the JSON in `text[start:stop]`, in order; ends early where it is no JSON."""
    path: list[str | int] = []
    is_name_next = False
    for match in _TOKEN.finditer(text, start, len(text) if stop is None else stop):
        token, position = match.group(), match.start()
        first = token[0]
        if first in "{[":
            yield Token(first, path, position)
            path.append("" if first == "{" else 0)
            is_name_next = first == "{"
        elif first in "}]":
            if not path:
                return
            path.pop()
            is_name_next = False
        elif first == ",":
            if not path:
                return
            last = path[-1]
            if isinstance(last, int):
                path[-1] = last + 1
            else:
                is_name_next = True
        elif is_name_next:
            if first != '"':
                return
            path[-1] = _name(token)
            is_name_next = False
            yield Token("name", path, position)
        elif first != ":":
            yield Token("value", path, position)


def line_at(text: str, position: int) -> int:
    """The line of a position, from 1."""
    return text.count("\n", 0, position) + 1


def position_of(text: str, path: Path, start: int = 0, stop: int | None = None) -> int:
    """Where the value at `path` begins; the start when there is none."""
    wanted = list(path)
    for kind, found, position in walk(text, start, stop):
        if kind != "name" and len(found) == len(wanted) and found == wanted:
            return position
    return start


def deeper_than(text: str, depth: int, start: int = 0, stop: int | None = None) -> int:
    """Where the nesting first goes beyond `depth` containers; the start when it doesn't."""
    for kind, path, position in walk(text, start, stop):
        if kind in "{[" and len(path) >= depth:
            return position
    return start


def repeated_name(text: str, start: int = 0, stop: int | None = None) -> int:
    """Where a name stands a second time in one object; the start when none does."""
    seen: dict[int, set[str | int]] = {}
    for kind, path, position in walk(text, start, stop):
        if kind == "{":
            seen[len(path) + 1] = set()
        elif kind == "name":
            names = seen[len(path)]
            if path[-1] in names:
                return position
            names.add(path[-1])
    return start


def _name(token: str) -> str:
    try:
        return str(json.loads(token))
    except ValueError:
        return token
