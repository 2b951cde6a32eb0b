"""How a conversation is kept small: every setting, checked as a whole, and the presets.

Some settings weigh differently when somebody set them: of `compression_threshold` and `threshold_percent` those that
were set count, the lower one when both were, and both defaults when none was. `messages_to_keep` is what
`short_term_size` is unless it was set. So a default is an int of a class of its own, which `dataclasses.replace` hands
on as what it is; and so is the one of these two that was set, so that in a copy the other one can take its place.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from backpack.core.limits import as_shown
from backpack.errors import InvalidArgumentError

if TYPE_CHECKING:
    from backpack.context.strategy import Preserve, Strategy

STRATEGIES: Final = ("auto", "sliding_window", "selective", "deletion")
PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "aggressive": {
        "compression_threshold": 30_000,
        "compression_ratio": 0.2,
        "messages_to_keep": 10,
        "strategy": "sliding_window",
    },
    "balanced": {
        "compression_threshold": 40_000,
        "compression_ratio": 0.3,
        "messages_to_keep": 20,
        "strategy": "sliding_window",
    },
    "conservative": {
        "compression_threshold": 60_000,
        "compression_ratio": 0.5,
        "messages_to_keep": 30,
        "strategy": "selective",
    },
}

PreserveRule: TypeAlias = "str | Callable[[Any], object] | Preserve"
_COUNT_MAX: Final = 1 << 53


class _Default(int):
    """A figure that nobody set."""

    __slots__ = ()


class _Settled(int):
    """A figure that was set and settled: in a copy it gives way to one that is set anew."""

    __slots__ = ()


def is_set(figure: object) -> bool:
    """Is this a figure that somebody set, not None and not a default?"""
    return figure is not None and not isinstance(figure, _Default)


THRESHOLD: Final = _Default(40_000)
PERCENT: Final = _Default(70)
KEPT: Final = _Default(20)


@dataclass(frozen=True, slots=True)
class Governor:
    """Two figures of what is about to be sent, in tokens.

    Above `warn` the model and the caller are told; above `pointer` large contents go to the memory until it fits. Each
    happens once per crossing.
    """

    warn: int = 20_000
    pointer: int = 40_000

    def __post_init__(self) -> None:
        _count("governor.warn", self.warn, 1)
        _count("governor.pointer", self.pointer, 1)
        if self.pointer < self.warn:
            raise InvalidArgumentError(
                f"governor.pointer is {self.warn} (governor.warn) or more: pointer={self.pointer}, warn={self.warn}"
            )


@dataclass(frozen=True, slots=True)
class ContextConfig:
    """The settings of a conversation; sizes are tokens. A wrong one is an `InvalidArgumentError`, a ValueError.

    >>> ContextConfig(threshold_percent=70).trigger(262_144)
    183500
    >>> ContextConfig.preset("aggressive", messages_to_keep=6).messages_to_keep
    6
    """

    enable_compression: bool = True
    max_context_tokens: int | None = None
    """The most that may be sent, the reserve for the answer included; None is the window of the model."""
    preserve_system_prompts: bool = True
    """System messages stay as they are. If not, they are compressed like any other message."""
    preserve_tool_calls: bool = True
    """`selective` keeps calls and their results. A group of both is never broken, whatever this says."""
    compression_threshold: int | None = THRESHOLD
    """More tokens than this are compressed; None is no such threshold."""
    threshold_percent: float | None = PERCENT
    """More than this part of the window is compressed; 100 is never, by percent."""
    short_term_size: int = KEPT
    messages_to_keep: int = KEPT
    """The last messages, that stay as they are, system messages not counted; unless set it is `short_term_size`."""
    compression_ratio: float = 0.3
    """The size that a summary aims at, as a part of what it stands for."""
    compression_target_tokens: int | None = None
    """A fixed size that a summary aims at, in place of the ratio."""
    strategy: "str | Strategy" = "auto"
    preserve: tuple[PreserveRule, ...] = ()
    """What `selective` keeps besides: words (in any case), functions of a message, `Preserve` objects."""
    adaptive: bool = False
    """Move the threshold down by the growth per turn that was observed."""
    answer_reserve: int = 0
    """Room for what the model answers."""
    turn_results_tokens: int | None = None
    """What the results of tools within one turn may come to together; None is no such budget."""
    result_floor_tokens: int = 300
    """What an item of these results is shortened to at most, where that fits."""
    recent_message_tokens_max: int | None = None
    """What one of the last messages may have; larger content goes to the memory. None is no such size."""
    governor: bool | Governor | None = None
    """None or False is none; True takes the figures of `Governor`."""

    def __post_init__(self) -> None:
        for name in ("enable_compression", "preserve_system_prompts", "preserve_tool_calls", "adaptive"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise InvalidArgumentError(f"{name} is True or False: {name}={_shown(value)}")
        for name, least in _COUNTS.items():
            _count(name, getattr(self, name), least, is_optional=name in _OPTIONAL)
        percent = self.threshold_percent
        if percent is not None and not (_is_number(percent) and 0 < percent <= 100):
            raise InvalidArgumentError(
                f"threshold_percent is a number above 0 and up to 100, or None: threshold_percent={_shown(percent)}"
            )
        if not (_is_number(self.compression_ratio) and 0 < self.compression_ratio < 1):
            raise InvalidArgumentError(
                "compression_ratio is a number between 0 and 1, without these: "
                f"compression_ratio={_shown(self.compression_ratio)}"
            )
        self._settle_counts()
        self._settle_rules()
        self._check_strategy()
        if self.governor is not None and not isinstance(self.governor, bool | Governor):
            raise InvalidArgumentError(f"governor is True, a Governor, or None: governor={_shown(self.governor)}")
        if self.max_context_tokens is not None and self.answer_reserve >= self.max_context_tokens:
            raise InvalidArgumentError(
                "answer_reserve is less than max_context_tokens: "
                f"answer_reserve={self.answer_reserve}, max_context_tokens={self.max_context_tokens}"
            )

    @classmethod
    def preset(cls, name: str, **changes: Any) -> "ContextConfig":
        """The settings of that name, some of them changed: `aggressive`, `balanced`, `conservative`.

        >>> ContextConfig.preset("balanced", compression_threshold=2_000).messages_to_keep
        20
        """
        if not isinstance(name, str) or name not in PRESETS:
            said = repr(name[:40]) if isinstance(name, str) else type(name).__name__
            raise InvalidArgumentError(f"there is no such preset: name={said}; there are {', '.join(PRESETS)}")
        settings = dict(PRESETS[name])
        if "short_term_size" in changes:
            del settings["messages_to_keep"]
        return cls(**{**settings, **changes})

    @classmethod
    def aggressive(cls, **changes: Any) -> "ContextConfig":
        """Above 30,000 tokens, to a fifth, the last 10 messages kept."""
        return cls.preset("aggressive", **changes)

    @classmethod
    def balanced(cls, **changes: Any) -> "ContextConfig":
        """Above 40,000 tokens, to 0.3, the last 20 messages kept."""
        return cls.preset("balanced", **changes)

    @classmethod
    def conservative(cls, **changes: Any) -> "ContextConfig":
        """Above 60,000 tokens, to a half, the last 30 messages kept, and calls, results and errors with them."""
        return cls.preset("conservative", **changes)

    def changed(self, **changes: Any) -> "ContextConfig":
        """The same settings with some changed, all of them checked again."""
        counts = {"messages_to_keep", "short_term_size"}
        if len(counts & changes.keys()) == 1:  # the other one follows
            changes.update(dict.fromkeys(counts - changes.keys(), KEPT))
        return replace(self, **changes)

    def window(self, model_window: int) -> int:
        """All that one call may have, answer included: `max_context_tokens`, or else what the model has."""
        _count("model_window", model_window, 1)
        return model_window if self.max_context_tokens is None else self.max_context_tokens

    def trigger(self, window: int) -> int | None:
        """The tokens above which compression runs; None is never, by threshold."""
        _count("window", window, 1)
        tokens, percent = self.compression_threshold, self.threshold_percent
        is_any = any(is_set(figure) for figure in (tokens, percent))
        found = []
        if tokens is not None and (is_set(tokens) or not is_any):
            found.append(int(tokens))
        if percent is not None and percent < 100 and (is_set(percent) or not is_any):
            found.append(int(window * percent / 100))
        return min(found, default=None)

    def summary_tokens(self, tokens: int) -> int:
        """The size that a summary of so many tokens aims at."""
        _count("tokens", tokens, 0)
        if self.compression_target_tokens is not None:
            return self.compression_target_tokens
        return int(tokens * self.compression_ratio)

    @property
    def governing(self) -> Governor | None:
        """The figures of the governor, if it is on."""
        if isinstance(self.governor, Governor):
            return self.governor
        return Governor() if self.governor else None

    def _settle_counts(self) -> None:
        kept, short = self.messages_to_keep, self.short_term_size
        is_kept_set, is_short_set = is_set(kept), is_set(short)
        is_anew = not isinstance(kept, _Settled), not isinstance(short, _Settled)
        if is_kept_set and is_short_set and kept != short and any(is_anew):
            is_kept_set, is_short_set = is_anew  # in a copy the one that was there before gives way
        if is_kept_set and is_short_set and kept != short:
            raise InvalidArgumentError(
                "messages_to_keep and short_term_size mean the same, set one of them: "
                f"messages_to_keep={kept}, short_term_size={short}"
            )
        figure = kept if is_kept_set else short
        for name, is_this_set in (("messages_to_keep", is_kept_set), ("short_term_size", is_short_set)):
            object.__setattr__(self, name, _Settled(figure) if is_this_set else _Default(figure))

    def _settle_rules(self) -> None:
        given = self.preserve
        rules = tuple(given) if isinstance(given, list | tuple | set | frozenset) else (given,)
        for rule in rules:
            if not (callable(rule) or callable(getattr(rule, "keeps", None)) or (isinstance(rule, str) and rule)):
                raise InvalidArgumentError(
                    "preserve has words, functions of a message, and objects with a method `keeps`: "
                    f"rule={_shown(rule)}"
                )
        object.__setattr__(self, "preserve", rules)

    def _check_strategy(self) -> None:
        if isinstance(self.strategy, str):
            if self.strategy not in STRATEGIES:
                raise InvalidArgumentError(
                    f"strategy is one of {', '.join(STRATEGIES)}, or an object with a method `plan`: "
                    f"strategy={self.strategy[:40]!r}"
                )
        elif not callable(getattr(self.strategy, "plan", None)) or isinstance(self.strategy, type):
            raise InvalidArgumentError(
                f"strategy is one of {', '.join(STRATEGIES)}, or an object with a method `plan`: "
                f"strategy={_shown(self.strategy)}"
            )


_COUNTS: Final = {
    "max_context_tokens": 1,
    "compression_threshold": 1,
    "short_term_size": 0,
    "messages_to_keep": 0,
    "compression_target_tokens": 1,
    "answer_reserve": 0,
    "turn_results_tokens": 1,
    "result_floor_tokens": 1,
    "recent_message_tokens_max": 1,
}
"""Whole numbers, and the least that each may be."""

_OPTIONAL: Final = frozenset(
    (
        "max_context_tokens",
        "compression_threshold",
        "compression_target_tokens",
        "turn_results_tokens",
        "recent_message_tokens_max",
    )
)


def _count(name: str, value: object, least: int, *, is_optional: bool = False) -> None:
    if is_optional and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _COUNT_MAX:
        rest = ", or None" if is_optional else ""
        raise InvalidArgumentError(f"{name} is a whole number from {least} to 2**53{rest}: {name}={_shown(value)}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _shown(value: object) -> str:
    """A number as it is; of anything else its type, for it may be somebody's value."""
    return as_shown(value) if isinstance(value, int | float) or value is None else type(value).__name__
