"""Taking one entry out; its content goes with it when no other entry has that."""

from typing import TYPE_CHECKING

from backpack.memory.content import parts_of
from backpack.memory.entry import Entry

if TYPE_CHECKING:
    from backpack.memory.memory import Memory


def delete(memory: "Memory", entry: Entry) -> None:
    """One commit; history still has it. Cost: what was logged and deleted since the last time; the first time, and of
    an entry that is parts the first time again, O(entries)."""
    with memory.bp._letters_at_rest(), memory.shared.lock:
        keys = [memory.keys.entries + entry.id]
        is_last = not entry.is_pruned and not memory.statistics.is_shared(entry)
        if is_last:
            keys += _content_keys(memory, entry.digest)
        with memory.bp.transaction(node=memory.acting_node()) as transaction:
            for key in keys:
                if key in transaction:
                    transaction.delete(key)
            line = {"do": "delete", "id": entry.id, "time": memory.now_ns(), "size": entry.size}
            memory.operations_log.write(transaction, line)
        if is_last:
            memory.contents.drop(entry.digest)


def _content_keys(memory: "Memory", digest: str) -> list[str]:
    """The keys of a content that no other entry has, as far as nobody is logging it at this moment."""
    if memory.shared.is_used(digest):
        return []
    keys = [memory.keys.content + digest]
    parts = tuple(dict.fromkeys(parts_of(memory.contents.find(digest))))
    if parts:
        kept = memory.statistics.shared_parts(digest, parts)
        keys += [memory.keys.parts + part for part in parts if part not in kept and not memory.shared.is_used(part)]
    return keys
