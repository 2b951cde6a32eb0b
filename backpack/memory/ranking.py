"""The hits of two indexes as one list: a large one, and a small one of what has changed since the large one was made.

bm25 weighs a term by how rare it is in its own index. In one of three documents nothing is rare, so what was logged
just now would always come last: the small index is ranked with the rarity that a term has in both together.
"""

from collections.abc import Collection, Iterator
from heapq import merge

from backpack.memory.queries import Query
from backpack.memory.search_index import Index, Match, rarity


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
        factors[term] = rarity(every + few, base.count_of(term) + count) / rarity(few, count)
    both = base.best(query, hidden), recent.best(query, (), factors)
    return merge(*both, key=lambda match: (match.is_spread, -match.score))


def placed(query: Query, base: Index | None, hidden: Collection[str], recent: Index | None) -> Iterator[Match]:
    """The same of entries of one document each, whose chunk is a place: among equals the lower comes first.

    The order is the same however entries are shared out to the two: the small index is weighed as the large one is.
    """
    if not query.terms:
        return iter(())
    frame = None if base is None else base.frame(query.terms)
    found = [one.placed(query, out, by) for one, out, by in ((base, hidden, None), (recent, (), frame)) if one]
    return merge(*found, key=lambda match: (match.rank, match.chunk))
