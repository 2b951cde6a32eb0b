"""Calls that were repeated and collapsed: a summary says how often, whatever else it has to say."""

from typing import Any

import pytest

from backpack.context import Conversation

from .conversations import calls, result, said, user
from .talks import filler, talk


def polled(count: int, threshold: int, **settings: Any) -> Conversation:
    config = {"compression_threshold": threshold, "messages_to_keep": 4, **settings.pop("config", {})}
    conversation = talk(window=128_000, config=config, **settings)
    conversation.add(user("wait for job 7"))
    for number in range(count):
        conversation.add(calls(f"i{number}", name="poll", id=7))
        conversation.add(result(f"i{number}", filler(40, "pending")))
    return conversation


@pytest.mark.parametrize("strategy", ["auto", "sliding_window", "selective", "deletion"])
@pytest.mark.parametrize("count", [30, 1_200])
def test_a_summary_of_nothing_but_repeats_says_how_many_there_were(count: int, strategy: str) -> None:
    conversation = polled(count, 1_000, config={"strategy": strategy})
    text = conversation.context()[0]["content"]
    dropped = conversation.log[0].messages_dropped
    assert dropped > count
    assert text.startswith(f"Summary of {dropped} earlier messages. Their exact words: mem://")
    assert text.splitlines()[1:3] == ["Repeated calls:", f'- poll({{"id":7}}) (called {count} times, same result)']
    assert conversation.stats().current_tokens < 1_000


def test_repeats_are_said_beside_facts_and_again_after_the_next_compression() -> None:
    conversation = polled(60, 2_000, config={"compression_target_tokens": 120})
    for number in range(40):
        conversation.add(said(f"BX{number:04} costs ${number}.50. {filler(30)}"))
    text = conversation.context()[0]["content"]
    assert 'poll({"id":7}) (called 60 times, same result)' in text and "Codes from assistant: " in text
    for number in range(40, 90):
        conversation.add(said(f"BX{number:04} costs ${number}.50. {filler(30)}"))
    text = conversation.context()[0]["content"]
    assert conversation.stats().compressions == 2
    gone = 121 + 90 - len(conversation.context()) + 1
    assert text.startswith(f"Summary of {gone} earlier messages.")


def test_a_summary_of_ones_own_is_followed_by_the_repeats() -> None:
    conversation = polled(60, 1_000, summarizer=lambda messages, target: "waiting")
    for number in range(8):
        conversation.add(said(f"nothing yet {number} {filler(40)}"))
    text = conversation.context()[0]["content"]
    assert text.endswith('waiting\n\nRepeated calls:\n- poll({"id":7}) (called 60 times, same result)')
