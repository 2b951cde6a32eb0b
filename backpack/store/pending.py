"""Changes that are not committed yet, and the present as they would leave it, read-only.

Values are bytes here already; what is added to a list is kept apart until somebody reads it or the commit comes, so
each append costs what it adds. A node reads what it may read, by keys relative to its namespace, its own writes too.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from backpack.codec import unpack_value
from backpack.core.patterns import Pattern
from backpack.core.payload import join
from backpack.errors import ClosedError, InvalidArgumentError, KeyNotFoundError
from backpack.store.lists import packed_list
from backpack.store.names import checked_key
from backpack.store.records import Item

if TYPE_CHECKING:
    from backpack.store.packing import Packing
    from backpack.store.sight import Sight

DELETED: Final = b""
"""In the place of the bytes of a key that was taken out."""

MISSING: Final = object()


class Growth:
    """What is added to a list: packed items, behind `base`, or behind the present list of the store (None)."""

    __slots__ = ("base", "items")

    def __init__(self, base: bytes | None) -> None:
        self.base = base
        self.items: list[bytes] = []


class Pending(Mapping[str, Any]):
    """The mapping that a transaction shows while its block runs; what is not packed in it is read from the present."""

    __slots__ = ("_is_begun", "_is_done", "_payloads", "_sight", "_store")

    def __init__(self, store: "Packing", sight: "Sight | None") -> None:
        self._store = store
        self._sight = sight
        self._payloads: dict[str, bytes | Growth] = {}
        self._is_begun = False
        self._is_done = False

    def unpack(self, key: str, default: Any = None) -> Any:
        """The value as the transaction would leave it, as a fresh copy; else `default`. Emits no event."""
        key = self._readable(key)
        if key not in self._payloads:
            return self._store.peek(key, default)
        payload = self._payload(key)
        return default if payload == DELETED else unpack_value(payload)

    get = peek = unpack

    def __getitem__(self, key: str) -> Any:
        value = self.unpack(key, MISSING)
        if value is MISSING:
            raise KeyNotFoundError(f"no value: key={key!r}", key=key)
        return value

    unpack_required = __getitem__

    def item(self, key: str) -> Item:
        """The value with what is known about it. Of what the transaction packed that is no commit, node or time yet;
        version and size are those that it will have."""
        absolute = self._readable(key)
        if absolute not in self._payloads:
            found = self._store.item(absolute)
            return found if self._sight is None else self._sight.item(found)
        payload = self._payload(absolute)
        if payload == DELETED:
            raise KeyNotFoundError(f"no value: key={key!r}", key=key)
        is_large = len(payload) > self._store._engine.large_size
        return Item(key, self.version(key), len(payload), is_large, None, partial(unpack_value, payload))

    def version(self, key: str) -> int:
        """How many changes the key will have had, ever; 0 if never seen."""
        key = self._readable(key)
        return self._store.version(key) + (key in self._payloads)

    def select(self, pattern: str) -> dict[str, Any]:
        """The values of the keys that fit the pattern, as the transaction would leave them."""
        compiled = Pattern(self._absolute(pattern))
        return {key: self[key] for key in self if compiled.matches(self._absolute(key))}

    def __contains__(self, key: object) -> bool:
        self._require_open()
        if not isinstance(key, str):
            return False
        key = self._absolute(key)
        return (self._sight is None or self._sight.can_read(key)) and self._shows(key)

    def __iter__(self) -> Iterator[str]:
        self._require_open()
        keys = {key for key in self._store._visible_keys() if self._payloads.get(key) != DELETED}
        keys |= {key for key, payload in self._payloads.items() if payload != DELETED}
        if self._sight is None:
            return iter(sorted(keys))
        return iter(sorted(self._sight.relative(key) for key in keys if self._sight.can_read(key)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return dict(self) == dict(other) if isinstance(other, Mapping) else NotImplemented

    # -- inside --------------------------------------------------------------------------------------------------

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

    def _readable(self, key: str) -> str:
        """The absolute key; `AccessDeniedError` where the node may not read it."""
        self._require_open()
        key = self._absolute(checked_key(key))
        if self._sight is not None:
            self._sight.require(key, "read")
        return key

    def _shows(self, key: str) -> bool:
        """Would there be a value?"""
        payload = self._payloads.get(key)
        return self._store._is_visible(key) if payload is None else payload != DELETED

    def _payload(self, key: str) -> bytes:
        """The bytes as the transaction would leave them; `DELETED` when there are none."""
        payload = self._payloads.get(key)
        if isinstance(payload, bytes):
            return payload
        base = None if payload is None else payload.base
        if base is None:
            content = self._store._present_content(key)
            base = DELETED if content is None else join(content)
        return base if payload is None else packed_list(key, base, payload.items)
