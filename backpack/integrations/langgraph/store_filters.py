"""Filters of LangGraph: does a value fit `{"status": "open", "score": {"$gte": 3}}`?

The rules are those of LangGraph's own store in memory, nested dicts and lists included. Beyond it: what can't be
compared, such as a field that isn't there with a number, doesn't fit and raises nothing; texts that are no numbers are
compared as texts, so that dates in ISO form can be; integers are compared exactly.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

_ORDERS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_UNEQUAL: Final = (ValueError, TypeError, ArithmeticError)
"""What `==` of foreign classes may raise, arrays and signalling NaNs among them."""


def fits(value: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> bool:
    """Does a value have all that a filter asks for? ValueError for an operator that there isn't."""
    return not wanted or all(_fits(value.get(key), condition) for key, condition in wanted.items())


def _fits(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        if any(isinstance(key, str) and key.startswith("$") for key in wanted):
            return all(_holds(value, name, operand) for name, operand in wanted.items())
        return isinstance(value, dict) and all(_fits(value.get(key), one) for key, one in wanted.items())
    if isinstance(wanted, (list, tuple)):
        return (
            isinstance(value, (list, tuple))
            and len(value) == len(wanted)
            and all(_fits(one, other) for one, other in zip(value, wanted, strict=True))
        )
    return _equal(value, wanted)


def _holds(value: Any, name: Any, operand: Any) -> bool:
    if name == "$eq":
        return _equal(value, operand)
    if name == "$ne":
        return not _equal(value, operand)
    order = _ORDERS.get(name) if isinstance(name, str) else None
    if order is None:
        raise ValueError(f"Unsupported operator: {name}")
    one, other = _number(value), _number(operand)
    if one is not None and other is not None:
        return bool(order(one, other))
    if isinstance(value, str) and isinstance(operand, str):
        return bool(order(value, operand))
    return False


def _equal(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except _UNEQUAL:
        return False


def _number(value: Any) -> int | float | None:
    """A number, also of a text that is one, as PostgreSQL reads it; None for all else."""
    if isinstance(value, int | float):
        return value
    try:
        return float(value)
    except _UNEQUAL:
        return None
