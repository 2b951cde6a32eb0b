"""What a conversation costs: tokens counted before a call, usage and money recorded after it.

Counting is additive: a message costs what its own text costs, so whoever keeps the counts of messages adds one and
never counts again. What a call really used replaces the estimate: `record` takes the response, or its usage, of any
provider.

>>> tracker = TokenTracker("gpt-4o", prices={"gpt-4o": {"input": 2.5, "output": 10, "cached_input": 1.25}})
>>> usage = {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 400}}
>>> print(tracker.record(usage).usd)
0.003
>>> tracker.totals.input, tracker.totals.cached
(1000, 400)
"""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from logging import getLogger
from threading import Lock
from typing import Any, Final

from backpack.context.budget import Budget, BudgetWarning, budget_of
from backpack.context.cost import Cost, Price, picodollars_in, picodollars_of, usd_of
from backpack.context.counting import Counter, checked_text, counter_for, counter_of
from backpack.context.definitions import NEWER, OLDER, tools_tokens
from backpack.context.framing import REPLY_TOKENS, message_tokens
from backpack.context.models import model_of
from backpack.context.names import NAME_LENGTH_MAX, checked_name
from backpack.context.prices import Prices, has_published_prices
from backpack.context.totals import Key, Row, Totals, add_to, row_of, rows_in, totals_of
from backpack.context.usage import Usage, model_in, usage_of
from backpack.errors import BudgetExceededError, CorruptionError, InvalidArgumentError
from backpack.memory.clock import now
from backpack.store.names import checked_callable

_logger: Final = getLogger("backpack.context")


