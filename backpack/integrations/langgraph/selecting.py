"""Which checkpoints of a thread stay.

Checkpoints of subgraphs belong to the checkpoint of the root namespace that their metadata name as a parent, and stay
with it; those whose root checkpoint is still on its way stay (it may come after them). Three things stay whatever is
asked for:

the newest      of each namespace: a graph goes on from there. Not that of a subgraph's call whose root checkpoint goes.
interrupts      a checkpoint with an interrupt and no child: nobody has resumed it.
deltas          a `DeltaChannel` is made of the writes of older checkpoints, back to one that has its value. Where those
                would go, they stay *hidden*: with these writes and that value alone, found by no call but the one
                that rebuilds the channel. A thread that is written anew has all between two that stay as one.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.types import INTERRUPT

from backpack.codec import pack_value
from backpack.integrations.langgraph.reading import metadata_of
from backpack.integrations.langgraph.retention import Retention
from backpack.integrations.langgraph.sharing import parts_of
from backpack.integrations.langgraph.thread import Row, Thread

_COUNTERS: Final = "counters_since_delta_snapshot"
_PASSING: Final = ("__", "branch:")
"""How LangGraph's own channels begin, whose values are for one step."""
_NO_VALUE: Final = (None, None)
_TASK_SEPARATOR: Final = ":"
_LEVEL_SEPARATOR: Final = "|"

Needed = list[tuple[Row, set[str]]]
"""Checkpoints that are only there for some channels, the newest first."""


class Selection(NamedTuple):
    """What stays of a thread."""

    stays: set[Row]
    """In sight."""
    folds: dict[Row, Needed]
    """Hidden, by the parent of one that stays: it, and its ancestors, each with the channels it is needed for."""

    @property
    def hidden(self) -> set[Row]:
        """All that stay hidden."""
        return {row for needed in self.folds.values() for row, _ in needed}


class Known:
    """The rows of a thread with their metadata, decoded once."""

    def __init__(self, thread: Thread, serde: SerializerProtocol) -> None:
        self.thread = thread
        self.rows = [space.rows[name] for _, space in sorted(thread.spaces.items()) for name in reversed(space.ids)]
        """Those in sight: by namespace, the newest first."""
        self.metadata: dict[Row, Mapping[str, Any]] = {}
        for row in self.rows:
            described = serde.loads_typed(metadata_of(row))
            self.metadata[row] = described if isinstance(described, Mapping) else {}
        self.hidden = [
            row for space in thread.spaces.values() for row in space.rows.values() if row.is_hidden and row.number >= 0
        ]

    def newest(self) -> list[Row]:
        """The newest row of each namespace."""
        return [space.rows[space.ids[-1]] for space in self.thread.spaces.values() if space.ids]

    def unresolved(self) -> list[Row]:
        """The rows with an interrupt that nobody has resumed."""
        parents = {(row.namespace, row.parent) for row in self.rows}
        return [
            row
            for row in self.rows
            if (row.namespace, row.id) not in parents and any(one.channel == INTERRUPT for one in row.writes.values())
        ]

    def root_of(self, row: Row) -> str | None:
        """The id of the root checkpoint that a row of a subgraph belongs to; None where nothing says."""
        parents = self.metadata[row].get("parents")
        root = parents.get("") if isinstance(parents, Mapping) else None
        return root if isinstance(root, str) else None


def latest(known: Known) -> Selection:
    """The newest checkpoint of each namespace."""
    return completed(known, {*known.newest(), *known.unresolved()})


def without_runs(known: Known, runs: Iterable[str]) -> Selection:
    """All but the checkpoints of these runs."""
    gone = set(runs)
    return completed(known, {row for row in known.rows if known.metadata[row].get("run_id") not in gone})


def within(known: Known, rule: Retention, now_s: float) -> Selection:
    """What the rule keeps. `now_s`: seconds since 1970."""
    roots = [row for row in known.rows if not row.namespace]
    kept = _kept_of(roots, known, rule, now_s)
    names = {row.id for row in kept}
    all_names = {row.id for row in roots}
    newest = roots[0].id if roots else ""
    stays = set(kept)
    loose: dict[str, list[Row]] = {}
    for row in known.rows:
        if not row.namespace:
            continue
        root = known.root_of(row)
        if root is None or (root not in all_names and not roots):
            loose.setdefault(row.namespace, []).append(row)
        elif root in names or root > newest:  # ids are in the order of time: such a root is on its way
            stays.add(row)
    for rows in loose.values():
        stays.update(_kept_of(rows, known, rule, now_s))
    for row in known.newest():
        if not _is_one_call(row.namespace):
            stays.add(row)
    for row in known.unresolved():
        stays.add(row)
        stays.update(one for one in known.rows if one.namespace and known.root_of(one) == row.id)
    return completed(known, stays)


