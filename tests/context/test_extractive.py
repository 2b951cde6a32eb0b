"""A summary without a model: what was said exactly stays as long as there is room."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.context.extractive import summarize_extractive
from backpack.context.sentences import SENTENCE_SIZE_MAX, sentences, weight

from .conversations import CONVERSATIONS, calls, count, result, said, user, views_of

MEM = "mem://mem-20261121-151102-0af31c77"
OTHER = "mem://mem-20261121-151102-0af31c78"


def summary(messages: list[Any], target: int = 1_000, previous: str | None = None, **options: Any) -> str:
    return summarize_extractive(views_of(messages), target, count, previous, **options)


def test_a_summary_says_who_said_what_exactly() -> None:
    text = summary(
        [
            user("My reservation is 3FRNFB, I paid $152 on May 20th."),
            calls("1", name="get_reservation", id="3FRNFB"),
            result("1", '{"flight": "HAT069", "price": 141}'),
            calls("2", name="cancel", id="3FRNFB"),
            result("2", "Error: not allowed"),
            said("I cannot cancel it. Do you want to change the flight?"),
        ]
    )
    assert text.splitlines() == [
        "Summary of 6 earlier messages.",
        "Errors:",
        "- Error: not allowed",
        "Codes from user: 3FRNFB",
        "Codes from tools: HAT069",
        "Amounts from user: $152",
        "Dates from user: May 20th",
        "Numbers from tools: 141",
        "Calls:",
        '- get_reservation({"id":"3FRNFB"})',
        '- cancel({"id":"3FRNFB"})',
        "Talk:",
        "- user: My reservation is 3FRNFB, I paid $152 on May 20th.",
        "- assistant: I cannot cancel it.",
        "- assistant: Do you want to change the flight?",
    ]


def test_what_is_said_again_is_said_once_with_its_count() -> None:
    messages = [calls("1", id=1), result("1", "Error: busy")] * 3
    assert "- Error: busy (x3)" in summary(messages).splitlines()
    assert '- look_up({"id":1}) (x3)' in summary(messages).splitlines()


def test_the_summary_before_is_kept_in_the_next_one() -> None:
    first = summary(
        [user("I am mia_li_3668 and want to pay $99 by May 13, 2024."), calls("1"), result("1", "Error: busy")]
    )
    second = summary([said("Flight HAT069 leaves at 16:30."), calls("2"), result("2", "Error: busy")], previous=first)
    assert second.startswith("Summary of 6 earlier messages.")
    for fact in ("mia_li_3668", "$99", "May 13, 2024", "HAT069", "16:30", "- Error: busy (x2)"):
        assert fact in second
    assert "user: I am mia_li_3668" in second and "Ids from user: mia_li_3668" in second


def test_a_summary_of_nothing_but_a_summary_is_that_summary() -> None:
    first = summary(
        [user("I am mia_li_3668. Is HAT069 late?"), calls("1"), result("1", "Error: busy"), said(f"see {MEM}")]
    )
    assert summary([], previous=first) == first


def test_a_summary_of_somebody_elses_is_kept_for_its_facts_and_sentences() -> None:
    text = summary([], previous=f"The user wants to cancel HAT069 for $99. It is in {MEM}.")
    assert all(part in text for part in ("HAT069", "$99", MEM, "The user wants to cancel"))


def test_references_are_named_however_little_room_there_is() -> None:
    messages = [
        {"role": "tool", "content": "x", "memory_refs": [{"id": OTHER.removeprefix("mem://")}]},
        user("word " * 99),
    ]
    text = summary(messages, target=1, references=["commit 12", MEM])
    assert text.splitlines() == [
        f"Summary of 2 earlier messages. Their exact words: commit 12, {MEM}",
        f"References: {OTHER}",
    ]
    again = summary([], target=1, previous=text)
    assert all(name in again for name in ("commit 12", MEM, OTHER))


def test_the_newest_references_are_named_and_the_others_counted() -> None:
    ids = [f"mem-20261121-151102-{number:08x}" for number in range(40)]
    messages = [{"role": "tool", "content": "x", "memory_refs": [id]} for id in ids]
    text = summary(messages, references=["commit 12"])
    assert text.splitlines()[1] == "References (24 more in the exact words): " + ", ".join(
        f"mem://{id}" for id in ids[24:]
    )
    again = summary([said(f"see mem://{ids[0]}")], previous=text, references=["commit 13"])
    assert again.splitlines()[1].startswith("References (26 more in the exact words): ")
    assert again.count("mem://") == 17 and f"mem://{ids[0]}\n" in again
    assert summary([], previous=again, references=["commit 13"]).splitlines()[1] == again.splitlines()[1]


def test_all_references_are_named_where_no_exact_words_are_kept() -> None:
    messages = [said(f"see mem://mem-20261121-151102-{number:08x}") for number in range(40)]
    assert summary(messages, target=1).count("mem://") == 40


def test_notes_of_dropped_calls_are_said() -> None:
    assert "- f({}) (called 3 times, same result)" in summary([], notes=["f({}) (called 3 times, same result)"])


def test_facts_that_people_said_come_before_those_that_only_tools_said() -> None:
    messages = [user("It is UU1234."), result("1", " ".join(f"TT{number}" for number in range(1000, 1400)))]
    assert "UU1234" in summary(messages, target=100)


def test_one_kind_of_fact_leaves_room_for_the_others() -> None:
    messages = [user(" ".join(f"ZZ{number}" for number in range(1000, 1400)) + " mia_li_3668 $77")]
    text = summary(messages, target=300)
    assert "mia_li_3668" in text and "$77" in text


def test_most_facts_stay_when_much_is_compressed() -> None:
    messages = []
    for number in range(300):
        messages += [
            user(f"Please look at ticket TK{1000 + number}, it is about a thing that takes many words to say.")
        ]
        messages += [said(f"Ticket TK{1000 + number} was opened on 2024-01-{1 + number % 28:02} for ${10 + number}.")]
    target = count("\n".join(message["content"] for message in messages)) * 3 // 10
    text = summary(messages, target=target)
    facts = [f"TK{1000 + number}" for number in range(300)] + [f"${10 + number}" for number in range(300)]
    assert sum(fact in text for fact in facts) >= 0.9 * len(facts) and count(text) <= target


@given(CONVERSATIONS, st.integers(0, 600), st.booleans())
def test_any_summary_keeps_its_size_and_comes_out_the_same(messages: list[Any], target: int, is_again: bool) -> None:
    previous = summary(messages[::2], target) if is_again else None
    text = summary(messages, target, previous)
    assert text == summary(messages, target, previous)
    assert count(text) <= target or len(text.splitlines()) <= 2


@pytest.mark.parametrize("part", ["a", ". ", "\n", " ", "A1 ", "No. ", "can't ", "\u3002", "Error: x\n"])
def test_a_hostile_text_of_many_parts_is_summarized_soon(part: str) -> None:
    text = part * (200_000 // len(part))
    began = time.process_time()
    assert count(summary([user(text), result("1", text)], 200)) <= 200
    assert time.process_time() - began < 2


def test_a_long_sentence_is_cut_and_short_ones_are_left_out() -> None:
    (one,) = sentences("Yes. " + "long " * 200)
    assert one.startswith("long long") and len(one) == SENTENCE_SIZE_MAX + 3


def test_questions_decisions_and_denials_weigh_more() -> None:
    plain = weight("The weather is nice today", "user", False, 0)
    assert weight("Is the weather nice today?", "user", False, 0) > plain
    assert weight("The weather is not nice today", "user", False, 0) > plain
    assert weight("I decided to stay at home", "user", False, 0) > plain
    assert weight("The weather is nice today", "assistant", False, 0) < plain
    assert weight("The weather is nice today", "user", False, 1) > plain
