"""Which neighbouring segments become one: so that their number stays small, and little is written twice.

A store that is opened and closed many times, or that crashes, makes a small segment each time. Segments have tiers by
weight, each four times the one before; 0, the highest, holds those that are *full*, which are left alone.

- Four of one tier, with nothing heavier between them, become one of a higher tier, along with what stands between them.
- Two or more before a heavier one will get no neighbours of their own weight any more, and become one.

So what is merged comes to a higher tier, or before a heavier segment, each time: a byte is written anew at most twice a
tier. At most three of a tier stand in a row, and tiers fall from one full segment to the next but for single segments:
the number of segments is O(log n + size / full). A merge takes in no more than a full log would have held.
"""

from collections.abc import Sequence
from typing import Final

from backpack.archive.segment import Segment

FAN: Final = 4
"""So many of a tier become one, and a tier is so many times the one before."""

TIER_MIN: Final = -5
"""That of all segments below 1/1024 of a full one."""

_COMMIT_SIZE: Final = 100
"""What a commit takes in a log beside its values, about."""


def weight_of(segment: Segment) -> int:
    """How long a log of the same contents would be, about; not less than the file is. Cost: O(1)."""
    return max(segment.size, segment.raw_size + segment.commit_count * _COMMIT_SIZE)


def to_merge(weights: Sequence[int], full: int) -> range | None:
    """The places of neighbours that are to become one; None when all is well. `full`: how long a log gets.

    Cost: O(segments) for each tier.
    """
    tiers = [_tier(weight, full) for weight in weights]
    for place in range(len(tiers) - 1, 1, -1):
        begin = place
        while begin and tiers[begin - 1] < tiers[place]:
            begin -= 1
        if place - begin > 1:
            return _bounded(weights, begin, place, full)
    for tier in range(TIER_MIN, 0):
        begin = 0
        for place in range(len(tiers) + 1):
            if place == len(tiers) or tiers[place] > tier:
                if tiers[begin:place].count(tier) >= FAN:
                    return _bounded(weights, begin, place, full)
                begin = place + 1
    return None


def _tier(weight: int, full: int) -> int:
    """Of a segment of that weight."""
    tier = 0
    limit = full // FAN
    while weight < limit and tier > TIER_MIN:
        limit //= FAN
        tier -= 1
    return tier


def _bounded(weights: Sequence[int], begin: int, end: int, full: int) -> range:
    """As many from the beginning as weigh no more than a full one; two at least."""
    total = sum(weights[begin : begin + 2])
    stop = begin + 2
    while stop < end and total + weights[stop] <= full:
        total += weights[stop]
        stop += 1
    return range(begin, stop)
