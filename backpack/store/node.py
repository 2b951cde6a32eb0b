"""A node: the verbs of the store, under one name, below one namespace, within its permissions.

Keys are relative to the namespace, in calls and in all that they answer; patterns of permissions are absolute, and
so are the keys that errors of a node name. Every change is attributed to the node, so its calls have no `node=`. See
`Sight` for what is refused and what merely does not exist.
"""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Final

from backpack.core.addresses import At
from backpack.core.commit import Commit
from backpack.errors import KeyNotFoundError
from backpack.store.node_past import NodePast
from backpack.store.records import Item, Lines
from backpack.store.taking import popped, with_default
from backpack.store.transaction import Transaction

_MISSING: Final = object()


class Node(NodePast, MutableMapping[str, Any]):
    """Made by `Backpack.node()`. Has the verbs of the store but those that end it or hand it on (`close`, `load`,
    `node`, `as_node`) and those that tend its files (`compact`, `health`, `recovery`, `refresh`)."""

    __slots__ = ()

    # -- packing -----------------------------------------------------------------------------------------------

    def pack(self, key: str, value: Any, *, message: str | None = None, tags: Iterable[str] = ()) -> Commit:
        """As `Backpack.pack`; `AccessDeniedError` where the node may not write."""
        key = self._key(key, "write")
        return self._sight.own(self._store.pack(key, value, node=self.name, message=message, tags=tags))

    def append(self, key: str, *values: Any, message: str | None = None, tags: Iterable[str] = ()) -> Commit:
        """As `Backpack.append`; the commit tells who may not read the list no more of its size than was added."""
        absolute = self._key(key, "write")
        if not self._sight.can_read(absolute):
            with self.transaction(message=message, tags=tags) as transaction:
                transaction.append(key, *values)
            return _made(transaction)
        return self._sight.own(self._store.append(absolute, *values, node=self.name, message=message, tags=tags))

    def delete(self, key: str, *, message: str | None = None, tags: Iterable[str] = ()) -> Commit:
        """As `Backpack.delete`."""
        return self._sight.own(self._store.delete(self._key(key, "write"), node=self.name, message=message, tags=tags))

    def update(  # type: ignore[override]
        self,
        mapping: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        *,
        message: str | None = None,
        tags: Iterable[str] = (),
    ) -> Commit | None:
        """As `Backpack.update`: one forbidden key, and nothing happens."""
        with self.transaction(message=message, tags=tags) as transaction:
            transaction.update(mapping)
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
        return self._sight.own(self._store.quarantine(self._key(key, "write"), reason=reason, node=self.name))

    def quarantined(self) -> dict[str, str]:
        """The keys in quarantine that the node sees, and why."""
        found = self._store.quarantined()
        return {self._sight.relative(key): reason for key, reason in found.items() if self._sight.can_read(key)}

    def release(self, key: str) -> Commit:
        """As `Backpack.release`; the commit tells who may not read the value nothing of its size."""
        key = self._key(key, "write")
        return self._sight.own(self._store.release(key, node=self.name), {key: 0})

    # -- reading -----------------------------------------------------------------------------------------------

    def unpack(self, key: str, default: Any = None) -> Any:
        """As `Backpack.unpack`; `AccessDeniedError` where the node may not read, whether or not the key exists."""
        with self._store.as_node(self.name):
            return self._store.unpack(self._key(key, "read"), default)

    def unpack_required(self, key: str) -> Any:
        """As `Backpack.unpack_required`."""
        with self._store.as_node(self.name):
            return self._store.unpack_required(self._key(key, "read"))

    def read_text(self, key: str, at: At | None = None, lines: Lines | None = None) -> str:
        """As `Backpack.read_text`; `AccessDeniedError` where the node may not read, whether or not the key exists."""
        with self._store.as_node(self.name):
            return self._store.read_text(self._key(key, "read"), at, lines)

    def read_bytes(self, key: str, at: At | None = None, start: int = 0, length: int | None = None) -> bytes:
        """As `Backpack.read_bytes`, with the same refusal."""
        with self._store.as_node(self.name):
            return self._store.read_bytes(self._key(key, "read"), at, start, length)

    def peek(self, key: str, default: Any = None) -> Any:
        """As `Backpack.peek`."""
        return self._store.peek(self._key(key, "read"), default)

    def item(self, key: str) -> Item:
        """As `Backpack.item`."""
        return self._sight.item(self._store.item(self._key(key, "read")))

    def version(self, key: str) -> int:
        """As `Backpack.version`."""
        return self._store.version(self._key(key, "read"))

    def blame(self, key: str) -> Commit:
        """As `Backpack.blame`."""
        return self._seen(self._store.blame(self._key(key, "read")))

    def select(self, pattern: str) -> dict[str, Any]:
        """As `Backpack.select`, of what the node sees; the pattern is relative to the namespace."""
        compiled = self._sight.pattern(pattern)
        self._store._require_open()
        with self._store._lock:
            keys = [key for key in compiled.select(self._store._engine.visible) if self._sight.can_read(key)]
        values = {self._sight.relative(key): self._store.peek(key, _MISSING) for key in keys}
        return {key: value for key, value in values.items() if value is not _MISSING}

    # -- the mapping -------------------------------------------------------------------------------------------

    __getitem__ = unpack_required
    get = unpack

    def __setitem__(self, key: str, value: Any) -> None:
        self.pack(key, value)

    def __delitem__(self, key: str) -> None:
        self.delete(key)

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """As `Backpack.pop`; wants the right to read and to write."""
        absolute = self._key(key, "read")
        self._sight.require(absolute, "write")
        with self._store.as_node(self.name):
            return self._store.pop(absolute) if default is _MISSING else self._store.pop(absolute, default)

    def popitem(self) -> tuple[str, Any]:
        """As `Backpack.popitem`, of the keys that the node sees."""
        refused = ""

        def last() -> str | None:
            nonlocal refused
            keys = self._visible_keys()
            refused = keys[-1] if keys and not self._sight.can_write(keys[-1]) else ""
            return keys[-1] if keys and not refused else None

        with self._store.as_node(self.name):
            taken = popped(self._store, last)
        if refused:
            raise self._sight.denied(refused, "write")
        if taken is None:
            raise KeyNotFoundError("nothing to pop: there is no key in sight", key="")
        return self._sight.relative(taken[0]), taken[1]

    def setdefault(self, key: str, default: Any = None) -> Any:
        """As `Backpack.setdefault`; wants the right to read, and to write when there is no value."""
        absolute = self._key(key, "read")
        with self._store.as_node(self.name):
            return with_default(self._store, absolute, default, lambda: self._sight.require(absolute, "write"))

    def __contains__(self, key: object) -> bool:
        self._store._require_open()
        if not isinstance(key, str):
            return False
        absolute = self._sight.prefix + key
        return self._sight.can_read(absolute) and absolute in self._store

    def __iter__(self) -> Iterator[str]:
        return self._store._while_open([self._sight.relative(key) for key in self._visible_keys()])

    def __len__(self) -> int:
        return len(self._visible_keys())

    def __repr__(self) -> str:
        return f"<Node {self.name!r} namespace={self.namespace!r}>"

    # -- asyncio -----------------------------------------------------------------------------------------------

    async def apack(self, key: str, value: Any, *, message: str | None = None, tags: Iterable[str] = ()) -> Commit:
        """As `pack`, waiting for durability without blocking the loop."""
        key = self._key(key, "write")
        return self._sight.own(await self._store.apack(key, value, node=self.name, message=message, tags=tags))

    async def aappend(self, key: str, *values: Any, message: str | None = None, tags: Iterable[str] = ()) -> Commit:
        """As `append`."""
        absolute = self._key(key, "write")
        if not self._sight.can_read(absolute):
            async with self.transaction(message=message, tags=tags) as transaction:
                transaction.append(key, *values)
            return _made(transaction)
        return self._sight.own(await self._store.aappend(absolute, *values, node=self.name, message=message, tags=tags))

    async def adelete(self, key: str, *, message: str | None = None, tags: Iterable[str] = ()) -> Commit:
        """As `delete`."""
        key = self._key(key, "write")
        return self._sight.own(await self._store.adelete(key, node=self.name, message=message, tags=tags))

    async def aread_text(self, key: str, at: At | None = None, lines: Lines | None = None) -> str:
        """As `read_text`; what has to be read from disk is read by another thread."""
        with self._store.as_node(self.name):
            return await self._store.aread_text(self._key(key, "read"), at, lines)

    async def aread_bytes(self, key: str, at: At | None = None, start: int = 0, length: int | None = None) -> bytes:
        """As `read_bytes`, in the same way."""
        with self._store.as_node(self.name):
            return await self._store.aread_bytes(self._key(key, "read"), at, start, length)

    # -- inside ------------------------------------------------------------------------------------------------

    def _visible_keys(self) -> list[str]:
        """What it sees, absolute."""
        self._store._require_open()
        keys = self._sight.pattern("**") if self._sight.prefix else None
        with self._store._lock:
            visible = self._store._engine.visible
            found = list(visible) if keys is None else list(keys.select(visible))
        return [key for key in found if self._sight.can_read(key)]


def _made(transaction: Transaction) -> Commit:
    """The commit of a transaction that has changed something."""
    assert transaction.commit is not None
    return transaction.commit
