"""Which of the items that may be returned are, and in what order: the rules of `InMemoryStore` for vectors."""

from collections.abc import Sequence
from operator import itemgetter

from backpack.integrations.langgraph.store_records import Vector
from backpack.integrations.langgraph.store_vectors import scores


def nearest(
    query: Sequence[float], items: Sequence[Sequence[Vector]], offset: int, limit: int
) -> list[tuple[int, float | None]]:
    """The numbers of items, given by their vectors, and their scores: by the best of their vectors, from `offset` on.

    Items without any, whose score is None, fill up what is left of `limit`. Of items that are equally near the earlier
    one comes first.
    """
    owners = [number for number, vectors in enumerate(items) for _ in vectors]
    found = scores(query, [vector for vectors in items for vector in vectors])
    best: dict[int, float] = {}
    for owner, score in sorted(zip(owners, found, strict=True), key=itemgetter(1), reverse=True):
        best.setdefault(owner, score)
    ranked: list[tuple[int, float | None]] = [(owner, score) for owner, score in best.items()]
    scored = ranked[max(offset, 0) : max(offset + limit, 0)]
    left = max(limit - len(scored), 0)
    others = [number for number, vectors in enumerate(items) if not vectors] if left else []
    return scored + [(number, None) for number in others[:left]]
