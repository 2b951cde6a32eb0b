"""What a checkpoint is made of, whole: told from an earlier checkpoint by what differs, and back."""

from collections.abc import Mapping
from typing import Any, Final

from backpack.errors import CorruptionError
from backpack.integrations.langgraph.records import GONE, Value

Version = str | int | float
Versions = dict[str, Version]
Seen = dict[str, Versions]
Held = dict[str, tuple[Version | None, Value | None]]
"""By channel: which version of it this is, and its value, if it has one."""

DEPTH_MAX: Final = 31
"""So many checkpoints in a row are told from the one before; then comes one that stands for itself."""


class Manifest:
    """The versions and the values of one checkpoint. Never changed once it is made."""

    __slots__ = ("depth", "seen", "values", "versions")

    def __init__(self, versions: Versions, seen: Seen, values: Held, depth: int) -> None:
        self.versions = versions
        self.seen = seen
        self.values = values
        self.depth = depth
        """How many checkpoints stand behind this one until one that stands for itself."""


EMPTY: Final = Manifest({}, {}, {}, -1)


class Marks:
    """The distinct versions that a record names, each once."""

    __slots__ = ("_index", "listed")

    def __init__(self) -> None:
        self.listed: list[Version] = []
        self._index: dict[tuple[type, Version], int] = {}

    def of(self, version: Version) -> int:
        key = (type(version), version)
        index = self._index.get(key)
        if index is None:
            index = self._index[key] = len(self.listed)
            self.listed.append(version)
        return index

    def changes(self, old: Mapping[str, Version], new: Mapping[str, Version]) -> dict[str, int]:
        """What makes `new` of `old`, in numbers of marks."""
        changed = {}
        for name, version in new.items():
            before = old.get(name)
            if before is not version and (before != version or type(before) is not type(version)):
                changed[name] = self.of(version)
        if len(new) - len(changed) != len(old):
            changed.update({name: GONE for name in old if name not in new})
        return changed


def seen_changes(marks: Marks, old: Seen, new: Seen) -> dict[str, Any]:
    """What makes the versions seen by nodes `new` of `old`."""
    changes: dict[str, Any] = {}
    for node, versions in new.items():
        before = old.get(node)
        if before is None:
            changes[node] = marks.changes({}, versions)
        else:
            changed = marks.changes(before, versions)
            if changed:
                changes[node] = changed
    for node in old:
        if node not in new:
            changes[node] = GONE
    return changes


def made(record: list[Any], base: Manifest) -> Manifest:
    """The manifest that a record tells from its base; from `EMPTY` when it stands for itself."""
    marks, versions, seen, values = record[7:11]
    now = _changed(base.versions, versions, marks)
    seen_now = base.seen.copy()
    for node, changes in seen.items():
        if changes == GONE:
            seen_now.pop(node, None)
        else:
            seen_now[node] = _changed(seen_now.get(node, {}), changes, marks)
    held = base.values.copy()
    for channel in versions:
        if channel not in now:
            held.pop(channel, None)
    for channel, value in values.items():  # behind the former: a channel without a version may have one
        held[channel] = (now.get(channel), value)
    return Manifest(now, seen_now, held, base.depth + 1)


def _changed(old: Versions, changes: Mapping[str, int], marks: list[Version]) -> Versions:
    new = old.copy()
    for name, mark in changes.items():
        if mark == GONE:
            new.pop(name, None)
        elif mark < len(marks):
            new[name] = marks[mark]
        else:
            raise CorruptionError("a stored checkpoint names a version that it does not have")
    return new
