"""The state of a commit that has left memory, read from the archive."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from backpack.archive.archive import Archive
from backpack.archive.content import CARRYING, DAMAGED, Change, CommitRow, facts_of
from backpack.archive.dormant import Dormant
from backpack.core.addresses import pruned_error
from backpack.core.commit import Commit
from backpack.core.engine import Engine
from backpack.core.patterns import Pattern
from backpack.core.payload import Content, join
from backpack.store.state import Found, State, nothing

_CANDIDATES_MAX: Final = 10_000
"""Commits between two states above which all keys are compared."""

CheckOpen = Callable[[], None]


class Archived:
    """Every key as of an archived commit. Cost of a key: one cold read; of all keys: the changes since a keyframe."""

    __slots__ = ("__weakref__", "_archive", "_check_open", "_engine", "_known", "_names", "seq")

    def __init__(self, archive: Archive, engine: Engine, seq: int, check_open: CheckOpen) -> None:
        self._archive = archive
        self._engine = engine
        self._check_open = check_open
        self.seq = seq
        self._names: list[str] | None = None
        self._known: dict[str, Found | _Loaded | None] = {}

    # -- one key -------------------------------------------------------------------------------------------------

    def at_hand(self, key: Any) -> bytes | None:
        """The bytes of what is no large value. Cost: a cold read, unless anything was loaded: then `find` knows."""
        if self._known or not isinstance(key, str):
            return None
        try:
            return self._archive.at_hand(key, self.seq)
        finally:
            self._check()  # what reading failed with counts less than that the commit has left

    def find(self, key: str) -> Found | None:
        """What the key was. Cost: a cold read, unless it was loaded."""
        if self._known and key in self._known:
            known = self._known[key]
            return _found_again(key, known) if type(known) is tuple else known  # type: ignore[return-value]
        self._check()
        change = self._archive.find(key, self.seq)
        self._check()
        return None if change is None else self._found(change)

    def has(self, key: str) -> bool:
        """Is there a visible value?"""
        found = self.find(key)
        return found is not None and found.is_visible

    def author(self, found: Found) -> Commit | None:
        """The commit that made the change."""
        row = self._archive.row(found.seq)
        return None if row is None else self._commit(row)

    def setter(self, found: Found) -> Commit | None:
        """The commit that brought its value. Cost: a cold read; of a released one, several."""
        seq = self._archive.setter_of(found.key, found.seq) if found.kind in CARRYING else found.seq
        row = self._archive.row(seq) if seq else None
        return None if row is None else self._commit(row)

    def remover(self, key: str) -> Commit | None:
        """A delete that is known is found."""
        return None

    # -- many keys -----------------------------------------------------------------------------------------------

    def keys(self) -> list[str]:
        """The keys with a visible value. Worked out once."""
        if self._names is None:
            self._check()
            self._names = Dormant(*self._archive.newest_at(self.seq)).names(frozenset({"pack", "release"}))
        return list(self._names)

    def select(self, pattern: Pattern) -> list[str]:
        """Those of them that fit."""
        return [key for key in self.keys() if pattern.matches(key)]

    def unreachable(self) -> list[Found]:
        """Purged values. Cost: a cold read of each key."""
        self._check_open()
        missing = []
        for key, kind in Dormant(*self._archive.newest_at(self.seq)).kinds():
            change = None if kind == "delete" else self._archive.find(key, self.seq)
            if change is not None and change.is_purged:
                missing.append(self._found(change))
        return missing

    def candidates(self, other: State) -> Iterable[str] | None:
        """The keys that changed in between, when these are few."""
        if not isinstance(other, Archived) or other._archive is not self._archive:
            return None
        first, last = sorted((self.seq, other.seq))
        if last - first > _CANDIDATES_MAX or first + 1 < self._archive.first_seq or self._archive.missing_count:
            return None
        return {change.key for row in self._archive.rows(last + 1, first) for change in row.changes}

    def load(self, keys: Iterable[str] | None = None, give_way: Callable[[], None] = nothing) -> None:
        """Read what reads will want: all but large values, or these keys with theirs."""
        archive = self._archive
        archive.loaded.add(self)
        for key in self.keys() if keys is None else keys:
            erasures = -1
            while erasures != archive.erasures:  # else what was read may have been purged meanwhile
                erasures = archive.erasures
                self._known[key] = self._loaded(key, is_wanted=keys is not None)
            give_way()

    # -- the commit ----------------------------------------------------------------------------------------------

    def commit(self) -> Commit | None:
        """Its own commit. `CommitPrunedError` when it was compacted away."""
        row = self._archive.row(self.seq)
        if row is None:
            raise pruned_error(self._engine, self.seq, self.seq)
        return self._commit(row)

    def touch(self) -> None:
        """Accesses count for what pruning may take; this has left already."""

    def forget(self, keys: set[str]) -> None:
        """These keys were purged: what was loaded of them goes."""
        for key in keys & self._known.keys():
            del self._known[key]

    # -- inside --------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        """Is the store open, and the commit there still?"""
        self._check_open()
        if self.seq and not self._archive.has(self.seq):
            raise pruned_error(self._engine, self.seq, self.seq)

    def _loaded(self, key: str, *, is_wanted: bool) -> "Found | _Loaded | None":
        """What the key was, with its bytes; those of a large value only where that is wanted."""
        change = self._archive.find(key, self.seq)
        found = None if change is None else self._found(change)
        if found is None or not found.is_visible or (found.is_large and not is_wanted):
            return found
        content = found.content()
        data = content if isinstance(content, str) else join(content)
        return found.seq, found.kind, found.version, found.size, found.is_large, data

    def _commit(self, row: CommitRow) -> Commit:
        return Commit((self._engine.epoch.of(row.seq), row.seq, *facts_of(row)))

    def _found(self, change: Change) -> Found:
        return Found(
            change.key,
            change.seq,
            change.kind,
            change.version,
            change.size,
            partial(self._content, change),
            is_large=change.is_large,
            reason=change.reason,
            identity=(self._archive.blobs, change.value) if change.value is not None and change.value.cuts else None,
        )

    def _content(self, change: Change) -> Content | str:
        change = self._archive.as_purged(change)
        if change.is_purged:
            return DAMAGED if change.reason == DAMAGED and change.is_visible else "purged"
        self._check_open()
        try:
            return self._archive.content_of(change)
        finally:
            self._check()  # it may have left meanwhile; if not, blobs of what was just made stay


_Loaded = tuple[int, str, int, int, bool, bytes | str]
"""Seq, kind, version, size, is it large, its bytes or why they are not within reach: nothing that the collector of
cycles would have to look at, for it stops every thread and there may be as many as all keys of many snapshots."""


def _found_again(key: str, loaded: _Loaded) -> Found:
    seq, kind, version, size, is_large, data = loaded
    return Found(key, seq, kind, version, size, partial(_same, data), is_large=is_large)


def _same(content: bytes | str) -> bytes | str:
    return content
