"""Sealing: the bytes of a segment, made of what it shall contain. The layout is in layout.py.

The bytes come in pieces, and some are empty: a place to give way to threads that commit, about every 100 us of
work. Each source is read when its turn comes, so memory holds the rows of the segment as columns and little else.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import accumulate, chain
from typing import Final

from xxhash import xxh3_64_intdigest
from zstandard import ZstdCompressionDict

from backpack.archive.chunking import IdChunks, RowChunks
from backpack.archive.columns import Packed, pack_bytes, pack_column, pack_table
from backpack.archive.compressing import (
    SAMPLE_COUNT,
    SAMPLES_SIZE_MAX,
    SMALL_SIZE_MIN,
    Deflater,
    pack_section,
    train,
)
from backpack.archive.contents import Contents
from backpack.archive.drafting import Draft, Pauses, picked
from backpack.archive.keyframe import KeyChunks, Keyframe
from backpack.archive.layout import (
    BLOCK_SIZE,
    DICTIONARY,
    IDS_PLACE,
    INDEX,
    KEYFRAME,
    KEYS_PLACE,
    LARGE_BLOCK_SIZE,
    PAGES,
    ROWS_PLACE,
    SECTION_NAMES,
    SECTION_SIZE_MAX,
    Directory,
    Place,
    identity_of,
    pack_header,
    pack_trailer,
)
from backpack.archive.pages import pack_page, page_stop
from backpack.errors import InvalidArgumentError
from backpack.storage.cover import Cover

LEVEL_DEFAULT: Final = 3
_PIECE_SIZE: Final = 32 * 1024
"""Bytes of sources that one piece of the file is made of, about."""


def seal(
    contents: Contents,
    *,
    store_id: bytes,
    cover: Cover,
    keyframe: Keyframe | Callable[[], Keyframe | None] | None = None,
    level: int = LEVEL_DEFAULT,
    block_size: int = BLOCK_SIZE,
) -> Iterator[bytes]:
    """The file, piece by piece. A `keyframe` that is a call is made when all commits have been read.

    `InvalidArgumentError` when the contents can't be a segment."""
    sealing = _Sealing(contents, cover, level, block_size)
    yield from sealing.run(store_id, keyframe)


