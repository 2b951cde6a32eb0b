"""Whatever can be stored can be said, sent, compressed and reopened."""

from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backpack.context import ContextConfig
from backpack.errors import ContextOverflowError, InvalidArgumentError, UnstorableValueError

from .conversations import CONVERSATIONS
from .talks import talk


@given(CONVERSATIONS, st.sampled_from([200, 1_000, 8_192]), st.sampled_from([0, 2, 20]))
def test_any_message_that_is_taken_comes_out_again(messages: list[Any], window: int, kept: int) -> None:
    config = ContextConfig(threshold_percent=50, messages_to_keep=kept, turn_results_tokens=100)
    conversation = talk(window=window, config=config)
    taken: list[Any] = []
    for message in messages:
        try:
            conversation.add(message)
        except (InvalidArgumentError, UnstorableValueError):
            continue
        taken.append(message)
    try:
        said = conversation.context()
    except ContextOverflowError:
        said = conversation.present()
    else:
        assert conversation.tracker.count_messages(said) <= window
    assert conversation.full() == taken
    with suppress(ContextOverflowError):
        conversation.preview()
    conversation.recall("word late")
    with suppress(ContextOverflowError):
        conversation.compress()
    assert conversation.full() == taken
    again = talk(conversation.bp, window=window, config=config)
    assert again.present() == conversation.present()
    assert again.stats() == conversation.stats()
