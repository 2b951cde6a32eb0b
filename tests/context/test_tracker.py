"""What a conversation has used and cost: recorded, added up, kept, bounded by a budget."""

import logging
import pickle
import threading
import warnings
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack import Backpack
from backpack.context import Budget, BudgetWarning, TokenTracker, Totals, Usage
from backpack.errors import BackpackError, BudgetExceededError, CorruptionError, InvalidArgumentError, UsageError

PRICES = {"gpt-4o": {"input": 1, "output": 10, "cached_input": "0.5"}, "small": {"input": 0.1, "output": 0.2}}
CALL = {"prompt_tokens": 100_000, "completion_tokens": 10_000, "prompt_tokens_details": {"cached_tokens": 40_000}}
CALL_USD = Decimal("0.18")  # 60,000 at 1, 40,000 at 0.5, 10,000 at 10


def tracker(**settings: Any) -> TokenTracker:
    return TokenTracker(**{"prices": PRICES, "counter": len, **settings})


def test_a_call_costs_what_it_used() -> None:
    cost = tracker().record(CALL)
    assert cost.usd == CALL_USD
    assert (cost.model, cost.matched, cost.source, cost.is_default_price) == ("gpt-4o", "gpt-4o", "own", False)
    assert cost.usage == Usage(100_000, 10_000, 40_000)


def test_totals_are_sums_by_purpose_and_by_model() -> None:
    kept = tracker()
    kept.record(CALL)
    kept.record(CALL)
    kept.record({"input_tokens": 1000, "output_tokens": 500}, purpose="compression", model="small")
    totals = kept.totals
    assert (totals.calls, totals.input, totals.output, totals.cached) == (3, 201_000, 20_500, 80_000)
    assert totals.usd == 2 * CALL_USD + Decimal("0.0002")
    assert totals.tokens == 221_500
    assert {name: part.calls for name, part in totals.by_purpose.items()} == {"call": 2, "compression": 1}
    assert totals.by_purpose["compression"].usd == Decimal("0.0002")
    assert {name: part.input for name, part in totals.by_model.items()} == {"gpt-4o": 200_000, "small": 1000}


def test_nothing_is_recorded_of_nonsense() -> None:
    kept = tracker()
    kept.record(CALL)
    before = kept.state()
    for wrong in ({"prompt_tokens": -5, "completion_tokens": 1}, {"prompt_tokens": 5}, {}, None, float("nan")):
        with pytest.raises(UsageError):
            kept.record(wrong)
    for settings in ({"purpose": ""}, {"purpose": 3}, {"model": ""}, {"model": "a\nb"}):
        with pytest.raises(InvalidArgumentError):
            kept.record(CALL, **settings)
    assert kept.state() == before


def test_the_model_that_answered_is_the_one_that_is_paid() -> None:
    kept = tracker(model="gpt-4o")
    assert kept.record({"model": "gpt-4o-2024-08-06", "usage": CALL}).model == "gpt-4o-2024-08-06"
    assert kept.record({"model": "small", "usage": CALL}).matched == "small"
    assert kept.record({"model": "small", "usage": CALL}, model="gpt-4o").matched == "gpt-4o"
    renamed = tracker(model="small")  # a deployment with a price of its own, whatever it says it is
    assert renamed.record({"model": "gpt-9-unheard-of", "usage": CALL}).matched == "small"
    assert renamed.record({"model": "x\ny", "usage": CALL}).model == "small"


def test_costs_can_be_asked_for_and_nothing_is_recorded() -> None:
    kept = tracker()
    assert kept.cost_of(CALL).usd == CALL_USD
    assert kept.cost_of(60_000, output=1000).usd == Decimal("0.07")
    assert kept.cost_of(Usage(10, 0), model="small").usd == Decimal("0.000001")
    assert kept.totals == Totals()
    with pytest.raises(UsageError):
        kept.cost_of(-1)


