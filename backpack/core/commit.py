"""A commit and its changes, as a user sees them: immutable, cheap to make, worked out when asked.

Packing returns a `Commit`, so making one may cost next to nothing: it is one reference to one tuple of facts that the
commit had at hand. Ids, datetimes and the mapping of changes are made on demand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Protocol

Label = tuple[str | None, str | None, tuple[str, ...]]
"""`(node, message, tags)`: who and why."""

RawChange = tuple[str, str, int, int, bool]
"""`(key, kind, version, size, is_large)`."""

NO_LABEL: Final[Label] = (None, None, ())
_EPOCH_START: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Ids(Protocol):
    """Knows the id of each commit."""

    def id_of(self, seq: int, /) -> str: ...


Facts = tuple[Ids, int, int, Label, RawChange | tuple[RawChange, ...]]
"""`(ids, seq, time in ns since 1970, label, one change or several)`."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit did to one key.

    `kind` ("pack", "delete", "quarantine" or "release"), `version` (how many changes the key had had with this one),
    `size` (packed bytes; 0 where nothing comes into sight) and `is_large` (history holds a reference).
    """

    kind: str
    version: int
    size: int
    is_large: bool = False


class Commit:
    """One atomic, attributed change of one or more keys.

    `seq` (1 is the first), `id` and `parent` (the id of the commit before), `time` (an aware datetime in UTC), `node`,
    `message` and `tags` (who and why, None or empty where nobody said), `changes` (a mapping from key to `Change`) and
    `size` (their packed bytes). Immutable; equal when seq and id are; pickles.
    """

    __slots__ = ("_facts",)
    _facts: Facts

    def __init__(self, facts: Facts) -> None:
        set_facts(self, facts)

    @property
    def id(self) -> str:
        """A short string that is unique; any unique prefix of 4 characters or more finds the commit again."""
        return self._facts[0].id_of(self._facts[1])

    @property
    def seq(self) -> int:
        """The place in the order of commits: 1, 2, 3..."""
        return self._facts[1]

    @property
    def parent(self) -> str | None:
        """The id of the commit before; None for the first."""
        seq = self._facts[1]
        return self._facts[0].id_of(seq - 1) if seq > 1 else None

    @property
    def time(self) -> datetime:
        """When it was made, in UTC, whole microseconds; never before the commit before it."""
        return to_datetime(self._facts[2])

    @property
    def node(self) -> str | None:
        """The node that made it."""
        return self._facts[3][0]

    @property
    def message(self) -> str | None:
        """What its author said."""
        return self._facts[3][1]

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that its author gave it."""
        return self._facts[3][2]

    @property
    def changes(self) -> Mapping[str, Change]:
        """What it did, by key, in the order of the calls."""
        return MappingProxyType({change[0]: Change(*change[1:]) for change in self.raw_changes})

    @property
    def size(self) -> int:
        """The packed sizes of its changes, added up, in bytes."""
        return sum(change[3] for change in self.raw_changes)

    @property
    def raw_changes(self) -> tuple[RawChange, ...]:
        """The changes as plain tuples `(key, kind, version, size, is_large)`."""
        changes = self._facts[4]
        if changes and isinstance(changes[0], str):
            return (changes,)
        return changes

    @property
    def time_ns(self) -> int:
        """The same time in nanoseconds since 1970."""
        return self._facts[2]

    @property
    def ids(self) -> Ids:
        """What names it: two commits are the same when `seq` and id agree."""
        return self._facts[0]

    def showing(self, changes: tuple[RawChange, ...], label: Label | None = None) -> "Commit":
        """The same commit as seen by someone who sees these changes of it, and maybe not its label."""
        ids, seq, time_ns, own_label, _ = self._facts
        return Commit((ids, seq, time_ns, own_label if label is None else label, changes))

    @property
    def label(self) -> Label:
        """`(node, message, tags)`."""
        return self._facts[3]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Commit):
            return NotImplemented
        return self.seq == other.seq and (self.ids is other.ids or self.id == other.id)

    def __hash__(self) -> int:
        return hash(self.seq)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a Commit is immutable: {name} can't be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Commit is immutable: {name} can't be deleted")

    def __repr__(self) -> str:
        keys = ", ".join(change[0] for change in self.raw_changes[:3]) + (", ..." if len(self.raw_changes) > 3 else "")
        return f"<Commit {self.seq} {self.id} node={self.node!r} keys=[{keys}] size={self.size}>"

    def __reduce__(self) -> tuple[Any, ...]:
        _, seq, time_ns, label, changes = self._facts
        names = {seq: self.id} if self.parent is None else {seq: self.id, seq - 1: self.parent}
        return _restored, (names, seq, time_ns, label, changes)


set_facts: Final = Commit.__dict__["_facts"].__set__
new_object: Final = object.__new__


class _KnownIds:
    """The ids that travelled with a pickled commit."""

    __slots__ = ("names",)

    def __init__(self, names: dict[int, str]) -> None:
        self.names = names

    def id_of(self, seq: int) -> str:
        return self.names[seq]


def _restored(names: dict[int, str], seq: int, time_ns: int, label: Label, changes: Any) -> Commit:
    return Commit((_KnownIds(names), seq, time_ns, label, changes))


def to_datetime(time_ns: int) -> datetime:
    """Nanoseconds since 1970 as an aware datetime, cut to microseconds."""
    return _EPOCH_START + timedelta(microseconds=time_ns // 1000)


def to_ns(time: datetime) -> int:
    """The last nanosecond that `to_datetime` shows as this time."""
    delta = time - _EPOCH_START
    return ((delta.days * 86400 + delta.seconds) * 1_000_000 + delta.microseconds) * 1000 + 999
