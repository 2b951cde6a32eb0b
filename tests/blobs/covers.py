"""Covers that hide nothing and bind everything: a piece carries a mark of its file and place."""

from collections.abc import Iterable
from hashlib import blake2b
from itertools import count

from backpack.errors import CorruptionError


class MarkedCover:
    overhead = 8

    def __init__(self, header: bytes) -> None:
        self.header = header

    def cover(self, data: bytes, place: bytes) -> bytes:
        return self._mark(data, place) + data[::-1]

    def uncover(self, data: bytes, place: bytes) -> bytes:
        raw = data[8:][::-1]
        if data[:8] != self._mark(raw, place):
            raise CorruptionError("another piece")
        return raw

    def _mark(self, data: bytes, place: bytes) -> bytes:
        return blake2b(place + b"|" + data, digest_size=8, key=self.header).digest()


class MarkedCovers:
    def __init__(self) -> None:
        self._numbers = count(1)

    def fresh(self, name: bytes) -> MarkedCover:
        return MarkedCover(b"file %d" % next(self._numbers))

    def known(self, name: bytes, header: bytes) -> MarkedCover:
        if not header.startswith(b"file "):
            raise CorruptionError("not covered")
        return MarkedCover(header)

    def digest(self, chunks: Iterable[bytes]) -> bytes:
        state = blake2b(digest_size=32, key=b"the store")
        for chunk in chunks:
            state.update(chunk)
        return state.digest()
