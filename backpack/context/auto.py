"""`auto` chooses, by what would be left:

1. `selective`, when calls, results, errors and what rules preserve leave it below half of the target: summarizing the
   talk is enough, and nothing of what was done has to go.
2. `sliding_window` else.

Never `deletion`: of what goes something can always be said, and where what stays takes all the room, `compressing.py`
keeps a minimum free for it.
"""

from dataclasses import replace
from typing import Final

from backpack.context.selective import Selective, wanted
from backpack.context.sliding import SlidingWindow
from backpack.context.strategy import Plan, Request, Strategy


class Auto:
    """The strategy that fits what there is."""

    name: Final = "auto"

    def plan(self, request: Request) -> Plan:
        """The plan of the one chosen, which it names. O(messages and their text)."""
        chosen = self.choose(request)
        return replace(chosen.plan(request), strategy=chosen.name)

    def choose(self, request: Request) -> Strategy:
        """Which of the two."""
        fixed = request.protected_tokens
        size = sum(map(request.cost, wanted(request)))
        rest = sum(map(request.cost, request.open)) - size
        if 2 * (fixed + size + request.summary_of(rest)) <= request.target_tokens:
            return Selective()
        return SlidingWindow()
