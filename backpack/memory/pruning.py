"""Taking old entries out, from history and off the disk too.

What goes fails both bounds, of age and of number, and is pinned by no checkpoint: neither one that the entry names and
that is there, nor one of the memory that refers to it, nor one of the core alone whose state has it. Of a chunked entry
above 30 days of age the content goes first and the entry stays, with its summary; a later pruning, that finds it
without its content, takes the rest. Any other goes as a whole. Titles stay, so that a reference to what went is told
from one that never was. A content goes when no entry that stays has it, a part when no content has; so do contents and
parts of a log that never came to its end.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from backpack.core.patterns import Exactly
from backpack.errors import CommitNotFoundError, InvalidArgumentError
from backpack.memory import listing
from backpack.memory.content import WHOLE_SIZE_MAX, parts_of
from backpack.memory.entry import Entry, record_of
from backpack.memory.statistics import report_of
from backpack.store.erasing import erase
from backpack.store.names import checked_flag

if TYPE_CHECKING:
    from backpack.memory.memory import Memory

KEEP_DAYS: Final = 7
KEEP_ENTRIES: Final = 500
KEEP_CHUNKS_DAYS: Final = 30
TOMBSTONES_MAX: Final = 10_000
"""Titles that are kept of entries that went; of older ones nothing is left."""
REPORTS_MAX: Final = 100
_DAY_NS: Final = 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class MemoryPruneReport:
    """What went, or would go."""

    removed: tuple[tuple[str, str], ...]
    """`(id, title)` of the entries that went as a whole."""
    emptied: tuple[tuple[str, str], ...]
    """Of those whose content went, and whose summary stays."""
    contents: int
    parts: int
    freed_bytes: int
    """By how much smaller the files are without it, not counting what pruning itself notes (titles, a report); in
    memory the packed bytes. Of a dry run an estimate, the packed bytes: on disk short texts are compressed together, to
    a third or so."""
    dry_run: bool


def prune(memory: "Memory", keep_days: float, keep_entries: int, dry_run: bool) -> MemoryPruneReport:
    """Cost: O(entries), and with anything to take what `Backpack.purge` costs."""
    _check(keep_days, keep_entries)
    checked_flag("dry_run", dry_run)
    with memory.bp._letters_at_rest(), memory.shared.lock:
        rows = memory.statistics.rows()
        removed, emptied = _leaving(memory, rows, keep_days, keep_entries)
        gone = {entry.id for entry in (*removed, *emptied)}
        spared = memory.statistics.spared()
        kept = spared | {row.digest for row in rows.values() if row.id not in gone and not row.is_pruned}
        long = spared | {row.digest for row in rows.values() if row.size > WHOLE_SIZE_MAX and row.digest in kept}
        kept_parts = {part for digest in long for part in parts_of(memory.contents.find(digest))}
        contents = _unneeded(memory, memory.keys.content, kept)
        parts = _unneeded(memory, memory.keys.parts, kept_parts | _used_parts(memory, contents))
        keys = [memory.keys.entries + entry.id for entry in removed] + contents + parts
        freed = 0
        if dry_run:
            freed = sum(map(memory.bp._stored_size, keys))
        elif keys or emptied:
            _mark(memory, removed, emptied)
            erased = erase(memory.bp, Exactly(keys, "entries that were pruned"), False, None)
            for key in contents:
                memory.contents.drop(key[len(memory.keys.content) :])
            freed = erased.size if memory.bp._opened is None else erased.freed_bytes
        return MemoryPruneReport(
            tuple((entry.id, entry.title) for entry in removed),
            tuple((entry.id, entry.title) for entry in emptied),
            len(contents),
            len(parts),
            freed,
            dry_run,
        )


def tombstone(memory: "Memory", id: str) -> tuple[str, int] | None:
    """`(title, when in ns)` of an entry that was pruned as a whole."""
    found = _tombstones(memory).get(id)
    if not isinstance(found, list) or len(found) != 2 or type(found[0]) is not str or type(found[1]) is not int:
        return None
    return found[0], found[1]


def _leaving(
    memory: "Memory", rows: dict[str, Entry], keep_days: float, keep_entries: int
) -> tuple[list[Entry], list[Entry]]:
    """The entries that go, and those whose content does; oldest first."""
    now = memory.now_ns()
    pins = {checkpoint.name for checkpoint in memory.bp.checkpoints()}
    known: set[str] = set()
    referred: set[str] = set()
    prefix = memory.keys.checkpoints
    for key in list(memory.values.keys(prefix)):
        known.add(key[len(prefix) :])
        referred.update(_referred(memory.values.get(key)))
    for name in pins - known:  # made by `bp.checkpoint`
        with suppress(CommitNotFoundError):  # taken away meanwhile
            referred.update(listing.shown_at(memory, name))
    pins |= known
    candidates = list(rows.values())[: max(0, len(rows) - keep_entries)]
    removed: list[Entry] = []
    emptied: list[Entry] = []
    for entry in candidates:
        age = now - entry.time_ns
        is_young = keep_days > 0 and age <= keep_days * _DAY_NS
        if is_young or entry.checkpoint in pins or entry.id in referred:
            continue
        is_summary_kept = entry.tier == "chunks" and age > KEEP_CHUNKS_DAYS * _DAY_NS and not entry.is_pruned
        (emptied if is_summary_kept else removed).append(entry)
    return removed, emptied


def _referred(record: object) -> Iterable[str]:
    """The ids that a checkpoint of the memory refers to."""
    references = record.get("references") if isinstance(record, dict) else None
    for one in references if isinstance(references, list | tuple) else ():
        id = one.get("id") if isinstance(one, dict) else one
        if isinstance(id, str):
            yield id


def _unneeded(memory: "Memory", prefix: str, kept: set[str]) -> list[str]:
    """The keys of contents or parts that nobody has, and nobody is logging at this moment."""
    return [
        key
        for key in memory.values.keys(prefix)
        if key[len(prefix) :] not in kept and not memory.shared.is_used(key[len(prefix) :])
    ]


def _used_parts(memory: "Memory", contents: list[str]) -> set[str]:
    """The parts of contents that no entry has yet, and somebody is logging."""
    prefix = memory.keys.content
    gone = set(contents)
    used: set[str] = set()
    for key in memory.values.keys(prefix):
        if key not in gone and memory.shared.is_used(key[len(prefix) :]):
            used.update(parts_of(memory.contents.find(key[len(prefix) :])))
    return used


def _mark(memory: "Memory", removed: list[Entry], emptied: list[Entry]) -> None:
    """One commit that says what is about to go: whatever happens then, the next pruning finds the rest."""
    now = memory.now_ns()
    keys = memory.keys
    with memory.bp.transaction(node=memory.acting_node()) as transaction:
        for entry in emptied:
            transaction.pack(keys.entries + entry.id, record_of(replace(entry, pruned_ns=now)))
        if removed:
            tombstones = {**_tombstones(memory), **{entry.id: [entry.title, now] for entry in removed}}
            newest = sorted(tombstones)[-TOMBSTONES_MAX:]
            transaction.pack(keys.pruned, {id: tombstones[id] for id in newest})
        line = {"do": "prune", "time": now, "removed": len(removed), "emptied": len(emptied)}
        memory.operations_log.write(transaction, line)
        reports = transaction.unpack(keys.reports)
        report = report_of(memory.statistics.stats(), now)
        transaction.pack(keys.reports, [*(reports if isinstance(reports, list) else []), report][-REPORTS_MAX:])


def _tombstones(memory: "Memory") -> dict[str, Any]:
    found = memory.values.get(memory.keys.pruned)
    return found if isinstance(found, dict) else {}


def _check(keep_days: float, keep_entries: int) -> None:
    if isinstance(keep_days, bool) or not isinstance(keep_days, int | float) or not keep_days >= 0:
        raise InvalidArgumentError(f"keep_days must be a number, 0 or more: keep_days={keep_days!r}")
    if isinstance(keep_entries, bool) or not isinstance(keep_entries, int) or keep_entries < 0:
        raise InvalidArgumentError(f"keep_entries must be a whole number, 0 or more: keep_entries={keep_entries!r}")
