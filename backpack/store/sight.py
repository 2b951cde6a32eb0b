"""What a node may see and do: the permissions of one agent step.

In one process this is a guard rail, not a wall: the handle carries the identity, and whoever has the store has all of
it. What a node may not read does not exist for it: not in iteration, `len`, `in`, snapshots, diffs, history, events
or error texts; asking for it by name is refused in the same words whether or not it exists.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, TypeVar

from backpack.core.commit import NO_LABEL, Commit
from backpack.core.patterns import Pattern, Patterns
from backpack.errors import AccessDeniedError, HiddenKeyError
from backpack.store.events import Event
from backpack.store.records import Item

_Denied = TypeVar("_Denied", bound=AccessDeniedError)
_NO_SIZES: Final[Mapping[str, int]] = MappingProxyType({})


class Sight:
    """Which keys a node may read and write: patterns compiled once, deny beats allow."""

    __slots__ = ("_denies", "_publish", "_reads", "_writes", "node", "prefix")

    def __init__(
        self,
        node: str,
        reads: Iterable[str] | None,
        writes: Iterable[str] | None,
        denies: Iterable[str],
        prefix: str,
        publish: Callable[[Event], None],
    ) -> None:
        self.node = node
        self.prefix = prefix
        self._reads = None if reads is None else Patterns(reads, "reads")
        self._writes = None if writes is None else Patterns(writes, "writes")
        self._denies = Patterns(denies, "denies")
        self._publish = publish

    def can_read(self, key: str) -> bool:
        """May the node read this absolute key?"""
        return (
            key.startswith(self.prefix)
            and (self._reads is None or self._reads.matches(key))
            and not self._denies.matches(key)
        )

    def can_write(self, key: str) -> bool:
        """May the node write this absolute key?"""
        return (
            key.startswith(self.prefix)
            and (self._writes is None or self._writes.matches(key))
            and not self._denies.matches(key)
        )

    def readable(self, key: Any) -> str | None:
        """The absolute key of one below the namespace; None where the node may not read it, and for what is no key."""
        absolute = self.prefix + key if isinstance(key, str) else None
        return absolute if absolute is not None and self.can_read(absolute) else None

    def pattern(self, text: str) -> Pattern:
        """The absolute pattern of one below the namespace."""
        return Pattern(self.prefix + Pattern(text).text)

    def relative(self, key: str) -> str:
        """What the node calls an absolute key of its namespace."""
        return key.removeprefix(self.prefix)

    def require(self, key: str, operation: str) -> None:
        """Raise `AccessDeniedError` unless the node may; tell the subscribers."""
        may = self.can_write(key) if operation == "write" else self.can_read(key)
        if not may:
            raise self.denied(key, operation)

    def require_everything(self, operation: str) -> None:
        """Raise unless the node sees the whole store."""
        if self.prefix or self._reads is not None or self._denies:
            raise self.denied("**", operation)

    def require_writing_everything(self, operation: str) -> None:
        """Raise unless the node may write the whole store."""
        if self.prefix or self._writes is not None or self._denies:
            raise self.denied("**", operation)

    def require_some_writing(self, operation: str) -> None:
        """Raise for a node that may write nothing."""
        if self._writes is not None and not self._writes:
            raise self.denied("**", operation)

    def hidden(self, key: str) -> HiddenKeyError:
        """The refusal where such keys are absent."""
        return self._refusal(key, "read", HiddenKeyError)

    def denied(self, key: str, operation: str) -> AccessDeniedError:
        """The refusal, told to the subscribers as well."""
        return self._refusal(key, operation, AccessDeniedError)

    def filtered(self, commit: Commit) -> Commit:
        """The commit with the changes that the node may see, by relative keys. Without any, its place and time; its
        node too if it was made under this one's name, but no message, which may name keys."""
        changes = commit.raw_changes
        seen = tuple([change for change in changes if self.can_read(change[0])])
        if len(seen) == len(changes) and not self.prefix:
            return commit
        if not seen:
            return commit.showing((), (self.node, None, ()) if commit.node == self.node else NO_LABEL)
        return commit.showing(tuple([(self.relative(change[0]), *change[1:]) for change in seen]))

    def own(self, commit: Commit, sizes: Mapping[str, int] = _NO_SIZES) -> Commit:
        """The commit that the node itself has just made: whole, by relative keys.

        `sizes`: by absolute key, what the node brought to a value that others have a part in. That is shown in place of
        the size where it may not read the key.
        """
        hidden = [key for key in sizes if not self.can_read(key)]
        if not hidden and not self.prefix:
            return commit
        changes = []
        for key, kind, version, size, is_large in commit.raw_changes:
            if key in hidden and size != sizes[key]:
                size, is_large = sizes[key], False
            changes.append((self.relative(key), kind, version, size, is_large))
        return commit.showing(tuple(changes))

    def item(self, item: Item) -> Item:
        """An item of the store as the node may see it, which may read its key."""
        commit = None if item.commit is None else self.filtered(item.commit)
        return replace(item, key=self.relative(item.key), commit=commit)

    def filtered_event(self, event: Event) -> Event | None:
        """The event as the node may see it, by relative keys; None when it is about nothing that it sees."""
        if not event.keys:
            return event if event.kind in ("prune", "archive") else None
        is_own_refusal = event.kind == "denied" and event.node == self.node
        keys = tuple([key for key in event.keys if self.can_read(key) or is_own_refusal])
        if len(keys) == len(event.keys) and not self.prefix:
            return event
        if not keys:
            return None
        commit = None if event.commit is None else self.filtered(event.commit)
        size = event.size if len(keys) == len(event.keys) else 0 if commit is None else commit.size
        keys = tuple([self.relative(key) for key in keys])
        return Event(event.kind, keys, event.node, commit, size, event.count, event.detail)

    def _refusal(self, key: str, operation: str, kind: type[_Denied]) -> _Denied:
        self._publish(Event("denied", (key,), self.node, detail=operation))
        return kind(
            f"the node may not {operation} that key: node={self.node!r} key={key!r}",
            node=self.node,
            key=key,
            operation=operation,
        )
