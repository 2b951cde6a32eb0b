"""Which part of a new value its strand has already.

LangGraph hands over whole values: a list of messages comes again with each that is added. What was there is found by
its bytes, never by decoding:

growth  A list, a text or bytes that got longer differ in their header (up to five bytes, and those of an extension
        type around it) and at the end. One comparison of memory.
writes  What a step appended was written down as a pending write before: the end of the value is often that write.
texts   A long text in a mapping (the input of a graph) is added alone, as its own channel adds it: the store keeps it
        once.
edits   Long runs that stand in both, as `core/sharing.py` finds them. Where that fails for a channel, it is left alone
        for twice as many values each time.

What is left goes to the end of the strand, short parts into the value itself. A value of many parts (steps that ran
side by side, branches) has its small ones written again as one, larger ones more rarely, so that it never has many and
each byte is written again O(log n) times.
"""

import re
from collections.abc import Sequence
from typing import Final

from backpack.core.headers import HEADER_SIZES
from backpack.core.sharing import find_runs, is_similar
from backpack.errors import CorruptionError
from backpack.integrations.langgraph.records import Typed, Value
from backpack.integrations.langgraph.strand import Fetch, Strand
from backpack.limits import KIB

INLINE_MAX: Final = 64
"""Values up to this size stand in the record."""

PARTS_MAX: Final = 64
"""Parts of one value, two numbers counted as one."""

FAR_SIZE_MIN: Final = 16 * KIB
"""What is added from this size on stands under a key of its own: it is read when somebody wants it, and once."""

_LITERAL_MAX: Final = 32
_EDIT_SIZE_MIN: Final = 1024
_UNLIKE_MAX: Final = 4
"""Values that differ in size by more than this factor are not compared for edits."""

_MISSES_MAX: Final = 6
_FIXED: Final = {0xD4: 2, 0xD5: 2, 0xD6: 2, 0xD7: 2, 0xD8: 2, 0xC7: 3, 0xC8: 4, 0xC9: 6}
"""By the first byte of an extension type: the size of its header."""

_MAP: Final = 0x80
_LONG: Final = re.compile(rb"[\xda\xdb\xc5\xc6]")
_AROUND_MAX: Final = 512
"""Bytes before a long text, and behind it, that stand in the value itself."""

Part = bytes | tuple[int, int]


class Misses:
    """How often the search for edits has failed in a channel, and how many values it leaves alone now."""

    __slots__ = ("count", "skip")

    def __init__(self) -> None:
        self.count = 0
        self.skip = 0

    def may_try(self) -> bool:
        if self.skip:
            self.skip -= 1
            return False
        return True

    def note(self, has_found: bool) -> None:
        self.count = 0 if has_found else min(self.count + 1, _MISSES_MAX)
        self.skip = (1 << self.count) - 1


def parts_of(value: Value) -> list[Part]:
    """The parts of a value: bytes, or from where up to where in its strand."""
    parts: list[Part] = []
    start = None
    for part in value[1:]:
        if type(part) is bytes:
            parts.append(part)
        elif start is None:
            start = part
        else:
            parts.append((start, part))
            start = None
    return parts


def size_of(value: Value) -> int:
    """How many bytes the value has."""
    if len(value) == 4 and type(value[1]) is bytes and type(value[2]) is int:
        return len(value[1]) + value[3] - value[2]  # type: ignore[no-any-return]
    return sum(len(part) if type(part) is bytes else part[1] - part[0] for part in parts_of(value))


def joined(value: Value, strand: Strand | None, fetch: Fetch) -> bytes:
    """The bytes of a value. Cost: one copy of them."""
    if len(value) == 2:
        return bytes(value[1])
    pieces: list[bytes | memoryview] = []
    for part in parts_of(value):
        if type(part) is bytes:
            pieces.append(part)
        elif strand is None:
            raise CorruptionError("a stored checkpoint refers to bytes of a channel that has none")
        else:
            pieces += strand.slices(part[0], part[1], fetch)
    return b"".join(pieces)


