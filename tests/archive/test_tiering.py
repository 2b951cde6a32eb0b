"""How many segments there are, and how often a byte is written anew, whatever the sizes in which they come."""

from math import log

from hypothesis import given
from hypothesis import strategies as st

from backpack.archive.tiering import FAN, TIER_MIN, to_merge

FULL = 4 * 1024 * 1024


class Segments:
    """Weights of segments, and what was written of them."""

    def __init__(self) -> None:
        self.weights: list[int] = []
        self.written = 0

    def add(self, weight: int) -> None:
        """One more, and all merges that are due."""
        self.weights.append(weight)
        while self.merge():
            pass

    def merge(self) -> bool:
        places = to_merge(self.weights, FULL)
        if places is None:
            return False
        assert len(places) >= 2
        taken = self.weights[places.start : places.stop]
        assert sum(taken) <= max(FULL, sum(taken[:2]))
        assert all(weight < FULL // FAN for weight in taken), "full ones are left alone"
        self.weights[places.start : places.stop] = [sum(taken)]
        self.written += sum(taken)
        return True


def test_many_equal_segments_become_few_and_are_written_a_few_times() -> None:
    for weight in (700, 5_000, 70_000, 900_000):
        segments = Segments()
        for _ in range(3_000):
            segments.add(weight)
        total = 3_000 * weight
        assert len(segments.weights) <= (FAN - 1) * -TIER_MIN + FAN * total / FULL + FAN**2
        assert segments.written <= total * (-TIER_MIN + 2)


@given(st.lists(st.one_of(st.integers(700, 10_000), st.integers(700, 6_000_000)), max_size=300))
def test_segments_of_any_weights_are_few_and_written_a_few_times(weights: list[int]) -> None:
    segments = Segments()
    for weight in weights:
        segments.add(weight)
    total = sum(weights)
    assert sum(segments.weights) == total
    full = sum(weight >= FULL // FAN for weight in segments.weights)
    light = len(segments.weights) - full
    assert full <= FAN * total / FULL + 1
    assert light <= (full + 1) * -TIER_MIN * 2 * (FAN - 1)
    assert segments.written <= total * 2 * (1 - TIER_MIN)


def test_single_segments_between_full_ones_are_left_alone() -> None:
    assert to_merge([FULL, 100, FULL, 100, FULL], FULL) is None
    assert to_merge([FULL, 100, 100, FULL], FULL) == range(1, 3)
    assert to_merge([], FULL) is None


def test_a_store_with_thousands_of_segments_is_merged_in_pieces() -> None:
    segments = Segments()
    segments.weights = [1_000_000] * 50 + [300] * 5_000
    merges = 0
    while segments.merge():
        merges += 1
    assert merges < 5_000 / FAN
    assert len(segments.weights) < 50 / 4 + 4 * log(5_000)


def test_what_is_merged_comes_to_a_higher_tier() -> None:
    assert to_merge([300_000, 300, 300, 300], FULL) is None
    assert to_merge([300_000, 300, 300, 300, 300], FULL) == range(1, 5)
    assert to_merge([300_000] * 4, FULL) == range(4)
    assert to_merge([300_000, 300_000, 300, 300_000, 300_000], FULL) == range(5)
