"""Search by words, for a LangGraph store without embeddings: FTS5 over the texts of all items.

What is asked is a sentence more often than a list of words, so an item need not have all of them: the more it has, and
the rarer they are, the better it is (bm25). The names of fields count too, a sixth of what stands in them. Words of its
namespaces stand beside those of an item, so that a search costs the hits of the namespace it looks in.

Items that fit equally well come in the order in which they were put first, as without a query: the place of an item
stands in the index where a memory has the number of a chunk.

The index is that of the memory (`memory/following.py`): it follows the Backpack, is made anew where it is missing, and
stands in a file of its own beside a plain opened store. Which fields are searched is a matter of the store that asks
first; one with other fields begins an index of its own.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from backpack.integrations.langgraph.store_names import ITEMS, Namespace, scopes_of
from backpack.integrations.langgraph.store_records import unpacked_item
from backpack.integrations.langgraph.store_vectors import Indexing, as_json
from backpack.memory.documents import Document
from backpack.memory.following import Following
from backpack.memory.queries import Query, parsed
from backpack.memory.ranking import placed
from backpack.store.store import Backpack

_NAMESPACE: Final = "langgraph.store/"

_PLACES: Final = 1
"""An index without places, or with others, is made anew."""

Hit = tuple[str, float]
"""The name of an item, and its score: the higher, the better."""


class Words(Following):
    """The words of all items of one Backpack, by one choice of fields. Any number of threads may ask."""

    def __init__(self, bp: Backpack, indexing: Indexing) -> None:
        super().__init__(bp, ITEMS, _namespace(indexing))
        self._indexing = indexing

    def find(self, query: str, namespace: Namespace, is_wanted: Callable[[str], bool], count: int | None) -> list[Hit]:
        """The best so many items (None: all) that fit and are wanted, best first; among equals what was put first.

        `namespace`: only there and below is looked; so deep ones may be in the way that `is_wanted` has to refuse them.
        Cost: the items there that have any of the words. `SearchUnavailableError` when this Python has no FTS5.
        """
        scopes = scopes_of(namespace)
        wanted = parsed(query, wants_all=False, scope=scopes[-1] if scopes else None)
        if not wanted.terms:
            return []
        with self._lock:
            return self._asked(lambda: self._found(wanted, is_wanted, count))

    def _found(self, query: Query, is_wanted: Callable[[str], bool], count: int | None) -> list[Hit]:
        matches = placed(query, self._base(), self._hidden, self._recent)
        return list(islice(((one.id, one.score) for one in matches if is_wanted(one.id)), count))

    def _identity(self) -> dict[str, int | str]:
        return {**super()._identity(), "places": _PLACES}

    def _ids(self) -> Iterator[str]:
        start = len(ITEMS)
        return (key[start:] for key in self._bp._keys_below(ITEMS))

    def _documents(self, id: str) -> Iterator[Document] | None:
        content = self._bp._present_content(ITEMS + id)
        if content is None:
            return None
        record = unpacked_item(id, content)
        if record.index is False:
            return None
        names: list[str] = []
        texts: list[str] = []
        if record.index is None and self._indexing.is_whole:
            _gather(as_json(record.value), names, texts)
        else:
            texts += self._indexing.texts(record.value, record.index).values()
        return iter(
            (Document(id, record.place, "\n".join(texts), "", " ".join(scopes_of(record.namespace)), "\n".join(names)),)
        )


def words_of(bp: Backpack, indexing: Indexing) -> Words:
    """Those of a Backpack, by a choice of fields."""
    return bp._follow(f"words of {_namespace(indexing)}", lambda: Words(bp, indexing))


def _namespace(indexing: Indexing) -> str:
    return _NAMESPACE + "\0".join(indexing.fields)


def _gather(value: Any, names: list[str], texts: list[str]) -> None:
    """The names of all fields, and what stands in them."""
    if isinstance(value, dict):
        for name, one in value.items():
            names.append(name)
            _gather(one, names, texts)
    elif isinstance(value, list):
        for one in value:
            _gather(one, names, texts)
    elif value is not None and not isinstance(value, bool):
        texts.append(str(value))
