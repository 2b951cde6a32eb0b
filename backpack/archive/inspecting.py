"""Reads all of a segment and tells every fault: each piece, and whether the pieces agree.

One fault does not hide another: what can't be read is told, and the rest is read all the same. Cost: the whole file,
decompressed.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final, ParamSpec, TypeVar

from backpack.archive.content import Change
from backpack.archive.index import Index
from backpack.archive.layout import INDEX, KEYFRAME, PAGES
from backpack.archive.pages import Page
from backpack.archive.pieces import PageTable, Pieces, told
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
        attempts.make(INDEX, _check_keys, index)
        for number in range(index.key_count):
            attempts.make(INDEX, _check_rows, pieces, index, number)
            yield from attempts.faults()
        for number in range(index.block_count):
            attempts.make(INDEX, pieces.read_block, index, number)
            yield from attempts.faults()
    if table is not None:
        last = pieces.directory.first_seq - 1
        count = 0
        for number in range(table.count):
            page = attempts.make(PAGES, pieces.page, number)
            if page is not None:
                attempts.make(PAGES, _check_page, page, index, last)
                last = page.seqs[-1]
                count += len(page.seqs)
            yield from attempts.faults()
        if not attempts.told and (count != pieces.directory.commit_count or last > pieces.directory.last_seq):
            yield pieces.damaged(PAGES, "it does not have the commits it says")
    if pieces.directory.places[KEYFRAME].size:
        attempts.make(KEYFRAME, _check_keyframe, pieces, index)
    yield from attempts.faults()


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


def _check_places(pieces: Pieces, index: Index, table: PageTable) -> None:
    """Do the pieces fill the file?"""
    ends = [pieces.header_size, *index.block_offsets.tolist()]
    ends += [ends[-1], *table.offsets.list()]
    places = sorted((place.offset, place.offset + place.stored_size) for place in pieces.directory.places if place.size)
    if any(start > stop for start, stop in pairwise(ends)) or ends[0] != ends[1] or places[0][0] != ends[-1]:
        raise ValueError("there is something between its pieces")
    if any(stop != start for (_, stop), (start, _) in pairwise(places)) or places[-1][1] != pieces.directory_offset:
        raise ValueError("there is something between its sections")


def _check_keys(index: Index) -> None:
    last = ""
    for number in range(index.key_count):
        name = index.name_of(number)
        if name <= last:
            raise ValueError("its keys are not in order")
        if index.number_of(name) != number:
            raise ValueError("one of its keys can't be found")
        last = name


def _check_rows(pieces: Pieces, index: Index, number: int) -> None:
    key = index.name_of(number)
    before: Change | None = None
    for row in range(*index.rows_of(number)):
        change = index.change(row, key, number)
        if change.seq > pieces.directory.last_seq:
            raise ValueError("it has a change of a later commit")
        if before is not None and not (before.seq < change.seq and before.version < change.version):
            raise ValueError("the changes of a key are not in order")
        before = change
        if change.value is None:
            if change.kind != "delete":
                raise ValueError("a change has no value")
            continue
        for origin, source, _, stop in change.value.cuts:
            if pieces.origins[0] <= origin <= pieces.origins[1]:
                first, last = index.span_of(origin, source)
                if first < 0 or stop > last - first:
                    raise ValueError("a value points to what the segment does not hold")


def _check_page(page: Page, index: Index | None, last: int) -> None:
    if page.seqs[0] <= last:
        raise ValueError("its pages are not in order")
    if any(time > later for time, later in pairwise(page.times)):
        raise ValueError("its commits are not in order of time")
    if index is None:
        return
    for at, seq in enumerate(page.seqs):
        for row in page.rows_at(at):
            index.number_at(row)
            if index.seq_of(row) != seq:
                raise ValueError("a commit names the change of another one")


def _check_keyframe(pieces: Pieces, index: Index | None) -> None:
    table = pieces.keyframe()
    keyframe = table.read()
    last = ""
    for name, seq, version in zip(keyframe.names, keyframe.seqs, keyframe.versions, strict=True):
        if name <= last:
            raise ValueError("the keys of its keyframe are not in order")
        if table.seq_of(name) != seq:
            raise ValueError("a key of its keyframe can't be found")
        last = name
        number = -1 if index is None else index.number_of(name)
        if index is not None and number >= 0:
            row = index.row_before(number, _NEVER)
            change = index.change(row, name, number)
            if (change.seq, change.version) != (seq, version):
                raise ValueError("its keyframe does not name the last change of a key")
        elif seq > pieces.directory.last_seq:
            raise ValueError("its keyframe names a later commit")
