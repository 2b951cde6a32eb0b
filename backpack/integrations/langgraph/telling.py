"""What a snapshot has of LangGraph's threads, in LangGraph's words and as plain data: for whoever looks from outside.

A key of a saver says little by itself: it is a list of records, of which each is told from the ones before. So a thread
is read as of a snapshot, and of it the checkpoint that was put last in each namespace. Values are opened by `plain.py`,
so neither LangGraph nor any class has to be there. Cost: a thread is read whole.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from backpack.core.commit import Commit
from backpack.errors import CorruptionError
from backpack.integrations.langgraph.contents import Stored, StoredWrite, stored, stored_writes
from backpack.integrations.langgraph.names import PREFIX, chunk_number, far_key, name_key, name_of, segment_of
from backpack.integrations.langgraph.plain import plain
from backpack.integrations.langgraph.raw import Raw
from backpack.integrations.langgraph.records import CHECKPOINT, WRITES
from backpack.integrations.langgraph.thread import Row, Thread
from backpack.store.snapshot import Snapshot

CHECKPOINT_NAME: Final = "(checkpoint)"
WRITES_NAME: Final = "(pending writes)"
"""What is no channel and stands beside them; no channel is likely to be called that."""

_NEITHER: Final = 0
_ASKED: Final = frozenset(("__interrupt__", "__error__", "__resume__"))


@dataclass(frozen=True, slots=True)
class Told:
    """What a commit wrote down of a thread."""

    title: list[str]
    """What it is, in lines."""
    values: Mapping[str, Any]
    """By name what it holds: of a checkpoint, each channel's value."""
    facts: Mapping[str, Any]
    """The former as names and plain values, for programs."""
    whole: frozenset[str] = frozenset()
    """Names of values that are for whoever looks, such as a question: they are to be shown in full."""


def told(snapshot: Snapshot, commit: Commit) -> Told | None:
    """What the commit of the snapshot did, if it put a checkpoint or pending writes; else None."""
    reading = _reading_of(snapshot, commit)
    if reading is None:
        return None
    record, row = reading.last
    if row is None:
        return None
    return _of_checkpoint(reading, row) if record[0] == CHECKPOINT else _of_writes(reading, row, record)


def channel(snapshot: Snapshot, commit: Commit, name: str) -> tuple[bool, Any]:
    """Whether the checkpoint that the commit of the snapshot put, or put writes to, has that channel, and its value."""
    reading = _reading_of(snapshot, commit)
    row = None if reading is None else reading.last[1]
    if reading is None or row is None or row.number < 0:
        return False, None
    value = reading.stored(row).values.get(name)
    return (False, None) if value is None else (True, plain(value))


def states(snapshot: Snapshot, keys: Iterable[str]) -> dict[str, Any]:
    """The threads that these keys belong to: `thread/channel`, or `thread/namespace/channel`, and its value."""
    found: dict[str, Any] = {}
    for segment in sorted({segment for key in keys if (segment := _segment_of(key))}):
        reading = _Reading(snapshot, segment)
        for namespace, row in reading.newest.items():
            prefix = f"{reading.thread.name}/{namespace}/" if namespace else f"{reading.thread.name}/"
            found |= {f"{prefix}{name}": value for name, value in _values(reading, row).items()}
    return found


def state(snapshot: Snapshot, name: str) -> tuple[bool, Any]:
    """Whether there is a thread and channel of that name, as `states` has them, and its value."""
    parts = name.split("/")
    for count in range(1, len(parts)):
        segment = segment_of("/".join(parts[:count]))
        if snapshot.select(f"{PREFIX}{segment}.*"):
            found = states(snapshot, [f"{PREFIX}{segment}."])
            if name in found:
                return True, found[name]
    return False, None


def threads(snapshot: Snapshot) -> Iterator[tuple[str, int, int, int]]:
    """Of each thread its name, its checkpoints in sight, its pending writes, and the bytes of its keys."""
    sizes: dict[str, int] = {}
    for key in snapshot:
        if segment := _segment_of(key):
            sizes[segment] = sizes.get(segment, 0) + snapshot.item(key).size
    for segment, size in sizes.items():
        thread = _Reading(snapshot, segment).thread
        writes = sum(len(row.writes) for space in thread.spaces.values() for row in space.rows.values())
        yield thread.name, thread.count(), writes, size


