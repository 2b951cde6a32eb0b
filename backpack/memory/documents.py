"""Entries as the documents that search looks through: one a chunk, read from the store a chunk at a time.

Of text and values everything is searched, of bytes the labels. A summary that was taken from the content is in it
already, so it is searched only once the content is gone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backpack.errors import CorruptionError, EntryNotFoundError, EntryPrunedError
from backpack.memory.contents import View
from backpack.memory.entry import Entry

if TYPE_CHECKING:
    from backpack.memory.memory import Memory


@dataclass(frozen=True, slots=True)
class Document:
    """What is searched of one chunk of an entry. Title, summary and tags stand in its first."""

    id: str
    chunk: int
    title: str
    summary: str
    tags: str
    text: str


def found_entry(memory: "Memory", id: str) -> Entry | None:
    """The entry; None when it is not there, or its record is damaged: search finds what can be read."""
    try:
        return memory.entry(id)
    except (EntryNotFoundError, CorruptionError):
        return None


def documents_of(memory: "Memory", entry: Entry) -> Iterator[Document]:
    """All documents of an entry, in order. Cost: reading its content, a chunk in memory at a time."""
    view = _view_of(memory, entry)
    yield _first(entry, _text(entry, view, 0, _sizes(view)[0]), has_content=view is not None)
    if view is None:
        return
    start = 0
    for number, size in enumerate(_sizes(view)):
        if number:
            yield Document(entry.id, number, "", "", "", _text(entry, view, start, size))
        start += size


def document_of(memory: "Memory", entry: Entry, chunk: int) -> Document | None:
    """One of them; None when there is no such chunk."""
    view = _view_of(memory, entry)
    sizes = _sizes(view)
    if not 0 <= chunk < len(sizes):
        return None
    text = _text(entry, view, sum(sizes[:chunk]), sizes[chunk])
    return Document(entry.id, chunk, "", "", "", text) if chunk else _first(entry, text, has_content=view is not None)


def line_of_document(memory: "Memory", entry: Entry, document: Document, offset: int) -> int | None:
    """The line of the entry, from 1, in which a character of a document's text stands; None when that line is longer
    than a chunk, so that it could not be fetched. Cost: counting the newlines of a part of the content."""
    view = _view_of(memory, entry)
    text = document.text
    begin, end = text.rfind("\n", 0, offset) + 1, text.find("\n", offset)
    sizes = _sizes(view)
    if view is None or (end < 0 and document.chunk < len(sizes) - 1):
        return None
    start = sum(sizes[: document.chunk]) + len(text[:begin].encode("utf-8", "replace"))
    try:
        number = view.line_number(start)
        return number if view.line_start(number - 1) == start else None
    except CorruptionError:
        return None


def _view_of(memory: "Memory", entry: Entry) -> View | None:
    """The content, where there is one that is searched."""
    if entry.kind == "bytes":
        return None
    try:
        return memory.view(entry)
    except (EntryPrunedError, CorruptionError):
        return None


def _sizes(view: View | None) -> tuple[int, ...]:
    return (0,) if view is None else view.content.chunk_sizes or (view.size,)


def _text(entry: Entry, view: View | None, start: int, size: int) -> str:
    if view is None:
        return ""
    try:
        return view.read(start, size).decode("utf-8", "replace")
    except CorruptionError:
        return ""  # the rest of the entry can be found all the same


def _first(entry: Entry, text: str, *, has_content: bool) -> Document:
    summary = "" if entry.summary_is_extract and has_content else entry.summary
    labels = " ".join((entry.type, *((entry.subtype,) if entry.subtype else ()), *entry.tags))
    return Document(entry.id, 0, entry.title, summary, labels, text)
