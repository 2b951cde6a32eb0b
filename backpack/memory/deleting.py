"""Taking one entry out; its content goes with it when no other entry has that."""

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from backpack.codec import unpack_value
from backpack.core.payload import join
from backpack.core.shaping import present_content
from backpack.errors import CorruptionError
from backpack.memory.content import WHOLE_SIZE_MAX, Content
from backpack.memory.entry import Entry
from backpack.memory.listing import digest_in, named_content

if TYPE_CHECKING:
    from backpack.memory.memory import Memory


def delete(memory: "Memory", entry: Entry) -> None:
    """One commit; history still has it. Cost: O(entries), 3 us each."""
    with memory.bp._letters_at_rest(), memory.shared.lock:
        rows = memory.statistics.rows()
        keys = [memory.keys.entries + entry.id]
        others = {row.digest for row in rows.values() if row.id != entry.id and not row.is_pruned}
        spared = spared_contents(memory, rows)
        others |= spared
        is_last = not entry.is_pruned and entry.digest not in others
        if is_last:
            long = {row.digest for row in rows.values() if row.size > WHOLE_SIZE_MAX and row.digest in others}
            long |= spared
            keys += content_keys(memory, entry.digest, long)
        with memory.bp.transaction(node=memory.acting_node()) as transaction:
            for key in keys:
                if key in transaction:
                    transaction.delete(key)
            line = {"do": "delete", "id": entry.id, "time": memory.now_ns(), "size": entry.size}
            memory.operations_log.write(transaction, line)
        if is_last:
            memory.contents.drop(entry.digest)


def spared_contents(memory: "Memory", rows: Mapping[str, Entry]) -> set[str]:
    """The digests that records name which are none, such as those of a later format, or that are in quarantine and may
    be released: their contents stay."""
    prefix = memory.keys.entries
    ids = {key[len(prefix) :] for key in memory.values.keys(prefix)} - rows.keys()
    named = [named_content(memory, id) for id in ids]
    named += [_hidden_content(memory, key) for key in memory.bp.quarantined() if key.startswith(prefix)]
    return {digest for digest in named if digest is not None}


def _hidden_content(memory: "Memory", key: str) -> str | None:
    """The digest that the record of an entry in quarantine names."""
    with memory.bp._lock:
        chain = memory.bp._engine.chain_of(key)
        payload = None if chain is None else present_content(chain)
    with suppress(CorruptionError):
        return None if payload is None else digest_in(unpack_value(join(payload)))
    return None


def content_keys(memory: "Memory", digest: str, others: set[str]) -> list[str]:
    """The keys of a content that none but these others may share, as far as nobody is logging it at this moment."""
    if memory.shared.is_used(digest):
        return []
    content = memory.contents.find(digest)
    keys = [memory.keys.content + digest]
    if content is not None and content.parts is not None:
        kept = {part for other in others for part in parts_of(memory.contents.find(other))}
        keys += [
            memory.keys.parts + part
            for part in dict.fromkeys(content.parts.digests)
            if part not in kept and not memory.shared.is_used(part)
        ]
    return keys


def parts_of(content: Content | None) -> tuple[str, ...]:
    """The digests of the parts of a content."""
    return () if content is None or content.parts is None else content.parts.digests
