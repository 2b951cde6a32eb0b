"""`sliding_window` keeps what must stay; all that is older becomes one summary."""

from typing import Final

from backpack.context.strategy import Plan, Request


class SlidingWindow:
    """Old messages to one summary."""

    name: Final = "sliding_window"

    def plan(self, request: Request) -> Plan:
        """All that may go is summarized. O(messages)."""
        return Plan((), tuple(place for group in request.open for place in group), ())
