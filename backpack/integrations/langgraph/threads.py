"""All threads of one store: read when they are asked for, kept while there is room, written by one commit at a time.

However many savers are made of a store, they share this. What is kept is derived: a thread whose last key has another
version than the one that was read or written here is read anew, so a restore, a purge or a reader that has refreshed
its store are seen at once.

Cost: a thread is read whole, once (about 10 us a record); from then on its newest checkpoint is found in O(1). Kept are
threads of up to 64 MiB together and long bytes of up to 32 MiB, those used last.
"""

from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from threading import RLock
from typing import Any, Final

from msgpack import packb

from backpack.codec import pack_value, unpack_value
from backpack.core.commit import Commit
from backpack.core.headers import array_header
from backpack.core.payload import form_size, join
from backpack.errors import CorruptionError
from backpack.integrations.langgraph import names
from backpack.integrations.langgraph.manifest import Manifest
from backpack.integrations.langgraph.strand import Fetch
from backpack.integrations.langgraph.thread import Thread
from backpack.integrations.langgraph.words import Words
from backpack.limits import KIB, MIB
from backpack.store.attribution import attributed_node
from backpack.store.growing import append_items
from backpack.store.pending import Growth
from backpack.store.store import Backpack

CHUNK_SIZE: Final = 48 * KIB
"""From this size on a list of records is followed by the next: below what a store calls a large value."""

WEIGHT_MAX: Final = 64 * MIB
FAR_KEPT_MAX: Final = 32 * MIB

_NAME: Final = "langgraph threads"
_BEHIND_DIGITS: Final = ":"
"""No key of a chunk comes after it."""


