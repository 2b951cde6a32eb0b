"""A sealed segment, byte by byte: a run of commits that never changes again, compressed. Little endian; pure.

    file      := header  block*  page*  chunk*  section*  directory  trailer
    header    := magic "bpseg\\0\\1\\n"  version u16  cover_size u16  zero u32  first_origin u64  last_origin u64
                 store_id 16s  cover  checksum u64
    trailer   := directory_offset u64  directory_size u64  directory_checksum u64  file_size u64
                 magic "bpend\\0\\1\\n"  checksum u64
    directory := first_seq u64  last_seq u64  commit_count u64  first_time i64  last_time i64  size u64
                 place{dictionary, index, pages, keyframe}
    place     := offset u64  stored_size u64  size u64  checksum u64         all zero when there is none
    section   := table | dictionary bytes                   table: see columns.py; a zstd frame, or itself (equal sizes)
    block     := zstd frame of bytes of sources             with the dictionary, if there is one
    page      := table                                      of up to 256 commits; see pages.py
    chunk     := tablet                                     of rows, of ids, of keys: a few KB; see tablet.py

What stands between header and trailer is *covered* piece by piece (see storage/cover.py), after it was compressed;
checksums (xxh3_64) are over what stands on the disk. A block is `block:7`, a page `page:7`, a chunk `rows:7`, `ids:7`
or `keys:7`; a section goes by its name. The checksum of the trailer is seeded with one of the header up to the cover,
so that neither stands for another's; and what is behind the header stays as it is when the cover is wrapped in another
key.

The bytes of all sources make one address space, ordered by key and then by commit: what resembles each other is
compressed together. It is cut into blocks of up to 4 KiB, so that a cold read costs no more than that, and never
inside a source: only what is longer has blocks of its own (up to 64 KiB), so that a slice costs the slice.
Of 500 B values, blocks of 4 KiB with a dictionary of 16 KiB take 127 B each; 138 in blocks of 16 KiB without one, which
take four times as long to read; 175 in blocks of 4 KiB without one.

    index     := table: name_start  name  seq  row  place  offset  size  checksum            of chunks of rows
                        origin  number  id  offset  size  checksum                           of chunks of ids
                        block_start  block_offset  block_checksum                            of blocks
                        sieve                                                                of keys
    rows      := tablet: names  row  first_version                                           of keys, by name
                         seq  kind  version  detail                                          of rows, by key and seq
                         origin  number  start                                               of sources, by place
                         details
    details   := table: cut_start  own_start  blob_start  reason_start  size                 of details
                        cut_origin  cut_number  cut_first  cut_stop  own  blob  reason
    ids       := tablet: origin  number  place                                               of sources, by id
    pages     := table: first_seq  first_time  offset  size  checksum                        of pages
    keyframe  := table: name_start  name  key  offset  size  checksum                        of chunks of keys
    keys      := tablet: names  seq  version  kind  size  is_large  is_repeated              of keys, by name

A lookup reads one chunk, whatever there is: the index has the first name and seq of each, and a *sieve* (see sieve.py)
that says of most keys that are not in the segment that they aren't. `row`, `place`, `id` and `key` of index and
keyframe are how many there are before each chunk and, one more, in all.

A *row* is one change: the rows of a key stand together, ascending, in as many chunks as they need. `row` of a key is
the place of its first row less its own. `version` is by how much it is above what the one row a version would make it,
counted from `first_version`, that of the first row of the key in the chunk. `kind` has the kind and flags; a row whose
value is the whole of one source of its chunk says in `detail` which (its place in the chunk less that of the row), and
any other row with a value has a *detail*: cuts, bytes of its own, digests of blobs, a reason, and a size of its own if
it was purged.

The *place* of a source is where it stands in the address space: in order of the rows that use them first. A chunk of
rows has the sources that its rows are the first to use, each with its id and where it begins; the last ones, without
rows, have those that no row uses. `number` is less the seq of the row at the same place, where there is one: most
commits bring one source, so the two go together. A chunk of ids leads from the id to the place, which is -1 in a chunk
all of whose sources stand in the order of their ids; `origin` and `number` are there by how much they are above what
ids without a gap would make them.

The columns of a keyframe have the same width in every chunk and no base, so that it is read whole by putting those of
all chunks one behind the other.
"""

from struct import Struct
from struct import error as StructError
from typing import Final

from xxhash import xxh3_64_intdigest

from backpack.archive.frames import damaged
from backpack.limits import KIB, MIB
from backpack.storage.protocol import File

