"""Taking one entry out; its content goes with it when no other entry has that."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from backpack.memory.content import WHOLE_SIZE_MAX, Content
from backpack.memory.entry import Entry
from backpack.memory.listing import named_content

if TYPE_CHECKING:
    from backpack.memory.memory import Memory


def delete(memory: "Memory", entry: Entry) -> None:
    """One commit; history still has it. Cost: O(entries) the first time, then what changed since."""
    with memory.bp._letters_at_rest(), memory.shared.lock:
        rows = memory.statistics.rows()
        keys = [memory.keys.entries + entry.id]
        others = {row.digest for row in rows.values() if row.id != entry.id and not row.is_pruned}
        others |= spared_contents(memory, rows)
        is_last = not entry.is_pruned and entry.digest not in others
        if is_last:
            long = {row.digest for row in rows.values() if row.size > WHOLE_SIZE_MAX and row.digest in others}
            long |= spared_contents(memory, rows)
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
    """The digests that records name which are none, such as those of a later format: their contents stay."""
    prefix = memory.keys.entries
    ids = {key[len(prefix) :] for key in memory.values.keys(prefix)} - rows.keys()
    return {digest for digest in (named_content(memory, id) for id in ids) if digest is not None}


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
