"""Packing: the calls by which values come in and go out, each one commit.

Values become bytes before the lock is taken; what happens under it is O(1) beyond the bytes that are new.
"""

import time
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final

from backpack.codec import pack_checked, pack_value
from backpack.core.commit import Commit, Facts, Label, new_object, set_facts
from backpack.core.payload import LargeRef
from backpack.core.requests import Request
from backpack.core.shaping import Grown
from backpack.errors import KeyNotFoundError, UnstorableValueError
from backpack.store.growing import KnownItems, append_request, append_slowly, packed_items
from backpack.store.names import checked_key, refused
from backpack.store.pending import Growth
from backpack.store.recalling import Recalling
from backpack.store.sight import Sight
from backpack.store.taking import popped, with_default
from backpack.store.transaction import Transaction

_MISSING: Final = object()
_NO_TAGS: Final = ()


class Packing(Recalling, MutableMapping[str, Any]):
    """What changes values."""

    def pack(
        self,
        key: str,
        value: Any,
        *,
        node: str | None = None,
        message: str | None = None,
        tags: Iterable[str] = _NO_TAGS,
    ) -> Commit:
        """Put a value in: one commit of one key.

        Cost: packing the value, and O(1). A value that can't be stored raises `UnstorableValueError` and changes
        nothing.

        >>> from backpack import Backpack
        >>> Backpack().pack("plan", ["search", "book"], node="planner", message="first plan").changes["plan"].version
        1
        """
        if type(key) is not str or key not in self._chains:
            key = checked_key(key)
        grown: Grown = None
        try:
            if type(value) is list:
                growth = KnownItems(self, key)
                payload, is_plain = pack_checked(value, growth.count)
                if payload is growth.payload:
                    grown = growth.grown
            else:
                payload, is_plain = pack_value(value), False
        except UnstorableValueError as error:
            raise refused(key, error) from None
        try:
            label = self._labels.get(node) if message is None and tags is _NO_TAGS else None
        except TypeError:  # what can't be looked up is no str
            label = None
        if label is None or node is None:
            label = self._label(node, message, tags)
        with self._lock:  # not acquire and release: Ctrl-C between the two would leave it locked
            if self._is_barred or self._gate.locked():
                raise self._barred_error()
            try:
                self._is_barred = True
                now = time.time_ns()
                if now < self._last_ns:
                    now = self._last_ns
                facts = self._commit_one(key, payload, is_plain, grown, label, now)
                self._last_ns = now
            finally:
                self._is_barred = self._is_closed
        commit = new_object(Commit)
        set_facts(commit, facts)
        if self._is_durable:
            self._wait(facts[1])
        if self._events.subscribers:
            self._tell(commit)
        return commit

    def append(
        self,
        key: str,
        *values: Any,
        node: str | None = None,
        message: str | None = None,
        tags: Iterable[str] = _NO_TAGS,
    ) -> Commit:
        """Add to the list at `key`, made when missing. Cost: that of what is added, however long the list is.

        >>> from backpack import Backpack
        >>> bp = Backpack()
        >>> bp.append("messages", {"role": "user"}).seq, bp.append("messages", {"role": "assistant"}).seq
        (1, 2)
        >>> len(bp["messages"])
        2
        """
        if type(key) is not str or key not in self._chains:
            key = checked_key(key)
        count = len(values)
        try:
            appended, is_plain = pack_checked(values[0], None, 1) if count == 1 else packed_items(values)
        except UnstorableValueError as error:
            raise refused(key, error, is_item=True) from None
        try:
            label = self._labels.get(node) if message is None and tags is _NO_TAGS else None
        except TypeError:  # what can't be looked up is no str
            label = None
        if label is None or node is None:
            label = self._label(node, message, tags)
        with self._lock:  # as in `pack`
            if self._is_barred or self._gate.locked():
                raise self._barred_error()
            try:
                self._is_barred = True
                now = time.time_ns()
                if now < self._last_ns:
                    now = self._last_ns
                facts = self._extend_one(key, b"", count, appended, is_plain, label, now)
                if facts is None:
                    facts = append_slowly(self, key, count, appended, is_plain, label, now)
                self._last_ns = now
            finally:
                self._is_barred = self._is_closed
        return self._told(facts)

    def delete(
        self, key: str, *, node: str | None = None, message: str | None = None, tags: Iterable[str] = ()
    ) -> Commit:
        """Take a key out: a commit like any other. A missing key raises `KeyNotFoundError`."""
        return self._told(self._delete(key, self._label(node, message, tags)))

    def update(  # type: ignore[override]
        self,
        mapping: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        *,
        node: str | None = None,
        message: str | None = None,
        tags: Iterable[str] = (),
    ) -> Commit | None:
        """Put several values in: one commit, or none (and None) when there is nothing to do.

        >>> from backpack import Backpack
        >>> Backpack().update({"a": 1, "b": 2}, node="loader").changes["b"].version
        1
        """
        with self.transaction(node=node, message=message, tags=tags) as transaction:
            transaction.update(mapping)
        return transaction.commit

    def clear(  # type: ignore[override]
        self, *, node: str | None = None, message: str | None = None, tags: Iterable[str] = ()
    ) -> Commit | None:
        """Take everything out: one commit, or none (and None) when there is nothing."""
        return self._clear(None, node, message, tags)

    def transaction(
        self, *, node: str | None = None, message: str | None = None, tags: Iterable[str] = ()
    ) -> Transaction:
        """Any number of changes as one commit, or none of them.

        >>> from backpack import Backpack
        >>> bp = Backpack()
        >>> with bp.transaction(node="booker") as tx:
        ...     tx.pack("seat", "12A")
        ...     tx.pack("paid", True)
        >>> tx.commit.seq, bp.select("**")
        (1, {'paid': True, 'seat': '12A'})
        """
        self._require_open()
        return Transaction(self, self._label(node, message, tags))

    # -- the mapping -------------------------------------------------------------------------------------------

    def __setitem__(self, key: str, value: Any) -> None:
        self.pack(key, value)

    def __delitem__(self, key: str) -> None:
        self.delete(key)

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """Take a value out and give it back; else `default`, or `KeyNotFoundError`."""
        taken = popped(self, lambda: key)
        if taken is not None:
            return taken[1]
        if default is _MISSING:
            raise KeyNotFoundError(f"nothing to pop: key={key!r}", key=key)
        return default

    def popitem(self) -> tuple[str, Any]:
        """Take out the last key in order, with its value; `KeyNotFoundError` when there is none."""
        taken = popped(self, lambda: self._engine.visible[-1] if self._engine.visible else None)
        if taken is None:
            raise KeyNotFoundError("nothing to pop: the store is empty", key="")
        return taken

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value, or `default`, packed, when there is none."""
        return with_default(self, key, default, None)

    # -- inside ------------------------------------------------------------------------------------------------

    def _delete(self, key: str, label: Label) -> Facts:
        with self._lock, self._change():
            if not self._is_visible(key):
                raise KeyNotFoundError(f"nothing to delete: key={key!r}", key=key)
            return self._engine.commit((Request(key, "delete"),), label, self._now())

    def _clear(self, sight: Sight | None, node: str | None, message: str | None, tags: Iterable[str]) -> Commit | None:
        label = self._label(node, message, tags)
        with self._lock, self._change():
            keys = [key for key in self._engine.visible if sight is None or sight.can_read(key)]
            forbidden = [] if sight is None else [key for key in keys if not sight.can_write(key)]
            requests = [Request(key, "delete") for key in keys]
            facts = self._engine.commit(requests, label, self._now()) if requests and not forbidden else None
        if forbidden and sight is not None:
            raise sight.denied(forbidden[0], "write")
        return None if facts is None else self._told(facts)

    def _commit_transaction(self, payloads: Mapping[str, bytes | Growth], is_whole: bool, label: Label) -> Facts | None:
        with self._lock, self._change():
            if is_whole:
                return self._engine.commit_payloads(payloads, label, self._now())  # type: ignore[arg-type]
            requests = [
                append_request(self, key, payload)
                if isinstance(payload, Growth)
                else Request(key, payload=payload)
                if payload
                else Request(key, "delete")
                for key, payload in payloads.items()
                if payload or self._is_visible(key)
            ]
            return self._engine.commit(requests, label, self._now()) if requests else None

    def _pack_stored(self, key: str, value: Any) -> int:
        """As `pack`, and of a large value an opened store has the bytes on disk only, from the beginning.

        Returns how many bytes it takes: on disk, or packed where it is in memory.
        """
        facts, size = self._commit_stored(checked_key(key), pack_value(value), self._label(None, None, ()))
        self._told(facts)
        return size

    def _commit_stored(self, key: str, payload: bytes, label: Label) -> tuple[Facts, int]:
        """The same of a packed value; the facts of the commit, and how many bytes it takes."""
        archive = self._archive
        with self._lock, self._change():
            if self._opened is None or archive is None or len(payload) <= self._engine.large_size:
                return self._engine.commit_payloads({key: payload}, label, self._now()), len(payload)
            content, size = archive.put_aside(payload)
            request = Request(key, form=LargeRef(content), content=content, is_new=True)
            return self._engine.commit((request,), label, self._now()), size
