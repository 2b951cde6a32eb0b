"""Values that are more than the whole of one source: cuts, bytes of their own, digests of blobs, a reason.

Nothing that is read here is believed: a number is held against what it may be when it is used, and is ValueError at
worst.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from backpack.archive.columns import Column, pack_bytes, pack_column, pack_table, read_table
from backpack.archive.content import BLOB, CUTS_MAX, OWN, Change, Cut, Value
from backpack.archive.layout import DETAILS_COLUMNS, SEQ_MAX
from backpack.errors import InvalidArgumentError
from backpack.storage.cover import DIGEST_SIZE


class Detail(NamedTuple):
    """One value, or one reason, on its way to disk."""

    cuts: Sequence[Cut] = ()
    own: bytes = b""
    blobs: Sequence[bytes] = ()
    reason: bytes = b""
    size: int = 0
    """Of a value that was purged."""

    @property
    def stored_size(self) -> int:
        """Bytes that it takes, about."""
        return 16 + 12 * len(self.cuts) + len(self.own) + DIGEST_SIZE * len(self.blobs) + len(self.reason)


def detail_of(change: Change) -> Detail:
    """What is to be told of a change. `InvalidArgumentError` when it is too much."""
    value, reason = change.value, change.reason.encode()
    if value is None or change.is_purged:
        return Detail(reason=reason, size=0 if value is None else value.size)
    if len(value.cuts) > CUTS_MAX:
        raise InvalidArgumentError(f"a value of too many cuts: seq={change.seq} count={len(value.cuts)}")
    return Detail(value.cuts, value.own, value.blobs, reason)


def pack_details(details: Sequence[Detail]) -> bytes:
    """The table of them."""
    cuts = [cut for detail in details for cut in detail.cuts]
    columns = list(zip(*cuts, strict=True)) or [(), (), (), ()]
    return pack_table(
        [
            pack_column([0, *accumulate(len(detail.cuts) for detail in details)]),
            pack_column([0, *accumulate(len(detail.own) for detail in details)]),
            pack_column([0, *accumulate(DIGEST_SIZE * len(detail.blobs) for detail in details)]),
            pack_column([0, *accumulate(len(detail.reason) for detail in details)]),
            pack_column([detail.size for detail in details]),
            *map(pack_column, columns),
            pack_bytes(b"".join(detail.own for detail in details)),
            pack_bytes(b"".join(digest for detail in details for digest in detail.blobs)),
            pack_bytes(b"".join(detail.reason for detail in details)),
        ]
    )


class Details:
    """Those of some rows, as they stand in a segment."""

    __slots__ = (
        "_blob_starts",
        "_blobs",
        "_cut_starts",
        "_cuts",
        "_own",
        "_own_starts",
        "_reason_starts",
        "_reasons",
        "_sizes",
    )

    def __init__(self, data: bytes) -> None:
        """ValueError when they are none. Cost: O(columns)."""
        columns = read_table(data, DETAILS_COLUMNS)
        self._cut_starts, self._own_starts, self._blob_starts, self._reason_starts, self._sizes = columns[:5]
        self._cuts = tuple(columns[5:9])
        self._own, self._blobs, self._reasons = (column.data for column in columns[9:])
        count = len(self._sizes) + 1
        if any(len(column) != count for column in columns[:4]) or len({len(column) for column in self._cuts}) != 1:
            raise ValueError("the columns of the details do not belong together")
        if any(column.base for column in columns[9:]):
            raise ValueError("the details say what none say")

    def __len__(self) -> int:
        return len(self._sizes)

    def digests(self) -> set[bytes]:
        """All names of blobs."""
        whole = bytes(self._blobs)
        if len(whole) % DIGEST_SIZE:
            raise ValueError("not the name of a blob")
        return {whole[at : at + DIGEST_SIZE] for at in range(0, len(whole), DIGEST_SIZE)}

    def value(self, number: int, is_purged: bool) -> tuple[Value, str]:
        """`(value, reason)` of a detail."""
        if not 0 <= number < len(self._sizes):
            raise ValueError("a change without its detail")
        reason = str(_run(self._reason_starts, number, self._reasons, len(self._reasons)), "utf-8")
        if is_purged:
            return Value((), size=_bounded(self._sizes[number])), reason
        own = bytes(_run(self._own_starts, number, self._own, len(self._own)))
        digests = bytes(_run(self._blob_starts, number, self._blobs, CUTS_MAX * DIGEST_SIZE))
        if len(digests) % DIGEST_SIZE:
            raise ValueError("not the name of a blob")
        blobs = tuple([digests[at : at + DIGEST_SIZE] for at in range(0, len(digests), DIGEST_SIZE)])
        first, last = self._cut_starts[number], self._cut_starts[number + 1]
        origins, numbers, starts, stops = self._cuts
        if not 0 <= first <= last <= len(origins) or last - first > CUTS_MAX:
            raise ValueError("a value without its cuts")
        cuts: list[Cut] = []
        for at in range(first, last):
            origin, which, start, stop = origins[at], numbers[at], starts[at], stops[at]
            if not (BLOB <= origin < SEQ_MAX and 0 <= which < SEQ_MAX and 0 <= start <= stop < SEQ_MAX):
                raise ValueError("a cut says what none says")
            if (origin == OWN and stop > len(own)) or (origin == BLOB and which >= len(blobs)):
                raise ValueError("a cut of nothing")
            cuts.append((origin, which, start, stop))
        return Value(tuple(cuts), own, blobs), reason


def _run(starts: Column, number: int, data: "memoryview[int]", size_max: int) -> "memoryview[int]":
    start, stop = starts[number], starts[number + 1]
    if not 0 <= start <= stop <= len(data) or stop - start > size_max:
        raise ValueError("a detail outside of the details")
    return data[start:stop]


def _bounded(size: int) -> int:
    if not 0 <= size < SEQ_MAX:
        raise ValueError("a size that none has")
    return size
