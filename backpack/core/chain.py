"""The versions of one key: two columns, the `seq` of each change and what it put there.

A read as of commit s is one bisection; nothing is ever replayed. Changes are appended in the order of `seq`. A change
that no commit in memory can see any more becomes a hole (None), and holes are squeezed out once they outnumber the
rest, so dropping costs O(1) amortised whatever its place.

Readers take no lock: `columns` is one reference, an append touches `forms` before `seqs`, and squeezing makes new
columns. Entries are `bytes`, `Pieces`, `LargeRef` (a value), or a `Mark` (a change that is not a plain pack).
"""

from array import array
from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import Final

from backpack.core.commit import Label, RawChange
from backpack.core.payload import Buffer, Content, Form, LargeRef, Pieces, form_size

HOLES_MIN: Final = 32
"""Fewer holes than these are not worth squeezing."""


Setter = tuple[int, int, Label, tuple[RawChange, ...]]
"""`(seq, time, label, changes)` of the commit that brought a value."""


class Mark:
    """A change other than a plain pack: `kind`, and the value that it hides or shows again."""

    __slots__ = ("form", "kind", "reason", "setter")

    def __init__(self, kind: str, form: Form | None = None, reason: str = "") -> None:
        self.kind = kind
        self.form = form
        self.reason = reason
        self.setter: Setter | None = None
        """Who brought the value, when memory has no entry before this one that says so; None where the past knows."""

    def over(self, form: Form) -> "Mark":
        """The same mark on another value."""
        twin = Mark(self.kind, form, self.reason)
        twin.setter = self.setter
        return twin


DELETED: Final = Mark("delete")
PACK: Final = "pack"


class Purged:
    """What is left of a value that was erased: its kind of change and its size."""

    __slots__ = ("kind", "setter", "size")

    def __init__(self, kind: str, size: int, setter: Setter | None = None) -> None:
        self.kind = kind
        self.size = size
        self.setter = setter
        """As of a `Mark`."""


Entry = Form | Mark | Purged


def kind_of(entry: Entry) -> str:
    """pack, delete, quarantine or release."""
    return entry.kind if isinstance(entry, Mark | Purged) else PACK


def form_of(entry: Entry) -> Form | None:
    """The value that the entry keeps alive, visible or not."""
    if isinstance(entry, Mark):
        return entry.form
    return None if isinstance(entry, Purged) else entry


def size_of(entry: Entry) -> int:
    """The packed size that the change reports: 0 where it brings nothing into sight."""
    if isinstance(entry, Purged):
        return entry.size
    if isinstance(entry, Mark) and entry.kind != "release":
        return 0
    form = form_of(entry)
    return 0 if form is None else form_size(form)


def is_visible(entry: Entry | None) -> bool:
    """Does a reader find a value (even one that was purged) there?"""
    if entry is None:
        return False
    if isinstance(entry, Mark | Purged):
        return entry.kind in (PACK, "release")
    return True


def carries_on(entry: Entry | None) -> bool:
    """Does it hide or show again a value that was there before it?"""
    return isinstance(entry, Mark | Purged) and entry.kind in ("quarantine", "release")


class Tip:
    """Where a payload grows: at `stop` of `buffer`, under a header of `header_size` bytes that says `count`.

    `count` is that of the items of a list, and -1 for a text or bytes.
    """

    __slots__ = ("buffer", "count", "header_size", "pieces", "stop")

    def __init__(self, pieces: Pieces, buffer: Buffer, stop: int, header_size: int, count: int) -> None:
        self.pieces = pieces
        self.buffer = buffer
        self.stop = stop
        self.header_size = header_size
        self.count = count


