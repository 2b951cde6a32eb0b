"""How many tokens a text has: an estimate, unless whoever makes the `Memory` brings a counter.

Models differ; a quarter of the characters is close for English and for code, and too low for most other scripts.
"""

from collections.abc import Callable
from typing import Final, Literal

CHARACTERS_PER_TOKEN: Final = 4

INLINE_TOKENS_MAX: Final = 499
"""An entry up to here is short enough to stand for itself."""

CHUNK_TOKENS_MAX: Final = 4_000
"""Of one chunk; an entry with more has several."""

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


def tier_of(tokens: int) -> Tier:
    """How an entry of so many tokens is handled."""
    if tokens <= INLINE_TOKENS_MAX:
        return "inline"
    return "whole" if tokens <= CHUNK_TOKENS_MAX else "chunks"