MAGIC: Final = b"bpseg\0\1\n"
END_MAGIC: Final = b"bpend\0\1\n"
VERSION: Final = 1
HEADER: Final = Struct("<8sHHIQQ16s")
SUM: Final = Struct("<Q")
TRAILER: Final = Struct("<QQQQ8s")
TRAILER_SIZE: Final = TRAILER.size + SUM.size
_FACTS: Final = Struct("<QQQqqQ")
_PLACE: Final = Struct("<QQQQ")

HEADER_SIZE_MAX: Final = HEADER.size + 255 + SUM.size

BLOCK_SIZE: Final = 4 * KIB
LARGE_BLOCK_SIZE: Final = 64 * KIB
BLOCK_SIZE_MAX: Final = 256 * KIB
"""What a reader accepts."""
PAGE_COUNT: Final = 256
"""Commits of one page."""
CHUNK_SIZE: Final = 4 * KIB
"""Bytes of rows from which on a chunk is full: what a lookup decompresses."""
CHUNK_COUNT: Final = 512
"""Rows or ids, likewise."""
KEYS_SIZE: Final = 16 * KIB
"""Bytes of keys from which on a chunk of a keyframe is full: most often it is read whole, so chunks are fewer."""
KEYS_COUNT: Final = 1024
"""Keys, likewise."""
SECTION_SIZE_MAX: Final = 256 * MIB
"""What a table may take in memory."""
SEQ_MAX: Final = 1 << 62

IS_LARGE: Final = 0x10
IS_PURGED: Final = 0x20
HAS_VALUE: Final = 0x40
IS_DETAILED: Final = 0x80
"""Flags beside the code of a kind."""
KIND_MASK: Final = 0x0F

DICTIONARY: Final = 0
INDEX: Final = 1
PAGES: Final = 2
KEYFRAME: Final = 3
SECTION_NAMES: Final = (b"dictionary", b"index", b"pages", b"keyframe")

DIRECTORY_SIZE: Final = _FACTS.size + len(SECTION_NAMES) * _PLACE.size

INDEX_COLUMNS: Final = 18
DETAILS_COLUMNS: Final = 12
PAGES_COLUMNS: Final = 5
KEYFRAME_COLUMNS: Final = 6

ROWS_PLACE: Final = b"rows:%d"
IDS_PLACE: Final = b"ids:%d"
KEYS_PLACE: Final = b"keys:%d"


def hash_of(name: bytes) -> int:
    """What keys are looked up by."""
    return xxh3_64_intdigest(name)


def cover_name(origins: tuple[int, int]) -> bytes:
    """What the cover of a segment is asked for by."""
    return b"segment:%d" % origins[0] if origins[0] == origins[1] else b"segment:%d-%d" % origins


class Place:
    """Where a section stands."""

    __slots__ = ("checksum", "offset", "size", "stored_size")

    def __init__(self, offset: int = 0, stored_size: int = 0, size: int = 0, checksum: int = 0) -> None:
        self.offset = offset
        self.stored_size = stored_size
        self.size = size
        """Uncovered and decompressed."""
        self.checksum = checksum


class Directory:
    """What a segment says about itself."""

    __slots__ = ("commit_count", "first_seq", "first_time", "last_seq", "last_time", "places", "size")

    def __init__(
        self,
        first_seq: int,
        last_seq: int,
        commit_count: int,
        first_time: int,
        last_time: int,
        size: int,
        places: list[Place],
    ) -> None:
        self.first_seq = first_seq
        self.last_seq = last_seq
        self.commit_count = commit_count
        self.first_time = first_time
        """Of the first commit in it; 0 when it has none."""
        self.last_time = last_time
        self.size = size
        """Of all its sources."""
        self.places = places

    def packed(self) -> bytes:
        """The bytes of it."""
        facts = _FACTS.pack(
            self.first_seq, self.last_seq, self.commit_count, self.first_time, self.last_time, self.size
        )
        return facts + b"".join(_PLACE.pack(one.offset, one.stored_size, one.size, one.checksum) for one in self.places)


def read_directory(data: bytes, stop: int) -> Directory:
    """The directory of its bytes; ValueError when it can't be one of a file whose sections end at `stop`."""
    if len(data) != DIRECTORY_SIZE:
        raise ValueError("the directory is not as long as it should be")
    first_seq, last_seq, commit_count, first_time, last_time, size = _FACTS.unpack_from(data)
    places = [Place(*_PLACE.unpack_from(data, at)) for at in range(_FACTS.size, DIRECTORY_SIZE, _PLACE.size)]
    if not 0 < first_seq <= last_seq < SEQ_MAX or commit_count > last_seq - first_seq + 1:
        raise ValueError("the commits are none")
    for place in places:
        if place.offset + place.stored_size > stop or place.size > SECTION_SIZE_MAX:
            raise ValueError("a section stands outside of the file")
    if not (places[INDEX].size and places[PAGES].size):
        raise ValueError("a section is missing")
    return Directory(first_seq, last_seq, commit_count, first_time, last_time, size, places)


