"""What calls used, in the words of every provider."""

import math
import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.context import Usage, usage_of
from backpack.context.usage import TOKENS_MAX, model_in
from backpack.errors import InvalidArgumentError, UsageError

OPENAI_CHAT = {
    "prompt_tokens": 1000,
    "completion_tokens": 200,
    "total_tokens": 1200,
    "prompt_tokens_details": {"cached_tokens": 640, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 64, "audio_tokens": 0},
}
OPENAI_RESPONSES = {
    "input_tokens": 1000,
    "input_tokens_details": {"cached_tokens": 640},
    "output_tokens": 200,
    "output_tokens_details": {"reasoning_tokens": 64},
    "total_tokens": 1200,
}
ANTHROPIC = {
    "input_tokens": 60,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 640,
    "output_tokens": 200,
    "service_tier": "standard",
}
LANGCHAIN = {
    "input_tokens": 1000,
    "output_tokens": 200,
    "total_tokens": 1200,
    "input_token_details": {"cache_read": 640, "cache_creation": 300},
    "output_token_details": {"reasoning": 64},
}
GEMINI = {
    "prompt_token_count": 900,
    "tool_use_prompt_token_count": 100,
    "candidates_token_count": 136,
    "thoughts_token_count": 64,
    "cached_content_token_count": 640,
    "total_token_count": 1200,
}
GEMINI_REST = {"promptTokenCount": 1000, "candidatesTokenCount": 200, "cachedContentTokenCount": 640}
BEDROCK = {"inputTokens": 60, "outputTokens": 200, "cacheReadInputTokens": 640, "cacheWriteInputTokens": 300}

SHAPES: list[tuple[dict[str, Any], Usage]] = [
    (OPENAI_CHAT, Usage(1000, 200, 640, 0, 64)),
    (OPENAI_RESPONSES, Usage(1000, 200, 640, 0, 64)),
    (ANTHROPIC, Usage(1000, 200, 640, 300)),
    (LANGCHAIN, Usage(1000, 200, 640, 300, 64)),
    (GEMINI, Usage(1000, 200, 640, 0, 64)),
    (GEMINI_REST, Usage(1000, 200, 640)),
    (BEDROCK, Usage(1000, 200, 640, 300)),
    ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 4}, Usage(10, 5, 4)),
    ({"prompt_tokens": 8, "total_tokens": 8}, Usage(8, 0)),
    ({"input_tokens": 10, "output_tokens": 5}, Usage(10, 5)),
    ({"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": None}, Usage(10, 5)),
    ({"input_tokens": 100, "output_tokens": 5, "cache_read_tokens": 90}, Usage(100, 5, 90)),
    ({"input_tokens": 5, "output_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 20}}, Usage(25, 1, 0, 20)),
    ({"tokens": {"input_tokens": 10.0, "output_tokens": 5.0}}, Usage(10, 5)),
    ({"prompt_eval_count": 26, "eval_count": 259}, Usage(26, 259)),
    ({"input": 10, "output": 5, "cached": 4}, Usage(10, 5, 4)),
]


def as_object(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**{name: as_object(item) for name, item in value.items()})
    return value


@pytest.mark.parametrize(("given_usage", "usage"), SHAPES)
def test_each_provider_is_understood(given_usage: dict[str, Any], usage: Usage) -> None:
    assert usage_of(given_usage) == usage
    assert usage_of({"id": "r1", "model": "m", "usage": given_usage}) == usage
    if "cached" not in given_usage:
        assert usage_of(as_object(given_usage)) == usage
        assert usage_of(as_object({"usage": given_usage})) == usage
        assert usage_of(as_object({"content": "hi", "usage_metadata": given_usage})) == usage


def test_the_cache_is_a_part_of_the_input_of_everyone() -> None:
    inputs = [usage_of(shape).input for shape in (OPENAI_CHAT, OPENAI_RESPONSES, ANTHROPIC, LANGCHAIN, GEMINI, BEDROCK)]
    assert inputs == [1000] * 6


def test_reasoning_that_a_provider_counts_beside_the_output_is_output() -> None:
    beside = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 35}
    assert usage_of({**beside, "completion_tokens_details": {"reasoning_tokens": 20}}) == Usage(10, 25, 0, 0, 20)


def test_a_usage_is_taken_as_it_is() -> None:
    usage = Usage(3, 2)
    assert usage_of(usage) is usage
    assert usage.total == 5


