"""Search over all entries of a memory, with an index that follows the store (`following.py`).

What is found is read from the store before it is returned, so a search returns what is there, with the words in it.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from backpack.memory.documents import Document, document_of, documents_of, found_entry, line_of_document
from backpack.memory.entry import Entry
from backpack.memory.following import Following
from backpack.memory.queries import Query, parsed
from backpack.memory.ranking import ranked
from backpack.memory.search_index import Connect, Match
from backpack.memory.snippets import Passage, Snippets

if TYPE_CHECKING:
    from backpack.memory.memory import Memory

_TAKEN_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that a search found: its best chunk, and the passage that shows it, with the words in brackets."""

    entry: Entry
    chunk: int
    score: float
    """The higher, the better; it says nothing across searches."""
    snippet: str
    match_at: int = 0
    """Where in the snippet the first bracket of ours stands."""
    line: int | None = None
    """The line of the content, from 1, in which the first of the words stands; None when that is in the labels, or when
    the line is longer than a chunk."""

    @property
    def id(self) -> str:
        """Of the entry."""
        return self.entry.id

    @property
    def reference(self) -> str:
        """What to fetch: the line, or the chunk of an entry that has several, or the entry."""
        if self.line is not None and self.entry.lines > 1:
            return f"mem://{self.id}#L{self.line}"
        return f"mem://{self.id}#chunk={self.chunk}" if self.entry.chunk_count > 1 else f"mem://{self.id}"


class Searching(Following):
    """The search of one namespace of one store, for all its memories. Any number of threads may ask."""

    def __init__(self, memory: "Memory", *, connect: Connect = sqlite3.connect) -> None:
        super().__init__(memory.bp, memory.keys.entries, memory.keys.namespace, connect=connect)
        self._memory = memory
        self._snippets: Snippets | None = None

    def search(self, memory: "Memory", query: str, limit: int) -> list[Found]:
        """The entries that fit, best first, the newer first among equals."""
        wanted = parsed(query)
        with memory.values.in_sight(), self._lock:
            self._memory = memory
            if not wanted.terms or not limit:
                return []
            return self._asked(lambda: self._found(wanted, limit))

    def discard(self) -> None:
        with self._lock:
            super().discard()
            if self._snippets is not None:
                self._snippets.close()
                self._snippets = None

    # -- what is followed ------------------------------------------------------------------------------------------

    def _ids(self) -> Iterator[str]:
        start = len(self._prefix)
        return (key[start:] for key in self._memory.values.keys(self._prefix))

    def _documents(self, id: str) -> Iterator[Document] | None:
        entry = found_entry(self._memory, id)
        return None if entry is None else documents_of(self._memory, entry)

    def _posted_ids(self) -> set[str]:
        start = len(self._prefix)
        return {key[start:] for key in self._memory.values.posted(self._prefix)}

    # -- the answer ----------------------------------------------------------------------------------------------

    def _found(self, query: Query, limit: int) -> list[Found]:
        if self._snippets is None:
            self._snippets = Snippets()
        matches = ranked(query, self._base(), self._hidden, self._recent)
        found: list[Found] = []
        while len(found) < limit:
            taken = list(islice(matches, min(limit - len(found), _TAKEN_AT_ONCE)))
            if not taken:
                break
            found += self._shown(query, taken)
        return found

    def _shown(self, query: Query, matches: list[Match]) -> list[Found]:
        """Those of the matches that are so, with their passages."""
        entries: dict[int, Entry] = {}
        together: dict[int, Document] = {}
        spread: dict[int, Document] = {}
        for number, match in enumerate(matches):
            entry = found_entry(self._memory, match.id)
            document = None if entry is None else document_of(self._memory, entry, match.chunk)
            if entry is not None and document is not None:
                entries[number] = entry
                (spread if match.is_spread else together)[number] = document
        assert self._snippets is not None
        texts = self._snippets.of(query, together) | self._snippets.of(query, spread, is_spread=True)
        return [
            self._hit(entries[number], match, (spread if match.is_spread else together)[number], texts[number])
            for number, match in enumerate(matches)
            if number in texts
        ]

    def _hit(self, entry: Entry, match: Match, document: Document, passage: Passage) -> Found:
        offset = passage.offset
        line = None if offset is None else line_of_document(self._memory, entry, document, offset)
        return Found(entry, match.chunk, match.score, passage.text, passage.at, line)
