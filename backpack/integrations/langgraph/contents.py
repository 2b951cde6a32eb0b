"""What a thread has stored of one checkpoint, in its serialized form: for moving, comparing and showing it."""

from dataclasses import dataclass
from typing import Any

from backpack.errors import CorruptionError
from backpack.integrations.langgraph.raw import Raw, opened
from backpack.integrations.langgraph.records import NO_UPDATED, Value
from backpack.integrations.langgraph.sharing import joined
from backpack.integrations.langgraph.strand import Fetch
from backpack.integrations.langgraph.thread import Row, Thread, ordered


@dataclass(frozen=True, slots=True)
class StoredWrite:
    """A pending write."""

    task: str
    task_path: str
    index: int
    channel: str
    value: Raw


@dataclass(frozen=True, slots=True)
class Stored:
    """A checkpoint as it is stored."""

    parent: str | None
    rest: dict[str, Any]
    """All of the checkpoint but the values of its channels."""
    values: dict[str, Raw]
    metadata: Any
    """A dict, or a `Raw` when only its serializer can read it."""
    writes: list[StoredWrite]
    """In the order in which LangGraph applies them."""
    is_hidden: bool
    """Pruned, and kept out of sight for what later ones are made of: its writes may be those of several."""


def stored(thread: Thread, row: Row, fetch: Fetch) -> Stored:
    """The checkpoint of a row. Cost: a copy of its values. `CorruptionError` when it is not what was written."""
    manifest = thread.manifest(row.number)
    v, ts, updated, rest = row.record[5]
    content: dict[str, Any] = {"v": v, "ts": ts, "id": row.id}
    content |= {"channel_versions": dict(manifest.versions), "versions_seen": manifest.seen}
    if updated is not NO_UPDATED:
        content["updated_channels"] = updated
    if rest is not None:
        content |= _mapping(_opened(rest))
    values = {
        channel: _raw(thread, channel, value, fetch)
        for channel, (_, value) in manifest.values.items()
        if value is not None
    }
    return Stored(row.parent, content, values, _opened(row.record[6]), stored_writes(thread, row, fetch), row.is_hidden)


def stored_writes(thread: Thread, row: Row, fetch: Fetch) -> list[StoredWrite]:
    """The pending writes of a row, which may be of a checkpoint that is not there."""
    return [
        StoredWrite(
            write.task, write.path, write.position, write.channel, _raw(thread, write.channel, write.value, fetch)
        )
        for write in ordered(row.writes)
    ]


def _raw(thread: Thread, channel: str, value: Value, fetch: Fetch) -> Raw:
    return Raw(value[0], joined(value, thread.strands.get(channel), fetch))


def _opened(value: Value) -> Any:
    """A value that stands in the record itself."""
    return opened(Raw(value[0], joined(value, None, _nothing)))


def _nothing(number: int) -> bytes:
    raise CorruptionError(f"a stored record refers to bytes of no channel: number={number}")


def _mapping(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise CorruptionError("what else a checkpoint has is not readable without its serializer")
    return value
