"""Above the threshold compression runs, whatever ran before; where what stays fills it, it doesn't run for little."""

from typing import Any

import pytest

from backpack import Backpack
from backpack.context import Conversation

from .talks import FRAME, assistant, filler, talk, user

WINDOW = 10_000
THRESHOLD = 7_000


def at(tokens: int, conversation: Conversation) -> bool:
    """Make it so many tokens, and ask for the context: was it compressed?"""
    conversation.add(user(filler(tokens - conversation.stats().current_tokens - FRAME)))
    assert conversation.stats().current_tokens == tokens
    conversation.context()
    return conversation.was_compressed_last


def test_after_a_compression_the_next_one_runs_at_the_same_figure() -> None:
    conversation = talk(window=WINDOW, config={"messages_to_keep": 2})
    for _ in range(3):
        for _ in range(30):
            if conversation.stats().current_tokens < THRESHOLD - 400:
                conversation.add(assistant(filler(300)))
        assert not at(THRESHOLD, conversation)
        conversation.add(user(""))
        assert conversation.stats().current_tokens == THRESHOLD + FRAME
        conversation.context()
        assert conversation.was_compressed_last
        assert conversation.stats().current_tokens <= THRESHOLD * 9 // 10


def test_a_message_that_was_too_large_puts_off_no_compression() -> None:
    conversation = talk(window=100_000, config={"compression_threshold": 4_000, "messages_to_keep": 4})
    for message in (user("hello"), assistant(filler(60_000)), user("next")):
        conversation.add(message)
    conversation.context()
    assert [one.what for one in conversation.log] == ["offload"]
    largest = 0
    for number in range(200):
        conversation.add(assistant(f"note {number} {filler(70)}"))
        conversation.context()
        largest = max(largest, conversation.stats().current_tokens)
    assert largest <= 4_000
    assert conversation.stats().compressions > 3


def test_a_restore_puts_off_no_compression() -> None:
    bp = Backpack()
    conversation = talk(bp, config={"compression_threshold": 1_000, "messages_to_keep": 4})
    for number in range(4):
        conversation.add(user(f"{number} {filler(1_500)}"))
    conversation.context()
    bp.restore(1)
    for number in range(100):
        conversation.add(assistant(f"note {number} {filler(20)}"))
        conversation.context()
        assert conversation.stats().current_tokens <= 1_000


def test_a_conversation_that_is_opened_again_compresses_as_one_that_stays_open() -> None:
    ran = []
    for is_opened in (False, True):
        bp = Backpack()
        settings = {"config": {"compression_threshold": 1_000, "messages_to_keep": 8}}
        conversation = talk(bp, **settings)
        runs = []
        for _ in range(60):
            conversation = talk(bp, **settings) if is_opened else conversation
            conversation.add(assistant(filler(90)))
            conversation.context()
            runs.append(conversation.was_compressed_last)
        ran.append(runs)
    assert ran[0] == ran[1]


def test_where_what_stays_fills_the_threshold_little_is_not_compressed() -> None:
    asked: list[int] = []

    def summarize(messages: list[object], target: int) -> str:
        asked.append(len(messages))
        return "talk of nothing"

    config = {"compression_threshold": 2_000, "messages_to_keep": 200, "strategy": "sliding_window"}
    conversation = talk(config=config, summarizer=summarize)
    for _ in range(300):
        conversation.add(assistant(filler(6)))
        conversation.context()
    assert 0 < len(asked) <= 25  # above the threshold there were 100 calls


@pytest.mark.parametrize("config", [{"threshold_percent": 100}, {"enable_compression": False}])
def test_adapting_never_brings_a_threshold_where_there_is_none(config: dict[str, Any]) -> None:
    conversation = talk(window=8_192, config={"adaptive": True, "messages_to_keep": 2, **config})
    for number in range(18):
        conversation.add((user, assistant)[number % 2](filler(400)))
    assert len(conversation.context()) == 18
    assert conversation.stats().threshold is None and not conversation.was_compressed_last


def test_what_was_added_while_a_summary_was_made_is_compressed_as_well() -> None:
    def summarize(messages: list[Any], target_tokens: int) -> str:
        if not asked:
            for number in range(40):
                conversation.add(user(f"meanwhile {number} {filler(30)}"))
        asked.append(len(messages))
        return "a summary"

    asked: list[int] = []
    conversation = talk(window=600, config={"messages_to_keep": 2}, summarizer=summarize)
    for number in range(20):
        conversation.add(user(f"question {number} {filler(30)}"))
    sent = conversation.context()
    assert len(asked) > 1
    assert sent[-1]["content"].startswith("meanwhile 39")
    assert conversation.stats().current_tokens <= 600
