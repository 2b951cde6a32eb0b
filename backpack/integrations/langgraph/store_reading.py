"""What the reads of a batch return.

Whatever is expired is as good as gone, swept or not. Every value is a fresh copy.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from langgraph.store.base import GetOp, Item, ListNamespacesOp, Result, SearchItem, SearchOp

from backpack.integrations.langgraph.store_batches import Batch, listed, literal_prefix
from backpack.integrations.langgraph.store_catalog import Catalog
from backpack.integrations.langgraph.store_filters import fits
from backpack.integrations.langgraph.store_names import VECTORS, name_of, shelf_of
from backpack.integrations.langgraph.store_ranking import nearest
from backpack.integrations.langgraph.store_records import Record, unpacked_vectors
from backpack.integrations.langgraph.store_words import Words

_AT_ONCE = 256
_COUNT_MAX = 1 << 48
"""More items than there can be: what counts to there takes no larger number than the machine has."""


class Reading:
    """The reads of one batch at one time."""

    def __init__(self, catalog: Catalog, now_us: int, vectors: Mapping[str, Sequence[float]] | None) -> None:
        """`vectors`: of the queries; None where they are looked for by words."""
        self._catalog = catalog
        self._now_us = now_us
        self._vectors = vectors
        self.refreshed: list[str] = []
        """The items whose time to live begins anew, by their names."""

    def results(self, batch: Batch, words: Words | None) -> list[Result]:
        """One for each operation; None for puts."""
        results: list[Result] = [None] * batch.count
        with self._catalog.lock:
            self._catalog.keep_up()
            for number, get in batch.gets:
                results[number] = self._got(get)
            for number, listing in batch.listings:
                results[number] = self._listed(listing)
        for number, search in batch.searches:
            results[number] = self._found(search, words)
        return results

    def _got(self, op: GetOp) -> Item | None:
        namespace, key = tuple(op.namespace), str(op.key)
        name = name_of(shelf_of(namespace), key)
        if self._catalog.expiries.is_over(name, self._now_us):
            return None
        record = self._catalog.record(name, namespace, key)
        if record is None:
            return None
        if op.refresh_ttl:
            self.refreshed.append(name)
        return record.item()

    def _listed(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        return listed(self._catalog.namespaces_below(literal_prefix(op), self._now_us), op)

    def _found(self, op: SearchOp, words: Words | None) -> list[SearchItem]:
        op = op._replace(limit=min(op.limit, _COUNT_MAX), offset=min(op.offset, _COUNT_MAX))
        vector = self._vectors.get(op.query) if op.query and self._vectors is not None else None
        if vector is not None:
            hits = self._by_vector(op, vector)
        elif op.query and words is not None:
            hits = self._by_words(op, op.query, words)
        else:
            hits = [record.hit() for record in self._paged(op)]
        if op.refresh_ttl:
            self.refreshed += [name_of(shelf_of(hit.namespace), hit.key) for hit in hits]
        return hits

    def _paged(self, op: SearchOp) -> list[Record]:
        """One page of the items that fit, in their order. Cost: the items up to there, where there is a filter."""
        if min(op.offset, op.limit) < 0:  # a slice counts them from the end
            found = list(self._fitting(op, self._names(op)))[op.offset : op.offset + op.limit]
        elif not op.filter:
            found = list(self._fitting(op, self._names(op)[op.offset :]))
        else:
            found = list(islice(self._fitting(op, self._names(op)), op.offset, op.offset + op.limit))
        return [record for _, record in found]

    def _by_vector(self, op: SearchOp, vector: Sequence[float]) -> list[SearchItem]:
        """Cost: the vectors of all items there, and with a filter their values; without one those that are returned."""
        names = self._names(op)
        if op.filter:
            names = [name for name, _ in self._fitting(op, names)]
        contents = self._catalog.contents(VECTORS, names)
        items = [
            [] if content is None else unpacked_vectors(name, content)
            for name, content in zip(names, contents, strict=True)
        ]
        ranked = nearest(vector, items, op.offset, op.limit)
        records = self._catalog.records([names[number] for number, _ in ranked])
        return [record.hit(score) for (_, score), record in zip(ranked, records, strict=True) if record is not None]

    def _by_words(self, op: SearchOp, query: str, words: Words) -> list[SearchItem]:
        namespace = tuple(op.namespace_prefix)
        found: dict[str, Record] = {}

        def is_wanted(name: str) -> bool:
            with self._catalog.lock:
                if self._catalog.expiries.is_over(name, self._now_us):
                    return False
            for _, record in self._catalog.fitting([name], lambda value: fits(value, op.filter)):
                if record.namespace[: len(namespace)] == namespace:
                    found[name] = record
            return name in found

        is_page = min(op.offset, op.limit) >= 0
        hits = words.find(query, namespace, is_wanted, op.offset + op.limit if is_page else None)
        return [found[name].hit(score) for name, score in hits[op.offset : op.offset + op.limit]]

    def _names(self, op: SearchOp) -> list[str]:
        """The items below a namespace, in their order."""
        is_over = self._catalog.expiries.is_over
        with self._catalog.lock:
            self._catalog.keep_up()
            names = self._catalog.names_below(tuple(op.namespace_prefix))
            live = (name for name in names if not is_over(name, self._now_us))
            is_first_page = not op.filter and not op.query and min(op.offset, op.limit) >= 0
            return list(islice(live, op.offset + op.limit if is_first_page else None))

    def _fitting(self, op: SearchOp, names: Iterable[str]) -> Iterator[tuple[str, Record]]:
        """Those of the items that are there still and fit, in the same order, with their names."""
        iterator = iter(names)
        while some := list(islice(iterator, _AT_ONCE)):
            yield from self._catalog.fitting(some, lambda value: fits(value, op.filter))
