"""The pieces of one segment's file (sections, pages, blocks), from the cache or else from the file.

Here is where bytes become believed: the checksum first, then the cover, then the promised size, then the shape. What
is wrong with any of them is `CorruptionError` with the file and the offset of the piece.
"""

from collections.abc import Callable, Hashable
from functools import update_wrapper
from typing import Concatenate, ParamSpec, Protocol, TypeVar
from weakref import ref

from xxhash import xxh3_64_intdigest
from zstandard import ZstdCompressionDict, ZstdDecompressor

from backpack.archive.cache import Cache
from backpack.archive.columns import Column, read_table
from backpack.archive.compressing import DIGESTED_SIZE, dictionary_of, inflate, unpack_section
from backpack.archive.content import SourceId
from backpack.archive.frames import damaged
from backpack.archive.index import Chunks, Ids, Index
from backpack.archive.keyframe import KeyframeTable, Keys
from backpack.archive.layout import (
    BLOCK_SIZE_MAX,
    DICTIONARY,
    DIRECTORY_SIZE,
    HEADER_SIZE_MAX,
    IDS_PLACE,
    INDEX,
    KEYFRAME,
    KEYS_PLACE,
    PAGES,
    PAGES_COLUMNS,
    ROWS_PLACE,
    SECTION_NAMES,
    SECTION_SIZE_MAX,
    Directory,
    Place,
    cover_name,
    read_directory,
    read_directory_before,
    read_header,
    read_trailer,
)
from backpack.archive.pages import Page
from backpack.archive.rows import Rows
from backpack.archive.tablet import Tablet
from backpack.errors import BackpackError, CorruptionError
from backpack.storage.cover import Covers
from backpack.storage.pooling import PooledFile

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class PageTable:
    """Where the pages of commits stand."""

    __slots__ = ("checksums", "count", "first_seqs", "first_times", "offsets", "size", "sizes")

    def __init__(self, data: bytes) -> None:
        """ValueError when it isn't one."""
        first_seqs, first_times, offsets, sizes, checksums = read_table(data, PAGES_COLUMNS)
        self.count = count = len(first_seqs)
        if not count == len(first_times) == len(sizes) == len(checksums) == len(offsets) - 1:
            raise ValueError("the columns of the table of pages do not belong together")
        self.first_seqs: Column = first_seqs
        self.first_times: Column = first_times
        self.offsets: Column = offsets
        self.sizes: Column = sizes
        self.checksums: Column = checksums
        self.size = len(data) + 1024


class _HasPieces(Protocol):
    @property
    def pieces(self) -> "Pieces": ...


_Self = TypeVar("_Self", bound=_HasPieces)


