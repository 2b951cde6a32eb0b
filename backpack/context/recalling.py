"""Finding messages again that the context has no more: a full-text index in memory, by SQLite's FTS5.

It is made when somebody asks first, of the messages that are out of the context then, and grows by those that left it
since. What is read of the store is of one moment: where somebody restored another one meanwhile all is looked at again.
A message that came back (by a restore) is found no more; when the conversation was read anew, so is the index.
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
        with self._lock:
            found = None if wanted.terms and limit != 0 else self._nothing()
            while found is None:
                found = self._looked(wanted, limit)
        return messages_of(found)

    def _nothing(self) -> list[Part]:
        with self._following.lock:
            self._following.keep_up()  # which may say why there is nothing to look into
        return []

    def _looked(self, wanted: Query, limit: int | None) -> list[Part] | None:
        """The messages that fit; None when the store had others before they were read."""
        following = self._following
        with following.lock:
            following.keep_up()
            generation = following.generation
            shown = following.present.shown()
            gone = [place for place in range(following.present.count) if place not in shown]
            fresh = gone if generation != self._generation else [one for one in gone if one not in self._known]
            packed = self._read(fresh, generation)
        if packed is None:
            return None
        self._keep_up(generation, packed)
        places = self._found(wanted, set(gone), limit)
        with following.lock:
            found = self._read(places, generation)
            if found is None:
                return None
            kinds = following.present.kinds
            return [Part(place, found[place], 0, kinds.get(place, PLAIN)) for place in places if place in found]

    def _read(self, places: list[int], generation: int) -> dict[int, bytes] | None:
        """The packed messages that these places meant in a generation; None when others stand there. Wants the lock of
        what is followed."""
        following = self._following
        if following.generation != generation:
            return None
        found = following.originals(places)
        return None if len(found) < len(places) and not following.is_current else found

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
