"""The settings of a conversation: what they mean together, and that a wrong one is refused by name."""

import dataclasses
import pickle
from typing import Any

import pytest

from backpack.context.config import ContextConfig, Governor
from backpack.errors import InvalidArgumentError


def test_the_defaults_are_those_that_are_written_down() -> None:
    config = ContextConfig()
    assert (config.enable_compression, config.max_context_tokens) == (True, None)
    assert (config.preserve_system_prompts, config.preserve_tool_calls) == (True, True)
    assert (config.compression_threshold, config.threshold_percent) == (40_000, 70)
    assert (config.messages_to_keep, config.short_term_size, config.compression_ratio) == (20, 20, 0.3)
    assert config.strategy == "auto" and config.governing is None and config.result_floor_tokens == 300


def test_a_percentage_of_the_window_is_cut_to_a_whole_number() -> None:
    assert ContextConfig(threshold_percent=70).trigger(262_144) == 183_500
    assert ContextConfig(threshold_percent=33.3).trigger(1_000) == 333


def test_a_hundred_percent_never_compresses() -> None:
    assert ContextConfig(threshold_percent=100).trigger(262_144) is None
    assert ContextConfig(threshold_percent=100, compression_threshold=500).trigger(262_144) == 500


@pytest.mark.parametrize(
    ("settings", "trigger"),
    [
        ({}, 40_000),
        ({"compression_threshold": 90_000}, 90_000),
        ({"compression_threshold": 90_000, "threshold_percent": 50}, 50_000),
        ({"compression_threshold": 30_000, "threshold_percent": 50}, 30_000),
        ({"compression_threshold": None}, 70_000),
        ({"threshold_percent": None}, 40_000),
        ({"compression_threshold": None, "threshold_percent": None}, None),
    ],
)
def test_of_two_thresholds_those_that_were_set_count_and_the_lower_wins(
    settings: dict[str, Any], trigger: int | None
) -> None:
    assert ContextConfig(**settings).trigger(100_000) == trigger


def test_a_small_window_lowers_the_default_threshold() -> None:
    assert ContextConfig().trigger(8_192) == 5_734


def test_the_kept_messages_are_the_short_term_unless_set() -> None:
    assert ContextConfig(short_term_size=7).messages_to_keep == 7
    assert ContextConfig(messages_to_keep=8).short_term_size == 8
    assert ContextConfig(messages_to_keep=8, short_term_size=8).messages_to_keep == 8
    with pytest.raises(InvalidArgumentError, match="messages_to_keep=8, short_term_size=9"):
        ContextConfig(messages_to_keep=8, short_term_size=9)


def test_what_nobody_set_stays_unset_in_a_changed_copy() -> None:
    config = dataclasses.replace(ContextConfig(messages_to_keep=8), short_term_size=8)
    assert config.messages_to_keep == 8
    assert ContextConfig(short_term_size=5).changed(messages_to_keep=6).short_term_size == 6
    assert ContextConfig().changed(threshold_percent=50).trigger(100_000) == 50_000
    assert pickle.loads(pickle.dumps(ContextConfig())).changed(threshold_percent=50).trigger(100_000) == 50_000


@pytest.mark.parametrize("name", ["messages_to_keep", "short_term_size"])
@pytest.mark.parametrize(
    "config",
    [
        ContextConfig.balanced(),
        ContextConfig(short_term_size=7),
        ContextConfig(),
        ContextConfig(messages_to_keep=30, short_term_size=30),
    ],
)
def test_in_a_copy_either_name_of_what_stays_can_be_set(config: ContextConfig, name: str) -> None:
    for one in (config, pickle.loads(pickle.dumps(config)), dataclasses.replace(config, compression_ratio=0.5)):
        made: Any = dataclasses.replace(one, **{name: 9})  # type: ignore[arg-type]
        assert (made.messages_to_keep, made.short_term_size) == (9, 9)
    with pytest.raises(InvalidArgumentError, match="mean the same"):
        dataclasses.replace(config, messages_to_keep=8, short_term_size=9)
    kept = dataclasses.replace(config, compression_ratio=0.5).messages_to_keep
    assert kept == config.messages_to_keep


@pytest.mark.parametrize(
    ("name", "threshold", "ratio", "kept", "strategy"),
    [
        ("aggressive", 30_000, 0.2, 10, "sliding_window"),
        ("balanced", 40_000, 0.3, 20, "sliding_window"),
        ("conservative", 60_000, 0.5, 30, "selective"),
    ],
)
def test_presets(name: str, threshold: int, ratio: float, kept: int, strategy: str) -> None:
    config = ContextConfig.preset(name)
    assert config == getattr(ContextConfig, name)()
    assert (config.trigger(1_000_000), config.compression_ratio) == (threshold, ratio)
    assert (config.messages_to_keep, config.short_term_size, config.strategy) == (kept, kept, strategy)


def test_fields_override_a_preset() -> None:
    assert ContextConfig.preset("balanced", short_term_size=4).messages_to_keep == 4
    assert ContextConfig.aggressive(compression_ratio=0.1).compression_ratio == 0.1
    with pytest.raises(InvalidArgumentError, match="aggressive, balanced, conservative"):
        ContextConfig.preset("reckless")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("enable_compression", "adaptive", "preserve_tool_calls") for value in (1, "yes")),
        *(("compression_threshold", value) for value in (0, -1, 1.5, True, "40000", float("nan"), 10**30)),
        *(("threshold_percent", value) for value in (0, 101, -1, True, "70", float("nan"), float("inf"))),
        *(("compression_ratio", value) for value in (0, 1, -0.1, True, float("nan"), None, "0.3")),
        *(("messages_to_keep", value) for value in (-1, 1.0, True, None)),
        *(("answer_reserve", value) for value in (-1, None)),
        *(("max_context_tokens", value) for value in (0, False)),
        *(("strategy", value) for value in ("fancy", None, 3, dict)),
        *(("preserve", value) for value in ("", ("",), 3, (3,), (None,))),
        *(("governor", value) for value in (1, "on")),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_setting(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        ContextConfig(**{name: value})


def test_an_error_never_says_a_value_of_somebody() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        ContextConfig(compression_threshold="swordfish")  # type: ignore[arg-type]
    assert "swordfish" not in str(caught.value) and "str" in str(caught.value)


def test_the_reserve_leaves_something_of_the_most_that_may_be_sent() -> None:
    with pytest.raises(InvalidArgumentError, match="answer_reserve"):
        ContextConfig(max_context_tokens=1_000, answer_reserve=1_000)


def test_the_governor_is_off_unless_set_and_has_two_figures() -> None:
    assert ContextConfig(governor=False).governing is None
    assert ContextConfig(governor=True).governing == Governor(20_000, 40_000)
    assert ContextConfig(governor=Governor(warn=5, pointer=6)).governing == Governor(5, 6)
    with pytest.raises(InvalidArgumentError, match="pointer"):
        Governor(warn=10, pointer=5)
