"""What a call to a model used, read from whatever the provider says.

Providers agree on the words and not on their meaning. Here `input` is all that went in, `output` all that came out;
what was read from a cache or written to one is part of the input, what was reasoned is part of the output.

| shape | input | cached |
|---|---|---|
| OpenAI chat | `prompt_tokens`, all of it | `prompt_tokens_details.cached_tokens` |
| DeepSeek | `prompt_tokens`, all of it | `prompt_cache_hit_tokens` |
| OpenAI responses | `input_tokens`, all of it | `input_tokens_details.cached_tokens` |
| LangChain `usage_metadata` | `input_tokens`, all of it | `input_token_details.cache_read`, `.cache_creation` |
| Anthropic | `input_tokens`, **without** the cache | `cache_read_input_tokens`, `cache_creation_input_tokens` |
| Bedrock | `inputTokens`, **without** the cache | `cacheReadInputTokens`, `cacheWriteInputTokens` |
| Gemini | `prompt_token_count` + `tool_use_prompt_token_count` | `cached_content_token_count` |
| Cohere, Ollama | `tokens.input_tokens`; `prompt_eval_count` | - |

Each may be a dict or an object, alone or in the response it came with. Numbers are looked at before any is used: a
count that is missing, no whole number, negative or larger than what it is part of raises `UsageError`, which names the
field.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backpack.errors import UsageError

TOKENS_MAX: Final = 10**12
"""Of one call: a million times what any window holds. More is nonsense."""

_WRAPPERS: Final = ("usage", "usage_metadata", "usageMetadata", "response_metadata", "token_usage", "meta", "message")
"""Where a response keeps its usage, in the order to look."""

_DEPTH_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. `cached` and `cache_written` are parts of `input`, `reasoning` is a part of `output`."""

    input: int
    output: int
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0

    def __post_init__(self) -> None:
        for field in ("input", "output", "cached", "cache_written", "reasoning"):
            object.__setattr__(self, field, _checked(getattr(self, field), field))
        if self.cached + self.cache_written > self.input:
            field = "cached" if self.cached > self.input else "cache_written"
            raise _wrong(field, f"is more than the input: value={getattr(self, field)}, input={self.input}")
        if self.reasoning > self.output:
            raise _wrong("reasoning", f"is more than the output: value={self.reasoning}, output={self.output}")

    @property
    def total(self) -> int:
        """Input and output."""
        return self.input + self.output


def usage_of(value: Any) -> Usage:
    """The usage in a response or a usage of any shape above. O(1).

    >>> usage_of({"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 90}).input
    100

    Raises UsageError for what holds none, or holds nonsense.
    """
    return _found(value, 0) or _none(value)


def model_in(value: Any) -> str | None:
    """Which model a response says has answered; None where it doesn't say."""
    for place in (value, _get(value, "response_metadata"), _get(value, "message")):
        for field in ("model", "model_name", "model_version", "modelVersion", "model_id"):
            name = _get(place, field)
            if isinstance(name, str) and name:
                return name
    return None


def _none(value: Any) -> Usage:
    raise UsageError(
        "no usage is in it; a response or its usage has fields such as prompt_tokens or input_tokens: "
        f"type={type(value).__name__}",
        field="usage",
    )


def _found(value: Any, depth: int) -> Usage | None:
    if isinstance(value, Usage):
        return value
    if value is None or isinstance(value, str | bytes | int | float) or depth > _DEPTH_MAX:
        return None
    for read in (_openai_chat, _gemini, _ollama, _bedrock, _input_output, _ours):
        found = read(value)
        if found is not None:
            return found
    for field in ("tokens", "billed_units", *_WRAPPERS):
        found = _found(_get(value, field), depth + 1)
        if found is not None:
            return found
    return None


def _openai_chat(value: Any) -> Usage | None:
    if not _has(value, "prompt_tokens", "completion_tokens"):
        return None
    details = _get(value, "prompt_tokens_details")
    cached = _first((details, "cached_tokens"), (value, "prompt_cache_hit_tokens"), (value, "cache_read_input_tokens"))
    written = _first((details, "cache_creation_tokens"), (value, "cache_creation_input_tokens"))
    prompt = _required(value, "prompt_tokens")
    is_embedding = _get(value, "completion_tokens") is None and _get(value, "total_tokens") == prompt
    output = 0 if is_embedding else _required(value, "completion_tokens")
    return _whole(value, prompt, output, cached, written, _get(value, "completion_tokens_details"))


