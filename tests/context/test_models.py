"""Names of models and what they mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.context.models import _FAMILIES, PERCENT_DEFAULT, WINDOW_DEFAULT, model_of
from backpack.context.names import longest_match
from backpack.errors import InvalidArgumentError


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("gpt-4o-2024-08-06", ["gpt-4", "gpt-4o"], "gpt-4o"),
        ("gpt-4o-mini-2024-07-18", ["gpt-4o", "gpt-4o-mini"], "gpt-4o-mini"),
        ("gpt-4o-mini-2024-07-18", ["gpt-4o-mini", "gpt-4o"], "gpt-4o-mini"),
        ("gpt-4o", ["gpt-4"], None),
        ("gpt-4.1", ["gpt-4"], None),
        ("GPT-4O", ["gpt-4o"], "gpt-4o"),
        ("openrouter/openai/gpt-4o", ["gpt-4o"], "gpt-4o"),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", ["claude-sonnet-4"], "claude-sonnet-4"),
        ("ft:gpt-4o-mini-2024-07-18:org::id", ["gpt-4o-mini"], "gpt-4o-mini"),
        ("my-gpt-4o", ["gpt-4o"], None),
        ("openai/gpt-4o", ["openai/gpt-4o", "gpt-4o"], "openai/gpt-4o"),
        ("azure/prod", ["azure/"], "azure/"),
        ("anything", ["", "x"], None),
    ],
)
def test_the_longest_name_that_is_meant_wins(name: str, known: list[str], found: str | None) -> None:
    assert longest_match(name, known) == found


@pytest.mark.parametrize(
    ("name", "provider", "window", "percent"),
    [
        ("gpt-4o", "openai", 128_000, 100),
        ("gpt-4-turbo-2024-04-09", "openai", 128_000, 100),
        ("gpt-4", "openai", 8_192, 100),
        ("gpt-4.1-nano", "openai", 1_047_576, 100),
        ("o3-mini-2025-01-31", "openai", 200_000, 100),
        ("gpt-5-mini", "openai", 400_000, 100),
        ("claude-3-5-sonnet-20241022", "anthropic", 200_000, 125),
        ("models/gemini-2.5-flash", "google", 1_048_576, 105),
        ("mistral-large-latest", "mistral", 131_072, 115),
        ("mixtral-8x7b-instruct", "mistral", 32_768, 125),
        ("deepseek-r1", "deepseek", 128_000, 110),
        ("meta-llama/Llama-3.3-70B-Instruct", "meta", 131_072, 110),
        ("llama-2-70b-chat", "meta", 4_096, 125),
        ("Qwen/Qwen3-Coder-480B-A35B-Instruct", "qwen", 262_144, 115),
        ("grok-4-0709", "xai", 256_000, 110),
        ("command-r-plus", "cohere", 128_000, 105),
        ("amazon.nova-pro-v1:0", "amazon", 300_000, 120),
        ("kimi-k2-0905-preview", "moonshot", 262_144, 110),
        ("my-own-model", "", WINDOW_DEFAULT, PERCENT_DEFAULT),
    ],
)
def test_a_name_says_provider_window_and_factor(name: str, provider: str, window: int, percent: int) -> None:
    model = model_of(name)
    assert (model.provider, model.window, model.percent, model.name) == (provider, window, percent, name)


def test_every_family_finds_itself() -> None:
    assert {model_of(family).family for family in _FAMILIES} == set(_FAMILIES)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 513, None, 4, b"gpt-4o", "\ud800"])
def test_what_is_no_name_is_refused(name: object) -> None:
    with pytest.raises(InvalidArgumentError):
        model_of(name)  # type: ignore[arg-type]


@given(st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=40))
def test_any_name_means_some_model(name: str) -> None:
    assert model_of(name).window > 0