@pytest.mark.parametrize(
    ("given_usage", "field"),
    [
        ({"prompt_tokens": -1, "completion_tokens": 5}, "prompt_tokens"),
        ({"prompt_tokens": 10, "completion_tokens": math.nan}, "completion_tokens"),
        ({"prompt_tokens": math.inf, "completion_tokens": 1}, "prompt_tokens"),
        ({"prompt_tokens": 10.5, "completion_tokens": 1}, "prompt_tokens"),
        ({"prompt_tokens": "10", "completion_tokens": 1}, "prompt_tokens"),
        ({"prompt_tokens": True, "completion_tokens": 1}, "prompt_tokens"),
        ({"prompt_tokens": 10**30, "completion_tokens": 1}, "prompt_tokens"),
        ({"prompt_tokens": 10}, "completion_tokens"),
        ({"completion_tokens": 10}, "prompt_tokens"),
        ({"output_tokens": 10}, "input_tokens"),
        ({"input_tokens": 10}, "output_tokens"),
        ({"input_tokens": 10, "output_tokens": 1, "cache_read_input_tokens": -3}, "cache_read_input_tokens"),
        ({"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 11}}, "cached"),
        ({**LANGCHAIN, "input_token_details": {"cache_read": 900, "cache_creation": 200}}, "cache_written"),
        ({"input": 1, "output": 1, "reasoning": 2}, "reasoning"),
        ({"eval_count": [1]}, "eval_count"),
        ({}, "usage"),
        ({"usage": None}, "usage"),
        (None, "usage"),
        ("usage", "usage"),
        ([1, 2], "usage"),
    ],
)
def test_nonsense_is_an_error_that_names_the_field(given_usage: Any, field: str) -> None:
    with pytest.raises(UsageError) as caught:
        usage_of(given_usage)
    assert caught.value.field == field
    assert f"field={field}" in str(caught.value) or field == "usage"
    assert isinstance(caught.value, InvalidArgumentError) and isinstance(caught.value, ValueError)
    assert pickle.loads(pickle.dumps(caught.value)).field == field


def test_a_usage_within_itself_is_no_usage() -> None:
    endless: dict[str, Any] = {}
    endless["usage"] = endless
    with pytest.raises(UsageError):
        usage_of(endless)


@given(st.integers(0, TOKENS_MAX), st.integers(0, TOKENS_MAX), st.data())
def test_parts_never_exceed_the_whole(total: int, output: int, data: st.DataObject) -> None:
    cached = data.draw(st.integers(0, total))
    written = data.draw(st.integers(0, total - cached))
    fresh = total - cached - written
    anthropic = {"input_tokens": fresh, "output_tokens": output}
    anthropic |= {"cache_read_input_tokens": cached, "cache_creation_input_tokens": written}
    langchain = {"input_tokens": total, "output_tokens": output, "total_tokens": total + output}
    langchain_details = {"input_token_details": {"cache_read": cached, "cache_creation": written}}
    assert usage_of(anthropic) == usage_of(langchain | langchain_details) == Usage(total, output, cached, written)


_NUMBERS = st.one_of(st.none(), st.integers(), st.floats(), st.booleans(), st.text(max_size=3), st.lists(st.integers()))
_FIELDS = st.sampled_from(
    ["prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "cache_read_input_tokens"]
)


@given(st.dictionaries(_FIELDS, _NUMBERS))
def test_anything_is_a_usage_or_the_one_error(value: dict[str, Any]) -> None:
    try:
        usage = usage_of(value)
    except UsageError:
        return
    assert 0 <= usage.cached + usage.cache_written <= usage.input


@pytest.mark.parametrize(
    ("response", "model"),
    [
        ({"model": "gpt-4o-2024-08-06", "usage": OPENAI_CHAT}, "gpt-4o-2024-08-06"),
        (SimpleNamespace(model="claude-opus-4-5", usage=as_object(ANTHROPIC)), "claude-opus-4-5"),
        (SimpleNamespace(response_metadata={"model_name": "gpt-4o"}, usage_metadata=LANGCHAIN), "gpt-4o"),
        ({"modelVersion": "gemini-2.5-pro"}, "gemini-2.5-pro"),
        (OPENAI_CHAT, None),
        ({"model": 3}, None),
        (None, None),
    ],
)
def test_a_response_says_which_model_answered(response: Any, model: str | None) -> None:
    assert model_in(response) == model


def test_a_message_of_langchain_is_understood() -> None:
    messages = pytest.importorskip("langchain_core.messages")
    message = messages.AIMessage("hi", usage_metadata=LANGCHAIN, response_metadata={"model_name": "gpt-4o"})
    assert usage_of(message) == Usage(1000, 200, 640, 300, 64)
    assert model_in(message) == "gpt-4o"