def _reading_of(snapshot: Snapshot, commit: Commit) -> "_Reading | None":
    """The thread that a commit put something into, if it did that to one thread and nothing else."""
    segments = {segment for key in commit.changes if (segment := _segment_of(key))}
    if len(segments) != 1 or any(change.kind != "pack" for change in commit.changes.values()):
        return None
    return _Reading(snapshot, segments.pop())


class _Reading:
    """A thread as of a snapshot."""

    def __init__(self, snapshot: Snapshot, segment: str) -> None:
        self._snapshot = snapshot
        self._segment = segment
        self.thread = Thread(self._name(), segment)
        self.newest: dict[str, Row] = {}
        """By namespace the checkpoint that was put last."""
        self.last: tuple[list[Any], Row | None] = ([_NEITHER], None)
        """The last record, and what it belongs to."""
        for record in self._records():
            self.thread.read(record)
            row = self._row(record)
            self.last = record, row
            if row is not None and record[0] == CHECKPOINT and not row.is_hidden:
                self.newest[row.namespace] = row
        self.newest = {name: row for name, row in self.newest.items() if self.thread.row(name, row.id) is row}

    def fetch(self, number: int) -> bytes:
        """Long bytes."""
        data = self._snapshot.get(far_key(self._segment, number))
        if type(data) is not bytes:
            raise CorruptionError(f"bytes of a LangGraph thread are not there: number={number}")
        return data

    def stored(self, row: Row) -> Stored:
        """The checkpoint of a row."""
        return stored(self.thread, row, self.fetch)

    def _records(self) -> Iterator[Any]:
        chunks = self._snapshot.select(f"{PREFIX}{self._segment}.*")
        for key in sorted(key for key in chunks if chunk_number(key) is not None):
            if type(chunks[key]) is not list:
                raise CorruptionError(f"the records of a LangGraph thread are no list: key={key!r}", key=key)
            yield from chunks[key]

    def _row(self, record: list[Any]) -> Row | None:
        space = self.thread.spaces.get(record[1]) if record[0] in (CHECKPOINT, WRITES) else None
        return None if space is None else space.rows.get(record[2])

    def _name(self) -> str:
        name = name_of(self._segment)
        if name is None:
            name = self._snapshot.get(name_key(self._segment))
        return name if isinstance(name, str) else self._segment


def _of_checkpoint(reading: _Reading, row: Row) -> Told:
    found = reading.stored(row)
    values = {channel: plain(value) for channel, value in found.values.items()}
    title = [f"checkpoint {row.id}", *([f"parent     {row.parent}"] if row.parent else [])]
    if row.namespace:
        title.append(f"namespace  {row.namespace}")
    return Told(title, values, {**_facts(reading, row), "metadata": _metadata(found), "channels": values})


def _of_writes(reading: _Reading, row: Row, record: list[Any]) -> Told:
    task, path, indexes = record[3], record[4], {write[0] for write in record[5]}
    writes = [
        write
        for write in stored_writes(reading.thread, row, reading.fetch)
        if write.task == task and write.index in indexes
    ]
    title = [f"pending writes to checkpoint {row.id}", f"task       {task}"]
    values = {write.channel: plain(write.value) for write in writes}
    facts = {**_facts(reading, row), "task_path": path, "writes": [_write(one) for one in writes]}
    return Told(title, values, facts, _ASKED.intersection(values))


def _facts(reading: _Reading, row: Row) -> dict[str, Any]:
    return {"thread": reading.thread.name, "namespace": row.namespace, "checkpoint": row.id, "parent": row.parent}


def _values(reading: _Reading, row: Row) -> dict[str, Any]:
    found = reading.stored(row)
    writes = [_write(write) for write in found.writes]
    values = {channel: plain(value) for channel, value in found.values.items()}
    return {CHECKPOINT_NAME: row.id, **values, **({WRITES_NAME: writes} if writes else {})}


def _write(write: StoredWrite) -> dict[str, Any]:
    return {"task": write.task, "channel": write.channel, "value": plain(write.value)}


def _metadata(found: Stored) -> Any:
    return plain(found.metadata) if type(found.metadata) is Raw else found.metadata


def _segment_of(key: str) -> str:
    """The segment of the thread that a key belongs to; nothing if it is no key of a saver."""
    return key[len(PREFIX) :].partition(".")[0] if key.startswith(PREFIX) else ""
