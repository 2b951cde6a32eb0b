"""How many tokens a text has: an estimate, unless whoever makes the `Memory` brings a counter.

Models differ; a quarter of the characters is close for English and for code, and too low for most other scripts.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

from backpack.errors import InvalidArgumentError

CHARACTERS_PER_TOKEN: Final = 4

INLINE_TOKENS_MAX: Final = 499
"""An entry up to here is short enough to stand for itself."""

CHUNK_TOKENS_MAX: Final = 4_000
"""Of one chunk; an entry with more has several."""

_COUNT_MAX: Final = 1 << 32
"""Of one text: a longer one is counted chunk by chunk."""

CountTokens = Callable[[str], int]
Tier = Literal["inline", "whole", "chunks"]


def estimate_tokens(text: str) -> int:
    """A quarter of the characters, rounded up.

    >>> estimate_tokens("a" * 1_997), estimate_tokens("")
    (500, 0)
    """
    return tokens_of_length(len(text))


def tokens_of_length(length: int) -> int:
    """What so many characters, or bytes of what is no text, are estimated to be."""
    return -(-length // CHARACTERS_PER_TOKEN)


def checked_counter(count_tokens: CountTokens) -> CountTokens:
    """A counter of somebody's whose answers are looked at: an entry with another one could not be read again.

    `InvalidArgumentError` for what can't be called, and when it answers anything but a whole number, 0 or more.
    """
    if count_tokens is estimate_tokens:
        return estimate_tokens
    if not callable(count_tokens):
        raise InvalidArgumentError(f"count_tokens is called with a text: type={type(count_tokens).__name__} can't be")

    def counted(text: str) -> int:
        count: Any = count_tokens(text)
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= _COUNT_MAX:
            raise InvalidArgumentError(
                f"count_tokens gives a whole number of tokens, 0 to {_COUNT_MAX}: type={type(count).__name__}"
            )
        return int(count)

    return counted


def tier_of(tokens: int) -> Tier:
    """How an entry of so many tokens is handled."""
    if tokens <= INLINE_TOKENS_MAX:
        return "inline"
    return "whole" if tokens <= CHUNK_TOKENS_MAX else "chunks"
