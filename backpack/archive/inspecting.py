"""Reads all of a segment and tells every fault: each piece, and whether the pieces agree.

One fault does not hide another: what can't be read is told, and the rest is read all the same. Cost: the whole file,
decompressed.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final, ParamSpec, TypeVar

from backpack.archive.content import Change
from backpack.archive.index import Ids, Index
from backpack.archive.keyframe import KeyframeTable, Keys, joined
from backpack.archive.layout import INDEX, KEYFRAME, PAGES
from backpack.archive.pages import Page
from backpack.archive.pieces import PageTable, Pieces, told
from backpack.archive.rows import Rows
from backpack.errors import CorruptionError, StorageError

Fault = CorruptionError | StorageError

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
_NEVER: Final = 1 << 62


def faults_of(pieces: Pieces) -> Iterator[Fault]:
    """Every fault of one segment, each once; raises nothing for damage, nor for what the disk refuses to read."""
    attempts = _Attempts(pieces)
    for number, place in enumerate(pieces.directory.places):
        if place.size:
            attempts.make(number, pieces.section, number)
            yield from attempts.faults()
    index = attempts.make(INDEX, pieces.index)
    table = attempts.make(PAGES, pieces.page_table)
    if index is not None and table is not None:
        attempts.make(INDEX, _check_places, pieces, index, table)
    if index is not None:
        yield from _faults_of_index(pieces, index, attempts)
        for number in range(index.block_count):
            attempts.make(INDEX, pieces.read_block, index, number)
            yield from attempts.faults()
    if table is not None:
        last = pieces.directory.first_seq - 1
        count = 0
        for number in range(table.count):
            page = attempts.make(PAGES, pieces.page, number)
            if page is not None:
                attempts.make(PAGES, _check_page, pieces, page, index, last)
                last = page.seqs[-1]
                count += len(page.seqs)
            yield from attempts.faults()
        if not attempts.told and (count != pieces.directory.commit_count or last > pieces.directory.last_seq):
            yield pieces.damaged(PAGES, "it does not have the commits it says")
    if pieces.directory.places[KEYFRAME].size:
        keyframe = attempts.make(KEYFRAME, pieces.keyframe)
        if keyframe is not None:
            yield from _faults_of_keyframe(pieces, keyframe, index, attempts)
    yield from attempts.faults()


def _faults_of_index(pieces: Pieces, index: Index, attempts: "_Attempts") -> Iterator[Fault]:
    """Those of its chunks, one by one; and whether they go on where the one before ends."""
    for number in range(index.ids.count):
        ids = attempts.make(INDEX, pieces.read_ids, index, number)
        if ids is not None:
            attempts.make(INDEX, _check_ids, index, number, ids)
        yield from attempts.faults()
    before = _Before()
    for number in range(index.rows.count):
        rows = attempts.make(INDEX, pieces.read_rows, index, number)
        if rows is None:
            before = _Before(is_known=False)
        else:
            attempts.make(INDEX, _check_keys, index, number, rows, before)
            attempts.make(INDEX, _check_rows, pieces, index, rows, before)
            attempts.make(INDEX, _check_sources, pieces, index, number, rows, before)
        yield from attempts.faults()
    if before.is_known and before.stop != pieces.directory.size:
        attempts.make(INDEX, _fail, "its sources are not as long as they should be")
    yield from attempts.faults()


def _faults_of_keyframe(
    pieces: Pieces, keyframe: KeyframeTable, index: Index | None, attempts: "_Attempts"
) -> Iterator[Fault]:
    """Those of its chunks."""
    chunks = []
    last = b""
    for number in range(keyframe.chunks.count):
        keys = attempts.make(KEYFRAME, pieces.read_keys, keyframe, number)
        if keys is not None:
            chunks.append(keys)
            last = attempts.make(KEYFRAME, _check_keyframe, pieces, keyframe, number, keys, index, last) or last
        yield from attempts.faults()
    if len(chunks) == keyframe.chunks.count:
        attempts.make(KEYFRAME, joined, chunks)


class _Attempts:
    """Calls that may fail, and what they failed with."""

    __slots__ = ("_faults", "_pieces", "told")

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._faults: list[Fault] = []
        self.told: set[str] = set()

    def make(
        self,
        section: int,
        call: Callable[_Arguments, _Result],
        *arguments: _Arguments.args,
        **named: _Arguments.kwargs,
    ) -> _Result | None:
        """What the call returns; None when it fails. A fault that names no place is one of that section."""
        try:
            return call(*arguments, **named)
        except (CorruptionError, StorageError) as error:
            fault: Fault = error
        except (ValueError, IndexError) as error:
            fault = self._pieces.damaged(section, told(error))
        if str(fault) not in self.told:
            self.told.add(str(fault))
            self._faults.append(fault)
        return None

    def faults(self) -> list[Fault]:
        """The new ones since the last time."""
        faults, self._faults = self._faults, []
        return faults


class _Before:
    """How the chunk of rows before one ends."""

    __slots__ = ("change", "is_known", "name", "stop")

    def __init__(self, *, is_known: bool = True) -> None:
        self.is_known = is_known
        """Could it be read?"""
        self.name = b""
        self.change: Change | None = None
        """The last one of that key."""
        self.stop = 0
        """Where the last source ends."""


def _fail(fault: str) -> None:
    raise ValueError(fault)


def _check_places(pieces: Pieces, index: Index, table: PageTable) -> None:
    """Do the pieces fill the file?"""
    runs = [index.block_offsets.tolist(), table.offsets.list(), index.rows.ends.tolist(), index.ids.ends.tolist()]
    if pieces.directory.places[KEYFRAME].size:
        runs.append(pieces.keyframe().chunks.ends.tolist())
    stop = pieces.header_size
    for ends in runs:
        if ends[0] != stop or any(start > stop for start, stop in pairwise(ends)):
            raise ValueError("there is something between its pieces")
        stop = ends[-1]
    places = sorted((place.offset, place.offset + place.stored_size) for place in pieces.directory.places if place.size)
    if places[0][0] != stop:
        raise ValueError("there is something between its pieces")
    if any(stop != start for (_, stop), (start, _) in pairwise(places)) or places[-1][1] != pieces.directory_offset:
        raise ValueError("there is something between its sections")


def _check_ids(index: Index, number: int, ids: Ids) -> None:
    start, stop = index.ids.span(number)
    found = list(map(ids.id_at, range(stop - start)))
    if not found or found[0] != index.first_id(number):
        raise ValueError("one of its sources can't be found")
    if any(one >= other for one, other in pairwise(found)):
        raise ValueError("its sources are not in order")
    if number + 1 < index.ids.count and found[-1] >= index.first_id(number + 1):
        raise ValueError("its sources are not in order")


def _check_keys(index: Index, number: int, rows: Rows, before: _Before) -> None:
    names = rows.names(rows.key_count) if rows.key_count else []
    first = index.first_of(number)
    if (first is None) != (not names):
        raise ValueError("one of its keys can't be found")
    if first is None:
        return
    if first != (names[0], rows.seq_of(0)) or not all(map(index.may_have, names)):
        raise ValueError("one of its keys can't be found")
    if names[0] < before.name or any(one >= other for one, other in pairwise(names)):
        raise ValueError("its keys are not in order")
    for place, name in enumerate(names):
        if rows.place_of(name) != place:
            raise ValueError("one of its keys can't be found")


def _check_rows(pieces: Pieces, index: Index, rows: Rows, before: _Before) -> None:
    stop = 0
    for place, key in enumerate(rows.key_names()):
        start, end = rows.rows_of(place)
        if start != stop:
            raise ValueError("the changes of a key are not where they should be")
        stop = end
        if key.encode() != before.name:
            before.name, before.change = key.encode(), None
        for row in range(start, end):
            change = rows.change(row, key, place)
            _check_change(pieces, index, change, before.change)
            before.change = change
    if stop != rows.row_count:
        raise ValueError("the changes of a key are not where they should be")


def _check_change(pieces: Pieces, index: Index, change: Change, before: Change | None) -> None:
    if change.seq > pieces.directory.last_seq:
        raise ValueError("it has a change of a later commit")
    if before is not None and not (before.seq < change.seq and before.version < change.version):
        raise ValueError("the changes of a key are not in order")
    if change.value is None:
        if change.kind != "delete":
            raise ValueError("a change has no value")
        return
    for origin, source, _, stop in change.value.cuts:
        if pieces.origins[0] <= origin <= pieces.origins[1]:
            first, last = pieces.span_of(index, (origin, source))
            if first < 0 or stop > last - first:
                raise ValueError("a value points to what the segment does not hold")


def _check_sources(pieces: Pieces, index: Index, number: int, rows: Rows, before: _Before) -> None:
    """Is each where it is said to be, and do they go on without a gap?"""
    for source in range(rows.source_count):
        start, stop = rows.span_at(source)
        if before.is_known and start != before.stop:
            raise ValueError("its sources are not in order")
        before.stop, before.is_known = stop, True
        if pieces.span_of(index, rows.id_at(source)) != (start, stop):
            raise ValueError("one of its sources can't be found")


def _check_page(pieces: Pieces, page: Page, index: Index | None, last: int) -> None:
    if page.seqs[0] <= last:
        raise ValueError("its pages are not in order")
    if any(time > later for time, later in pairwise(page.times)):
        raise ValueError("its commits are not in order of time")
    if index is None:
        return
    for at, seq in enumerate(page.seqs):
        for row in page.rows_at(at):
            rows, row_there = pieces.row_at(index, row)
            if rows.seq_of(row_there) != seq:
                raise ValueError("a commit names the change of another one")


def _check_keyframe(
    pieces: Pieces, keyframe: KeyframeTable, number: int, keys: Keys, index: Index | None, last: bytes
) -> bytes:
    """Returns the last name."""
    names = keys.names(keys.count)
    if not names or names[0] != keyframe.first_of(number):
        raise ValueError("a key of its keyframe can't be found")
    seqs, versions = keys.column(0), keys.column(1)
    for place, name in enumerate(names):
        if name <= last:
            raise ValueError("the keys of its keyframe are not in order")
        last = name
        if keys.place_of(name) != place or keys.seq_of(name) != seqs[place]:
            raise ValueError("a key of its keyframe can't be found")
        found = None if index is None else pieces.newest(index, name, _NEVER)
        if found is not None:
            rows, row, there = found
            change = rows.change(row, "", there)
            if (change.seq, change.version) != (seqs[place], versions[place]):
                raise ValueError("its keyframe does not name the last change of a key")
        elif seqs[place] > pieces.directory.last_seq:
            raise ValueError("its keyframe names a later commit")
    return last