class Threads:
    """The threads of one store. All methods want `lock`."""

    def __init__(self, bp: Backpack) -> None:
        self.bp = bp
        self.lock = RLock()
        self._known: OrderedDict[str, Thread] = OrderedDict()
        self._weight = 0
        self._far: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._far_size = 0
        self.dropped = 0
        """Bytes, roughly, that retention has taken out of the present since they were erased last."""

    def discard(self) -> None:
        """Values are being erased: let go of everything."""
        with self.lock:
            self._known.clear()
            self._weight = 0
            self._far.clear()
            self._far_size = 0

    def finish(self) -> None:
        """The store is about to be closed: nothing waits here."""

    # -- reading -----------------------------------------------------------------------------------------------

    def thread(self, name: str) -> Thread:
        """The thread as the store has it; an empty one, not kept, when it has none.

        `CorruptionError` when its records are not what was written.
        """
        thread = self._known.get(name)
        if thread is not None:
            if self._is_current(thread):
                self._known.move_to_end(name)
                return thread
            self.forget(name)
        thread = self._read(name, names.segment_of(name))
        if thread.is_stored:
            self._keep(thread)
        return thread

    def names(self) -> list[str]:
        """The ids of all threads, in the order of their keys. Cost: O(keys of all threads)."""
        found: list[str] = []
        last = None
        for key in self.bp._keys_below(names.PREFIX):
            segment = key[len(names.PREFIX) :].partition(".")[0]
            if segment != last:
                last = segment
                found.append(self._name_of(segment))
        return found

    def fetch(self, thread: Thread) -> Fetch:
        """What gives the long bytes of a thread."""
        return partial(self._fetch, thread.segment)

    def forget(self, name: str) -> None:
        """Read the thread anew when it is asked for again."""
        thread = self._known.pop(name, None)
        if thread is not None:
            self._weight -= thread.weight

    def keys(self, segment: str) -> list[str]:
        """The keys that a thread has now."""
        return list(self.bp._keys_below(f"{names.PREFIX}{segment}."))

    # -- writing -----------------------------------------------------------------------------------------------

    def write(
        self,
        thread: Thread,
        record: list[Any],
        far: Mapping[int, bytes],
        words: Words,
        manifest: Manifest | None = None,
    ) -> None:
        """Write a record down, and have it so from now on: one commit, not yet on disk for good: see `settle`.

        `manifest`: of the checkpoint that it is. Which version of its key it knows, the thread is told last: after an
        interrupt it knows another than the store has, and is read anew.
        Cost: that of what the record has.
        """
        bp = self.bp
        is_new = not thread.is_stored or thread.chunk_size >= CHUNK_SIZE
        number, key = thread.chunk, thread.key
        if is_new:
            number = self.next_number(number + 1)
            key = names.chunk_key(thread.segment, number)
        packed = _packed(record)
        label = (attributed_node(bp) if words.node is None else words.node, words.message, words.tags)
        payloads: dict[str, bytes | Growth] = {
            names.far_key(thread.segment, far_number): pack_value(data) for far_number, data in far.items()
        }
        if not thread.is_stored and names.name_of(thread.segment) is None:
            payloads[names.name_key(thread.segment)] = pack_value(thread.name)
        if payloads:
            growth = payloads[key] = Growth(array_header(0) if is_new else None)
            growth.items.append(packed)
            facts = bp._commit_transaction(payloads, False, label)
            assert facts is not None
        else:
            facts = append_items(bp, key, 1, packed, False, label)
        commit = Commit(facts)
        self._apply(thread, record, manifest)
        for changed, _, version, size, _ in commit.raw_changes:
            if changed == key:
                thread.chunk, thread.key, thread.chunk_size, thread.versions = number, key, size, version
        thread.checked = commit.seq
        if bp._events.subscribers:
            bp._tell(commit)

    def settle(self, seq: int) -> None:
        """Return when that commit is as durable as the store promises. Not under the lock: others write meanwhile."""
        if self.bp._is_durable:
            self.bp._wait(seq)

    def next_number(self, least: int) -> int:
        """The number of the next key, which none has had before: this one at least."""
        return max(least, (self.bp._engine.timeline.head + 1) * names.STEP)

    # -- inside ------------------------------------------------------------------------------------------------

    def _is_current(self, thread: Thread) -> bool:
        """Is there no other last key than the one that is known, and is that as it was?"""
        head = self.bp._engine.timeline.head
        if thread.checked == head:
            return True
        if self._last_chunk(thread.segment) != thread.key or self.bp.version(thread.key) != thread.versions:
            return False
        thread.checked = head
        return True

    def _last_chunk(self, segment: str) -> str | None:
        prefix = f"{names.PREFIX}{segment}."
        with self.bp._lock:
            visible = self.bp._engine.visible
            index = visible.bisect_left(f"{prefix}{_BEHIND_DIGITS}") - 1
            key = visible[index] if index >= 0 else ""
        return key if key.startswith(prefix) else None

    def _read(self, name: str, segment: str) -> Thread:
        thread = Thread(name, segment)
        head = self.bp._engine.timeline.head
        for key in self.keys(segment):
            number = names.chunk_number(key)
            if number is None or key != names.chunk_key(segment, number):
                continue
            content = self.bp._present_content(key)
            records = None if content is None else unpack_value(join(content))
            if content is None or type(records) is not list:
                raise CorruptionError(f"the records of a LangGraph thread are no list: key={key!r}", key=key)
            for record in records:
                thread.read(record)
            thread.chunk, thread.key = number, key
            thread.chunk_size, thread.versions = form_size(content), self.bp.version(key)
            thread.is_stored = True
        thread.checked = head
        return thread

    def _name_of(self, segment: str) -> str:
        name = names.name_of(segment)
        if name is None:
            name = self.bp.peek(names.name_key(segment))
        if not isinstance(name, str) or names.segment_of(name) != segment:
            raise CorruptionError(f"a LangGraph thread has no name: key={names.PREFIX}{segment!r}")
        return name

    def _fetch(self, segment: str, number: int) -> bytes:
        key = names.far_key(segment, number)
        place = (key, self.bp.version(key))
        data = self._far.get(place)
        if data is not None:
            self._far.move_to_end(place)
            return data
        data = self.bp.peek(key)
        if type(data) is not bytes:
            raise CorruptionError(f"bytes of a LangGraph thread are not there: key={key!r}", key=key)
        self._far[place] = data
        self._far_size += len(data)
        while self._far_size > FAR_KEPT_MAX and len(self._far) > 1:
            self._far_size -= len(self._far.popitem(last=False)[1])
        return data

    def _apply(self, thread: Thread, record: list[Any], manifest: Manifest | None) -> None:
        weight = thread.weight
        thread.apply(record, manifest)
        if thread.is_stored:
            self._weight += thread.weight - weight
            if self._weight > WEIGHT_MAX:
                self._make_room(thread)
        else:
            thread.is_stored = True
            self._keep(thread)

    def _keep(self, thread: Thread) -> None:
        self._known[thread.name] = thread
        self._weight += thread.weight
        self._make_room(thread)

    def _make_room(self, thread: Thread) -> None:
        while self._weight > WEIGHT_MAX and len(self._known) > 1:
            name = next(iter(self._known))
            if name == thread.name:
                self._known.move_to_end(name)
                continue
            self.forget(name)


def _packed(record: list[Any]) -> bytes:
    """The record as the store packs it. It is made of plain values here, so the proof of that is left out."""
    try:
        return bytes(packb(record))
    except (UnicodeEncodeError, OverflowError):  # a lone surrogate, a very large version
        return pack_value(record, 1)


def threads_of(bp: Backpack) -> Threads:
    """The threads of a store."""
    threads = bp._followers.get(_NAME)
    return threads if type(threads) is Threads else bp._follow(_NAME, lambda: Threads(bp))
