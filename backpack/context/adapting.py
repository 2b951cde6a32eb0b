"""The adaptive threshold: moved down by what turns were observed to add, so that one more such turn still fits.

    min(threshold, limit - 1.25 * the largest growth of the last 16 turns), but a quarter of the limit at least

A turn is what a message of the user adds and everything up to the next one. The turn under way counts too.
"""

from collections.abc import Sequence
from typing import Final

_MARGIN_PERCENT: Final = 125
_LEAST_PART: Final = 4


def adapted(threshold: int, limit: int, growths: Sequence[int]) -> int:
    """The threshold, in tokens, with room for one more turn like those; as it is when none was observed."""
    if not growths:
        return threshold
    room = limit - max(growths) * _MARGIN_PERCENT // 100
    return min(threshold, max(room, limit // _LEAST_PART))
