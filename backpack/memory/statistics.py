"""What a memory holds and what that saves, from the records of its entries.

The rows are kept and brought up to date by what commits have changed since, so asking again costs what is new. So is
what contents they have: a delete asks for that, and doesn't go through the entries.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from threading import RLock
from typing import TYPE_CHECKING, Any

from backpack.memory.content import parts_of
from backpack.memory.entry import Entry
from backpack.memory.listing import hidden_content, named_content, readable
from backpack.memory.tokens import tokens_of_length
from backpack.memory.uses import Uses
from backpack.memory.values import StoreValues

if TYPE_CHECKING:
    from backpack.memory.memory import Memory

_REFERENCE_LENGTH = len("[mem-20261121-151102-0af31c77]  (1,000 tokens)")


@dataclass(frozen=True, slots=True)
class TypeStats:
    """Of all entries, or of those of one type."""

    entries: int = 0
    bytes_before: int = 0
    """What was logged, each entry by itself."""
    bytes_after: int = 0
    """What that takes, compressed, each content once."""
    tokens: int = 0
    tokens_saved: int = 0
    """Tokens of the contents beyond those of their `refs` lines."""
    pruned: int = 0
    """Entries of which the summary is left."""

    @property
    def ratio(self) -> float:
        """Bytes before to bytes after; 1 when there are none."""
        return self.bytes_before / self.bytes_after if self.bytes_after else 1.0


@dataclass(frozen=True, slots=True)
class Stats(TypeStats):
    """All entries, and by type. As a text it is the compression report."""

    by_type: Mapping[str, TypeStats] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    """What failed in this process without costing an entry: by what it was."""

    def __str__(self) -> str:
        width = max([5, *map(len, self.by_type)])
        said = [f"{'type':{width}} {'entries':>8} {'before':>14} {'after':>14} {'ratio':>7} {'tokens saved':>13}"]
        for name, one in [*sorted(self.by_type.items()), ("total", self)]:
            said.append(
                f"{name:{width}} {one.entries:8,} {one.bytes_before:14,} {one.bytes_after:14,} {one.ratio:7.1f} "
                f"{one.tokens_saved:13,}"
            )
        return "\n".join(said)


class Statistics:
    """The rows of one memory, by id, and which contents they have. Any number of threads."""

    __slots__ = ("_lock", "_memory", "_posted", "_rows", "_seq", "_spared", "_stats", "_unread", "_uses")

    def __init__(self, memory: "Memory") -> None:
        self._memory = memory
        self._lock = RLock()
        self._rows: dict[str, Entry] = {}
        self._unread: set[str] = set()
        """The ids whose records are none: looked at again each time."""
        self._spared: dict[str, str] = {}
        """The digests that records name which are none or in quarantine, by id."""
        self._uses = Uses()
        self._seq = 0
        self._posted: frozenset[str] = frozenset()
        """Keys of entries that are in no commit yet."""
        self._stats: Stats | None = None

    def rows(self) -> dict[str, Entry]:
        """All entries by id, in order, as they are now. Cost: O(entries), and reading those that changed."""
        with self._memory.values.in_sight(), self._lock:
            self._refresh()
            return self._sorted()

    def stats(self) -> Stats:
        """Counted when something changed."""
        with self._memory.values.in_sight(), self._lock:
            self._refresh()
            if self._stats is None:
                self._stats = _counted(self._sorted().values(), dict(self._memory.failures))
            return self._stats

    def spared(self) -> set[str]:
        """The digests that records name which are none, such as those of a later format, or that are in quarantine and
        may be released: their contents stay."""
        with self._memory.values.in_sight(), self._lock:
            self._refresh()
            return set(self._spared.values())

    def is_shared(self, entry: Entry) -> bool:
        """Does anything else have the content of an entry? Cost: what changed since somebody asked last."""
        with self._memory.values.in_sight(), self._lock:
            self._refresh()
            row = self._rows.get(entry.id)
            own = row is not None and not row.is_pruned and row.digest == entry.digest
            return self._uses.count(entry.digest) > own

    def shared_parts(self, digest: str, parts: tuple[str, ...]) -> set[str]:
        """Which parts of a content another content has. Cost: as `is_shared`, and reading long contents that nobody
        asked for before. `CorruptionError` when one of those can't be read."""
        with self._memory.values.in_sight(), self._lock:
            self._refresh()
            return self._uses.shared_parts(digest, parts, self._parts_of)

    def _sorted(self) -> dict[str, Entry]:
        return {id: self._rows[id] for id in sorted(self._rows)}

    def _parts_of(self, digest: str) -> tuple[str, ...] | None:
        content = self._memory.contents.find(digest)
        return None if content is None else parts_of(content)

    def _refresh(self) -> None:
        memory = self._memory
        head = memory.bp.head
        seq = 0 if head is None else head.seq
        prefix = memory.keys.entries
        posted = frozenset(memory.values.posted(prefix))
        if (seq, posted) == (self._seq, self._posted) and isinstance(memory.values, StoreValues) and seq:
            if self._stats is not None and dict(memory.failures) != self._stats.failures:
                self._stats = None
            return
        changed = self._changed(seq) if isinstance(memory.values, StoreValues) else None
        self._seq = 0  # whoever is interrupted has it read anew
        if changed is None:
            self._rows, self._spared, self._uses = {}, {}, Uses()
            hidden = (key for key in memory.bp.quarantined() if key.startswith(prefix))
            changed = {key[len(prefix) :] for key in chain(memory.values.keys(prefix), hidden)}
        else:
            changed |= self._unread
            changed |= {key[len(prefix) :] for key in posted ^ self._posted}
        self._unread = set()
        for id in changed:
            self._look_at(id)
        self._seq, self._posted = seq, posted
        self._stats = None

    def _look_at(self, id: str) -> None:
        """Have an entry as it is now."""
        memory = self._memory
        was, entry = self._rows.pop(id, None), readable(memory, id)
        spared = self._spared.pop(id, None)
        if entry is not None:
            self._rows[id] = entry
            self._uses.add(entry)
        else:
            key = memory.keys.entries + id
            if key in memory.bp:
                self._unread.add(id)
            named = named_content(memory, id) or hidden_content(memory, key)
            if named is not None:
                self._spared[id] = named
                self._uses.use(named)
        if was is not None:
            self._uses.remove(was)
        if spared is not None:
            self._uses.leave(spared)

    def _changed(self, seq: int) -> set[str] | None:
        """The ids whose records changed since; None when that is not known."""
        prefix = self._memory.keys.entries
        if not self._seq or not self._rows or seq - self._seq > 4 * len(self._rows) + 1_000:
            return None
        changed: set[str] = set()
        expected = seq
        for commit in self._memory.bp.history():
            if commit.seq > seq:
                continue  # somebody has committed meanwhile
            if commit.seq <= self._seq:
                break
            if commit.seq != expected:
                return None  # the one before has left memory
            expected -= 1
            changed.update(key[len(prefix) :] for key in commit.changes if key.startswith(prefix))
        return changed if expected == self._seq else None


