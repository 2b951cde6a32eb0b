"""One thread as a saver knows it: which checkpoints there are, in which namespace, and the bytes they are cut from.

It is derived from the records of the thread, which are applied one after another: those that were read, and those that
were just written. The same lines do both, so what is in memory is what would be read.
"""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from backpack.errors import CorruptionError
from backpack.integrations.langgraph.manifest import EMPTY, Manifest, made
from backpack.integrations.langgraph.names import shown
from backpack.integrations.langgraph.records import CHECKPOINT, WRITES, Added, Typed, Value, check_record
from backpack.integrations.langgraph.sharing import Misses
from backpack.integrations.langgraph.strand import Strand
from backpack.limits import MIB

_MANIFESTS_KEPT: Final = 1_024
_WRITES_KEPT_MAX: Final = 8 * MIB
_RECORD_WEIGHT: Final = 1024
"""Bytes of memory that a record takes beyond the bytes in it, roughly."""


class Write(NamedTuple):
    """One pending write. They sort as LangGraph applies them: by path, task and index."""

    path: str
    task: str
    position: int
    channel: str
    value: Value


TypedWrite = tuple[str, str, Typed]
"""Task, channel and value."""


class Walked(NamedTuple):
    """What one ancestor of a checkpoint has of some channels."""

    writes: list[TypedWrite]
    seeds: list[tuple[str, Typed]]


class Trail(NamedTuple):
    """What the ancestors of one checkpoint have of some channels, the nearest first."""

    namespace: str
    channels: tuple[str, ...]
    found: list[Walked]
    starts: dict[str, int]
    """By the id of an ancestor up to which no channel has a value: where in `found` it begins. From there on stands
    what is found for its children."""


class Row:
    """One checkpoint."""

    __slots__ = ("id", "is_hidden", "namespace", "number", "parent", "record", "writes")

    def __init__(self, namespace: str, name: str) -> None:
        self.namespace = namespace
        self.id = name
        self.number = -1
        """Which checkpoint record of the thread it is; -1 while there are only writes to it."""
        self.record: list[Any] = []
        self.parent: str | None = None
        self.is_hidden = False
        """It is only there for the writes that later checkpoints are made of."""
        self.writes: dict[tuple[str, int], Write] = {}


class Space:
    """One namespace: its rows by id, and the ids that are in sight, sorted."""

    __slots__ = ("ids", "rows")

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.rows: dict[str, Row] = {}


