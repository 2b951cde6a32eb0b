"""The content of an entry as it is stored, under the digest of what it is.

    record = [format, kind, raw size, size, lines, characters, tokens, chunk sizes, codec, data]

`raw` is UTF-8, bytes, or a packed value; the *view* is what `fetch` and `read` see: the same, but of a value its
text. `size`, `lines`, `characters`, `tokens` and the chunks are of the view. Chunk sizes are bytes of the view, as
packed u32; a content of one chunk has none. The codec says what `data` is: raw bytes, a zstd frame of them, or the
table of its parts:

    parts  = [digests (16 bytes each), sizes, newlines, characters (u32 each)]

The digest is BLAKE2b-128 of the raw bytes and one byte for the kind, so one pass over a stream is enough even where the
kind turns out at its end. All numbers are held against each other when a record comes back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import pack, unpack
from threading import local
from typing import Final, cast

from zstandard import ZstdCompressor, ZstdDecompressor

from backpack.archive.compressing import inflate
from backpack.errors import CorruptionError
from backpack.hashing import blake2b
from backpack.limits import KIB, MIB
from backpack.memory.entry import KINDS, Kind

RECORD_FORMAT: Final = 1
WHOLE_SIZE_MAX: Final = 256 * KIB
"""A content up to this size is one record; a longer one is parts."""
PART_SIZE: Final = MIB
"""Bytes of a part: what streaming has in memory, and a slice reads one or two of."""

LEVEL: Final = 1
"""Of 30 KB of logs, code, pages, JSON and listings level 3 leaves 30.6 % and level 1 31.4 % (by kind up to 6 % more or
1 % less), in 60 % of the time. Texts of 2 KB differ by less."""

RAW, ZSTD, PARTS = 0, 1, 2
_DIGEST_SIZE: Final = 16
_MARKS: Final[dict[Kind, bytes]] = {kind: bytes((number,)) for number, kind in enumerate(KINDS)}
_COUNT_MAX: Final = 2**48
_local = local()


@dataclass(frozen=True, slots=True)
class Parts:
    """The columns of a long content, one row a part."""

    digests: tuple[str, ...]
    sizes: tuple[int, ...]
    newlines: tuple[int, ...]
    characters: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """A record that was checked."""

    digest: str
    kind: Kind
    raw_size: int
    size: int
    lines: int
    characters: int
    tokens: int
    chunk_sizes: tuple[int, ...]
    codec: int
    data: bytes
    parts: Parts | None

    @property
    def chunk_count(self) -> int:
        """At least one."""
        return len(self.chunk_sizes) or 1

    @property
    def stored_size(self) -> int:
        """Bytes that it takes here, without what parts take."""
        return len(self.data)

    def chunk_span(self, number: int) -> tuple[int, int]:
        """Where a chunk begins in the view, and how long it is. Cost: O(chunks before it), little for each."""
        if not self.chunk_sizes:
            return 0, self.size
        return sum(self.chunk_sizes[:number]), self.chunk_sizes[number]


class Digest:
    """The digest of a content that comes bit by bit; its kind may turn out at the end."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = blake2b(digest_size=_DIGEST_SIZE)

    def update(self, raw: bytes) -> None:
        self._state.update(raw)

    def of(self, kind: Kind) -> str:
        """What it is when the content ends here."""
        state = self._state.copy()
        state.update(_MARKS[kind])
        return state.hexdigest()


def digest_of(kind: Kind, raw: bytes) -> str:
    """The digest of a content, in 32 hex digits."""
    state = blake2b(raw, digest_size=_DIGEST_SIZE)
    state.update(_MARKS[kind])
    return state.hexdigest()


def compressed(raw: bytes) -> tuple[int, bytes]:
    """The shorter of a zstd frame and the bytes themselves, and which it is."""
    frame = _compressor().compress(raw)
    return (ZSTD, frame) if len(frame) < len(raw) else (RAW, raw)


def packed_numbers(numbers: Sequence[int]) -> bytes:
    """As u32, little-endian."""
    return pack(f"<{len(numbers)}I", *numbers)


