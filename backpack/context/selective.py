"""`selective` keeps calls and their results, errors, and what rules preserve; the rest becomes one summary.

What it keeps is wanted, not a must: when that leaves less than the limit, the oldest of it is summarized, too, until
what stays comes down to the target. So the newest stays longest.
"""

from collections import deque
from typing import Final

from backpack.context.groups import Group
from backpack.context.strategy import Plan, Request, preserving


class Selective:
    """Old talk to one summary, what was done and found stays."""

    name: Final = "selective"

    def plan(self, request: Request) -> Plan:
        """Keeps what `wanted` says as far as there is room. O(messages and their text)."""
        reasons = wanted(request)
        kept = deque(group for group in request.open if group in reasons)
        size = sum(map(request.cost, kept))
        rest = sum(map(request.cost, request.open)) - size
        fixed = request.protected_tokens
        if fixed + size + request.summary_of(rest) > request.limit_tokens:
            room = min(request.target_tokens, request.limit_tokens) - fixed
            while kept and size + request.summary_of(rest) > room:
                cost = request.cost(kept.popleft())
                size, rest = size - cost, rest + cost
        places = sorted(place for group in kept for place in group)
        staying = frozenset(places)
        return Plan(
            tuple(places),
            tuple(place for group in request.open for place in group if place not in staying),
            (),
            {place: reasons[group] for group in kept for place in group},
        )


def wanted(request: Request) -> dict[Group, str]:
    """The groups that are kept as long as there is room, and why."""
    reason_of = preserving(request.config.preserve)
    found: dict[Group, str] = {}
    for group in request.open:
        members = [request.views[place] for place in group]
        if request.config.preserve_tool_calls and any(one.calls or one.results for one in members):
            found[group] = "tool call"
        elif any(one.is_error for one in members):
            found[group] = "error"
        elif (reason := next(filter(None, map(reason_of, members)), None)) is not None:
            found[group] = reason
    return found
