"""Threads without what has left: written anew, and what they were before erased.

A thread that keeps something is written anew under new keys and loses the old ones in one commit: whoever reads it has
it before or after. What the old keys had then leaves memory and the disk, if that is asked for.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sortedcontainers import SortedList

from backpack.archive.compacting import keys_of
from backpack.codec import pack_value
from backpack.core.patterns import Pattern
from backpack.integrations.langgraph import names, words
from backpack.integrations.langgraph.manifest import EMPTY, Held, Manifest, Versions
from backpack.integrations.langgraph.reading import metadata_of, typed_of, whole
from backpack.integrations.langgraph.records import LEAVING, NO_UPDATED, Typed, Value
from backpack.integrations.langgraph.selecting import Needed, Selection
from backpack.integrations.langgraph.thread import Row, Thread, ordered
from backpack.integrations.langgraph.threads import CHUNK_SIZE, Threads
from backpack.integrations.langgraph.words import Words
from backpack.integrations.langgraph.writing import (
    Draft,
    Drafted,
    WriteDraft,
    checkpoint_drafted,
    has_same,
    writes_drafted,
)
from backpack.store.erasing import erase

_EVERY: Final = "checkpoints that have left"
_NO_VALUE: Final = (None, None)


class Left(Pattern):
    """Stands for the keys of some threads that hold nothing now, but did."""

    __slots__ = ("_prefixes", "_threads")

    def __init__(self, threads: Threads, segments: Sequence[str] | None) -> None:
        """`segments`: None for all threads."""
        self._threads = threads
        self._prefixes = (names.PREFIX,) if segments is None else tuple(f"{names.PREFIX}{one}." for one in segments)
        self.text = _EVERY
        self.prefix = names.PREFIX
        self._match = None

    def _fits(self, key: str) -> bool:
        return key.startswith(self._prefixes) and not self._threads.bp._is_visible(key)

    def matches(self, key: str) -> bool:
        return self._fits(key)

    def has_any(self) -> bool:
        """Is there anything to erase? Cost: O(keys)."""
        bp = self._threads.bp
        if bp._archive is not None:
            return bool(keys_of(bp._archive, self))
        with bp._lock:
            return any(True for _ in self.select(bp._engine.names))

    def select(self, keys: "SortedList[str]") -> Iterator[str]:
        for prefix in self._prefixes:
            for key in keys.irange(prefix):
                if not key.startswith(prefix):
                    break
                if self._fits(key):
                    yield key


def drop(threads: Threads, name: str) -> None:
    """Take a thread out: one commit, none when there is nothing. Wants the lock. History still has it: see `erased`.

    Its records are not read, so a thread that is damaged goes too. The commit does not say which it was.
    """
    keys = threads.keys(names.segment_of(name))
    if keys:
        described = words.DELETED
        with threads.bp.transaction(node=described.node, message=described.message, tags=described.tags) as transaction:
            for key in keys:
                transaction.delete(key)
    threads.forget(name)


def leave(threads: Threads, thread: Thread, selection: Selection) -> None:
    """Take all but these out of sight: one commit of a few bytes. Wants the lock. The bytes go when `rewrite` comes."""
    hidden = selection.hidden
    leaving = [
        [row.namespace, row.id, row in hidden]
        for row in in_order(thread)
        if row not in selection.stays and not (row.is_hidden and row in hidden)
    ]
    if leaving:
        record = [LEAVING, leaving]
        threads.write(thread, record, {}, words.of_thread(thread.name, _losing(len(leaving))))


def rewrite(threads: Threads, thread: Thread, selection: Selection) -> None:
    """Write the thread anew with these alone: one commit, none when all stays as it is. Wants the lock.

    Cost: all that stays.
    """
    rows = in_order(thread)
    if not selection.stays:
        drop(threads, thread.name)
        return
    gone = sum(1 for row in rows if row not in selection.stays and not row.is_hidden)
    if not gone and not thread.left and selection.hidden == {row for row in rows if row.is_hidden}:
        return
    copy = Copy(threads, thread)
    for row in rows:
        if row in selection.stays:
            copy.add(row)
        elif row in selection.folds:
            copy.add_hidden(selection.folds[row])
    for row in without_checkpoint(thread):
        copy.add_writes(row)
    copy.replace(words.of_thread(thread.name, _losing(gone)))


def erased(threads: Threads, segments: Sequence[str] | None) -> None:
    """Have what these threads (None: all) had and have no longer leave memory and the disk.

    Not under the lock: it takes a while.

    Cost: that of `Backpack.purge`: on disk, all segments that have any of it are written anew.
    """
    left = Left(threads, segments)
    if (segments is None or segments) and left.has_any():
        erase(threads.bp, left, False, None)


def in_order(thread: Thread) -> list[Row]:
    """The rows that have a checkpoint, as they were written."""
    rows = [row for space in thread.spaces.values() for row in space.rows.values()]
    return sorted((row for row in rows if row.number >= 0), key=lambda row: row.number)


def without_checkpoint(thread: Thread) -> list[Row]:
    """The rows that have only writes: their checkpoint may be on its way."""
    return [row for space in thread.spaces.values() for row in space.rows.values() if row.number < 0]


def _losing(count: int) -> str:
    return f"loses {count} checkpoint{'' if count == 1 else 's'}"


class Copy:
    """A thread that is being written anew."""

    def __init__(self, threads: Threads, old: Thread) -> None:
        self.threads = threads
        self.old = old
        self.new = Thread(old.name, old.segment)
        self.new.far_number = threads.next_number(old.far_number)
        self.far: dict[int, bytes] = {}
        self.records: list[list[Any]] = []
        self._source = old
        self._origins: dict[int, tuple[Thread, Held]] = {}
        """By the number of a new checkpoint record: where its values are from."""

    def read_from(self, thread: Thread) -> None:
        """The rows that come from now on are of this thread."""
        self._source = thread

    def add(self, row: Row) -> None:
        """A checkpoint and its writes."""
        manifest = self._source.manifest(row.number)
        v, ts, updated, rest = row.record[5]
        parent = None if row.parent is None else self.new.row(row.namespace, row.parent)
        known = EMPTY if parent is None else self.new.manifest(parent.number)
        origin = self._origin_of(parent)
        draft = Draft(
            namespace=row.namespace,
            id=row.id,
            parent=row.parent,
            v=v,
            ts=ts,
            updated=updated,
            rest=None if rest is None else whole(rest),
            metadata=metadata_of(row),
            versions=manifest.versions,
            seen=manifest.seen,
            values={
                channel: None if value is None else self._typed(channel, value)
                for channel, value in _values_of(manifest)
                if not _is_known(known, origin, manifest.versions, channel, value)
            },
            is_hidden=row.is_hidden,
        )
        self._origins[len(self.new.records)] = (self._source, manifest.values)
        self._take(checkpoint_drafted(self.new, draft, self._fetch))
        self.add_writes(row)

    def add_writes(self, row: Row) -> None:
        """The writes of a row, by task."""
        tasks: dict[tuple[str, str], list[WriteDraft]] = {}
        for write in ordered(row.writes):
            draft = (write.position, write.channel, self._typed(write.channel, write.value))
            tasks.setdefault((write.task, write.path), []).append(draft)
        for (task, path), writes in tasks.items():
            self._take(writes_drafted(self.new, row.namespace, row.id, task, path, writes, self._fetch))

    def add_hidden(self, needed: Needed) -> None:
        """The first of these rows, with what all of them are needed for: their values, and their writes in order.

        The order stands in the paths and positions of the writes, which nobody sees of a hidden row.
        """
        row, channels = needed[0]
        versions: Versions = {}
        values: dict[str, Typed | None] = {}
        for one, wanted in needed:
            held = self._source.manifest(one.number).values
            for channel in sorted(wanted):
                version, value = held.get(channel, (None, None))
                if version is not None:
                    versions.setdefault(channel, version)
                if value is not None:
                    values[channel] = self._typed(channel, value)
        values = {**dict.fromkeys(versions), **values}
        draft = Draft(
            namespace=row.namespace,
            id=row.id,
            parent=needed[-1][0].parent,
            v=row.record[5][0],
            ts=row.record[5][1],
            updated=NO_UPDATED,
            rest=None,
            metadata=metadata_of(row),
            versions=versions,
            seen={},
            values=values,
            is_hidden=True,
        )
        self._take(checkpoint_drafted(self.new, draft, self._fetch))
        position = 0
        for one, wanted in reversed(needed):
            for write in ordered(one.writes):
                if write.channel in wanted and write.channel in channels:
                    drafts = [(position, write.channel, self._typed(write.channel, write.value))]
                    path = f"{position:012}"
                    self._take(writes_drafted(self.new, row.namespace, row.id, write.task, path, drafts, self._fetch))
                    position += 1

    def replace(self, described: Words) -> None:
        """Put the new keys in and take the old ones out: one commit."""
        threads, old = self.threads, self.old
        number = threads.next_number(old.chunk + 1)
        name_key = names.name_key(old.segment)
        with threads.bp.transaction(node=described.node, message=described.message, tags=described.tags) as transaction:
            for key in threads.keys(old.segment):
                if key != name_key:
                    transaction.delete(key)
            for far_number, data in self.far.items():
                transaction.pack(names.far_key(old.segment, far_number), data)
            for chunk in _chunks(self.records):
                transaction.pack(names.chunk_key(old.segment, number), chunk)
                number += 1
        threads.forget(old.name)

    def _origin_of(self, row: Row | None) -> Held:
        """The values that a new checkpoint had in the thread that is read from; none when it is not from there."""
        thread, held = (None, EMPTY.values) if row is None else self._origins.get(row.number, (None, EMPTY.values))
        return held if thread is self._source else EMPTY.values

    def _take(self, drafted: Drafted) -> None:
        self.records.append(drafted.record)
        self.far.update(drafted.far)
        self.new.apply(drafted.record, drafted.manifest)

    def _typed(self, channel: str, value: Value) -> Typed:
        return typed_of(self.threads, self._source, channel, value)

    def _fetch(self, number: int) -> bytes:
        return self.far[number]


def _values_of(manifest: Manifest) -> Iterator[tuple[str, Value | None]]:
    """By channel, all values; None also for channels that have but a version."""
    for channel, (_, value) in manifest.values.items():
        yield channel, value
    for channel in manifest.versions:
        if channel not in manifest.values:
            yield channel, None


def _is_known(known: Manifest, origin: Held, versions: Versions, channel: str, value: Value | None) -> bool:
    """Will the new checkpoint have this very value from its parent?

    `origin`: what the parent had where both come from. The same version alone says little: two branches, and two
    threads, may count alike.
    """
    if value is None:
        return known.values.get(channel, _NO_VALUE)[1] is None
    return has_same(known, versions, channel) and origin.get(channel, _NO_VALUE)[1] == value


def _chunks(records: list[list[Any]]) -> Iterator[list[list[Any]]]:
    """Lists of records for one key each."""
    chunk: list[list[Any]] = []
    size = 0
    for record in records:
        if size >= CHUNK_SIZE:
            yield chunk
            chunk, size = [], 0
        chunk.append(record)
        size += len(pack_value(record))
    yield chunk
