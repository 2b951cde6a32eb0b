"""A snapshot: every key as of one commit, read-only, lazy, complete.

It is a handle on a `View` and makes nothing until asked: a read is one bisection in the chain of the key. As long as
a snapshot is open (not garbage), its commit is not pruned.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from backpack.codec import unpack_value
from backpack.core.chain import Chain, Entry, Mark, Purged, form_of, is_visible, size_of
from backpack.core.commit import Commit
from backpack.core.engine import View
from backpack.core.patterns import Pattern
from backpack.core.payload import Content, LargeRef, join
from backpack.errors import KeyNotFoundError, ValueUnavailableError
from backpack.store.records import Item, Unavailable

if TYPE_CHECKING:
    from backpack.store.differences import Diff
    from backpack.store.sight import Sight
    from backpack.store.store import Backpack

RAISE: Final = object()
"""Asks to raise where a value is not within reach, instead of putting something there."""


class Snapshot(Mapping[str, Any]):
    """The state of a store (or what a node may see of it) as of one commit."""

    __slots__ = ("_sight", "_store", "_view")

    def __init__(self, store: "Backpack", view: View, sight: "Sight | None" = None) -> None:
        self._store = store
        self._view = view
        self._sight = sight

    # -- the mapping -------------------------------------------------------------------------------------------

    def __getitem__(self, key: str) -> Any:
        value = self._read(key, _MISSING)
        if value is _MISSING:
            raise KeyNotFoundError(f"no value at that commit: key={key!r} seq={self._view.seq}", key=key)
        if type(value) is Unavailable:
            raise unavailable_error(value)
        return value

    def unpack(self, key: str, default: Any = None) -> Any:
        """A fresh copy of the value, `Unavailable` where its bytes are not within reach, or `default`."""
        return self._read(key, default)

    def get(self, key: str, default: Any = None) -> Any:
        """As `unpack`, but raises where the bytes are not within reach."""
        value = self._read(key, default)
        if type(value) is Unavailable:
            raise unavailable_error(value)
        return value

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._sees(key) and is_visible(self._entry(key))

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys())

    def __len__(self) -> int:
        return len(self._keys())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Snapshot):
            return self.to_dict() == other.to_dict()
        return self.to_dict() == other if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    # -- more ----------------------------------------------------------------------------------------------------

    @property
    def seq(self) -> int:
        """The `seq` of its commit; 0 for the empty beginning."""
        return self._view.seq

    @property
    def commit(self) -> Commit | None:
        """Its commit; None for the empty beginning."""
        seq = self._view.seq
        if not seq:
            return None
        with self._store._lock:
            commit = self._view.engine.commit_at(seq)
        return commit if self._sight is None else self._sight.filtered(commit)

    def item(self, key: str) -> Item:
        """The value with its version, size, commit, node, tags and time; `KeyNotFoundError` when there is none."""
        if self._sight is not None:
            self._sight.require(key, "read")
        with self._store._lock:
            engine = self._view.engine
            chain = engine.chains.get(key)
            index = -1 if chain is None else chain.index_at(self._view.seq)
            entry = None if chain is None or index < 0 else chain.columns[1][index]
            if chain is None or entry is None or not is_visible(entry):
                raise KeyNotFoundError(f"no value at that commit: key={key!r} seq={self._view.seq}", key=key)
            commit = engine.commit_of(chain, index)
            version = chain.version_of(index)
        if commit is not None and self._sight is not None:
            commit = self._sight.filtered(commit)
        is_large = isinstance(entry.form if isinstance(entry, Mark) else entry, LargeRef)
        return Item(key, version, size_of(entry), is_large, commit, lambda: self[key])

    def select(self, pattern: str) -> dict[str, Any]:
        """The values of the keys that fit, as fresh copies; cost: those keys."""
        compiled = Pattern(pattern)
        with self._store._lock:
            keys = list(compiled.select(self._view.engine.names))
        return {key: self[key] for key in keys if key in self}

    def diff(self, other: "Snapshot") -> "Diff":
        """What changes from this one to the other."""
        return self._store._diff(self, other)

    def fork(self, *, unavailable: Any = RAISE) -> "Backpack":
        """A store of its own that goes on from here."""
        if self._sight is not None:
            self._sight.require_everything("fork")
        return self._store.fork(self._view.seq, unavailable=unavailable)

    def to_dict(self, *, unavailable: Any = RAISE) -> dict[str, Any]:
        """Every key as a fresh dict; raises `ValueUnavailableError` unless told what to put there instead."""
        values: dict[str, Any] = {}
        for key in self._keys():
            value = self._read(key, _MISSING)
            if type(value) is Unavailable:
                if unavailable is RAISE:
                    raise unavailable_error(value)
                value = unavailable
            values[key] = value
        return values

    def __repr__(self) -> str:
        return f"<Snapshot seq={self._view.seq} keys={len(self)}>"

    # -- reading -------------------------------------------------------------------------------------------------

    def _sees(self, key: str) -> bool:
        return self._sight is None or self._sight.can_read(key)

    def _keys(self) -> list[str]:
        engine, seq = self._view.engine, self._view.seq
        with self._store._lock:
            keys = [key for key in engine.names if is_visible(engine.chains[key].entry_at(seq))]
        return keys if self._sight is None else [key for key in keys if self._sight.can_read(key)]

    def _entry(self, key: str) -> Entry | None:
        chain = self._view.engine.chains.get(key)
        return None if chain is None else chain.entry_at(self._view.seq)

    def _read(self, key: str, default: Any) -> Any:
        if self._sight is not None:
            self._sight.require(key, "read")
        view = self._view
        try:
            chain = view.engine.chains.get(key)
        except TypeError:
            chain = None
        if chain is None:
            return default
        seq = view.seq
        entry = chain.entry_at(seq)
        if type(entry) is not bytes:
            if entry is None or not is_visible(entry):
                return default
            content = self._content(chain, entry)
            if type(content) is Unavailable:
                return content
            entry = join(content)  # type: ignore[arg-type]
        if seq:
            view.engine.timeline.touch(seq)
        return unpack_value(entry)

    def _content(self, chain: Chain, entry: Entry) -> Content | Unavailable:
        """The bytes of a visible entry, wherever they are within reach."""
        with self._store._lock:
            found = content_of(chain, entry, self._view.held)
            if isinstance(found, str):
                engine = self._view.engine
                index = chain.index_at(self._view.seq)
                commit = engine.commit_of(chain, index)
                if commit is not None and self._sight is not None:
                    commit = self._sight.filtered(commit)
                return Unavailable(chain.key, size_of(entry), found, commit)
        return found

    def _entries(self) -> dict[str, Entry]:
        """The visible entries by key; for comparing."""
        engine, seq = self._view.engine, self._view.seq
        with self._store._lock:
            found = {key: chain.entry_at(seq) for key, chain in engine.chains.items()}
        return {
            key: entry for key, entry in found.items() if entry is not None and is_visible(entry) and self._sees(key)
        }

    def _is_same(self, other: "Snapshot", key: str, mine: Entry, theirs: Entry) -> bool:
        """Do two entries of a key, one of each snapshot, hold the same bytes?"""
        if self._view.engine is not other._view.engine:
            my_chain, their_chain = self._view.engine.chains[key], other._view.engine.chains[key]
        else:
            my_chain = their_chain = self._view.engine.chains[key]
        if form_of(mine) is form_of(theirs) and form_of(mine) is not None:
            return True
        if size_of(mine) != size_of(theirs):
            return False
        one, two = self._content(my_chain, mine), other._content(their_chain, theirs)
        if isinstance(one, Unavailable) or isinstance(two, Unavailable):
            return False
        return one is two or join(one) == join(two)

    def _last_change(self, key: str, after: int) -> Commit | None:
        """The last commit up to this one that changed the key; None when it is not known or not behind `after`."""
        with self._store._lock:
            engine = self._view.engine
            chain = engine.chains.get(key)
            index = -1 if chain is None else chain.index_at(self._view.seq)
            if chain is None or index < 0 or chain.columns[0][index] <= after:
                return None
            commit = engine.commit_of(chain, index)
        return commit if commit is None or self._sight is None else self._sight.filtered(commit)


_MISSING: Final = object()


def content_of(chain: Chain, entry: Entry, held: Mapping[str, Content]) -> Content | str:
    """The bytes of an entry, or the reason why they are not within reach. Wants the store's lock."""
    if isinstance(entry, Purged):
        return "purged"
    form = entry.form if isinstance(entry, Mark) else entry
    if not isinstance(form, LargeRef):
        assert form is not None
        return form
    last = chain.last
    if chain.content is not None and last is not None and (last.form if isinstance(last, Mark) else last) is form:
        return chain.content
    return form.content() or held.get(chain.key) or "dropped"


def unavailable_error(value: Unavailable) -> ValueUnavailableError:
    """The error for a value whose bytes are not within reach."""
    return ValueUnavailableError(
        f"the bytes of that value are not within reach: key={value.key!r} size={value.size} reason={value.reason}",
        key=value.key,
        size=value.size,
        reason=value.reason,
        commit=value.commit,
    )
