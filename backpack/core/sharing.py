"""Which parts of a new payload the previous version of the key already has.

Two shapes are looked for, cheapest first:

growth  The old body is a prefix of the new one: a list or a text that got longer. One comparison (25 GB/s); what was
        appended goes to the end of the buffer that all versions share.
edits   Long runs that stand in both. The common prefix and suffix are found by galloping comparisons; in what remains
        between them, probes of 32 bytes are searched for and every find is grown both ways (the greedy matching of
        delta compressors, such as Hunt, Vo and Tichy, 1998, without their hash tables: `bytes.find` is faster than
        anything written in Python).

A payload is shared only where that pays: at least half of it is found, with few slices, and its sources are not much
longer than itself, so that a short value never keeps a long dead one in memory. Looking for edits costs up to some
100 us for a long value, so a key where it fails is left alone for twice as many packs each time.
"""

from typing import Final

from backpack.core.chain import Chain, Tip
from backpack.core.headers import FAMILIES, HEADER_SIZES, LIST, array_count, header_size
from backpack.core.payload import (
    CUTS_MAX,
    Buffer,
    Content,
    Pieces,
    Source,
    head_of,
    join,
    make_cuts,
    slices_of,
    stop_of,
)

GROWTH_SIZE_MIN: Final = 32
"""Below this the bookkeeping of sharing is larger than what it saves."""

EDIT_SIZE_MIN: Final = 1024
OWN_SIZE_MAX: Final = 2048
"""Bytes that a version may have of its own before it is cheaper to start from a whole payload again."""

_LITERAL_INLINE_MAX: Final = 64
_PROBE_SIZE: Final = 32
_PROBES_MAX: Final = 24
_MATCH_MIN: Final = 48
_MISSES_MAX: Final = 6
_SAMPLES: Final = 8

Match = tuple[int, int, int]
"""`(start in old, start in new, size)`."""

Undo = list[tuple[Buffer, int]]
"""Buffers that were made longer, and how long they were."""


def undo_growth(undo: Undo) -> None:
    """Take back what was appended to shared buffers for a version that was refused in the end."""
    for buffer, size in reversed(undo):
        buffer.cut(size)


def grown_from(old: Content, payload: bytes) -> int:
    """Where in `payload` the appended part begins, if it is `old` made longer; 0 if it is not."""
    old_size = len(old) if type(old) is bytes else old.size  # type: ignore[union-attr]
    if len(payload) < old_size or old_size < GROWTH_SIZE_MIN:
        return 0
    first = head_of(old)[0]
    if not FAMILIES[first] or FAMILIES[first] != FAMILIES[payload[0]]:
        return 0
    old_header, new_header = HEADER_SIZES[first], HEADER_SIZES[payload[0]]
    stop = new_header + old_size - old_header
    if stop > len(payload):
        return 0
    position, skipped = new_header, 0
    for source, start, end in slices_of(old):
        skip = min(old_header - skipped, end - start)
        skipped += skip
        start += skip
        if start < end:
            data = source.data if isinstance(source, Buffer) else source
            with memoryview(data) as view, view[start:end] as part:
                if not payload.startswith(part, position):
                    return 0
            position += end - start
    return stop


def grow(old: Content, header: bytes, appended: bytes, undo: Undo, *, is_large: bool) -> Pieces:
    """The old body under a new header, with `appended` at its end. Cost: that of `appended`."""
    if isinstance(old, Pieces):
        tip = tip_of(old)
        is_open = tip is not None and tip.header_size == len(header) and tip.buffer.is_large == is_large
        if tip is not None and is_open and tip.buffer.extend(appended):
            undo.append((tip.buffer, tip.stop))
            return Pieces(old.size + len(appended), header + old.own[len(header) :], old.sources, old.cuts)
    old_header_size = header_size(head_of(old))
    builder = _Builder(undo, is_large)
    builder.literal(header)
    skipped = 0
    for source, start, stop in slices_of(old):
        skip = min(old_header_size - skipped, stop - start)
        skipped += skip
        builder.slice(source, start + skip, stop, is_own=isinstance(old, Pieces) and source is old.own)
    if appended:
        builder.append(appended)
    return builder.pieces()


