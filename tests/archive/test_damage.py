"""Damage is `CorruptionError` with a place, or the right data: never wrong data, never another error."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest
from zstandard import ZstdCompressor, ZstdDecompressor

from backpack.archive.columns import Packed, pack_bytes, pack_column, pack_table, read_table
from backpack.archive.compressing import Deflater, inflate, unpack_section
from backpack.archive.index import IDS
from backpack.archive.keyframe import KEYS as KEYFRAME_KEYS
from backpack.archive.layout import (
    BLOCK_SIZE_MAX,
    DETAILS_COLUMNS,
    DIRECTORY_SIZE,
    HEADER_SIZE_MAX,
    INDEX,
    INDEX_COLUMNS,
    KEYFRAME,
    KEYFRAME_COLUMNS,
    PAGES,
    PAGES_COLUMNS,
    TRAILER_SIZE,
    pack_trailer,
    read_directory,
    read_header,
)
from backpack.archive.pages import PAGE_COLUMNS, Page
from backpack.archive.rows import ROWS
from backpack.archive.segment import Segment
from backpack.archive.tablet import Tablet, pack_tablet
from backpack.errors import CorruptionError
from tests.archive.made import KEYS, Made, everything, opened
from tests.archive.test_segments import keyframe_of


def told(segment: Segment, content: Made) -> Iterator[Any]:
    """Everything a segment says, piece by piece; None where it says that it is damaged."""

    def tried(read: Callable[[], Any]) -> Any:
        try:
            return read()
        except CorruptionError as error:
            assert error.file == "1.seg" and isinstance(error.offset, int)
            return None

    for key in ("a", "b", "c", "never"):
        for seq in range(7):
            yield tried(lambda key=key, seq=seq: _plain(segment.find(key, seq)))  # type: ignore[misc]
        yield tried(lambda key=key: list(map(_plain, segment.changes(key))))  # type: ignore[misc]
        yield tried(lambda key=key: segment.keyframe_seq_of(key))  # type: ignore[misc]
    yield tried(segment.keys)
    yield tried(lambda: [_commit(row) for row in segment.commits(99, 0)])
    for seq in range(7):
        yield tried(lambda seq=seq: _commit(segment.commit(seq)))  # type: ignore[misc]
    for time_ns in (0, 1_000, 2_400, 10_000):
        yield tried(lambda time_ns=time_ns: segment.seq_at(time_ns))  # type: ignore[misc]
    for source, data in content.sources.items():
        yield tried(lambda source=source, data=data: segment.read(*source, 0, len(data)))  # type: ignore[misc]
    yield tried(lambda: _keyframe(segment))


def _plain(change: Any) -> Any:
    if change is None:
        return "none"
    value = None if change.value is None else (change.value.cuts, change.value.own, change.value.blobs)
    return change.key, change.seq, change.kind, change.version, value, change.size, change.is_large, change.is_purged


def _commit(row: Any) -> Any:
    return "none" if row is None else (row.seq, row.time_ns, row.label, list(map(_plain, row.changes)))


def _keyframe(segment: Segment) -> Any:
    keyframe = segment.keyframe()
    assert keyframe is not None
    return list(keyframe.names), list(keyframe.seqs), list(keyframe.versions), list(keyframe.sizes)


def right_or_refused(data: bytes, content: Made, expected: list[Any]) -> bool:
    """Is the damage noticed? Fails when wrong data is told."""
    try:
        segment = opened(data)
    except CorruptionError as error:
        assert error.file == "1.seg"
        return True
    found = list(told(segment, content))
    assert all(one is None or one == other for one, other in zip(found, expected, strict=True))
    assert list(segment.check())
    return True


def small() -> tuple[Made, bytes, list[Any]]:
    content = everything()
    data = content.sealed(keyframe=keyframe_of(content))
    segment = opened(data)
    assert list(segment.check()) == []
    expected = list(told(segment, content))
    assert None not in expected
    return content, data, expected


def test_every_flipped_byte_is_noticed_and_tells_nothing_wrong() -> None:
    content, data, expected = small()
    for at in range(len(data)):
        for mask in (0xFF, 0x01):
            damaged = bytearray(data)
            damaged[at] ^= mask
            assert right_or_refused(bytes(damaged), content, expected)


def test_every_truncation_and_extension_is_refused() -> None:
    _, data, _ = small()
    for size in range(len(data)):
        with pytest.raises(CorruptionError):
            opened(data[:size])
    for more in (b"\0", b"x" * 100, data):
        with pytest.raises(CorruptionError):
            opened(data + more)


def moved(origin: int) -> bytes:
    """The small segment with another number."""
    content = everything()
    content.origins = (origin, origin)
    content.sources = {(origin, number): data for (_, number), data in content.sources.items()}
    for change in content.changes:
        if change.value is not None and not change.is_purged:
            change.value.cuts = tuple((origin, *cut[1:]) if cut[0] == 1 else cut for cut in change.value.cuts)
    return content.sealed()


def test_the_end_of_one_segment_does_not_stand_for_that_of_another() -> None:
    segments = sorted(map(moved, range(2, 30)), key=len)
    one, other = next((one, other) for one, other in pairwise(segments) if len(one) == len(other))
    with pytest.raises(CorruptionError, match="the end of the segment"):
        opened(one[:-TRAILER_SIZE] + other[-TRAILER_SIZE:])


# -- hostile bytes with right checksums --------------------------------------------------------------------------------

ROWS_CHUNK, IDS_CHUNK, KEYS_CHUNK, DETAILS = "rows", "ids", "keys", "details"
"""Beside the numbers of the sections: what may be put in place of what was sealed."""

_SHAPES = {ROWS_CHUNK: ROWS, IDS_CHUNK: IDS, KEYS_CHUNK: KEYFRAME_KEYS}
_COLUMN_COUNTS = {INDEX: INDEX_COLUMNS, PAGES: PAGES_COLUMNS, KEYFRAME: KEYFRAME_COLUMNS, DETAILS: DETAILS_COLUMNS}
_PLACES_AT = {ROWS_CHUNK: (INDEX, 5), IDS_CHUNK: (INDEX, 11), KEYS_CHUNK: (KEYFRAME, 3)}
"""The section that says where the chunks of that kind are, and the first of its columns that do."""

Target = int | str
TARGETS = [INDEX, PAGES, KEYFRAME, ROWS_CHUNK, IDS_CHUNK, KEYS_CHUNK]


def resealed(data: bytes, target: Target, table: bytes) -> bytes:
    """The same segment with another section, or another first chunk, and every checksum right."""
    header = read_header(data[:HEADER_SIZE_MAX], "1.seg")
    directory_at = len(data) - TRAILER_SIZE - DIRECTORY_SIZE
    directory = read_directory(data[directory_at : directory_at + DIRECTORY_SIZE], directory_at)
    body = bytearray(data[:directory_at])
    if isinstance(target, str):
        section, first = _PLACES_AT[target]
        columns = [
            column.list() for column in read_table(opened(data).pieces.section(section), _COLUMN_COUNTS[section])
        ]
        offsets, sizes, checksums = columns[first : first + 3]
        behind = data[offsets[1] : offsets[-1]]
        columns[first] = [len(body), *[len(body) + len(table) - offsets[1] + one for one in offsets[1:]]]
        columns[first + 1 : first + 3] = [len(table), *sizes[1:]], [xxh3_64_intdigest(table), *checksums[1:]]
        body += table + behind
        table = packed_again(columns)
        target = section
    place = directory.places[target]
    place.offset, place.stored_size, place.size = len(body), len(table), len(table)
    place.checksum = xxh3_64_intdigest(table)
    body += table
    packed = directory.packed()
    return bytes(body) + packed + pack_trailer(len(body), len(packed), xxh3_64_intdigest(packed), header.identity)


def packed_again(columns: list[list[int]]) -> bytes:
    return pack_table([pack_column(one, is_plain=min(one, default=0) >= 0) for one in columns])


def chunk_of(segment: Segment, target: str) -> Tablet:
    """The first chunk of that kind."""
    pieces = segment.pieces
    if target == KEYS_CHUNK:
        return pieces.keys(pieces.keyframe(), 0)
    return pieces.rows(pieces.index(), 0) if target == ROWS_CHUNK else pieces.ids(pieces.index(), 0)


def columns_of(segment: Segment, target: Target) -> list[list[int]]:
    """The numbers of a section, or of a chunk."""
    if target == DETAILS:
        return [column.list() for column in read_table(chunk_of(segment, ROWS_CHUNK).tail(), DETAILS_COLUMNS)]
    if isinstance(target, str):
        tablet = chunk_of(segment, target)
        return [tablet.column(number).list() for number in range(len(_SHAPES[target].columns))]
    return [column.list() for column in read_table(segment.pieces.section(target), _COLUMN_COUNTS[target])]


def rewritten(sealed: bytes, target: Target, packed: list[Packed], counts: Sequence[int] | None = None) -> bytes:
    """The segment with other columns there."""
    if not isinstance(target, str):
        return resealed(sealed, target, pack_table(packed))
    tablet = chunk_of(opened(sealed), ROWS_CHUNK if target == DETAILS else target)
    names = tablet.text().split(b"\xff")[:-1]
    if target == DETAILS:
        columns = [pack_column(column) for column in columns_of(opened(sealed), ROWS_CHUNK)]
        return resealed(sealed, ROWS_CHUNK, pack_tablet(ROWS, tablet.counts, columns, names, pack_table(packed)))
    there = None if target == IDS_CHUNK else names
    table = pack_tablet(_SHAPES[target], tablet.counts if counts is None else counts, packed, there, tablet.tail())
    return resealed(sealed, target, table)


_NUMBERS = st.one_of(
    st.integers(0, 5), st.sampled_from([100, 255, 2**16, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1])
)


@given(st.sampled_from([*TARGETS, DETAILS]), st.data())
def test_hostile_numbers_with_right_checksums_are_corruption_at_worst(target: Target, data: st.DataObject) -> None:
    content = everything()
    sealed = content.sealed(keyframe=keyframe_of(content))
    columns = columns_of(opened(sealed), target)
    count = len(columns)
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, count - 1))
        if data.draw(st.booleans()) and columns[number]:
            at = data.draw(st.integers(0, len(columns[number]) - 1))
            columns[number] = [max(one, 0) for one in columns[number]]
            columns[number][at] = data.draw(_NUMBERS)
        else:
            columns[number] = data.draw(st.lists(_NUMBERS, max_size=8))
    plain = [
        max(column, default=0) >= 2**62 or (data.draw(st.booleans()) and min(column, default=0) >= 0)
        for column in columns
    ]
    packed = [pack_column(column, is_plain=one) for column, one in zip(columns, plain, strict=True)]
    counts = None
    if target in _SHAPES and data.draw(st.booleans()):
        counts = data.draw(st.lists(st.integers(0, 2**32 - 1), min_size=4, max_size=4))[
            : len(chunk_of(opened(sealed), target).counts)
        ]
    try:
        segment = opened(rewritten(sealed, target, packed, counts))
    except CorruptionError:
        return
    for _ in told(segment, content):
        pass
    for key in KEYS:
        with suppress(CorruptionError):
            segment.find(key, 3)
    list(segment.check())


@given(st.sampled_from(TARGETS), st.binary(min_size=1, max_size=200))
def test_any_bytes_as_a_section_or_a_chunk_are_corruption_at_worst(target: Target, table: bytes) -> None:
    content = everything()
    sealed = content.sealed(keyframe=keyframe_of(content))
    try:
        segment = opened(resealed(sealed, target, table))
    except CorruptionError:
        return
    list(told(segment, content))
    assert list(segment.check())


@given(st.data())
def test_hostile_pages_are_refused_as_values(data: st.DataObject) -> None:
    columns = [data.draw(st.lists(_NUMBERS, max_size=4)) for _ in range(PAGE_COLUMNS)]
    table = pack_table([*[pack_column(one, is_plain=True) for one in columns[:-1]], pack_bytes(b"text")])
    try:
        page = Page(table, 1, 0)
    except ValueError:
        return
    assert page.seqs == sorted(page.seqs)


def test_a_table_does_not_take_more_than_its_bytes_promise() -> None:
    with pytest.raises(ValueError):
        read_table(pack_table([pack_column([7] * 10)]).replace((10).to_bytes(8, "little"), b"\xff" * 7 + b"\x00", 1), 1)
    bomb = Deflater(19).deflate(bytes(64 << 20))
    assert len(bomb) < 10_000
    with pytest.raises(ValueError, match="not as long"):
        unpack_section(bomb, 64 << 20)


def test_a_frame_that_says_another_size_is_not_decompressed() -> None:
    frame = ZstdCompressor().compress(b"abc" * 1000)
    unsized = ZstdCompressor(write_content_size=False).compress(b"abc" * 1000)
    for bad, size in ((frame, 2999), (frame, 3001), (unsized, 3000)):
        with pytest.raises(ValueError, match="not as long as it should be"):
            inflate(bad, size, ZstdDecompressor())
    for bad, size in ((b"", 0), (frame[:-1], 3000), (b"nonsense" * 3, 9)):
        with pytest.raises(ValueError, match="can't be decompressed"):
            inflate(bad, size, ZstdDecompressor())
    assert inflate(frame, 3000, ZstdDecompressor()) == b"abc" * 1000


def test_a_block_that_is_longer_than_any_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backpack.archive.sealing.LARGE_BLOCK_SIZE", BLOCK_SIZE_MAX + 1)
    content = everything()
    whole = content.sources[1, 1] = bytes(BLOCK_SIZE_MAX + 1)
    segment = opened(content.sealed())
    assert segment.read(1, 0, 0, 5) == content.sources[1, 0][:5]
    with pytest.raises(CorruptionError, match="a block is not as long as one can be"):
        segment.read(1, 1, 0, len(whole))


# -- what only a full check finds -------------------------------------------------------------------------------------


def edited(target: Target, column: int, at: int, number: int) -> Segment:
    """The small segment with one number changed and every checksum right."""
    content = everything()
    sealed = content.sealed(keyframe=keyframe_of(content))
    columns = columns_of(opened(sealed), target)
    columns[column][at] = number
    packed = [pack_column(one, is_plain=min(one, default=0) >= 0) for one in columns]
    return opened(rewritten(sealed, target, packed))


def faults(segment: Segment) -> str:
    return "; ".join(map(str, segment.check()))


_CUT_NUMBERS, _CUT_STOPS = 6, 8
_SEQS, _VERSIONS, _STARTS = 2, 4, 8


@pytest.mark.parametrize(
    ("target", "column", "at", "number", "fault"),
    [
        (INDEX, 2, 0, 3, "one of its keys can't be found"),
        (INDEX, 1, 0, 0x60, "one of its keys can't be found"),
        (INDEX, 17, 0, 0, "one of its keys can't be found"),
        (INDEX, 9, 0, 1, "one of its sources can't be found"),
        (INDEX, 5, 1, 12345, "there is something between its pieces"),
        (ROWS_CHUNK, _SEQS, 0, 2, "names the change of another one"),
        (ROWS_CHUNK, _VERSIONS, 1, 100, "the changes of a key are not in order"),
        (ROWS_CHUNK, _STARTS, 0, 1, "its sources are not in order"),
        (ROWS_CHUNK, _STARTS, -1, 10_000, "its sources are not in order"),
        (INDEX, 4, 1, 4, "do not belong together"),
        (IDS_CHUNK, 2, 0, 1, "one of its sources can't be found"),
        (DETAILS, _CUT_STOPS, 1, 10_000, "a value points to what the segment does not hold"),
        (DETAILS, _CUT_NUMBERS, 3, 1, "a cut of nothing"),
        (KEYS_CHUNK, 0, 0, 4, "its keyframe does not name the last change of a key"),
        (KEYS_CHUNK, 2, 0, 9, "the keyframe names a change of no kind"),
        (KEYS_CHUNK, 2, 0, 0x101, "the keyframe names a change of no kind"),
        (KEYFRAME, 1, 0, 0x60, "a key of its keyframe can't be found"),
    ],
)
def test_a_check_finds_what_no_checksum_shows(target: Target, column: int, at: int, number: int, fault: str) -> None:
    assert fault in faults(edited(target, column, at, number))


def test_a_commit_does_not_tell_the_change_of_another_one() -> None:
    segment = edited(ROWS_CHUNK, _SEQS, 0, 2)
    with pytest.raises(CorruptionError, match="another one"):
        segment.commit(1)


def test_a_cut_of_a_blob_that_is_not_named_is_refused() -> None:
    segment = edited(DETAILS, _CUT_NUMBERS, 3, 1)
    with pytest.raises(CorruptionError, match="a cut of nothing"):
        segment.changes("b")