class Chain:
    """All changes of one key that memory still needs."""

    __slots__ = (
        "columns",
        "content",
        "former",
        "gone",
        "holes",
        "is_plain",
        "is_ragged",
        "is_settled",
        "is_usual",
        "key",
        "misses",
        "skip",
        "tip",
        "versions",
    )

    def __init__(self, key: str, version: int = 0) -> None:
        self.key = key
        self.columns: tuple[array[int], list[Entry | None]] = (array("q"), [])
        self.gone = version
        """How many changes the key has had that are no entries here: `version` is these and the entries."""
        self.former = (0, 0)
        """`(version, seq)` of the delete with which an earlier life of the key ended."""
        self.versions: array[int] | None = None
        """The version of each entry, once squeezing took some from the middle; else they count back from the end."""
        self.holes = 0
        self.is_ragged = False
        """Not all holes come before all entries."""
        self.content: Content | None = None
        """The bytes of the present value when it is large: what keeps a `LargeRef` readable."""
        self.is_plain = False
        """The present value, if it is a list of 32 bytes or more, was seen to hold no bytes and no extension types."""
        self.is_settled = False
        """The commit of the newest entry is not in memory any more."""
        self.tip: Tip | None = None
        """Where the present value grows, as far as that was looked up; void when `pieces` is not that value."""
        self.is_usual = False
        """The newest entry is a payload that nothing else holds, of a commit in memory, and `versions` is None: then
        the next change takes the short way. May be False without need."""
        self.misses = 0
        self.skip = 0
        """Looking for shared parts failed `misses` times: leave it for the next `skip` packs."""

    @property
    def version(self) -> int:
        """How many changes the key has had, ever."""
        return self.gone + len(self.columns[1])

    @property
    def last(self) -> Entry | None:
        """The newest change; None before the first."""
        forms = self.columns[1]
        return forms[-1] if forms else None

    @property
    def last_seq(self) -> int:
        seqs = self.columns[0]
        return seqs[-1] if seqs else 0

    def entry_at(self, seq: int) -> Entry | None:
        """What the key was as of commit `seq`. Cost: O(log versions)."""
        seqs, forms = self.columns
        index = bisect_right(seqs, seq) - 1
        return forms[index] if index >= 0 else None

    def index_at(self, seq: int) -> int:
        """The index of the newest entry at or before `seq`; -1 if there is none."""
        return bisect_right(self.columns[0], seq) - 1

    def index_of(self, seq: int) -> int:
        """The index of the change that commit `seq` made; -1 if it made none."""
        seqs = self.columns[0]
        index = bisect_left(seqs, seq)
        return index if index < len(seqs) and seqs[index] == seq else -1

    def version_of(self, index: int) -> int:
        """The version that the entry at `index` is."""
        if self.versions is not None:
            return self.versions[index]
        return self.gone + index + 1

    def append(self, seq: int, entry: Entry) -> None:
        """The next change."""
        seqs, forms = self.columns
        forms.append(entry)
        seqs.append(seq)
        self.is_settled = False
        if self.versions is not None:
            self.versions.append(self.version)

    def kept_before(self, index: int) -> int:
        """The nearest entry before `index` that is no hole; -1 if there is none."""
        forms = self.columns[1]
        index -= 1
        while index >= 0 and forms[index] is None:
            index -= 1
        return index

    def forget(self, index: int) -> bool:
        """Make the entry a hole; True when holes are the larger part, so that squeezing is due."""
        forms = self.columns[1]
        forms[index] = None
        if index != self.holes:
            self.is_ragged = True
        self.holes += 1
        return self.holes > HOLES_MIN and self.holes * 2 > len(forms)

    def squeeze(self) -> None:
        """Take out the holes. Cost: O(entries), at most once for as many holes."""
        seqs, forms = self.columns
        holes = self.holes
        if self.is_ragged and self.versions is None:
            self.versions = array("q", range(self.gone + 1, self.version + 1))
            self.is_usual = False
        if self.versions is None:
            self.columns = (seqs[holes:], forms[holes:])
        else:
            kept = [index for index, entry in enumerate(forms) if entry is not None]
            self.versions = array("q", [self.versions[index] for index in kept])
            self.columns = (array("q", [seqs[index] for index in kept]), [forms[index] for index in kept])
        self.gone += holes
        self.holes = 0
        self.is_ragged = False

    def check(self) -> None:
        """Every invariant, or AssertionError."""
        seqs, forms = self.columns
        assert len(seqs) == len(forms)
        assert all(a < b for a, b in pairwise(seqs)), "seqs must rise"
        assert forms.count(None) == self.holes
        assert self.is_ragged or forms[: self.holes].count(None) == self.holes
        assert not forms or forms[-1] is not None, "the newest entry is never a hole"
        if self.versions is not None:
            assert len(self.versions) == len(forms)
            assert all(a < b for a, b in pairwise(self.versions))
            assert not self.versions or self.versions[-1] == self.version
        last = self.last
        if self.tip is not None:
            assert self.tip.pieces is self.content or self.tip.pieces is last, "a tip would keep a dead value"
        if self.content is not None:
            assert last is not None and isinstance(form_of(last), LargeRef)
