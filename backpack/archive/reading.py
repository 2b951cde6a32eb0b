"""A value on disk as something to slice: its cuts one behind the other, each read where it stands.

Cost of a slice: the frames of a blob, the blocks of a segment or the frame of a log that it touches. Opening reads the
two ends of each blob, once however many cuts point to it.
"""

from collections.abc import Callable
from typing import Final

from backpack.archive.content import BLOB, OWN, Value
from backpack.archive.frames import damaged
from backpack.blobs.newlines import after_newline
from backpack.blobs.reading import BytesReader, JoinedReader, Reader

_STEP: Final = 1 << 20
"""Bytes that are read at once to find a line outside of blobs, which know where their lines are."""

ReadSlice = Callable[[Value, int, int], bytes]
OpenBlob = Callable[[bytes], Reader]
OpenBlobs = dict[bytes, Reader]


class SourceReader:
    """Bytes that stand in a segment or a log. Lines are found by reading up to them."""

    __slots__ = ("_read", "_value", "size")

    def __init__(self, value: Value, read: ReadSlice) -> None:
        self._value = value
        self._read = read
        self.size = value.size

    def read(self, start: int, length: int) -> bytes:
        return self._read(self._value, start, min(start + length, self.size))

    def count_newlines(self, start: int, stop: int) -> int:
        return sum(
            self._read(self._value, at, min(at + _STEP, stop)).count(b"\n")
            for at in range(start, min(stop, self.size), _STEP)
        )

    def find_line(self, number: int, start: int) -> int:
        if not number:
            return min(start, self.size)
        for at in range(start, self.size, _STEP):
            data = self._read(self._value, at, min(at + _STEP, self.size))
            count = data.count(b"\n")
            if count >= number:
                found = after_newline(data, number)
                assert found is not None
                return at + found
            number -= count
        return self.size


def reader_of(value: Value, read: ReadSlice, open_blob: OpenBlob, opened: OpenBlobs) -> Reader:
    """The bytes of a value. `opened`: the blobs that are open already, and after this those that it needs.

    `CorruptionError` when a blob is missing, damaged or shorter than what is cut from it.
    """
    own = BytesReader(value.own)
    slices: list[tuple[Reader, int, int]] = []
    for origin, number, start, stop in value.cuts:
        if origin == OWN:
            slices.append((own, start, stop))
        elif origin == BLOB:
            digest = value.blobs[number]
            if digest not in opened:
                opened[digest] = open_blob(digest)
            slices.append((checked_blob(opened[digest], digest, stop), start, stop))
        else:
            cut = Value(((origin, number, start, stop),), size=stop - start)
            slices.append((SourceReader(cut, read), 0, stop - start))
    return JoinedReader(slices)


def checked_blob(blob: Reader, digest: bytes, stop: int) -> Reader:
    """The blob, if it has as many bytes as are cut from it."""
    if stop > blob.size:
        raise damaged(f"blobs/{digest.hex()}", 0, f"the blob is shorter than a value needs: size={blob.size} {stop=}")
    return blob
