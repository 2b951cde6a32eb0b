"""The present values of some keys under other keys, in the very same bytes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from backpack.codec import pack_value
from backpack.core.chain import form_of, is_visible
from backpack.core.commit import Commit, Label
from backpack.core.payload import LargeRef
from backpack.core.requests import Request
from backpack.errors import KeyNotFoundError
from backpack.limits import KIB

_RECALLED_MIN: Final = KIB
"""Shorter payloads are written again: that costs less than to look for them."""

if TYPE_CHECKING:
    from backpack.store.store import Backpack


def copy_keys(
    store: "Backpack", targets: Mapping[str, str], label: Label, beside: Mapping[str, Any] | None = None
) -> Commit:
    """Give the keys on the right the values of those on the left: one commit that brings in no bytes but these.

    `beside`: values that the same commit packs under other keys.

    A key on the left without a value raises `KeyNotFoundError`, and nothing has happened. Cost: O(keys); on disk,
    a cold read for each value of a kilobyte or more that was written whole.
    """
    with store._lock, store._change():
        engine = store._engine
        requests = [Request(key, payload=pack_value(value)) for key, value in (beside or {}).items()]
        for source, target in targets.items():
            chain = engine.chain_of(source)
            last = None if chain is None else chain.last
            if chain is None or last is None or not is_visible(last):
                raise KeyNotFoundError(f"nothing to copy: key={source!r}", key=source)
            form = form_of(last)
            assert form is not None
            engine.ledger.share(chain, form)
            if engine.journal is not None and type(form) is bytes and len(form) >= _RECALLED_MIN:
                engine.journal.recall(source, chain.last_seq, form)
            content = chain.content if isinstance(form, LargeRef) else None
            requests.append(Request(target, form=form, content=content, is_plain=chain.is_plain))
        facts = engine.commit(requests, label, store._now())
    return store._told(facts)
