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


def test_arguments_with_an_integer_that_python_does_not_write_out_are_taken() -> None:
    conversation = talk()
    function = {"name": "add", "arguments": {"n": 10**5_000}}
    calls = [{"id": "a", "type": "function", "function": function}]
    message = {"role": "assistant", "content": "", "tool_calls": calls}
    conversation.add(message)
    assert conversation.context() == conversation.full() == [message]
    assert conversation.stats().current_tokens > 0
