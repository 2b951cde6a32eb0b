"""The commits that can be read, in memory or archived: one behind the other, newest first."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from backpack.archive.content import facts_of
from backpack.core.commit import Commit
from backpack.core.engine import Engine

if TYPE_CHECKING:
    from backpack.archive.archive import Archive
    from backpack.archive.finding import Faults


class History:
    """Goes through the commits of a store. Takes the lock for each step in memory, none for what is on disk."""

    __slots__ = ("_archive", "_engine", "lock")

    def __init__(self, engine: Engine, archive: "Archive | None", lock: AbstractContextManager[Any]) -> None:
        self._engine = engine
        self._archive = archive
        self.lock = lock
        """The lock of the store: another one in a forked child."""

    def commits(self, key: str | None, stop: int, start: int, lost: "Faults | None" = None) -> Iterator[Commit]:
        """The commits (that changed the key) before `stop` and behind `start`, newest first, lazily.

        `lost`: takes the errors of those that can't be read, which are passed over; without it the first one raises.
        """
        if key is not None and self._archive is not None:
            yield from self._of_key(self._archive, key, stop, start, lost)
            return
        while True:
            with self.lock:
                seq = self._previous(key, stop)
                commit = self._engine.commit_at(seq) if seq > start else None
            if self._archive is not None and seq + 1 < stop:
                yield from self._archived(self._archive, None, stop, max(seq, start), lost)
            if commit is None:
                return
            yield commit
            stop = seq

    def last_before(self, seq: int) -> int:
        """The newest commit before `seq` that can be read; 0 if there is none."""
        if self._archive is None:
            with self.lock:
                return self._engine.timeline.last_before(seq)
        commit = next(self.commits(None, seq, 0), None)
        return 0 if commit is None else commit.seq

    def _of_key(self, archive: "Archive", key: str, stop: int, start: int, lost: "Faults | None") -> Iterator[Commit]:
        """Those that changed a key. Memory is asked only where it may have what the archive has not: behind that is
        what a fork did itself, before it what open snapshots hold though it was compacted away."""
        first, behind = archive.first_seq, archive.head + 1
        while stop > behind and (commit := self._remembered(key, stop, max(start, behind - 1))):
            yield commit
            stop = commit.seq
        yield from self._archived(archive, key, min(stop, behind), max(start, first - 1), lost)
        stop = min(stop, first)
        while stop > start + 1:
            commit = self._remembered(key, stop, start)
            before = start if commit is None else commit.seq
            yield from self._archived(archive, key, stop, before, lost)
            if commit is not None:
                yield commit
            stop = before

    def _remembered(self, key: str, stop: int, start: int) -> Commit | None:
        """The newest commit in memory before `stop` and behind `start` that changed the key."""
        with self.lock:
            seq = self._previous(key, stop)
            return self._engine.commit_at(seq) if seq > start else None

    def _archived(
        self, archive: "Archive", key: str | None, stop: int, start: int, lost: "Faults | None"
    ) -> Iterator[Commit]:
        rows = archive.rows(stop, start, lost) if key is None else archive.rows_of(key, stop, start, lost)
        epoch = self._engine.epoch
        for row in rows:
            yield Commit((epoch.of(row.seq), row.seq, *facts_of(row)))

    def _previous(self, key: str | None, seq: int) -> int:
        """The commit in memory before `seq` (that changed the key); 0 if there is none."""
        engine = self._engine
        if key is None:
            return engine.timeline.last_before(seq)
        chain = engine.chains.get(key)
        if chain is None:
            return 0
        index = chain.index_at(seq - 1)
        seqs = chain.columns[0]
        while index >= 0 and not engine.timeline.has(seqs[index]):
            index -= 1
        return seqs[index] if index >= 0 else 0
