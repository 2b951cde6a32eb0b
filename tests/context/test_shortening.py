"""What stays and is large: sizes of messages, results of one turn, the governor."""

import asyncio
import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from backpack.context import ContextConfig, Governor, GovernorWarning
from backpack.context.governor import Pointing
from backpack.context.shortening import with_results
from backpack.errors import ContextOverflowError

from .talks import assistant, call, fill, filler, result, system, talk, user


def lines(count: int, name: str = "line") -> str:
    return "\n".join(f"{name} {number} says something" for number in range(count))


def test_what_is_too_large_among_the_last_messages_is_in_the_memory() -> None:
    conversation = talk(window=4_000, config={"recent_message_tokens_max": 200})
    for message in (user("read it"), call(1), result(1, lines(300)), assistant("done")):
        conversation.add(message)
    said = conversation.context()
    assert "mem://mem-" in said[2]["content"]
    assert conversation.tracker.count_message(said[2]) <= 200
    assert said[2]["content"].startswith("line 0 says")
    assert {key for key in said[2]} == {"role", "tool_call_id", "content"}
    (entry,) = conversation.memory.list()
    assert conversation.memory.read(entry) == lines(300)
    assert conversation.full()[2]["content"] == lines(300)
    assert conversation.log[-1].what == "offload"
    assert talk(conversation.bp, window=4_000, config={"recent_message_tokens_max": 200}).context() == said


def test_a_message_that_is_larger_than_the_window_fits_all_the_same() -> None:
    conversation = talk(window=1_000)
    conversation.add(user("read it"))
    conversation.add(call(1))
    conversation.add(result(1, lines(5_000)))
    said = conversation.context()
    assert [message["role"] for message in said] == ["user", "assistant", "tool"]
    assert conversation.tracker.count_messages(said) <= 1_000
    assert conversation.full()[2]["content"] == lines(5_000)


def test_what_cannot_fit_is_told_with_the_reason() -> None:
    conversation = talk(window=300)
    conversation.add(system(" ".join(f"w{number}" for number in range(20))))
    for number in range(100):
        conversation.add(user(f"short {number}"))
    conversation.context()
    with pytest.raises(ContextOverflowError, match="limit=") as caught:
        talk(conversation.bp, window=60).context()
    assert caught.value.limit < 60 < caught.value.tokens


def test_tools_that_leave_no_room_are_told() -> None:
    tool = {"type": "function", "function": {"name": "f", "description": filler(500), "parameters": {}}}
    conversation = talk(window=400, tools=[tool])
    conversation.add(user("x"))
    with pytest.raises(ContextOverflowError, match="leave no room") as caught:
        conversation.context()
    assert caught.value.tokens > caught.value.limit == 400


def test_results_of_one_turn_share_a_budget() -> None:
    conversation = talk(window=4_000, config={"turn_results_tokens": 300, "result_floor_tokens": 40})
    items = [{"id": number, "score": number / 100, "text": filler(60, f"w{number}")} for number in range(10)]
    conversation.add(user("search"))
    conversation.add(call(1, ids=2))
    conversation.add(result(1, json.dumps(items)))
    conversation.add(result(1, json.dumps({"results": items[5:]}), one=1))
    said = conversation.context()
    results = [message for message in said if message["role"] == "tool"]
    assert sum(len(message["content"].split()) for message in results) <= 300
    assert all(json.loads(message["content"]) for message in results)
    assert "mem://" in results[0]["content"]
    assert conversation.full()[2]["content"] == json.dumps(items)
    assert conversation.log[-1].what == "results"
    again = talk(conversation.bp, window=4_000, config={"turn_results_tokens": 300})
    assert again.present() == said
    conversation.add(user("another turn"))
    conversation.add(call(2))
    conversation.add(result(2, filler(250)))
    assert conversation.context()[-1]["content"] == filler(250)


@pytest.mark.parametrize(
    "message",
    [
        {"role": "tool", "tool_call_id": "1", "content": "old"},
        {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "old"}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "old", "is_error": False}]},
        {"type": "function_call_output", "call_id": "1", "output": "old"},
        {"type": "tool", "tool_call_id": "1", "content": "old", "additional_kwargs": {}},
    ],
)
def test_a_result_takes_another_text_whatever_its_shape(message: dict[str, Any]) -> None:
    made = with_results(message, ["new"])
    assert made is not None
    assert "new" in str(made) and "old" not in str(made)
    assert made.keys() == message.keys()


