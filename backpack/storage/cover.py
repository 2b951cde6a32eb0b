"""What lies between the bytes of a file and the disk: nothing, or authenticated encryption.

Each file has a cover of its own. What goes into the file in pieces (a block, a table, the body of a frame) goes
through it, compressed before; checksums are over the covered bytes, which are what the disk holds. `place` says which
piece it is and is bound to it, so that no piece can stand for another.
"""

from collections.abc import Iterable
from typing import Final, Protocol

from backpack.errors import CorruptionError
from backpack.hashing import blake2b

DIGEST_SIZE: Final = 32


class Cover(Protocol):
    """The cover of one file."""

    @property
    def header(self) -> bytes:
        """Stands in clear in the file's own header, at most 255 bytes; empty when nothing is encrypted."""
        ...

    @property
    def overhead(self) -> int:
        """Bytes that covering adds to a piece."""
        ...

    def cover(self, data: bytes, place: bytes, /) -> bytes:
        """The piece as it goes to disk. Each piece of a file is covered once."""
        ...

    def uncover(self, data: bytes, place: bytes, /) -> bytes:
        """The piece as it was; `CorruptionError` when it is not that piece."""
        ...


class Covers(Protocol):
    """The covers of one store."""

    def fresh(self, name: bytes, /) -> Cover:
        """For a new file."""
        ...

    def known(self, name: bytes, header: bytes, /) -> Cover:
        """For a file that is there: plain where encrypted is asked for, and the reverse, is a `CorruptionError`."""
        ...

    def digest(self, chunks: Iterable[bytes], /) -> bytes:
        """The 32 bytes that name this content."""
        ...


class _PlainCover:
    __slots__ = ()
    header = b""
    overhead = 0

    def cover(self, data: bytes, place: bytes) -> bytes:
        return data

    def uncover(self, data: bytes, place: bytes) -> bytes:
        return data


_PLAIN_COVER: Final = _PlainCover()


class _PlainCovers:
    __slots__ = ()

    def fresh(self, name: bytes) -> Cover:
        return _PLAIN_COVER

    def known(self, name: bytes, header: bytes) -> Cover:
        if header:
            raise CorruptionError("the file is encrypted and the store is opened without a key: pass key=")
        return _PLAIN_COVER

    def digest(self, chunks: Iterable[bytes]) -> bytes:
        state = blake2b(digest_size=DIGEST_SIZE)
        for chunk in chunks:
            state.update(chunk)
        return state.digest()


PLAIN: Final[Covers] = _PlainCovers()
"""No encryption."""
