"""The bytes of values on disk, wherever they stand: in a segment, in a log, in blobs, or with what names them.

A long value is not read when it is asked for: its parts know where they stand and are read slice by slice.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from backpack.archive.content import BLOB, OWN, Change, Value
from backpack.archive.frames import damaged
from backpack.archive.living import Living
from backpack.archive.parts import Part, Parts
from backpack.archive.placing import Placer
from backpack.archive.reading import OpenBlobs, checked_blob, reader_of
from backpack.archive.writing import Writer, log_name
from backpack.blobs.blob import Blob
from backpack.blobs.reading import Reader
from backpack.blobs.store import Blobs
from backpack.core.payload import Buffer, Content, Pieces, make_cuts

AT_ONCE_MAX: Final = 256 * 1024
"""A value up to this size is read as a whole; of a longer one its slices, when they are asked for."""


class Stored(Buffer):
    """A part of a large value that stays on disk: its bytes are read when they are asked for, each time."""

    __slots__ = ("_archive", "value")

    def __init__(self, archive: "Values", value: Value) -> None:
        self._archive = archive
        self.value = value
        self.is_sealed = True
        self.is_large = True

    @property
    def data(self) -> bytes:  # type: ignore[override]
        """All its bytes. `CorruptionError`, `StorageError`."""
        return self._archive.payload(self.value)

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self.value.size

    def part(self, start: int, stop: int) -> bytes:
        """Some of them. Cost: these."""
        return self._archive.slice(self.value, start, min(stop, self.value.size))

    def reader(self, opened: OpenBlobs) -> Reader:
        """To read them in slices. `opened`: the blobs that are open, for all parts of one value."""
        return reader_of(self.value, self._archive.slice, self._archive.open_blob, opened)


class Values(Parts):
    """Reads the bytes of values."""

    def __init__(
        self, blobs: Blobs, parts: Sequence[Part], placer: Placer, writer: Writer | None, first_seq: int
    ) -> None:
        super().__init__(parts, writer, first_seq)
        self.blobs = blobs
        self.placer = placer
        self._on_disk: Living[Stored] = Living()
        """What memory has of large values and has not read."""

    @property
    def blob_bytes(self) -> int:
        """Bytes of blobs on disk."""
        return self.blobs.total_size

    def payload(self, value: Value) -> bytes:
        """All bytes of a value."""
        return self.slice(value, 0, value.size)

    def slice(self, value: Value, start: int, stop: int) -> bytes:
        """Some bytes of a value. Cost: those, at most `CUTS_MAX` reads."""
        chunks = []
        before = 0
        for origin, number, first, last in value.cuts:
            size = last - first
            begin, end = max(start - before, 0), min(stop - before, size)
            if begin < end:
                chunks.append(self._cut(value, origin, number, first + begin, first + end))
            before += size
            if before >= stop:
                break
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def content_of(self, change: Change) -> Content:
        """The bytes of a change that has some: of a long value, to be read when they are asked for."""
        value = change.value
        assert value is not None
        return self._stored(value) if change.is_large or value.size > AT_ONCE_MAX else self.payload(value)

    def put_aside(self, payload: bytes) -> tuple[Pieces, int]:
        """Bytes as content that stays on disk: a blob. And how many bytes that takes. Wants the store's lock until the
        commit that has it is made: before that nothing else points to the blob."""
        digest = self.blobs.put_bytes(payload, is_durable=False)
        value = Value(((BLOB, 0, 0, len(payload)),), b"", (digest,), len(payload))
        return self._stored(value), self.blobs.size_of(digest)

    def blobs_of(self, buffer: Buffer) -> list[tuple[int, int, bytes, int]]:
        """Where bytes that memory has stand in blobs, which know their lines: see `Placer`. None when it is closed."""
        return [] if self._refusal else self.placer.blobs_of(buffer)

    def stored_values(self) -> list[Value]:
        """Where the large values stand that memory has and has not read: what they are cut from has to stay."""
        return [source.value for source in self._on_disk]

    def open_blob(self, digest: bytes) -> Blob:
        """A blob to read from; let go of it."""
        self._check_open()
        return self.blobs.open(digest)

    # -- inside --------------------------------------------------------------------------------------------------

    def _cut(self, value: Value, origin: int, number: int, start: int, stop: int) -> bytes:
        if origin == OWN:
            return value.own[start:stop]
        if origin == BLOB:
            with self.open_blob(value.blobs[number]) as blob:
                return checked_blob(blob, value.blobs[number], stop).read(start, stop - start)
        parts, _, origins = self._state
        self._check_open()
        index = bisect_right(origins, origin) - 1
        if index < 0:
            raise damaged(log_name(origin), 0, "a value points to a log, or the segment made of it, that is not there")
        return parts[index].read(origin, number, start, stop)

    def _stored(self, value: Value) -> Pieces:
        """A large value whose bytes stay where they are."""
        sources = []
        flat: list[int] = []
        own = bytearray()
        for origin, number, start, stop in value.cuts:
            if origin == OWN:
                flat += (0, len(own), len(own) + stop - start)
                own += value.own[start:stop]
                continue
            blobs = (value.blobs[number],) if origin == BLOB else ()
            one = Value(((origin, 0 if blobs else number, start, stop),), b"", blobs, stop - start)
            source = Stored(self, one)
            self._on_disk.add(source)
            self.placer.know(source, one)
            sources.append(source)
            flat += (len(sources), 0, stop - start)
        return Pieces(value.size, bytes(own), tuple(sources), make_cuts(flat))
