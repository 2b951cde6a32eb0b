"""Reading and changing a key as one step: `pop`, `setdefault`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from backpack.codec import pack_checked, unpack_value
from backpack.core.payload import join
from backpack.core.requests import Request
from backpack.errors import UnstorableValueError
from backpack.store.names import checked_key, refused

if TYPE_CHECKING:
    from backpack.store.reading import Reading


def popped(store: "Reading", choose: Callable[[], str | None]) -> tuple[str, Any] | None:
    """Take the value out whose key `choose` names, and give it back; None when there is none.

    It is made an object and told of without the lock: if it was changed meanwhile, all begins anew.
    """
    label = store._label(None, None, ())
    while True:
        store._require_open()
        with store._lock:
            key = choose()
            content = None if key is None else store._touched(key)
            if key is None or content is None:
                return None
            version = store._engine.version(key)
        value = unpack_value(join(content))
        with store._lock, store._change():
            if choose() != key or not store._is_visible(key) or store._engine.version(key) != version:
                continue
            facts = store._engine.commit((Request(key, "delete"),), label, store._now())
        store._tell_read(key, content)
        store._told(facts)
        return key, value


def with_default(store: "Reading", key: str, default: Any, require: Callable[[], object] | None) -> Any:
    """The value, or `default`, packed, when there is none; before that `require` is called, without the lock."""
    while True:
        content = store._read(key)
        if content is not None:
            return unpack_value(join(content))
        if require is not None:
            require()
        key = checked_key(key)
        try:
            payload, is_plain = pack_checked(default)
        except UnstorableValueError as error:
            raise refused(key, error) from None
        label = store._label(None, None, ())
        with store._lock, store._change():
            if store._is_visible(key):
                continue
            facts = store._commit_one(key, payload, is_plain, None, label, store._now())
            content = store._touched(key)
        assert content is not None
        store._told(facts)
        store._tell_read(key, content)
        return unpack_value(join(content))
