"""Entries of the memory in a table for people, as JSON for programs."""

from collections.abc import Sequence
from typing import Any

from backpack.memory import Entry
from backpack.terminal.tables import table
from backpack.terminal.words import printable, shown, size_shown


def entry_facts(entry: Entry) -> dict[str, Any]:
    """An entry as JSON."""
    return {
        "id": entry.id,
        "time": entry.time.isoformat(),
        "type": entry.type,
        "subtype": entry.subtype,
        "title": entry.title,
        "mime": entry.mime,
        "kind": entry.kind,
        "tags": list(entry.tags),
        "summary": entry.summary,
        "summary_is_extract": entry.summary_is_extract,
        "checkpoint": entry.checkpoint,
        "directory": entry.directory,
        "node": entry.node,
        "size": entry.size,
        "lines": entry.lines,
        "characters": entry.characters,
        "tokens": entry.tokens,
        "tier": entry.tier,
        "chunks": entry.chunk_count,
        "stored_size": entry.stored_size,
        "pruned": entry.is_pruned,
    }


def entry_lines(entries: Sequence[Entry], width: int) -> list[str]:
    """A table of entries."""
    rows = [
        [
            entry.id,
            f"{entry.time.astimezone():%Y-%m-%d %H:%M:%S}",
            printable(entry.type),
            f"{entry.tokens:,}",
            size_shown(entry.size) if not entry.is_pruned else "pruned",
            printable(",".join(entry.tags)),
            shown(entry.title, width),
        ]
        for entry in entries
    ]
    return table(["id", "logged", "type", "tokens", "size", "tags", "title"], rows, width, right="id tokens size")
