"""The results of tools within one turn share one budget of tokens.

Within it nothing changes. Above it:

1. the results become items (`items.py`); of items that say the same the first place stays, with the best score;
2. items are ranked: by score within their result, results taking turns;
3. from the top each item gets all that it needs as long as those below still get the floor; so the lowest ranks are
   shortened first. Where the floor is too much for all it is less, down to `ITEM_MIN`; where even that is, the lowest
   ranks are left out;
4. the whole of each result that changed is offloaded, and the result says where it is.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from backpack.context.items import Item, Parsed, parse, shortened, size_of

ITEM_MIN: Final = 24
"""Tokens below which an item says nothing."""

_MARKER: Final = 48
"""Tokens that a marker is expected to have; when it has more it is done again with less room."""

_ROUNDS: Final = 4

Count = Callable[[str], int]
Offload = Callable[[str], str]
Place = tuple[int, int]
"""Of an item: which result, and where in it."""


def compact_results(
    texts: Sequence[str], budget_tokens: int, count: Count, *, floor_tokens: int = 300, offload: Offload | None = None
) -> list[str]:
    """The results, in order, of at most `budget_tokens` together; the same ones when they are that already.

    `offload` stores a text and returns what names it; it is called at most once for each result that changes, and what
    it raises is raised. Without it a result says that there was more. Only where the names alone are more than the
    budget it is exceeded. O(size log size).
    """
    sizes = [count(text) for text in texts]
    if sum(sizes) <= budget_tokens:
        return list(texts)
    turn = _Turn(texts, sizes, count, floor_tokens, offload)
    room = budget_tokens
    for _ in range(_ROUNDS):
        made = turn.compacted(room)
        over = sum(map(count, made)) - budget_tokens
        if over <= 0 or room <= 0:
            return made
        room -= over
    return turn.compacted(0)


class _Turn:
    """The results of one turn, parsed and ranked once."""

    __slots__ = (
        "_count",
        "_floor",
        "_lossy",
        "_markers",
        "_offload",
        "_order",
        "_parsed",
        "_sizes",
        "_staying",
        "_texts",
    )

    def __init__(
        self, texts: Sequence[str], sizes: Sequence[int], count: Count, floor: int, offload: Offload | None
    ) -> None:
        self._texts = texts
        self._sizes = sizes
        self._count = count
        self._floor = floor
        self._offload = offload
        self._markers: dict[int, str] = {}
        self._parsed = [parse(text) for text in texts]
        self._staying, self._lossy = _merged(self._parsed)
        self._order = _ranked(self._parsed, self._staying)

    def compacted(self, room: int) -> list[str]:
        """All results; those with room for them as they are."""
        forms = [parsed.form for parsed in self._parsed]
        costs = {place: size_of(self._staying[place].value, forms[place[0]], self._count) for place in self._order}
        frames = sum(self._count(parsed.written((), "")) + _MARKER for parsed in self._parsed)
        shares = _shared([costs[place] for place in self._order], room - frames, self._floor)
        taken: dict[Place, Any] = {}
        for place, share in zip(self._order, shares, strict=True):
            if share:
                taken[place] = shortened(self._staying[place].value, forms[place[0]], share, self._count)
        return [self._written(number, taken) for number in range(len(self._texts))]

    def _written(self, number: int, taken: dict[Place, Any]) -> str:
        parsed = self._parsed[number]
        places = [(number, at) for at in range(len(parsed.items))]
        values = [taken[place] for place in places if place in taken]
        if values == [item.value for item in parsed.items]:
            return self._texts[number]
        staying = [self._staying[place].value for place in places if place in self._staying]
        if values == staying and values and number not in self._lossy:
            return parsed.written(values, "")
        marker = self._marker(number, len(staying) - len(values))
        made = parsed.written(values, marker)
        return made if self._count(made) < self._sizes[number] else self._texts[number]

    def _marker(self, number: int, left_out: int) -> str:
        if self._offload is None:
            return f"[{left_out} left out, others shortened]" if left_out else "[shortened]"
        if number not in self._markers:
            self._markers[number] = self._offload(self._texts[number])
        return self._markers[number]


def _merged(results: Sequence[Parsed]) -> tuple[dict[Place, Item], set[int]]:
    """The items that stay: of those that say the same the first place, with the best score. And the results of which
    something went that isn't said by what stays."""
    first: dict[str, Place] = {}
    staying: dict[Place, Item] = {}
    lossy: set[int] = set()
    for number, parsed in enumerate(results):
        for at, item in enumerate(parsed.items):
            place = first.setdefault(item.identity, (number, at))
            if place not in staying:
                staying[place] = item
                continue
            known = staying[place]
            if _is_better(item.score, known.score):
                staying[place] = item
            if not known.says_all_of(item):
                lossy.add(place[0] if staying[place] is item else number)
    return staying, lossy


def _is_better(one: float | None, other: float | None) -> bool:
    return one is not None and (other is None or one > other)


def _ranked(results: Sequence[Parsed], staying: dict[Place, Item]) -> list[Place]:
    """The places by rank: within a result by score, results taking turns."""
    ranked: list[tuple[int, int, int]] = []
    for number, parsed in enumerate(results):
        there = [at for at in range(len(parsed.items)) if (number, at) in staying]
        scores = {at: staying[number, at].score for at in there}
        there.sort(key=lambda at: (scores[at] is None, -(scores[at] or 0.0), at))
        ranked += [(rank, number, at) for rank, at in enumerate(there)]
    return [(number, at) for _, number, at in sorted(ranked)]


def _shared(costs: Sequence[int], room: int, floor: int) -> list[int]:
    """What each item gets, by rank; 0 is left out."""
    if not costs or room < ITEM_MIN:
        return [0] * len(costs)
    least = floor
    if sum(min(cost, least) for cost in costs) > room:
        least = max(ITEM_MIN, room // len(costs))
    staying = len(costs)
    below = sum(min(cost, least) for cost in costs)
    while below > room:
        staying -= 1
        below -= min(costs[staying], least)
    shares = []
    for cost in costs[:staying]:
        below -= min(cost, least)
        share = min(cost, room - below)
        room -= share
        shares.append(share)
    return [*shares, *[0] * (len(costs) - staying)]
