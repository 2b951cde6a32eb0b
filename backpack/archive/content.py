"""What the archive holds, apart from how it is laid out: commits, their changes, and the bytes these point to.

A value on disk is a list of *cuts*: slices of bytes that stand somewhere, put one behind the other. Bytes stand in
`own` (a few that only this version has), in a *source* (a run of bytes in a segment, named by the number of the segment
that brought it in and its number there), or in a blob. A plain value is one cut of one source. All versions of a list
that grows are cuts of one source (one for each segment in which it grew), so disk grows by what was appended, and
a read is at most `CUTS_MAX` slices: there are no chains of deltas.
"""

from typing import Final

from backpack.core.commit import Label, RawChange

OWN: Final = 0
"""As the origin of a cut: its bytes are those of `own`."""

BLOB: Final = -1
"""As the origin of a cut: `number` is the place of the digest in `blobs`."""

DAMAGED: Final = "damaged"
"""As the reason of a change without its value: the bytes were lost to damage before the store was recovered."""

CARRYING: Final = frozenset({"quarantine", "release"})
"""The kinds of changes that hide or show again a value that was there before."""

CUTS_MAX: Final = 256
"""Cuts of one value on disk; a value that would need more is written as one source again."""

Cut = tuple[int, int, int, int]
"""`(origin, number, start, stop)`: the origin is the number of a segment, counted from 1, or `OWN`, or `BLOB`."""

SourceId = tuple[int, int]
"""`(origin, number)`: sources are numbered from 0 in the order in which their segment brings them in."""


class Value:
    """Where the packed bytes of one version stand."""

    __slots__ = ("blobs", "cuts", "own", "size")

    def __init__(
        self, cuts: tuple[Cut, ...], own: bytes = b"", blobs: tuple[bytes, ...] = (), size: int | None = None
    ) -> None:
        self.cuts = cuts
        self.own = own
        self.blobs = blobs
        self.size = sum(stop - start for _, _, start, stop in cuts) if size is None else size
        """Packed bytes: the sum of all cuts."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Value):
            return NotImplemented
        return self.cuts == other.cuts and self.own == other.own and self.blobs == other.blobs

    def __hash__(self) -> int:
        return hash((self.cuts, self.own))


class Change:
    """What one commit did to one key."""

    __slots__ = ("is_large", "is_purged", "key", "kind", "reason", "seq", "value", "version")

    def __init__(
        self,
        key: str,
        seq: int,
        kind: str,
        version: int,
        value: Value | None,
        *,
        is_large: bool = False,
        is_purged: bool = False,
        reason: str = "",
    ) -> None:
        self.key = key
        self.seq = seq
        self.kind = kind
        """pack, delete, quarantine or release."""
        self.version = version
        self.value = value
        """None for a delete. Of a quarantine: what it hides. Of a purged one: no cuts, only the size it had."""
        self.is_large = is_large
        self.is_purged = is_purged
        self.reason = reason
        """Why, of a quarantine; of a pack whose bytes are lost, `DAMAGED`."""

    @property
    def is_visible(self) -> bool:
        """Does a reader find a value (even one that was purged) there?"""
        return self.kind in ("pack", "release")

    @property
    def carries_on(self) -> bool:
        """Does it hide or show again a value that was there before it?"""
        return self.kind in CARRYING

    @property
    def has_value(self) -> bool:
        """Are there bytes of it, wherever they stand?"""
        return self.value is not None and not self.is_purged

    def without_value(self) -> "Change":
        """The same as a purge leaves it: with its size only."""
        if self.value is None or self.is_purged:
            return self
        value = Value((), size=self.value.size)
        return Change(self.key, self.seq, self.kind, self.version, value, is_large=self.is_large, is_purged=True)

    def with_value(self, payload: bytes, *, is_large: bool) -> "Change":
        """The same with another value."""
        value = Value(((OWN, 0, 0, len(payload)),), payload)
        return Change(self.key, self.seq, self.kind, self.version, value, is_large=is_large, reason=self.reason)

    @property
    def size(self) -> int:
        """The packed size that the change reports: 0 where it brings nothing into sight."""
        return self.value.size if self.value is not None and self.is_visible else 0


class CommitRow:
    """One commit: when, who and why, and what it did, in the order of the calls."""

    __slots__ = ("changes", "label", "seq", "time_ns")

    def __init__(self, seq: int, time_ns: int, label: Label, changes: list[Change]) -> None:
        self.seq = seq
        self.time_ns = time_ns
        self.label = label
        self.changes = changes


def facts_of(row: CommitRow) -> tuple[int, Label, tuple[RawChange, ...]]:
    """A commit as the core has it."""
    changes = tuple((one.key, one.kind, one.version, one.size, one.is_large) for one in row.changes)
    return row.time_ns, row.label, changes
