"""Lists that grow: what a longer list shares with the present one, and what is appended to it."""

from typing import TYPE_CHECKING, Any, Final

from backpack.codec import pack_checked
from backpack.core.commit import Facts, Label
from backpack.core.headers import array_header, read_array_header
from backpack.core.payload import head_of
from backpack.core.requests import Request
from backpack.core.shaping import Grown, present_content
from backpack.core.sharing import grown_from
from backpack.store import tasks
from backpack.store.lists import list_header, packed_list
from backpack.store.pending import Growth

if TYPE_CHECKING:
    from backpack.store.reading import Reading

_KNOWN_LIST_MIN: Final = 256
"""Packed lists from this size on are compared with the present one before their items are verified."""


class KnownItems:
    """Compares a packed list with the present one: how many items at its beginning were verified before?"""

    __slots__ = ("_key", "_may_wait", "_store", "grown", "payload")

    def __init__(self, store: "Reading", key: str, *, may_wait: bool = True) -> None:
        """`may_wait`: for the lock. Without, nothing is known while another thread has it."""
        self._store = store
        self._key = key
        self._may_wait = may_wait
        self.grown: Grown = None
        """What the payload was compared with, and where its new part begins."""
        self.payload: bytes | None = None

    def count(self, payload: bytes) -> int:
        """Asked while the list is being packed."""
        if len(payload) < _KNOWN_LIST_MIN:
            return 0
        lock = self._store._lock
        if not self._may_wait and not tasks.is_at_hand(self._store, self._key):
            return 0
        if not lock.acquire(blocking=self._may_wait):
            return 0
        try:
            return self._compared(payload)
        finally:
            lock.release()

    def _compared(self, payload: bytes) -> int:
        chain = self._store._engine.chains.get(self._key)
        content = None if chain is None else present_content(chain)
        if chain is None or content is None:
            return 0
        stop = grown_from(content, payload)
        self.grown, self.payload = (content, stop), payload
        if not stop or not chain.is_plain:
            return 0
        header = read_array_header(head_of(content))
        return 0 if header is None else header[0]


def packed_items(values: tuple[Any, ...]) -> tuple[bytes, bool]:
    """What is appended to a list, packed; is it plain?"""
    if len(values) == 1:
        return pack_checked(values[0], depth=1)
    packed = [pack_checked(value, depth=1) for value in values]
    return b"".join([payload for payload, _ in packed]), all(is_item_plain for _, is_item_plain in packed)


def append_items(store: "Reading", key: str, count: int, appended: bytes, is_plain: bool, label: Label) -> Facts:
    """Add packed items to what may be a list, or may be missing."""
    with store._lock, store._change():
        now = store._now()
        facts = store._engine.extend_one(key, b"", count, appended, is_plain, label, now)
        return facts or append_slowly(store, key, count, appended, is_plain, label, now)


def append_slowly(
    store: "Reading", key: str, count: int, appended: bytes, is_plain: bool, label: Label, now: int
) -> Facts:
    """Where the short way does not lead to it. Wants the lock."""
    content = store._present(key)
    if content is None:
        request = Request(key, payload=array_header(count) + appended, is_plain=is_plain)
    else:
        before, _ = list_header(key, head_of(content))
        header = array_header(before + count)
        chain = store._engine.chain_of(key)
        is_plain = is_plain and chain is not None and chain.is_plain
        request = Request(key, header=header, appended=appended, is_plain=is_plain)
    return store._engine.commit((request,), label, now)


def append_request(store: "Reading", key: str, growth: Growth) -> Request:
    """What a transaction adds to a list, as the engine takes it. Wants the lock."""
    content = store._present(key)
    if growth.base is not None or content is None:
        return Request(key, payload=packed_list(key, growth.base, growth.items))
    count, _ = list_header(key, head_of(content))
    header = array_header(count + len(growth.items))
    return Request(key, header=header, appended=b"".join(growth.items))