def test_the_governor_warns_once_a_crossing() -> None:
    told: list[str] = []
    conversation = talk(
        window=9_000,
        config=ContextConfig(governor=Governor(500, 8_000), compression_threshold=None, threshold_percent=90),
        on_warning=told.append,
    )
    conversation.add(user(filler(300)))
    assert conversation.context() == conversation.full()
    conversation.add(assistant(filler(300)))
    said = conversation.context()
    assert said[0]["role"] == "system" and "500 tokens" in said[0]["content"]
    assert said[1:] == conversation.full()
    assert conversation.context() == said
    assert len(told) == 1
    conversation.add(user("more"))
    assert conversation.context() == conversation.full()
    again = talk(conversation.bp, window=9_000, config=conversation.config, on_warning=told.append)
    again.context()
    assert len(told) == 1
    again.bp.restore(1, keys=["messages", "messages.context.records"])
    again.context()
    again.add(assistant(filler(300)))
    assert "500 tokens" in again.context()[0]["content"]
    assert len(told) == 2


def test_without_a_callback_the_governor_warns_as_python_does() -> None:
    conversation = talk(window=90_000, config={"governor": True})
    conversation.add(user(filler(20_100)))
    with pytest.warns(GovernorWarning, match="warn=20000"):
        conversation.context()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        conversation.context()


@pytest.mark.parametrize("is_task", [False, True])
def test_a_warning_of_the_governor_names_the_line_that_asked(is_task: bool) -> None:
    async def ask() -> None:
        await conversation.acontext()

    conversation = talk(window=90_000, config={"governor": True})
    conversation.add(user(filler(20_100)))
    with pytest.warns(GovernorWarning) as warned:
        asyncio.run(ask()) if is_task else conversation.context()
    lines_asking = Path(__file__).read_text("utf-8").splitlines()
    assert warned[0].filename == __file__
    asking = "await conversation.acontext()" if is_task else "else conversation.context()"
    assert asking in lines_asking[warned[0].lineno - 1]


def test_above_the_second_figure_only_pointers_to_large_contents_stay() -> None:
    told: list[str] = []
    conversation = talk(window=200_000, config={"governor": True}, on_warning=told.append)
    conversation.add(user("read them all"))
    for number in range(30):
        conversation.add(call(number))
        conversation.add(result(number, lines(700, f"file{number}")))
    said = conversation.context()
    assert conversation.tracker.count_messages(said) <= 40_000
    assert len(told) == 2
    assert len(said) == 62  # and the note
    assert sum("mem://" in str(message) for message in said) >= 20
    assert conversation.full()[2]["content"] == lines(700, "file0")
    conversation.context()
    assert len(told) == 2


def test_the_governor_leaves_room_below_its_second_figure() -> None:
    told: list[str] = []
    config = ContextConfig(enable_compression=False, governor=Governor(4_000, 8_000))
    conversation = talk(window=200_000, config=config, on_warning=told.append)
    conversation.add(system(filler(3_000)))
    ran = 0
    for number in range(24):
        conversation.add(call(number))
        conversation.add(result(number, lines(200, f"file{number}")))
        before = conversation.stats().current_tokens
        said = conversation.context()
        after = conversation.stats().current_tokens
        if conversation.was_compressed_last:
            ran += 1
            assert before > 8_000 >= 6_000 >= after
        if before <= 8_000:
            assert after == before
    assert 2 <= ran < 12
    assert said[0] == system(filler(3_000))
    assert sum("large contents" in one for one in told) == ran


def test_where_nothing_is_large_the_governor_looks_and_leaves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    config = ContextConfig(enable_compression=False, governor=Governor(500, 1_000))
    conversation = talk(window=200_000, config=config, on_warning=lambda said: None)
    caps = Pointing.caps
    monkeypatch.setattr(Pointing, "caps", lambda self, sizes: (looked.append(len(conversation)), caps(self, sizes))[1])
    for number in range(1_200):
        conversation.add(user(f"note {number} {filler(8)}"))
        conversation.context()
    assert len(looked) == 1
    conversation.add(assistant(filler(600)))
    conversation.context()
    assert looked[1:] == [1_201] and "mem://" in str(conversation.context()[-1])


def test_when_the_memory_refuses_messages_stay_and_it_is_seen() -> None:
    conversation = talk(window=4_000, config={"recent_message_tokens_max": 200})
    conversation.add(user(lines(300)))

    def refuse(*args: Any, **named: Any) -> Any:
        raise OSError

    conversation.memory.log = refuse  # type: ignore[method-assign]
    said = conversation.context()
    assert said == conversation.full()
    assert conversation.last_error == "offloading failed: OSError"


def test_an_adaptive_threshold_leaves_room_for_a_turn_like_those_before() -> None:
    steady, adaptive = (
        talk(window=1_000, config={"threshold_percent": 90, "messages_to_keep": 4, "adaptive": one})
        for one in (False, True)
    )
    for conversation in (steady, adaptive):
        fill(conversation, 4, size=160)
        conversation.context()
    assert not steady.was_compressed_last
    assert adaptive.stats().threshold is not None and adaptive.stats().threshold < 850
    assert adaptive.was_compressed_last
