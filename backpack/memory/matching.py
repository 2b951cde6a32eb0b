"""The lines of a content in which a pattern is found, with those around: read part by part, gathered as spans.

What is bounded: memory (a part, and one line up to 64 KiB: of a longer one each 64 KiB are searched for themselves, so
a match over such an edge is not seen); the length of the pattern; the time of the whole, looked at between lines;
repeats inside of repeats with nothing fixed between them, `(a+)+`, which are refused, as they may take time exponential
in the length of a line. What is not: one search of one line. `re` can't be interrupted, and other patterns may be slow
too, such as `(a|aa)*$`; who takes patterns from strangers runs them in a process of its own.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Final, NamedTuple

from backpack.errors import FetchLimitError, InvalidArgumentError
from backpack.limits import KIB
from backpack.memory.contents import View

PATTERN_SIZE_MAX: Final = 1_000
LINE_SIZE_MAX: Final = 64 * KIB
CONTEXT_LINES_MAX: Final = 2_000
TIME_MAX_S: Final = 10.0
_STEP: Final = 256 * KIB
_LOOK_EVERY: Final = 256


class Span(NamedTuple):
    """A line: its number from 1, its first byte, the first behind it, whether the pattern is in it."""

    number: int
    start: int
    stop: int
    is_match: bool


def compiled(pattern: "str | re.Pattern[str]") -> "re.Pattern[str]":
    """The pattern, or `InvalidArgumentError` where it is none or may take for ever."""
    text = pattern.pattern if isinstance(pattern, re.Pattern) else pattern
    if not isinstance(text, str):
        raise InvalidArgumentError("a pattern is a str")
    if len(text) > PATTERN_SIZE_MAX:
        raise InvalidArgumentError(f"a pattern may have {PATTERN_SIZE_MAX} characters: size={len(text)}")
    try:
        found = pattern if isinstance(pattern, re.Pattern) else re.compile(text)
        tree: Any = import_module("re._parser").parse(text, found.flags & ~re.UNICODE)
    except (re.error, RecursionError, OverflowError) as error:
        reason = str(error)
    else:
        if not _explodes(tree):
            return found
        reason = "a repeat stands inside a repeat with nothing fixed beside it, so it may take for ever; write a+ for "
        reason += "(a+)+, or make it possessive: (a++)+"
    raise InvalidArgumentError(f"the pattern can't be used: {reason}")


def spans(
    view: View, search: Callable[[str], object], context_lines: int, monotonic: Callable[[], float]
) -> Iterator[Span]:
    """The lines in which it is found and those around, in order, each once. `FetchLimitError` when it takes too long.

    `monotonic`: a clock that never goes back, in seconds.
    """
    before: deque[Span] = deque(maxlen=context_lines)
    after = 0
    end_s = monotonic() + TIME_MAX_S
    for span in _lines(view, search):
        if span.is_match:
            yield from before
            before.clear()
            yield span
            after = context_lines
        elif after:
            yield span
            after -= 1
        elif context_lines:
            before.append(span)
        if span.number % _LOOK_EVERY == 1 and monotonic() > end_s:
            raise FetchLimitError(
                f"the search takes longer than {TIME_MAX_S:.0f} s: lines={span.number} were searched; use a simpler "
                "pattern, or look at slices",
                unit="seconds",
                size=int(TIME_MAX_S),
                limit=int(TIME_MAX_S),
            )


def _lines(view: View, search: Callable[[str], object]) -> Iterator[Span]:
    """Each line. It is searched without its newline."""
    start = at = stop = 0
    number = 1
    held = b""
    is_found = False
    while at < view.size:
        data = view.read(at, _STEP)
        at += len(data)
        *ended, rest = data.split(b"\n")
        for line in ended:
            stop += len(line) + 1
            is_found = is_found or search((held + line if held else line).decode("utf-8", "replace")) is not None
            yield Span(number, start, stop, is_found)
            number += 1
            start, held, is_found = stop, b"", False
        stop += len(rest)
        held += rest
        while len(held) > LINE_SIZE_MAX:
            is_found = is_found or search(held[:LINE_SIZE_MAX].decode("utf-8", "replace")) is not None
            held = held[LINE_SIZE_MAX:]
    if start < stop:
        is_found = is_found or search(held.decode("utf-8", "replace")) is not None
        yield Span(number, start, stop, is_found)


def _explodes(tree: Any) -> bool:
    """Is there an unbounded repeat of what is nothing but repeats, of which one is unbounded?"""
    for operator, argument in tree:
        name = str(operator)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            _, most, body = argument
            if (str(most) == "MAXREPEAT" and _is_loose(body)) or _explodes(body):
                return True
        elif any(_explodes(body) for body in _bodies(name, argument)):
            return True
    return False


def _is_loose(body: Any) -> bool:
    """Is it made of repeats alone, with an unbounded one among them?"""
    has_unbounded = False
    for operator, argument in body:
        name = str(operator)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            has_unbounded = has_unbounded or str(argument[1]) == "MAXREPEAT"
            continue
        bodies = list(_bodies(name, argument))
        if name in ("SUBPATTERN", "BRANCH") and any(_is_loose(one) for one in bodies):
            has_unbounded = True
        elif name != "AT":
            return False
    return has_unbounded


def _bodies(name: str, argument: Any) -> Iterator[Any]:
    """What stands inside a group, a choice or an assertion."""
    if name == "SUBPATTERN":
        yield argument[3]
    elif name == "BRANCH":
        yield from argument[1]
    elif name in ("ASSERT", "ASSERT_NOT"):
        yield argument[1]
    elif name == "ATOMIC_GROUP":
        yield argument
