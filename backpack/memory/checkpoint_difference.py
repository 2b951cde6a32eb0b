"""What changed from one checkpoint to another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from backpack.memory.checkpoint_record import MemoryCheckpoint, by_name
from backpack.memory.checkpoint_summary import told_shortly
from backpack.store.differences import Diff, differing_paths

_TITLES_MAX: Final = 100
"""Entries of each kind whose titles are read."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Names of what is new, of what is something else now, and of what is no more; each sorted."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    _details: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    """By name: what is said of it behind a colon or a space."""

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def lines(self) -> list[str]:
        """One line a name, with a sign before it: `~ city: Rome -> Oslo`; of an entry its title."""
        signs = (("+", self.added), ("~", self.changed), ("-", self.removed))
        return [f"{sign} {name}{self._details.get(name, '')}" for sign, names in signs for name in names]


@dataclass(frozen=True, slots=True)
class CheckpointDiff:
    """From `a` to `b`. It is true when something differs; `str` of it is for people."""

    a: str
    b: str
    phase: tuple[str | None, str | None]
    """Then and now."""
    tasks: Changes
    dependencies: Changes
    variables: Changes
    entries: Changes
    """Ids, by the snapshots at the two."""

    def __bool__(self) -> bool:
        return self.phase[0] != self.phase[1] or any(changes for _, changes in self._parts())

    def __str__(self) -> str:
        lines = [f"{self.a} -> {self.b}"]
        if self.phase[0] != self.phase[1]:
            lines.append(f"phase: {self.phase[0] or 'none'} -> {self.phase[1] or 'none'}")
        for name, changes in self._parts():
            if changes:
                lines += [f"{name}:", *(f"  {line}" for line in changes.lines())]
        return "\n".join(lines if len(lines) > 1 else [*lines, "no difference"])

    def _parts(self) -> tuple[tuple[str, Changes], ...]:
        return (
            ("tasks", self.tasks),
            ("dependencies", self.dependencies),
            ("variables", self.variables),
            ("entries", self.entries),
        )


def difference(a: MemoryCheckpoint, b: MemoryCheckpoint, snapshots: Diff, prefix: str) -> CheckpointDiff:
    """`snapshots`: how the store differs between the two; `prefix` comes before the id of an entry."""

    def ids(keys: Mapping[str, object]) -> tuple[str, ...]:
        return tuple(sorted(key[len(prefix) :] for key in keys if key.startswith(prefix)))

    return CheckpointDiff(
        a.id,
        b.id,
        (a.phase, b.phase),
        _changes(by_name(a.tasks), by_name(b.tasks)),
        _changes(by_name(a.dependencies), by_name(b.dependencies)),
        _changes(a.variables, b.variables),
        Changes(ids(snapshots.added), ids(snapshots.changed), ids(snapshots.removed), _titles(snapshots, prefix)),
    )


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Changes:
    changed = sorted(name for name in old.keys() & new.keys() if differing_paths(old[name], new[name]))
    details = {name: _detail(told_shortly(name, state)) for name, state in {**old, **new}.items()}
    for name in changed:
        details[name] = _detail(f"{told_shortly(name, old[name])} -> {told_shortly(name, new[name])}")
    return Changes(
        tuple(sorted(new.keys() - old.keys())), tuple(changed), tuple(sorted(old.keys() - new.keys())), details
    )


def _detail(said: str) -> str:
    return f": {said}" if said else ""


def _titles(snapshots: Diff, prefix: str) -> dict[str, str]:
    """The titles of entries that differ, by id."""
    titles = {}
    for entries in (snapshots.added, snapshots.changed, snapshots.removed):
        for key in islice((key for key in entries if key.startswith(prefix)), _TITLES_MAX):
            record = entries[key].old if entries is snapshots.removed else entries[key].new
            title = record.get("title") if isinstance(record, Mapping) else None
            if isinstance(title, str) and title:
                titles[key[len(prefix) :]] = f" {told_shortly('', title)}"
    return titles
