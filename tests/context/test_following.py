"""What a conversation knows of its store stays what the store says, whoever writes there and whenever."""

import logging
from typing import Any

import pytest

from .talks import fill, talk, user, words


def test_what_is_kept_is_what_was_packed_at_the_door() -> None:
    message = user("one two")

    def meddling(text: str) -> int:
        message["content"] = "a task has written on"
        return words(text)

    conversation = talk(counter=meddling)
    conversation.add(message)
    assert conversation.context() == conversation.full() == [user("one two")]
    assert talk(conversation.bp).stats() == conversation.stats()


def test_a_compression_that_counts_for_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    conversation = talk(window=2_000)
    fill(conversation, 60)
    conversation.context()
    assert conversation.last_error is None
    others: list[Any] = [user(f"other {number}") for number in range(300)]
    with caplog.at_level(logging.WARNING, "backpack.context"):
        conversation.bp["messages"] = others
        assert conversation.context() == others
        conversation.bp.append("messages", user("one more"))
        conversation.context()
    said = "the stored compression is of other messages than there are: all are shown"
    assert conversation.last_error == conversation.stats().last_error == said
    assert [record.message for record in caplog.records] == [f"reading a conversation: {said}"]
    conversation.bp["messages"] = others[:3]
    assert "damaged, or of more messages" in str(conversation.last_error)
