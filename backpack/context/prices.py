"""Which price a model has: the caller's own, else the one that the package genai-prices knows, else a default.

Own prices come first; of several whose names the model's begins with, the longest (`names.py`). genai-prices (`pip
install 'backpack-state[prices]'`) brings its table along; it updates it over the network only when asked, and nobody
asks here. A model that nobody knows costs `DEFAULT`: the cost then says `is_default_price`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from backpack.context.cost import Price, Source, price_of
from backpack.context.models import model_of
from backpack.context.names import checked_name, longest_match, parts
from backpack.context.usage import Usage
from backpack.errors import InvalidArgumentError

DEFAULT: Final = Price(Decimal(3), Decimal(15), Decimal("0.3"), Decimal("3.75"))
"""For a model that nobody knows: what large models of several providers cost. Rather too much than too little."""

_QUARTER_S: Final = 15 * 60
_KNOWN_MAX: Final = 256
"""Names of models whose prices are kept: responses say them, so there may be any number."""

_PROVIDER_IDS: Final = {"xai": "x-ai", "moonshot": "moonshotai", "zhipu": "zhipuai", "amazon": "aws"}
"""What genai-prices calls a provider, where `models.py` calls it otherwise."""


@dataclass(frozen=True, slots=True)
class FoundPrice:
    """A price and where it is from."""

    price: Price
    matched: str
    source: Source


class Prices:
    """The prices of models, with the caller's own first. They never change, but by the time of day."""

    __slots__ = ("_known", "_own")

    def __init__(self, own: Mapping[str, Price | Mapping[str, Any]] | None = None) -> None:
        if own is not None and not isinstance(own, Mapping):
            raise InvalidArgumentError(f"prices are a mapping of models to prices: type={type(own).__name__}")
        self._own = {checked_name(name): price_of(price, name) for name, price in (own or {}).items()}
        self._known: tuple[int, dict[tuple[str, ...], FoundPrice]] = 0, {}
        """A quarter of an hour (prices by the time of day begin at none within one), and what was found in it for any
        usage."""

    def find(self, models: tuple[str, ...], usage: Usage, at: datetime) -> FoundPrice:
        """The price of a model that goes by these names, the best known first. At the time `at`, with so much input:
        some prices differ by the hour or rise with long prompts. 0.7 ms; asked again 2 us, where they don't rise.
        """
        for name in models:
            matched = longest_match(name, self._own)
            if matched is not None:
                return FoundPrice(self._own[matched], matched, "own")
        quarter = int(at.timestamp()) // _QUARTER_S
        known = self._known
        if quarter != known[0] or len(known[1]) >= _KNOWN_MAX:
            known = self._known = quarter, {}
        found = known[1].get(models)
        if found is None:
            found, is_rising = _found(models, usage, at)
            if not is_rising:
                known[1][models] = found
        return found


def has_published_prices() -> bool:
    """Is genai-prices installed?"""
    try:
        import genai_prices  # noqa: F401
    except ImportError:
        return False
    return True


def _found(models: tuple[str, ...], usage: Usage, at: datetime) -> tuple[FoundPrice, bool]:
    """The price that isn't the caller's own, and whether another usage may have another one."""
    for name in models:
        found = _published(name, usage, at)
        if found is not None:
            return found
    return FoundPrice(DEFAULT, "", "default"), False


def _published(name: str, usage: Usage, at: datetime) -> tuple[FoundPrice, bool] | None:
    """What genai-prices knows of that name."""
    try:
        from genai_prices import Usage as TheirUsage
        from genai_prices import calc_price
    except ImportError:
        return None
    if not name.isascii():  # no model has such a name
        return None
    theirs = TheirUsage(input_tokens=usage.input, output_tokens=usage.output)
    for model, provider in _asked_for(name):
        try:
            found = calc_price(theirs, model, provider_id=provider, genai_request_timestamp=at.astimezone(UTC))
        except LookupError:
            continue
        prices = found.model_price
        given, answered = _at(prices.input_mtok, usage), _at(prices.output_mtok, usage)
        if given is None and answered is None:  # priced by something else than tokens
            continue
        price = Price(
            given or Decimal(0),
            answered or Decimal(0),
            _at(prices.cache_read_mtok, usage),
            _at(prices.cache_write_mtok, usage),
        )
        given_by_usage = (prices.input_mtok, prices.output_mtok, prices.cache_read_mtok, prices.cache_write_mtok)
        is_rising = any(one is not None and not isinstance(one, Decimal) for one in given_by_usage)
        return FoundPrice(price, found.model.id, "genai-prices"), is_rising
    return None


def _asked_for(name: str) -> list[tuple[str, str | None]]:
    """The ways to ask for a model: as it is named, by who offers it, by who makes it."""
    offered_by, model = parts(name)
    asked: list[tuple[str, str | None]] = [(name, None)]
    if offered_by:
        asked += [(model, offered_by.rpartition("/")[2]), (name, "openrouter"), (model, None)]
    known = model_of(name)
    if known.provider:
        asked.append((model, _PROVIDER_IDS.get(known.provider, known.provider)))
        start = name.lower().find(known.family)
        asked.append((name[start:].partition(":")[0], _PROVIDER_IDS.get(known.provider, known.provider)))
    return asked


def _at(price: Any, usage: Usage) -> Decimal | None:
    """A price as it is with so much input. Where it rises with it, the price beyond a step is that of all tokens."""
    if price is None or isinstance(price, Decimal):
        return price
    reached = [tier for tier in price.tiers if usage.input > tier.start]
    chosen: Decimal = reached[-1].price if reached else price.base
    return chosen