class TokenTracker:
    """Counts tokens for one model, and keeps what calls have used and cost. Safe in several threads."""

    def __init__(
        self,
        model: str = "gpt-4o",
        *,
        counter: Counter | Callable[[str], int] | None = None,
        prices: Mapping[str, Price | Mapping[str, Any]] | None = None,
        budget: Budget | float | None = None,
        clock: Callable[[], float] = now,
    ) -> None:
        """A tracker for the model of that name. The tables of an exact counter are loaded when something is counted.

        counter -- counts instead of the model's own: a `Counter`, or a function of a text
        prices -- own prices by name of model, USD for a million tokens: input, output, cached_input, cache_write
        budget -- a `Budget`, or USD to be warned at
        clock -- seconds since 1970: some published prices differ by the hour
        """
        self._known = model_of(model)
        self._counter = None if counter is None else counter_of(counter)
        self._prices = Prices(prices)
        self._budget = budget_of(budget)
        self._clock = checked_callable("clock", clock)
        self._rows: dict[Key, Row] = {}
        """What was recorded here."""
        self._kept: dict[Key, Row] = {}
        """What is kept elsewhere, too, and comes from there again."""
        self._spent = 0
        self._warned_at: int | None = None
        self._guessed: set[str] = set()
        self._lock = Lock()

    @property
    def model(self) -> str:
        """The name of the model, as it was given."""
        return self._known.name

    @property
    def window(self) -> int:
        """Tokens in the window of the model; of an unknown model 128,000."""
        return self._known.window

    @property
    def counter(self) -> Counter:
        """What counts: its `name`, and whether it `is_exact`."""
        if self._counter is None:
            self._counter = counter_for(self._known)
        return self._counter

    @property
    def budget(self) -> Budget | None:
        """What may be spent. Another one may be set at any time; what is spent stays."""
        return self._budget

    @budget.setter
    def budget(self, budget: Budget | float | None) -> None:
        self._budget = budget_of(budget)

    # -- counting --------------------------------------------------------------------------------------------

    def count_text(self, text: str) -> int:
        """Tokens of a text. O(its length)."""
        return self.counter.count(checked_text(text))

    def count_message(self, message: Any) -> int:
        """Tokens of one message of any shape: texts, calls, results, and what stands around a message."""
        return message_tokens(message, self.counter.count)

    def count_messages(self, messages: Iterable[Any]) -> int:
        """Tokens of a prompt: its messages, and what the reply is primed with."""
        if isinstance(messages, str | bytes | Mapping) or not isinstance(messages, Iterable):
            raise InvalidArgumentError(f"messages are a list of messages: type={type(messages).__name__}")
        return REPLY_TOKENS + sum(self.count_message(message) for message in messages)

    def count_tools(self, tools: Sequence[Any]) -> int:
        """Tokens of the definitions of tools, which go with every call."""
        return tools_tokens(tools, self.counter.count, OLDER if self._known.encoding == "cl100k_base" else NEWER)

    # -- money -----------------------------------------------------------------------------------------------

    def cost_of(self, usage: Any, *, output: int = 0, model: str | None = None) -> Cost:
        """What a usage costs, or so many tokens of input and of output. Records nothing. About 0.2 ms.

        >>> cost = TokenTracker("mine").cost_of(1_000_000)
        >>> print(cost.usd, cost.is_default_price)
        3.00 True
        """
        if isinstance(usage, int):
            return self._cost(Usage(usage, output), self._names(None, model))
        if output != 0 or isinstance(output, bool):
            raise InvalidArgumentError("output goes with a number of tokens of input: a usage says its own")
        return self._cost(usage_of(usage), self._names(usage, model))

    def record(self, usage: Any, *, purpose: str = "call", model: str | None = None) -> Cost:
        """Record what a call has used, which a response of any provider says, or its usage alone. Gives what it cost.

        model -- who answered, where it isn't the tracker's model and the response doesn't say it
        Raises UsageError for a usage that can't be, and then records nothing of it.
        """
        cost = self._cost(usage_of(usage), self._names(usage, model))
        self.record_cost(cost, purpose=purpose)
        return cost

    def record_cost(self, cost: Cost, *, purpose: str = "call", is_kept: bool = False) -> None:
        """Record a call whose cost is known already: what `cost_of` gave. O(1).

        is_kept -- it stands in a store as well, whose rows `resume` brings
        """
        if not isinstance(cost, Cost):
            raise InvalidArgumentError(f"a cost is what cost_of gave: type={type(cost).__name__}")
        if not isinstance(purpose, str) or not 0 < len(purpose) <= NAME_LENGTH_MAX:
            raise InvalidArgumentError(f"a purpose is a str of 1 to {NAME_LENGTH_MAX} characters")
        with self._lock:
            key = (purpose, cost.model)
            add_to(self._kept if is_kept else self._rows, key, row_of(cost))
            self._spent += cost.picodollars
        self._tell_guess(cost)
        self._warn(0)

    def check(self, estimate: Cost | Decimal | float = 0) -> None:
        """Ask the budget before a call that will cost so much, in USD.

        Raises BudgetExceededError when the budget refuses; nothing that is recorded changes. A budget that warns does
        so once a crossing.
        """
        more = estimate.picodollars if isinstance(estimate, Cost) else picodollars_in(estimate, "an estimate")
        budget = self._budget
        if budget is not None and budget.on_exceed == "refuse" and self._spent + more > budget.picodollars:
            spent, estimated = usd_of(self._spent), usd_of(more)
            raise BudgetExceededError(
                f"the call would cost more than the budget has left, so don't make it or raise the budget: "
                f"spent={spent:.6f}, estimate={estimated:.6f}, limit={budget.limit_usd} USD",
                spent=spent,
                estimate=estimated,
                limit=budget.limit_usd,
            )
        self._warn(more)

    @property
    def totals(self) -> Totals:
        """What was recorded, added up: all, `by_purpose`, `by_model`. O(purposes * models)."""
        with self._lock:
            rows = self._all()
        return totals_of(rows)

    # -- keeping ---------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What `from_state` needs to go on, as plain values that a store takes. A row for each purpose and model."""
        with self._lock:
            rows = [[*key, *row] for key, row in self._all().items()]
            return {"model": self.model, "rows": rows, "warned_at": self._warned_at}

    @classmethod
    def from_state(cls, state: Any, **settings: Any) -> "TokenTracker":
        """A tracker that goes on where `state` was taken. The settings are those of a new one, `model=` among them.

        Raises CorruptionError for what is no state.
        """
        if not isinstance(state, Mapping):
            raise CorruptionError("a stored tracker of tokens is not what was written")
        warned_at = state.get("warned_at")
        try:
            model = checked_name(state.get("model"))
        except InvalidArgumentError:
            raise CorruptionError("the model of a stored tracker of tokens is not what was written") from None
        if warned_at is not None and (type(warned_at) is not int or warned_at < 0):
            raise CorruptionError("the budget of a stored tracker of tokens is not what was written")
        rows = rows_in(state.get("rows"))
        tracker = cls(**{"model": model, **settings})
        tracker._rows = rows
        tracker._spent = totals_of(rows).picodollars
        tracker._warned_at = warned_at
        return tracker

    def resume(self, rows: Mapping[Key, Row]) -> None:
        """Have these in place of what was recorded as kept: a store says what its calls took. O(rows).

        The budget, what it has warned of, and what was recorded otherwise stay.
        """
        if not isinstance(rows, Mapping):
            raise InvalidArgumentError(f"rows are a mapping of purpose and model: type={type(rows).__name__}")
        with self._lock:
            self._kept = dict(rows)
            self._spent = totals_of(self._all()).picodollars

    def _all(self) -> dict[Key, Row]:
        """All rows. Wants the lock."""
        rows = dict(self._kept)
        for key, row in self._rows.items():
            add_to(rows, key, row)
        return rows

    def _cost(self, used: Usage, names: tuple[str, ...]) -> Cost:
        found = self._prices.find(names, used, datetime.fromtimestamp(self._clock(), UTC))
        return Cost(picodollars_of(used, found.price), used, names[0], found.price, found.matched, found.source)

    def _names(self, usage: Any, model: str | None) -> tuple[str, ...]:
        """What the model that answered is called, the best name first."""
        if model is not None:
            return (checked_name(model),)
        said = model_in(usage)
        if said is None or said == self.model or len(said) > NAME_LENGTH_MAX or not said.isprintable():
            return (self.model,)
        return (said, self.model)

    def _warn(self, more: int) -> None:
        """Say that the budget is crossed, if it is and nobody said it yet."""
        budget = self._budget
        if budget is None or budget.on_exceed != "warn":
            return
        with self._lock:
            limit, spent = budget.picodollars, self._spent
            is_crossed = spent + more > limit and self._warned_at != limit
            if is_crossed:
                self._warned_at = limit
        if is_crossed:
            what = "this call would cross" if spent <= limit else "more is spent than"
            warnings.warn(
                f"{what} the budget: spent={usd_of(spent):.6f}, limit={budget.limit_usd} USD",
                BudgetWarning,
                stacklevel=3,
            )

    def _tell_guess(self, cost: Cost) -> None:
        """Say, once a model, that its cost is a guess."""
        if not cost.is_default_price or cost.model in self._guessed:
            return
        self._guessed.add(cost.model)
        advice = "" if has_published_prices() else ", or pip install 'backpack-state[prices]'"
        _logger.warning(
            "no price is known for model=%r: its cost is a guess by the default price of USD %s and %s for a million "
            "tokens of input and output; give prices={...}%s",
            cost.model,
            cost.price.input,
            cost.price.output,
            advice,
        )
