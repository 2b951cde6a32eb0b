"""A snapshot: every key as of one commit, read-only, lazy, complete.

It is a handle on a `State` and makes nothing until asked. As long as a snapshot is open (not garbage), its commit is
not pruned. A node's snapshot shows what the node may read, by keys relative to the node's namespace; other keys are
absent, and who insists on one gets a `HiddenKeyError`, which is a `KeyNotFoundError` and an `AccessDeniedError`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from backpack.codec import unpack_value
from backpack.core.addresses import At, required
from backpack.core.commit import Commit
from backpack.core.patterns import Pattern
from backpack.core.payload import Content, join
from backpack.errors import HiddenKeyError, KeyNotFoundError, ValueUnavailableError
from backpack.store.records import Item, Lines, Unavailable
from backpack.store.slicing import bytes_of, text_of
from backpack.store.state import Found, State, nothing

if TYPE_CHECKING:
    from backpack.store.differences import Diff
    from backpack.store.sight import Sight
    from backpack.store.store import Backpack

RAISE: Final = object()
"""Asks to raise where a value is not within reach, instead of putting something there."""


class Snapshot(Mapping[str, Any]):
    """The state of a store (or what a node may see of it) as of one commit."""

    __slots__ = ("_sight", "_state", "_store")

    def __init__(self, store: "Backpack", state: State, sight: "Sight | None" = None) -> None:
        self._store = store
        self._state = state
        self._sight = sight

    # -- the mapping -------------------------------------------------------------------------------------------

    def __getitem__(self, key: str) -> Any:
        payload = self._state.at_hand(key if self._sight is None else self._sight.readable(key))
        if payload is not None:
            return unpack_value(payload)
        value = self._search(key, _MISSING)
        if value is _MISSING:
            raise self._missing_error(key)
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
        absolute = self._absolute(key)
        return isinstance(absolute, str) and self._state.has(absolute)

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
        return self._state.seq

    @property
    def commit(self) -> Commit | None:
        """Its commit; None for the empty beginning. `CommitPrunedError` when it was compacted away meanwhile."""
        return self._seen(self._state.commit())

    def item(self, key: str) -> Item:
        """The value with its version, size, commit, node, tags and time; `KeyNotFoundError` when there is none."""
        found = self._find(key)
        if found is None or not found.is_visible:
            raise self._missing_error(key)
        return Item(key, found.version, found.size, found.is_large, self._setter(found), lambda: self[key])

    def read_text(self, key: str, lines: Lines | None = None) -> str:
        """As `Backpack.read_text`, of the value as of this commit. `ValueUnavailableError` where it is out of reach."""
        return text_of(self._content(key), lines, self._store._archive)

    def read_bytes(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """As `Backpack.read_bytes`, of the value as of this commit."""
        return bytes_of(self._content(key), start, length)

    def select(self, pattern: str) -> dict[str, Any]:
        """The values of the keys that fit, as fresh copies; cost: those keys."""
        return {key: self[key] for key in self._keys(pattern)}

    def diff(self, other: "Snapshot | At") -> "Diff":
        """What changes from this one to the other, or to the commit that an `at` names, seen as this one is seen. Keys
        are compared as each of the two shows them."""
        if not isinstance(other, Snapshot):
            other = self._store._snapshot(required(other), self._sight)
        return self._store._diff(self, other)

    def fork(self, *, unavailable: Any = RAISE) -> "Backpack":
        """A store of its own that goes on from here."""
        if self._sight is not None:
            self._sight.require_everything("fork")
        return self._store.fork(self.seq, unavailable=unavailable)

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

    def load(self, keys: list[str] | None = None, give_way: Callable[[], None] = nothing) -> None:
        """Have at hand what reads will want: all but blobs, or these keys with theirs."""
        prefix = "" if self._sight is None else self._sight.prefix
        self._state.load(None if keys is None else [prefix + key for key in keys], give_way)

    def __repr__(self) -> str:
        return f"<Snapshot seq={self.seq} keys={len(self)}>"

    # -- reading -------------------------------------------------------------------------------------------------

    def _read(self, key: str, default: Any) -> Any:
        payload = self._state.at_hand(key if self._sight is None else self._sight.readable(key))
        return self._search(key, default) if payload is None else unpack_value(payload)

    def _search(self, key: str, default: Any) -> Any:
        """The value of a key that is large, released, missing..."""
        found = self._find(key)
        if found is None or not found.is_visible:
            return default
        content = found.content()
        if isinstance(content, str):
            return Unavailable(key, found.size, content, self._setter(found))
        self._state.touch()
        return unpack_value(join(content))

    def _content(self, key: str) -> Content:
        """The packed bytes of a value, not joined; raises where there is none, or none within reach."""
        found = self._find(key)
        if found is None or not found.is_visible:
            raise self._missing_error(key)
        content = found.content()
        if isinstance(content, str):
            raise unavailable_error(Unavailable(key, found.size, content, self._setter(found)))
        self._state.touch()
        return content

    def _find(self, key: str) -> Found | None:
        """What a key is; None as well where the node may not read it."""
        absolute = self._absolute(key)
        return self._state.find(absolute) if isinstance(absolute, str) else None

    def _absolute(self, key: Any) -> Any:
        """The key as the state knows it; None where the node may not read it."""
        return key if self._sight is None else self._sight.readable(key)

    def _keys(self, pattern: str | None = None) -> list[str]:
        """The keys that it shows, sorted; those that fit a pattern."""
        sight, state = self._sight, self._state
        if sight is None:
            return state.keys() if pattern is None else state.select(Pattern(pattern))
        if pattern is None and not sight.prefix:
            keys = state.keys()
        else:
            keys = state.select(sight.pattern("**" if pattern is None else pattern))
        return [sight.relative(key) for key in keys if sight.can_read(key)]

    def _author(self, found: Found) -> Commit | None:
        return self._seen(self._state.author(found))

    def _remover(self, key: str) -> Commit | None:
        prefix = "" if self._sight is None else self._sight.prefix
        return self._seen(self._state.remover(prefix + key))

    def _setter(self, found: Found) -> Commit | None:
        return self._seen(self._state.setter(found))

    def _seen(self, commit: Commit | None) -> Commit | None:
        return commit if commit is None or self._sight is None else self._sight.filtered(commit)

    def _hidden_error(self, key: str) -> HiddenKeyError | None:
        """The refusal of a key that the node may not read; None of any other."""
        if self._sight is None or not isinstance(key, str) or self._absolute(key) is not None:
            return None
        return self._sight.hidden(self._sight.prefix + key)

    def _missing_error(self, key: str) -> KeyNotFoundError:
        missing = KeyNotFoundError(f"no value at that commit: key={key!r} seq={self.seq}", key=key)
        return self._hidden_error(key) or missing


_MISSING: Final = object()


def unavailable_error(value: Unavailable) -> ValueUnavailableError:
    """The error for a value whose bytes are not within reach."""
    return ValueUnavailableError(
        f"the bytes of that value are not within reach: key={value.key!r} size={value.size} reason={value.reason}",
        key=value.key,
        size=value.size,
        reason=value.reason,
        commit=value.commit,
    )
