"""The lines of a content in which a pattern is found, with those around: read part by part, gathered as spans.

What is bounded: memory (a part, and one line up to 64 KiB: of a longer one each 64 KiB are searched for themselves, so
a match over such an edge is not seen); the length of the pattern; the time of the whole, looked at between lines;
patterns that may backtrack without end, which are refused (`backtracking.py`). What is not: one search of one line, for
`re` can't be interrupted, and `.*x` takes time quadratic in the length of a line. A pattern that the program itself has
compiled is taken as it is.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from backpack.errors import FetchLimitError, InvalidArgumentError
from backpack.limits import KIB
from backpack.memory.backtracking import fault_of
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
    """The pattern, or `InvalidArgumentError` where it is none, or a text that may take for ever."""
    if isinstance(pattern, re.Pattern):
        return _of_text(pattern)
    if not isinstance(pattern, str):
        raise InvalidArgumentError("a pattern is a str")
    if len(pattern) > PATTERN_SIZE_MAX:
        raise InvalidArgumentError(f"a pattern may have {PATTERN_SIZE_MAX} characters: size={len(pattern)}")
    try:
        found = re.compile(pattern)
        fault = fault_of(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        fault = str(error)
    if fault is None:
        return found
    raise InvalidArgumentError(f"the pattern can't be used: {fault}")


def _of_text(pattern: "re.Pattern[str]") -> "re.Pattern[str]":
    if not isinstance(pattern.pattern, str):
        raise InvalidArgumentError("a pattern is a str")
    return pattern


def searching(pattern: "str | re.Pattern[str]") -> Callable[[str], object]:
    """What searches a line without its newline. A carriage return at its end counts as one with it, so that `$` stands
    before it, unless the pattern names it."""
    found = compiled(pattern)
    search = found.search
    if "\r" in found.pattern or "\\r" in found.pattern:
        return search
    return lambda line: search(line.removesuffix("\r"))


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
