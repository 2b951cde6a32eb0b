"""Checkpoints and pending writes, on their way into a thread: each is one record and one commit."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from backpack.integrations.langgraph import words
from backpack.integrations.langgraph.manifest import (
    DEPTH_MAX,
    EMPTY,
    Held,
    Manifest,
    Marks,
    Seen,
    Version,
    Versions,
    seen_changes,
)
from backpack.integrations.langgraph.records import CHECKPOINT, WRITES, Added, Typed, Value
from backpack.integrations.langgraph.sharing import FAR_SIZE_MIN, INLINE_MAX, Misses, share
from backpack.integrations.langgraph.strand import Fetch, Strand
from backpack.integrations.langgraph.thread import Row, Thread
from backpack.integrations.langgraph.threads import Threads


class Draft(NamedTuple):
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


WriteDraft = tuple[int, str, Typed]
"""One pending write as it comes in: position, channel and value."""


class Drafted(NamedTuple):
    """A record that can be written down and applied."""

    record: list[Any]
    far: dict[int, bytes]
    """Long bytes by their number."""
    manifest: Manifest | None
    ran: Sequence[str] = ()
    """The nodes that have seen other versions than before."""


def put(threads: Threads, thread: Thread, draft: Draft, metadata: Mapping[str, Any]) -> None:
    """Write a checkpoint down. Cost: that of what differs from its parent, and comparing the values with theirs."""
    thread.far_number = threads.next_number(thread.far_number)
    drafted = checkpoint_drafted(thread, draft, threads.fetch(thread))
    described = words.of_checkpoint(thread.shown, draft.namespace, metadata, drafted.ran)
    threads.write(thread, drafted.record, drafted.far, described, drafted.manifest)


def put_writes(
    threads: Threads, thread: Thread, namespace: str, name: str, task: str, path: str, writes: Sequence[WriteDraft]
) -> None:
    """Write pending writes down. Those of a task and a position that are known stay, but for special channels."""
    space = thread.spaces.get(namespace)
    row = None if space is None else space.rows.get(name)
    if row is not None and row.writes:
        writes = [write for write in writes if write[0] < 0 or (task, write[0]) not in row.writes]
    if not writes:
        return
    thread.far_number = threads.next_number(thread.far_number)
    drafted = writes_drafted(thread, namespace, name, task, path, writes, threads.fetch(thread))
    described = words.of_writes(thread.shown, namespace, path, [channel for _, channel, _ in writes])
    threads.write(thread, drafted.record, drafted.far, described)


def missing_channels(thread: Thread, draft: Draft, values: Mapping[str, Any]) -> list[str]:
    """The channels that have a value here and are neither new nor known under the version they have."""
    known = None
    missing = []
    for channel in values:
        if channel not in draft.values:
            known = known or _inherited(thread, draft)
            if not has_same(known, draft.versions, channel):
                missing.append(channel)
    return missing


def has_same(manifest: Manifest, versions: Versions, channel: str) -> bool:
    """Does the manifest know the very version of the channel that these name?"""
    known = manifest.values.get(channel)
    return known is not None and _is_same(known[0], versions.get(channel))


def checkpoint_drafted(thread: Thread, draft: Draft, fetch: Fetch) -> Drafted:
    """The record of a checkpoint. Changes nothing."""
    parent = None if draft.parent is None else thread.row(draft.namespace, draft.parent)
    base = _base(thread, draft.namespace, draft.parent)
    known = EMPTY if base is None else thread.manifest(base.number)
    is_whole = base is None or known.depth >= DEPTH_MAX
    told_from = EMPTY if is_whole else known
    marks = Marks()
    versions = marks.changes(told_from.versions, draft.versions)
    seen = seen_changes(marks, told_from.seen, draft.seen)
    pieces = _Pieces(thread, fetch)
    inherited = EMPTY if parent is None else known
    held, values = _held(draft, known, inherited, base, pieces, is_whole)
    added, far = pieces.listed()
    record = [
        CHECKPOINT,
        draft.namespace,
        draft.id,
        True if parent is not None and not is_whole else draft.parent,
        None if is_whole or base is None else base.number,
        [draft.v, draft.ts, draft.updated, None if draft.rest is None else list(draft.rest)],
        list(draft.metadata),
        marks.listed,
        versions,
        seen,
        values,
        added,
        draft.is_hidden,
    ]
    ran = [node for node, versions in draft.seen.items() if versions and known.seen.get(node) != versions]
    return Drafted(record, far, Manifest(draft.versions, draft.seen, held, told_from.depth + 1), ran)


def writes_drafted(
    thread: Thread, namespace: str, name: str, task: str, path: str, writes: Sequence[WriteDraft], fetch: Fetch
) -> Drafted:
    """The record of pending writes. Changes nothing."""
    row = thread.row(namespace, name)
    values = EMPTY.values if row is None else thread.manifest(row.number).values
    pieces = _Pieces(thread, fetch)
    listed = [
        [
            position,
            channel,
            list(typed)
            if len(typed[1]) <= INLINE_MAX
            else pieces.value(channel, typed, values.get(channel, _NO_VALUE)[1], ()),
        ]
        for position, channel, typed in writes
    ]
    added, far = pieces.listed()
    return Drafted([WRITES, namespace, name, task, path, listed, added], far, None)


_NO_VALUE: Final = (None, None)


class _Pieces:
    """What one record adds to strands."""

    __slots__ = ("_fetch", "_thread", "added")

    def __init__(self, thread: Thread, fetch: Fetch) -> None:
        self._thread = thread
        self._fetch = fetch
        self.added: dict[str, bytes] = {}

    def value(self, channel: str, typed: Typed, old: Value | None, near: Sequence[Value]) -> Value:
        """The value as the record has it. `CorruptionError` when what it is compared with is damaged."""
        thread = self._thread
        strand = thread.strands.get(channel) or Strand()
        misses = thread.misses.get(channel)
        if misses is None:
            misses = thread.misses[channel] = Misses()
        before = self.added.get(channel, b"")
        value, new = share(typed, old, near, strand, len(before), self._fetch, misses)
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


def _base(thread: Thread, namespace: str, parent: str | None) -> Row | None:
    row = None if parent is None else thread.row(namespace, parent)
    return row or thread.row(namespace, None)


def _inherited(thread: Thread, draft: Draft) -> Manifest:
    """What a new checkpoint has if nothing else is said: only what its very parent has.

    Of other checkpoints the version of a channel says nothing: branches may count alike.
    """
    parent = None if draft.parent is None else thread.row(draft.namespace, draft.parent)
    return EMPTY if parent is None else thread.manifest(parent.number)


def _held(
    draft: Draft, known: Manifest, inherited: Manifest, base: Row | None, pieces: _Pieces, is_whole: bool
) -> tuple[Held, dict[str, Value | None]]:
    """The values of the checkpoint by channel, and those that its record names."""
    held: Held = {}
    values: dict[str, Value | None] = {}
    near = _near(base, draft.values) if base is not None and base.writes else {}
    versions = draft.versions
    for channel, typed in draft.values.items():
        value: Value | None
        if typed is None or len(typed[1]) <= INLINE_MAX:
            value = None if typed is None else list(typed)
        else:
            _, old = known.values.get(channel, _NO_VALUE)
            value = pieces.value(channel, typed, old, near.get(channel, ()))
        held[channel] = (versions.get(channel), value)
        values[channel] = value
    for channel, version in versions.items():
        if channel in held:
            continue
        before = inherited.values.get(channel)
        if before is not None and _is_same(before[0], version):
            held[channel] = before
            if is_whole and before[1] is not None:
                values[channel] = before[1]
        else:
            held[channel] = (version, None)
            if channel in known.values:
                values[channel] = None
    for channel, (known_version, value) in known.values.items():
        if known_version is None and value is not None and channel not in held:
            values[channel] = None  # one that no version names: nothing else says that it is gone
    return held, values


def _is_same(one: Version | None, other: Version | None) -> bool:
    """Are they the same version, and one at all?"""
    return one is not None and (one is other or (one == other and type(one) is type(other)))


def _near(base: Row, channels: Mapping[str, Any]) -> dict[str, list[Value]]:
    """The long pending writes to these channels, in the order in which they are applied."""
    near: dict[str, list[Value]] = {}
    for write in sorted([one for one in base.writes.values() if len(one.value) > 2 and one.channel in channels]):
        near.setdefault(write.channel, []).append(write.value)
    return near