class Thread:
    """The index of one thread. Not thread-safe."""

    __slots__ = (
        "_manifests",
        "_trail",
        "_writes",
        "_writes_size",
        "checked",
        "chunk",
        "chunk_size",
        "counted",
        "far_number",
        "is_stored",
        "key",
        "left",
        "misses",
        "name",
        "records",
        "segment",
        "shown",
        "spaces",
        "strands",
        "versions",
        "weight",
    )

    def __init__(self, name: str, segment: str) -> None:
        self.name = name
        self.segment = segment
        self.shown = shown(name)
        self.spaces: dict[str, Space] = {}
        self.strands: dict[str, Strand] = {}
        self.misses: dict[str, Misses] = {}
        self.records: list[list[Any]] = []
        """Every checkpoint record in order, also of checkpoints that have left: others are told from them."""
        self.is_stored = False
        self.checked = -1
        """The newest commit of the store when it was known last that all here is so."""
        self.chunk = -1
        """The number of the last key."""
        self.key = ""
        """That key."""
        self.chunk_size = 0
        """Bytes of its records, roughly."""
        self.versions = 0
        """The version of that key."""
        self.far_number = 0
        """The number that the next long bytes get."""
        self.weight = 0
        """Bytes of memory, roughly."""
        self.left = 0
        """Checkpoints whose records are still there though they have left."""
        self.counted = 0
        """Checkpoints since retention was asked last."""
        self._manifests: OrderedDict[int, Manifest] = OrderedDict()
        self._trail: Trail | None = None
        self._writes: dict[Row, list[TypedWrite]] = {}
        self._writes_size = 0

    # -- applying ----------------------------------------------------------------------------------------------

    def read(self, record: Any) -> None:
        """Apply a record that was read: `CorruptionError` for what is none."""
        check_record(record)
        self.apply(record)

    def apply(self, record: list[Any], manifest: Manifest | None = None) -> None:
        """What the record says is so from now on. `manifest`: of the checkpoint that it is, where that is known."""
        kind = record[0]
        self._trail = None
        self.weight += _RECORD_WEIGHT
        if kind == CHECKPOINT:
            self._grow(record[11])
            self._put(record, manifest)
        elif kind == WRITES:
            self._grow(record[6])
            row = self._row(record[1], record[2])
            self._writes.pop(row, None)
            _, _, _, task, path, writes, _ = record
            for index, channel, value in writes:
                row.writes[(task, index)] = Write(path, task, index, channel, value)
        else:
            for namespace, name, stays_hidden in record[1]:
                self._take(namespace, name, stays_hidden)

    def _grow(self, added: Added) -> None:
        for channel, piece in added.items():
            strand = self.strand(channel)
            if type(piece) is bytes:
                strand.add(piece)
                self.weight += len(piece)
            else:
                number, size = piece
                strand.add_far(number, size)
                self.far_number = max(self.far_number, number + 1)

    def _put(self, record: list[Any], manifest: Manifest | None) -> None:
        number = len(self.records)
        base = record[4]
        if base is not None and base >= number:
            raise CorruptionError("a stored checkpoint is told from one that is not there")
        self.records.append(record)
        if manifest is not None:
            self._keep(number, manifest)
        row = self._row(record[1], record[2])
        if row.number >= 0:
            self.left += 1
        row.number = number
        row.record = record
        row.parent = self.records[base][2] if record[3] is True else record[3]
        row.is_hidden = record[12]
        ids = self.spaces[row.namespace].ids
        if not ids or ids[-1] < row.id:
            at, is_there = len(ids), False
        else:
            at = bisect_left(ids, row.id)
            is_there = ids[at] == row.id
        if row.is_hidden:
            if is_there:
                del ids[at]
        elif not is_there:
            ids.insert(at, row.id)
            self.counted += 1

    def _take(self, namespace: str, name: str, stays_hidden: bool) -> None:
        space = self.spaces.get(namespace)
        row = None if space is None else space.rows.get(name)
        if space is None or row is None:
            return
        at = bisect_left(space.ids, name)
        if at < len(space.ids) and space.ids[at] == name:
            del space.ids[at]
            self.left += 1
        row.is_hidden = True
        if not stays_hidden:
            del space.rows[name]

    def _row(self, namespace: str, name: str) -> Row:
        space = self.spaces.get(namespace)
        if space is None:
            space = self.spaces[namespace] = Space()
        row = space.rows.get(name)
        if row is None:
            row = space.rows[name] = Row(namespace, name)
        return row

    # -- reading -----------------------------------------------------------------------------------------------

    def strand(self, channel: str) -> Strand:
        """The strand of a channel; an empty one for a channel that has none."""
        strand = self.strands.get(channel)
        if strand is None:
            strand = self.strands[channel] = Strand()
        return strand

    def row(self, namespace: str, name: str | None) -> Row | None:
        """The checkpoint of that id, in sight or hidden; the newest in sight for None."""
        space = self.spaces.get(namespace)
        if space is None:
            return None
        if name is None:
            return space.rows[space.ids[-1]] if space.ids else None
        row = space.rows.get(name)
        return None if row is None or row.number < 0 else row

    def manifest(self, number: int) -> Manifest:
        """What the checkpoint record of that number is made of. Cost: up to 32 records, once for all of them."""
        known = self._manifests
        found = known.get(number)
        if found is not None:
            known.move_to_end(number)
            return found
        missing = []
        at: int | None = number
        manifest = EMPTY
        while at is not None:
            found = known.get(at)
            if found is not None:
                manifest = found
                break
            missing.append(at)
            at = self.records[at][4]
        for one in reversed(missing):
            manifest = made(self.records[one], manifest)
            self._keep(one, manifest)
        return manifest

    def known_writes(self, row: Row) -> list[TypedWrite] | None:
        """What `keep_writes` was told of this row, if that still holds."""
        return self._writes.get(row)

    def keep_writes(self, row: Row, writes: list[TypedWrite]) -> None:
        """Keep the writes of a row, as their serializer made them, for the next time."""
        self._writes_size += sum(len(one[2][1]) for one in writes)
        if self._writes_size > _WRITES_KEPT_MAX:
            self._writes.clear()
            self._writes_size = 0
        self._writes[row] = writes

    def walked(self, namespace: str, channels: Sequence[str], parent: str) -> list[Walked] | None:
        """What the ancestors from this one on have of the channels, if the trail that is kept leads past it."""
        trail = self._trail
        if trail is None or trail.namespace != namespace or trail.channels != tuple(channels):
            return None
        start = trail.starts.get(parent)
        return None if start is None else trail.found[start:]

    def keep_trail(self, trail: Trail) -> None:
        """Keep it until something is written to the thread; one that is very long is not kept."""
        size = 0
        for writes, seeds in trail.found:
            size += sum([len(write[2][1]) for write in writes]) + sum([len(seed[1][1]) for seed in seeds])
        self._trail = trail if size <= _WRITES_KEPT_MAX else None

    def count(self) -> int:
        """How many checkpoints are in sight."""
        return sum(len(space.ids) for space in self.spaces.values())

    def _keep(self, number: int, manifest: Manifest) -> None:
        known = self._manifests
        known[number] = manifest
        if len(known) > _MANIFESTS_KEPT:
            known.popitem(last=False)


def ordered(writes: dict[tuple[str, int], Write]) -> list[Write]:
    """Pending writes in the order in which LangGraph applies them."""
    if len(writes) == 1:
        return list(writes.values())
    return sorted(writes.values(), key=_order)


def _order(write: Write) -> tuple[str, str, int]:
    return write[:3]


def newest_first(ids: list[str], before: str | None) -> list[str]:
    """The ids below `before`, or all, the highest first."""
    stop = len(ids) if before is None else bisect_left(ids, before)
    return ids[:stop][::-1]
