"""Exact slices of an entry, within what may go to a model at once.

Both limits, lines and bytes, are held against what would be returned, before it is read where that can be known.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from backpack.errors import ChunkNotFoundError, FetchLimitError, InvalidArgumentError
from backpack.limits import KIB
from backpack.memory.contents import View
from backpack.memory.entry import Entry
from backpack.memory.matching import CONTEXT_LINES_MAX, Span, searching, spans
from backpack.memory.references import Reference

if TYPE_CHECKING:
    from backpack.memory.memory import Memory

FETCH_LINES_MAX: Final = 2_000
_NUMBERED_SIZE: Final = len("12: ") - len("12")
FETCH_SIZE_MAX: Final = 64 * KIB

Lines = tuple[int, int | None]
ByteRange = tuple[int, int]


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What one fetch may return."""

    lines_max: int = FETCH_LINES_MAX
    size_max: int = FETCH_SIZE_MAX

    def check_size(self, entry: Entry, size: int) -> None:
        """Refuse too many bytes."""
        if size > self.size_max:
            raise self._refused(entry, "bytes", size, self.size_max)

    def check_lines(self, entry: Entry, count: int) -> None:
        """Refuse too many lines."""
        if count > self.lines_max:
            raise self._refused(entry, "lines", count, self.lines_max)

    def check(self, entry: Entry, data: bytes) -> None:
        """Refuse what is too much of either."""
        self.check_size(entry, len(data))
        self.check_lines(entry, data.count(b"\n") + (not data.endswith(b"\n") if data else 0))

    def _refused(self, entry: Entry, unit: str, size: int, limit: int) -> FetchLimitError:
        return FetchLimitError(
            f"more than one fetch may return: {unit}={size} limit={limit}; ask for less: "
            f"lines=(first, last) of up to {self.lines_max} lines, bytes=(offset, length) of up to {self.size_max}, "
            f"or chunk=n, 0 to {entry.chunk_count - 1} (read(id) streams the whole entry, whatever its size)",
            unit=unit,
            size=size,
            limit=limit,
        )


def fetch(
    memory: "Memory",
    reference: Reference,
    lines: Lines | None,
    bytes: ByteRange | None,
    chunk: int | None,
    pattern: "str | re.Pattern[str] | None",
    context_lines: int,
    summary_only: bool,
) -> str | bytes:
    """The slice that the reference or the arguments name, or all."""
    asked = [lines is not None, bytes is not None, chunk is not None, pattern is not None, bool(summary_only)]
    if sum(asked) + reference.is_slice > 1:
        raise InvalidArgumentError("a fetch takes one slice: lines, bytes, chunk, pattern or summary_only")
    _check_context_lines(context_lines)
    if context_lines and pattern is None:
        raise InvalidArgumentError("context_lines goes with pattern")
    entry = memory.entry(reference)
    if summary_only:
        return entry.summary
    view = memory.view(entry)
    if reference.lines is not None or lines is not None:
        first, last = _checked_lines(reference.lines if lines is None else lines)
        return _decoded(entry, _lines(memory.limits, entry, view, first, last))
    if reference.bytes is not None or bytes is not None:
        offset, length = _checked_pair("bytes", reference.bytes if bytes is None else bytes)
        memory.limits.check_size(entry, min(length, max(view.size - offset, 0)))
        data = view.read(offset, length)
        memory.limits.check(entry, data)
        return data
    if reference.chunk is not None or chunk is not None:
        return _decoded(entry, _chunk(memory.limits, entry, view, reference.chunk if chunk is None else chunk))
    if pattern is not None:
        return _decoded(entry, _matching(memory, entry, view, pattern, context_lines))
    memory.limits.check_size(entry, view.size)
    memory.limits.check_lines(entry, entry.lines)
    return _decoded(entry, view.read(0, view.size))