def record_of(content: Content) -> list[object]:
    """The record of a content."""
    parts = content.parts
    data: object = content.data
    if parts is not None:
        columns = [packed_numbers(column) for column in (parts.sizes, parts.newlines, parts.characters)]
        data = [bytes.fromhex("".join(parts.digests)), *columns]
    return [
        RECORD_FORMAT,
        content.kind,
        content.raw_size,
        content.size,
        content.lines,
        content.characters,
        content.tokens,
        packed_numbers(content.chunk_sizes),
        content.codec,
        data,
    ]


def content_of(digest: str, record: object) -> Content:
    """The content of a record; `CorruptionError` when it can't be one."""
    if not isinstance(record, list) or len(record) != 10 or record[0] != RECORD_FORMAT or record[1] not in KINDS:
        raise damaged_content(digest)
    _, kind, raw_size, size, lines, characters, tokens, chunks, codec, data = record
    counts = (raw_size, size, lines, characters, tokens)
    if not all(type(count) is int and 0 <= count < _COUNT_MAX for count in counts) or type(codec) is not int:
        raise damaged_content(digest)
    parts = _table_of(data) if codec == PARTS else None
    is_whole = codec in (RAW, ZSTD) and type(data) is bytes and (codec == ZSTD or len(data) == raw_size)
    chunk_sizes = _numbers(chunks)
    if (
        (parts is None and not is_whole)
        or (parts is not None and (sum(parts.sizes) != raw_size or max(parts.sizes) > PART_SIZE))
        or chunk_sizes is None
        or (chunk_sizes and sum(chunk_sizes) != size)
        or (kind != "value" and size != raw_size)
    ):
        raise damaged_content(digest)
    own = cast(bytes, data) if parts is None else b""
    return Content(digest, kind, raw_size, size, lines, characters, tokens, chunk_sizes, codec, own, parts)


def raw_of(content: Content) -> bytes:
    """All raw bytes of a content that is one record; `CorruptionError` when they are not what was logged."""
    raw = content.data
    if content.codec == ZSTD:
        try:
            raw = inflate(content.data, content.raw_size, _decompressor())
        except ValueError:
            raw = b""
    if digest_of(content.kind, raw) != content.digest:
        raise damaged_content(content.digest)
    return raw


def damaged_content(digest: str) -> CorruptionError:
    """The error for a record that is none, or is not there."""
    return CorruptionError(f"the content of an entry is damaged or missing: digest={digest!r}", digest=digest)


def parts_of(content: Content | None) -> tuple[str, ...]:
    """The digests of the parts of a content, in order; none of one that is one record, or isn't there."""
    return () if content is None or content.parts is None else content.parts.digests


def _table_of(data: object) -> Parts | None:
    if not isinstance(data, list) or len(data) != 4 or type(data[0]) is not bytes or len(data[0]) % _DIGEST_SIZE:
        return None
    text = data[0].hex()
    digests = tuple(text[at : at + 2 * _DIGEST_SIZE] for at in range(0, len(text), 2 * _DIGEST_SIZE))
    sizes, newlines, characters = (_numbers(column) for column in data[1:])
    if not digests or sizes is None or newlines is None or characters is None:
        return None
    if not len(digests) == len(sizes) == len(newlines) == len(characters) or not all(sizes):
        return None
    return Parts(digests, sizes, newlines, characters)


def _numbers(data: object) -> tuple[int, ...] | None:
    if type(data) is not bytes or len(data) % 4:
        return None
    return unpack(f"<{len(data) // 4}I", data)


def _compressor() -> ZstdCompressor:
    """One a thread: they may not be shared, and making one costs more than using it."""
    found: ZstdCompressor | None = getattr(_local, "compressor", None)
    if found is None:
        found = _local.compressor = ZstdCompressor(level=LEVEL, write_checksum=False, write_content_size=True)
    return found


def _decompressor() -> ZstdDecompressor:
    found: ZstdDecompressor | None = getattr(_local, "decompressor", None)
    if found is None:
        found = _local.decompressor = ZstdDecompressor()
    return found
