"""A transaction: any number of changes, one commit or none.

Values are packed when `pack` is called, so what a later change of the object does to it, or a value that can't be
stored, is no concern of the commit. Reads see the transaction's own writes; nobody else sees any of them before the
commit. The block may be left by an exception: then nothing has happened.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from backpack.codec import pack_value, unpack_value
from backpack.core.commit import Commit, Facts, Label
from backpack.core.headers import array_header
from backpack.core.patterns import Pattern
from backpack.core.payload import head_of, join
from backpack.errors import AccessDeniedError, ClosedError, InvalidArgumentError, KeyNotFoundError
from backpack.store.lists import list_header, packed_list
from backpack.store.names import checked_key
from backpack.store.tasks import changed, durable, is_at_hand

if TYPE_CHECKING:
    from backpack.store.sight import Sight
    from backpack.store.store import Backpack

_DELETED: Final = b""
_MISSING: Final = object()


class Growth:
    """What a transaction adds to a list: packed items, behind `base`, or behind the present list of the store (None).

    Kept apart until somebody reads it or the commit comes, so that each append costs what it adds.
    """

    __slots__ = ("base", "items")

    def __init__(self, base: bytes | None) -> None:
        self.base = base
        self.items: list[bytes] = []


class Transaction:
    """Made by `Backpack.transaction()`; use it in a `with` or `async with` block."""

    __slots__ = (
        "_is_begun",
        "_is_checking",
        "_is_done",
        "_is_whole",
        "_label",
        "_may_read",
        "_payloads",
        "_refused",
        "_sight",
        "_store",
        "commit",
    )

    def __init__(self, store: "Backpack", label: Label, sight: "Sight | None" = None) -> None:
        self._store = store
        self._label = label
        self._sight = sight
        self._payloads: dict[str, bytes | Growth] = {}
        self._is_begun = False
        self._is_done = False
        self._is_checking = True
        """Does `pack` have to ask for rights, or whether the transaction has begun and is not over?"""
        self._is_whole = True
        """Every change is a pack: none is an append or a delete."""
        self._refused: str | None = None
        """The first key that the node may not write."""
        self._may_read = True
        """May an append look whether what is there is a list? In the thread of a loop it may only where memory has it;
        the commit will look."""
        self.commit: Commit | None = None
        """The commit that it became; None before, and when there was nothing to do. Of a task that was cancelled in
        the middle it says whether there is one."""

    def pack(self, key: str, value: Any) -> None:
        """Put a value in. Same key again: the last one counts, as one change."""
        if self._is_checking or type(key) is not str or key not in self._store._chains:
            key = self._writable(key)
        self._payloads[key] = pack_value(value)

    __setitem__ = pack

    def append(self, key: str, *values: Any) -> None:
        """Add to the list at `key`, which is made when missing."""
        key = self._writable(key)
        items = [pack_value(value, 1) for value in values]
        growth = self._payloads.get(key)
        if not isinstance(growth, Growth):
            if growth is None:
                self._require_list(key)
            elif growth != _DELETED:
                list_header(key, growth)
            growth = self._payloads[key] = Growth(array_header(0) if growth == _DELETED else growth)
        growth.items += items
        self._is_whole = False

    def delete(self, key: str) -> None:
        """Take a key out; a missing one raises `KeyNotFoundError`."""
        key = self._writable(key)
        payload = self._payloads.get(key)
        is_there = self._store._is_visible(key) if payload is None else payload != _DELETED
        if not is_there:
            raise KeyNotFoundError(f"nothing to delete: key={key!r}", key=key)
        self._is_whole = False
        if self._store._is_visible(key):
            self._payloads[key] = _DELETED
        else:
            self._payloads.pop(key, None)

    __delitem__ = delete

    def unpack(self, key: str, default: Any = None) -> Any:
        """The value as the transaction would leave it, as a fresh copy; else `default`."""
        key = self._readable(key)
        if key not in self._payloads:
            return self._store.peek(key, default)
        payload = self._payload(key)
        return default if payload == _DELETED else unpack_value(payload)

    get = unpack

    def __getitem__(self, key: str) -> Any:
        value = self.unpack(key, _MISSING)
        if value is _MISSING:
            raise KeyNotFoundError(f"no value: key={key!r}", key=key)
        return value

    unpack_required = __getitem__

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        self._require_open()
        key = self._absolute(key)
        if self._sight is not None and not self._sight.can_read(key):
            return False
        payload = self._payloads.get(key)
        return self._store._is_visible(key) if payload is None else payload != _DELETED

    def __iter__(self) -> Iterator[str]:
        keys = {key for key in self._store._visible_keys() if self._payloads.get(key) != _DELETED}
        keys |= {key for key, payload in self._payloads.items() if payload != _DELETED}
        if self._sight is None:
            return iter(sorted(keys))
        size = len(self._sight.prefix)
        return iter(sorted(key[size:] for key in keys if self._sight.can_read(key)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def select(self, pattern: str) -> dict[str, Any]:
        """The values of the keys that fit the pattern, as the transaction would leave them."""
        compiled = Pattern(self._absolute(pattern))
        return {key: self[key] for key in self if compiled.matches(self._absolute(key))}

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
        if kind is None and self._refused is not None:
            node = None if self._sight is None else self._sight.node
            raise AccessDeniedError(
                f"a change was refused, so nothing of the transaction happened: node={node!r} key={self._refused!r}",
                node=node,
                key=self._refused,
                operation="write",
            )
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

    # -- keys ----------------------------------------------------------------------------------------------------

    def _require_open(self) -> None:
        self._require_unfinished()
        self._store._require_open()
        if not self._is_begun:
            raise InvalidArgumentError("the transaction has not begun: use it in a `with` block")

    def _require_unfinished(self) -> None:
        if self._is_done:
            raise ClosedError("the transaction is over: begin another one")

    def _absolute(self, key: str) -> str:
        return key if self._sight is None else self._sight.prefix + key

    def _writable(self, key: str) -> str:
        self._require_open()
        if self._sight is None:
            return key if type(key) is str and key in self._store._engine.chains else checked_key(key)
        key = self._absolute(checked_key(key))
        try:
            self._sight.require(key, "write")
        except AccessDeniedError:
            self._refused = self._refused or key  # one forbidden key, and all of it fails, caught or not
            raise
        return key

    def _readable(self, key: str) -> str:
        self._require_open()
        key = self._absolute(checked_key(key))
        self._require_readable(key)
        return key

    def _require_readable(self, key: str) -> None:
        if self._sight is not None:
            self._sight.require(key, "read")

    def _require_list(self, key: str) -> None:
        if not self._may_read and not is_at_hand(self._store, key):
            return
        content = self._store._present_content(key)
        if content is not None:
            list_header(key, head_of(content))

    def _payload(self, key: str) -> bytes:
        """The bytes as the transaction would leave them; `_DELETED` when there are none."""
        payload = self._payloads.get(key)
        if isinstance(payload, bytes):
            return payload
        base = None if payload is None else payload.base
        if base is None:
            content = self._store._present_content(key)
            base = _DELETED if content is None else join(content)
        return base if payload is None else packed_list(key, base, payload.items)
