"""One blob: any bytes of a large value, and any line, at the cost of the frames in which they stand.

Opening reads the header and the last 4 KiB; both levels of the table are proved before a number of them is used. The
last page and the last two frames are kept, so neighbouring slices are cheap: 512 KiB a blob. Any number of threads may
read one blob: what is kept is exchanged as a whole.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from backpack.blobs import layout
from backpack.blobs.frames import expand
from backpack.blobs.newlines import after_newline
from backpack.errors import CorruptionError, InvalidArgumentError, WrongKeyError
from backpack.limits import KIB
from backpack.storage.cover import Cover, Covers
from backpack.storage.protocol import File

_TAIL_SIZE: Final = 4 * KIB
_FRAMES_KEPT: Final = 2
"""One for the slice, one for the header of the text: every search for a line begins behind it."""

T = TypeVar("T")


class Blob:
    """A blob that is open. `CorruptionError` names file and offset; `StorageError` when the disk can't be read."""

    __slots__ = (
        "_cover",
        "_covers",
        "_digest",
        "_directory",
        "_file",
        "_last_frames",
        "_last_page",
        "_page_size",
        "file_size",
    )

    def __init__(self, file: File, digest: bytes, covers: Covers) -> None:
        self._file = file
        self._digest = digest
        self._covers = covers
        self.file_size: Final = file.size()
        """Bytes of the file."""
        head = file.pread(layout.HEADER_SIZE_MAX, 0)
        header_size, cover_header = self._proved(0, layout.read_header, head)
        self._cover: Cover = self._proved(0, covers.known, layout.COVER_NAME, cover_header)
        self._directory = self._read_directory(header_size)
        self._page_size = layout.PAGE_FRAMES * layout.FRAME_ROW_SIZE + self._cover.overhead
        self._last_page: tuple[int, layout.Page] | None = None
        self._last_frames: tuple[tuple[int, bytes], ...] = ()

    def __enter__(self) -> "Blob":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Blob of {self._file.name!r} size={self.size}>"

    def close(self) -> None:
        """Idempotent. Whoever shares the blob with other threads lets go of it instead."""
        self._file.close()

    @property
    def digest(self) -> bytes:
        return self._digest

    @property
    def size(self) -> int:
        """Raw bytes: the packed size of the value."""
        return self._directory.size

    @property
    def line_count(self) -> int:
        """How many newlines there are in the raw bytes."""
        return self._directory.newline_count

    # -- reading ---------------------------------------------------------------------------------------------------

    def read(self, start: int, length: int) -> bytes:
        """The raw bytes from there, fewer only at the end. Cost: the frames in which they stand."""
        if start < 0 or length < 0:
            raise InvalidArgumentError(f"no slice: {start=} {length=}; both count from 0")
        stop = min(start + length, self.size)
        if start >= stop:
            return b""
        frame_size = self._directory.frame_size
        first, last = start // frame_size, (stop - 1) // frame_size
        at = start - first * frame_size
        if first == last:
            return self._frame(first)[at : stop - first * frame_size]
        parts = [self._frame(first)[at:]]
        parts += [self._expanded(number) for number in range(first + 1, last)]
        parts.append(self._frame(last)[: stop - last * frame_size])
        return b"".join(parts)

    def chunks(self) -> Iterator[bytes]:
        """All raw bytes in order, a frame at a time."""
        for number in range(self._directory.frame_count):
            yield self._expanded(number)

    def count_newlines(self, start: int, stop: int) -> int:
        """Newlines in the raw bytes from `start` up to `stop`. Cost: two frames."""
        return self._newlines_before(stop) - self._newlines_before(start)

    def find_line(self, number: int, start: int = 0) -> int:
        """The raw offset at which line `number` begins, where line 0 begins at `start`; the size of the raw bytes when
        there are fewer lines. Cost: two bisections and two frames."""
        if number < 0 or start < 0:
            raise InvalidArgumentError(f"no line: {number=} {start=}; both count from 0")
        if not number:
            return min(start, self.size)
        wanted = self._newlines_before(start) + number
        directory = self._directory
        if wanted > directory.newline_count:
            return directory.size
        page_number = bisect_left(directory.newlines, wanted) - 1
        page = self._page(page_number)
        row = bisect_left(page.newlines, wanted) - 1
        frame_number = page_number * layout.PAGE_FRAMES + row
        found = after_newline(self._frame(frame_number), wanted - page.newlines[row])
        if found is None:
            raise self._damaged("a frame has fewer newlines than the table says", page.starts[row])
        return frame_number * directory.frame_size + found

    def _newlines_before(self, offset: int) -> int:
        """Newlines in the raw bytes before that offset."""
        directory = self._directory
        if offset >= directory.size:
            return directory.newline_count
        number = offset // directory.frame_size
        page_number, row = divmod(number, layout.PAGE_FRAMES)
        before, at = self._page(page_number).newlines[row], offset - number * directory.frame_size
        return before + self._frame(number).count(b"\n", 0, at) if at else before

    # -- proving ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Read and prove everything: checksums, sizes, newlines and at last the digest. `CorruptionError` for the
        first thing that is wrong."""
        digest = self._covers.digest(self._checked_chunks())
        if digest != self._digest:
            raise self._damaged(f"the content is another one: digest={digest.hex()}", 0)

    def check_stored(self) -> None:
        """Hold every byte of the file against its checksum and unpack nothing: what a crash can tear is found, at the
        speed of reading."""
        for number in range(self._directory.frame_count):
            self._stored(number)

    def _checked_chunks(self) -> Iterator[bytes]:
        for number, raw in enumerate(self.chunks()):
            page_number, row = divmod(number, layout.PAGE_FRAMES)
            page = self._page(page_number)
            if raw.count(b"\n") != page.newlines[row + 1] - page.newlines[row]:
                raise self._damaged("a frame has other newlines than the table says", page.starts[row])
            yield raw

    # -- pieces of the file ----------------------------------------------------------------------------------------

    def _read_directory(self, header_size: int) -> layout.Directory:
        end = self.file_size
        if end < header_size + layout.TRAILER_SIZE:
            raise self._damaged("the blob is cut short", end)
        tail = self._file.pread(min(end, _TAIL_SIZE), max(0, end - _TAIL_SIZE))
        trailer_start = end - layout.TRAILER_SIZE
        trailer = self._proved(trailer_start, layout.read_trailer, tail[-layout.TRAILER_SIZE :], header_size, end)
        size = trailer.directory_size
        start = trailer_start - size
        covered = tail[-layout.TRAILER_SIZE - size : -layout.TRAILER_SIZE]
        if len(covered) < size:
            covered = self._file.pread(size, start)
        packed = self._uncovered(covered, trailer.directory_checksum, layout.directory_place(self._digest), start)
        pages_size = start - trailer.pages_start
        facts = (self._digest, header_size, trailer.pages_start, pages_size, self._cover.overhead)
        return self._proved(start, layout.read_directory, packed, *facts)

    def _page(self, number: int) -> layout.Page:
        kept = self._last_page
        if kept is not None and kept[0] == number:
            return kept[1]
        directory, overhead = self._directory, self._cover.overhead
        start = directory.starts[-1] + number * self._page_size
        size = directory.page_rows(number) * layout.FRAME_ROW_SIZE + overhead
        covered = self._file.pread(size, start)
        packed = self._uncovered(covered, directory.checksums[number], layout.page_place(number), start)
        page = self._proved(start, layout.read_page, packed, directory, number, overhead)
        self._last_page = number, page
        return page

    def _frame(self, number: int) -> bytes:
        """The raw bytes of a frame, kept for the next slice."""
        kept = self._last_frames
        for found in kept:
            if found[0] == number:
                return found[1]
        raw = self._expanded(number)
        self._last_frames = ((number, raw), *kept[: _FRAMES_KEPT - 1])
        return raw

    def _expanded(self, number: int) -> bytes:
        squeezed, start = self._stored(number)
        return self._proved(start, expand, squeezed, self._directory.raw_size(number))

    def _stored(self, number: int) -> tuple[bytes, int]:
        """A frame as it was before it was covered, and where it stands."""
        page_number, row = divmod(number, layout.PAGE_FRAMES)
        page = self._page(page_number)
        start = page.starts[row]
        covered = self._file.pread(page.starts[row + 1] - start, start)
        return self._uncovered(covered, page.checksums[row], layout.frame_place(number), start), start

    def _uncovered(self, covered: bytes, checksum: int, place: bytes, offset: int) -> bytes:
        if layout.checksum(covered) != checksum:
            raise self._damaged(f"the checksum of {place.decode()} does not match", offset)
        return self._proved(offset, self._cover.uncover, covered, place)

    # -- faults ----------------------------------------------------------------------------------------------------

    def _proved(self, offset: int, act: Callable[..., T], *arguments: object) -> T:
        """What `act` makes of bytes from there; its `CorruptionError` gets file and offset."""
        key_id = None
        try:
            return act(*arguments)
        except WrongKeyError as error:
            what, key_id = str(error), error.key_id
        except CorruptionError as error:
            what = str(error)
        if key_id is not None:
            raise WrongKeyError(f"{what}; file={self._file.name!r}", key_id=key_id, file=self._file.name, offset=offset)
        raise self._damaged(what, offset)

    def _damaged(self, what: str, offset: int) -> CorruptionError:
        name = self._file.name
        return CorruptionError(f"a blob is damaged: {what}; file={name!r} {offset=}", file=name, offset=offset)
