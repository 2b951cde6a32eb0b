"""Which of the items that may be returned are, and in what order: the rules of `InMemoryStore` for vectors."""

from collections.abc import Sequence
from operator import itemgetter

from langgraph.store.base import SearchItem

from backpack.integrations.langgraph.store_records import Record, Vector
from backpack.integrations.langgraph.store_vectors import scores


def nearest(
    query: Sequence[float], candidates: Sequence[tuple[Record, list[Vector]]], offset: int, limit: int
) -> list[SearchItem]:
    """Items by the best of their vectors, from `offset` on; those without any fill up what is left of `limit`.

    Of items that are equally near the one that was put first comes first.
    """
    owners = [number for number, (_, vectors) in enumerate(candidates) for _ in vectors]
    found = scores(query, [vector for _, vectors in candidates for vector in vectors])
    best: dict[int, float] = {}
    for owner, score in sorted(zip(owners, found, strict=True), key=itemgetter(1), reverse=True):
        best.setdefault(owner, score)
    scored = list(best.items())[max(offset, 0) : max(offset + limit, 0)]
    left = limit - len(scored)
    others = [record for record, vectors in candidates if not vectors][: max(left, 0)]
    return [candidates[owner][0].hit(score) for owner, score in scored] + [record.hit() for record in others]
