"""The operations log of a memory: what was done and when, with ids and sizes and never a content.

It is a list in the store, bounded: above 2,000 lines the older half goes. What was logged is in the entries already, so
those lines are written behind, some at a time with a later commit; whoever reads takes what is missing from the
entries. So a log costs next to nothing more, and no line is lost when the process ends in between.
"""

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Final

from backpack.memory.entry import Entry
from backpack.memory.keys import Keys
from backpack.memory.values import Values
from backpack.store.transaction import Transaction

LINES_MAX: Final = 2_000
LINES_KEPT: Final = 1_000
BEHIND_MAX: Final = 256
"""Logs whose lines are not written yet."""


class Operations:
    """The log of one memory."""

    __slots__ = ("_count", "_keys", "_readable", "_values")

    def __init__(self, keys: Keys, values: Values, readable: Callable[[str], Entry | None]) -> None:
        """`readable`: the entry of an id; None when there is none that can be read."""
        self._readable = readable
        self._keys = keys
        self._values = values
        self._count = count(1)

    def lines(self) -> list[dict[str, Any]]:
        """All lines, oldest first. Cost: O(lines)."""
        stored = _lines(self._values.get(self._keys.operations))
        return sorted([*stored, *self._missing(stored)], key=_time_of)[-LINES_MAX:]

    def are_due(self) -> bool:
        """Once in so many calls: is it time to write lines?"""
        return next(self._count) % BEHIND_MAX == 0

    def write(self, transaction: Transaction, line: Mapping[str, object] | None = None) -> None:
        """Add what is missing, and a line; take the older half when it is too long."""
        stored = _lines(transaction.unpack(self._keys.operations))
        added = self._missing(stored)
        if line is not None:
            added.append(dict(line))
        if stored and len(stored) + len(added) <= LINES_MAX:
            transaction.append(self._keys.operations, *added)
        else:
            transaction.pack(self._keys.operations, [*stored, *added][-LINES_KEPT:])

    def _missing(self, stored: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The lines of entries that are newer than the last of which there is one. Cost: O(these)."""
        last = max((str(line.get("id", "")) for line in stored if line.get("do") == "log"), default="")
        found: list[dict[str, Any]] = []
        prefix = self._keys.entries
        for key in self._values.keys(prefix, newest_first=True):
            id = key[len(prefix) :]
            if id <= last or len(found) == LINES_KEPT:
                break
            entry = self._readable(id)
            if entry is not None:
                found.append(_logged(entry))
        return found[::-1]


def _logged(entry: Entry) -> dict[str, Any]:
    return {
        "do": "log",
        "id": entry.id,
        "time": entry.time_ns,
        "size": entry.size,
        "stored": entry.stored_size,
        "tokens": entry.tokens,
    }


def _lines(value: object) -> list[dict[str, Any]]:
    return [line for line in value if isinstance(line, dict)] if isinstance(value, list) else []


def _time_of(line: Mapping[str, object]) -> int:
    time = line.get("time")
    return time if isinstance(time, int) else 0
