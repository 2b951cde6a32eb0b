"""A letter: what a process that does not hold the store wants committed, as one file in the inbox. Little endian.

    letter    := head  piece*  directory  trailer
    head      := magic "bpltr\\0\\1\\n"  version u16  cover_size u16  zero u32  store_id 16s  salt 8s  cover
                 checksum u64
    piece     := the packed value of one key, covered
    directory := count u32  label_size u32  (key_size u16  way u8  zero u8  size u32  stored u32  checksum u64){count}
                 label  key{count}                                                                   (as covered)
    trailer   := directory_size u64  directory_checksum u64  file_size u64  magic "bplend\\1\\n"  checksum u64

Pieces stand one behind the other in the order of the directory, `stored` bytes each, `size` before they were covered.
The directory commits: without it, and the trailer behind it, there is no letter. All checksums but that of the head
are seeded with its salt, so no stale block and no part of another letter is taken for one of this.

`way` is what shall be done with a piece: *ahead* (a commit of its own before the others, for what is large and shared),
*together* (in the one commit that makes the letter true, with the label), *added* (one item for the list at that key,
in the same commit).

Memory: one piece at a time, and about 100 bytes for each that there is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct
from struct import error as StructError
from typing import Final

import msgpack
from xxhash import xxh3_64_intdigest

from backpack.archive.frames import damaged, pack_label, read_label
from backpack.codec import check_payload
from backpack.core.commit import Label
from backpack.errors import CorruptionError, InvalidArgumentError
from backpack.limits import KEY_SIZE_MAX, MIB
from backpack.storage.cover import Cover, Covers
from backpack.storage.protocol import File

MAGIC: Final = b"bpltr\0\1\n"
END: Final = b"bplend\1\n"
VERSION: Final = 1
SALT_SIZE: Final = 8
_HEAD: Final = Struct("<8sHHI16s8s")
_COUNTS: Final = Struct("<II")
_PIECE: Final = Struct("<HBBIIQ")
_TRAILER: Final = Struct("<QQQ8s")
_SUM: Final = Struct("<Q")
_TRAILER_SIZE: Final = _TRAILER.size + _SUM.size
_COVER_SIZE_MAX: Final = 255
_OVERHEAD_MAX: Final = 256
"""Bytes that a cover may add to a piece."""

AHEAD: Final = 1
TOGETHER: Final = 2
ADDED: Final = 3
_WAYS: Final = (AHEAD, TOGETHER, ADDED)

PIECE_SIZE_MAX: Final = 64 * MIB
"""Packed bytes of one piece, and of all that are committed together: what adopting a letter may need in memory."""
PIECE_COUNT_MAX: Final = 1 << 17
"""128 GiB in parts of 1 MiB."""
_DIRECTORY_SIZE_MAX: Final = 32 * MIB


@dataclass(frozen=True, slots=True)
class Piece:
    """The value of one key in a letter, and where it stands."""

    number: int
    key: str
    way: int
    size: int
    """Packed bytes."""
    offset: int
    stored: int
    checksum: int


def cover_name(name: str) -> bytes:
    """What the cover of a letter is bound to."""
    return b"letter:" + name.encode()


def _place(number: int) -> bytes:
    return b"piece:%d" % number


class LetterWriter:
    """A letter on its way into a new file: `add` as often as there are values, then `finish`."""

    __slots__ = ("_cover", "_file", "_offset", "_pieces", "_salt", "_together")

    def __init__(self, file: File, cover: Cover, store_id: bytes, salt: bytes) -> None:
        self._file = file
        self._cover = cover
        self._salt = int.from_bytes(salt, "little")
        self._pieces: list[Piece] = []
        self._together = 0
        head = _HEAD.pack(MAGIC, VERSION, len(cover.header), 0, store_id, salt) + cover.header
        head += _SUM.pack(xxh3_64_intdigest(head))
        file.append(head)
        self._offset = len(head)

    def add(self, key: str, way: int, payload: bytes) -> None:
        """One more value. `InvalidArgumentError` when it is more than a letter may hold."""
        size = len(payload) + (self._together if way != AHEAD else 0)
        if size > PIECE_SIZE_MAX:
            raise InvalidArgumentError(
                f"too large for a letter: size={size} limit={PIECE_SIZE_MAX}; pack it in parts, or where the store is "
                "open for writing"
            )
        if len(self._pieces) == PIECE_COUNT_MAX:
            raise InvalidArgumentError(f"a letter may have {PIECE_COUNT_MAX} values: post the rest in another")
        number = len(self._pieces)
        covered = self._cover.cover(payload, _place(number))
        checksum = xxh3_64_intdigest(covered, self._salt)
        self._file.append(covered)
        self._pieces.append(Piece(number, key, way, len(payload), self._offset, len(covered), checksum))
        self._offset += len(covered)
        if way != AHEAD:
            self._together = size

    def finish(self, label: Label) -> None:
        """The directory: from here on it is a letter."""
        packed, keys = pack_label(label), [piece.key.encode() for piece in self._pieces]
        rows = [
            _PIECE.pack(len(key), piece.way, 0, piece.size, piece.stored, piece.checksum)
            for key, piece in zip(keys, self._pieces, strict=True)
        ]
        body = b"".join((_COUNTS.pack(len(rows), len(packed)), *rows, packed, *keys))
        if len(body) > _DIRECTORY_SIZE_MAX:
            raise InvalidArgumentError(f"the keys of a letter may have {_DIRECTORY_SIZE_MAX} bytes: size={len(body)}")
        covered = self._cover.cover(body, b"directory")
        size = self._offset + len(covered) + _TRAILER_SIZE
        trailer = _TRAILER.pack(len(covered), xxh3_64_intdigest(covered, self._salt), size, END)
        self._file.append(covered + trailer + _SUM.pack(xxh3_64_intdigest(trailer, self._salt)))


class Letter:
    """A letter that is there: its directory was checked, its values are as they are read."""

    __slots__ = ("_cover", "_file", "_open", "_salt", "file", "label", "name", "pieces", "size")

    def __init__(self, file: File, name: str, covers: Covers, store_id: bytes, open_again: Callable[[], File]) -> None:
        """`CorruptionError` when it is not what was written, or of another store."""
        self._file: File | None = file
        self._open = open_again
        self.file = file.name
        """What an error calls it."""
        self.name = name
        self.size = file.size()
        head = file.pread(_HEAD.size + _COVER_SIZE_MAX + _SUM.size, 0)
        begin, cover_header = self._read_head(head, store_id)
        self._cover = covers.known(cover_name(name), cover_header)
        self.label: Label
        self.pieces: tuple[Piece, ...]
        self.label, self.pieces = self._read_directory(file, begin)

    def let_go(self) -> None:
        """Hold no file open: from here on it is opened for each value that is read."""
        self._file = None

    def payload(self, piece: Piece) -> bytes:
        """The packed value of a piece, as it was written. `CorruptionError`, `StorageError`; `MissingFileError` when
        it was let go of and has been adopted since."""
        covered = (self._file or self._open()).pread(piece.stored, piece.offset)
        if len(covered) != piece.stored or xxh3_64_intdigest(covered, self._salt) != piece.checksum:
            raise damaged(self.file, piece.offset, "a value of the letter is not what was written")
        payload = self._cover.uncover(covered, _place(piece.number))
        if len(payload) != piece.size:
            raise damaged(self.file, piece.offset, "a value of the letter has another size than it says")
        return payload

    def proved(self, piece: Piece) -> bytes:
        """The same, proved to be a value that can be unpacked within bounds. No class is looked up, nothing is made."""
        payload = self.payload(piece)
        fault = ""
        try:
            check_payload(payload, depth=int(piece.way == ADDED))
        except CorruptionError as error:
            fault = str(error)
        if fault:
            raise damaged(self.file, piece.offset, f"a value of the letter can't be one ({fault})")
        return payload

    def check(self) -> None:
        """Read and prove every value. Cost: reading the letter once; memory: its largest piece."""
        for piece in self.pieces:
            self.proved(piece)

    def of(self, way: int) -> Iterator[Piece]:
        """The pieces that go that way, in order."""
        return (piece for piece in self.pieces if piece.way == way)

    def _read_head(self, head: bytes, store_id: bytes) -> tuple[int, bytes]:
        """`(where the pieces begin, header of the cover)`."""
        if len(head) < _HEAD.size + _SUM.size or head[: len(MAGIC)] != MAGIC:
            raise damaged(self.file, 0, "not the beginning of a letter")
        _, version, cover_size, _, found_id, salt = _HEAD.unpack_from(head)
        stop = _HEAD.size + cover_size
        if len(head) < stop + _SUM.size or _SUM.unpack_from(head, stop)[0] != xxh3_64_intdigest(head[:stop]):
            raise damaged(self.file, 0, "the head of the letter is not what was written")
        if version != VERSION:
            what = f"a format of letters that this version of backpack does not know ({version})"
            raise damaged(self.file, len(MAGIC), what)
        if found_id != store_id:
            raise damaged(self.file, _HEAD.size - SALT_SIZE - 16, "the letter is for another store")
        self._salt = int.from_bytes(salt, "little")
        return stop + _SUM.size, head[_HEAD.size : stop]

    def _read_directory(self, file: File, begin: int) -> tuple[Label, tuple[Piece, ...]]:
        at = self.size - _TRAILER_SIZE
        trailer = file.pread(_TRAILER_SIZE, at) if at >= begin else b""
        if len(trailer) != _TRAILER_SIZE or _SUM.unpack_from(trailer, _TRAILER.size)[0] != xxh3_64_intdigest(
            trailer[: _TRAILER.size], self._salt
        ):
            raise damaged(self.file, max(at, 0), "the end of the letter is not what was written")
        size, checksum, file_size, end = _TRAILER.unpack_from(trailer)
        if (
            end != END
            or file_size != self.size
            or not _COUNTS.size <= size <= min(at - begin, _DIRECTORY_SIZE_MAX + _OVERHEAD_MAX)
        ):
            raise damaged(self.file, at, "the end of the letter says what can't be")
        covered = file.pread(size, at - size)
        if len(covered) != size or xxh3_64_intdigest(covered, self._salt) != checksum:
            raise damaged(self.file, at - size, "the directory of the letter is not what was written")
        body = self._cover.uncover(covered, b"directory")
        try:
            return _directory(body, begin, at - size)
        except (ValueError, TypeError, IndexError, StructError, msgpack.UnpackException) as error:
            fault = f"the directory of the letter is none ({type(error).__name__})"
        raise damaged(self.file, at - size, fault)


def _directory(body: bytes, begin: int, end: int) -> tuple[Label, tuple[Piece, ...]]:
    """The label and the pieces; ValueError when they don't fill the file from `begin` to `end`."""
    count, label_size = _COUNTS.unpack_from(body)
    at = _COUNTS.size + count * _PIECE.size
    if not 0 < count <= PIECE_COUNT_MAX or at + label_size > len(body):
        raise ValueError("the counts are longer than the directory")
    label = read_label(body[at : at + label_size])
    at += label_size
    pieces = []
    together = 0
    for number in range(count):
        key_size, way, zero, size, stored, checksum = _PIECE.unpack_from(body, _COUNTS.size + number * _PIECE.size)
        if not 0 < key_size <= KEY_SIZE_MAX or at + key_size > len(body) or way not in _WAYS or zero:
            raise ValueError("not a piece")
        together += size if way != AHEAD else 0
        if max(size, together) > PIECE_SIZE_MAX or not size <= stored <= size + _OVERHEAD_MAX:
            raise ValueError("a piece that is larger than any is written")
        pieces.append(Piece(number, str(body[at : at + key_size], "utf-8"), way, size, begin, stored, checksum))
        at += key_size
        begin += stored
    if at != len(body) or begin != end:
        raise ValueError("the pieces don't fill the letter")
    if all(piece.way != TOGETHER for piece in pieces):
        raise ValueError("nothing makes it a letter")
    return label, tuple(pieces)
