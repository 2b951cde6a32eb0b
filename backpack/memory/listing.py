"""Entries, newest first."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from backpack.memory.entry import Entry, entry_of
from backpack.memory.extract import EXTRACT
from backpack.memory.labels import place_of
from backpack.store.names import checked_limit

if TYPE_CHECKING:
    from backpack.memory.memory import Memory

_SUMMARY_MAX: Final = 160


def entries(memory: "Memory") -> Iterator[Entry]:
    """All entries, newest first, read as they are asked for."""
    prefix = memory.keys.entries
    for key in memory.values.keys(prefix, newest_first=True):
        record = memory.values.get(key)
        if record is not None:  # else it was deleted meanwhile
            yield entry_of(key[len(prefix) :], record)


def listed(
    memory: "Memory",
    type: str | None,
    tag: str | None,
    directory: str | os.PathLike[str] | None,
    checkpoint: str | None,
    limit: int | None,
) -> list[Entry]:
    """Those that fit all that is asked for. Cost: O(entries up to the last that is returned)."""
    checked_limit(limit)
    place = None if directory is None else place_of(directory)
    found: list[Entry] = []
    if limit == 0:
        return found
    for entry in entries(memory):
        if (
            (type is None or entry.type == type)
            and (tag is None or tag in entry.tags)
            and (place is None or entry.directory == place)
            and (checkpoint is None or entry.checkpoint == checkpoint)
        ):
            found.append(entry)
            if len(found) == limit:
                break
    return found


def line_of(entry: Entry) -> str:
    """`[id] summary (tokens)`, on one line."""
    text = entry.title if entry.summary_is_extract and entry.title else entry.summary.removeprefix(EXTRACT)
    text = " ".join(text.split()) or entry.title or entry.type
    if len(text) > _SUMMARY_MAX:
        text = text[: _SUMMARY_MAX - 3].rstrip() + "..."
    return f"[{entry.id}] {text} ({entry.tokens:,} tokens)"
