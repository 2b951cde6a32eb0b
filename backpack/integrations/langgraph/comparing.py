"""A file of SqliteSaver beside the threads of a store: what a row says, what the store has, and what is not the same.

Values are the same when their bytes are. A checkpoint of msgpack has no types of its own for nothing and for bytes; the
serializer alone has. Both forms are held to be the same, as SqliteSaver returns the same for both.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import NoneType
from typing import Any, Final

import msgpack

from backpack.errors import BackpackError
from backpack.integrations.langgraph.contents import Stored, StoredWrite, stored, stored_writes
from backpack.integrations.langgraph.raw import Raw, is_same
from backpack.integrations.langgraph.splitting import Parts, as_part, check, split
from backpack.integrations.langgraph.sqlite_file import Address, CheckpointRow, SqliteFile, WriteRow
from backpack.integrations.langgraph.sqlite_opening import SqliteFileError
from backpack.integrations.langgraph.thread import Row, Thread
from backpack.integrations.langgraph.threads import Threads

_OWN: Final = ("v", "ts", "id", "channel_versions", "versions_seen", "updated_channels")
"""What a record has of a checkpoint in places of its own."""

Step = Callable[[str, int, int], None]
"""Called between two checkpoints with what is being done, how many are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint of the file, understood."""

    row: CheckpointRow
    parts: Parts
    metadata: dict[str, Any]
    writes: list[WriteRow]


def checkpoints(file: SqliteFile) -> Iterator[Checkpoint]:
    """All of the file, thread by thread, parents first."""
    return (understood(file, row) for thread in file.threads() for row in file.checkpoints(thread))


def understood(file: SqliteFile, row: CheckpointRow) -> Checkpoint:
    """A checkpoint with its writes; `SqliteFileError` when it is not what a SqliteSaver writes. Cost: O(bytes)."""
    reason = ""
    try:
        parts = split(row.type, row.data)
        _check_rest(parts.rest, row)
        metadata = json.loads(row.metadata)
        if type(metadata) is not dict:
            raise ValueError("metadata that is no object")
        _check_numbers("metadata", metadata, file, row)
        _check_numbers("a checkpoint", more_of(parts.rest), file, row)
        writes = file.writes(row.address)
        for write in writes:
            check(Raw(write.type, write.data))
    except BackpackError:
        raise
    except (ValueError, OverflowError, RecursionError) as error:
        reason = str(error)
    if reason:
        raise file.damaged(row.address, reason)
    return Checkpoint(row, parts, metadata, writes)


def more_of(rest: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint has that a record has no place of its own for."""
    return {name: value for name, value in rest.items() if name not in _OWN}


def _check_numbers(what: str, content: dict[str, Any], file: SqliteFile, row: CheckpointRow) -> None:
    """`SqliteFileError` for whole numbers that JSON can have and msgpack, which LangGraph writes, can't."""
    try:
        msgpack.packb(content)
        return
    except OverflowError:
        pass
    raise SqliteFileError(
        f"{what} with a whole number of more than 64 bits, which LangGraph's own serializer refuses, and so does a "
        f"saver's store: make it a text: {row.address} path={file.path!r}",
        path=file.path,
    )


def _check_rest(rest: dict[str, Any], row: CheckpointRow) -> None:
    """`ValueError` if a checkpoint is not made of what a checkpoint is made of."""
    if rest.get("id") != row.address.id:
        raise ValueError("a checkpoint with another id than its row")
    seen = rest.get("versions_seen")
    if type(seen) is not dict or not all(type(name) is str for name in seen):
        raise ValueError("a checkpoint without the versions that its nodes have seen")
    for versions in (rest.get("channel_versions"), *seen.values()):
        if type(versions) is not dict or not all(
            type(name) is str and type(version) in (str, int, float) for name, version in versions.items()
        ):
            raise ValueError("a checkpoint without the versions of its channels")
    if type(rest.get("v")) not in (NoneType, int, float) or type(rest.get("ts")) not in (NoneType, str):
        raise ValueError("a checkpoint whose form or time is not one that LangGraph writes")
    updated = rest.get("updated_channels")
    if updated is not None and (type(updated) is not list or not all(type(name) is str for name in updated)):
        raise ValueError("a checkpoint whose updated channels are no list of names")


# -- what the store has ----------------------------------------------------------------------------------------


def there(threads: Threads, address: Address) -> Stored | None:
    """What the store has under that address. Cost: a copy of its bytes, and once those of its thread."""
    with threads.lock:
        thread = threads.thread(address.thread)
        row = thread.row(address.namespace, address.id)
        return None if row is None else stored(thread, row, threads.fetch(thread))


def writes_there(threads: Threads, address: Address) -> list[StoredWrite]:
    """The same of pending writes, whose checkpoint may not be there."""
    with threads.lock:
        thread = threads.thread(address.thread)
        row = row_of(thread, address)
        return [] if row is None else stored_writes(thread, row, threads.fetch(thread))


def row_of(thread: Thread, address: Address) -> Row | None:
    """The row of a checkpoint, or of the writes to one that is not there."""
    space = thread.spaces.get(address.namespace)
    return None if space is None else space.rows.get(address.id)


def difference(checkpoint: Checkpoint, found: Stored) -> str:
    """What is not the same but for the writes, in a word; nothing if all is."""
    if _in_one_form(checkpoint.parts.values) != _in_one_form(found.values):
        return "channel values"
    if checkpoint.row.parent != found.parent:
        return "its parent"
    if not is_same(checkpoint.metadata, found.metadata):
        return "metadata"
    return "" if is_same(_in_order(checkpoint.parts.rest), _in_order(found.rest)) else "versions"


def missing(rows: list[WriteRow], found: list[StoredWrite]) -> list[WriteRow]:
    """Those that the store has nothing for."""
    known = {(write.task, write.index) for write in found}
    return [row for row in rows if (row.task, row.index) not in known]


def differing(rows: list[WriteRow], found: list[StoredWrite], *, may_be_replaced: bool) -> list[WriteRow]:
    """Those that the store has something else for. `may_be_replaced`: interrupts, errors and the like are no matter.

    Whoever goes on with a run replaces these.
    """
    known = {(write.task, write.index): write for write in found}
    return [
        row
        for row in rows
        if (write := known.get((row.task, row.index))) is not None
        and not (may_be_replaced and row.index < 0)
        and (row.task_path, row.channel, Raw(row.type, row.data)) != (write.task_path, write.channel, write.value)
    ]


def _in_one_form(values: dict[str, Raw]) -> dict[str, Raw]:
    return {channel: as_part(value) for channel, value in values.items()}


def _in_order(content: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(content.items()))