def completed(known: Known, stays: set[Row]) -> Selection:
    """With what the delta channels of these are made of.

    A delta channel is one that metadata name as such, or that has a version and no value though older checkpoints have
    writes to it, back to one that has a value. Cost: the ancestors of those whose parent goes, at most.
    """
    thread = known.thread
    deltas = {channel for described in known.metadata.values() for channel in described.get(_COUNTERS) or ()}
    open_channels: dict[Row, set[str]] = {}
    for row in stays:
        parent = None if row.parent is None else thread.row(row.namespace, row.parent)
        if parent is None or parent in stays:
            continue
        manifest = thread.manifest(row.number)
        without = {channel for channel in manifest.versions if manifest.values.get(channel, _NO_VALUE)[1] is None}
        doubted = {channel for channel in without - deltas if not channel.startswith(_PASSING)}
        wanted = (without & deltas) | _told_by_writes(thread, parent, doubted)
        if wanted:
            open_channels.setdefault(parent, set()).update(wanted)
    return Selection(stays, {row: _needed(thread, row, wanted, stays) for row, wanted in open_channels.items()})


def _told_by_writes(thread: Thread, row: Row | None, channels: set[str]) -> set[str]:
    """Those of the channels that this row and its ancestors have writes to, back to one that has a value."""
    told: set[str] = set()
    written: set[str] = set()
    passed: set[Row] = set()
    while row is not None and channels and row not in passed:
        passed.add(row)
        written.update(write.channel for write in row.writes.values())
        values = thread.manifest(row.number).values
        seeded = {channel for channel in channels if values.get(channel, _NO_VALUE)[1] is not None}
        told |= seeded & written
        channels = channels - seeded
        row = None if row.parent is None else thread.row(row.namespace, row.parent)
    return told


def _needed(thread: Thread, row: Row | None, channels: set[str], stays: set[Row]) -> Needed:
    """The row and its ancestors, up to one that stays or until each of the channels has a value."""
    needed: Needed = []
    passed = set()
    while row is not None and channels and row not in stays and row not in passed:
        passed.add(row)
        needed.append((row, channels))
        values = thread.manifest(row.number).values
        channels = {one for one in channels if values.get(one, _NO_VALUE)[1] is None}
        row = None if row.parent is None else thread.row(row.namespace, row.parent)
    return needed


def _kept_of(rows: list[Row], known: Known, rule: Retention, now_s: float) -> list[Row]:
    """Of the rows of one namespace, the newest first, those that the rule keeps: at least the first."""
    count = len(rows)
    if rule.keep_last is not None:
        count = min(count, rule.keep_last)
    age = rule.older_than
    if age is not None:
        count = next((index for index, row in enumerate(rows[:count]) if _is_older(row, age, now_s)), count)
    if rule.max_bytes is not None:
        count = _fitting(rows[:count], known, rule.max_bytes)
    return rows[: max(count, 1)]


def _is_older(row: Row, age: timedelta, now_s: float) -> bool:
    """Was the checkpoint made that long ago? One that doesn't say when was not."""
    made = row.record[5][1]
    if not isinstance(made, str):
        return False
    try:
        when = datetime.fromisoformat(made)
    except ValueError:
        return False
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return now_s - when.timestamp() >= age.total_seconds()


def _fitting(rows: list[Row], known: Known, size_max: int) -> int:
    """How many of these, from the first on, fit into so many bytes, bytes that they share counted once."""
    owned: dict[str, list[Row]] = {}
    for row in known.rows:
        if row.namespace:
            owned.setdefault(known.root_of(row) or "", []).append(row)
    cover = _Cover(known.thread)
    for index, row in enumerate(rows):
        for one in (row, *(owned.get(row.id, ()) if not row.namespace else ())):
            cover.add(one)
        if cover.size > size_max:
            return index
    return len(rows)


class _Cover:
    """How many bytes some rows need: their records, and what of the strands any of them is cut from."""

    def __init__(self, thread: Thread) -> None:
        self.thread = thread
        self.size = 0
        self._taken: dict[str, list[tuple[int, int]]] = {}
        self._is_taken: set[tuple[str, int, int]] = set()

    def add(self, row: Row) -> None:
        self.size += len(pack_value([*row.record[:11], {}]))
        for channel, (_, value) in self.thread.manifest(row.number).values.items():
            if value is not None:
                self._cut(channel, value)
        for write in row.writes.values():
            self.size += len(pack_value([*write]))
            self._cut(write.channel, write.value)

    def _cut(self, channel: str, value: list[Any]) -> None:
        for part in parts_of(value):
            if type(part) is bytes or (channel, *part) in self._is_taken:
                continue
            start, stop = part
            self._is_taken.add((channel, start, stop))
            self._take(self._taken.setdefault(channel, []), start, stop)

    def _take(self, taken: list[tuple[int, int]], start: int, stop: int) -> None:
        """Count what of it is not covered yet, and cover it."""
        apart = [one for one in taken if one[1] < start or one[0] > stop]
        touching = [one for one in taken if not (one[1] < start or one[0] > stop)]
        first = min([start, *(one[0] for one in touching)])
        last = max([stop, *(one[1] for one in touching)])
        self.size += last - first - sum(one[1] - one[0] for one in touching)
        taken[:] = [*apart, (first, last)]


def _is_one_call(namespace: str) -> bool:
    """Is this the namespace of one call of a subgraph, which is over when its root checkpoint has gone?"""
    return _TASK_SEPARATOR in namespace.rpartition(_LEVEL_SEPARATOR)[2]
