"""Whether what an index found is so, and the passage that shows it.

The few documents that a search is about to return are read from the store and put into an index of their own in
memory, which does have texts. So no answer rests on the derived index alone, and a snippet is made of what is there
now. Cost: tokenising those documents, 0.1 ms each at 4,000 tokens.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backpack.memory.documents import Document
from backpack.memory.queries import Query, writable
from backpack.memory.search_index import TOKENIZER, begin

SNIPPET_SIZE_MAX: Final = 400
"""Characters: one word may be as long as its text."""

_WORDS: Final = 24
_OPEN, _CLOSE, _GAP = "[", "]", "…"
_MARKS: Final = ("\ue000\ue001", "\ue001\ue000")
"""What stands for the brackets until it is known whether there are any: what hardly a text has."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What shows a hit, on one line, with the words that fit in brackets."""

    text: str
    at: int
    """Where in it the first of them begins: the place of its bracket."""
    offset: int | None
    """The character of the document's text that it begins at; None when it stands in the labels."""


class Snippets:
    """Makes snippets. Not for several threads at a time."""

    def __init__(self) -> None:
        self._base = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._base.execute(f"CREATE VIRTUAL TABLE found USING fts5(title, summary, tags, text, tokenize='{TOKENIZER}')")

    def of(self, query: Query, documents: Mapping[int, Document], *, is_spread: bool = False) -> dict[int, Passage]:
        """A passage of each document that has all terms (`is_spread`: one of them), the words that fit in brackets.

        Of its text if they stand there, else of its labels.
        """
        expression = query.any_of if is_spread else query.all_of
        if not documents:
            return {}
        begin(self._base)
        try:
            self._base.executemany(
                "INSERT INTO found(rowid, title, summary, tags, text) VALUES (?, ?, ?, ?, ?)",
                (
                    (number, *map(writable, (one.title, one.summary, one.tags, one.text)))
                    for number, one in documents.items()
                ),
            )
            rows = self._base.execute(
                "SELECT rowid, snippet(found, 3, ?1, ?2, ?3, ?4), snippet(found, -1, ?1, ?2, ?3, ?4) "
                "FROM found WHERE found MATCH ?5",
                (_MARKS[0], _MARKS[1], _GAP, _WORDS, expression),
            ).fetchall()
        finally:
            self._base.execute("ROLLBACK")
        return {
            number: _passage(text, writable(documents[number].text)) if _MARKS[0] in text else _passage(label, None)
            for number, text, label in rows
        }

    def close(self) -> None:
        """Idempotent."""
        self._base.close()


def _passage(marked: str, text: str | None) -> Passage:
    """On one line, at most `SNIPPET_SIZE_MAX` characters, with the first word that fits among them."""
    offset = None if text is None else _offset(marked, text)
    flat = " ".join(marked.split())
    at = flat.find(_MARKS[0])
    snippet = flat.replace(_MARKS[0], _OPEN).replace(_MARKS[1], _CLOSE)
    if len(snippet) <= SNIPPET_SIZE_MAX:
        return Passage(snippet, at, offset)
    start = max(at - SNIPPET_SIZE_MAX // 4, 0)
    stop = start + SNIPPET_SIZE_MAX - 2
    shown = (_GAP if start else "") + snippet[start:stop] + (_GAP if stop < len(snippet) else "")
    return Passage(shown, at - start + bool(start), offset)


def _offset(marked: str, text: str) -> int | None:
    """Where the first word that fits stands in the text that the passage is of. O(text)."""
    plain = marked.replace(_MARKS[0], "").replace(_MARKS[1], "")
    for start in (0, len(_GAP)) if plain.startswith(_GAP) else (0,):
        for stop in (len(plain), len(plain) - len(_GAP)) if plain.endswith(_GAP) else (len(plain),):
            found = text.find(plain[start:stop])
            if found >= 0:
                return found + marked.find(_MARKS[0]) - start
    return None
