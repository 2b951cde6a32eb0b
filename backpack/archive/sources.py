"""Where the bytes of a log's sources stand in its frames.

A source is made by one frame, and later ones may make it longer: so it consists of pieces, each in the body of one
frame. Memory: 24 bytes a source, and a tuple for each piece that made one longer.
"""

from array import array
from collections.abc import Container, Iterable, Mapping

from backpack.archive.frames import Added

Piece = tuple[int, int, int, int]
"""`(offset in the source, offset of the frame, start in its body, size)`."""


class Sources:
    """The sources of one log, by number."""

    __slots__ = ("_frames", "_grown", "_sizes", "_starts")

    def __init__(self) -> None:
        self._frames: array[int] = array("Q")
        """The offset of the frame that made each; 0 where that is lost: a log begins with its head."""
        self._starts: array[int] = array("Q")
        self._sizes: array[int] = array("Q")
        self._grown: dict[int, list[Piece]] = {}

    def add(self, frame: int, start: int, size: int) -> None:
        """The next source: so many bytes, at `start` in the body of that frame."""
        self._frames.append(frame)
        self._starts.append(start)
        self._sizes.append(size)

    def add_all(self, frames: Iterable[int], starts: Iterable[int], sizes: Iterable[int]) -> None:
        """The next sources, likewise."""
        self._frames.extend(frames)
        self._starts.extend(starts)
        self._sizes.extend(sizes)

    def lose(self) -> None:
        """The next source, of which nothing is there."""
        self.add(0, 0, 0)

    def extend(self, added: Iterable[Added], frame: int) -> None:
        """The bytes that a frame adds: of new sources, in order, and of some that are there."""
        for number, offset, start, size in added:
            if number == len(self._frames):
                self.add(frame, start, size)
            else:
                self._grown.setdefault(number, []).append((offset, frame, start, size))

    def fit(self, added: Iterable[Added], next_source: int) -> bool:
        """Does what a frame adds begin where the sources before that number end?"""
        sizes: dict[int, int] = {}
        for number, offset, _, size in added:
            if number < next_source and offset != sizes.get(number, self.size_of(number)):
                return False
            sizes[number] = offset + size
        return True

    def size_of(self, number: int) -> int:
        """Bytes of a source, lost ones between them included."""
        grown = self._grown.get(number)
        return grown[-1][0] + grown[-1][3] if grown else self._sizes[number]

    def pieces_of(self, number: int) -> list[Piece]:
        """The pieces of a source that are there, in order."""
        first = (0, self._frames[number], self._starts[number], self._sizes[number])
        return [*([first] if first[1] else []), *self._grown.get(number, ())]

    def chunks_of(
        self, number: int, bodies: Mapping[int, bytes], wholes: Mapping[int, bytes]
    ) -> list[bytes | memoryview]:
        """The bytes of a source, in the parts in which they were written: of bodies by the offsets of their frames, or
        of what was one payload by its number."""
        whole = wholes.get(number)
        first = [] if whole is None else [whole]
        pieces = self.pieces_of(number)[len(first) :]
        return [*first, *[memoryview(bodies[frame])[start : start + size] for _, frame, start, size in pieces]]

    def sizes(self) -> list[int]:
        """Bytes of each source, as `size_of` says them."""
        sizes = self._sizes.tolist()
        for number in self._grown:
            sizes[number] = self.size_of(number)
        return sizes

    @property
    def grown(self) -> Container[int]:
        """The sources that have more than one piece."""
        return self._grown

    def copied(self) -> "Sources":
        """The same, to go on with."""
        copy = Sources()
        copy._frames, copy._starts, copy._sizes = self._frames[:], self._starts[:], self._sizes[:]
        copy._grown = {number: pieces[:] for number, pieces in self._grown.items()}
        return copy
