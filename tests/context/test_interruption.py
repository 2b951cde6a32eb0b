"""Ctrl-C at any line of a conversation: what it holds in memory is what stands in its store, and it goes on."""

import asyncio
import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from backpack import Backpack
from backpack.context import Conversation, Governor
from backpack.errors import HistoryFullError, ReentryError
from tests.interrupting import interrupted_at

from .talks import assistant, filler, talk, user

TRACED = (
    "/context/adding.py",
    "/context/concluding.py",
    "/context/conversation.py",
    "/context/flights.py",
    "/context/following.py",
    "/context/governor.py",
    "/context/preparing.py",
    "/context/present.py",
    "/context/replacing.py",
    "/context/running.py",
    "/context/storing.py",
)
"""Where what is known of a conversation is changed."""
STRIDE = int(os.environ.get("BACKPACK_INTERRUPT_STRIDE", "5"))
"""Every how many lines of long work an interrupt is tried: each of them in the long profile."""
WAIT_S = 20


def resumed(bp: Backpack) -> Conversation:
    def summarize(messages: list[Any], target_tokens: int) -> tuple[str, dict[str, int]]:
        return "a summary", {"prompt_tokens": 100, "completion_tokens": 10}

    config = {"messages_to_keep": 2, "recent_message_tokens_max": 150, "governor": Governor(200, 100_000)}
    return talk(bp, window=400, config=config, summarizer=summarize, on_warning=lambda said: None)


def told(conversation: Conversation) -> list[Any]:
    return [conversation.stats(), conversation.log, conversation.present(), conversation.full()]


def add(conversation: Conversation) -> None:
    conversation.add(assistant("yes"), usage={"prompt_tokens": 30, "completion_tokens": 5})


@pytest.mark.parametrize("act", [add, Conversation.context, Conversation.compress])
def test_an_interrupt_at_any_line_leaves_what_the_store_has(act: Callable[[Conversation], object]) -> None:
    base = Backpack()
    conversation = resumed(base)
    for number in range(6):
        conversation.add(user(f"question {number} {filler(40)}"))
        conversation.add(assistant(f"answer {number}"), usage={"prompt_tokens": 30, "completion_tokens": 5})
    conversation.add(user(" ".join(f"line{number}" for number in range(200))))
    calls = conversation.stats().calls
    step = 1
    while True:
        bp = base.fork()
        conversation = resumed(bp)
        assert len(conversation) == 13
        bp.append("messages", user("from another"))
        place = interrupted_at(step, partial(act, conversation), lambda name: name.endswith(TRACED), passing=("with ",))
        if place is None:
            break
        assert told(conversation) == told(resumed(bp)), place
        if step % 10 == 1 or "flights" in place or "running" in place:
            conversation.context()
            add(conversation)
            assert conversation.stats().calls > calls
            assert told(conversation) == told(resumed(bp)), place
        step += 1 if act is add else STRIDE
    assert step > 50


def test_a_crossing_whose_keeping_fails_is_told_later() -> None:
    said: list[str] = []
    config = {"governor": Governor(20, 100_000)}
    conversation = talk(config=config, on_warning=said.append)
    conversation.add(user(filler(50)))
    conversation.bp.configure(hard_limit=True, max_history_size=1)
    with pytest.raises(HistoryFullError):
        conversation.context()
    assert said == []
    conversation.bp.configure(hard_limit=False, max_history_size=1_000_000)
    conversation.context()
    conversation.context()
    assert len(said) == 1


@pytest.mark.parametrize("ask", [Conversation.compress, lambda one: asyncio.run(one.acompress())])
@pytest.mark.parametrize("again", [Conversation.compress, lambda one: asyncio.run(one.acompress())])
def test_a_summarizer_that_compresses_its_own_conversation_is_refused(
    ask: Callable[[Conversation], object], again: Callable[[Conversation], object]
) -> None:
    def summarize(messages: list[Any], target_tokens: int) -> str:
        with pytest.raises(ReentryError):
            again(conversation)
        refused.append(True)
        return "a summary"

    refused: list[bool] = []
    conversation = talk(summarizer=summarize)
    for number in range(60):
        conversation.add(user(f"question {number} {filler(40)}"))
    compressing = threading.Thread(target=ask, args=(conversation,), daemon=True)
    compressing.start()
    compressing.join(WAIT_S)
    assert not compressing.is_alive()
    assert refused == [True]
    assert conversation.stats().compressions == 1
