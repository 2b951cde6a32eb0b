"""What a call costs: prices per million tokens, amounts in whole picodollars.

A price of USD 0.000001 per million tokens makes one token cost one picodollar (1e-12 USD); real prices have at most six
decimals. So amounts are integers, sums of any length are exact, and nothing drifts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, Final, Literal

from backpack.context.usage import Usage
from backpack.errors import InvalidArgumentError

PICODOLLARS: Final = 10**12
"""In a dollar."""

PRICE_MAX: Final = Decimal(1_000_000)
"""USD for a million tokens: a dollar a token. More is a price in another unit."""

_TEN_CENTS: Final = Decimal("0.1")

Source = Literal["own", "genai-prices", "default"]


Number = Decimal | float | str
"""An amount as callers write it; a float is taken as its numeral, so 0.1 is 0.1."""


@dataclass(frozen=True, slots=True, init=False)
class Price:
    """USD for a million tokens. Cached and written tokens without a price of their own cost what input does."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None
    cache_write: Decimal | None

    def __init__(
        self, input: Number, output: Number, cached_input: Number | None = None, cache_write: Number | None = None
    ) -> None:
        given = {"input": input, "output": output, "cached_input": cached_input, "cache_write": cache_write}
        for field, number in given.items():
            is_left_out = number is None and field in ("cached_input", "cache_write")
            object.__setattr__(self, field, None if is_left_out else _checked(number, field))


@dataclass(frozen=True, slots=True)
class Cost:
    """What some tokens cost, and by which price. Exact."""

    picodollars: int
    usage: Usage
    model: str
    """The model that was asked for."""
    price: Price
    matched: str
    """The name under which the price was found; empty for the default price."""
    source: Source

    @property
    def usd(self) -> Decimal:
        """The amount in USD."""
        return usd_of(self.picodollars)

    @property
    def is_default_price(self) -> bool:
        """Is nothing known of what this model costs? Then the amount is a guess by the default price."""
        return self.source == "default"


def price_of(given: "Price | Mapping[str, Any]", name: str) -> Price:
    """A price that a caller gives for the model of that name: a `Price`, or its fields in a mapping.

    Raises InvalidArgumentError, which says the name, the field, and what is accepted.
    """
    if isinstance(given, Price):
        return given
    fields = ("input", "output", "cached_input", "cache_write")
    if not isinstance(given, Mapping):
        raise InvalidArgumentError(f"a price is a Price or a mapping: model={name!r}, type={type(given).__name__}")
    unknown = [str(field) for field in given if field not in fields]
    if unknown or "input" not in given or "output" not in given:
        fact = f"unknown={unknown[0]!r}" if unknown else f"missing={'output' if 'input' in given else 'input'!r}"
        raise InvalidArgumentError(
            f"a price has input and output, and may have cached_input and cache_write, each in USD for a million "
            f"tokens: model={name!r}, {fact}"
        )
    try:
        return Price(**given)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"{error}, model={name!r}") from None


def picodollars_of(usage: Usage, price: Price) -> int:
    """What the usage costs at this price, in picodollars, rounded to the nearest one."""
    cached_input = price.input if price.cached_input is None else price.cached_input
    cache_write = price.input if price.cache_write is None else price.cache_write
    fresh = usage.input - usage.cached - usage.cache_written
    millionths = (
        fresh * price.input
        + usage.cached * cached_input
        + usage.cache_written * cache_write
        + usage.output * price.output
    )
    return int((millionths * (PICODOLLARS // 1_000_000)).to_integral_value(ROUND_HALF_EVEN))


def usd_of(picodollars: int) -> Decimal:
    """Picodollars in USD, exactly; no more digits than cents and what is below them take."""
    places = 12
    while places > 2 and picodollars % 10 == 0:
        picodollars //= 10
        places -= 1
    return Decimal(f"{picodollars}E-{places}")


def usd_text(usd: Decimal) -> str:
    """An amount for people: `$1,234.56`; below ten cents with two digits that count, so never rounded to nothing.

    >>> usd_text(Decimal("0.0000213")), usd_text(Decimal(0))
    ('$0.000021', '$0.00')
    """
    if usd == 0:
        return "$0.00"
    digits = max(2, 1 - usd.adjusted()) if abs(usd) < _TEN_CENTS else 2
    return f"{'-' if usd < 0 else ''}${abs(usd):,.{digits}f}"


def picodollars_in(usd: Any, what: str) -> int:
    """An amount in USD that a caller gives, in picodollars; raises InvalidArgumentError, which says what it is for."""
    return int((amount(usd, what) * PICODOLLARS).to_integral_value(ROUND_HALF_EVEN))


def amount(given: Any, what: str) -> Decimal:
    """A finite number, 0 or more, as a Decimal: 0.1 is 0.1, not the float nearest to it."""
    is_number = isinstance(given, int | float | str | Decimal) and not isinstance(given, bool)
    try:
        number = Decimal(str(given)) if is_number else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or number < 0:
        fact = f"value={given}" if isinstance(given, int | float | Decimal) else f"type={type(given).__name__}"
        raise InvalidArgumentError(f"{what} is a finite number of USD, 0 or more: {fact}")
    return number


def _checked(given: Any, field: str) -> Decimal:
    number = amount(given, f"the price of {field}")
    if number > PRICE_MAX:
        raise InvalidArgumentError(f"a price is USD for a million tokens, at most {PRICE_MAX:,}: field={field}")
    return number