def test_an_unknown_model_costs_the_default_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    kept = TokenTracker("mine")
    with caplog.at_level(logging.WARNING, "backpack.context"):
        costs = [kept.record(CALL), kept.record(CALL), kept.record(CALL, model="other")]
    assert [cost.is_default_price for cost in costs] == [True] * 3
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "no price is known for model='mine'",
        "no price is known for model='other'",
    ]
    assert kept.totals.guessed_calls == 3


def test_sums_never_drift() -> None:
    kept = tracker(prices={"gpt-4o": {"input": 0.1, "output": 0.3}})
    for _ in range(1000):
        kept.record(Usage(1, 1))
    assert kept.totals.usd == Decimal("0.0004")


# -- the budget --------------------------------------------------------------------------------------------


def test_a_budget_warns_once_when_it_is_crossed() -> None:
    kept = tracker(budget=0.3)
    kept.record(CALL)
    with pytest.warns(BudgetWarning, match=r"spent=0.360000, limit=0.3 USD"):
        kept.record(CALL)
    kept.record(CALL)
    kept.check(1)
    assert kept.totals.usd == 3 * CALL_USD


def test_a_budget_that_is_met_exactly_is_not_crossed() -> None:
    kept = tracker(budget=Budget("0.36", "refuse"))
    kept.check(kept.cost_of(CALL))
    kept.record(CALL)
    kept.check(kept.cost_of(CALL))
    kept.record(CALL)
    kept.check()
    with pytest.raises(BudgetExceededError):
        kept.check("0.000001")  # type: ignore[arg-type]


def test_a_call_that_would_cross_a_warning_budget_is_told_before_it() -> None:
    kept = tracker(budget=0.1)
    with pytest.warns(BudgetWarning, match="would cross"):
        kept.check(kept.cost_of(CALL))
    kept.record(CALL)  # said already


def test_a_budget_refuses_before_the_call_and_loses_nothing() -> None:
    kept = tracker(budget=Budget(0.3, "refuse"))
    kept.record(CALL)
    before = kept.state()
    with pytest.raises(BudgetExceededError, match=r"spent=0.180000, estimate=0.180000, limit=0.3 USD") as caught:
        kept.check(kept.cost_of(CALL))
    assert kept.state() == before
    error = caught.value
    assert (error.spent, error.estimate, error.limit) == (CALL_USD, CALL_USD, Decimal("0.3"))
    assert isinstance(error, BackpackError) and isinstance(error, RuntimeError)
    assert pickle.loads(pickle.dumps(error)).limit == error.limit
    assert kept.record(CALL).usd == CALL_USD  # what was used anyway is recorded
    assert kept.totals.calls == 2


def test_a_budget_that_is_raised_can_be_crossed_again() -> None:
    kept = tracker(budget=0.1)
    with pytest.warns(BudgetWarning):
        kept.record(CALL)
    kept.budget = Budget(0.5)
    kept.record(CALL)
    with pytest.warns(BudgetWarning):
        kept.record(CALL)
    kept.budget = None
    kept.check(10**6)


def test_a_warning_that_is_an_error_loses_nothing() -> None:
    kept = tracker(budget=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BudgetWarning):
            kept.record(CALL)
    assert kept.totals.calls == 1


@pytest.mark.parametrize("limit", [-1, float("nan"), float("inf"), "much", None, True, [1]])
def test_what_is_no_limit_is_refused(limit: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="limit of a budget"):
        Budget(limit)


def test_a_budget_warns_or_refuses_and_nothing_else() -> None:
    with pytest.raises(InvalidArgumentError, match="'warn' or 'refuse'"):
        Budget(1, "stop")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="estimate"):
        tracker(budget=1).check(-1)


# -- keeping -----------------------------------------------------------------------------------------------


def test_a_tracker_goes_on_after_the_store_was_reopened(tmp_path: Any) -> None:
    kept = tracker(budget=0.1)
    with pytest.warns(BudgetWarning):
        kept.record(CALL)
    kept.record(CALL, purpose="compression", model="small")
    from backpack import open as open_store

    with open_store(tmp_path / "store") as store:
        store.pack("tracker", kept.state())
    with open_store(tmp_path / "store") as store:
        resumed = TokenTracker.from_state(store.unpack("tracker"), prices=PRICES, budget=0.1)
    assert resumed.totals == kept.totals
    assert resumed.model == "gpt-4o"
    resumed.record(CALL)  # crossed before: no second warning
    assert resumed.totals.usd == kept.totals.usd + CALL_USD
    assert TokenTracker.from_state(kept.state(), model="small").model == "small"