def tip_of(pieces: Pieces) -> Tip | None:
    """Where the payload can grow in place: its header stands by itself in front, its last slice ends a buffer."""
    cuts, own = pieces.cuts, pieces.own
    if len(cuts) < 6 or cuts[0] or cuts[1] or not cuts[-3] or cuts[-3] != len(pieces.sources):
        return None
    size = HEADER_SIZES[own[0]]
    buffer = pieces.sources[-1]
    if not size or cuts[2] < size or type(buffer) is not Buffer or buffer.is_sealed:
        return None
    stop = stop_of(pieces)
    if stop != len(buffer.data):
        return None
    count = array_count(own[:size]) if FAMILIES[own[0]] == LIST else -1
    return Tip(pieces, buffer, stop, size, count)


def edit(chain: Chain, old: Content, payload: bytes, undo: Undo, *, is_large: bool) -> Pieces | None:
    """The payload as slices of the old one and literals between them; None when that doesn't pay."""
    if chain.skip:
        chain.skip -= 1
        return None
    old_bytes = join(old)
    pieces = None
    if is_similar(old_bytes, payload):
        pieces = _assemble(old, payload, find_runs(old_bytes, payload), undo, is_large)
        if pieces is None and isinstance(old, Pieces):
            return None  # the slices became too many: this version stands whole, the next may share with it
    if pieces is None:
        chain.misses = min(chain.misses + 1, _MISSES_MAX)
        chain.skip = (1 << chain.misses) - 1
    else:
        chain.misses = 0
    return pieces


def is_worth_sharing(pieces: Pieces) -> bool:
    """Few slices, little of its own, and no sources that are far longer than what they serve."""
    held = sum(source.size if isinstance(source, Buffer) else len(source) for source in pieces.sources)
    return len(pieces.cuts) <= 3 * CUTS_MAX and len(pieces.own) <= OWN_SIZE_MAX and held <= 2 * pieces.size + 4096


# -- finding ---------------------------------------------------------------------------------------------------


def is_similar(old: bytes, new: bytes) -> bool:
    """A cheap guess: do samples at equal distance from the start, or from the end, agree?"""
    if FAMILIES[new[0]] == FAMILIES[old[0]] == LIST:
        return True  # a list whose head was cut is aligned with nothing
    size = min(len(old), len(new)) - 16
    hits = 0
    for sample in range(_SAMPLES):
        at = size * sample // _SAMPLES
        hits += old[at : at + 16] == new[at : at + 16]
        hits += old[-at - 16 : len(old) - at] == new[-at - 16 : len(new) - at]
    return hits >= 2


def _common_prefix(old: bytes, old_at: int, new: bytes, new_at: int, size_max: int) -> int:
    """How many bytes agree from there on: gallop, then bisect."""
    good, step = 0, 64
    with memoryview(new) as view:
        while good < size_max:
            step = min(step, size_max - good)
            if not old.startswith(view[new_at + good : new_at + good + step], old_at + good):
                break
            good += step
            step *= 4
        else:
            return size_max
        low, high = 0, step  # the first difference lies in [good + low, good + high)
        while high - low > 1:
            middle = (low + high) // 2
            if old.startswith(view[new_at + good + low : new_at + good + middle], old_at + good + low):
                low = middle
            else:
                high = middle
        return good + low


def _common_suffix(old: bytes, old_stop: int, new: bytes, new_stop: int, size_max: int) -> int:
    """How many bytes agree backwards from there."""
    good, step = 0, 64
    with memoryview(new) as view:
        while good < size_max:
            step = min(step, size_max - good)
            if not old.endswith(view[new_stop - good - step : new_stop - good], 0, old_stop - good):
                break
            good += step
            step *= 4
        else:
            return size_max
        low, high = 0, step
        while high - low > 1:
            middle = (low + high) // 2
            if old.endswith(view[new_stop - good - middle : new_stop - good - low], 0, old_stop - good - low):
                low = middle
            else:
                high = middle
        return good + low


