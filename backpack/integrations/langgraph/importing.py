"""A file of SqliteSaver into a store, checkpoint by checkpoint, and the proof that nothing was lost on the way.

Three passes over the file, each with one checkpoint in memory at a time:

check    every row is read and understood, and what the store has of the same threads agrees, before anything is put
put      parents before children: a commit for each checkpoint, and one for the writes of each task
compare  every checkpoint is read back from the keys of the store and must be what the file says: the bytes of each
         channel, versions, metadata, parent, and the pending writes in their order

Values go over as they are, type tag and bytes: nothing is unpickled, imported or made anew, and what strict msgpack
would not allow is no hindrance. What is there already is left alone, so an import that was interrupted goes on when it
is started again, and one that is repeated adds nothing.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import msgpack

from backpack.errors import BackpackError, CorruptionError, InvalidArgumentError
from backpack.integrations.langgraph.contents import Stored, StoredWrite, stored, stored_writes
from backpack.integrations.langgraph.raw import MSGPACK, Raw, is_same
from backpack.integrations.langgraph.records import NO_UPDATED
from backpack.integrations.langgraph.splitting import Parts, check, split
from backpack.integrations.langgraph.sqlite_file import Address, CheckpointRow, SqliteFile, WriteRow
from backpack.integrations.langgraph.thread import Row, Thread
from backpack.integrations.langgraph.threads import Threads, threads_of
from backpack.integrations.langgraph.writing import Draft, WriteDraft, put, put_writes
from backpack.store.store import Backpack

_PARENTS_KEPT: Final = 8
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


@dataclass(slots=True)
class Imported:
    """How much is in the store now that was not there before."""

    threads: int = 0
    """In the file."""
    checkpoints_total: int = 0
    writes_total: int = 0
    checkpoints: int = 0
    writes: int = 0
    compared: int = 0
    """Checkpoints that were read back and found to be what the file says."""

    @property
    def is_complete(self) -> bool:
        """Everything is in and was compared."""
        return self.compared == self.checkpoints_total


def import_file(file: SqliteFile, bp: Backpack, imported: Imported, step: Step) -> None:
    """Put everything of the file into the store, and compare it.

    `SqliteFileError` for a damaged row and `InvalidArgumentError` for a checkpoint that the store has with another
    content are raised before anything is put. `imported` is right whatever ends it, and what it counts stays in.
    """
    imported.threads = file.thread_count
    imported.checkpoints_total, imported.writes_total = file.checkpoint_count, file.write_count
    threads = threads_of(bp)
    if _check(file, threads, step):
        _put(file, threads, imported, step)
    _compare(file, Threads(bp), imported, step)


# -- check -----------------------------------------------------------------------------------------------------


def _check(file: SqliteFile, threads: Threads, step: Step) -> bool:
    """Is there something to put? An error if it can't be."""
    is_new = False
    for done, checkpoint in enumerate(_checkpoints(file)):
        step("checkpoints checked", done, file.checkpoint_count)
        there = _there(threads, checkpoint.row.address)
        if there is None:
            is_new = True
            continue
        if what := _difference(checkpoint, there):
            raise InvalidArgumentError(
                f"the store has a checkpoint of that id with another content, and nothing was imported: it differs in "
                f"{what}: {checkpoint.row.address}; import into a store of its own"
            )
        is_new |= bool(_missing(checkpoint.writes, there.writes))
    return is_new or any(_missing(file.writes(address), _writes_there(threads, address)) for address in file.strays())


def _checkpoints(file: SqliteFile) -> Iterator[Checkpoint]:
    """All of the file, thread by thread, parents first."""
    return (_understood(file, row) for thread in file.threads() for row in file.checkpoints(thread))


def _understood(file: SqliteFile, row: CheckpointRow) -> Checkpoint:
    reason = ""
    try:
        parts = split(row.type, row.data)
        _check_rest(parts.rest, row)
        metadata = json.loads(row.metadata)
        if type(metadata) is not dict:
            raise ValueError("metadata that is no object")
        msgpack.packb(metadata)
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
    if type(rest.get("updated_channels")) not in (type(None), list):
        raise ValueError("a checkpoint whose updated channels are no list")


# -- put -------------------------------------------------------------------------------------------------------


