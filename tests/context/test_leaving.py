"""Whatever leaves a conversation, something stays that says so."""

from typing import Any

import pytest

from backpack.context.leaving import LINE_TOKENS, left_count, left_line
from backpack.context.record import Compression

from .talks import assistant, call, fill, filler, result, system, talk, user


@pytest.mark.parametrize("reference", ["", "mem://mem-20261121-151102-0af31c77"])
@pytest.mark.parametrize("count", [1, 12])
def test_a_line_is_told_from_other_texts(count: int, reference: str) -> None:
    line = left_line(count, reference)
    assert left_count(line) == count
    assert left_count(f"{line} ") is None and left_count("[earlier messages left]") is None


def test_deletion_leaves_a_line_with_their_number_and_what_names_them() -> None:
    conversation = talk(window=1_000, config={"strategy": "deletion", "messages_to_keep": 4})
    conversation.add(system("rules"))
    fill(conversation, 12)
    said = conversation.context()[1]
    (made,) = conversation.log
    assert said["role"] == "user"
    assert said["content"] == left_line(made.messages_dropped, str(made.reference))
    assert (made.strategy, made.summarizer) == ("deletion", "")
    assert "question 0" in conversation.memory.fetch(str(made.reference))


def test_the_line_counts_all_that_left_and_is_one() -> None:
    conversation = talk(window=1_000, config={"strategy": "deletion", "messages_to_keep": 4})
    for start in range(0, 36, 12):
        fill(conversation, 12, start=start)
        said = conversation.context()
    made: list[Compression] = conversation.log
    assert len(made) == 3
    lines = [found for message in said if (found := left_count(str(message["content"])))]
    assert lines == [len(conversation) - len(said) + 1]


def test_a_summary_after_a_line_counts_what_had_left() -> None:
    conversation = talk(window=1_000, config={"strategy": "deletion", "messages_to_keep": 4})
    fill(conversation, 12)
    left = conversation.compress() or conversation.log[-1]
    again = talk(conversation.bp, window=1_000, config={"strategy": "sliding_window", "messages_to_keep": 4})
    fill(again, 12, start=12)
    head = again.context()[0]["content"].splitlines()[0]
    made = again.log[-1]
    assert head.startswith(f"Summary of {left.messages_dropped + made.messages_summarized} earlier messages.")
    assert str(left.reference) not in head and str(made.reference) in head


def test_a_line_after_a_summary_stands_below_it() -> None:
    conversation = talk(window=1_000, config={"strategy": "sliding_window", "messages_to_keep": 4})
    fill(conversation, 12)
    conversation.context()
    again = talk(conversation.bp, window=1_000, config={"strategy": "deletion", "messages_to_keep": 4})
    fill(again, 12, start=12)
    lines = again.context()[0]["content"].splitlines()
    assert lines[0].startswith("Summary of")
    assert left_count(lines[-1]) == len(again) - len(again.context()) + 1


@pytest.mark.parametrize("size", [60, 150])
@pytest.mark.parametrize("window", [1_200, 4_000])
def test_long_results_that_fill_the_room_leave_some_for_a_summary(window: int, size: int) -> None:
    asked: list[int] = []

    def summarizer(messages: list[Any], target_tokens: int) -> str:
        asked.append(target_tokens)
        return "the flight is BX0001"

    for given in (summarizer, None):
        conversation = talk(window=window, summarizer=given, config={"threshold_percent": 70})
        conversation.add(user("Which flight is mine? It is BX0001."))
        for number in range(60):
            conversation.add(call(number))
            conversation.add(result(number, filler(size, f"seat{number}")))
            said = conversation.context()
            assert conversation.tracker.count_messages(said) <= window
        assert "BX0001" in str(said)
        strategies = {one.strategy for one in conversation.log if one.what == "compression"}
        assert strategies <= {"sliding_window", "selective"}
        assert conversation.stats().last_strategy in ("sliding_window", "selective")
        assert "the last one by " in str(conversation.stats())
    assert asked and min(asked) >= 64


@pytest.mark.parametrize("strategy", ["auto", "sliding_window", "deletion"])
@pytest.mark.parametrize("is_asking", [True, False])
def test_where_the_last_messages_are_more_than_the_window_something_is_said_of_the_rest(
    is_asking: bool, strategy: str
) -> None:
    asked: list[int] = []

    def summarizer(messages: list[Any], target_tokens: int) -> str:
        asked.append(target_tokens)
        return "the flight is BX0001"

    given = summarizer if is_asking else None
    conversation = talk(window=1_500, summarizer=given, config={"strategy": strategy, "messages_to_keep": 10})
    conversation.add(user("Which flight is mine? It is BX0001."))
    conversation.add(assistant("Let me see. " + filler(300)))
    conversation.add(user("And the seat?"))
    for number in range(6):
        conversation.add(call(number))
        conversation.add(result(number, filler(300, f"seat{number}")))
    said = conversation.context()
    assert conversation.tracker.count_messages(said) <= 1_500
    assert conversation.log[0].cause == "limit"
    if strategy == "deletion":
        assert left_count(str(said[0]["content"])) == conversation.log[0].messages_dropped > 0
        assert not asked
    else:
        assert "BX0001" in str(said[0]["content"])
        assert asked == ([149] if is_asking else [])  # a tenth of the room


def test_where_a_line_would_be_more_than_what_goes_it_does_not_stop_the_rest() -> None:
    conversation = talk(window=40, config={"strategy": "deletion", "messages_to_keep": 1, "threshold_percent": 99})
    for text in ("a", "b", filler(28)):
        conversation.add(assistant("c"))
        conversation.add(user(text))
    said = conversation.context()
    assert conversation.tracker.count_messages(said) <= 40
    assert said[-1] == user(filler(28))


def test_the_room_of_a_line_is_enough_for_one() -> None:
    counter = talk(counter=None).tracker
    line = left_line(999_999, "mem://mem-20261121-151102-0af31c77")
    assert counter.count_message(user(line)) <= LINE_TOKENS
