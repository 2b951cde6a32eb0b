"""The bytes of one channel, one after another as they came: what values are cut from.

A strand only grows. Short pieces run on in one buffer in memory; a long one (a document) is *far*: it stays under a key
of its own, and is fetched when somebody reads it.
"""

from bisect import bisect_right
from collections.abc import Callable
from typing import Final

from backpack.errors import CorruptionError

Fetch = Callable[[int], bytes]
"""The far bytes of a number."""


class Far:
    """Bytes that stand under a key of their own."""

    __slots__ = ("number", "size")

    def __init__(self, number: int, size: int) -> None:
        self.number = number
        self.size = size


class Strand:
    """Add at the end, read anywhere. Not thread-safe."""

    __slots__ = ("_parts", "_starts", "size")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._parts: list[bytearray | Far] = []
        self.size = 0

    def add(self, piece: bytes) -> None:
        """The next bytes. Cost: theirs."""
        last = self._parts[-1] if self._parts else None
        if type(last) is bytearray:
            last += piece
        else:
            self._starts.append(self.size)
            self._parts.append(bytearray(piece))
        self.size += len(piece)

    def add_far(self, number: int, size: int) -> None:
        """The next bytes, which stand elsewhere."""
        self._starts.append(self.size)
        self._parts.append(Far(number, size))
        self.size += size

    def slices(self, start: int, stop: int, fetch: Fetch) -> list[memoryview]:
        """Views of the bytes from `start` up to `stop`, in order. Let go of them before the strand grows.

        `CorruptionError` when there are no such bytes.
        """
        if not 0 <= start <= stop <= self.size:
            raise CorruptionError(
                f"a stored checkpoint refers to bytes that are not there: start={start} stop={stop} size={self.size}"
            )
        if start == stop:
            return _NOTHING
        index = bisect_right(self._starts, start) - 1
        views = []
        while start < stop:
            begin, part = self._starts[index], self._parts[index]
            if isinstance(part, Far):
                data: bytes | bytearray = fetch(part.number)
                if len(data) != part.size:
                    raise CorruptionError(f"stored bytes have another size: number={part.number} size={len(data)}")
            else:
                data = part
            end = min(stop, begin + len(data))
            views.append(memoryview(data)[start - begin : end - begin])
            start = end
            index += 1
        return views

    def stands_in(self, data: bytes, at: int, start: int, stop: int) -> bool:
        """Stand the bytes from `start` up to `stop` in `data` at `at`? Only for near ones at the end; else it is False.

        Cost: one comparison of memory.
        """
        if not self._parts:
            return False
        begin, last = self._starts[-1], self._parts[-1]
        if not begin <= start <= stop <= self.size or type(last) is not bytearray:
            return False
        with memoryview(last) as view, view[start - begin : stop - begin] as part:
            return data.startswith(part, at)

    def part(self, start: int, stop: int, fetch: Fetch) -> bytes:
        """A copy of the bytes from `start` up to `stop`."""
        return b"".join(self.slices(start, stop, fetch))


_NOTHING: Final[list[memoryview]] = []