class _Sealing:
    """One segment on its way to disk."""

    __slots__ = (
        "_block_size",
        "_block_starts",
        "_contents",
        "_cover",
        "_deflater",
        "_draft",
        "_level",
        "_offset",
        "_offsets",
        "_places",
        "_sums",
    )

    def __init__(self, contents: Contents, cover: Cover, level: int, block_size: int) -> None:
        self._contents = contents
        self._cover = cover
        self._level = level
        self._block_size = block_size
        self._draft = Draft(contents)
        self._deflater = Deflater(level)
        self._offset = 0
        self._block_starts: array[int] = array("Q", [0])
        self._offsets: array[int] = array("Q")
        self._sums: array[int] = array("Q")
        self._places = [Place() for _ in SECTION_NAMES]

    def run(self, store_id: bytes, keyframe: Keyframe | Callable[[], Keyframe | None] | None) -> Iterator[bytes]:
        draft, contents = self._draft, self._contents
        header = pack_header(contents.origins, store_id, self._cover.header)
        self._offset = len(header)
        yield header
        yield from draft.take()
        yield from draft.arrange()
        dictionary = self._dictionary()
        yield b""
        yield from self._blocks(dictionary)
        pages = yield from self._pages()
        index = yield from self._index()
        keys = None
        if callable(keyframe):
            keyframe = keyframe()
        if keyframe is not None:
            chunks = KeyChunks(keyframe)
            yield from chunks.cut()
            keys = pack_table([*chunks.fences(), *(yield from self._chunks(KEYS_PLACE, chunks.starts, chunks.table))])
        if dictionary is not None:
            yield self._section(DICTIONARY, dictionary.as_bytes())
        yield self._section(INDEX, index)
        yield self._section(PAGES, pages)
        if keys is not None:
            yield self._section(KEYFRAME, keys)
        times = draft.times
        directory = Directory(
            contents.first_seq,
            contents.last_seq,
            len(times),
            times[0] if times else 0,
            times[-1] if times else 0,
            self._block_starts[-1],
            self._places,
        )
        stored = self._cover.cover(directory.packed(), b"directory")
        yield stored + pack_trailer(self._offset, len(stored), xxh3_64_intdigest(stored), identity_of(header))

    # -- blocks --------------------------------------------------------------------------------------------------

    def _dictionary(self) -> ZstdCompressionDict | None:
        """One for the sources that share blocks, if there are enough."""
        draft, limit = self._draft, self._block_size // 2
        sizes = draft.sizes
        small = [position for position in draft.place_ids if 0 < sizes[position] <= limit]
        total = sum([sizes[position] for position in small])
        if total < SMALL_SIZE_MIN:
            return None
        count = min(SAMPLE_COUNT, SAMPLES_SIZE_MAX * len(small) // total)
        step = max(len(small) // count, 1)
        samples = [b"".join(self._contents.parts_of(draft.ids[position])) for position in small[::step]]
        return train(samples, self._level)

    def _blocks(self, dictionary: ZstdCompressionDict | None) -> Pauses:
        small = self._deflater if dictionary is None else Deflater(self._level, dictionary)
        draft, parts_of, block_size = self._draft, self._contents.parts_of, self._block_size
        ids = yield from picked(draft.ids, draft.place_ids)
        sizes = yield from picked(draft.sizes, draft.place_ids)
        starts = draft.starts = [0, *accumulate(sizes)]
        yield b""
        pieces: list[bytes] = []
        paused_at = place = 0
        while place < len(ids):
            # as many sources as there is room for, none cut in two
            stop = bisect_right(starts, starts[place] + block_size, place) - 1
            if stop == place:
                yield b"".join(pieces)
                pieces = []
                yield from self._large(ids[place], starts[place + 1] - starts[place])
                place = paused_at = place + 1
                continue
            data = b"".join(chain.from_iterable(map(parts_of, ids[place:stop])))
            if len(data) != starts[stop] - starts[place]:
                raise InvalidArgumentError(f"sources are not as long as they should be: first={ids[place]}")
            if data:
                pieces.append(self._block(data, small))
            place = stop
            if starts[place] - starts[paused_at] >= _PIECE_SIZE:
                yield b"".join(pieces)
                pieces = []
                paused_at = place
        self._offsets.append(self._offset)
        yield b"".join(pieces)

    def _large(self, one: tuple[int, int], size: int) -> Pauses:
        """Blocks of its own for a long source."""
        pending = bytearray()
        done = 0
        for part in self._contents.parts_of(one):
            pending += part
            while len(pending) >= LARGE_BLOCK_SIZE:
                done += LARGE_BLOCK_SIZE
                yield self._block(bytes(pending[:LARGE_BLOCK_SIZE]), self._deflater)
                del pending[:LARGE_BLOCK_SIZE]
        if pending:
            yield self._block(bytes(pending), self._deflater)
        if done + len(pending) != size:
            raise InvalidArgumentError(f"a source is not as long as it should be: source={one} {size=}")

    def _block(self, data: bytes, deflater: Deflater) -> bytes:
        stored = self._cover.cover(deflater.deflate(data), b"block:%d" % len(self._sums))
        self._sums.append(xxh3_64_intdigest(stored))
        self._offsets.append(self._offset)
        self._offset += len(stored)
        self._block_starts.append(self._block_starts[-1] + len(data))
        return stored

    # -- commits -------------------------------------------------------------------------------------------------

    def _pages(self) -> Generator[bytes, None, bytes]:
        """All pages; returns the table of them."""
        draft = self._draft
        seqs, times, labels, counts = draft.commits, draft.times, draft.labels, draft.counts
        came = len(self._contents.base_rows)
        first_seqs: list[int] = []
        first_times: list[int] = []
        sizes: list[int] = []
        offsets = [self._offset]
        sums: list[int] = []
        start = 0
        while start < len(seqs):
            stop = page_stop(labels, counts, start)
            row_stop = came + sum(counts[start:stop])
            rows = draft.row_of[came:row_stop]
            data = pack_page(seqs[start:stop], times[start:stop], labels[start:stop], counts[start:stop], rows)
            stored = self._cover.cover(pack_section(data, self._deflater), b"page:%d" % len(sums))
            first_seqs.append(seqs[start])
            first_times.append(times[start])
            sizes.append(len(data))
            sums.append(xxh3_64_intdigest(stored))
            self._offset += len(stored)
            offsets.append(self._offset)
            start, came = stop, row_stop
            yield stored
        return pack_table(
            [
                pack_column(first_seqs),
                pack_column(first_times),
                pack_column(offsets, is_plain=True),
                pack_column(sizes, is_plain=True),
                pack_column(sums, is_plain=True),
            ]
        )

    # -- chunks --------------------------------------------------------------------------------------------------

    def _index(self) -> Generator[bytes, None, bytes]:
        """The chunks of rows and of ids; returns the table that tells where they are."""
        rows = RowChunks(self._draft)
        yield from rows.cut()
        sieve = yield from rows.sieve()
        places = yield from self._chunks(ROWS_PLACE, [0, *rows.ends], rows.table)
        ids = IdChunks(self._draft)
        id_places = yield from self._chunks(IDS_PLACE, ids.starts, ids.table)
        return pack_table(
            [
                *rows.fences(),
                *places,
                *ids.fences(),
                *id_places,
                pack_column(self._block_starts, is_plain=True),
                pack_column(self._offsets, is_plain=True),
                pack_column(self._sums, is_plain=True),
                pack_bytes(sieve),
            ]
        )

    def _chunks(
        self, place: bytes, starts: Sequence[int], table: Callable[[int], bytes]
    ) -> Generator[bytes, None, list[Packed]]:
        """Those that begin there; returns the columns that tell where they are."""
        sizes: list[int] = []
        sums: list[int] = []
        offsets = [self._offset]
        for number in range(len(starts) - 1):
            data = table(number)
            self._check_size(data)
            stored = self._cover.cover(pack_section(data, self._deflater), place % number)
            sizes.append(len(data))
            sums.append(xxh3_64_intdigest(stored))
            self._offset += len(stored)
            offsets.append(self._offset)
            yield stored
        return [pack_column(column, is_plain=True) for column in (offsets, sizes, sums)]

    # -- sections ------------------------------------------------------------------------------------------------

    def _section(self, number: int, data: bytes) -> bytes:
        self._check_size(data)
        stored = self._cover.cover(pack_section(data, self._deflater), SECTION_NAMES[number])
        self._places[number] = Place(self._offset, len(stored), len(data), xxh3_64_intdigest(stored))
        self._offset += len(stored)
        return stored

    def _check_size(self, data: bytes) -> None:
        if len(data) > SECTION_SIZE_MAX:
            raise InvalidArgumentError(f"too much for one segment: size={len(data)}")
