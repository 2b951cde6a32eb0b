"""Tending a store: what it takes and may take, bad values, erasing, compacting."""

import time
from collections.abc import Callable, Collection
from typing import Any

from backpack.core.chain import Mark
from backpack.core.commit import Commit
from backpack.core.patterns import Pattern
from backpack.core.requests import Request
from backpack.errors import KeyNotFoundError, QuarantineError
from backpack.limits import MESSAGE_SIZE_MAX
from backpack.store.compacting import compact, tend
from backpack.store.erasing import erase
from backpack.store.lasting import Lasting
from backpack.store.names import checked_retention, checked_text
from backpack.store.records import CompactReport, PurgeReport
from backpack.store.usage import MemoryUsage, largest_keys, measure, pinned_bytes


class Tending(Lasting):
    """What keeps a store in order."""

    def memory_usage(self, deep: bool = False) -> MemoryUsage:
        """What the memory is spent on. Cost: O(1); `deep` counts from the payloads instead, O(changes).

        >>> from backpack import Backpack
        >>> bp = Backpack({"a": "x" * 10})
        >>> bp.memory_usage().live_bytes, bp.memory_usage().commits_in_memory
        (11, 1)
        """
        return self._usage(deep, self._largest_keys)

    def prune(self) -> int:
        """Prune now, down to the share of the budget that pruning leaves; how many commits left."""
        self._require_open()
        with self._lock, self._change():
            pruned = self._engine.pruner.run()
        self._tell_pruned()
        return pruned

    def configure(self, **limits: Any) -> None:
        """Change limits at run time. Lowering one prunes at once; nonsense raises ValueError and changes nothing.

        `max_value_size`, `max_history_size` (bytes, above 0), `max_commits` (above 0, or None), `prune_strategy`
        ("oldest", "least-accessed" or "none"), `prune_percentage` (above 0, up to 1) and `hard_limit` (a bool): see
        `Backpack`. Another name is a TypeError. What the archive keeps is no limit of these: see `compact`.

        >>> from backpack import Backpack
        >>> bp = Backpack()
        >>> bp.configure(max_history_size=1_000_000, max_commits=100)
        >>> bp.limits.max_commits
        100
        """
        self._require_open()
        with self._lock, self._change():
            self._engine.set_limits(self._engine.limits.changed(limits))
            self._engine.pruner.enforce()
        self._tell_pruned()

    # -- bad values --------------------------------------------------------------------------------------------

    def quarantine(self, key: str, *, reason: str, node: str | None = None) -> Commit:
        """Take a bad value out of sight, but not out of history, until it is released or packed over."""
        checked_text("reason", reason, MESSAGE_SIZE_MAX, may_be_empty=True)
        label = self._label(node, None, ())
        with self._lock, self._change():
            if not self._is_visible(key):
                raise KeyNotFoundError(f"nothing to quarantine: key={key!r}", key=key)
            facts = self._engine.commit((Request(key, "quarantine", reason=reason),), label, self._now())
        return self._told(facts)

    def quarantined(self) -> dict[str, str]:
        """The keys in quarantine and why."""
        self._require_open()
        with self._lock:
            return self._engine.quarantined()

    def release(self, key: str, *, node: str | None = None) -> Commit:
        """Bring a quarantined value back into sight. Refused with `QuarantineError` when the value in sight is in none,
        as one that was packed over it; `KeyNotFoundError` when there is no value either."""
        label = self._label(node, None, ())
        with self._lock, self._change():
            chain = self._engine.chain_of(key)
            last = None if chain is None else chain.last
            if not isinstance(last, Mark) or last.kind != "quarantine":
                if not self._is_visible(key):
                    raise KeyNotFoundError(f"nothing to release: key={key!r}", key=key)
                raise QuarantineError(f"the key is not in quarantine: key={key!r}", key=key)
            facts = self._engine.commit((Request(key, "release"),), label, self._now())
        return self._told(facts)

    def purge(self, pattern: str, *, dry_run: bool = False) -> PurgeReport:
        """Erase every value the keys ever had: the one call that rewrites history. Forks are stores of their own; what
        live ones still keep on the disk, the report says.

        The present values go by a commit (a delete); old snapshots answer `Unavailable(reason="purged")`.

        >>> from backpack import Backpack
        >>> bp = Backpack({"user.email": "x@example.org"})
        >>> bp.purge("user.**").versions, "user.email" in bp
        (1, False)
        >>> bp.snapshot(1).unpack("user.email").reason
        'purged'
        """
        return erase(self, Pattern(pattern), dry_run, None)

    # -- the disk ----------------------------------------------------------------------------------------------

    def compact(
        self,
        *,
        max_archive_size: int | None = None,
        keep_days: float | None = None,
        keep_commits: int | None = None,
        dry_run: bool = False,
    ) -> CompactReport:
        """Take old commits off the disk for good, in whole segments, and blobs that nothing points to any more.

        Without a limit the ones that the store was opened with count, if any. Present values, checkpoints and all
        commits that stay are as before; those that go raise `CommitPrunedError`. What several limits keep least of
        counts. Of a store in memory there is nothing to compact. An open snapshot of a commit that goes stays as it is
        when memory has the commit, but for large values that the disk alone had: they answer `dropped`.

        With `dry_run` nothing changes. The report has the commits that compacting would take away if it came next; its
        size is theirs to a few bytes too, unless readers have the store open (compacting leaves blobs alone then) or
        memory alone still has large values of commits that go. Cost: as compacting, but for the writing.
        """
        self._require_open()
        return compact(self, checked_retention(max_archive_size, keep_days, keep_commits), dry_run, time.time_ns())

    def _tend(self) -> None:
        """Compact by what the store was opened with. In the thread that seals."""
        tend(self, time.time_ns())

    # -- inside ------------------------------------------------------------------------------------------------

    def _usage(self, deep: bool, largest: Callable[[int], list[tuple[str, int]]]) -> MemoryUsage:
        self._require_open()
        with self._lock:
            return measure(self._engine, deep=deep, largest=largest, pinned=self._pinned_bytes)

    def _pinned_bytes(self, head: int, pins: Collection[int]) -> int:
        with self._lock:
            return pinned_bytes(self._engine, head, pins)

    def _largest_keys(self, head: int) -> list[tuple[str, int]]:
        with self._lock:
            return largest_keys(self._engine, head)
