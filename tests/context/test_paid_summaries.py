"""What asking a summarizer took is known for ever, whatever came of it."""

import logging
from typing import Any

import pytest

from backpack.context import Budget

from .talks import assistant, fill, filler, talk, user

PRICES = {"gpt-4o": {"input": 2, "output": 10}, "small": {"input": 1, "output": 1}}


def test_money_for_a_useless_summary_is_kept() -> None:
    def useless(messages: list[Any], target_tokens: int) -> Any:
        return "w " * 30, {"input": 50_000, "output": 2_600}

    conversation = talk(summarizer=useless, config={"messages_to_keep": 1}, prices=PRICES)
    for message in (user("a"), assistant("b"), user("hi")):
        conversation.add(message)
    assert conversation.compress() is None
    assert [(one.what, one.saved, one.input_tokens) for one in conversation.log] == [("failed", 0, 50_000)]
    stats = conversation.stats()
    assert (stats.compressions, stats.failed_summaries, stats.compression_tokens) == (0, 1, 52_600)
    assert talk(conversation.bp, config={"messages_to_keep": 1}, prices=PRICES).stats() == stats
    assert conversation.last_compression_savings == 0


def test_money_for_a_summary_of_what_has_changed_meanwhile_is_kept() -> None:
    def slow(messages: list[Any], target_tokens: int) -> Any:
        if len(conversation.bp["messages"]) == 240:
            conversation.bp.append("messages", user("by others"))
            len(conversation)
        return "short", {"input": 1_000, "output": 10}

    conversation = talk(window=4_000, summarizer=slow)
    fill(conversation, 60)
    conversation.context()
    assert [one.what for one in conversation.log] == ["failed", "compression"]
    assert conversation.log[0].error == "the conversation was changed meanwhile"
    assert talk(conversation.bp, window=4_000).stats().compression_tokens == 2_020


@pytest.mark.parametrize("usage", ["junk", {"input": -1}, {"input": "many"}])
def test_a_summary_counts_whatever_is_said_of_its_cost(usage: Any, caplog: pytest.LogCaptureFixture) -> None:
    conversation = talk(window=4_000, summarizer=lambda messages, target_tokens: ("a text of five words", usage))
    fill(conversation, 60)
    with caplog.at_level(logging.WARNING, "backpack.context"):
        assert any("a text of five words" in str(one["content"]) for one in conversation.context())
    compression = conversation.log[-1]
    assert (compression.input_tokens, compression.output_tokens) == (compression.original, 5)
    assert compression.error == "the summarizer's usage can't be, so its cost is estimated"
    assert conversation.last_error == conversation.stats().last_error == compression.error


def test_who_summarized_and_by_a_guessed_price_is_known_after_reopening() -> None:
    def cheap(messages: list[Any], target_tokens: int) -> Any:
        return "short", {"input": 1_000, "output": 10, "model": names.pop()}

    names = ["of nobody", "small"]
    conversation = talk(window=4_000, summarizer=cheap, model="mine", prices=PRICES)
    for start in (0, 60):
        fill(conversation, 60, start=start)
        conversation.context()
    again = talk(conversation.bp, window=4_000, model="mine", prices=PRICES)
    assert again.stats() == conversation.stats()
    assert again.stats().is_default_price
    assert [one.is_default_price for one in again.log] == [False, True]
    assert again.tracker.totals == conversation.tracker.totals
    assert again.tracker.totals.by_model["small"].input == 1_000


@pytest.mark.parametrize(("limit", "is_asked"), [(0.004, False), (0.0065, False), (0.02, True)])
def test_nobody_is_asked_whom_the_budget_would_not_pay(limit: float, is_asked: bool) -> None:
    asked: list[int] = []

    def summarize(messages: list[Any], target_tokens: int) -> str:
        asked.append(target_tokens)
        return "they talked"

    config = {"compression_target_tokens": 100, "strategy": "sliding_window"}
    conversation = talk(window=4_000, config=config, summarizer=summarize, budget=Budget(limit, "refuse"))
    for number in range(40):
        conversation.add(user(f"question {number} {filler(70)}"))
    conversation.context()
    assert bool(asked) == is_asked == conversation.context()[0]["content"].endswith("they talked")
    assert conversation.stats().compressions == 1
    assert (conversation.stats().compression_tokens > 0) == is_asked
    assert is_asked or "the budget refuses the summarizer" in str(conversation.last_error)
