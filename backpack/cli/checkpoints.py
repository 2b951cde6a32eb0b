"""Checkpoints of the memory as JSON, in a table, and in a line."""

from collections.abc import Sequence
from typing import Any

from backpack.memory.checkpoint_record import MemoryCheckpoint
from backpack.terminal.tables import table
from backpack.terminal.values import as_json
from backpack.terminal.words import count_of, printable, shown

ID_HELP = "the id of a checkpoint, its beginning, or ckpt-latest"


def checkpoint_facts(checkpoint: MemoryCheckpoint) -> dict[str, Any]:
    """A checkpoint as JSON."""
    return {
        "id": checkpoint.id,
        "number": checkpoint.number,
        "time": checkpoint.time.isoformat(),
        "notes": checkpoint.notes,
        "phase": checkpoint.phase,
        "variables": as_json(checkpoint.variables)[0],
        "tasks": as_json(checkpoint.tasks)[0],
        "dependencies": as_json(checkpoint.dependencies)[0],
        "references": list(checkpoint.references),
        "counts": checkpoint.counts,
        "entries": checkpoint.entry_count,
        "tokens": checkpoint.tokens,
        "previous": checkpoint.previous,
    }


def checkpoint_line(checkpoint: MemoryCheckpoint) -> str:
    """A checkpoint in one line: id, entries, tokens."""
    entries = f"{checkpoint.entry_count:,} {'entry' if checkpoint.entry_count == 1 else 'entries'}"
    return f"{printable(checkpoint.id)}  {entries}  {count_of(checkpoint.tokens, 'token')}"


def checkpoint_lines(checkpoints: Sequence[MemoryCheckpoint], width: int) -> list[str]:
    """A table of checkpoints."""
    rows = [
        [
            printable(one.id),
            f"{one.time.astimezone():%Y-%m-%d %H:%M:%S}",
            printable(one.phase or ""),
            f"{one.entry_count:,}",
            f"{one.tokens:,}",
            shown(one.notes, width),
        ]
        for one in checkpoints
    ]
    return table(["id", "made", "phase", "entries", "tokens", "notes"], rows, width, right="id entries tokens")