def _lines(limits: FetchLimits, entry: Entry, view: View, first: int, last: int | None) -> bytes:
    last = entry.lines if last is None else min(last, entry.lines)
    if first > last:
        return b""
    limits.check_lines(entry, last - first + 1)
    start = view.line_start(first - 1)
    stop = view.size if last == entry.lines else view.line_start(last)
    limits.check_size(entry, stop - start)
    return view.read(start, stop - start)


def _chunk(limits: FetchLimits, entry: Entry, view: View, number: int | None) -> bytes:
    count = view.content.chunk_count
    if type(number) is not int:
        raise InvalidArgumentError(f"a chunk is a whole number from 0 on, not {type(number).__name__}")
    if not 0 <= number < count:
        raise ChunkNotFoundError(
            f"the entry has no such chunk: id={entry.id!r} chunk={number}; they are 0 to {count - 1}",
            id=entry.id,
            chunk=number,
            count=count,
        )
    start, size = view.content.chunk_span(number)
    limits.check_size(entry, size)
    data = view.read(start, size)
    limits.check(entry, data)
    return data


def matching_lines(
    memory: "Memory", entry: Entry, pattern: "str | re.Pattern[str]", context_lines: int
) -> list[tuple[int, bool, str]]:
    """What a fetch by pattern returns, line by line: its number from 1, is the pattern in it, the text without its end.

    What is no UTF-8 is replaced. Costs and errors as of `fetch`, but that the limit counts the numbers of lines too.
    """
    view = memory.view(entry)
    found = _spans(memory, entry, view, pattern, context_lines)
    numbered = sum(span.stop - span.start + len(str(span.number)) + _NUMBERED_SIZE for span in found)
    memory.limits.check_size(entry, numbered)
    return [
        (span.number, span.is_match, line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "replace"))
        for span in found
        for line in (view.read(span.start, span.stop - span.start),)
    ]


def _matching(
    memory: "Memory", entry: Entry, view: View, pattern: "str | re.Pattern[str]", context_lines: int
) -> bytes:
    found = _spans(memory, entry, view, pattern, context_lines)
    return b"".join(view.read(span.start, span.stop - span.start) for span in found)


def _spans(
    memory: "Memory", entry: Entry, view: View, pattern: "str | re.Pattern[str]", context_lines: int
) -> list[Span]:
    """The lines in which the pattern is found, with so many around each. Only what may be returned is gathered."""
    _check_context_lines(context_lines)
    limits = memory.limits
    search = searching(pattern)
    found: list[Span] = []
    count = size = 0
    for span in spans(view, search, context_lines, memory.monotonic):
        count += 1
        size += span.stop - span.start
        if count <= limits.lines_max and size <= limits.size_max:
            found.append(span)
    limits.check_lines(entry, count)
    limits.check_size(entry, size)
    return found


def _check_context_lines(count: object) -> None:
    if type(count) is not int or not 0 <= count <= CONTEXT_LINES_MAX:
        raise InvalidArgumentError(f"context_lines is a whole number, 0 to {CONTEXT_LINES_MAX}")


def _decoded(entry: Entry, data: bytes) -> str | bytes:
    return data if entry.kind == "bytes" else data.decode("utf-8", "surrogatepass")


def _checked_lines(lines: object) -> Lines:
    if isinstance(lines, tuple | list) and len(lines) == 2:
        first, last = lines
        if type(first) is int and first >= 1 and (last is None or type(last) is int):
            if last is not None and last < first:
                raise InvalidArgumentError(
                    f"the lines end before they begin: first={first} last={last}; "
                    f"the smaller number comes first: {max(last, 1)}-{first}"
                )
            return first, last
    raise InvalidArgumentError("lines are a pair, the first and the last, counted from 1: lines=(10, 40)")


def _checked_pair(what: str, pair: object) -> tuple[int, int]:
    if isinstance(pair, tuple | list) and len(pair) == 2:
        offset, length = pair
        if type(offset) is int and type(length) is int and offset >= 0 and length >= 0:
            return offset, length
    raise InvalidArgumentError(f"{what} are a pair, the offset and the length, 0 or more: {what}=(0, 1000)")