def _put(file: SqliteFile, threads: Threads, imported: Imported, step: Step) -> None:
    parents: OrderedDict[Address, Parts] = OrderedDict()
    for done, checkpoint in enumerate(_checkpoints(file)):
        step("checkpoints imported", done, file.checkpoint_count)
        address, parent = checkpoint.row.address, checkpoint.row.parent
        with threads.lock:
            thread = threads.thread(address.thread)
            if thread.row(address.namespace, address.id) is None:
                known = None if parent is None else parents.get(Address(address.thread, address.namespace, parent))
                put(threads, thread, _draft(checkpoint, known), checkpoint.metadata)
                imported.checkpoints += 1
            imported.writes += _put_writes(threads, thread, address, checkpoint.writes)
        parents[address] = checkpoint.parts
        if len(parents) > _PARENTS_KEPT:
            parents.popitem(last=False)
    for address in file.strays():
        with threads.lock:
            imported.writes += _put_writes(threads, threads.thread(address.thread), address, file.writes(address))


def _draft(checkpoint: Checkpoint, parent: Parts | None) -> Draft:
    """The checkpoint as a thread takes it; of its values, those that the parent, if it is known, doesn't have."""
    row, rest, values = checkpoint.row, checkpoint.parts.rest, checkpoint.parts.values
    more = {name: value for name, value in rest.items() if name not in _OWN}
    return Draft(
        namespace=row.address.namespace,
        id=row.address.id,
        parent=row.parent,
        v=rest.get("v"),
        ts=rest.get("ts"),
        updated=rest.get("updated_channels", NO_UPDATED),
        rest=(MSGPACK, bytes(msgpack.packb(more))) if more else None,
        metadata=(MSGPACK, bytes(msgpack.packb(checkpoint.metadata))),
        versions=rest["channel_versions"],
        seen=rest["versions_seen"],
        values={
            channel: None if (value := values.get(channel)) is None else (value.type, value.data)
            for channel in {**rest["channel_versions"], **values}
            if parent is None or _differs(channel, checkpoint.parts, parent)
        },
    )


def _differs(channel: str, here: Parts, there: Parts) -> bool:
    versions, before = here.rest["channel_versions"], there.rest["channel_versions"]
    return versions.get(channel) != before.get(channel) or here.values.get(channel) != there.values.get(channel)


def _put_writes(threads: Threads, thread: Thread, address: Address, rows: list[WriteRow]) -> int:
    """Put the writes that are not there; how many."""
    row = _row(thread, address)
    known = set() if row is None else set(row.writes)
    new = [row for row in rows if (row.task, row.index) not in known]
    for (task, path), group in groupby(new, attrgetter("task", "task_path")):
        drafts = [WriteDraft(write.index, write.channel, (write.type, write.data)) for write in group]
        put_writes(threads, thread, address.namespace, address.id, task, path, drafts)
    return len(new)


# -- compare ---------------------------------------------------------------------------------------------------


def _compare(file: SqliteFile, threads: Threads, imported: Imported, step: Step) -> None:
    for checkpoint in _checkpoints(file):
        step("checkpoints compared", imported.compared, file.checkpoint_count)
        address = checkpoint.row.address
        there = _there(threads, address)
        what = "everything" if there is None else _difference(checkpoint, there)
        if not what and there is not None and _missing(checkpoint.writes, there.writes):
            what = "pending writes"
        if what:
            raise CorruptionError(f"what was imported is not what the file says, it differs in {what}: {address}")
        imported.compared += 1
    for address in file.strays():
        if _missing(file.writes(address), _writes_there(threads, address)):
            raise CorruptionError(f"what was imported is not what the file says, it differs in writes: {address}")


def _there(threads: Threads, address: Address) -> Stored | None:
    with threads.lock:
        thread = threads.thread(address.thread)
        row = thread.row(address.namespace, address.id)
        return None if row is None else stored(thread, row, threads.fetch(thread))


def _writes_there(threads: Threads, address: Address) -> list[StoredWrite]:
    with threads.lock:
        thread = threads.thread(address.thread)
        row = _row(thread, address)
        return [] if row is None else stored_writes(thread, row, threads.fetch(thread))


def _row(thread: Thread, address: Address) -> Row | None:
    """The row of a checkpoint, or of the writes to one that is not there."""
    space = thread.spaces.get(address.namespace)
    return None if space is None else space.rows.get(address.id)


def _difference(checkpoint: Checkpoint, there: Stored) -> str:
    """What is not the same but for the writes, in a word; nothing if all is."""
    if checkpoint.parts.values != there.values:
        return "channel values"
    if checkpoint.row.parent != there.parent:
        return "its parent"
    if not is_same(checkpoint.metadata, there.metadata):
        return "metadata"
    return "" if is_same(_sorted(checkpoint.parts.rest), _sorted(there.rest)) else "versions"


def _missing(rows: list[WriteRow], there: list[StoredWrite]) -> list[WriteRow]:
    """Those that the store doesn't have. Who resumes a run there overwrites some: these are not missing."""
    known = {(write.task, write.index) for write in there}
    return [row for row in rows if (row.task, row.index) not in known]


def _sorted(content: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(content.items()))
