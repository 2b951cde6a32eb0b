"""How large what would be sent is, and when that is too much. All in tokens.

    total = messages + tools + what a reply is primed with + what the model counts beyond that + reserve for the answer

`limit` is the most that may be sent, the reserve included: the window, or `max_context_tokens`. What the last call has
counted beyond what was counted here (system prompts and tools that nobody told of, say) is kept free as well, a quarter
of the limit at most: a usage may be of another call, or wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from backpack.context.adapting import adapted
from backpack.context.config import ContextConfig

_UNSEEN_PART: Final = 4
_STEP_PART: Final = 10
"""A compression ends below the threshold by this part of it, where what stays allows that: the next one is not due at
once."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of one call."""

    messages: int
    """The context: all messages and the summary."""
    overhead: int
    """Tools, what a reply is primed with, notes."""
    unseen: int
    reserve: int
    limit: int
    threshold: int | None
    """Above it a compression runs; None is never."""

    @property
    def current(self) -> int:
        """What would be sent, as counted here."""
        return self.messages + self.overhead

    @property
    def total(self) -> int:
        """All that counts."""
        return self.messages + self.overhead + self.unseen + self.reserve

    @property
    def is_over_limit(self) -> bool:
        """Is it more than may be sent?"""
        return self.total > self.limit

    @property
    def room(self) -> int:
        """What messages may come to at most."""
        return self.limit - self.overhead - self.unseen - self.reserve

    @property
    def soft_room(self) -> int:
        """What messages should come to so that no compression is due soon."""
        if self.threshold is None:
            return self.room
        aim = self.threshold - self.threshold // _STEP_PART
        return min(self.room, aim - self.overhead - self.unseen - self.reserve)


def sizes_of(
    config: ContextConfig, model_window: int, messages: int, overhead: int, unseen: int, growths: Sequence[int]
) -> Sizes:
    """The sizes of a call with these settings."""
    limit = config.window(model_window)
    threshold = config.trigger(limit) if config.enable_compression else None
    if threshold is not None:  # never is never
        threshold = min(adapted(threshold, limit, growths) if config.adaptive else threshold, limit)
    return Sizes(messages, overhead, min(unseen, limit // _UNSEEN_PART), config.answer_reserve, limit, threshold)
