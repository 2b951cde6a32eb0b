"""Filters, where LangGraph's own store would raise or lose digits."""

from datetime import date
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.integrations.langgraph.store_filters import fits

HOSTILE = [None, "ten", "", [], {}, [1], {"a": 1}, b"5", object(), float("nan"), 10**400, True, Decimal("sNaN"), 1j]


@pytest.mark.parametrize("name", ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"])
def test_nothing_that_is_compared_raises(name: str) -> None:
    for value, operand in product(HOSTILE, HOSTILE):
        assert fits({"a": value}, {"a": {name: operand}}) in (True, False)


def test_what_is_missing_is_neither_more_nor_less() -> None:
    assert not any(fits({}, {"a": {name: 5}}) for name in ("$gt", "$gte", "$lt", "$lte"))
    assert fits({}, {"a": {"$ne": 5}}) and fits({}, {"a": None})


def test_large_integers_are_compared_exactly() -> None:
    assert fits({"a": 2**53 + 1}, {"a": {"$gt": 2**53}})
    assert fits({"a": 10**400}, {"a": {"$gt": 10**399}})


def test_texts_are_compared_as_texts_unless_both_are_numbers() -> None:
    assert fits({"at": "2025-03-01"}, {"at": {"$gte": "2025-02-11", "$lt": "2026"}}) is True
    assert fits({"n": "10"}, {"n": {"$gt": "9"}})
    assert not fits({"n": "ten"}, {"n": {"$gt": 9}})


def test_arrays_and_dates_fit_or_not() -> None:
    assert not fits({"a": np.arange(3)}, {"a": {"$eq": np.arange(3)}})
    assert fits({"a": date(2025, 1, 1)}, {"a": date(2025, 1, 1)})


def test_an_operator_beside_a_field_is_refused() -> None:
    with pytest.raises(ValueError, match="Unsupported operator: b"):
        fits({"a": {"b": 1}}, {"a": {"$eq": {"b": 1}, "b": 1}})
    with pytest.raises(ValueError, match="Unsupported operator: 1"):
        fits({"a": 1}, {"a": {"$gt": 0, 1: 2}})


@given(st.recursive(st.integers(0, 2) | st.text("ab", max_size=1), lambda inner: st.lists(inner, max_size=2)))
def test_a_value_fits_itself(value: Any) -> None:
    assert fits({"a": value}, {"a": value}) and fits({"a": {"b": value}}, {"a": {"b": {"$eq": value}}})