def share(
    typed: Typed,
    old: Value | None,
    near: Sequence[Value],
    strand: Strand,
    ahead: int,
    fetch: Fetch,
    misses: Misses,
) -> tuple[Value, bytes]:
    """The value, and what is to be added to the strand for it.

    `old`: what the channel had before. `near`: the pending writes to it, in the order in which they are applied.
    `ahead`: how many bytes are to be added to the strand already.
    """
    kind, data = typed
    if len(data) <= INLINE_MAX:
        return [kind, data], b""
    if old is not None and (old[0] != kind or _is_unlike(data, old)):
        old = None
    if old is not None:
        value = _appended(kind, data, old, near, strand)
        if value is not None:
            return value, b""
    elif not near:
        return _new(kind, data, strand.size + ahead)
    builder = _Builder(strand.size + ahead)
    at = 0
    if old is not None:
        at = _grown(data, old, strand, fetch, builder)
        if not at and _may_be_edited(data, old) and misses.may_try():
            at = _edited(data, old, strand, fetch, builder)
            misses.note(bool(at))
    is_known = at > 0
    if not is_known:
        at = head_size(data)
        builder.literal(data[:at])
    for write in near:
        if at == len(data):
            break
        stop = _written(data, at, write, strand, fetch, builder)
        is_known = is_known or stop > at
        at = stop
    if not is_known:
        return _new(kind, data, builder.begin)
    builder.add(data[at:])
    if len(builder.parts) > PARTS_MAX:
        builder.merge(data)
    return [kind, *builder.flat()], bytes(builder.added)


def head_size(data: bytes) -> int:
    """What of a value changes when it gets longer: the header of a list, a text or bytes, and what is around it."""
    first = data[0]
    size = HEADER_SIZES[first]
    if size:
        return size
    around = _FIXED.get(first, 0)
    return around + HEADER_SIZES[data[around]] if 0 < around < len(data) else 0


def _is_unlike(data: bytes, old: Value) -> bool:
    """Is it neither longer than the old value nor like it in size?"""
    return len(data) < size_of(old) and not _may_be_edited(data, old)


def _new(kind: str, data: bytes, begin: int) -> tuple[Value, bytes]:
    """A value that has nothing of another; `begin`: where in the strand it is added."""
    start, stop = _long_run(data) or (head_size(data), len(data))
    size = stop - start
    if size <= _LITERAL_MAX:
        return [kind, data], b""
    value: Value = [kind, data[:start], begin, begin + size] if start else [kind, begin, begin + size]
    if stop < len(data):
        value.append(data[stop:])
    return value, data[start:stop]


def _long_run(data: bytes) -> tuple[int, int] | None:
    """Where the one long text of a mapping stands that has little else: a document and what came in with it.

    What is added is then that text alone, in the very bytes that its own channel adds, and the store keeps equal bytes
    once. Where this finds what is none, nothing is lost but that.
    """
    if len(data) < FAR_SIZE_MIN or data[0] & 0xF0 != _MAP:
        return None
    for match in _LONG.finditer(data, 0, _AROUND_MAX):
        at = match.start()
        start = at + HEADER_SIZES[data[at]]
        stop = start + int.from_bytes(data[at + 1 : start])
        if len(data) - _AROUND_MAX <= stop <= len(data):
            return start, stop
    return None


def _appended(kind: str, data: bytes, old: Value, near: Sequence[Value], strand: Strand) -> Value | None:
    """What most steps are: one run of the strand under a header, longer by the writes that follow it there."""
    if not _is_one_run(old):
        return None
    start, stop = old[2:]
    for write in near:
        if not _is_one_run(write) or write[2] != stop:
            return None
        stop = write[3]
    head = head_size(data)
    if not head or head + stop - start != len(data) or not strand.stands_in(data, head, start, stop):
        return None
    return [kind, data[:head], start, stop]


def _is_one_run(value: Value) -> bool:
    """Is it a header and one slice of the strand?"""
    if len(value) != 4 or type(value[2]) is not int:
        return False
    head = value[1]
    return type(head) is bytes and len(head) > 0 and head_size(head) == len(head)


def _grown(data: bytes, old: Value, strand: Strand, fetch: Fetch, builder: "_Builder") -> int:
    """Up to where `data` is the old value under another header; 0 when it is not."""
    if len(data) < size_of(old):
        return 0
    parts = parts_of(old)
    at = head_size(data)
    body = parts
    if type(parts[0]) is bytes:
        old_head = head_size(parts[0]) if parts[0] else 0
        if old_head > len(parts[0]):
            return 0
        body = [parts[0][old_head:], *parts[1:]] if len(parts[0]) > old_head else parts[1:]
    stop = _match(data, at, body, strand, fetch)
    if stop < 0:
        return 0
    builder.literal(data[:at])
    for part in body:
        builder.part(part)
    return stop


