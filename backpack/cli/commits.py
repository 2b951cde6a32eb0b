"""Commits as JSON and as text."""

from datetime import datetime
from typing import Any, Final

from backpack import Change, Commit
from backpack.terminal.words import count_of, cut, printable, size_shown

ID_SHOWN: Final = 8
_NODE_WIDTH: Final = 16
_LOOSE: Final = "  "


def commit_facts(commit: Commit) -> dict[str, Any]:
    """A commit as JSON."""
    return {
        "seq": commit.seq,
        "id": commit.id,
        "parent": commit.parent,
        "time": commit.time.isoformat(),
        "node": commit.node,
        "message": commit.message,
        "tags": list(commit.tags),
        "size": commit.size,
        "changes": {key: change_facts(change) for key, change in commit.changes.items()},
    }


def change_facts(change: Change) -> dict[str, Any]:
    """A change as JSON."""
    return {"kind": change.kind, "version": change.version, "size": change.size, "is_large": change.is_large}


def commit_line(commit: Commit, width: int, seq_width: int) -> str:
    """A commit in one line: seq, id, time, node, size, what it says or else which keys it changed."""
    node = cut(printable(commit.node or "-"), _NODE_WIDTH)
    said = commit.message or ", ".join(commit.changes)
    line = (
        f"{commit.seq:>{seq_width}}",
        f"{commit.id[:ID_SHOWN]:<{ID_SHOWN}}",
        f"{local(commit.time):%Y-%m-%d %H:%M:%S}",
        f"{node:<{_NODE_WIDTH}}",
        f"{size_shown(commit.size):>10}",
        printable(" ".join(said.split())),
    )
    return cut(_LOOSE.join(line), width)


def commit_lines(commit: Commit) -> list[str]:
    """What a commit says of itself, a line each."""
    lines = [f"commit {commit.seq} {commit.id}"]
    if commit.parent is not None:
        lines.append(f"parent {commit.seq - 1} {commit.parent}")
    lines.append(f"time   {local(commit.time).isoformat(sep=' ', timespec='milliseconds')}")
    if commit.node is not None:
        lines.append(f"node   {printable(commit.node)}")
    if commit.tags:
        lines.append(f"tags   {printable(', '.join(commit.tags))}")
    if commit.message:
        lines += ["", *(f"    {printable(line.expandtabs())}".rstrip() for line in commit.message.splitlines())]
    return lines


def commit_named(commit: Commit | None) -> str:
    """A commit in two words: its seq and its node."""
    return "" if commit is None else printable(f"{commit.seq} {commit.node or '-'}")


def changes_named(commit: Commit) -> str:
    """How many keys it changed, and their size."""
    return f"{count_of(len(commit.changes), 'key')}, {size_shown(commit.size)}"


def local(time: datetime) -> datetime:
    """The time as the clock on the wall shows it."""
    return time.astimezone()