def _input_output(value: Any) -> Usage | None:
    """`input_tokens` and `output_tokens`, in which three families mean two things."""
    if not _has(value, "input_tokens", "output_tokens"):
        return None
    given, output = _required(value, "input_tokens"), _required(value, "output_tokens")
    for field, read, write in (
        ("input_tokens_details", "cached_tokens", "cache_write_tokens"),
        ("input_token_details", "cache_read", "cache_creation"),
    ):
        details = _get(value, field)
        if details is not None:
            written = _optional(details, write) or _sum_of_lifetimes(details)
            reasoned = _get(value, field.replace("input", "output"))
            return _whole(value, given, output, _optional(details, read), written, reasoned)
    cached = _first((value, "cache_read_input_tokens"), (value, "cache_read_tokens"))
    written = _first((value, "cache_creation_input_tokens"), (value, "cache_write_tokens"))
    written = written or _sum_of_lifetimes(_get(value, "cache_creation"))
    is_without = not _has(value, "cache_read_tokens", "cache_write_tokens")
    if is_without and _get(value, "total_tokens") != given + output:
        given += cached + written
    return _whole(value, given, output, cached, written, _get(value, "output_tokens_details"))


def _bedrock(value: Any) -> Usage | None:
    if not _has(value, "inputTokens", "outputTokens"):
        return None
    given, output = _required(value, "inputTokens"), _required(value, "outputTokens")
    cached, written = _optional(value, "cacheReadInputTokens"), _optional(value, "cacheWriteInputTokens")
    return Usage(given + cached + written, output, cached, written)


def _gemini(value: Any) -> Usage | None:
    for names in (
        (
            "prompt_token_count",
            "tool_use_prompt_token_count",
            "candidates_token_count",
            "thoughts_token_count",
            "cached_content_token_count",
        ),
        (
            "promptTokenCount",
            "toolUsePromptTokenCount",
            "candidatesTokenCount",
            "thoughtsTokenCount",
            "cachedContentTokenCount",
        ),
    ):
        prompt, tools, answer, thoughts, cached = names
        if _has(value, prompt, answer):
            given = _required(value, prompt) + _optional(value, tools)
            reasoning = _optional(value, thoughts)
            return Usage(given, _optional(value, answer) + reasoning, _optional(value, cached), 0, reasoning)
    return None


def _ollama(value: Any) -> Usage | None:
    if not _has(value, "prompt_eval_count", "eval_count"):
        return None
    return Usage(_optional(value, "prompt_eval_count"), _required(value, "eval_count"))


def _ours(value: Any) -> Usage | None:
    if not isinstance(value, Mapping) or not _has(value, "input", "output"):
        return None
    parts = (_optional(value, field) for field in ("cached", "cache_written", "reasoning"))
    return Usage(_required(value, "input"), _required(value, "output"), *parts)


def _whole(value: Any, given: int, output: int, cached: int, written: int, details: Any) -> Usage:
    """A usage whose input has the cache in it. Some providers leave reasoning out of the output: the total tells."""
    reasoning = _first((details, "reasoning_tokens"), (details, "reasoning"))
    total = _get(value, "total_tokens")
    if reasoning and type(total) is int and total == given + output + reasoning:
        output += reasoning
    return Usage(given, output, cached, written, reasoning)


def _sum_of_lifetimes(details: Any) -> int:
    """Anthropic says how long a written cache lives in the name of the field."""
    return sum(_optional(details, field) for field in ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"))


def _get(value: Any, field: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(field)
    return None if value is None else getattr(value, field, None)


def _has(value: Any, *fields: str) -> bool:
    return any(_get(value, field) is not None for field in fields)


def _first(*places: tuple[Any, str]) -> int:
    """The first of these counts that is there; 0 when none is."""
    for value, field in places:
        if _get(value, field) is not None:
            return _optional(value, field)
    return 0


def _required(value: Any, field: str) -> int:
    count = _get(value, field)
    if count is None:
        raise UsageError(f"the usage lacks a count: field={field}", field=field)
    return _checked(count, field)


def _optional(value: Any, field: str) -> int:
    count = _get(value, field)
    return 0 if count is None else _checked(count, field)


def _checked(count: Any, field: str) -> int:
    """A count as an int: whole numbers in a float too, which is how some providers write them."""
    if isinstance(count, bool) or not isinstance(count, int | float):
        raise _wrong(field, f"is no number: type={type(count).__name__}")
    if isinstance(count, float) and (not math.isfinite(count) or not count.is_integer()):
        raise _wrong(field, f"is no whole number: value={count}")
    if not 0 <= count <= TOKENS_MAX:
        raise _wrong(field, f"is not between 0 and {TOKENS_MAX:,}: value={count if abs(count) < 1e18 else 'huge'}")
    return int(count)


def _wrong(field: str, what: str) -> UsageError:
    return UsageError(f"a count of the usage {what}; field={field}", field=field)
