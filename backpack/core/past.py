"""What an engine asks of whoever keeps what memory has not: commits that have left it, and keys not looked at yet.

A store that was opened again knows its keys by name only; the newest change of a key *wakes* when it is asked for.
"""

from collections.abc import Iterator
from typing import Protocol

from backpack.core.commit import Label, RawChange
from backpack.core.payload import Content, Form


class Woken:
    """The newest change of a key, as it comes back into memory."""

    __slots__ = ("content", "form", "key", "kind", "reason", "seq", "version")

    def __init__(
        self, key: str, seq: int, kind: str, version: int, form: Form | None, content: Content | None, reason: str
    ) -> None:
        self.key = key
        self.seq = seq
        self.kind = kind
        self.version = version
        self.form = form
        self.content = content
        """The bytes of a large value."""
        self.reason = reason


class Past(Protocol):
    """The archive, as the engine sees it."""

    first_seq: int
    """The oldest commit that can still be read."""

    @property
    def commit_count(self) -> int:
        """Commits that can be read, those in memory included."""
        ...

    @property
    def archive_bytes(self) -> int:
        """Bytes on disk but for blobs."""
        ...

    @property
    def blob_bytes(self) -> int:
        """Bytes on disk of blobs."""
        ...

    @property
    def dormant_bytes(self) -> int:
        """Live bytes of the keys that have not woken: the sizes of their values, equal or not, added up."""
        ...

    @property
    def dormant_large(self) -> int:
        """How many of them have a large value."""
        ...

    def dormant_sizes(self) -> Iterator[int]:
        """The packed sizes of their values, counted anew."""
        ...

    def wake(self, key: str, /) -> Woken | None:
        """The newest change of a key that sleeps; None when it doesn't."""
        ...

    def woke(self, key: str, /) -> None:
        """Memory has the key from here on: it sleeps no more."""
        ...

    def dormant_kinds(self) -> Iterator[tuple[str, str]]:
        """The keys that sleep, each with the kind of its newest change."""
        ...

    def has(self, seq: int, /) -> bool:
        """Can the commit be read?"""
        ...

    def knows(self, seq: int, /) -> bool:
        """Is it known who made the commit, even if it can't be read any more?"""
        ...

    def setter_of(self, key: str, seq: int, /) -> int:
        """The commit that brought the value which the key has as of another one, in sight or in quarantine; 0 where
        that is lost."""
        ...

    def facts(self, seq: int, /) -> tuple[int, Label, tuple[RawChange, ...]]:
        """`(time, label, changes)` of a commit."""
        ...

    def seq_at(self, time_ns: int, /) -> int:
        """The last commit made at or before a time; 0 when all came later."""
        ...

    def content(self, key: str, seq: int, /) -> Content | None:
        """The bytes of what a commit put at a key; None when they are not within reach."""
        ...
