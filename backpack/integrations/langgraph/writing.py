"""Checkpoints and pending writes, on their way into a thread: each is one record and one commit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backpack.integrations.langgraph import words
from backpack.integrations.langgraph.manifest import (
    DEPTH_MAX,
    EMPTY,
    Held,
    Manifest,
    Marks,
    Seen,
    Versions,
    seen_changes,
)
from backpack.integrations.langgraph.records import CHECKPOINT, WRITES, Added, Typed, Value
from backpack.integrations.langgraph.sharing import INLINE_MAX, Misses, share
from backpack.integrations.langgraph.strand import Strand
from backpack.integrations.langgraph.thread import Row, Thread, ordered
from backpack.integrations.langgraph.threads import Threads
from backpack.limits import KIB

FAR_SIZE_MIN: Final = 16 * KIB
"""Bytes from this size on stand under a key of their own: they are read when somebody wants them, and once."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A checkpoint as it comes in, its values serialised."""

    namespace: str
    id: str
    parent: str | None
    v: Any
    ts: Any
    updated: Any
    """The updated channels: a list, None, or `NO_UPDATED`."""
    rest: Typed | None
    """What else the checkpoint has."""
    metadata: Typed
    versions: Versions
    seen: Seen
    values: Mapping[str, Typed | None]
    """Of the channels that are new, or not known here: the value; None where there is none."""
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class WriteDraft:
    """One pending write as it comes in."""

    index: int
    channel: str
    value: Typed


class Bytes:
    """What one record adds to strands."""

    __slots__ = ("_thread", "_threads", "added")

    def __init__(self, threads: Threads, thread: Thread) -> None:
        self._threads = threads
        self._thread = thread
        self.added: dict[str, bytes] = {}

    def value(self, channel: str, typed: Typed, old: Value | None, near: Sequence[Value]) -> Value:
        """The value as the record has it. `CorruptionError` when what it is compared with is damaged."""
        kind, data = typed
        if len(data) <= INLINE_MAX:
            return [kind, data]
        thread = self._thread
        strand = thread.strands.get(channel) or Strand()
        misses = thread.misses.get(channel)
        if misses is None:
            misses = thread.misses[channel] = Misses()
        before = self.added.get(channel, b"")
        value, new = share(typed, old, near, strand, len(before), self._threads.fetch(thread), misses)
        if new:
            self.added[channel] = before + new
        return value

    def listed(self) -> tuple[Added, dict[int, bytes]]:
        """`added` of the record, and the long bytes by their number."""
        added: Added = {}
        far: dict[int, bytes] = {}
        number = self._thread.far_number
        for channel, data in self.added.items():
            if len(data) < FAR_SIZE_MIN:
                added[channel] = data
            else:
                far[number] = data
                added[channel] = [number, len(data)]
                number += 1
        return added, far


def put(threads: Threads, thread: Thread, draft: Draft, metadata: Mapping[str, Any]) -> None:
    """Write a checkpoint down. Cost: that of what differs from its parent, and comparing the values with theirs."""
    parent = None if draft.parent is None else thread.row(draft.namespace, draft.parent)
    base = parent or thread.row(draft.namespace, None)
    base_number = None if base is None else base.number
    known = EMPTY if base_number is None else thread.manifest(base_number)
    is_whole = base_number is None or known.depth >= DEPTH_MAX
    told_from = EMPTY if is_whole else known
    marks = Marks()
    versions = marks.changes(told_from.versions, draft.versions)
    seen = seen_changes(marks, told_from.seen, draft.seen)
    bytes_ = Bytes(threads, thread)
    held, values = _held(thread, draft, known, base, bytes_, is_whole)
    added, far = bytes_.listed()
    record = [
        CHECKPOINT,
        draft.namespace,
        draft.id,
        True if parent is not None and not is_whole else draft.parent,
        None if is_whole else base_number,
        [draft.v, draft.ts, draft.updated, None if draft.rest is None else list(draft.rest)],
        list(draft.metadata),
        marks.listed,
        versions,
        seen,
        values,
        added,
        draft.is_hidden,
    ]
    manifest = Manifest(draft.versions, draft.seen, held, told_from.depth + 1)
    ran = (node for node in seen_since(known.seen, draft.seen))
    threads.write(thread, record, far, words.of_checkpoint(thread.name, draft.namespace, metadata, ran))
    _apply(threads, thread, record, manifest)


