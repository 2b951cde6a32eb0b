"""`STATUS.md` of a directory: what is being worked on there, for people and for the next agent.

Between two markers stands a section that is rewritten whole; every other byte of the file is somebody else's and stays.

    begin  = a line `<!-- backpack:status:begin ... -->`
    end    = a line `<!-- backpack:status:end -->`

The section is the last begin that is directly followed by an end. Without one it is added at the end of the file, and
markers that belong to no pair stay where they are, as text: a broken file loses nothing. What is not named in an update
stays as the section says it, so the file is all there is to it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from backpack.errors import InvalidArgumentError
from backpack.memory import clock
from backpack.memory.entry import time_of
from backpack.memory.status_file import StatusFile
from backpack.store.names import checked_items

if TYPE_CHECKING:
    import os

    from backpack.memory.memory import Memory

REFERENCES_MAX: Final = 50
"""Lines of references; `refs(directory=...)` has all."""

_OURS: Final = re.compile(
    r"<!-- backpack:status:(begin|end)\b[^>]*-->|## Status|### Done|### Context references|none yet|"
    r"- (Task|Phase|Updated): .*|- \[x\] .*|- \[mem-[^\]]*\] .*|- and [0-9,]+ more|"
)
_LINE_MAX: Final = 500
_BEGIN: Final = "<!-- backpack:status:begin: this part is rewritten, write above or below it -->"
_END: Final = "<!-- backpack:status:end -->"
_MARKER: Final = re.compile(rb"^<!-- backpack:status:(begin|end)\b[^\r\n>]*-->[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_NAME: Final = b"<!-- backpack:status:"
_FIELD: Final = re.compile(r"- (Task|Phase): (.*)")
_DONE: Final = re.compile(r"- \[x\] (.*)")
_MORE: Final = re.compile(r"^- and ([0-9][0-9,]{0,20}) more\r?$", re.MULTILINE)
_REFERENCE: Final = re.compile(r"- (\[mem-[^\]]*\] .*)")


@dataclass(frozen=True, slots=True)
class Status:
    """What a section says."""

    task: str
    phase: str | None
    done: tuple[str, ...]
    references: tuple[str, ...]
    """Lines `[id] summary (tokens)`, newest first."""


def update_status(
    memory: "Memory | None",
    directory: "str | os.PathLike[str]",
    task: str | None,
    phase: str | None,
    done: Iterable[str],
) -> Status:
    """See `Memory.update_status`. Without a memory the references stay as the section says them."""
    if isinstance(done, str):
        raise InvalidArgumentError("done is a list of str, not one str")
    added = [_line("done", one) for one in checked_items("done", done)]
    new_task, new_phase = (
        None if task is None else _line("task", task),
        None if phase is None else _line("phase", phase),
    )
    file = StatusFile(directory)
    references = None if memory is None else memory.refs(directory=directory)
    now = time_of(int(clock.now() * 1e9) if memory is None else memory.now_ns())

    def rewritten(old: bytes) -> bytes:
        before = status_in(old)
        kept_task = new_task or (before.task if before is not None else None)
        if kept_task is None:
            raise InvalidArgumentError(f"there is no task there yet: name it with task=: directory={file.directory!r}")
        kept_phase = new_phase or (before.phase if before is not None else None)
        listed = list(dict.fromkeys([*(before.done if before is not None else ()), *added]))
        if references is None:
            shown, more = (() if before is None else before.references), _more_in(old)
        else:
            shown, more = tuple(map(_escaped, references[:REFERENCES_MAX])), len(references) - REFERENCES_MAX
        return replaced(old, _section(Status(kept_task, kept_phase, tuple(listed), shown), now, more))

    found = status_in(file.rewrite(rewritten))
    assert found is not None
    return found


def read_status(directory: "str | os.PathLike[str]") -> Status | None:
    """What the section of a directory says; None when there is no file, or no section in it. `StorageError`."""
    return status_in(StatusFile(directory).read())


def status_in(data: bytes) -> Status | None:
    """What the section in the bytes of a file says."""
    place = _place(data)
    if place is None:
        return None
    task, phase, done, references = "", None, [], []
    for line in data[place[0] : place[1]].decode("utf-8", "replace").splitlines():
        if field := _FIELD.fullmatch(line):
            if field[1] == "Task":
                task = field[2]
            else:
                phase = field[2]
        elif item := _DONE.fullmatch(line):
            done.append(item[1])
        elif reference := _REFERENCE.fullmatch(line):
            references.append(reference[1])
    return Status(task, phase, tuple(done), tuple(references))


def _more_in(data: bytes) -> int:
    """How many references the section counts beyond those that it shows."""
    place = _place(data)
    found = None if place is None else _MORE.search(data[place[0] : place[1]].decode("utf-8", "replace"))
    return 0 if found is None else int(found[1].replace(",", ""))


def replaced(data: bytes, lines: Sequence[str]) -> bytes:
    """The bytes of a file with these lines as its section, in its own kind of newlines."""
    first = data.find(b"\n")
    newline = b"\r\n" if first > 0 and data[first - 1 : first] == b"\r" else b"\n"
    section = b"".join(line.encode("utf-8", "replace") + newline for line in (_BEGIN, *lines, _END))
    place = _place(data)
    if place is not None:
        return data[: place[0]] + section + _not_ours(data[place[0] : place[1]], newline) + data[place[1] :]
    if not data:
        return section
    gap = newline if data.endswith(b"\n") else newline * 2
    return data + gap + section


def _place(data: bytes) -> tuple[int, int] | None:
    """Where the section stands, markers included."""
    markers = list(_MARKER.finditer(data))
    for begin, end in zip(markers[-2::-1], markers[::-1], strict=False):
        is_pair = begin[1] == b"begin" and end[1] == b"end"
        if is_pair and _NAME not in data[begin.end() : end.start()]:  # a marker that lost its line end: not ours now
            return begin.start(), end.end()
    return None


def _not_ours(section: bytes, newline: bytes) -> bytes:
    """The lines that somebody has written into a section: they are carried behind it, as they stand."""
    lines = (line.rstrip(b"\r") for line in section.split(b"\n"))
    theirs = [line for line in lines if not _OURS.fullmatch(line.decode("utf-8", "replace").rstrip())]
    return b"".join(line + newline for line in theirs)


def _section(status: Status, now: datetime, more: int) -> list[str]:
    lines = ["## Status", "", f"- Task: {status.task}"]
    if status.phase is not None:
        lines.append(f"- Phase: {status.phase}")
    lines.append(f"- Updated: {now:%Y-%m-%d %H:%M:%S} UTC")
    if status.done:
        lines += ["", "### Done", "", *(f"- [x] {one}" for one in status.done)]
    lines += ["", "### Context references", ""]
    lines += [f"- {line}" for line in status.references] or ["none yet"]
    if more > 0:
        lines.append(f"- and {more:,} more")
    return lines


def _line(what: str, text: object) -> str:
    """What somebody said, on one line that is no marker."""
    if not isinstance(text, str) or not text.split():
        raise InvalidArgumentError(f"{what} is some text: type={type(text).__name__}")
    return _escaped(text)


def _escaped(text: str) -> str:
    line = " ".join(text.split()).replace("<!--", "&lt;!--").replace("-->", "--&gt;")
    line = line.encode("utf-8", "replace").decode("utf-8")
    return line if len(line) <= _LINE_MAX else line[: _LINE_MAX - 1].rstrip() + "…"
