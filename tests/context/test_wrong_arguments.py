"""What is of a wrong type, or no number that makes sense, is refused at the call, by the name of the argument."""

from collections.abc import Callable
from typing import Any

import pytest

from backpack import Backpack
from backpack.context import (
    ContextConfig,
    Conversation,
    EstimatingCounter,
    FunctionCounter,
    Sessions,
    TokenTracker,
    configured,
    model_of,
    summarize_extractive,
)
from backpack.errors import InvalidArgumentError

from .talks import talk, user

NAN = float("nan")
NO_CALLS = (3, "x", True, [])
NO_NUMBERS = ("x", True, -1, NAN, None, [])


def of(act: Callable[[Any], object], *wrongs: Any) -> list[Callable[[], object]]:
    return [lambda wrong=wrong: act(wrong) for wrong in wrongs]  # type: ignore[misc]


ACTS = {
    "on_warning": of(lambda wrong: Conversation(Backpack(), on_warning=wrong), *NO_CALLS),
    "model": of(lambda wrong: Conversation(Backpack(), model=wrong), 3, [], {}, "", " "),
    "model ": of(TokenTracker, 3, [], {}, None, ""),
    "model  ": of(model_of, 3, [], {}, None, ""),
    "tools": of(lambda wrong: Conversation(Backpack(), tools=wrong), 3, {}, "x", 0, True),
    "clock": of(lambda wrong: TokenTracker(clock=wrong), *NO_CALLS, None),
    "counter": of(FunctionCounter, *NO_CALLS, None),
    "text": of(EstimatingCounter().count, 3, [], {}, b"x", None),
    "messages": of(TokenTracker().count_messages, 3, None, "x", user("x")),
    "output": of(lambda wrong: TokenTracker().cost_of({"input_tokens": 1, "output_tokens": 1}, output=wrong), "x", 3),
    "cost": of(TokenTracker().record_cost, 3, None, "x"),
    "rows": of(TokenTracker().resume, 3, None, []),
    "preset": of(ContextConfig.preset, 3, None, [], {}, "x"),
    "window": of(ContextConfig().trigger, *NO_NUMBERS, 0),
    "model_window": of(ContextConfig().window, *NO_NUMBERS, 0),
    "tokens": of(ContextConfig().summary_tokens, *NO_NUMBERS),
    "sessions": of(Sessions, 3, None, {}),
    "make_random": of(lambda wrong: Sessions(Backpack(), make_random=wrong), *NO_CALLS, None),
    "environ": of(lambda wrong: configured(environ=wrong), 3, "x", []),
    "file": of(lambda wrong: configured(file=wrong), 3, [], True),
    "target_tokens": of(lambda wrong: summarize_extractive([], wrong, len), "x", True, NAN, None),
    "count": of(lambda wrong: summarize_extractive([], 100, wrong), *NO_CALLS, None),
}


@pytest.mark.parametrize("name", ACTS)
def test_nonsense_is_refused_by_its_name(name: str) -> None:
    for act in ACTS[name]:
        with pytest.raises(InvalidArgumentError, match=name.strip()):
            act()


def test_a_message_by_nobody_is_refused_and_not_stored() -> None:
    conversation = talk()
    for wrong in ("", [], 3, True):
        with pytest.raises(InvalidArgumentError, match="node"):
            conversation.add(user("x"), node=wrong)  # type: ignore[arg-type]
    assert len(conversation) == 0 and conversation.bp.head is None


def test_a_conversation_without_tools_loads_no_counter() -> None:
    assert all(Conversation(Backpack(), tools=none).tracker._counter is None for none in ((), [], None))  # type: ignore[arg-type]