def put_writes(
    threads: Threads, thread: Thread, namespace: str, name: str, task: str, path: str, writes: Sequence[WriteDraft]
) -> None:
    """Write pending writes down. Those of a task and an index that are known stay, but for special channels."""
    row = thread.row(namespace, name)
    there = row.writes if row is not None else _writes_without_row(thread, namespace, name)
    manifest = EMPTY if row is None else thread.manifest(row.number)
    bytes_ = Bytes(threads, thread)
    listed = []
    for write in writes:
        if write.index >= 0 and (task, write.index) in there:
            continue
        _, old = manifest.values.get(write.channel, (None, None))
        listed.append([write.index, write.channel, bytes_.value(write.channel, write.value, old, ())])
    if not listed:
        return
    added, far = bytes_.listed()
    record = [WRITES, namespace, name, task, path, listed, added]
    channels = [write.channel for write in writes]
    threads.write(thread, record, far, words.of_writes(thread.name, namespace, path, channels))
    _apply(threads, thread, record, None)


def held_by(manifest: Manifest, draft: Draft, channel: str) -> bool:
    """Has a checkpoint that this one is told from the very version of the channel that this one names?"""
    known = manifest.values.get(channel)
    version = draft.versions.get(channel)
    return known is not None and known[0] == version and type(known[0]) is type(version)


def missing_channels(thread: Thread, draft: Draft, values: Mapping[str, Any]) -> list[str]:
    """The channels that have a value here and are neither new nor known under the version they have."""
    parent = None if draft.parent is None else thread.row(draft.namespace, draft.parent)
    base = parent or thread.row(draft.namespace, None)
    known = EMPTY if base is None else thread.manifest(base.number)
    return [channel for channel in values if channel not in draft.values and not held_by(known, draft, channel)]


def seen_since(old: Seen, new: Seen) -> list[str]:
    """The nodes that have seen other versions than before: those that ran."""
    return [node for node, versions in new.items() if versions and old.get(node) != versions]


def _held(
    thread: Thread, draft: Draft, known: Manifest, base: Row | None, bytes_: Bytes, is_whole: bool
) -> tuple[Held, dict[str, Value | None]]:
    """The values of the checkpoint by channel, and those that its record names."""
    held: Held = {}
    values: dict[str, Value | None] = {}
    near: dict[str, list[Value]] = {}
    if base is not None and draft.values:
        for write in ordered(base.writes):
            near.setdefault(write.channel, []).append(write.value)
    for channel, typed in draft.values.items():
        _, old = known.values.get(channel, (None, None))
        value = None if typed is None else bytes_.value(channel, typed, old, near.get(channel, ()))
        held[channel] = (draft.versions.get(channel), value)
        values[channel] = value
    for channel in draft.versions:
        if channel in held:
            continue
        if held_by(known, draft, channel):
            held[channel] = known.values[channel]
            if is_whole and held[channel][1] is not None:
                values[channel] = held[channel][1]
        else:
            held[channel] = (draft.versions[channel], None)
            if channel in known.values:
                values[channel] = None
    for channel, (version, value) in known.values.items():
        if version is None and value is not None and channel not in held:
            values[channel] = None  # one that no version names: nothing else says that it is gone
    return held, values


def _writes_without_row(thread: Thread, namespace: str, name: str) -> Mapping[tuple[str, int], Any]:
    space = thread.spaces.get(namespace)
    row = None if space is None else space.rows.get(name)
    return {} if row is None else row.writes


def _apply(threads: Threads, thread: Thread, record: list[Any], manifest: Manifest | None) -> None:
    weight = thread.weight
    thread.apply(record, manifest)
    threads.wrote(thread, weight)
