"""What may be spent, and what happens when it is."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from backpack.context.cost import amount, picodollars_in
from backpack.errors import InvalidArgumentError


class BudgetWarning(UserWarning):
    """More is spent than the budget has."""


@dataclass(frozen=True, slots=True, init=False)
class Budget:
    """A limit in USD: beyond it a warning, once a crossing, or a refusal before the call that would cross it."""

    limit_usd: Decimal
    on_exceed: Literal["warn", "refuse"]

    def __init__(self, limit_usd: Decimal | float | str, on_exceed: Literal["warn", "refuse"] = "warn") -> None:
        if on_exceed not in ("warn", "refuse"):
            raise InvalidArgumentError("on_exceed is 'warn' or 'refuse'")
        object.__setattr__(self, "limit_usd", amount(limit_usd, "the limit of a budget"))
        object.__setattr__(self, "on_exceed", on_exceed)

    @property
    def picodollars(self) -> int:
        """The limit in whole picodollars."""
        return picodollars_in(self.limit_usd, "the limit of a budget")


def budget_of(given: "Budget | float | None") -> Budget | None:
    """What a caller gives as a budget: a `Budget`, or an amount in USD to be warned at."""
    return given if given is None or isinstance(given, Budget) else Budget(given)
