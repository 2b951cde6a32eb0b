"""A node: the verbs of the store, under one name, below one namespace, within its permissions.

Keys are relative to the namespace; patterns of permissions are absolute. Every change is attributed to the node, so
its calls have no `node=`. See `Sight` for what is refused and what merely does not exist.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from backpack.core.addresses import At
from backpack.core.commit import Commit
from backpack.core.patterns import Pattern
from backpack.errors import InvalidArgumentError
from backpack.store.differences import Diff
from backpack.store.events import Callback, Subscription
from backpack.store.names import checked_key, checked_limit
from backpack.store.records import Item
from backpack.store.sight import Sight
from backpack.store.snapshot import RAISE, Snapshot
from backpack.store.transaction import Transaction

if TYPE_CHECKING:
    from backpack.store.store import Backpack


class Node(MutableMapping[str, Any]):
    """Made by `Backpack.node()`."""

    __slots__ = ("_sight", "_store")

    def __init__(self, store: "Backpack", sight: Sight) -> None:
        self._store = store
        self._sight = sight

    @property
    def name(self) -> str:
        """The node's name, which its commits carry."""
        return self._sight.node

    @property
    def namespace(self) -> str:
        """What its keys are relative to; empty for the whole store."""
        return self._sight.prefix[:-1]

    # -- packing -----------------------------------------------------------------------------------------------

    def pack(self, key: str, value: Any, *, message: str | None = None, tags: Iterable[str] = ()) -> Commit:
        """As `Backpack.pack`; `AccessDeniedError` where the node may not write."""
        return self._seen(self._store.pack(self._key(key, "write"), value, node=self.name, message=message, tags=tags))

    def append(self, key: str, *values: Any, message: str | None = None, tags: Iterable[str] = ()) -> Commit:
        """As `Backpack.append`; wants the right to read and to write."""
        self._key(key, "read")
        key = self._key(key, "write")
        return self._seen(self._store.append(key, *values, node=self.name, message=message, tags=tags))

    def delete(self, key: str, *, message: str | None = None, tags: Iterable[str] = ()) -> Commit:
        """As `Backpack.delete`."""
        return self._seen(self._store.delete(self._key(key, "write"), node=self.name, message=message, tags=tags))

    def update(  # type: ignore[override]
        self,
        mapping: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        *,
        message: str | None = None,
        tags: Iterable[str] = (),
    ) -> Commit | None:
        """As `Backpack.update`: one forbidden key, and nothing happens."""
        with self.transaction(message=message, tags=tags) as transaction:
            for key, value in mapping.items() if isinstance(mapping, Mapping) else mapping:
                transaction.pack(key, value)
        return transaction.commit

    def clear(self, *, message: str | None = None, tags: Iterable[str] = ()) -> Commit | None:  # type: ignore[override]
        """Take out everything that the node sees; `AccessDeniedError` when it may not write some of it."""
        commit = self._store._clear(self._sight, self.name, message, tags)
        return None if commit is None else self._seen(commit)

    def transaction(self, *, message: str | None = None, tags: Iterable[str] = ()) -> Transaction:
        """As `Backpack.transaction`."""
        self._store._require_open()
        return Transaction(self._store, self._store._label(self.name, message, tags), self._sight)

    def quarantine(self, key: str, *, reason: str) -> Commit:
        """As `Backpack.quarantine`."""
        return self._seen(self._store.quarantine(self._key(key, "write"), reason=reason, node=self.name))

    def quarantined(self) -> dict[str, str]:
        """The keys in quarantine that the node sees, and why."""
        size = len(self._sight.prefix)
        found = self._store.quarantined()
        return {key[size:]: reason for key, reason in found.items() if self._sight.can_read(key)}

    def release(self, key: str) -> Commit:
        """As `Backpack.release`."""
        return self._seen(self._store.release(self._key(key, "write"), node=self.name))

    def restore(
        self,
        at: At,
        *,
        keys: Iterable[str] | None = None,
        message: str | None = None,
        tags: Iterable[str] = (),
        unavailable: Any = RAISE,
    ) -> Commit | None:
        """As `Backpack.restore`, of what the node sees; all of it fails when one key may not be written."""
        named = None
        if isinstance(keys, str):
            raise InvalidArgumentError("keys must be a list of str, not one str")
        if keys is not None:
            named = [self._key(key, "write") for key in keys]
            for key in named:
                self._sight.require(key, "read")
        label = self._store._label(self.name, message, tags)
        commit = self._store._restore(self.snapshot(at), named, label, unavailable, self._sight)
        return None if commit is None else self._seen(commit)

    # -- reading -----------------------------------------------------------------------------------------------

    def unpack(self, key: str, default: Any = None) -> Any:
        """As `Backpack.unpack`; `AccessDeniedError` where the node may not read, whether or not the key exists."""
        with self._store.as_node(self.name):
            return self._store.unpack(self._key(key, "read"), default)

    def unpack_required(self, key: str) -> Any:
        """As `Backpack.unpack_required`."""
        with self._store.as_node(self.name):
            return self._store.unpack_required(self._key(key, "read"))

    def peek(self, key: str, default: Any = None) -> Any:
        """As `Backpack.peek`."""
        return self._store.peek(self._key(key, "read"), default)

    def item(self, key: str) -> Item:
        """As `Backpack.item`."""
        found = self._store.item(self._key(key, "read"))
        commit = None if found.commit is None else self._seen(found.commit)
        return Item(key, found.version, found.size, found.is_large, commit, found._read)

    def version(self, key: str) -> int:
        """As `Backpack.version`."""
        return self._store.version(self._key(key, "read"))

    def blame(self, key: str) -> Commit:
        """As `Backpack.blame`."""
        return self._seen(self._store.blame(self._key(key, "read")))

    def select(self, pattern: str) -> dict[str, Any]:
        """As `Backpack.select`, of what the node sees; the pattern is relative to the namespace."""
        compiled = Pattern(self._sight.prefix + pattern)
        with self._store._lock:
            keys = [key for key in compiled.select(self._store._engine.visible) if self._sight.can_read(key)]
        size = len(self._sight.prefix)
        missing = object()
        values = {key[size:]: self._store.peek(key, missing) for key in keys}
        return {key: value for key, value in values.items() if value is not missing}

    # -- the mapping -------------------------------------------------------------------------------------------

    __getitem__ = unpack_required
    get = unpack

    def __setitem__(self, key: str, value: Any) -> None:
        self.pack(key, value)

    def __delitem__(self, key: str) -> None:
        self.delete(key)

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        absolute = self._sight.prefix + key
        return self._sight.can_read(absolute) and absolute in self._store

    def __iter__(self) -> Iterator[str]:
        size = len(self._sight.prefix)
        return iter([key[size:] for key in self._visible_keys()])

    def __len__(self) -> int:
        return len(self._visible_keys())

    def __repr__(self) -> str:
        return f"<Node {self.name!r} namespace={self.namespace!r}>"

    # -- commits and snapshots ---------------------------------------------------------------------------------

    @property
    def head(self) -> Commit | None:
        """The newest commit, with what the node may see of it."""
        commit = self._store.head
        return None if commit is None else self._seen(commit)

    def commit(self, at: At) -> Commit:
        """As `Backpack.commit`, with what the node may see of it."""
        return self._seen(self._store.commit(at))

    def history(
        self,
        key: str | None = None,
        *,
        tag: str | None = None,
        before: At | None = None,
        after: At | None = None,
        limit: int | None = None,
    ) -> Iterator[Commit]:
        """As `Backpack.history`, of the commits that changed something the node sees."""
        absolute = None if key is None else self._key(key, "read")
        checked_limit(limit)
        commits = self._store.history(absolute, tag=tag, before=before, after=after)
        return self._visible_history(commits, limit)

    def snapshot(self, at: At | None = None) -> Snapshot:
        """As `Backpack.snapshot`, of what the node sees. Its keys are absolute, below a namespace too."""
        return self._store._snapshot(at, self._sight)

    async def asnapshot(self, at: At | None = None, keys: Iterable[str] | None = None) -> Snapshot:
        """As `Backpack.asnapshot`, of what the node sees."""
        if keys is not None:
            keys = [self._key(key, "read") for key in ([keys] if isinstance(keys, str) else keys)]
        await self._store.asnapshot(at, keys)
        return self.snapshot(at)

    def snapshot_before(self, run: int = -1) -> Snapshot | None:
        """The state before a run of this node, as far as it sees it."""
        found = self._store.snapshot_before(self.name, run)
        return None if found is None else self.snapshot(found.seq)

    def bisect(
        self, predicate: Callable[[Snapshot], object], *, good: At | None = None, bad: At | None = None
    ) -> Commit:
        """As `Backpack.bisect`, over snapshots of what the node sees."""
        return self._seen(self._store.bisect(lambda found: predicate(self.snapshot(found.seq)), good=good, bad=bad))

    def diff(self, a: At, b: At | None = None) -> Diff:
        """As `Backpack.diff`, of what the node sees."""
        return self.snapshot(a).diff(self.snapshot(b))

    def subscribe(
        self, callback: Callback, *, kinds: Iterable[str] | None = None, key: str | None = None
    ) -> Subscription:
        """As `Backpack.subscribe`, of what the node sees. Keys in events are absolute."""
        self._store._require_open()
        pattern = None if key is None else self._sight.prefix + key
        return self._store._events.add(callback, kinds=kinds, key=pattern, filter=self._sight.filtered_event)

    # -- asyncio -----------------------------------------------------------------------------------------------

    async def apack(self, key: str, value: Any, *, message: str | None = None, tags: Iterable[str] = ()) -> Commit:
        """As `pack`, waiting for durability without blocking the loop."""
        key = self._key(key, "write")
        return self._seen(await self._store.apack(key, value, node=self.name, message=message, tags=tags))

    async def aappend(self, key: str, *values: Any, message: str | None = None, tags: Iterable[str] = ()) -> Commit:
        """As `append`."""
        self._key(key, "read")
        key = self._key(key, "write")
        return self._seen(await self._store.aappend(key, *values, node=self.name, message=message, tags=tags))

    async def adelete(self, key: str, *, message: str | None = None, tags: Iterable[str] = ()) -> Commit:
        """As `delete`."""
        key = self._key(key, "write")
        return self._seen(await self._store.adelete(key, node=self.name, message=message, tags=tags))

    # -- inside ------------------------------------------------------------------------------------------------

    def _key(self, key: str, operation: str) -> str:
        """The absolute key, if the node may do that with it."""
        absolute = checked_key(self._sight.prefix + checked_key(key))
        self._sight.require(absolute, operation)
        return absolute

    def _seen(self, commit: Commit) -> Commit:
        return self._sight.filtered(commit)

    def _visible_keys(self) -> list[str]:
        keys = Pattern(f"{self._sight.prefix}**") if self._sight.prefix else None
        with self._store._lock:
            visible = self._store._engine.visible
            found = list(visible) if keys is None else list(keys.select(visible))
        return [key for key in found if self._sight.can_read(key)]

    def _visible_history(self, commits: Iterator[Commit], limit: int | None) -> Iterator[Commit]:
        count = 0
        for commit in commits:
            if limit is not None and count >= limit:
                return
            seen = self._seen(commit)
            if seen.raw_changes:
                count += 1
                yield seen