def report_of(stats: Stats, time_ns: int) -> dict[str, Any]:
    """A compression report as it is stored: numbers alone."""
    return {"time": time_ns, **_numbers(stats), "types": {name: _numbers(one) for name, one in stats.by_type.items()}}


def _numbers(stats: TypeStats) -> dict[str, Any]:
    return {
        "entries": stats.entries,
        "before": stats.bytes_before,
        "after": stats.bytes_after,
        "ratio": round(stats.ratio, 3),
        "tokens": stats.tokens,
        "saved": stats.tokens_saved,
    }


def _counted(entries: Iterable[Entry], failures: dict[str, int]) -> Stats:
    seen: set[str] = set()
    sums: dict[str, list[int]] = {}
    for entry in entries:
        row = sums.setdefault(entry.type, [0] * 6)
        row[0] += 1
        row[1] += entry.size
        if not entry.is_pruned and entry.digest not in seen:
            seen.add(entry.digest)
            row[2] += entry.stored_size
        row[3] += entry.tokens
        line = tokens_of_length(_REFERENCE_LENGTH + min(len(entry.summary), 160))
        row[4] += max(0, entry.tokens - line)
        row[5] += entry.is_pruned
    total = tuple(sum(row[column] for row in sums.values()) for column in range(6))
    by_type = {name: TypeStats(*row) for name, row in sums.items()}
    return Stats(total[0], total[1], total[2], total[3], total[4], total[5], by_type, failures)
