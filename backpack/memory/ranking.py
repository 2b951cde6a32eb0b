"""The hits of two indexes as one list: a large one, and a small one of what has changed since the large one was made.

bm25 weighs a term by how rare it is in its own index. In one of three documents nothing is rare, so what was logged
just now would always come last: the small index is ranked with the rarity that a term has in both together.
"""

from collections.abc import Collection, Iterator
from heapq import merge
from math import log
from typing import Final

from backpack.memory.queries import Query
from backpack.memory.search_index import Index, Match

_RARITY_MIN: Final = 1e-6


def ranked(query: Query, base: Index | None, hidden: Collection[str], recent: Index | None) -> Iterator[Match]:
    """Entries that fit, best first. What is hidden in the base stands in the recent index, or is gone."""
    if not query.terms:
        return iter(())
    if base is None or recent is None:
        one = base or recent
        return iter(()) if one is None else one.best(query, hidden)
    every, few = base.row_count(), recent.row_count()
    factors = {}
    for term in query.terms:
        count = recent.count_of(term)
        factors[term] = _rarity(every + few, base.count_of(term) + count) / _rarity(few, count)
    both = base.best(query, hidden), recent.best(query, (), factors)
    return merge(*both, key=lambda match: (match.is_spread, -match.score))


def _rarity(documents: int, with_term: int) -> float:
    """The inverse document frequency, as FTS5 has it."""
    return max(log((documents - with_term + 0.5) / (with_term + 0.5)), _RARITY_MIN)
