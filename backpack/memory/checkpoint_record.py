"""A checkpoint of a memory as it is stored: where the work stands, and what was logged for it; no content.

Its record in the store is a dict of plain values under the checkpoint's id. One that comes back is checked before it is
believed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from backpack.errors import CorruptionError, InvalidArgumentError
from backpack.memory.entry import time_of
from backpack.memory.rendering import said

RECORD_FORMAT: Final = 1

Items = Iterable[Any] | Mapping[str, Any]
"""Tasks or dependencies: texts, dicts with an "id", a "name" or a "title", or a mapping from name to anything."""

_NAMES: Final = ("id", "name", "title", "task")


@dataclass(frozen=True, slots=True)
class MemoryCheckpoint:
    """Where the work stood. `str(checkpoint)` is its id, which is also the name of the core's checkpoint."""

    id: str
    number: int
    """In the order the memory made them, from 1; 0 of one that the core alone has."""
    time_ns: int
    notes: str
    phase: str | None
    variables: dict[str, Any]
    tasks: Any
    """A list, or a dict by name."""
    dependencies: Any
    references: tuple[str, ...]
    """Ids of the entries logged since the checkpoint before this one, oldest first; all when it is the first."""
    counts: dict[str, int]
    """How many of them there are of each type."""
    tokens: int
    """Of all of them together."""
    previous: str | None
    """The id of the checkpoint before this one."""

    @property
    def time(self) -> datetime:
        """When it was made, in UTC."""
        return time_of(self.time_ns)

    @property
    def is_of_core(self) -> bool:
        """Was it made by `bp.checkpoint`, so that there is no record of it?"""
        return self.number == 0

    @property
    def entry_count(self) -> int:
        """How many entries were logged for it."""
        return len(self.references)

    def __str__(self) -> str:
        return self.id


def record_of(checkpoint: MemoryCheckpoint) -> dict[str, object]:
    """The checkpoint as it is stored."""
    return {
        "format": RECORD_FORMAT,
        "number": checkpoint.number,
        "time": checkpoint.time_ns,
        "notes": checkpoint.notes,
        "phase": checkpoint.phase,
        "variables": checkpoint.variables,
        "tasks": checkpoint.tasks,
        "dependencies": checkpoint.dependencies,
        "references": list(checkpoint.references),
        "counts": checkpoint.counts,
        "tokens": checkpoint.tokens,
        "previous": checkpoint.previous,
    }


def checkpoint_of(id: str, record: object) -> MemoryCheckpoint:
    """The checkpoint of a record; `CorruptionError` when it can't be one."""
    if not isinstance(record, dict) or record.get("format") != RECORD_FORMAT:
        raise _damaged(id)
    numbers = [record.get(name) for name in ("number", "time", "tokens")]
    options = [record.get(name) for name in ("phase", "previous")]
    references, counts = record.get("references"), record.get("counts")
    if (
        not all(type(number) is int and 0 <= number < 2**62 for number in numbers)
        or not all(option is None or type(option) is str for option in options)
        or type(record.get("notes")) is not str
        or type(record.get("variables")) is not dict
        or type(record.get("tasks")) not in (list, dict)
        or type(record.get("dependencies")) not in (list, dict)
        or type(references) is not list
        or not all(type(reference) is str for reference in references)
        or type(counts) is not dict
        or not all(type(name) is str and type(count) is int for name, count in counts.items())
    ):
        raise _damaged(id)
    return MemoryCheckpoint(
        id, record["number"], record["time"], record["notes"], record["phase"], record["variables"], record["tasks"],
        record["dependencies"], tuple(references), counts, record["tokens"], record["previous"],
    )  # fmt: skip


def checked_items(what: str, items: object) -> list[Any] | dict[str, Any]:
    """Tasks or dependencies as a list or a dict; `InvalidArgumentError`."""
    if isinstance(items, str | bytes) or not isinstance(items, Iterable):
        raise InvalidArgumentError(f"{what} are a list, or a mapping by name, not {type(items).__name__}")
    return checked_variables(what, items) if isinstance(items, Mapping) else list(items)


def checked_variables(what: str, variables: object) -> dict[str, Any]:
    """Variables as a dict; `InvalidArgumentError`."""
    if not isinstance(variables, Mapping) or not all(isinstance(name, str) for name in variables):
        raise InvalidArgumentError(f"{what} are a mapping from str to anything, not {type(variables).__name__}")
    return dict(variables)


def by_name(items: object) -> dict[str, Any]:
    """Tasks or dependencies by what tells them apart."""
    if isinstance(items, dict):
        return {said(name): state for name, state in items.items()}
    assert isinstance(items, list)
    named: dict[str, Any] = {}
    counts: dict[str, int] = {}
    for item in items:
        name = next((item[key] for key in _NAMES if key in item), None) if isinstance(item, dict) else item
        text = said(item if name is None else name)
        shown, count = text, counts.get(text, 1)
        while shown in named:
            count += 1
            shown = f"{text} ({count})"
        named[shown], counts[text] = item, count
    return named


def _damaged(id: str) -> CorruptionError:
    return CorruptionError(f"the record of a checkpoint is damaged: id={id!r}", id=id)
