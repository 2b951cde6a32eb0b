"""`auto` chooses, by what would be left:

1. `selective`, when calls, results, errors and what rules preserve leave it below half of the target: summarizing the
   talk is enough, and nothing of what was done has to go.
2. `deletion`, when what must stay leaves less room than a summary needs to say anything.
3. `sliding_window` else.
"""

from dataclasses import replace
from typing import Final

from backpack.context.deletion import Deletion
from backpack.context.selective import Selective, wanted
from backpack.context.sliding import SlidingWindow
from backpack.context.strategy import Plan, Request, Strategy

SUMMARY_TOKENS_MIN: Final = 64
"""Less than this says nothing."""


class Auto:
    """The strategy that fits what there is."""

    name: Final = "auto"

    def plan(self, request: Request) -> Plan:
        """The plan of the one chosen, which it names. O(messages and their text)."""
        chosen = self.choose(request)
        return replace(chosen.plan(request), strategy=chosen.name)

    def choose(self, request: Request) -> Strategy:
        """Which of the three."""
        fixed = request.protected_tokens
        if request.limit_tokens - fixed < SUMMARY_TOKENS_MIN:
            return Deletion()
        size = sum(map(request.cost, wanted(request)))
        rest = sum(map(request.cost, request.open)) - size
        if 2 * (fixed + size + request.summary_of(rest)) <= request.target_tokens:
            return Selective()
        return SlidingWindow()
