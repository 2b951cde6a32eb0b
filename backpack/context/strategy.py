"""What a strategy is asked, what it answers, and what decides which messages are kept besides.

A strategy says of each message that may go what becomes of it. It never has to care for what must stay: messages in
`Request.protected` are kept whatever it says, and a plan that breaks a group is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from backpack.context.config import ContextConfig, PreserveRule
from backpack.context.groups import Group
from backpack.context.message import View


@dataclass(frozen=True, slots=True)
class Request:
    """The messages of a conversation, and what there is room for. Places are indexes into `views`."""

    views: Sequence[View]
    tokens: Sequence[int]
    """Of each message."""
    config: ContextConfig
    target_tokens: int
    """What messages and summary should come to, so that compression has not to run again at once."""
    limit_tokens: int
    """What they may come to."""
    protected: frozenset[int]
    """What stays as it is."""
    open: tuple[Group, ...]
    """The groups that may go, each whole, by their first message."""
    previous_tokens: int = 0
    """Of the summary that the next one will contain."""

    @property
    def protected_tokens(self) -> int:
        """What all that stays comes to."""
        return sum(self.tokens[place] for place in self.protected)

    def cost(self, group: Group) -> int:
        """The tokens of a group."""
        return sum(self.tokens[place] for place in group)

    def summary_of(self, tokens: int) -> int:
        """The size of the summary of so many tokens and of the summary before.

        By ratio it is never less than that was: else each compression of little would make less of all before.
        """
        size = self.config.summary_tokens(tokens + self.previous_tokens)
        return size if self.config.compression_target_tokens is not None else max(size, self.previous_tokens)


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of each message: every place is in exactly one of the three, ascending."""

    kept: tuple[int, ...]
    summarized: tuple[int, ...]
    dropped: tuple[int, ...]
    reasons: Mapping[int, str] = field(default_factory=dict)
    """Why a message is kept or dropped, in a word or two."""
    strategy: str = ""
    """Which one made it; of `auto` the one it chose."""
    notes: tuple[str, ...] = ()
    """What the summary is to say of calls that were dropped as repeated."""
    summary_tokens: int = 0
    """The size that the summary aims at; 0 is no summary."""
    kept_tokens: int = 0
    """What the kept messages come to."""

    @property
    def is_empty(self) -> bool:
        """Does it change nothing?"""
        return not self.summarized and not self.dropped


class Strategy(Protocol):
    """Decides what becomes of the messages that may go."""

    @property
    def name(self) -> str:
        """What it is called in logs."""
        ...

    def plan(self, request: Request) -> Plan:
        """The plan. Only `kept`, `summarized`, `dropped` and `reasons` count; what is in none of them is summarized."""
        ...


@runtime_checkable
class Preserve(Protocol):
    """A rule for messages that are kept besides."""

    def keeps(self, view: View) -> bool:
        """Is this one kept?"""
        ...


def preserving(rules: Sequence[PreserveRule]) -> Callable[[View], str | None]:
    """What says why a message is kept by rules: which kind of rule; None where none of them keeps it."""
    words = tuple(rule.casefold() for rule in rules if isinstance(rule, str))
    objects = [rule for rule in rules if not isinstance(rule, str) and callable(getattr(rule, "keeps", None))]
    hooks: list[Callable[[Any], object]] = [
        rule
        for rule in rules
        if not isinstance(rule, str) and not callable(getattr(rule, "keeps", None)) and callable(rule)
    ]

    def reason(one: View) -> str | None:
        if words:
            text = "\n".join((one.text, *(f"{call.name} {call.arguments}" for call in one.calls))).casefold()
            if any(word in text for word in words):
                return "words"
        if any(rule.keeps(one) for rule in objects if isinstance(rule, Preserve)):
            return "rule"
        return "hook" if any(hook(one.raw) for hook in hooks) else None

    return reason
