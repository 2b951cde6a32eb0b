"""Which runs a file holds: the ways in which lists of messages are written down.

a list of messages                                  one run
an object with `messages`, `traj` or `history`      one run
a list of such objects or of such lists             many runs
JSON Lines of any of these                          many runs
JSON Lines of single messages                       one run
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from backpack.limits import VALUE_DEPTH_MAX
from backpack.runs.documents import Record
from backpack.runs.errors import RunFileError
from backpack.runs.positions import Path
from backpack.runs.steps import Step, clean_name, steps_of

CONVERSATIONS: Final = ("messages", "traj", "history")
"""Where an object may have its messages; the first one that is there counts."""

_NAMES: Final = ("run", "run_id", "id", "name", "instance_id", "task_id")
"""Where an object may say what it is called."""

_DEPTH_MAX: Final = VALUE_DEPTH_MAX - 1
"""Levels of one message: it stands in the list of all messages, which is one level more."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its place in the file from 1, what it is called, its messages as steps."""

    place: int
    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """A list of messages: of which records, and where in each."""

    name: Any
    messages: Sequence[Any]
    records: Sequence[Record]
    path: Path

    def steps(self) -> tuple[Step, ...]:
        return steps_of(self.messages, self.fail)

    def fail(self, path: Path, reason: str) -> NoReturn:
        if len(self.records) > 1:  # a message a record
            line = self.records[int(path[0])].line_of(path[1:])
        else:
            line = self.records[0].line_of((*self.path, *path))
        raise RunFileError(reason, line=line)


def runs_of(records: Sequence[Record]) -> list[Run]:
    """The runs in the values of a file, in order. At least one, none of them empty; else `RunFileError`."""
    runs = []
    for place, found in enumerate(_found(records), start=1):
        if not found.messages:
            raise RunFileError("a run without messages", line=found.records[0].line_of(found.path))
        name = found.name if isinstance(found.name, str | int) and not isinstance(found.name, bool) else place
        runs.append(Run(place, clean_name(str(name)), found.steps()))
    return runs


def _found(records: Sequence[Record]) -> Iterator[_Found]:
    for record in records:
        record.check_depth(_DEPTH_MAX)
    if len(records) > 1 and _is_message(records[0].value):
        yield _Found(None, [record.value for record in records], records, ())
        return
    for record in records:
        value = record.value
        if _is_message(value):
            if len(records) > 1:
                raise RunFileError("a message among runs: a line is a run or a message, not both", line=record.line)
            yield _Found(None, [value], (record, record), ())
        elif isinstance(value, list) and value and _is_run(value[0]):
            for index, entry in enumerate(value):
                yield _one(entry, record, (index,))
        else:
            yield _one(value, record, ())


def _one(value: Any, record: Record, path: Path) -> _Found:
    """The one run that a value is."""
    if isinstance(value, list):
        return _Found(None, value, (record,), path)
    if not isinstance(value, dict):
        raise RunFileError("neither a run nor a message: not an object or a list", line=record.line_of(path))
    for field in CONVERSATIONS:
        if field in value:
            if not isinstance(value[field], list):
                raise RunFileError(f"`{field}` is not a list of messages", line=record.line_of((*path, field)))
            name = next((value[known] for known in _NAMES if value.get(known) is not None), None)
            return _Found(name, value[field], (record,), (*path, field))
    raise RunFileError(
        f"neither a message (no `role`) nor a run (none of {', '.join(CONVERSATIONS)})", line=record.line_of(path)
    )


def _is_run(value: Any) -> bool:
    """Does a list that begins with this hold runs, not messages?"""
    return isinstance(value, list) or (
        isinstance(value, dict) and not _is_message(value) and any(field in value for field in CONVERSATIONS)
    )


def _is_message(value: Any) -> bool:
    is_run = isinstance(value, dict) and any(isinstance(value.get(field), list) for field in CONVERSATIONS)
    return isinstance(value, dict) and "role" in value and not is_run
