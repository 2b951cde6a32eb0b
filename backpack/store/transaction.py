"""A transaction: any number of changes, one commit or none.

Values are packed when `pack` is called, so what a later change of the object does to it, or a value that can't be
stored, is no concern of the commit. Reads see the transaction's own writes; nobody else sees any of them before the
commit. The block may be left by an exception: then nothing has happened. A change that raises in the middle of it (a
value that can't be stored, a key that a node may not write) has not happened; who catches that goes on with the rest.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from backpack.codec import pack_value
from backpack.core.commit import Commit, Facts, Label
from backpack.core.headers import array_header
from backpack.core.payload import head_of
from backpack.errors import KeyNotFoundError, UnstorableValueError
from backpack.store.lists import list_header
from backpack.store.names import checked_key, refused
from backpack.store.pending import DELETED, MISSING, Growth, Pending
from backpack.store.tasks import changed, durable, is_at_hand

if TYPE_CHECKING:
    from backpack.store.packing import Packing
    from backpack.store.sight import Sight


class Transaction(Pending, MutableMapping[str, Any]):
    """Made by `Backpack.transaction()`; use it in a `with` or `async with` block, where it is a mapping.

    >>> from backpack import Backpack
    >>> bp = Backpack({"count": 1})
    >>> with bp.transaction() as tx:
    ...     tx["count"] += 1
    ...     tx.setdefault("names", [])
    ...     dict(tx), bp["count"]
    []
    ({'count': 2, 'names': []}, 1)
    >>> sorted(tx.commit.changes)
    ['count', 'names']
    """

    __slots__ = ("_is_checking", "_is_whole", "_label", "_may_read", "commit")

    def __init__(self, store: "Packing", label: Label, sight: "Sight | None" = None) -> None:
        super().__init__(store, sight)
        self._label = label
        self._is_checking = True
        """Does `pack` have to ask for rights, or whether the transaction has begun and is not over?"""
        self._is_whole = True
        """Every change is a pack: none is an append or a delete."""
        self._may_read = True
        """May an append look whether what is there is a list? In the thread of a loop it may only where memory has it;
        the commit will look."""
        self.commit: Commit | None = None
        """The commit that it became; None before, and when there was nothing to do. Of a task that was cancelled in
        the middle it says whether there is one."""

    # -- changes -------------------------------------------------------------------------------------------------

    def pack(self, key: str, value: Any) -> None:
        """Put a value in. Same key again: the last one counts, as one change."""
        if self._is_checking or type(key) is not str or key not in self._store._chains:
            key = self._writable(key)
        try:
            self._payloads[key] = pack_value(value)
        except UnstorableValueError as error:
            raise refused(key, error) from None

    __setitem__ = pack

    def append(self, key: str, *values: Any) -> None:
        """Add to the list at `key`, which is made when missing."""
        try:
            packed = [pack_value(value, 1) for value in values]
        except UnstorableValueError as error:
            raise refused(self._writable(key), error, is_item=True) from None
        self._append_packed(key, packed)

    def _append_packed(self, key: str, items: list[bytes]) -> None:
        """The same for items that are packed, each at the depth of an item of a list."""
        key = self._writable(key)
        growth = self._payloads.get(key)
        if not isinstance(growth, Growth):
            if growth is None:
                self._require_list(key)
            elif growth != DELETED:
                list_header(key, growth)
            growth = self._payloads[key] = Growth(array_header(0) if growth == DELETED else growth)
        growth.items += items
        self._is_whole = False

    def delete(self, key: str) -> None:
        """Take a key out; a missing one raises `KeyNotFoundError`."""
        key = self._writable(key)
        if not self._shows(key):
            raise KeyNotFoundError(f"nothing to delete: key={key!r}", key=key)
        self._take_out(key)

    __delitem__ = delete

    def update(  # type: ignore[override]
        self, mapping: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), /, **values: Any
    ) -> None:
        """Put several values in: all of them or, on an error, none."""
        pairs = mapping.items() if isinstance(mapping, Mapping) else mapping
        payloads = {}
        for key, value in chain(pairs, values.items()):
            if self._is_checking or type(key) is not str or key not in self._store._chains:
                key = self._writable(key)
            try:
                payloads[key] = pack_value(value)
            except UnstorableValueError as error:
                raise refused(key, error) from None
        self._payloads.update(payloads)

    def clear(self) -> None:
        """Take out all that it shows; `AccessDeniedError`, and nothing is, where the node may not write some of it."""
        for key in [self._writable(key) for key in self]:
            self._take_out(key)

    def pop(self, key: str, default: Any = MISSING) -> Any:
        """Take a value out and give it back; else `default`, or `KeyNotFoundError`."""
        self._readable(key)
        absolute = self._writable(key)
        value = self.unpack(key, MISSING)
        if value is not MISSING:
            self._take_out(absolute)
            return value
        if default is MISSING:
            raise KeyNotFoundError(f"nothing to pop: key={key!r}", key=key)
        return default

    def popitem(self) -> tuple[str, Any]:
        """Take out the last key in order, with its value; `KeyNotFoundError` when there is none."""
        keys = list(self)
        if not keys:
            raise KeyNotFoundError("nothing to pop: there is no key", key="")
        return keys[-1], self.pop(keys[-1])

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value, or `default`, packed, when there is none."""
        if self.unpack(key, MISSING) is MISSING:
            self.pack(key, default)
        return self[key]

    # -- the block -----------------------------------------------------------------------------------------------

    def __enter__(self) -> "Transaction":
        self._is_begun = True
        self._require_open()
        self._is_checking = self._sight is not None
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._finish(kind)

    async def __aenter__(self) -> "Transaction":
        self._may_read = False
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._ends(kind):
            size = sum(
                len(one) if isinstance(one, bytes) else sum(map(len, one.items)) for one in self._payloads.values()
            )
            is_short = size <= self._store._engine.large_size and all(
                is_at_hand(self._store, key) for key in self._payloads
            )
            commit = await changed(self._store, self._change, is_short=is_short, became=self._became)
            await durable(self._store, commit)

    def _finish(self, kind: type[BaseException] | None) -> None:
        if self._ends(kind):
            facts = self._change()
            self._became(None if facts is None else self._store._told(facts))

    def _ends(self, kind: type[BaseException] | None) -> bool:
        """The block is over; is there something to commit?"""
        self._require_unfinished()
        self._is_done = self._is_checking = True
        if kind is None:
            self._store._require_open()
        return kind is None and bool(self._payloads)

    def _change(self) -> Facts | None:
        return self._store._commit_transaction(self._payloads, self._is_whole, self._label)

    def _became(self, commit: Commit | None) -> None:
        if commit is not None and self._sight is not None:
            added = {
                key: len(array_header(len(one.items))) + sum(map(len, one.items))
                for key, one in self._payloads.items()
                if isinstance(one, Growth) and one.base is None
            }
            commit = self._sight.own(commit, added)
        self.commit = commit

    # -- inside --------------------------------------------------------------------------------------------------

    def _writable(self, key: str) -> str:
        """The absolute key; `AccessDeniedError` where the node may not write it."""
        self._require_open()
        if self._sight is None:
            return key if type(key) is str and key in self._store._engine.chains else checked_key(key)
        key = self._absolute(checked_key(key))
        self._sight.require(key, "write")
        return key

    def _take_out(self, key: str) -> None:
        self._is_whole = False
        if self._store._is_visible(key):
            self._payloads[key] = DELETED
        else:
            self._payloads.pop(key, None)

    def _require_list(self, key: str) -> None:
        if not self._may_read and not is_at_hand(self._store, key):
            return
        content = self._store._present_content(key)
        if content is not None:
            list_header(key, head_of(content))
