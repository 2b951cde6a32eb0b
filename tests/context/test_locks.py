"""Who commits for a conversation holds no lock of it, and no loop waits for a disk."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack.context import ContextConfig, Conversation, Governor

from .talks import fill, filler, talk, user, words

WAIT_S = 20


def answered(ask: Callable[[], object]) -> bool:
    """Does another thread get an answer while this one waits for it?"""
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(WAIT_S)
    return not thread.is_alive()


@pytest.mark.parametrize("config", [{}, {"recent_message_tokens_max": 100}, {"governor": Governor(100, 500)}])
def test_others_are_answered_while_a_compression_is_told(config: dict[str, Any]) -> None:
    told: list[bool] = []
    conversation = talk(window=4_000, config=config, on_warning=lambda said: None)
    fill(conversation, 60)
    conversation.add(user(" ".join(f"line{number}" for number in range(400))))
    fill(conversation, 1)
    with conversation.bp.subscribe(lambda event: told.append(answered(conversation.stats))):
        conversation.context()
    assert len(told) > 1
    assert all(told)
    assert conversation.log
    again = talk(conversation.bp, window=4_000, config=config, on_warning=lambda said: None)
    assert again.stats() == conversation.stats()
    assert again.present() == conversation.present()


def test_a_note_of_the_governor_is_committed_beside_the_loop(tmp_path: Path) -> None:
    threads: list[int] = []

    def tell(event: Any) -> None:
        threads.append(threading.get_ident())

    async def run() -> None:
        said: list[str] = []
        config = ContextConfig(governor=Governor(10, 100_000))
        conversation = Conversation(bp, window=1_000_000, config=config, counter=words, on_warning=said.append)
        await conversation.aadd(user(filler(100)))
        with bp.subscribe(tell, kinds=["pack"], key="messages.context.about"):
            assert len(await conversation.acontext()) == 2
        assert len(said) == 1
        assert bp["messages.context.about"]["crossed"] == [True, False]

    with backpack.open(tmp_path / "store", durability="power") as bp:
        asyncio.run(run())
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()
