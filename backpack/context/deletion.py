"""`deletion` keeps what must stay; all that is older goes, and one line says that it did."""

from typing import Final

from backpack.context.strategy import Plan, Request


class Deletion:
    """Old messages go. They stay in the store: what goes is only not sent any more."""

    name: Final = "deletion"

    def plan(self, request: Request) -> Plan:
        """All that may go is dropped. O(messages)."""
        return Plan((), (), tuple(place for group in request.open for place in group))
