"""Entries, newest first."""

import os
from collections.abc import Iterator
from contextlib import suppress
from logging import getLogger
from typing import TYPE_CHECKING, Final

from backpack.codec import unpack_value
from backpack.core.payload import join
from backpack.core.shaping import present_content
from backpack.errors import CommitNotFoundError, CorruptionError, InvalidArgumentError
from backpack.memory.entry import Entry, entry_of
from backpack.memory.extract import lines_of_extract, telling_line
from backpack.memory.labels import place_of
from backpack.memory.wording import counted
from backpack.store.names import checked_limit

if TYPE_CHECKING:
    from backpack.memory.checkpoint_record import MemoryCheckpoint
    from backpack.memory.memory import Memory

_logger: Final = getLogger("backpack.memory")
_SUMMARY_MAX: Final = 160
_TAGS_MAX: Final = 80


def entries(memory: "Memory") -> Iterator[Entry]:
    """All entries, newest first, read as they are asked for."""
    prefix = memory.keys.entries
    for key in memory.values.keys(prefix, newest_first=True):
        entry = readable(memory, key[len(prefix) :])
        if entry is not None:
            yield entry


def readable(memory: "Memory", id: str) -> Entry | None:
    """The entry; None when it was deleted meanwhile, or its record is none: that is counted as a failure, once."""
    try:
        record = memory.values.get(memory.keys.entries + id)
        return None if record is None else entry_of(id, record)
    except CorruptionError:
        if id not in memory.unreadable:
            memory.unreadable.add(id)
            memory.failures["entry"] += 1
            _logger.warning("the record of an entry is damaged: id=%r", id)
        return None


def named_content(memory: "Memory", id: str) -> str | None:
    """The digest that the record of an entry that can't be read names all the same: its content is somebody's."""
    with suppress(CorruptionError):
        return _digest_in(memory.values.get(memory.keys.entries + id))
    return None


def hidden_content(memory: "Memory", key: str) -> str | None:
    """The digest that the record of an entry in quarantine names."""
    with memory.bp._lock:
        chain = memory.bp._engine.chain_of(key)
        payload = None if chain is None else present_content(chain)
    with suppress(CorruptionError):
        return None if payload is None else _digest_in(unpack_value(join(payload)))
    return None


def _digest_in(record: object) -> str | None:
    """The digest that a record names, whatever else is in it."""
    digest = record.get("digest") if isinstance(record, dict) else None
    return digest if isinstance(digest, str) else None


def listed(
    memory: "Memory",
    type: str | None,
    tag: str | None,
    directory: str | os.PathLike[str] | None,
    checkpoint: "str | MemoryCheckpoint | None",
    limit: int | None,
) -> list[Entry]:
    """Those that fit all that is asked for. Cost: O(entries up to the last that is returned).

    Of a checkpoint: those that were logged with its name, and those that it refers to.
    """
    checked_limit(limit)
    for name, given in (("type", type), ("tag", tag)):
        if given is not None and not isinstance(given, str):
            raise InvalidArgumentError(f"{name} must be a str, not {given.__class__.__name__}")
    place = None if directory is None else place_of(directory)
    found: list[Entry] = []
    if limit == 0:
        return found
    names, ids = (frozenset[str](), frozenset[str]()) if checkpoint is None else _of_checkpoint(memory, checkpoint)
    for entry in entries(memory):
        if (
            (type is None or entry.type == type)
            and (tag is None or tag in entry.tags)
            and (place is None or entry.directory == place)
            and (checkpoint is None or entry.checkpoint in names or entry.id in ids)
        ):
            found.append(entry)
            if len(found) == limit:
                break
    return found


def shown_at(memory: "Memory", checkpoint: str) -> frozenset[str]:
    """The ids of the entries that the state of the store at a checkpoint of the core has. Cost: O(keys)."""
    prefix = memory.keys.entries
    return frozenset(key[len(prefix) :] for key in memory.bp.snapshot(checkpoint) if key.startswith(prefix))


def _of_checkpoint(memory: "Memory", checkpoint: "str | MemoryCheckpoint") -> tuple[frozenset[str], frozenset[str]]:
    """The names that entries of a checkpoint may have been logged with, and the ids that it refers to."""
    from backpack.memory.checkpoint_record import MemoryCheckpoint  # not needed by those who log and fetch

    if not isinstance(checkpoint, str):
        if not isinstance(checkpoint, MemoryCheckpoint):
            raise InvalidArgumentError(f"a checkpoint is named by its id, not by {type(checkpoint).__name__}")
        return frozenset((checkpoint.id,)), frozenset(checkpoint.references)
    if not checkpoint:
        return frozenset((checkpoint,)), frozenset()
    with suppress(CommitNotFoundError):  # else it is a name that entries were logged with
        found = memory.checkpoints.load(checkpoint)
        return frozenset((checkpoint, found.id)), frozenset(found.references)
    return frozenset((checkpoint,)), frozenset()


def line_of(entry: Entry) -> str:
    """`[id] summary #tag (tokens)`, on one line. Of an extract the line that says most, behind a title that is none of
    its lines."""
    text = _told(entry) if entry.summary_is_extract else entry.summary
    text = _flat(text, _SUMMARY_MAX) or _flat(entry.title, _SUMMARY_MAX) or entry.type
    tags = _flat("".join(f" #{tag}" for tag in entry.tags), _TAGS_MAX)
    return f"[{entry.id}] {text}{' ' if tags else ''}{tags} ({counted(entry.tokens, 'token')})"


def _told(entry: Entry) -> str:
    lines = lines_of_extract(entry.summary)
    text = telling_line(lines)
    title = entry.title.removesuffix("...").rstrip()
    is_given = bool(title) and not any(line.startswith(title) for line in lines)
    return f"{entry.title}: {text}" if is_given and text else text or entry.title


def _flat(text: str, size: int) -> str:
    """On one line, at most so many characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= size else flat[: size - 3].rstrip() + "..."
