"""What a node may do with commits, and with the store as a whole: all its verbs but those on its present keys.

Commits, snapshots, diffs and events of a node show what it sees, by keys relative to its namespace. Three rules say who
may do what is not about single keys:

- what gives the whole store away (fork, replay, export) wants the right to read everything
- what takes something from everybody (delete_checkpoint, prune, configure) wants the right to write everything
- a checkpoint takes nothing and gives nothing away; a node that may write anything at all may set one
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from backpack.core.addresses import At, required
from backpack.core.commit import Commit
from backpack.core.limits import Limits
from backpack.errors import InvalidArgumentError
from backpack.store.differences import Diff
from backpack.store.erasing import erase
from backpack.store.events import Callback, Subscription
from backpack.store.names import checked_key, checked_limit
from backpack.store.records import Checkpoint, File, PurgeReport
from backpack.store.sight import Sight
from backpack.store.snapshot import RAISE, Snapshot
from backpack.store.usage import MemoryUsage, largest_keys

if TYPE_CHECKING:
    from backpack.storage.encryption import Key
    from backpack.store.store import Backpack


class NodePast:
    """The part of a `Node` that is about commits and about the whole store."""

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

    # -- commits -----------------------------------------------------------------------------------------------

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
        """As `Backpack.history`, of the commits that changed something the node sees, and of those under its name."""
        absolute = None if key is None else self._key(key, "read")
        checked_limit(limit)
        commits = self._store.history(absolute, tag=tag, before=before, after=after)
        return self._visible_history(commits, tag, limit)

    # -- snapshots ---------------------------------------------------------------------------------------------

    def snapshot(self, at: At | None = None) -> Snapshot:
        """As `Backpack.snapshot`, of what the node sees, by keys relative to its namespace."""
        return self._store._snapshot(at, self._sight)

    async def asnapshot(self, at: At | None = None, keys: Iterable[str] | None = None) -> Snapshot:
        """As `Backpack.asnapshot`, of what the node sees."""
        if keys is not None:
            keys = [self._key(key, "read") for key in ([keys] if isinstance(keys, str) else keys)]
        return Snapshot(self._store, (await self._store.asnapshot(at, keys))._state, self._sight)

    def snapshot_before(self, run: int = -1) -> Snapshot | None:
        """The state before a run of this node, as far as it sees it."""
        found = self._store.snapshot_before(self.name, run)
        return None if found is None else Snapshot(self._store, found._state, self._sight)

    def bisect(
        self, predicate: Callable[[Snapshot], object], *, good: At | None = None, bad: At | None = None
    ) -> Commit:
        """As `Backpack.bisect`, over snapshots of what the node sees."""

        def seen(found: Snapshot) -> object:
            return predicate(Snapshot(self._store, found._state, self._sight))

        return self._seen(self._store.bisect(seen, good=good, bad=bad))

    def diff(self, a: At, b: At | None = None) -> Diff:
        """As `Backpack.diff`, of what the node sees."""
        return self.snapshot(required(a)).diff(self.snapshot(b))

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
        commit = self._store._restore(partial(self.snapshot, required(at)), named, label, unavailable, self._sight)
        return None if commit is None else self._seen(commit)

    # -- other stores ------------------------------------------------------------------------------------------

    def fork(
        self,
        at: At | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
        key: "Key | None" = None,
        unavailable: Any = RAISE,
    ) -> "Backpack":
        """As `Backpack.fork`: a store of its own, whole and without permissions. Wants the right to read everything."""
        self._sight.require_everything("fork")
        return self._store.fork(at, path=path, key=key, unavailable=unavailable)

    def replay(
        self,
        start: At,
        *,
        skip: Iterable[At] = (),
        replace: Mapping[At, Mapping[str, Any]] | None = None,
        unavailable: Any = RAISE,
    ) -> "Backpack":
        """As `Backpack.replay`. Wants the right to read everything."""
        self._sight.require_everything("replay")
        return self._store.replay(start, skip=skip, replace=replace, unavailable=unavailable)

    def export(self, file: File, *, key: "Key | None" = None) -> None:
        """As `Backpack.export`. Wants the right to read everything."""
        self._sight.require_everything("export")
        self._store.export(file, key=key)

    # -- checkpoints -------------------------------------------------------------------------------------------

    def checkpoint(self, name: str, *, at: At | None = None, notes: str = "") -> Checkpoint:
        """As `Backpack.checkpoint`; `AccessDeniedError` for a node that may write nothing. Names are those of the whole
        store."""
        self._sight.require_some_writing("checkpoint")
        return self._seen_checkpoint(self._store.checkpoint(name, at=at, notes=notes))

    def checkpoints(self) -> list[Checkpoint]:
        """All checkpoints of the store, with what the node may see of their commits."""
        return [self._seen_checkpoint(checkpoint) for checkpoint in self._store.checkpoints()]

    def delete_checkpoint(self, name: str) -> None:
        """As `Backpack.delete_checkpoint`. Wants the right to write everything: others may rely on it."""
        self._sight.require_writing_everything("delete checkpoint")
        self._store.delete_checkpoint(name)

    # -- the whole store ---------------------------------------------------------------------------------------

    def memory_usage(self, deep: bool = False) -> MemoryUsage:
        """As `Backpack.memory_usage`: the memory of the whole store. The largest keys are those that the node sees."""
        return self._store._usage(deep, self._largest_keys)

    def prune(self) -> int:
        """As `Backpack.prune`. Wants the right to write everything."""
        self._sight.require_writing_everything("prune")
        return self._store.prune()

    def configure(self, **limits: Any) -> None:
        """As `Backpack.configure`. Wants the right to write everything."""
        self._sight.require_writing_everything("configure")
        self._store.configure(**limits)

    @property
    def limits(self) -> Limits:
        """The limits in force, which are those of the whole store."""
        return self._store.limits

    def purge(self, pattern: str, *, dry_run: bool = False) -> PurgeReport:
        """As `Backpack.purge`, of the keys that the node sees; `AccessDeniedError`, and nothing is erased, when it may
        not write one of them, or not see a key that is named without a star."""
        compiled = self._sight.pattern(pattern)
        if compiled.is_literal:
            self._key(pattern, "read")
            self._key(pattern, "write")
        report = erase(self._store, compiled, dry_run, self._sight)
        commit = None if report.commit is None else self._seen(report.commit)
        keys = tuple(self._sight.relative(key) for key in report.keys)
        return replace(report, keys=keys, commit=commit)

    def flush(self) -> None:
        """As `Backpack.flush`."""
        self._store.flush()

    async def aflush(self) -> None:
        """As `Backpack.aflush`."""
        await self._store.aflush()

    def subscribe(
        self, callback: Callback, *, kinds: Iterable[str] | None = None, key: str | None = None
    ) -> Subscription:
        """As `Backpack.subscribe`, of what the node sees, by keys relative to its namespace."""
        self._store._require_open()
        return self._store._events.add(callback, kinds=kinds, key=key, filter=self._sight.filtered_event)

    # -- inside ------------------------------------------------------------------------------------------------

    def _key(self, key: str, operation: str) -> str:
        """The absolute key, if the node may do that with it."""
        absolute = checked_key(self._sight.prefix + checked_key(key))
        self._sight.require(absolute, operation)
        return absolute

    def _seen(self, commit: Commit) -> Commit:
        return self._sight.filtered(commit)

    def _largest_keys(self, head: int) -> list[tuple[str, int]]:
        with self._store._lock:
            found = largest_keys(self._store._engine, head, self._sight.can_read)
        return [(self._sight.relative(key), size) for key, size in found]

    def _seen_checkpoint(self, checkpoint: Checkpoint) -> Checkpoint:
        return Checkpoint(checkpoint.name, self._seen(checkpoint.commit), checkpoint.notes)

    def _visible_history(self, commits: Iterator[Commit], tag: str | None, limit: int | None) -> Iterator[Commit]:
        count = 0
        for commit in commits:
            if limit is not None and count >= limit:
                return
            seen = self._seen(commit)
            if seen.raw_changes or (seen.node == self.name and tag is None):
                count += 1
                yield seen
