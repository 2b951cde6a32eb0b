"""A full-text index of documents, in memory or in one SQLite file: FTS5 with bm25.

A document is a chunk of an entry with its words in four columns. The index has the words and not the texts: FTS5 is
contentless, which makes it 2.4 times smaller than one that keeps them, at the same speed; the texts are in the store
already. So it finds and ranks, and what it found is held against the store (`snippets.py`).

    texts(title, summary, tags, text)     the words, by number
    documents(number, id, chunk)          which chunk of which entry a number is; gone: the words are waste
    meta(name, value)                     of whose store, up to which commit

Entries of several chunks have numbers of their own range, so that words which stand in different chunks of one entry
are found at the cost of such entries only.

Whatever SQLite says of a file that is not what was written is a `sqlite3.Error`: whoever has the file makes it anew.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import log
from typing import Final
from urllib.parse import quote

from backpack.errors import SearchUnavailableError
from backpack.memory.documents import Document
from backpack.memory.queries import Query, Term, writable

WEIGHTS: Final = (6.0, 3.0, 4.0, 1.0)
"""What a hit in the title, the summary, the tags and the text counts."""

TOKENIZER: Final = "unicode61 remove_diacritics 2"

_FORMAT: Final = 1
_MANY: Final = 1 << 40
"""Numbers from here on are of entries with several chunks."""

_BUSY_S: Final = 1.0
_ADDED_AT_ONCE: Final = 256

_SCHEMA: Final = (
    f"CREATE VIRTUAL TABLE texts USING fts5(title, summary, tags, text, content='', tokenize='{TOKENIZER}')",
    "CREATE TABLE documents(number INTEGER PRIMARY KEY, id TEXT NOT NULL, chunk INTEGER NOT NULL)",
    "CREATE INDEX documents_by_id ON documents(id)",
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID",
)
_SHADOWS: Final = {"texts_config", "texts_data", "texts_docsize", "texts_idx"}
_SCORE: Final = f"-bm25(texts, {', '.join(map(str, WEIGHTS))})"
_RANKED: Final = f"SELECT rowid, {_SCORE} AS score FROM texts WHERE texts MATCH ? ORDER BY score DESC, rowid DESC"
_SCORE_IN_SCOPE: Final = f"-bm25(texts, {WEIGHTS[0]}, {WEIGHTS[1]}, 0.0, {WEIGHTS[3]})"
_IN_SCOPE: Final = _RANKED.replace(_SCORE, _SCORE_IN_SCOPE)
_WITH_PLACES: Final = (
    f"SELECT texts.rowid, {_SCORE}, documents.chunk FROM texts CROSS JOIN documents ON documents.number = texts.rowid "
    "WHERE texts MATCH ?"
)
_IN_SCOPE_WITH_PLACES: Final = _WITH_PLACES.replace(_SCORE, _SCORE_IN_SCOPE)
_IN_MANY: Final = f"SELECT rowid, {_SCORE} AS score FROM texts WHERE texts MATCH ? AND rowid >= {_MANY}"

Meta = Mapping[str, int | str]
Connect = Callable[..., sqlite3.Connection]


_LENGTHS: Final = "SELECT sz FROM texts_docsize WHERE id = ?"
_K1: Final = 1.2
_B: Final = 0.75
"""The constants of bm25, as FTS5 has them."""
_RARITY_MIN: Final = 1e-6
_LEAST: Final = 1e-15
_EQUAL_DIGITS: Final = 12
"""Decimals in which scores agree that are equal: the same one comes out of two indexes with other last digits."""


@dataclass(frozen=True, slots=True)
class Match:
    """A chunk that fits a query. The higher the score, the better; `is_spread`: not all of it stands in this chunk."""

    id: str
    chunk: int
    score: float
    is_spread: bool = False

    @property
    def rank(self) -> float:
        """The lower, the better; the same for those that fit equally well, in whichever index they stand."""
        return -round(self.score, _EQUAL_DIGITS)


@dataclass(frozen=True, slots=True)
class Frame:
    """What the documents of an index are weighed by: how rare terms are in it, and how long its documents are."""

    rarities: Mapping[Term, float]
    length: float
    """Tokens of a document, on average."""

    def damping(self, length: int) -> float:
        """By how much the frequency of a term in a document of that length is damped."""
        return _K1 * (1 - _B + _B * length / self.length)


class Index:
    """One index. Not for several threads at a time."""

    def __init__(
        self, path: str | None = None, *, is_writable: bool = True, connect: Connect = sqlite3.connect
    ) -> None:
        """In memory, or in the file at the path, which is there and may be empty.

        `SearchUnavailableError` when this SQLite has no FTS5, `sqlite3.Error` when it is no index that this made.
        """
        self._is_writable = is_writable
        self._row_count: int | None = None
        if path is None:
            self._base = connect(":memory:", isolation_level=None, check_same_thread=False)
        else:
            mode = "rw" if is_writable else "ro"
            uri = f"file:{quote(path)}?mode={mode}"
            self._base = connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except BaseException:
            self._base.close()
            raise

    def _prepare(self) -> None:
        self._base.execute("PRAGMA trusted_schema = OFF")
        self._base.execute("PRAGMA cell_size_check = ON")
        self._base.execute("PRAGMA temp_store = MEMORY")
        if not self._is_writable:
            self._base.execute("PRAGMA query_only = ON")
        has_any = self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not has_any and self._is_writable:
            with self.transaction():
                try:
                    self._base.execute(_SCHEMA[0])
                except sqlite3.OperationalError as error:
                    if "no such module" not in str(error):
                        raise
                    is_missing = True
                else:
                    is_missing = False
                if is_missing:
                    raise SearchUnavailableError(
                        f"the SQLite of this Python has no FTS5, which search needs: sqlite={sqlite3.sqlite_version}; "
                        "use a Python whose sqlite3 was built with it"
                    )
                for statement in _SCHEMA[1:]:
                    self._base.execute(statement)
                self.set_meta({"format": _FORMAT})
        self._check_schema()

    def _check_schema(self) -> None:
        """Only what was made here is asked: a foreign trigger or view would run in our name."""
        found = dict(self._base.execute("SELECT name, sql FROM sqlite_master"))
        made = {name: sql for name, sql in found.items() if name not in _SHADOWS and not name.startswith("sqlite_")}
        is_ours = found.keys() >= _SHADOWS and sorted(map(str, made.values())) == sorted(_SCHEMA)
        if not is_ours or self.meta().get("format") != _FORMAT:
            raise sqlite3.DatabaseError("no index of this version")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is changed in it, or nothing."""
        begin(self._base, "BEGIN IMMEDIATE")
        try:
            yield
            self._base.execute("COMMIT")
        except BaseException:
            if self._base.in_transaction:
                self._base.execute("ROLLBACK")
            raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """All that is read in it is of one moment, whoever writes to the file meanwhile."""
        begin(self._base)
        try:
            yield
        finally:
            self._base.execute("ROLLBACK")

    def close(self) -> None:
        """Idempotent."""
        self._base.close()

    # -- what is in it -------------------------------------------------------------------------------------------

    def meta(self) -> dict[str, int | str]:
        """What was noted about the index."""
        return dict(self._base.execute("SELECT name, value FROM meta"))

    def set_meta(self, meta: Meta) -> None:
        """Note something about the index."""
        self._base.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())

    def add(self, entries: Iterable[Iterable[Document]]) -> None:
        """Add entries, none of which is there: of each its documents, in order. Read one document at a time."""
        later: list[Iterator[Document]] = []
        number = self._next(0, _MANY)
        for documents in entries:
            iterator = iter(documents)
            first, second = next(iterator, None), next(iterator, None)
            if first is None:
                continue
            if second is None:
                self._put(number, first)
                number += 1
                continue
            later.append(_joined(first, second, iterator))  # ascending numbers, or FTS5 writes a tree for each
            if len(later) == _ADDED_AT_ONCE:
                self._put_many(later)
                later.clear()
        self._put_many(later)

    def _put_many(self, entries: list[Iterator[Document]]) -> None:
        number = self._next(_MANY, 1 << 62)
        for documents in entries:
            for document in documents:
                self._put(number, document)
                number += 1

    def _next(self, start: int, stop: int) -> int:
        """The first free number of a range; one whose words are waste is not free."""
        newest: int | None = self._base.execute(
            "SELECT max(id) FROM texts_docsize WHERE id >= ? AND id < ?", (start, stop)
        ).fetchone()[0]
        return start + 1 if newest is None else newest + 1

    def _put(self, number: int, document: Document) -> None:
        columns = (document.title, document.summary, document.tags, document.text)
        self._base.execute(
            "INSERT INTO texts(rowid, title, summary, tags, text) VALUES (?, ?, ?, ?, ?)",
            (number, *map(writable, columns)),
        )
        self._base.execute("INSERT INTO documents VALUES (?, ?, ?)", (number, document.id, document.chunk))
        self._row_count = None

    def remove(self, ids: Iterable[str]) -> None:
        """Find these entries no more. Their words stay as waste until the index is made anew."""
        self._base.executemany("DELETE FROM documents WHERE id = ?", ((id,) for id in ids))

    def clear(self) -> None:
        """Let go of everything but the notes."""
        self._base.execute("INSERT INTO texts(texts) VALUES ('delete-all')")
        self._base.execute("DELETE FROM documents")

    def counts(self) -> tuple[int, int]:
        """`(documents that can be found, documents whose words are waste)`. Cost: O(documents), 10 ns each."""
        live: int = self._base.execute("SELECT count(*) FROM documents").fetchone()[0]
        every: int = self._base.execute("SELECT count(*) FROM texts_docsize").fetchone()[0]
        return live, every - live

    # -- asking --------------------------------------------------------------------------------------------------

    def best(
        self,
        query: Query,
        hidden: Collection[str] = (),
        factors: Mapping[Term, float] | None = None,
    ) -> Iterator[Match]:
        """The best chunk of each entry that fits, best first, the newer first among equals; but for hidden entries.

        First those where one chunk has what is wanted; then, lazily, those where several chunks have it together.
        `factors` weigh the terms of this index by another one. Cost: the documents with all terms, and with factors
        those with any, then O(1) for each that is taken.
        """
        seen = set(hidden)
        for number, score in self._ranked(query, factors):
            found = self._document(number)
            if found is not None and found[0] not in seen:
                seen.add(found[0])
                yield Match(*found, score)
        if query.wants_all and len(query.terms) > 1:
            yield from self._spread(query, seen, factors)

    def placed(self, query: Query, hidden: Collection[str], frame: "Frame | None" = None) -> Iterator[Match]:
        """Entries of one document each, whose chunk is a place: those that fit, but for hidden ones, best first, and
        among equals the one of the lower place. In a frame they are weighed as if they stood in its index."""
        for number, score in self._placed(query, frame):
            found = self._document(number)
            if found is not None and found[0] not in hidden:
                yield Match(*found, score)

    def _ranked(self, query: Query, factors: Mapping[Term, float] | None) -> list[tuple[int, float]]:
        """`(number, score)` of the documents with all terms, best first."""
        statement = _RANKED if query.scope is None else _IN_SCOPE
        rows: list[tuple[int, float]] = self._base.execute(statement, (query.expression,)).fetchall()
        if factors is None or not rows:
            return rows
        scores = {number: 0.0 for number, _ in rows}
        for term, factor in factors.items():
            for number, score in self._base.execute(_RANKED, (term.expression,)):
                if number in scores:
                    scores[number] += factor * score
        return sorted(scores.items(), key=lambda row: (row[1], row[0]), reverse=True)

    def _placed(self, query: Query, frame: "Frame | None") -> list[tuple[int, float]]:
        """The same, by place among equals. Cost: 1 us more for each; in a frame 3 us for each and each term."""
        statement = _WITH_PLACES if query.scope is None else _IN_SCOPE_WITH_PLACES
        rows: list[tuple[int, float, int]] = self._base.execute(statement, (query.expression,)).fetchall()
        if frame is not None and rows:
            scores = self._framed([number for number, _, _ in rows], frame)
            rows = [(number, scores[number], place) for number, _, place in rows]
        return [row[:2] for row in sorted(rows, key=lambda row: (-round(row[1], _EQUAL_DIGITS), row[2]))]

    def frame(self, terms: Iterable[Term]) -> "Frame | None":
        """What documents of this index are weighed by; None when it has none. Cost: the documents with any term."""
        rows, tokens = self._totals()
        if not rows or not tokens:
            return None
        return Frame({term: rarity(rows, self.count_of(term)) for term in terms}, tokens / rows)

    def _framed(self, numbers: Iterable[int], frame: "Frame") -> dict[int, float]:
        """The scores that documents would have in the index that a frame is of: bm25 is solved for the frequency."""
        own = self.frame(frame.rarities)
        scores = dict.fromkeys(numbers, 0.0)
        if own is None:
            return scores
        for term in frame.rarities:
            for number, score in self._base.execute(_RANKED, (term.expression,)):
                if number in scores and score:
                    length = sum(_numbers_in(self._base.execute(_LENGTHS, (number,)).fetchone()[0]))
                    damping = own.damping(length)
                    left = max((_K1 + 1) * own.rarities[term] - score, _LEAST)
                    frequency = score * damping / left
                    most = (_K1 + 1) * frame.rarities[term]
                    scores[number] += most * frequency / (frequency + frame.damping(length))
        return scores

    def _totals(self) -> tuple[int, int]:
        """How many documents FTS5 counts with, and how many tokens all of them have."""
        found = self._base.execute("SELECT block FROM texts_data WHERE id = 1").fetchone()
        if found is not None and type(found[0]) is not bytes:
            raise sqlite3.DatabaseError("no index that was made here")
        rows, *tokens = [0] if found is None else _numbers_in(found[0]) or [0]
        return rows, sum(tokens)

    def _spread(self, query: Query, seen: set[str], factors: Mapping[Term, float] | None) -> Iterator[Match]:
        """Entries of several chunks that have all terms between them."""
        entries: dict[str, Match] | None = None
        for term in query.terms:
            factor = 1.0 if factors is None else factors[term]
            best: dict[str, Match] = {}
            for number, score in self._base.execute(_IN_MANY, (term.expression,)):
                found = self._document(number)
                if found is None or found[0] in seen or (entries is not None and found[0] not in entries):
                    continue
                if found[0] not in best or factor * score > best[found[0]].score:
                    best[found[0]] = Match(*found, factor * score, is_spread=True)
            if entries is not None:
                best = {id: _together(entries[id], match) for id, match in best.items()}
            entries = best
            if not entries:
                return
        assert entries is not None
        newest_first = list(entries.values())[::-1]  # they came by number
        yield from sorted(newest_first, key=lambda match: match.score, reverse=True)

    def ids_of(self, expression: str) -> Iterator[str]:
        """The entries that fit an expression, best first, an entry once for each of its chunks that do."""
        for number, _ in self._base.execute(_RANKED, (expression,)).fetchall():
            found = self._document(number)
            if found is not None:
                yield found[0]

    def count_of(self, term: Term) -> int:
        """How many documents have a term."""
        statement = "SELECT count(*) FROM texts WHERE texts MATCH ?"
        count: int = self._base.execute(statement, (term.expression,)).fetchone()[0]
        return count

    def row_count(self) -> int:
        """How many documents there are, waste too: what the ranking counts with. Cost: as `counts`, once."""
        if self._row_count is None:
            self._row_count = sum(self.counts())
        return self._row_count

    def _document(self, number: int) -> tuple[str, int] | None:
        found: tuple[str, int] | None = self._base.execute(
            "SELECT id, chunk FROM documents WHERE number = ?", (number,)
        ).fetchone()
        if found is not None and not (type(found[0]) is str and type(found[1]) is int):
            raise sqlite3.DatabaseError("no index that was made here")
        return found


def rarity(documents: int, with_term: int) -> float:
    """The inverse document frequency, as FTS5 has it."""
    return max(log((documents - with_term + 0.5) / (with_term + 0.5)), _RARITY_MIN)


def _numbers_in(block: bytes) -> list[int]:
    """The numbers of a block of FTS5: seven bits a byte, the highest first, the last byte below 128."""
    numbers, number = [], 0
    for byte in block:
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(number)
            number = 0
    return numbers


def begin(base: sqlite3.Connection, statement: str = "BEGIN") -> None:
    """Begin a transaction. One that an interrupt left open between its beginning and its end is rolled back first."""
    if base.in_transaction:
        base.execute("ROLLBACK")
    base.execute(statement)


def _together(one: Match, other: Match) -> Match:
    """An entry by two terms: the better chunk stands for it."""
    better = one if one.score >= other.score else other
    return Match(one.id, better.chunk, one.score + other.score, is_spread=True)


def _joined(first: Document, second: Document, rest: Iterator[Document]) -> Iterator[Document]:
    yield first
    yield second
    yield from rest
