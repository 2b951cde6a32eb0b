"""An entry: what the memory knows of one thing that was logged, without its content.

Its record in the store is a dict of plain values. One that comes back is checked before it is believed.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, cast

from backpack.errors import CorruptionError
from backpack.memory.tokens import Tier

RECORD_FORMAT: Final = 1

Kind = Literal["text", "bytes", "value"]
KINDS: Final[tuple[Kind, ...]] = ("text", "bytes", "value")
_TIERS: Final = ("inline", "whole", "chunks")
_COUNT_MAX: Final = 2**68
"""Nanoseconds up to the year 9999 are below."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """What was logged. `str(entry)` is its id, and it is taken wherever an id is."""

    id: str
    type: str
    subtype: str | None
    title: str = field(repr=False)
    mime: str
    tags: tuple[str, ...]
    summary: str = field(repr=False)
    summary_is_extract: bool
    """Was it taken from the content by rule, rather than written by somebody?"""
    checkpoint: str | None
    directory: str | None
    time_ns: int
    size: int
    """Bytes of the content as `read` gives them."""
    lines: int
    characters: int
    """Of bytes that are no text, their number."""
    tokens: int
    tier: Tier
    chunk_count: int
    stored_size: int
    """Bytes that the content takes, compressed; shared with other entries of the same content."""
    digest: str
    kind: Kind
    node: str | None
    pruned_ns: int = 0
    """When pruning took the content; 0 while it is there."""

    @property
    def time(self) -> datetime:
        """When it was logged, in UTC."""
        return time_of(self.time_ns)

    @property
    def is_pruned(self) -> bool:
        """Is only the summary left?"""
        return self.pruned_ns > 0

    def __str__(self) -> str:
        return self.id


def time_of(time_ns: int) -> datetime:
    """Nanoseconds since 1970 as a time in UTC."""
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


def record_of(entry: Entry) -> dict[str, object]:
    """The entry as it is stored, under its id."""
    return {
        "format": RECORD_FORMAT,
        "type": entry.type,
        "subtype": entry.subtype,
        "title": entry.title,
        "mime": entry.mime,
        "tags": list(entry.tags),
        "summary": entry.summary,
        "is_extract": entry.summary_is_extract,
        "checkpoint": entry.checkpoint,
        "directory": entry.directory,
        "time": entry.time_ns,
        "size": entry.size,
        "lines": entry.lines,
        "characters": entry.characters,
        "tokens": entry.tokens,
        "tier": entry.tier,
        "chunks": entry.chunk_count,
        "stored": entry.stored_size,
        "digest": entry.digest,
        "kind": entry.kind,
        "node": entry.node,
        "pruned": entry.pruned_ns,
    }


def entry_of(id: str, record: object) -> Entry:
    """The entry of a record; `CorruptionError` when it can't be one."""
    if not isinstance(record, dict) or record.get("format") != RECORD_FORMAT:
        raise damaged_entry(id)
    texts = [record.get(name) for name in ("type", "title", "mime", "summary", "digest")]
    options = [record.get(name) for name in ("subtype", "checkpoint", "directory", "node")]
    counts = [
        record.get(name) for name in ("time", "size", "lines", "characters", "tokens", "chunks", "stored", "pruned")
    ]
    tags = record.get("tags")
    if (
        not all(type(text) is str for text in texts)
        or not all(text is None or type(text) is str for text in options)
        or not all(type(count) is int and 0 <= count < _COUNT_MAX for count in counts)
        or type(tags) is not list
        or not all(type(tag) is str for tag in tags)
        or record.get("tier") not in _TIERS
        or record.get("kind") not in KINDS
        or len(cast(str, record["digest"])) != 32
    ):
        raise damaged_entry(id)
    type_, title, mime, summary, digest = cast(list[str], texts)
    subtype, checkpoint, directory, node = cast(list[str | None], options)
    time_ns, size, lines, characters, tokens, chunks, stored, pruned = cast(list[int], counts)
    return Entry(
        id, type_, subtype, title, mime, tuple(tags), summary, record.get("is_extract") is True, checkpoint, directory,
        time_ns, size, lines, characters, tokens, record["tier"], chunks, stored, digest, record["kind"], node, pruned,
    )  # fmt: skip


def damaged_entry(id: str) -> CorruptionError:
    """The error for a record that is none."""
    return CorruptionError(f"the record of an entry is damaged: id={id!r}", id=id)
