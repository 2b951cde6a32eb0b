"""The threads of a store as a file that SqliteSaver reads: the way back, and the proof that it holds everything.

Every checkpoint becomes one blob again, with the bytes of its channels as they are. Those out of sight that are kept
because later ones of a `DeltaChannel` are made of their writes go along: SqliteSaver finds these nowhere else. The file
is read again before it appears under its name.

Metadata become JSON, as SqliteSaver writes them; what JSON has no word for is written as plain data.
"""

import json
from dataclasses import dataclass, replace

import msgpack

from backpack.errors import CorruptionError, InvalidArgumentError
from backpack.integrations.langgraph.comparing import Step, checkpoints, difference, differing, missing, there
from backpack.integrations.langgraph.contents import Stored, stored, stored_writes
from backpack.integrations.langgraph.plain import plain
from backpack.integrations.langgraph.raw import MSGPACK, Raw
from backpack.integrations.langgraph.splitting import Parts, joined, split
from backpack.integrations.langgraph.sqlite_file import Address, CheckpointRow, SqliteFile, WriteRow
from backpack.integrations.langgraph.sqlite_writing import SqliteWriter
from backpack.integrations.langgraph.thread import Row, Thread
from backpack.integrations.langgraph.threads import Threads
from backpack.store.store import Backpack


@dataclass(slots=True)
class Exported:
    """How much is in the file."""

    threads: int = 0
    checkpoints: int = 0
    writes: int = 0


def export_threads(bp: Backpack, writer: SqliteWriter, exported: Exported, step: Step) -> None:
    """Write every thread of the store. Cost: that of reading them; one thread is in memory at a time, by its index.

    `InvalidArgumentError` names a checkpoint that can't be part of such a file, which then is not made.
    """
    threads = Threads(bp)
    for name in threads.names():
        with threads.lock:
            thread = threads.thread(name)
            rows = _in_order(thread)
        for done, row in enumerate(rows):
            step(f"checkpoints of thread {exported.threads + 1:,}", done, len(rows))
            with threads.lock:
                _export(threads, thread, row, writer, exported)
        exported.threads += 1


def _in_order(thread: Thread) -> list[Row]:
    """All rows as they were put; those that are only writes without a checkpoint last."""
    rows = [row for space in thread.spaces.values() for row in space.rows.values()]
    return sorted(rows, key=lambda row: (row.number < 0, row.number))


def _export(threads: Threads, thread: Thread, row: Row, writer: SqliteWriter, exported: Exported) -> None:
    address, fetch = Address(thread.name, row.namespace, row.id), threads.fetch(thread)
    checkpoint = None if row.number < 0 else _row_of(address, stored(thread, row, fetch))
    writes = [
        WriteRow(write.task, write.task_path, write.index, write.channel, write.value.type, write.value.data)
        for write in stored_writes(thread, row, fetch)
    ]
    try:
        if checkpoint is not None:
            writer.checkpoint(checkpoint)
        writer.writes(address, writes)
    except (UnicodeEncodeError, OverflowError) as error:
        reason = "half a surrogate pair in a name" if isinstance(error, UnicodeEncodeError) else str(error)
    else:
        exported.checkpoints += checkpoint is not None
        exported.writes += len(writes)
        return
    raise InvalidArgumentError(f"nothing was exported: SQLite has no form for it: {reason}: {address}")


def _row_of(address: Address, found: Stored) -> CheckpointRow:
    reason = ""
    try:
        whole = joined(Parts(found.rest, found.values))
        metadata = _metadata(found)
    except ValueError as error:
        reason = str(error)
    if reason:
        raise InvalidArgumentError(f"nothing was exported: {reason}: {address}")
    return CheckpointRow(address, found.parent, whole.type, whole.data, metadata)


def _metadata(found: Stored) -> bytes:
    metadata = found.metadata
    if type(metadata) is Raw:
        raise ValueError(f"metadata of type {metadata.type!r}, which only its serializer can read")
    try:
        text = json.dumps(metadata, ensure_ascii=False)
    except TypeError:
        text = json.dumps(plain(Raw(MSGPACK, bytes(msgpack.packb(metadata)))), ensure_ascii=False, default=repr)
    return text.encode("utf-8", "ignore")


def compare(file: SqliteFile, bp: Backpack, exported: Exported, step: Step) -> None:
    """`CorruptionError` unless the file has everything that was written into it."""
    threads = Threads(bp)
    for done, checkpoint in enumerate(checkpoints(file)):
        step("checkpoints compared", done, file.checkpoint_count)
        address = checkpoint.row.address
        found = there(threads, address)
        what = "everything" if found is None else difference(checkpoint, _as_written(found))
        if not what and found is not None:
            lost = missing(checkpoint.writes, found.writes) or differing(
                checkpoint.writes, found.writes, may_be_replaced=False
            )
            what = "pending writes" if lost or len(found.writes) != len(checkpoint.writes) else ""
        if what:
            raise CorruptionError(f"what was exported is not what the store has: it differs in {what}: {address}")
    if (file.checkpoint_count, file.write_count) != (exported.checkpoints, exported.writes):
        raise CorruptionError("what was exported is not what the store has: it has fewer rows")


def _as_written(found: Stored) -> Stored:
    """What SqliteSaver's form makes of it: metadata through JSON, early JSON beside msgpack as that."""
    parts = split(*_typed(joined(Parts(found.rest, found.values))))
    return replace(found, values=parts.values, metadata=json.loads(_metadata(found)))


def _typed(value: Raw) -> tuple[str, bytes]:
    return value.type, value.data
