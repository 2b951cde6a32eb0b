"""Groups: an assistant message with calls and all that answers them stay together or go together.

A result belongs to the latest call before it that has its id and no answer yet; when all have one, to the latest of
them. A result without an id belongs to the group just before it. A result that finds no call stands alone, and so does
every other message. Messages of a group need not be neighbours: what stands between them is not of the group.
"""

from collections import defaultdict
from collections.abc import Sequence

from backpack.context.message import View

Group = tuple[int, ...]
"""The places of its messages, ascending."""


def groups(views: Sequence[View]) -> list[Group]:
    """The groups, by their first message; each place is in exactly one. O(messages and calls)."""
    parents = list(range(len(views)))
    waiting: defaultdict[str, list[int]] = defaultdict(list)
    latest: dict[str, int] = {}
    calling: set[int] = set()
    for place, one in enumerate(views):
        if place and views[place - 1].is_leading and one.role == "assistant":
            _join(parents, place - 1, place)
        for call in one.calls:
            waiting[call.id].append(place)
            latest[call.id] = place
            calling.add(place)
        for id in one.result_of:
            if not id:
                if place and (place - 1 in calling or views[place - 1].results):
                    _join(parents, place - 1, place)
            elif waiting[id]:
                _join(parents, waiting[id].pop(), place)
            elif id in latest:
                _join(parents, latest[id], place)
    members: defaultdict[int, list[int]] = defaultdict(list)
    for place in range(len(views)):
        members[_root(parents, place)].append(place)
    return sorted(tuple(places) for places in members.values())


def _root(parents: list[int], place: int) -> int:
    while parents[place] != place:
        parents[place] = parents[parents[place]]
        place = parents[place]
    return place


def _join(parents: list[int], one: int, other: int) -> None:
    first, second = sorted((_root(parents, one), _root(parents, other)))
    parents[second] = first
