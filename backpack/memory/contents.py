"""Contents to be read: found by digest, sliced by bytes, lines and chunks.

A content of one record is decoded as a whole, once, and kept for a while. Of a long one a slice reads what it touches.
"""

from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate

from backpack.blobs.newlines import after_newline
from backpack.codec import unpack_value
from backpack.errors import KeyNotFoundError, NotTextError
from backpack.memory.content import PART_SIZE, Content, content_of, damaged_content, raw_of
from backpack.memory.hot import Hot
from backpack.memory.keys import Keys
from backpack.memory.rendering import text_of_value
from backpack.memory.values import Values


class View:
    """The bytes of one content as `fetch` sees them."""

    __slots__ = ("_keys", "_last", "_line_starts", "_starts", "_values", "_whole", "content")

    def __init__(self, content: Content, values: Values, keys: Keys, whole: bytes | None) -> None:
        self.content = content
        self._values = values
        self._keys = keys
        self._whole = whole
        self._last: tuple[int, bytes] = (-1, b"")
        """The part in which a line was looked for last: slices of lines are often in one."""
        parts = content.parts
        self._starts = [0] if parts is None else list(accumulate(parts.sizes, initial=0))
        self._line_starts = [0] if parts is None else list(accumulate(parts.newlines, initial=0))

    @property
    def size(self) -> int:
        """Bytes."""
        return self.content.size

    @property
    def weight(self) -> int:
        """Bytes that it takes in memory, about."""
        content = self.content
        own = len(content.data) + 40 * len(content.chunk_sizes) + 1024
        return own + (len(self._whole) if self._whole is not None else PART_SIZE + 300 * len(self._starts))

    def read(self, start: int, length: int) -> bytes:
        """So many bytes from there, fewer only at the end. Cost: what it touches."""
        stop = min(start + length, self.size)
        if self._whole is not None:
            return self._whole[start:stop]
        found = []
        while start < stop:
            index = bisect_right(self._starts, start) - 1
            end = min(stop, self._starts[index + 1])
            found.append(self._part(index, start - self._starts[index], end - start))
            start = end
        return found[0] if len(found) == 1 else b"".join(found)

    def line_start(self, number: int) -> int:
        """Where the line begins that has so many lines before it; the size past the end. Cost: a part or less."""
        if number <= 0:
            return 0
        if self._whole is not None:
            found = after_newline(self._whole, number)
            return self.size if found is None else found
        if number > self._line_starts[-1]:
            return self.size
        index = bisect_right(self._line_starts, number - 1) - 1
        size = self._starts[index + 1] - self._starts[index]
        last = self._last
        if last[0] != index:
            last = self._last = (index, self._part(index, 0, size))
        offset = after_newline(last[1], number - self._line_starts[index])
        if offset is None:
            raise damaged_content(self.content.digest)
        return self._starts[index] + offset

    def line_number(self, offset: int) -> int:
        """Which line a byte stands in, counted from 1. Cost: a part or less."""
        if self._whole is not None:
            return self._whole.count(b"\n", 0, offset) + 1
        index = max(bisect_right(self._starts, min(offset, self.size - 1)) - 1, 0)
        last = self._last
        if last[0] != index:
            last = self._last = (index, self._part(index, 0, self._starts[index + 1] - self._starts[index]))
        return self._line_starts[index] + last[1].count(b"\n", 0, offset - self._starts[index]) + 1

    def _part(self, index: int, start: int, length: int) -> bytes:
        parts = self.content.parts
        assert parts is not None
        last = self._last
        if index == last[0]:
            return last[1][start : start + length]
        data = b""
        with suppress(KeyNotFoundError, NotTextError):
            data = self._values.read_bytes(self._keys.parts + parts.digests[index], start, length)
        if len(data) != length:
            raise damaged_content(self.content.digest)
        return data


class Contents:
    """All contents of a memory."""

    __slots__ = ("_hot", "_keys", "_stamp", "_values")

    def __init__(self, values: Values, keys: Keys, hot: Hot[tuple[View, int]], stamp: Callable[[str], int]) -> None:
        """`stamp`: a number that is another one when the value at a key is, -1 when there is none. Asked before what is
        kept of a content is given."""
        self._values = values
        self._keys = keys
        self._hot = hot
        self._stamp = stamp

    def find(self, digest: str) -> Content | None:
        """The content of that digest; None when there is none. `CorruptionError`."""
        kept = self._kept(digest)
        if kept is not None:
            return kept.content
        record = self._values.get(self._keys.content + digest)
        return None if record is None else content_of(digest, record)

    def view(self, digest: str) -> View:
        """To read it. `CorruptionError` when it isn't there or isn't whole."""
        kept = self._kept(digest)
        if kept is not None:
            return kept
        content = self.find(digest)
        if content is None:
            raise damaged_content(digest)
        return self.keep(content, None if content.parts is not None else self._whole(content))

    def keep(self, content: Content, whole: bytes | None) -> View:
        """Have a content at hand for a while. `whole`: its view, of one that is no parts."""
        view = View(content, self._values, self._keys, whole)
        self._hot.put(content.digest, (view, self._stamp(self._keys.content + content.digest)), view.weight)
        return view

    def drop(self, digest: str) -> None:
        """It is going: keep nothing of it."""
        self._hot.drop(digest)

    def _kept(self, digest: str) -> View | None:
        kept = self._hot.get(digest)
        if kept is None:
            return None
        stamp = self._stamp(self._keys.content + digest)
        if stamp >= 0 and stamp == kept[1]:
            return kept[0]
        self._hot.drop(digest)
        return None

    def value(self, digest: str) -> object:
        """The value that was logged: a str, bytes, or whatever it was."""
        view = self.view(digest)
        if view.content.kind == "value":
            return _unpacked(view.content, self._raw(view.content))
        data = view.read(0, view.size)
        return data.decode("utf-8", "surrogatepass") if view.content.kind == "text" else data

    def _whole(self, content: Content) -> bytes:
        raw = self._raw(content)
        if content.kind != "value":
            return raw
        view = text_of_value(_unpacked(content, raw)).encode("utf-8", "surrogatepass")
        if len(view) != content.size:
            raise damaged_content(content.digest)
        return view

    def _raw(self, content: Content) -> bytes:
        if content.parts is None:
            return raw_of(content)
        return b"".join(
            self._values.read_bytes(self._keys.parts + digest, 0, size)
            for digest, size in zip(content.parts.digests, content.parts.sizes, strict=True)
        )


def _unpacked(content: Content, raw: bytes) -> object:
    value: object = unpack_value(raw)
    return value
