"""What a batch changes: one commit, or none."""

from collections.abc import Iterable, Mapping, Sequence

from backpack.core.commit import Facts
from backpack.integrations.langgraph.store_batches import Put
from backpack.integrations.langgraph.store_catalog import Catalog, Change
from backpack.integrations.langgraph.store_expiry import begun
from backpack.integrations.langgraph.store_labels import label_of, message_of
from backpack.integrations.langgraph.store_names import EXPIRY, ITEMS, VECTORS
from backpack.integrations.langgraph.store_records import Record, packed_expiry, packed_item, packed_vectors
from backpack.store.store import Backpack

Vectors = Mapping[str, Mapping[str, Sequence[float]]]
"""By names of items and by paths."""


def put_all(bp: Backpack, catalog: Catalog, puts: Iterable[Put], vectors: Vectors, now_us: int) -> Facts | None:
    """Have the items as they were put. None when there is nothing to do.

    What the store raises when it can't pack or write, this raises, and nothing has changed.
    """
    payloads: dict[str, bytes] = {}
    changes: list[Change] = []
    shelves: dict[str, int] = {}
    with catalog.lock:
        catalog.keep_up()
        for number, put in enumerate(puts):
            if put.value is None:
                if catalog.has(put.name):
                    changes.append(_deleted(bp, put.name, payloads))
                continue
            place = catalog.next_place(number)
            old = None
            if not catalog.expiries.is_over(put.name, now_us):
                old = catalog.record(put.name, put.namespace, put.key)
            if put.shelf not in shelves:
                there = catalog.shelf_place(put.shelf)
                shelves[put.shelf] = place if there is None else there
            record = Record(
                put.value,
                now_us,
                shelves[put.shelf],
                place if old is None else old.place,
                put.namespace,
                put.key,
                put.index,
            )
            expiry = None if put.minutes is None else begun(put.minutes, now_us)
            payloads[ITEMS + put.name] = packed_item(put.name, record)
            found = vectors.get(put.name)
            _set(bp, payloads, VECTORS + put.name, packed_vectors(found.values()) if found else None)
            _set(bp, payloads, EXPIRY + put.name, None if expiry is None else packed_expiry(expiry))
            changes.append(Change(put.name, record, expiry))
        return _committed(bp, catalog, payloads, changes)


def sweep(bp: Backpack, catalog: Catalog, now_us: int) -> tuple[Facts | None, int]:
    """Take away what is expired: one commit, or None; and how many items that were."""
    payloads: dict[str, bytes] = {}
    with catalog.lock:
        catalog.keep_up()
        over = catalog.expiries.over(now_us)
        count = sum(map(catalog.has, over))
        changes = [_deleted(bp, name, payloads) for name in over]
        return _committed(bp, catalog, payloads, changes, f"sweep {count} expired"), count


def refresh(bp: Backpack, catalog: Catalog, names: Iterable[str], now_us: int) -> Facts | None:
    """Begin the time to live of items anew, and write what is due to be written."""
    with catalog.lock:
        due = catalog.expiries.refresh(names, now_us)
        if not due or (bp._opened is not None and bp._opened.writer is None):
            return None
        payloads = {EXPIRY + name: packed_expiry(one) for name, one in due.items()}
        facts = bp._commit_transaction(payloads, True, label_of(bp, f"refresh {len(due)} expiries"))
        if facts is not None:
            catalog.refreshed(facts[1], due)
        return facts


def _committed(
    bp: Backpack, catalog: Catalog, payloads: dict[str, bytes], changes: Sequence[Change], message: str | None = None
) -> Facts | None:
    if not payloads:
        return None
    message = message_of(changes) if message is None else message
    facts = bp._commit_transaction(payloads, all(payloads.values()), label_of(bp, message))
    if facts is not None:
        catalog.became(facts[1], changes)
    return facts


def _deleted(bp: Backpack, name: str, payloads: dict[str, bytes]) -> Change:
    for kind in (ITEMS, VECTORS, EXPIRY):
        _set(bp, payloads, kind + name, None)
    return Change(name, None)


def _set(bp: Backpack, payloads: dict[str, bytes], key: str, payload: bytes | None) -> None:
    """Have that, or nothing, under a key."""
    if payload is not None:
        payloads[key] = payload
    elif bp._is_visible(key):
        payloads[key] = b""
