"""Which namespaces and items there are, in LangGraph's order, and which of them expire: derived from the keys of the
store, kept in memory, loaded by namespaces when somebody asks, never the truth.

One for a Backpack, however many stores of LangGraph are made of it. It follows the Backpack: before each answer it
looks which commits came since the last one, and at the keys that they changed. So a restore, a purge, another process
or whoever packs by hand is noticed; a commit of its own stores it is told of.

Order: namespaces in which something was put earlier come first, and in each the items that were put first earlier; an
item that is put again keeps its place. That is the order of `InMemoryStore`.

Cost: the namespaces below one that is searched or listed once, O(log keys) each; the items of each that is searched
once, 5 µs each, and about 150 bytes of memory for each from then on; every expiry once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import RLock
from typing import Any, Final

from sortedcontainers import SortedDict

from backpack.core.payload import Content
from backpack.errors import BackpackError, CommitNotFoundError, CommitPrunedError, CorruptionError
from backpack.integrations.langgraph.store_expiry import Expiries
from backpack.integrations.langgraph.store_names import (
    EXPIRY,
    ITEMS,
    ROOT,
    Namespace,
    namespace_in,
    prefix_of,
    shelf_in,
)
from backpack.integrations.langgraph.store_records import Expiry, Record, fitting_item, packed_expiry, unpacked_item
from backpack.store.store import Backpack

_BEHIND_ITEMS: Final = ";"
"""The character behind the colon that names of items begin with."""
_LAST: Final = "\U0010ffff"
_ITEMS_MAX: Final = 1_000_000
"""Items that are known; when they become more, all are let go of."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit does to one item: what it is afterwards, or None when it is gone; and when it expires."""

    name: str
    record: Record | None
    expiry: Expiry | None = None


class Shelf:
    """One namespace: its items in order, with their places."""

    __slots__ = ("items", "last", "namespace", "place")

    def __init__(self, namespace: Namespace, place: int, items: dict[str, int]) -> None:
        self.namespace = namespace
        self.place = place
        self.items = items
        self.last = max(items.values(), default=-1)


