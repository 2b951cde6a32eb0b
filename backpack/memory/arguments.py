"""The beginning of a JSON text, closed so that it is JSON again: for the arguments of tool calls.

Some providers parse the arguments of every call that they are shown again, and refuse those that are no JSON. So the
beginning is cut where a marker can stand as a string of its own, or within the string that it was cut in, and what is
open there is closed behind it:

    {"code": "import os\\n...          becomes        {"code": "import os\\n<marker>"}
    {"rows": [1, 2, 34...             becomes        {"rows": [1, 2, "<marker>"]}

The cut is never within an escape, a pair of surrogates, a number or a name. Cutting a beginning again at its own
length changes nothing, which is how a reader proves that a text was made here.
"""

import re
from dataclasses import dataclass
from typing import Final

from backpack.limits import VALUE_DEPTH_MAX

_STRING: Final = (
    r'"(?:[^"\\]'
    r"|\\[^u]"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?=[^\\]|\\[^u]))"
    r"|\\u(?![dD][89abAB])[0-9a-fA-F]{4}"
    r')*("?)'
)
_TOKEN: Final = re.compile(rf"[ \t\r\n]+|([{{}}\[\]:,])|({_STRING})|([^\s{{}}\[\]:,\"]+)")
_KEY: Final = '"...": "'
"""The beginning of a member that the text didn't have, for a marker that would stand between members."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The first `size` characters stay, then come `before`, the marker (a part of a JSON string) and `behind`."""

    size: int
    before: str
    behind: str


def cut_arguments(text: str, size: int) -> Cut | None:
    """Where a JSON object is cut to keep at most `size` characters; None where no marker fits. O(size)."""
    stack: list[str] = []
    expected = "value"
    kept = at = 0
    while at < size and (token := _TOKEN.match(text, at, size)) is not None:
        at = token.end()
        mark, string, quote, _ = token.groups()
        if string is not None and not quote:  # cut within it
            return _Shape(stack, expected, token.end()).within()
        if mark in ("{", "["):
            stack.append(mark)
            expected = "key" if mark == "{" else "value"
        elif mark in ("}", "]"):
            if not stack:
                return None
            stack.pop()
            expected = "next"
        elif mark == ",":
            expected = "key" if stack and stack[-1] == "{" else "value"
        elif mark == ":":
            expected = "value"
        elif string is not None:
            expected = "colon" if expected == "key" else "next"
        elif token.group(4) is not None:
            if at == size:  # it may go on
                break
            expected = "next"
        kept = at
        if len(stack) > VALUE_DEPTH_MAX:
            return None
    return _Shape(stack, expected, kept).between()


@dataclass(frozen=True, slots=True)
class _Shape:
    """What is open at a cut, and what would come next."""

    stack: list[str]
    expected: str
    size: int

    def within(self) -> Cut | None:
        """The cut within a string; its line goes on below."""
        if not self.stack:
            return None
        return Cut(self.size, "\\n", ('": null' if self.expected == "key" else '"') + self._closing())

    def between(self) -> Cut | None:
        """The cut between tokens."""
        if not self.stack:
            return None
        is_object = self.stack[-1] == "{"
        before = {"key": _KEY, "colon": ': "', "value": '"', "next": f", {_KEY}" if is_object else ', "'}
        return Cut(self.size, before[self.expected], '"' + self._closing())

    def _closing(self) -> str:
        return "".join("}" if mark == "{" else "]" for mark in reversed(self.stack))
