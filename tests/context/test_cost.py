"""Prices, amounts that never drift, and where a price is from."""

import socket
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.context import Price, Usage
from backpack.context.cost import PICODOLLARS, picodollars_of, price_of, usd_of, usd_text
from backpack.context.prices import DEFAULT, Prices, has_published_prices
from backpack.errors import InvalidArgumentError

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
USAGE = Usage(1_000_000, 100_000, cached=400_000, cache_written=100_000)
OWN = {
    "gpt-4o": {"input": 1, "output": 2},
    "gpt-4o-mini": {"input": 0.1, "output": 0.2, "cached_input": 0.05, "cache_write": 0.3},
    "house-model": Price("4", "8"),
}


def find(name: str, own: Any = None, usage: Usage = USAGE) -> Any:
    return Prices(own).find((name,), usage, AT)


def test_each_kind_of_token_has_its_price() -> None:
    price = Price(2, 10, cached_input=0.5, cache_write=2.5)
    assert usd_of(picodollars_of(USAGE, price)) == Decimal("0.5") * 2 + Decimal("0.4") * Decimal("0.5") + Decimal(
        "0.1"
    ) * Decimal("2.5") + Decimal(1)


def test_cached_tokens_without_a_price_cost_what_input_does() -> None:
    assert usd_of(picodollars_of(USAGE, Price(2, 10))) == Decimal(3)


def test_a_float_is_its_numeral() -> None:
    assert Price(0.1, 0.2) == Price("0.1", Decimal("0.2"))
    assert picodollars_of(Usage(3, 0), Price(0.1, 0)) == 300_000


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**5)), max_size=30))
def test_sums_of_costs_are_exact(calls: list[tuple[int, int]]) -> None:
    price = Price("0.075", "0.3")
    each = sum(picodollars_of(Usage(*call), price) for call in calls)
    whole = picodollars_of(Usage(sum(a for a, _ in calls), sum(b for _, b in calls)), price)
    assert each == whole


