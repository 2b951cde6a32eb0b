"""Commits and keys that are an integration's own: what is stored there, in its words and as plain values.

An integration that stores records of its own shape says so here with the beginning of its keys and the module that
reads them, which is loaded when a store has such keys. `show`, `diff` and `usage` ask here and know none of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Any, Final, Protocol, cast

from backpack import Backpack, Commit, Diff, DiffEntry, Snapshot
from backpack.store.differences import differing_paths
from backpack.terminal.values import flow, value_lines
from backpack.terminal.words import columns_of, count_of, cut, printable, shown

_READERS: Final = {"langgraph.saver.": "backpack.integrations.langgraph.telling"}
"""By how keys begin: who reads the records there."""

_ITEMS_SHOWN: Final = 5
_LOOSE: Final = "  "


class Told(Protocol):
    """What a commit wrote down."""

    @property
    def title(self) -> list[str]: ...
    @property
    def values(self) -> Mapping[str, Any]: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...
    @property
    def whole(self) -> frozenset[str]: ...


class Reader(Protocol):
    """A module that reads records."""

    def told(self, snapshot: Snapshot, commit: Commit) -> Told | None: ...
    def channel(self, snapshot: Snapshot, commit: Commit, name: str) -> tuple[bool, Any]: ...
    def states(self, snapshot: Snapshot, keys: Iterable[str]) -> dict[str, Any]: ...
    def state(self, snapshot: Snapshot, name: str) -> tuple[bool, Any]: ...
    def threads(self, snapshot: Snapshot) -> Iterable[tuple[str, int, int, int]]: ...


def told_of(bp: Backpack, commit: Commit) -> Told | None:
    """What the commit wrote down, if that is a record of an integration."""
    for reader in _readers(commit.changes):
        return reader.told(bp.snapshot(commit.seq), commit)
    return None


def told_lines(told: Told, width: int) -> list[str]:
    """The record: its title, and each value in a line, or in a few where it is a list or has to be there in full."""
    name_width = max((len(printable(name)) for name in told.values), default=0)
    lines = [cut(printable(line), width) for line in told.title]
    for name, value in told.values.items():
        head = f"{_LOOSE}{printable(name):<{name_width}}{_LOOSE}"
        if name in told.whole:
            lines += [head.rstrip(), *(f"{_LOOSE * 2}{line}" for line in _whole_lines(value, width - len(_LOOSE * 2)))]
        elif isinstance(value, list) and value:
            lines.append(f"{head}{count_of(len(value), 'item')}")
            lines += [cut(f"{_LOOSE * 2}{line}", width) for line in _item_lines(value, width)]
        else:
            lines.append(cut(f"{head}{shown(value, width)}", width))
    return lines


def in_words(bp: Backpack, diff: Diff, a: int, b: int) -> Diff:
    """The difference with records replaced by what they say: entries named by the integration, with plain values."""
    keys = [*diff.added, *diff.removed, *diff.changed]
    added, removed, changed = dict(diff.added), dict(diff.removed), dict(diff.changed)
    for prefix, module in _READERS.items():
        own = [key for key in keys if key.startswith(prefix)]
        if not own:
            continue
        reader = cast(Reader, import_module(module))
        for key in own:
            for entries in (added, removed, changed):
                entries.pop(key, None)
        old, new = reader.states(bp.snapshot(a), own), reader.states(bp.snapshot(b), own)
        for name in dict.fromkeys([*old, *new]):
            entry = DiffEntry(name, None, partial(old.get, name), partial(new.get, name))
            if name not in old:
                added[name] = entry
            elif name not in new:
                removed[name] = entry
            elif differing_paths(old[name], new[name]):
                changed[name] = entry
    return Diff(added, removed, changed)


def value_named(snapshot: Snapshot, name: str) -> tuple[bool, Any]:
    """Whether an integration has a value of that name in the snapshot, and the value.

    The name is that of a difference, or of a value in the record of the snapshot's own commit, or in the one that this
    belongs to.
    """
    commit = snapshot.commit
    for reader in _readers(snapshot):
        told = None if commit is None else reader.told(snapshot, commit)
        if told is not None and name in told.values:
            return True, told.values[name]
        found, value = (False, None) if commit is None else reader.channel(snapshot, commit, name)
        if not found:
            found, value = reader.state(snapshot, name)
        if found:
            return True, value
    return False, None


def threads_of(bp: Backpack) -> list[tuple[str, int, int, int]]:
    """Name, checkpoints, pending writes and bytes of what integrations call a thread, the largest first."""
    found = [row for reader in _readers(bp) for row in reader.threads(bp.snapshot())]
    return sorted(found, key=lambda row: (-row[3], row[0]))


def _readers(keys: Iterable[str]) -> list[Reader]:
    """Those whose keys are among these."""
    missing = dict(_READERS)
    found: list[Reader] = []
    for key in keys:
        for prefix in [prefix for prefix in missing if key.startswith(prefix)]:
            found.append(cast(Reader, import_module(missing.pop(prefix))))
        if not missing:
            break
    return found


def _whole_lines(value: Any, width: int) -> Iterator[str]:
    """All of a value: a line for each item that fits into one, else as JSON."""
    for item in value if isinstance(value, list) else [value]:
        line = printable(flow(item))
        yield from [line] if columns_of(line) <= width else value_lines(item)


def _item_lines(items: list[Any], width: int) -> list[str]:
    first = max(0, len(items) - _ITEMS_SHOWN)
    lines = ["..."] if first else []
    return [*lines, *(f"[{index}] {_item(items[index], width)}" for index in range(first, len(items)))]


def _item(value: Any, width: int) -> str:
    """A message by who says what; all else as it is."""
    if isinstance(value, dict) and "content" in value and (who := value.get("type") or value.get("role")):
        said = value["content"]
        calls = value.get("tool_calls")
        more = (
            f" (calls {', '.join(str(call.get('name')) for call in calls if isinstance(call, dict))})" if calls else ""
        )
        return f"{shown(who, width)}: {shown(said, width)}{more}"
    return shown(value, width)