def believing(
    section: int,
) -> Callable[[Callable[Concatenate[_Self, _Arguments], _Result]], Callable[Concatenate[_Self, _Arguments], _Result]]:
    """For a method that reads the columns of a section: what is wrong with these is a `CorruptionError`."""

    def decorated(
        method: Callable[Concatenate[_Self, _Arguments], _Result],
    ) -> Callable[Concatenate[_Self, _Arguments], _Result]:
        def guarded(self: _Self, /, *arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
            try:
                return method(self, *arguments, **named)
            except BackpackError:
                raise
            except (ValueError, IndexError) as error:
                fault = told(error)
            raise self.pieces.damaged(section, fault)

        update_wrapper(guarded, method)
        return guarded

    return decorated


def told(error: Exception) -> str:
    """What is wrong, without a byte of what was stored."""
    return str(error) if type(error) is ValueError else f"it says what none says ({type(error).__name__})"


class Pieces:
    """One file of a segment, open."""

    __slots__ = (
        "_cache",
        "_cover",
        "_index_key",
        "_index_ref",
        "_is_covered",
        "_page_table_key",
        "_tool_key",
        "directory",
        "directory_offset",
        "file",
        "header_size",
        "number",
        "origins",
        "size",
    )

    def __init__(
        self, file: PooledFile, cache: Cache, covers: Covers, store_id: bytes, *, end: int | None = None
    ) -> None:
        """Reads the two ends; `CorruptionError` when they are not those of a segment of this store.

        `end`: the trailer is damaged or cut off, and this is how long the file may have been. What it says follows
        from that, but for a checksum: where that is gone too, the sections have to prove the directory.
        """
        self.file = file
        self.size = file.size()
        header = read_header(file.pread(HEADER_SIZE_MAX, 0), file.name)
        if header.store_id != store_id:
            raise damaged(file.name, 0, "the segment is of another store")
        self.origins = header.origins
        self.header_size = header.size
        self._cover = covers.known(cover_name(header.origins), header.cover_header)
        self._is_covered = self._cover.overhead > 0
        is_proved = True
        if end is None:
            offset, stored = read_trailer(file, self.size, header)
        else:
            offset, stored, is_proved = read_directory_before(file, end, DIRECTORY_SIZE + self._cover.overhead)
        self.directory_offset = offset
        self._cache = cache
        self.number = cache.number()
        self._index_key = (self.number, INDEX)
        self._index_ref: Callable[[], Index | None] = _nowhere
        """The index, if it was made and is in memory still: most likely in the cache."""
        self._page_table_key = (self.number, PAGES)
        fault = ""
        try:
            self.directory: Directory = read_directory(self._uncovered(stored, b"directory", offset), offset)
        except CorruptionError:
            raise
        except ValueError as error:
            fault = told(error)
        if fault:
            raise damaged(file.name, offset, fault)
        # those without a dictionary share their decompressors
        self._tool_key = self.number if self.directory.places[DICTIONARY].size else 0
        if not is_proved:
            self.section(INDEX)

    def damaged(self, section: int, fault: str) -> CorruptionError:
        """The error for a section that says what it can't."""
        return damaged(self.file.name, self.directory.places[section].offset, f"the segment is damaged, {fault}")

    def close(self) -> None:
        """Let go of the file and of what the cache has of it. Idempotent."""
        self._cache.forget(self.number)
        self.file.close()

    # -- what is kept --------------------------------------------------------------------------------------------

    def index(self) -> Index:
        """The index. Cost, when it isn't in the cache: one pread and a decompression."""
        index: Index | None = self._cache.get(self._index_key)  # type: ignore[assignment]
        if index is None:
            index = self._made(INDEX, Index)
            self._index_ref = ref(index)
        return index

    def index_at_hand(self) -> Index:
        """The same for a glance, which is no use that would keep it in the cache. Cost: a tenth of that."""
        return self._index_ref() or self.index()

    def page_table(self) -> PageTable:
        """Where the pages of commits stand."""
        table: PageTable | None = self._cache.get(self._page_table_key)  # type: ignore[assignment]
        return table if table is not None else self._made(PAGES, PageTable)

    def keyframe(self) -> KeyframeTable:
        """The keyframe, if there is one."""
        table: KeyframeTable | None = self._cache.get((self.number, KEYFRAME))  # type: ignore[assignment]
        return table if table is not None else self._made(KEYFRAME, KeyframeTable)

    def rows(self, index: Index, number: int) -> Rows:
        """A chunk of rows. Cost, when it isn't in the cache: one pread and a decompression of a few KB."""
        key = (self.number, ROWS_PLACE, number)
        data: bytes | None = self._cache.get(key)  # type: ignore[assignment]
        if data is not None:
            return Rows(data)
        return self._kept(key, self.read_rows(index, number))

    def ids(self, index: Index, number: int) -> Ids:
        """A chunk of the ids of sources. Cost: likewise."""
        key = (self.number, IDS_PLACE, number)
        data: bytes | None = self._cache.get(key)  # type: ignore[assignment]
        if data is not None:
            return Ids(data, index.ids.span(number)[0], index.first_id(number))
        return self._kept(key, self.read_ids(index, number))

    def keys(self, table: KeyframeTable, number: int) -> Keys:
        """A chunk of the keyframe. Cost: likewise."""
        key = (self.number, KEYS_PLACE, number)
        data: bytes | None = self._cache.get(key)  # type: ignore[assignment]
        if data is not None:
            return Keys(data)
        return self._kept(key, self.read_keys(table, number))

    def _kept(self, key: Hashable, tablet: "_Tablet") -> "_Tablet":
        self._cache.put(key, tablet.data, len(tablet.data))
        return tablet

    def _made(self, section: int, make: Callable[[bytes], "_Kept"]) -> "_Kept":
        data = self.section(section)
        try:
            made = make(data)
        except (ValueError, IndexError) as error:
            fault = told(error)
        else:
            self._cache.put((self.number, section), made, made.size)
            return made
        raise self.damaged(section, fault)

    def page(self, number: int) -> Page:
        """A page of commits."""
        key = (self.number, b"page", number)
        page: Page | None = self._cache.get(key)  # type: ignore[assignment]
        if page is not None:
            return page
        table = self.page_table()
        if not 0 <= number < table.count:
            raise self.damaged(PAGES, "there is no such page")
        offset = table.offsets[number]
        place = Place(offset, table.offsets[number + 1] - offset, table.sizes[number], table.checksums[number])
        if not 0 <= place.size <= SECTION_SIZE_MAX:
            raise self.damaged(PAGES, "a page is longer than one can be")
        data = self._read(place, b"page:%d" % number)
        try:
            page = Page(unpack_section(data, place.size), table.first_seqs[number], table.first_times[number])
        except (ValueError, IndexError) as error:
            fault = told(error)
        else:
            self._cache.put(key, page, page.size)
            return page
        raise damaged(self.file.name, offset, f"a page of commits is damaged, {fault}")

    def block(self, index: Index, number: int) -> bytes:
        """The bytes of a block. Cost, when it isn't in the cache: one pread and a decompression."""
        key = (self.number, b"block", number)
        block: bytes | None = self._cache.get_brief(key)  # type: ignore[assignment]
        if block is None:
            block = self.read_block(index, number)
            self._cache.put_brief(key, block, len(block))
        return block

    # -- what is looked up ---------------------------------------------------------------------------------------

    def newest(self, index: Index, name: bytes, seq: int) -> tuple[Rows, int, int] | None:
        """`(chunk, row in it, place of the key in it)` of the newest change of a key at or before a commit. Cost: one
        chunk."""
        number = index.chunk_before(name, seq)
        if number < 0:
            return None
        rows = self.rows(index, number)
        place = rows.place_of(name)
        row = rows.row_before(place, seq)
        return None if row < 0 else (rows, row, place)

    def row_at(self, index: Index, row: int) -> tuple[Rows, int]:
        """The chunk that has a row, and the number of the row there."""
        if not 0 <= row < index.row_count:
            raise ValueError("a commit names a change that is not there")
        number = index.rows.of(row)
        return self.rows(index, number), row - index.rows.span(number)[0]

    def span_of(self, index: Index, source: SourceId) -> tuple[int, int]:
        """Where the bytes of a source begin and end in the address space; `(-1, -1)` when it is not here. Cost: two
        chunks."""
        number = index.chunk_of_id(source)
        place = self.ids(index, number).place_of_id(source) if number >= 0 else -1
        if place < 0:
            return -1, -1
        number = index.chunk_of_place(place)
        return self.rows(index, number).span_at(place - index.places_of(number)[0])

    # -- what is read --------------------------------------------------------------------------------------------

    def read_rows(self, index: Index, number: int) -> Rows:
        """A chunk of rows from the file, whatever the cache has."""
        start, stop = index.rows.span(number)
        place, place_stop = index.places_of(number)
        row_count, count = stop - start, place_stop - place

        def checked(data: bytes) -> Rows:
            rows = Rows(data)
            rows.check((min(rows.key_count, row_count), row_count, count, count + 1))
            return rows

        return self._chunk(index.rows, ROWS_PLACE, number, checked)

    def read_ids(self, index: Index, number: int) -> Ids:
        """A chunk of the ids of sources from the file."""
        start, stop = index.ids.span(number)

        def checked(data: bytes) -> Ids:
            ids = Ids(data, start, index.first_id(number))
            ids.check((stop - start,))
            return ids

        return self._chunk(index.ids, IDS_PLACE, number, checked)

    def read_keys(self, table: KeyframeTable, number: int) -> Keys:
        """A chunk of the keyframe from the file."""
        start, stop = table.chunks.span(number)

        def checked(data: bytes) -> Keys:
            keys = Keys(data)
            keys.check((stop - start,))
            if not keys.is_plain():
                raise ValueError("the columns of some keys do not belong together")
            return keys

        return self._chunk(table.chunks, KEYS_PLACE, number, checked)

    def _chunk(self, chunks: Chunks, name: bytes, number: int, checked: Callable[[bytes], "_Made"]) -> "_Made":
        place = chunks.place(number)
        stored = self._read(place, name % number if self._is_covered else name)
        try:
            return checked(self._unpacked(stored, place.size))
        except (ValueError, IndexError) as error:
            fault = told(error)
        raise damaged(self.file.name, place.offset, f"a chunk of the index is damaged, {fault}")

    def read_block(self, index: Index, number: int) -> bytes:
        """The bytes of a block from the file, whatever the cache has."""
        if not 0 <= number < index.block_count:
            raise self.damaged(INDEX, "a source stands outside of the blocks")
        size = index.block_starts[number + 1] - index.block_starts[number]
        offset = index.block_offsets[number]
        if not 0 < size <= BLOCK_SIZE_MAX:
            raise self.damaged(INDEX, "a block is not as long as one can be")
        frame = self._stored(offset, index.block_offsets[number + 1] - offset, index.block_checksums[number])
        if self._is_covered:
            frame = self._uncovered(frame, b"block:%d" % number, offset)
        tools = self._cache.tools
        tool: ZstdDecompressor | None = tools.take(self._tool_key)  # type: ignore[assignment]
        if tool is None:
            tool = ZstdDecompressor(dict_data=self._dictionary())
        try:
            block = inflate(frame, size, tool)
        except ValueError as error:
            fault = told(error)
        else:
            tools.give_back(self._tool_key, tool)
            return block
        raise damaged(self.file.name, offset, f"a block is damaged, {fault}")

    def _dictionary(self) -> ZstdCompressionDict | None:
        """What the blocks share, digested."""
        if not self._tool_key:
            return None
        key = (self.number, DICTIONARY)
        dictionary: ZstdCompressionDict | None = self._cache.get_brief(key)  # type: ignore[assignment]
        if dictionary is None:
            dictionary = dictionary_of(self.section(DICTIONARY))
            self._cache.put_brief(key, dictionary, len(dictionary) + DIGESTED_SIZE)
        return dictionary

    def section(self, number: int) -> bytes:
        """The bytes of a section from the file."""
        place = self.directory.places[number]
        stored = self._read(place, SECTION_NAMES[number])
        try:
            return self._unpacked(stored, place.size)
        except ValueError as error:
            fault = told(error)
        raise self.damaged(number, fault)

    def _unpacked(self, stored: bytes, size: int) -> bytes:
        """A table of `size` bytes; ValueError when it isn't one."""
        tools = self._cache.tools
        tool: ZstdDecompressor | None = tools.take(0)  # type: ignore[assignment]
        if tool is None:
            tool = ZstdDecompressor()
        data = unpack_section(stored, size, tool)
        tools.give_back(0, tool)
        return data

    def _read(self, place: Place, name: bytes) -> bytes:
        """A piece, uncovered; `CorruptionError` when it is not what was written."""
        stored = self._stored(place.offset, place.stored_size, place.checksum)
        return self._uncovered(stored, name, place.offset) if self._is_covered else stored

    def _stored(self, offset: int, size: int, checksum: int) -> bytes:
        """A piece as it stands there; `CorruptionError` when it is not what was written."""
        if not 0 < size <= self.size - offset or offset < 0:
            raise damaged(self.file.name, 0, "a piece of the segment stands outside of it")
        stored = self.file.pread(size, offset)
        if len(stored) != size or xxh3_64_intdigest(stored) != checksum:
            raise damaged(self.file.name, offset, "a piece of the segment is not what was written")
        return stored

    def _uncovered(self, stored: bytes, name: bytes, offset: int) -> bytes:
        fault = ""
        try:
            return self._cover.uncover(stored, name)
        except CorruptionError as error:
            fault = str(error)
        raise damaged(self.file.name, offset, fault)


def _nowhere() -> None:
    return None


class _Sized(Protocol):
    size: int


_Kept = TypeVar("_Kept", bound=_Sized)
_Made = TypeVar("_Made")
_Tablet = TypeVar("_Tablet", bound=Tablet)