@pytest.mark.parametrize(
    ("model", "matched"),
    [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("openai/gpt-4o-mini", "gpt-4o-mini"),
        ("HOUSE-MODEL", "house-model"),
    ],
)
def test_the_longest_own_price_wins_over_the_published_one(model: str, matched: str) -> None:
    found = find(model, OWN)
    assert (found.matched, found.source) == (matched, "own")
    assert found.price == price_of(OWN[matched], "")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "model",
    [
        "gpt-4o",
        "gpt-4o-mini-2024-07-18",
        "claude-sonnet-4-5",
        "claude-3-5-haiku-latest",
        "gemini-2.5-pro",
        "deepseek-chat",
        "mistral-large-latest",
        "grok-3",
    ],
)
@pytest.mark.parametrize("tokens", [1_000, 900_000])
def test_a_published_price_gives_what_its_publisher_says(model: str, tokens: int) -> None:
    import genai_prices

    usage = Usage(tokens, tokens // 10, cached=tokens // 2)
    theirs = genai_prices.Usage(input_tokens=usage.input, output_tokens=usage.output, cache_read_tokens=usage.cached)
    said = genai_prices.calc_price(theirs, model, genai_request_timestamp=AT)
    found = find(model, usage=usage)
    assert (found.matched, found.source) == (said.model.id, "genai-prices")
    assert usd_of(picodollars_of(usage, found.price)) == said.total_price


@pytest.mark.parametrize(
    ("model", "like"),
    [
        ("openai/gpt-4o", "gpt-4o"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("anthropic.claude-3-haiku-20240307-v1:0", "claude-3-haiku"),
    ],
)
def test_a_model_has_its_price_however_routers_name_it(model: str, like: str) -> None:
    assert find(model).price == find(like).price
    assert find(model).source == "genai-prices"


@pytest.mark.parametrize("model", ["mine", "gpt-nope-99x", "文", "a/b/c", "x:y@z", "/", "."])
def test_an_unknown_model_has_the_default_price(model: str) -> None:
    found = find(model, OWN)
    assert (found.price, found.matched, found.source) == (DEFAULT, "", "default")


def test_without_the_extra_only_own_prices_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_published_prices()
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    assert not has_published_prices()
    assert find("gpt-4o").source == "default"
    assert find("gpt-4o", OWN).source == "own"


def test_no_price_asks_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("somebody opens a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert find("gpt-4o").source == "genai-prices"


@pytest.mark.parametrize(
    ("price", "what"),
    [
        ({"input": -1, "output": 1}, "input"),
        ({"input": 1, "output": float("nan")}, "output"),
        ({"input": 1, "output": float("inf")}, "output"),
        ({"input": 1, "output": "free"}, "output"),
        ({"input": 1, "output": True}, "output"),
        ({"input": None, "output": 1}, "input"),
        ({"input": 10**7, "output": 1}, "input"),
        ({"input": 1}, "missing='output'"),
        ({"output": 1}, "missing='input'"),
        ({"input": 1, "output": 1, "cached": 1}, "unknown='cached'"),
        ([1, 2], "type=list"),
    ],
)
def test_a_wrong_price_is_an_error_that_names_model_and_field(price: Any, what: str) -> None:
    with pytest.raises(InvalidArgumentError, match="house") as caught:
        Prices({"house": price})
    assert what in str(caught.value)


def test_what_are_no_prices_is_refused() -> None:
    with pytest.raises(InvalidArgumentError):
        Prices([("gpt-4o", 1)])  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError):
        Prices({"": Price(1, 1)})


def test_a_picodollar_is_a_token_at_a_millionth_of_a_dollar_a_million() -> None:
    assert picodollars_of(Usage(1, 0), Price("0.000001", 0)) == 1
    assert usd_of(PICODOLLARS) == 1


@pytest.mark.parametrize(
    ("picodollars", "plain", "text"),
    [
        (0, "0.00", "$0.00"),
        (21_300_000, "0.0000213", "$0.000021"),
        (1, "1E-12", "$0.0000000000010"),
        (9_750_000_000, "0.00975", "$0.0098"),
        (150_000_000_000, "0.15", "$0.15"),
        (1_234_567_800_000_000, "1234.5678", "$1,234.57"),
        (3 * PICODOLLARS, "3.00", "$3.00"),
        (-50_000_000_000, "-0.05", "-$0.050"),
    ],
)
def test_an_amount_has_the_digits_that_it_needs(picodollars: int, plain: str, text: str) -> None:
    with localcontext() as context:
        context.prec = 3
        usd = usd_of(picodollars)
    assert (str(usd), usd_text(usd)) == (plain, text)


def test_a_published_price_is_asked_for_once_a_quarter_of_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    genai_prices = pytest.importorskip("genai_prices")
    asked: list[Any] = []
    ask = genai_prices.calc_price
    monkeypatch.setattr(
        genai_prices, "calc_price", lambda *given, **named: asked.append(given[1]) or ask(*given, **named)
    )
    prices = Prices()
    begin = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
    found = {prices.find(("gpt-4o",), Usage(size, 1), begin + timedelta(minutes=size)) for size in range(15)}
    assert len(found) == len(asked) == 1
    prices.find(("gpt-4o",), Usage(1, 1), begin + timedelta(minutes=15))
    assert len(asked) == 2


def test_a_price_that_rises_with_the_prompt_is_asked_for_each_time() -> None:
    prices = Prices()
    small, large, again = (
        prices.find(("gemini-2.5-pro",), Usage(size, 1), AT).price.input for size in (1_000, 300_000, 1_000)
    )
    assert small == again < large


def test_any_number_of_names_is_asked_for() -> None:
    prices = Prices()
    for number in range(600):
        assert prices.find((f"of nobody {number}",), Usage(1, 1), AT).source == "default"
    assert len(prices._known[1]) < 300
