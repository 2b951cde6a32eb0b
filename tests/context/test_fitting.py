"""What is too large is shortened, results of tools first; what cannot fit is said."""

import pickle
from typing import Any

import pytest

from backpack.context.fitting import fit, overflow
from backpack.errors import ContextOverflowError

from .conversations import result, said, system, user, views_of

MESSAGES = [system("s"), user("old"), said("a"), result("1", "r"), result("2", "r"), user("new")]


def fitted(tokens: list[int], room: int, messages: list[Any] = MESSAGES) -> dict[int, int]:
    return fit(views_of(messages), tokens, range(len(messages)), room)


def test_what_fits_stays() -> None:
    assert fitted([10, 10, 10, 10, 10, 10], 60) == {}


def test_results_are_cut_first_and_to_one_size() -> None:
    assert fitted([500, 500, 500, 3_000, 1_000, 500], 3_600) == {3: 800, 4: 800}
    assert fitted([500, 500, 500, 3_000, 300, 500], 3_600) == {3: 1_300}


def test_the_latest_question_and_system_messages_are_cut_last() -> None:
    caps = fitted([1_000, 1_000, 1_000, 1_000, 1_000, 1_000], 2_900)
    assert caps == {3: 200, 4: 200, 2: 200, 1: 300}
    assert fitted([1_000, 1_000, 1_000, 1_000, 1_000, 1_000], 1_500)[0] == 500


def test_a_smaller_floor_is_taken_when_the_first_does_not_fit() -> None:
    assert set(fitted([1_000] * 6, 500).values()) <= set(range(64, 200))


def test_what_cannot_fit_is_said_with_its_sizes() -> None:
    with pytest.raises(ContextOverflowError, match=r"system messages \(1000 tokens\)") as caught:
        fitted([1_000] * 6, 100)
    error = caught.value
    assert (error.tokens, error.limit) == (6_000, 100) and isinstance(error, ValueError)
    assert "the latest question (1000 tokens)" in error.what
    assert pickle.loads(pickle.dumps(error)).what == error.what


def test_an_overflow_can_be_told_without_raising() -> None:
    assert overflow(views_of(MESSAGES), [1] * 6, [], -5).limit == 0