def pack_header(origins: tuple[int, int], store_id: bytes, cover_header: bytes) -> bytes:
    """What stands at the beginning."""
    header = HEADER.pack(MAGIC, VERSION, len(cover_header), 0, *origins, store_id) + cover_header
    return header + SUM.pack(xxh3_64_intdigest(header))


def identity_of(header: bytes) -> int:
    """What the checksum of the trailer is seeded with."""
    return xxh3_64_intdigest(header[: HEADER.size])


class Header:
    """What stood at the beginning."""

    __slots__ = ("cover_header", "identity", "origins", "size", "store_id")

    def __init__(
        self, origins: tuple[int, int], store_id: bytes, cover_header: bytes, size: int, identity: int
    ) -> None:
        self.origins = origins
        self.store_id = store_id
        self.cover_header = cover_header
        self.size = size
        self.identity = identity
        """What the checksum of the trailer is seeded with."""


def read_header(data: bytes, name: str) -> Header:
    """The header of a segment from its first bytes; `CorruptionError` when it isn't one."""
    if len(data) < HEADER.size + SUM.size or data[: len(MAGIC)] != MAGIC:
        raise damaged(name, 0, "not the beginning of a segment")
    _, version, cover_size, zero, first, last, store_id = HEADER.unpack_from(data)
    stop = HEADER.size + cover_size
    if len(data) < stop + SUM.size or SUM.unpack_from(data, stop)[0] != xxh3_64_intdigest(data[:stop]):
        raise damaged(name, 0, "the header of the segment is not what was written")
    if version != VERSION:
        raise damaged(name, len(MAGIC), f"a format of segments that this version of backpack does not know ({version})")
    if zero or not 0 < first <= last < SEQ_MAX:
        raise damaged(name, 0, "the header of the segment says what none says")
    return Header((first, last), store_id, data[HEADER.size : stop], stop + SUM.size, identity_of(data))


def pack_trailer(offset: int, size: int, checksum: int, identity: int) -> bytes:
    """What stands at the end, behind a directory of `size` bytes at `offset`."""
    trailer = TRAILER.pack(offset, size, checksum, offset + size + TRAILER_SIZE, END_MAGIC)
    return trailer + SUM.pack(xxh3_64_intdigest(trailer, identity))


def read_directory_before(file: File, end: int, size: int) -> tuple[int, bytes, bool]:
    """`(offset of the directory, its bytes as stored, does its checksum prove them?)` of a segment with a damaged end,
    if it ended there once. `size`: how many bytes it takes. `CorruptionError` when these are not there."""
    offset = end - TRAILER_SIZE - size
    stored = file.pread(size, offset) if offset > 0 else b""
    if len(stored) != size:
        raise damaged(file.name, max(offset, 0), "the directory of the segment is cut off")
    checksum = file.pread(SUM.size, end - TRAILER_SIZE + 2 * SUM.size)
    return offset, stored, checksum == SUM.pack(xxh3_64_intdigest(stored))


def read_trailer(file: File, file_size: int, header: Header) -> tuple[int, bytes]:
    """`(offset of the directory, its bytes as stored)`; `CorruptionError` when they are not what was written."""
    name = file.name
    data = file.pread(min(file_size, 1024), file_size - min(file_size, 1024))
    at = len(data) - TRAILER_SIZE
    try:
        offset, size, checksum, whole, magic = TRAILER.unpack_from(data, at)
        trailer_checksum = SUM.unpack_from(data, at + TRAILER.size)[0]
    except StructError:
        whole = -1
    if at < 0 or whole != file_size or magic != END_MAGIC:
        raise damaged(name, max(file_size - TRAILER_SIZE, 0), "the segment does not end where it should")
    if trailer_checksum != xxh3_64_intdigest(data[at : at + TRAILER.size], header.identity):
        raise damaged(name, file_size - TRAILER_SIZE, "the end of the segment is not what was written")
    if offset + size + TRAILER_SIZE != file_size or not 0 < size <= at or offset < header.size:
        raise damaged(name, file_size - TRAILER_SIZE, "the directory of the segment is not where it should be")
    stored = data[at - size : at]
    if xxh3_64_intdigest(stored) != checksum:
        raise damaged(name, offset, "the directory of the segment is not what was written")
    return offset, stored