def find_runs(old: bytes, new: bytes) -> list[Match]:
    """Runs that stand in both, in order and without overlap."""
    prefix = _common_prefix(old, 0, new, 0, min(len(old), len(new)))
    suffix = _common_suffix(old, len(old), new, len(new), min(len(old), len(new)) - prefix)
    matches: list[Match] = [(0, 0, prefix)] if prefix else []
    old_at, new_at = prefix, prefix
    old_stop, new_stop = len(old) - suffix, len(new) - suffix
    probe_at, step, probes = new_at, 1, 0
    while new_stop - probe_at >= _PROBE_SIZE and old_stop - old_at >= _PROBE_SIZE and probes < _PROBES_MAX:
        probes += 1
        found = old.find(new[probe_at : probe_at + _PROBE_SIZE], old_at, old_stop)
        if found < 0:
            probe_at += step
            step *= 2
            continue
        back = _common_suffix(old, found, new, probe_at, min(found - old_at, probe_at - new_at))
        start_old, start_new = found - back, probe_at - back
        size = _common_prefix(old, start_old, new, start_new, min(old_stop - start_old, new_stop - start_new))
        if size >= _MATCH_MIN:
            matches.append((start_old, start_new, size))
            old_at, new_at = start_old + size, start_new + size
            probe_at, step = new_at, 1
        else:
            probe_at += step
            step *= 2
    if suffix:
        matches.append((old_stop, new_stop, suffix))
    return matches


# -- building --------------------------------------------------------------------------------------------------


def _assemble(old: Content, payload: bytes, matches: list[Match], undo: Undo, is_large: bool) -> Pieces | None:
    if sum(size for _, _, size in matches) * 2 < len(payload):
        return None
    builder = _Builder(undo, is_large)
    slices = slices_of(old)
    own = old.own if isinstance(old, Pieces) else None
    position = 0
    offset, index = 0, 0  # of slices[index] in the old payload
    for start_old, start_new, size in matches:
        if start_new > position:
            builder.add(payload[position:start_new])
        stop_old = start_old + size
        while offset + slices[index][2] - slices[index][1] <= start_old:
            offset += slices[index][2] - slices[index][1]
            index += 1
        at = start_old
        while at < stop_old:
            source, start, stop = slices[index]
            first = start + at - offset
            last = min(stop, start + stop_old - offset)
            builder.slice(source, first, last, is_own=source is own)
            at += last - first
            if at < stop_old:
                offset += stop - start
                index += 1
        position = start_new + size
    if position < len(payload):
        builder.add(payload[position:])
    pieces = builder.pieces()
    if is_worth_sharing(pieces):
        return pieces
    undo_growth(undo)
    undo.clear()
    return None


class _Builder:
    """Collects slices and literals into `Pieces`, joining neighbours."""

    def __init__(self, undo: Undo, is_large: bool) -> None:
        self.undo = undo
        self.is_large = is_large
        self.own = bytearray()
        self.sources: list[Source] = []
        self.flat: list[int] = []
        self.size = 0

    def literal(self, part: bytes) -> None:
        """Bytes that only this version has."""
        self._cut(0, len(self.own), len(self.own) + len(part))
        self.own += part

    def add(self, part: bytes) -> None:
        """New bytes between slices: short ones stand in `own`, long ones where later versions can share them."""
        if self._extend_last(part):
            return
        if len(part) <= _LITERAL_INLINE_MAX:
            self.literal(part)
        else:
            self.slice(Buffer(bytearray(part), is_large=self.is_large), 0, len(part))

    def append(self, part: bytes) -> None:
        """New bytes at the end: in the buffer of the last slice if that can still grow, else in one of their own."""
        if not self._extend_last(part):
            self.slice(Buffer(bytearray(part), is_large=self.is_large), 0, len(part))

    def slice(self, source: Source, start: int, stop: int, *, is_own: bool = False) -> None:
        """A part of something that is there already."""
        if start == stop:
            return
        if is_own:
            self.literal(source[start:stop])  # type: ignore[index]
            return
        index = next((index for index, known in enumerate(self.sources) if known is source), len(self.sources))
        if index == len(self.sources):
            self.sources.append(source)
        self._cut(index + 1, start, stop)

    def pieces(self) -> Pieces:
        return Pieces(self.size, bytes(self.own), tuple(self.sources), make_cuts(self.flat))

    def _extend_last(self, part: bytes) -> bool:
        if not self.flat or not self.flat[-3]:
            return False
        index, _, stop = self.flat[-3:]
        last = self.sources[index - 1]
        if not isinstance(last, Buffer) or last.is_large != self.is_large or stop != last.size:
            return False
        if not last.extend(part):
            return False
        self.undo.append((last, stop))
        self._cut(index, stop, stop + len(part))
        return True

    def _cut(self, index: int, start: int, stop: int) -> None:
        self.size += stop - start
        flat = self.flat
        if flat and flat[-3] == index and flat[-1] == start:
            flat[-1] = stop
        else:
            flat += (index, start, stop)
