"""The forms in which the bytes of a value stand in memory.

A value is packed once and its bytes never change. They stand in one of three forms:

`bytes`
    the payload itself; what almost every value is.
`Pieces`
    a payload made of slices of others: `own` (a few bytes of its own) and slices of `sources`. A list that grows is
    a new header and one slice of a `Buffer` that all its versions share; an edit in a long text is two slices of
    the old text and the edit between them. Slices always point into sources, never at another `Pieces`, so reading
    is one join whatever came before: there are no chains of deltas.
`LargeRef`
    what history keeps of a large value: its size and *weak* links to its sources. It can be read for as long as
    something else (the present value, a snapshot, a fork) keeps the sources alive.

Cuts are flat triples `(source, start, stop)` in one array: 12 bytes a slice, and source 0 is `own`. The last slice goes
on to the end of the payload whatever its `stop`, so that all versions of a list that grows share one array.
"""

from array import array
from typing import Final
from weakref import ref

from backpack.core.headers import HEADER_SIZES

LARGE_REF_SIZE: Final = 64
"""Bytes that a large value counts for in history: its reference."""

CUTS_MAX: Final = 64
"""Slices of one `Pieces`: the bound on the work of a read. A payload that needs more is kept whole."""


class Buffer:
    """Bytes that several payloads share; the newest of them may still make it longer.

    `is_sealed` ends the growth for good: two stores share the bytes from here on. A buffer grows for large values
    (`is_large`) or for others, never for both: history keeps the bytes of small values and not those of large ones.
    """

    __slots__ = ("__weakref__", "data", "is_large", "is_sealed")

    def __init__(self, data: bytes | bytearray, *, is_sealed: bool = False, is_large: bool = False) -> None:
        self.data = data
        self.is_sealed = is_sealed
        self.is_large = is_large

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return len(self.data)

    def part(self, start: int, stop: int) -> bytes | bytearray:
        """Some of them, as one atomic copy: the buffer may be growing in another thread."""
        return self.data[start:stop]

    def extend(self, more: bytes) -> bool:
        """Append in place; False when that can't be done and the caller needs a new buffer."""
        if self.is_sealed:
            return False
        data = self.data
        if type(data) is not bytearray:
            return False
        try:
            data += more
        except BufferError:  # someone is reading this very moment, in another thread
            return False
        return True

    def cut(self, size: int) -> None:
        """Take back an extension. If a reader is in the way, the bytes stay and nothing refers to them."""
        if isinstance(self.data, bytearray):
            try:
                del self.data[size:]
            except BufferError:
                self.is_sealed = True


Source = bytes | Buffer


class Pieces:
    """A payload of `size` bytes, joined from slices of `own` and of `sources`."""

    __slots__ = ("cuts", "own", "size", "sources")

    def __init__(self, size: int, own: bytes, sources: tuple[Source, ...], cuts: "array[int]") -> None:
        self.size = size
        self.own = own
        self.sources = sources
        self.cuts = cuts


class LargeRef:
    """The place of a large value in history: its size, and weak links to its bytes."""

    __slots__ = ("__weakref__", "cuts", "is_filed", "links", "own", "size")

    def __init__(self, content: Pieces, links: "Links | None" = None) -> None:
        """`links`: those of a version with the very same sources, to share them."""
        self.size = content.size
        self.own = content.own
        self.cuts = content.cuts
        self.links: Links = links or tuple(ref(source) for source in content.sources if isinstance(source, Buffer))
        self.is_filed = False
        """It is found by its bytes, so several keys may have it."""

    def content(self) -> Pieces | None:
        """The bytes, if anything still keeps all of them; None else."""
        sources = [link() for link in self.links]
        alive = tuple(source for source in sources if source is not None)
        if len(alive) != len(sources):
            return None
        return Pieces(self.size, self.own, alive, self.cuts)


Links = tuple[ref[Buffer], ...]
Form = bytes | Pieces | LargeRef
"""What stands in the history of a key."""

Content = bytes | Pieces
"""What can be read at once."""


def form_size(form: Form) -> int:
    """The packed size of the value, whatever its form."""
    return len(form) if type(form) is bytes else form.size  # type: ignore[union-attr]


def slices_of(content: Content) -> list[tuple[Source, int, int]]:
    """`(source, start, stop)` of each slice in order; those of `own` have the bytes of `own` as their source."""
    if type(content) is bytes:
        return [(content, 0, len(content))]
    assert isinstance(content, Pieces)
    cuts, sources, left = content.cuts, content.sources, content.size
    slices: list[tuple[Source, int, int]] = []
    for at in range(0, len(cuts), 3):
        start, stop = cuts[at + 1], cuts[at + 2]
        if at == len(cuts) - 3:
            stop = start + left
        left -= stop - start
        slices.append((sources[cuts[at] - 1] if cuts[at] else content.own, start, stop))
    return slices


def stop_of(content: Pieces) -> int:
    """Where the last slice ends in its source."""
    cuts = content.cuts
    stop = cuts[-2] + content.size
    for at in range(0, len(cuts) - 3, 3):
        stop -= cuts[at + 2] - cuts[at + 1]
    return stop


def join(content: Content) -> bytes:
    """The payload in one run of bytes. Cost: one copy of it, and at most `CUTS_MAX` steps."""
    if type(content) is bytes:
        return content
    return b"".join(
        [
            source[start:stop] if type(source) is bytes else source.part(start, stop)  # type: ignore[union-attr]
            for source, start, stop in slices_of(content)
        ]
    )


def head_of(content: Content, count: int = 5) -> bytes:
    """The first bytes of a payload, without joining it: enough to read the header of a list or a text."""
    if type(content) is bytes:
        return content[:count]
    assert isinstance(content, Pieces)
    cuts = content.cuts
    if not cuts[0] and not cuts[1] and cuts[2] >= min(count, HEADER_SIZES[content.own[0]] or count):
        return content.own[: cuts[2]][:count]  # the header stands by itself in front
    head = bytearray()
    for source, start, stop in slices_of(content):
        stop = min(stop, start + count - len(head))
        head += source.part(start, stop) if isinstance(source, Buffer) else source[start:stop]
        if len(head) >= count:
            break
    return bytes(head)


def as_content(payload: bytes) -> Pieces:
    """A large payload as content whose one source can be linked weakly."""
    return Pieces(len(payload), b"", (Buffer(payload, is_sealed=True),), make_cuts([1, 0, len(payload)]))


def make_cuts(flat: list[int]) -> "array[int]":
    """Cuts in the narrowest array that holds them."""
    return array("I" if max(flat, default=0) < 2**32 else "Q", flat)
