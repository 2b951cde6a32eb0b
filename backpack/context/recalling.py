"""Finding messages again that the context has no more: a full-text index in memory, by SQLite's FTS5.

It is made when somebody asks first, of the messages that are out of the context then, and grows by those that left it
since. A message that came back (by a restore) is found no more; when the conversation was read anew, so is the index.
"""

from collections.abc import Iterable
from threading import RLock
from typing import Any

from backpack.codec import unpack_value
from backpack.context.following import Following
from backpack.context.message import View, view
from backpack.context.present import Part, messages_of
from backpack.context.storable import PLAIN
from backpack.memory.documents import Document
from backpack.memory.queries import Query, parsed
from backpack.memory.search_index import Index
from backpack.store.names import checked_limit


class Recalling:
    """The search of one conversation."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self._lock = RLock()
        self._index: Index | None = None
        self._generation = -1
        self._known: set[int] = set()

    def recall(self, query: str, limit: int | None) -> list[Any]:
        """The messages that fit, best first."""
        checked_limit(limit)
        wanted = parsed(query)
        following = self._following
        with self._lock:
            with following.lock:
                following.keep_up()
                shown = following.present.shown()
                gone = [place for place in range(following.present.count) if place not in shown]
                generation = following.generation
                fresh = gone if generation != self._generation else [one for one in gone if one not in self._known]
                packed = following.originals(fresh) if wanted.terms else {}
            if not wanted.terms or limit == 0:
                return []
            self._keep_up(generation, packed)
            places = self._found(wanted, set(gone), limit)
            with following.lock:
                found = following.originals(places)
                kinds = following.present.kinds
                parts = [Part(place, found[place], 0, kinds.get(place, PLAIN)) for place in places if place in found]
        return messages_of(parts)

    def close(self) -> None:
        """Let the index go; who asks again has another one made. Idempotent."""
        with self._lock:
            if self._index is not None:
                self._index.close()
            self._index, self._known = None, set()
            self._generation = -1

    def _keep_up(self, generation: int, packed: dict[int, bytes]) -> None:
        if generation != self._generation or self._index is None:
            if self._index is not None:
                self._index.close()
            self._index, self._known, self._generation = Index(), set(), generation
        with self._index.transaction():
            self._index.add(_documents(place, packed[place]) for place in sorted(packed))
        self._known.update(packed)

    def _found(self, query: Query, gone: set[int], limit: int | None) -> list[int]:
        """The places of those that fit: first those that have all words, then those that have some."""
        assert self._index is not None
        found: dict[int, None] = {}
        for expression in (query.all_of, query.any_of):
            for id in self._index.ids_of(expression):
                if int(id) in gone:
                    found.setdefault(int(id))
                    if len(found) == limit:
                        return list(found)
        return list(found)


def _documents(place: int, packed: bytes) -> Iterable[Document]:
    return iter((Document(str(place), 0, "", "", "", _searched(view(unpack_value(packed)))),))


def _searched(one: View) -> str:
    """What is searched of a message: what it says, and what it calls."""
    return "\n".join((one.text, *(f"{call.name} {call.arguments}" for call in one.calls)))
