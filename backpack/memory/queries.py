"""What a user types into a search, as terms: words, phrases in quotes, beginnings of words.

    query := { word | word* | "phrase" | "phrase"* }        all of them are wanted

Whatever is typed is a query. Operators of the full-text engine are words like any other, a quote that is never closed
reaches to the end, and what has no letter and no digit asks for nothing.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from backpack.errors import InvalidArgumentError

_PIECES: Final = re.compile(r'"([^"]*)(?:"(\**)|$)|([^\s"]+)')


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that is wanted: words in a row, the last of them perhaps only begun."""

    text: str
    is_prefix: bool

    @property
    def expression(self) -> str:
        """As FTS5 takes it."""
        return f'"{self.text}" *' if self.is_prefix else f'"{self.text}"'


@dataclass(frozen=True, slots=True)
class Query:
    """All of these terms, or at least one of them. Without any it finds nothing."""

    terms: tuple[Term, ...]
    wants_all: bool = True
    scope: str | None = None
    """A word that is to stand in the tags, and counts for nothing."""

    @property
    def expression(self) -> str:
        """As FTS5 takes it."""
        wanted = self.all_of if self.wants_all else self.any_of
        return wanted if self.scope is None else f'tags : "{self.scope}" AND ({wanted})'

    @property
    def all_of(self) -> str:
        """Every term in one document."""
        return " AND ".join(term.expression for term in self.terms)

    @property
    def any_of(self) -> str:
        """At least one of the terms."""
        return " OR ".join(term.expression for term in self.terms)


def parsed(query: str, *, wants_all: bool = True, scope: str | None = None) -> Query:
    """The terms of what was typed, each once. `InvalidArgumentError` when it is no str.

    >>> [(term.text, term.is_prefix) for term in parsed('disk "no space left" err* AND').terms]
    [('disk', False), ('no space left', False), ('err', True), ('AND', False)]
    """
    if not isinstance(query, str):
        raise InvalidArgumentError(f"a query is a str: type={type(query).__name__}")
    query = writable(query)
    terms: dict[Term, None] = {}
    for phrase, star, word in _PIECES.findall(query):
        term = Term(phrase, bool(star)) if not word else Term(word.rstrip("*"), word.endswith("*"))
        if any(_is_searched(character) for character in term.text):
            terms[term] = None
    return Query(tuple(terms), wants_all, scope)


def writable(text: str) -> str:
    """The text without what SQLite can't take: a NUL ends its strings, half a surrogate pair is no UTF-8."""
    if "\0" in text:
        text = text.replace("\0", " ")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
    return text


def _is_searched(character: str) -> bool:
    """Is it part of a word for the tokenizer?"""
    category = unicodedata.category(character)
    return category[0] in "LN" or category == "Co"