def _written(data: bytes, at: int, write: Value, strand: Strand, fetch: Fetch, builder: "_Builder") -> int:
    """Up to where `data` goes on with the bytes of a write, or of the list that it is."""
    parts = parts_of(write)
    if not parts:
        return at
    bodies = [parts]
    if type(parts[0]) is bytes:
        head = head_size(parts[0])
        if head and head == len(parts[0]):
            bodies.insert(0, parts[1:])
    for body in bodies:
        stop = _match(data, at, body, strand, fetch)
        if stop > at:
            for part in body:
                builder.part(part)
            return stop
    return at


def _match(data: bytes, at: int, parts: Sequence[Part], strand: Strand, fetch: Fetch) -> int:
    """Where these parts end if they stand in `data` at `at`; -1 if they don't."""
    for part in parts:
        if type(part) is bytes:
            if not data.startswith(part, at):
                return -1
            at += len(part)
            continue
        for view in strand.slices(part[0], part[1], fetch):
            if not data.startswith(view, at):
                return -1
            at += len(view)
    return at


def _may_be_edited(data: bytes, old: Value) -> bool:
    size = size_of(old)
    if min(len(data), size) < _EDIT_SIZE_MIN:
        return False
    return len(data) <= _UNLIKE_MAX * size and size <= _UNLIKE_MAX * len(data)


def _edited(data: bytes, old: Value, strand: Strand, fetch: Fetch, builder: "_Builder") -> int:
    """All of `data` as runs of the old value and what is between them; 0 when that is less than half."""
    before = joined(old, strand, fetch)
    if not is_similar(before, data):
        return 0
    runs = find_runs(before, data)
    if 2 * sum(size for _, _, size in runs) < len(data):
        return 0
    parts = parts_of(old)
    at = 0
    for start_old, start_new, size in runs:
        builder.add(data[at:start_new])
        builder.run(parts, start_old, start_old + size)
        at = start_new + size
    builder.add(data[at:])
    return len(data)


class _Builder:
    """Collects parts, joining neighbours, and what is added to the strand for them."""

    __slots__ = ("added", "begin", "parts")

    def __init__(self, begin: int) -> None:
        self.begin = begin
        """Where in the strand that is added begins."""
        self.added = bytearray()
        self.parts: list[Part] = []

    def literal(self, data: bytes) -> None:
        """Bytes that stand in the value itself."""
        if data:
            last = self.parts[-1] if self.parts else None
            if type(last) is bytes:
                self.parts[-1] = last + data
            else:
                self.parts.append(data)

    def part(self, part: Part) -> None:
        """What another value has."""
        if type(part) is bytes:
            self.literal(part)
            return
        start, stop = part
        last = self.parts[-1] if self.parts else None
        if type(last) is tuple and last[1] == start:
            self.parts[-1] = (last[0], stop)
        else:
            self.parts.append(part)

    def add(self, data: bytes) -> None:
        """New bytes: long ones go to the end of the strand, where later values can share them."""
        if not data:
            return
        begin = self.begin + len(self.added)
        last = self.parts[-1] if self.parts else None
        if len(data) <= _LITERAL_MAX and not (type(last) is tuple and last[1] == begin):
            self.literal(data)
            return
        self.added += data
        self.part((begin, begin + len(data)))

    def run(self, parts: Sequence[Part], start: int, stop: int) -> None:
        """The bytes from `start` up to `stop` of a value with these parts."""
        offset = 0
        for part in parts:
            size = len(part) if type(part) is bytes else part[1] - part[0]
            first, last = max(start - offset, 0), min(stop - offset, size)
            if first < last:
                if type(part) is bytes:
                    self.literal(part[first:last])
                else:
                    self.part((part[0] + first, part[0] + last))
            offset += size
            if offset >= stop:
                return

    def merge(self, data: bytes) -> None:
        """Write the parts from one on anew as one: the first that is not longer than all behind it together."""
        size = 0
        index = len(self.parts)
        while index > 1:
            part = self.parts[index - 1]
            here = len(part) if type(part) is bytes else part[1] - part[0]
            if here > size and len(self.parts) - index >= PARTS_MAX // 2:
                break
            size += here
            index -= 1
        del self.parts[index:]
        begin = self.begin + len(self.added)
        self.added += data[len(data) - size :]
        self.parts.append((begin, begin + size))

    def flat(self) -> list[bytes | int]:
        """The parts as a record has them."""
        flat: list[bytes | int] = []
        for part in self.parts:
            if type(part) is bytes:
                flat.append(part)
            else:
                flat += part
        return flat
