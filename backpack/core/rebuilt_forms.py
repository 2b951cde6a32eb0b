"""Payloads, buffers and composites made of fields and data, each slice proved to lie within its source.

Cost: O(data + composites). No value is joined: versions that share a layout share its sources, cuts and weak links, as
they did in the engine that was described.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate

from backpack.core.fields import LOST, PIECES, Given, require
from backpack.core.payload import CUTS_MAX, Buffer, LargeRef, Links, Pieces, Source, make_cuts
from backpack.errors import CorruptionError


class Forms:
    """What entries refer to by number."""

    __slots__ = ("composites", "contents", "payloads")

    def __init__(self, payloads: list[bytes]) -> None:
        self.payloads = payloads
        self.composites: list[Pieces | LargeRef] = []
        self.contents: dict[int, Pieces] = {}
        """The bytes of the large values within reach, by the identity of the reference."""


def read_forms(given: Given, data: Iterable[bytes]) -> Forms:
    """`data` may be cut anywhere; it has to be as long as the payloads and buffers together."""
    payload_sizes = given.column("payload_sizes", "q", start=1)
    buffer_sizes = given.column("buffer_sizes", "q")
    sealed = given.raw("buffer_is_sealed", len(buffer_sizes), 2)
    parts = _parts(data, [*payload_sizes, *buffer_sizes])
    forms = Forms([next(parts) for _ in payload_sizes])
    buffers: list[Source] = []
    for is_sealed in sealed:
        part = next(parts)
        buffers.append(Buffer(part if is_sealed else bytearray(part), is_sealed=bool(is_sealed)))
    _read_composites(given, forms, _read_layouts(given, forms.payloads, buffers))
    return forms


class _Layout:
    """Sources and cuts that several forms share, and what they want of the size and the own bytes of a form."""

    __slots__ = ("before", "cuts", "last_start", "last_stop_max", "links", "own_size_min", "sources")

    def __init__(self, sources: tuple[Source, ...], flat: "array[int]") -> None:
        require(len(sources) <= CUTS_MAX and 0 < len(flat) <= 3 * CUTS_MAX, "a layout is empty or too long")
        self.sources = sources
        self.cuts = make_cuts(flat.tolist())
        self.links: Links | None = None
        self.before = self.own_size_min = 0
        sizes = [len(source.data) if isinstance(source, Buffer) else len(source) for source in sources]
        for at in range(0, len(flat) - 3, 3):
            number, start, stop = flat[at : at + 3]
            require(0 <= number <= len(sizes) and 0 <= start < stop, "a cut of a layout is none")
            if number:
                require(stop <= sizes[number - 1], "a cut reaches beyond its source")
            else:
                self.own_size_min = max(self.own_size_min, stop)
            self.before += stop - start
        number, self.last_start, stop = flat[-3:]
        require(0 <= number <= len(sizes) and 0 <= self.last_start < stop, "a cut of a layout is none")
        self.last_stop_max = sizes[number - 1] if number else None
        """How far the last slice may reach; None: to the end of what is the form's own."""

    def content(self, size: int, own: bytes) -> Pieces:
        stop = self.last_start + size - self.before
        stop_max = len(own) if self.last_stop_max is None else self.last_stop_max
        require(self.last_start < stop <= stop_max and self.own_size_min <= len(own), "a value misses bytes")
        return Pieces(size, own, self.sources, self.cuts)


def _read_layouts(given: Given, payloads: list[bytes], buffers: list[Source]) -> list[_Layout]:
    source_counts = given.column("layout_source_counts", "q", stop=CUTS_MAX + 1)
    sources = given.column("layout_sources", "I", sum(source_counts))
    cut_counts = given.column("layout_cut_counts", "q", len(source_counts), stop=CUTS_MAX + 1)
    cuts = given.column("layout_cuts", "q", 3 * sum(cut_counts))
    layouts = []
    source_at = cut_at = 0
    for source_count, cut_count in zip(source_counts, cut_counts, strict=True):
        numbers = sources[source_at : source_at + source_count]
        found = tuple([(buffers if number & 1 else payloads)[number >> 1] for number in numbers])
        layouts.append(_Layout(found, cuts[cut_at : cut_at + 3 * cut_count]))
        source_at += source_count
        cut_at += 3 * cut_count
    return layouts


def _read_composites(given: Given, forms: Forms, layouts: list[_Layout]) -> None:
    kinds = given.raw("composite_kinds", stop=3)
    sizes = given.column("composite_sizes", "q", len(kinds), start=1)
    places = given.column("composite_layouts", "I", len(kinds))
    own_sizes = given.column("own_sizes", "q", len(kinds))
    own = given.raw("own", sum(own_sizes))
    lost = Pieces(1, b"", (Buffer(b""),), make_cuts([1, 0, 1]))
    lost_links = LargeRef(lost).links
    own_stops = accumulate(own_sizes)
    for kind, size, place, own_size, own_stop in zip(kinds, sizes, places, own_sizes, own_stops, strict=True):
        if kind == LOST:
            form = LargeRef(lost, lost_links)
            form.size = size
            forms.composites.append(form)
            continue
        layout = layouts[place]
        content = layout.content(size, own[own_stop - own_size : own_stop])
        if kind == PIECES:
            forms.composites.append(content)
            continue
        require(all(isinstance(source, Buffer) for source in content.sources), "a large value is cut from others")
        form = LargeRef(content, layout.links)
        layout.links = form.links
        forms.contents[id(form)] = content
        forms.composites.append(form)


def _parts(data: Iterable[bytes], sizes: list[int]) -> Iterator[bytes]:
    """The data cut into these sizes, however it is cut now."""
    chunks = list(data)
    starts = [0, *accumulate(map(len, chunks))]
    if any(type(chunk) is not bytes for chunk in chunks) or sum(sizes) != starts[-1]:
        raise CorruptionError("the data does not have the size it should have")
    position = 0
    for size in sizes:
        stop = position + size
        index = bisect_right(starts, position, 0, len(chunks)) - 1
        if not size:
            yield b""
        elif stop <= starts[index + 1]:
            yield chunks[index][position - starts[index] : stop - starts[index]]
        else:
            pieces = []
            while position < stop:
                piece = chunks[index][position - starts[index] : stop - starts[index]]
                pieces.append(piece)
                position += len(piece)
                index += 1
            yield b"".join(pieces)
        position = stop
