"""Checkpoints on their way out: what the store has of one is gathered under the lock and decoded after it.

Every tuple is made anew from bytes, so nothing that a caller does to one shows in another. Where many are read one
after another, a text, a number or bytes that the next one has as well is decoded once: nobody can change these.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata, CheckpointTuple, DeltaChannelHistory, PendingWrite
from langgraph.checkpoint.serde.base import SerializerProtocol

from backpack.integrations.langgraph.manifest import Manifest
from backpack.integrations.langgraph.records import NO_UPDATED, Typed, Value
from backpack.integrations.langgraph.sharing import joined
from backpack.integrations.langgraph.thread import Row, Thread, Trail, TypedWrite, Walked, ordered
from backpack.integrations.langgraph.threads import Threads

_LASTING: Final = frozenset({str, bytes, int, float, bool, type(None)})
"""Types whose objects nobody can change, nor make others of by subclassing."""

Kept = dict[str, tuple[Value, Any]]
"""By channel: the value that the checkpoint read last has, and what it is decoded, if that is lasting."""


class Gathered(NamedTuple):
    """The bytes of one checkpoint."""

    id: str
    parent: str | None
    head: list[Any]
    rest: Typed | None
    metadata: Typed
    manifest: Manifest
    values: list[tuple[str, Value, Typed | None]]
    """Channel, value and its bytes; None for these where it is kept."""
    writes: list[TypedWrite]


def gather(threads: Threads, thread: Thread, row: Row, kept: Kept) -> Gathered:
    """All that the store has of a checkpoint, but for what is kept. Wants the lock. Cost: one copy of its bytes."""
    manifest = thread.manifest(row.number)
    values = [
        (channel, value, None if _has(kept, channel, value) else typed_of(threads, thread, channel, value))
        for channel, (_, value) in manifest.values.items()
        if value is not None
    ]
    head = row.record[5]
    rest = None if head[3] is None else whole(head[3])
    writes = writes_of(threads, thread, row)
    return Gathered(row.id, row.parent, head, rest, metadata_of(row), manifest, values, writes)


def typed_of(threads: Threads, thread: Thread, channel: str, value: Value) -> Typed:
    """A value as its serializer made it."""
    if len(value) == 2:
        return (value[0], value[1])
    return (value[0], joined(value, thread.strands.get(channel), threads.fetch(thread)))


def metadata_of(row: Row) -> Typed:
    """The metadata of a checkpoint as the serializer made it."""
    return whole(row.record[6])


def whole(value: Value) -> Typed:
    """A value that is cut from nothing."""
    return (value[0], b"".join(value[1:]))


def writes_of(threads: Threads, thread: Thread, row: Row) -> list[TypedWrite]:
    """The pending writes in the order in which they are applied."""
    return [
        (write.task, write.channel, typed_of(threads, thread, write.channel, write.value))
        for write in (ordered(row.writes) if row.writes else ())
    ]


def _has(kept: Kept, channel: str, value: Value) -> bool:
    """Is it the very value, as checkpoints have it that are told from one another?"""
    known = kept.get(channel)
    return known is not None and known[0] is value


def decoded(
    serde: SerializerProtocol,
    thread_id: Any,
    namespace: str,
    found: Gathered,
    config: RunnableConfig | None,
    kept: Kept,
) -> CheckpointTuple:
    """The tuple of a checkpoint. `config`: what it was asked for with, if that names it. `kept`: what was given to
    `gather`; it gets what is lasting of this one.
    """
    loads = serde.loads_typed
    v, ts, updated, _ = found.head
    manifest = found.manifest
    values = {}
    for channel, value, typed in found.values:
        if typed is None:
            values[channel] = kept[channel][1]
            continue
        one = values[channel] = loads(typed)
        if type(one) in _LASTING:
            kept[channel] = (value, one)
    checkpoint: dict[str, Any] = {
        "v": v,
        "ts": ts,
        "id": found.id,
        "channel_values": values,
        "channel_versions": manifest.versions.copy(),
        "versions_seen": {node: versions.copy() for node, versions in manifest.seen.items()},
    }
    if updated is not NO_UPDATED:
        checkpoint["updated_channels"] = None if updated is None else list(updated)
    if found.rest is not None:
        checkpoint.update(loads(found.rest))
    return CheckpointTuple(
        config=config_of(thread_id, namespace, found.id) if config is None else config,
        checkpoint=cast(Checkpoint, checkpoint),
        metadata=cast(CheckpointMetadata, loads(found.metadata)),
        parent_config=config_of(thread_id, namespace, found.parent) if found.parent else None,
        pending_writes=[(task, channel, loads(value)) for task, channel, value in found.writes],
    )


def config_of(thread_id: Any, namespace: str, name: str) -> RunnableConfig:
    """What names a checkpoint."""
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": namespace, "checkpoint_id": name}}


def walk(threads: Threads, thread: Thread, row: Row | None, channels: Sequence[str]) -> list[Walked]:
    """What the ancestors of a checkpoint have of the channels, the nearest first, up to where each has a value.

    Wants the lock. Hidden ancestors count. Cost: the ancestors, and the bytes of what is found; that of a list for an
    ancestor of the checkpoint that was asked for last.
    """
    parent = None if row is None else row.parent
    namespace = "" if row is None else row.namespace
    known_found = None if parent is None else thread.walked(namespace, channels, parent)
    if known_found is not None:
        return known_found
    found: list[Walked] = []
    remaining = set(channels)
    passed: set[str] = set()
    starts: dict[str, int] = {}
    is_whole = True
    while parent is not None and remaining and parent not in passed:
        passed.add(parent)
        if is_whole:
            starts[parent] = len(found)
        row = thread.row(namespace, parent)
        if row is None:
            break
        known = thread.known_writes(row)
        if known is None:
            known = writes_of(threads, thread, row)
            thread.keep_writes(row, known)
        writes = [write for write in known if write[1] in remaining]
        seeds = []
        values = thread.manifest(row.number).values
        for channel in channels:
            held = values.get(channel)
            if held is not None and held[1] is not None and channel in remaining:
                seeds.append((channel, typed_of(threads, thread, channel, held[1])))
                remaining.discard(channel)
                is_whole = False
        if writes or seeds:
            found.append(Walked(writes, seeds))
        parent = row.parent
    if parent not in passed or not remaining:  # in a ring of parents each has another end
        thread.keep_trail(Trail(namespace, tuple(channels), found, starts))
    return found


def history_of(
    serde: SerializerProtocol, channels: Sequence[str], found: Sequence[Walked]
) -> Mapping[str, DeltaChannelHistory]:
    """The writes of each channel, oldest first, and the value that they start from."""
    writes: dict[str, list[PendingWrite]] = {channel: [] for channel in channels}
    seeds: dict[str, Any] = {}
    loads = serde.loads_typed
    for walked in reversed(found):
        for task, channel, value in walked.writes:
            writes[channel].append((task, channel, loads(value)))
        for channel, seed in walked.seeds:
            seeds[channel] = loads(seed)
    history: dict[str, DeltaChannelHistory] = {}
    for channel in channels:
        history[channel] = {"writes": writes[channel]}
        if channel in seeds:
            history[channel]["seed"] = seeds[channel]
    return history
