"""Where the bytes in memory stand on disk, so that a new version is written as what is new in it.

Every buffer that was written has a *place*: the cuts that give its bytes, in order. A version made of slices of
buffers becomes cuts of their places; what a buffer has grown by since is added to its source in this segment, or
begins a new one. Payloads that several versions are cut from (`bytes`) have places too, for as long as the ledger
counts them.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Final
from weakref import WeakKeyDictionary

from backpack.archive.content import BLOB, CUTS_MAX, OWN, Change, Cut, Value
from backpack.archive.frames import Written
from backpack.core.payload import Buffer, Content, Pieces, Source, slices_of

PARTS_MAX: Final = 16
"""Cuts of one place; a buffer whose place would need more is written anew, as one. So a list that grows through many
segments is written again once in 16 of them."""

TAIL_SIZE_MAX: Final = 64 * 1024
"""What a large value grows by stands in the log up to this size; more goes to a blob."""

_SWEEP_MIN: Final = 256

PutBlob = Callable[[bytes], bytes]
"""Makes sure that a blob with this content is there; returns its digest."""


class Tail:
    """How the newest payload that ends in a buffer was written, for those that only get longer than it.

    Versions of a list that grows share their cuts, so they are known by the identity of these.
    """

    __slots__ = ("blobs", "cuts", "flat", "number", "origin", "shift")

    def __init__(
        self, cuts: "array[int]", origin: int, number: int, shift: int, flat: list[int], blobs: tuple[bytes, ...]
    ) -> None:
        self.cuts = cuts
        self.origin = origin
        self.number = number
        """The source that gets longer."""
        self.shift = shift
        """How much further on a byte of the buffer stands in that source."""
        self.flat = flat
        """The cuts of the value, number by number, without where the last one stops."""
        self.blobs = blobs


class Place:
    """The cuts that give the bytes of one buffer from its beginning up to `size`."""

    __slots__ = ("cuts", "size", "starts", "tail")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.cuts: list[tuple[int, int | bytes, int]] = []
        """`(origin, number, start)`; of a blob the digest stands for the number, of own bytes these."""
        self.size = 0
        self.tail: Tail | None = None
        """Where what the buffer grows by can go on, as far as that is known."""

    def add(self, origin: int, number: int | bytes, start: int, size: int) -> None:
        """The next `size` bytes stand there."""
        self.starts.append(self.size)
        self.cuts.append((origin, number, start))
        self.size += size

    @classmethod
    def of(cls, value: Value) -> "Place":
        """The place of a payload that was read back."""
        place = cls()
        for origin, number, start, stop in value.cuts:
            if origin == BLOB:
                place.add(BLOB, value.blobs[number], start, stop - start)
            elif origin == OWN:
                place.add(OWN, value.own[start:stop], 0, stop - start)
            else:
                place.add(origin, number, start, stop - start)
        return place


class _Draft:
    """A value that is being put together."""

    __slots__ = ("blobs", "cuts", "own", "size")

    def __init__(self) -> None:
        self.own = bytearray()
        self.cuts: list[Cut] = []
        self.blobs: list[bytes] = []
        self.size = 0

    def own_bytes(self, data: bytes) -> None:
        self.cut(OWN, 0, len(self.own), len(self.own) + len(data))
        self.own += data

    def cut(self, origin: int, number: int, start: int, stop: int) -> None:
        self.size += stop - start
        if self.cuts:
            last = self.cuts[-1]
            if last[0] == origin and last[1] == number and last[3] == start:
                self.cuts[-1] = (origin, number, last[2], stop)
                return
        self.cuts.append((origin, number, start, stop))

    def slice(self, place: Place, start: int, stop: int) -> None:
        index = bisect_right(place.starts, start) - 1
        while start < stop:
            origin, number, first = place.cuts[index]
            before = place.starts[index]
            end = min(stop, place.starts[index + 1] if index + 1 < len(place.starts) else place.size)
            at = first + start - before
            if isinstance(number, int):
                self.cut(origin, number, at, at + end - start)
            elif origin == OWN:
                self.own_bytes(number[at : at + end - start])
            else:
                if number not in self.blobs:
                    self.blobs.append(number)
                self.cut(BLOB, self.blobs.index(number), at, at + end - start)
            start = end
            index += 1

    def value(self) -> Value:
        return Value(tuple(self.cuts), bytes(self.own), tuple(self.blobs), self.size)


class Placer:
    """Knows the places of what one store has in memory."""

    __slots__ = (
        "_added",
        "_buffers",
        "_changed",
        "_floor",
        "_grown",
        "_payloads",
        "_put_blob",
        "_records",
        "_sweep_at",
        "first_source",
        "next_source",
        "segment",
    )

    def __init__(self, put_blob: PutBlob) -> None:
        self._put_blob = put_blob
        self._records: Mapping[int, object] = {}
        self._buffers: WeakKeyDictionary[Buffer, Place] = WeakKeyDictionary()
        self._payloads: dict[int, tuple[bytes, Place]] = {}
        self._sweep_at = _SWEEP_MIN
        self._added: list[tuple[int, int, bytes]] = []
        self._changed: list[tuple[Source, Place | None]] = []
        """The places that the last commit made or changed, and what they were before."""
        self._grown: tuple[Place, int] | None = None
        """The one that it made longer as it stands, and its size before."""
        self._floor = 0
        self.segment = 0
        self.next_source = 0
        self.first_source = 0
        """What `next_source` was when the commit began."""

    def begin(self, records: Mapping[int, object]) -> None:
        """A commit is about to be written. `records`: what the ledger counts now, by identity."""
        self._records = records
        self.begin_one()
        if len(self._payloads) > self._sweep_at:
            self._payloads = {known: pair for known, pair in self._payloads.items() if known in records}
            self._sweep_at = 2 * len(self._payloads) + _SWEEP_MIN

    def begin_one(self) -> None:
        """The same of a commit for which nothing is placed: what the one before has placed stays in any case."""
        if self._changed:
            self._changed.clear()
        self._grown = None
        self.first_source = self.next_source

    def grow(self, place: Place, added: int) -> None:
        """What `growing` gave was written: there are so many bytes more."""
        self._grown = (place, place.size)
        place.size += added

    def undo(self) -> None:
        """The commit was not written after all."""
        if self._grown is not None:
            place, size = self._grown
            place.size, self._grown = size, None
        for source, before in reversed(self._changed):
            if isinstance(source, Buffer):
                if before is None:
                    self._buffers.pop(source, None)
                else:
                    self._buffers[source] = before
            elif before is None:
                self._payloads.pop(id(source), None)
        self._changed.clear()
        self.next_source = self.first_source

    def forget(self, segment: int) -> None:
        """Let nothing that is written from here on point to segments before that one: they are going to change."""
        self._buffers.clear()
        self._payloads.clear()
        self._floor = segment

    def know(self, source: Source, value: Value) -> None:
        """The bytes of a source were read from there."""
        if any(0 < origin < self._floor for origin, _, _, _ in value.cuts):
            return
        if isinstance(source, Buffer):
            self._buffers[source] = Place.of(value)
        else:
            self._payloads[id(source)] = (source, Place.of(value))

    def knows(self, payload: bytes) -> bool:
        """Is it known where that very payload stands?"""
        return id(payload) in self._payloads

    def blobs_of(self, buffer: Buffer) -> list[tuple[int, int, bytes, int]]:
        """`(start, stop, digest, first)` of the runs of a buffer's bytes that stand in blobs, as far as that is known.
        Any thread may ask."""
        place = self._buffers.get(buffer)
        if place is None:
            return []
        return [
            (start, stop, number, first)
            for (origin, number, first), start, stop in zip(
                place.cuts, place.starts, [*place.starts[1:], place.size], strict=True
            )
            if origin == BLOB and not isinstance(number, int)
        ]

    def pack(
        self,
        key: str,
        seq: int,
        kind: str,
        version: int,
        content: Content | None,
        *,
        is_new: bool = True,
        is_large: bool = False,
        reason: str = "",
    ) -> Written:
        """A change as it is to be written. `is_new`: nothing in memory has this very payload yet."""
        if content is None:
            return Written(Change(key, seq, kind, version, None, reason=reason))
        if type(content) is bytes and id(content) not in self._payloads and kind == "pack":
            number = self.next_source
            self.next_source += 1
            value = Value(((self.segment, number, 0, len(content)),), size=len(content))
            if not is_new or id(content) in self._records:
                self._remember(content, value)
            return Written(Change(key, seq, kind, version, value), content)
        self._added = []
        value = self._value(content, is_large)
        change = Change(key, seq, kind, version, value, is_large=is_large, reason=reason)
        return Written(change, None, tuple(self._added))

    def growing(self, content: Pieces, added: int) -> tuple[Place, Tail] | None:
        """Where a payload goes on that is the one before, and so many bytes which its last buffer has just got: they
        stand where the place ends then, as the tail says. None where this is not how it can be written.
        """
        buffer = content.sources[-1]
        place = self._buffers.get(buffer) if type(buffer) is Buffer else None
        tail = None if place is None else place.tail
        if (
            place is None
            or tail is None
            or tail.cuts is not content.cuts
            or tail.origin != self.segment
            or place.size + added != len(buffer.data)  # type: ignore[union-attr]
            or added > TAIL_SIZE_MAX
        ):
            return None
        return place, tail

    def keep_tail(self, content: Pieces, value: Value | None) -> None:
        """A payload that ends in a buffer was written as this value: know it when it has got longer."""
        buffer = content.sources[-1]
        place = self._buffers.get(buffer) if type(buffer) is Buffer else None
        if place is None or value is None or value.own != content.own or not value.cuts:
            return
        origin, number, _, stop = value.cuts[-1]
        first, at = place.cuts[-1][2], place.starts[-1]
        if place.cuts[-1][:2] != (origin, number) or stop != first + place.size - at:
            return
        flat = [one for cut in value.cuts for one in cut]
        place.tail = Tail(content.cuts, origin, number, first - at, flat[:-1], value.blobs)

    # -- inside --------------------------------------------------------------------------------------------------

    def _value(self, content: Content, is_large: bool) -> Value:
        draft = _Draft()
        needed: dict[int, int] = {}
        slices = slices_of(content)
        own = content.own if isinstance(content, Pieces) else None
        for source, _, stop in slices:
            needed[id(source)] = max(needed.get(id(source), 0), stop)
        for source, start, stop in slices:
            if source is own:
                draft.own_bytes(source[start:stop])
            else:
                draft.slice(self._placed(source, needed[id(source)], is_large), start, stop)
        if len(draft.cuts) <= CUTS_MAX:
            return draft.value()
        whole = _Draft()
        place = self._written(b"".join([_bytes_of(source)[start:stop] for source, start, stop in slices]), is_large)
        whole.slice(place, 0, place.size)
        return whole.value()

    def _placed(self, source: Source, stop: int, is_large: bool) -> Place:
        """The place of a source, with all bytes up to `stop` in it."""
        if not isinstance(source, Buffer):
            known = self._payloads.get(id(source))
            if known is not None:
                return known[1]
            place = self._written(source, is_large)
            self._changed.append((source, None))
            self._payloads[id(source)] = (source, place)
            return place
        before = self._buffers.get(source)
        if before is not None and before.size >= stop:
            return before
        self._changed.append((source, before))
        if before is None or len(before.cuts) >= PARTS_MAX:
            if before is not None and before.cuts[-1][0] == self.segment:
                return self._longer(source, before, stop, is_large)
            place = self._written(bytes(source.data[:stop]), is_large, is_blob=is_large and source.is_sealed)
            self._buffers[source] = place
            return place
        return self._longer(source, before, stop, is_large)

    def _longer(self, source: Buffer, before: Place, stop: int, is_large: bool) -> Place:
        place = Place()
        place.starts, place.cuts, place.size = list(before.starts), list(before.cuts), before.size
        more = bytes(source.data[before.size : stop])
        origin, number, start = place.cuts[-1]
        if origin == self.segment and isinstance(number, int) and len(more) <= TAIL_SIZE_MAX:
            # the source ends where the place does: only this buffer is written to it
            self._added.append((number, start + before.size - before.starts[-1], more))
            place.size = stop
        else:
            tail = self._written(more, is_large)
            place.add(*tail.cuts[0], tail.size)
        self._buffers[source] = place
        return place

    def _written(self, data: bytes, is_large: bool, is_blob: bool = False) -> Place:
        """New bytes: a source of this segment, or a blob."""
        place = Place()
        if is_blob or (is_large and len(data) > TAIL_SIZE_MAX):
            place.add(BLOB, self._put_blob(data), 0, len(data))
        else:
            place.add(self.segment, self.next_source, 0, len(data))
            self._added.append((self.next_source, 0, data))
            self.next_source += 1
        return place

    def _remember(self, payload: bytes, value: Value) -> None:
        self._changed.append((payload, None))
        self._payloads[id(payload)] = (payload, Place.of(value))


def _bytes_of(source: Source) -> bytes | bytearray:
    return source.data if isinstance(source, Buffer) else source
