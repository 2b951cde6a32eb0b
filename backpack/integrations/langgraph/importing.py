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

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Final

import msgpack

from backpack.errors import CorruptionError, InvalidArgumentError
from backpack.integrations.langgraph.classes import Classes
from backpack.integrations.langgraph.comparing import (
    Checkpoint,
    Step,
    checkpoints,
    difference,
    differing,
    missing,
    more_of,
    row_of,
    there,
    writes_there,
)
from backpack.integrations.langgraph.contents import StoredWrite
from backpack.integrations.langgraph.raw import MSGPACK
from backpack.integrations.langgraph.records import NO_UPDATED
from backpack.integrations.langgraph.splitting import Parts
from backpack.integrations.langgraph.sqlite_file import Address, SqliteFile, WriteRow
from backpack.integrations.langgraph.thread import Thread
from backpack.integrations.langgraph.threads import Threads, threads_of
from backpack.integrations.langgraph.writing import Draft, put, put_writes
from backpack.store.store import Backpack

_PARENTS_KEPT: Final = 8


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
    classes: Classes = field(default_factory=Classes)
    """Those in what is new that a saver builds only when they are allowed."""

    @property
    def is_complete(self) -> bool:
        """Everything is in and was compared."""
        return self.compared == self.checkpoints_total


def import_file(file: SqliteFile, bp: Backpack, imported: Imported, step: Step) -> None:
    """Put everything of the file into the store, and compare it. The file was checked with `check` before.

    `imported` is right whatever ends it, and what it counts stays in. `CorruptionError` when the comparison fails.
    """
    imported.threads = file.thread_count
    imported.checkpoints_total, imported.writes_total = file.checkpoint_count, file.write_count
    _put(file, threads_of(bp), imported, step)
    _compare(file, Threads(bp), imported, step)


# -- check -----------------------------------------------------------------------------------------------------


def check(file: SqliteFile, bp: Backpack | None, step: Step) -> None:
    """Return when all of the file can be imported into the store, or into a new one.

    `SqliteFileError` for a damaged row, `InvalidArgumentError` for a checkpoint that the store has with other content.
    """
    threads = None if bp is None else threads_of(bp)
    for done, checkpoint in enumerate(checkpoints(file)):
        step("checkpoints checked", done, file.checkpoint_count)
        address = checkpoint.row.address
        found = None if threads is None else there(threads, address)
        if found is None:
            continue
        if found.is_hidden:
            raise InvalidArgumentError(
                f"the store has pruned that thread and keeps a part of it, and nothing was imported: {address}; import "
                "into a store of its own"
            )
        if what := difference(checkpoint, found) or _conflict(checkpoint.writes, found.writes):
            raise InvalidArgumentError(
                f"the store has another checkpoint of that id, and nothing was imported: it differs in {what}: "
                f"{address}; import into a store of its own"
            )
    for address in file.strays():
        file.writes(address)


def _conflict(rows: list[WriteRow], found: list[StoredWrite]) -> str:
    return "pending writes" if differing(rows, found, may_be_replaced=True) else ""


# -- put -------------------------------------------------------------------------------------------------------


def _put(file: SqliteFile, threads: Threads, imported: Imported, step: Step) -> None:
    parents: OrderedDict[Address, Parts] = OrderedDict()
    for done, checkpoint in enumerate(checkpoints(file)):
        step("checkpoints imported", done, file.checkpoint_count)
        address, parent = checkpoint.row.address, checkpoint.row.parent
        with threads.lock:
            thread = threads.thread(address.thread)
            if thread.row(address.namespace, address.id) is None:
                known = None if parent is None else parents.get(Address(address.thread, address.namespace, parent))
                draft = _draft(checkpoint, known, _channels(thread, checkpoint))
                put(threads, thread, draft, checkpoint.metadata)
                imported.checkpoints += 1
                for value in filter(None, draft.values.values()):
                    imported.classes.add_of(*value)
            _put_writes(threads, thread, address, checkpoint.writes, imported)
        parents[address] = checkpoint.parts
        if len(parents) > _PARENTS_KEPT:
            parents.popitem(last=False)
    for address in file.strays():
        with threads.lock:
            _put_writes(threads, threads.thread(address.thread), address, file.writes(address), imported)


def _channels(thread: Thread, checkpoint: Checkpoint) -> dict[str, None]:
    """Its channels, and those that it would have of the one that a thread tells it from."""
    namespace, parent = checkpoint.row.address.namespace, checkpoint.row.parent
    base = (None if parent is None else thread.row(namespace, parent)) or thread.row(namespace, None)
    inherited = () if base is None else thread.manifest(base.number).values
    return dict.fromkeys([*checkpoint.parts.values, *checkpoint.parts.rest["channel_versions"], *inherited])


def _draft(checkpoint: Checkpoint, parent: Parts | None, channels: Iterable[str]) -> Draft:
    """The checkpoint as a thread takes it; of its values, those that the parent, if it is known, doesn't have."""
    row, rest, values = checkpoint.row, checkpoint.parts.rest, checkpoint.parts.values
    more = more_of(rest)
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
            for channel in channels
            if parent is None or _differs(channel, checkpoint.parts, parent)
        },
    )


def _differs(channel: str, here: Parts, there: Parts) -> bool:
    """Has a channel to be put? One without a version always has: by that alone others know it again."""
    versions, before = here.rest["channel_versions"], there.rest["channel_versions"]
    if channel not in versions or versions[channel] != before.get(channel):
        return True
    return here.values.get(channel) != there.values.get(channel)


def _put_writes(threads: Threads, thread: Thread, address: Address, rows: list[WriteRow], imported: Imported) -> None:
    """Put the writes that are not there."""
    row = row_of(thread, address)
    known = set() if row is None else set(row.writes)
    new = [row for row in rows if (row.task, row.index) not in known]
    for (task, path), group in groupby(new, attrgetter("task", "task_path")):
        drafts = [(write.index, write.channel, (write.type, write.data)) for write in group]
        put_writes(threads, thread, address.namespace, address.id, task, path, drafts)
    imported.writes += len(new)
    for write in new:
        imported.classes.add_of(write.type, write.data)


# -- compare ---------------------------------------------------------------------------------------------------


def _compare(file: SqliteFile, threads: Threads, imported: Imported, step: Step) -> None:
    has_more = imported.checkpoints < imported.checkpoints_total
    for checkpoint in checkpoints(file):
        step("checkpoints compared", imported.compared, file.checkpoint_count)
        found = there(threads, checkpoint.row.address)
        what = "everything" if found is None else difference(checkpoint, found)
        if not what and found is not None and _lost(checkpoint.writes, found.writes, has_more=has_more):
            what = "pending writes"
        if what:
            raise _not_the_same(what, checkpoint.row.address)
        imported.compared += 1
    for address in file.strays():
        if _lost(file.writes(address), writes_there(threads, address), has_more=has_more):
            raise _not_the_same("pending writes", address)
    if not imported.is_complete:
        raise CorruptionError(
            f"what was imported is not all that the file counts: checkpoints={imported.checkpoints_total} "
            f"compared={imported.compared}"
        )


def _lost(rows: list[WriteRow], found: list[StoredWrite], *, has_more: bool) -> bool:
    return bool(missing(rows, found) or differing(rows, found, may_be_replaced=has_more))


def _not_the_same(what: str, address: Address) -> CorruptionError:
    return CorruptionError(f"what was imported is not what the file says: it differs in {what}: {address}")
