"""Recalling the past: commits, who made what, snapshots and what differs between two of them."""

from collections.abc import Callable, Iterator

from backpack.core.addresses import At, bound, required, resolve
from backpack.core.commit import Commit
from backpack.errors import CommitNotFoundError, CorruptionError, InvalidArgumentError, KeyNotFoundError
from backpack.store import tasks, travel
from backpack.store.differences import Diff, diff_of
from backpack.store.names import checked_limit, checked_run
from backpack.store.reading import Reading
from backpack.store.snapshot import Snapshot


class Recalling(Reading):
    """What is told of the past."""

    @property
    def head(self) -> Commit | None:
        """The newest commit; None before the first."""
        self._require_open()
        with self._lock:
            seq = self._engine.timeline.head
            has_head = self._engine.timeline.has(seq) or (self._archive is not None and self._archive.has(seq))
            return self._engine.commit_at(seq) if has_head else None

    def commit(self, at: At) -> Commit:
        """The commit that `at` names. Counts as an access to it. `CommitNotFoundError`, `CommitPrunedError`."""
        self._require_open()
        with self._lock:
            seq = resolve(self._engine, required(at))
            if not seq:
                raise CommitNotFoundError("there is no commit at the empty beginning", at=at)
            self._engine.timeline.touch(seq)
            return self._engine.commit_at(seq)

    def history(
        self,
        key: str | None = None,
        *,
        node: str | None = None,
        tag: str | None = None,
        before: At | None = None,
        after: At | None = None,
        limit: int | None = None,
    ) -> Iterator[Commit]:
        """The commits, newest first, lazily: of a key, a node, with a tag, between two others (these not included) or
        between two times (what was made in that very microsecond not included).

        Of a damaged store: all that can be read, on both sides of the damage, and `CorruptionError` behind the last,
        unless `limit` is reached before.

        >>> from backpack import Backpack
        >>> bp = Backpack({"a": 1})
        >>> _ = bp.pack("a", 2, node="n")
        >>> [commit.seq for commit in bp.history("a")], [commit.seq for commit in bp.history(node="n")]
        ([2, 1], [2])
        """
        self._require_open()
        checked_limit(limit)
        with self._lock:
            stop = self._engine.timeline.head + 1 if before is None else bound(self._engine, before, is_end=True)
            start = 0 if after is None else bound(self._engine, after, is_end=False)
        return self._while_open(self._listed(key, node, tag, start, stop, limit))

    def blame(self, key: str) -> Commit:
        """Who set the present value; known for as long as the value lives, pruned or not."""
        self._require_open()
        with self._lock:
            if not self._is_visible(key):
                raise KeyNotFoundError(f"no value: key={key!r}", key=key)
            commit = self._author(key)
        if commit is None:
            raise CommitNotFoundError(f"who set it is lost, as the commit is: key={key!r}", at=key)
        return commit

    def bisect(
        self, predicate: Callable[[Snapshot], object], *, good: At | None = None, bad: At | None = None
    ) -> Commit:
        """The first commit whose snapshot satisfies the predicate, in O(log commits) snapshots.

        `good`: it is known to be false there (the beginning); `bad`: true there (HEAD). `CommitNotFoundError` when it
        is not true at `bad`, `CommitPrunedError` when it is true at the oldest commit left and the first may have gone.

        >>> from backpack import Backpack
        >>> bp = Backpack()
        >>> for number in range(10): _ = bp.pack("n", number)
        >>> bp.bisect(lambda snapshot: snapshot["n"] >= 7).seq
        8
        """
        self._require_open()
        with self._lock:
            low, high = travel.at_or(self._engine, good, 0), resolve(self._engine, bad)
        if low > high:
            raise InvalidArgumentError(f"good must come before bad: good seq={low} bad seq={high}")
        return travel.bisect(self, predicate, low, high)

    # -- snapshots ---------------------------------------------------------------------------------------------

    def snapshot(self, at: At | None = None) -> Snapshot:
        """Every key as of a commit (None: now), read-only. Cost: O(1); a key O(log versions) when read.

        Naming a commit counts as an access to it, and so does each value that is read.

        >>> from backpack import Backpack
        >>> bp = Backpack({"a": 1})
        >>> _ = bp.pack("a", 2)
        >>> bp.snapshot(1)["a"], bp.snapshot("HEAD")["a"]
        (1, 2)
        """
        return self._snapshot(at, None)

    def snapshot_before(self, node: str, run: int = -1) -> Snapshot | None:
        """The state before a run of a node (consecutive commits by it; 0 is the first, -1 the last), None if it never
        ran so often."""
        checked_run(run)
        self._require_open()
        seq = travel.run_before(self._history.commits(None, self._engine.timeline.head + 1, 0), node, run)
        return None if seq is None else self.snapshot(seq)

    def diff(self, a: At, b: At | None = None) -> Diff:
        """What changed from one commit to another (None: now): `added`, `removed`, `changed`.

        >>> from backpack import Backpack
        >>> bp = Backpack({"plan": {"city": "Rome", "days": 3}})
        >>> _ = bp.pack("plan", {"city": "Rome", "days": 4})
        >>> bp.diff(1).changed["plan"].paths
        ('days',)
        """
        return self._diff(self.snapshot(required(a)), self.snapshot(b))

    # -- inside ------------------------------------------------------------------------------------------------

    def _listed(
        self, key: str | None, node: str | None, tag: str | None, start: int, stop: int, limit: int | None
    ) -> Iterator[Commit]:
        count = 0
        if limit == 0:
            return
        lost: list[CorruptionError] = []
        for commit in self._history.commits(key, stop, start, lost):
            if (node is not None and commit.node != node) or (tag is not None and tag not in commit.tags):
                continue
            yield commit
            count += 1
            if count == limit:
                return
        if lost:
            raise lost[0]

    def _diff(self, old: Snapshot, new: Snapshot) -> Diff:
        return diff_of(old, new)

    def _loaded(self, at: At | None, keys: list[str] | None) -> Snapshot:
        snapshot = self._snapshot(at, None)
        snapshot.load(keys, tasks.Pace())
        return snapshot
