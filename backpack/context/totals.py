"""What the calls of a conversation have used and cost, added up: all of them, by purpose, by model."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from backpack.context.cost import Cost, usd_of
from backpack.errors import CorruptionError


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over calls. Tokens as in `Usage`: cached and written ones are parts of the input."""

    calls: int = 0
    input: int = 0
    output: int = 0
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0
    picodollars: int = 0
    guessed_calls: int = 0
    """Calls whose price was the default, because nobody knows theirs."""

    by_purpose: Mapping[str, "Totals"] = field(default_factory=dict, kw_only=True, repr=False)
    by_model: Mapping[str, "Totals"] = field(default_factory=dict, kw_only=True, repr=False)

    @property
    def usd(self) -> Decimal:
        """The cost in USD, exactly."""
        return usd_of(self.picodollars)

    @property
    def tokens(self) -> int:
        """Input and output."""
        return self.input + self.output


COLUMNS: Final = tuple(column.name for column in fields(Totals) if not column.name.startswith("by_"))

Key = tuple[str, str]
"""Purpose and model."""

Row = tuple[int, ...]
"""The sums of one key, as `COLUMNS` says."""


def row_of(cost: Cost) -> Row:
    """The sums of one call."""
    usage = cost.usage
    counts = (usage.input, usage.output, usage.cached, usage.cache_written, usage.reasoning)
    return (1, *counts, cost.picodollars, int(cost.is_default_price))


def added(row: Row, other: Row) -> Row:
    """Two rows as one."""
    return tuple(a + b for a, b in zip(row, other, strict=True))


def add_to(rows: dict[Key, Row], key: Key, row: Row) -> None:
    """Add a row to that of its key."""
    rows[key] = added(rows[key], row) if key in rows else row


def totals_of(rows: Mapping[Key, Row]) -> Totals:
    """All rows as totals. O(rows)."""
    whole: Row = (0,) * len(COLUMNS)
    by_purpose: dict[str, Row] = {}
    by_model: dict[str, Row] = {}
    for (purpose, model), row in rows.items():
        whole = added(whole, row)
        by_purpose[purpose] = added(by_purpose[purpose], row) if purpose in by_purpose else row
        by_model[model] = added(by_model[model], row) if model in by_model else row
    return Totals(*whole, by_purpose=_each(by_purpose), by_model=_each(by_model))


def rows_in(stored: Any) -> dict[Key, Row]:
    """Rows as they were stored; raises CorruptionError for what can't be."""
    if not isinstance(stored, list | tuple):
        raise _damaged()
    rows: dict[Key, Row] = {}
    for item in stored:
        if not isinstance(item, list | tuple) or len(item) != 2 + len(COLUMNS):
            raise _damaged()
        purpose, model, *row = item
        if not isinstance(purpose, str) or not isinstance(model, str) or (purpose, model) in rows:
            raise _damaged()
        if any(type(count) is not int or count < 0 for count in row):
            raise _damaged()
        rows[purpose, model] = tuple(row)
    return rows


def _each(rows: Mapping[str, Row]) -> Mapping[str, Totals]:
    return MappingProxyType({name: Totals(*row) for name, row in rows.items()})


def _damaged() -> CorruptionError:
    return CorruptionError("stored totals of tokens are not what was written")