class Catalog:
    """The catalog of one Backpack. Its lock comes before that of the Backpack."""

    def __init__(self, bp: Backpack) -> None:
        self.lock = RLock()
        """Held by whoever reads several things that belong together, or changes something."""
        self.expiries = Expiries(bp)
        self._bp = bp
        self._head = -1
        """Up to which commit all of this goes."""
        self._namespaces: SortedDict[str, Namespace] = SortedDict()
        """By their shelves."""
        self._known: set[str] = set()
        """Of shelves that begin so, all are there."""
        self._shelves: dict[str, Shelf] = {}
        self._item_count = 0
        """Of those shelves; the ones that were taken away since count too."""

    # -- as the store sees it --------------------------------------------------------------------------------------

    def discard(self) -> None:
        """Values are being erased."""
        with self.lock:
            self._forget()

    def finish(self) -> None:
        """The store is about to be closed: write what was refreshed and not written."""
        with self.lock, suppress(BackpackError):  # a close says itself why nothing can be written
            unwritten = self.expiries.unwritten()
            payloads = {EXPIRY + name: packed_expiry(one) for name, one in unwritten.items() if self.has(name)}
            if payloads:
                self._bp._commit_transaction(payloads, True, self._bp._label(None, "refresh expiries", ("store",)))

    def keep_up(self) -> None:
        """Go up to the newest commit. Cost: the changes since the last time. Wants the lock."""
        head = self._bp._engine.timeline.head
        if head == self._head:
            return
        changed = self._changed_keys(head) if self._head >= 0 else None
        if changed is None:
            self._forget()
        else:
            for key in changed:
                self._look_at(key)
        self._head = head

    def became(self, seq: int, changes: Iterable[Change]) -> None:
        """A commit was made that did this and nothing else. Wants the lock."""
        if seq != self._head + 1:
            return  # others have committed meanwhile: whoever asks next goes through all of it
        for change in changes:
            self._place(change.name, change.record)
            self.expiries.became(change.name, change.expiry)
        self._head = seq

    def refreshed(self, seq: int, expiries: Mapping[str, Expiry]) -> None:
        """A commit was made that wrote these and nothing else. Wants the lock."""
        for name, expiry in expiries.items():
            self.expiries.became(name, expiry)
        if seq == self._head + 1:
            self._head = seq

    # -- what is there ---------------------------------------------------------------------------------------------

    def has(self, name: str) -> bool:
        """Is there such an item, expired or not?"""
        return self._bp._is_visible(ITEMS + name)

    def record(self, name: str, namespace: Namespace, key: str) -> Record | None:
        """The item; None when there is none, expired or not. O(1)."""
        content = self._bp._present_content(ITEMS + name)
        record = None if content is None else unpacked_item(name, content)
        return record if record is not None and (record.namespace, record.key) == (namespace, key) else None

    def records(self, names: Sequence[str]) -> Iterator[Record | None]:
        """Items as they are at one moment; None for one that is gone. Cost: theirs."""
        contents = self.contents(ITEMS, names)
        return (
            None if content is None else unpacked_item(name, content)
            for name, content in zip(names, contents, strict=True)
        )

    def fitting(
        self, names: Sequence[str], is_wanted: Callable[[dict[str, Any]], bool]
    ) -> Iterator[tuple[str, Record]]:
        """Items that are there and whose values pass a test, with their names, as they are at one moment."""
        for name, content in zip(names, self.contents(ITEMS, names), strict=True):
            record = None if content is None else fitting_item(name, content, is_wanted)
            if record is not None:
                yield name, record

    def contents(self, kind: str, names: Iterable[str]) -> list[Content | None]:
        """What stands at one moment under keys of a kind."""
        bp = self._bp
        bp._require_open()
        with bp._lock:
            return [bp._present(kind + name) for name in names]

    def names_below(self, namespace: Namespace) -> Iterator[str]:
        """The items of a namespace and of those below it, in order. Wants the lock while it is gone through."""
        shelves = [self._shelf(shelf) for shelf in self._shelves_below(namespace)]
        for shelf in sorted(shelves, key=lambda shelf: shelf.place):
            yield from shelf.items

    def namespaces_below(self, prefix: Namespace, now_us: int) -> list[Namespace]:
        """That namespace and those below it, if they have items that are not expired. Wants the lock."""
        shelves = self._shelves_below(prefix)
        over = {shelf_in(name) for name in self.expiries.over(now_us)}
        namespaces = self._namespaces
        return [namespaces[shelf] for shelf in shelves if shelf not in over or self._is_any_live(shelf, now_us)]

    def next_place(self, number: int) -> int:
        """A place behind all others, for an item of that number in a commit. Wants the lock."""
        return ((self._bp._engine.timeline.head + 1) << 32) + number

    def shelf_place(self, shelf: str) -> int | None:
        """The place of a namespace; None when it has no items. O(log keys). Wants the lock."""
        known = self._shelves.get(shelf)
        if known is not None:
            return known.place
        first = self._first(f"{shelf}:")
        record = None if first is None else next(self.records([first]))
        return None if record is None else record.shelf

    # -- inside ----------------------------------------------------------------------------------------------------

    def _changed_keys(self, head: int) -> set[str] | None:
        """The keys of ours that were changed behind the last commit that is known; None when that can't be told."""
        changed: set[str] = set()
        count = 0
        try:
            for commit in self._bp.history(after=self._head or None):
                if commit.seq <= head:
                    count += 1
                    changed.update(key for key in commit.changes if key.startswith(ROOT))
        except (CommitPrunedError, CommitNotFoundError, CorruptionError):
            return None
        return changed if count == head - self._head else None

    def _look_at(self, key: str) -> None:
        """Somebody has changed it."""
        if key.startswith(EXPIRY):
            self.expiries.look_at(key[len(EXPIRY) :])
        elif key.startswith(ITEMS):
            name = key[len(ITEMS) :]
            self._place(name, next(self.records([name])))

    def _place(self, name: str, record: Record | None) -> None:
        """An item is there now, or no more."""
        text = shelf_in(name)
        shelf = self._shelves.get(text)
        if record is not None:
            self._namespaces[text] = record.namespace
            if shelf is None or shelf.items.get(name) == record.place:
                return
            if record.place <= shelf.last:
                del self._shelves[text]  # back from the past: in what order, the records say
            else:
                shelf.items.pop(name, None)
                shelf.items[name] = shelf.last = record.place
                self._item_count += 1
            return
        if shelf is not None:
            shelf.items.pop(name, None)
        if not shelf.items if shelf is not None else self._first(f"{text}:") is None:
            self._shelves.pop(text, None)
            self._namespaces.pop(text, None)

    def _forget(self) -> None:
        self._head = -1
        self._namespaces.clear()
        self._known.clear()
        self._shelves.clear()
        self._item_count = 0
        self.expiries.forget()

    def _shelves_below(self, namespace: Namespace) -> list[str]:
        """Those of a namespace and of all below it, sorted."""
        prefix = prefix_of(namespace)
        if not any(beginning in self._known for beginning in _beginnings(prefix)):
            self._namespaces.update(self._scanned(prefix))
            self._known.add(prefix)
        found = self._namespaces.irange(prefix, prefix + _LAST)
        size = len(namespace)
        return [shelf for shelf in found if self._namespaces[shelf][:size] == namespace]

    def _scanned(self, prefix: str) -> Iterator[tuple[str, Namespace]]:
        """The shelves that begin so, and their namespaces. Cost: O(log keys) each, however many items they have."""
        name = self._first(prefix)
        while name is not None:
            shelf = shelf_in(name)
            namespace = namespace_in(shelf)
            if namespace is None:
                record = next(self.records([name]))
                namespace = None if record is None else record.namespace
            if namespace is not None:
                yield shelf, namespace
            name = self._first(prefix, shelf + _BEHIND_ITEMS)

    def _shelf(self, text: str) -> Shelf:
        shelf = self._shelves.get(text)
        if shelf is None:
            start = len(ITEMS)
            names = [key[start:] for key in self._bp._keys_below(f"{ITEMS}{text}:")]
            found = [(one.place, one.shelf, name) for name, one in zip(names, self.records(names), strict=True) if one]
            items = {name: place for place, _, name in sorted(found)}
            place = min((one[1] for one in found), default=0)
            if self._item_count + len(items) > _ITEMS_MAX:
                self._shelves.clear()
                self._item_count = 0
            self._item_count += len(items)
            shelf = self._shelves[text] = Shelf(self._namespaces[text], place, items)
        return shelf

    def _first(self, prefix: str, start: str = "") -> str | None:
        """The first name that begins so, from another one on."""
        key = self._bp._first_key_below(ITEMS + prefix, ITEMS + start)
        return None if key is None else key[len(ITEMS) :]

    def _is_any_live(self, shelf: str, now_us: int) -> bool:
        start = len(ITEMS)
        return any(not self.expiries.is_over(key[start:], now_us) for key in self._bp._keys_below(f"{ITEMS}{shelf}:"))


def _beginnings(prefix: str) -> Iterator[str]:
    """A prefix, and those of the namespaces above."""
    yield prefix
    end = prefix.rfind(".", 0, max(len(prefix) - 1, 0))
    while end >= 0:
        yield prefix[: end + 1]
        end = prefix.rfind(".", 0, end)
    yield ""


def catalog_of(bp: Backpack) -> Catalog:
    """The one of a Backpack."""
    return bp._follow("langgraph.store", lambda: Catalog(bp))
