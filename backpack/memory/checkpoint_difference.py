"""What changed from one checkpoint to another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backpack.memory.checkpoint_record import MemoryCheckpoint, by_name
from backpack.store.differences import Diff, differing_paths


@dataclass(frozen=True, slots=True)
class Changes:
    """Names of what is new, of what is something else now, and of what is no more; each sorted."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def lines(self) -> list[str]:
        """One line a name, with a sign before it."""
        signs = (("+", self.added), ("~", self.changed), ("-", self.removed))
        return [f"{sign} {name}" for sign, names in signs for name in names]


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
        Changes(ids(snapshots.added), ids(snapshots.changed), ids(snapshots.removed)),
    )


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Changes:
    return Changes(
        tuple(sorted(new.keys() - old.keys())),
        tuple(sorted(name for name in old.keys() & new.keys() if differing_paths(old[name], new[name]))),
        tuple(sorted(old.keys() - new.keys())),
    )