def test_even_absurd_sums_can_be_stored() -> None:
    kept = tracker(prices={"gpt-4o": {"input": 10**6, "output": 10**6}})
    for _ in range(30):
        kept.record(Usage(10**12, 10**12))
    store = Backpack()
    store.pack("tracker", kept.state())
    assert TokenTracker.from_state(store.unpack("tracker")).totals == kept.totals


@pytest.mark.parametrize(
    "damage",
    [
        {"model": ""},
        {"model": 3},
        {"rows": None},
        {"rows": [[]]},
        {"rows": [["call", "gpt-4o", 1, 2, 3]]},
        {"rows": [["call", "gpt-4o", 1, 2, 3, 4, 5, 6, -7, 0]]},
        {"rows": [["call", "gpt-4o", 1, 2, 3, 4, 5, 6, 7.5, 0]]},
        {"rows": [["call", "gpt-4o", *[1] * 8], ["call", "gpt-4o", *[1] * 8]]},
        {"rows": [[1, "gpt-4o", *[1] * 8]]},
        {"warned_at": -1},
        {"warned_at": "1"},
    ],
)
def test_a_damaged_state_is_corruption(damage: dict[str, Any]) -> None:
    state = tracker().state() | damage
    with pytest.raises(CorruptionError):
        TokenTracker.from_state(state)


@pytest.mark.parametrize("state", [None, [], "state", {}])
def test_what_is_no_state_is_corruption(state: Any) -> None:
    with pytest.raises(CorruptionError):
        TokenTracker.from_state(state)


_CALLS = st.tuples(
    st.integers(0, 10**6), st.integers(0, 10**5), st.sampled_from(["call", "compression"]), st.sampled_from([*PRICES])
)


@given(st.lists(_CALLS, max_size=12), st.integers(0, 12))
def test_totals_are_the_same_wherever_a_tracker_was_kept(calls: list[Any], cut: int) -> None:
    whole, part = tracker(), tracker()
    for number, (given_input, output, purpose, model) in enumerate(calls):
        if number == cut:
            part = TokenTracker.from_state(part.state(), prices=PRICES)
        for kept in (whole, part):
            kept.record(Usage(given_input, output), purpose=purpose, model=model)
    assert part.totals == whole.totals
    assert sum(item.picodollars for item in whole.totals.by_model.values()) == whole.totals.picodollars
    assert sum(item.input for item in whole.totals.by_purpose.values()) == whole.totals.input


def test_threads_lose_no_call() -> None:
    kept = tracker()
    threads = [
        threading.Thread(target=lambda: [kept.record(Usage(1, 1)) for _ in range(200)] and None) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept.totals.calls == 800


# -- counting ----------------------------------------------------------------------------------------------


def test_counting_is_additive() -> None:
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return len(text)

    kept = tracker(counter=count)
    messages = [{"role": "user", "content": f"message {number}"} for number in range(5)]
    assert kept.count_messages(messages) == 3 + sum(map(tracker().count_message, messages))
    assert counted == [message["content"] for message in messages]
    assert kept.count_text("four") == 4
    assert kept.count_messages([]) == 3


def test_a_tracker_knows_its_model() -> None:
    kept = TokenTracker("claude-sonnet-4-0")
    assert (kept.model, kept.window, kept.counter.is_exact) == ("claude-sonnet-4-0", 200_000, False)
    assert TokenTracker().model == "gpt-4o"
    assert TokenTracker().counter.is_exact
    assert kept.count_text("word " * 80) == -(-TokenTracker().count_text("word " * 80) * 125 // 100)


@pytest.mark.parametrize("text", [None, b"bytes", 3])
def test_only_texts_are_counted(text: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        tracker().count_text(text)
