"""A checkpoint as text of bounded length, for a prompt; and all checkpoints as a page, for people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from backpack.errors import InvalidArgumentError
from backpack.memory.checkpoint_record import MemoryCheckpoint, by_name
from backpack.memory.rendering import said
from backpack.memory.tokens import CountTokens
from backpack.memory.wording import counted


@dataclass(frozen=True, slots=True)
class Level:
    """How much a summary says."""

    tokens: int
    """At most."""
    notes: int
    """Characters of the notes."""
    items: int
    """Tasks, variables and dependencies, of each."""
    references: int
    has_previous: bool = False
    """Does it name the checkpoint before?"""


LEVELS: Final = {
    "minimal": Level(500, 300, 5, 0),
    "compact": Level(1_000, 800, 10, 8),
    "standard": Level(2_000, 2_000, 25, 25),
    "full": Level(4_000, 6_000, 100, 100, has_previous=True),
}

_ITEM_SIZE: Final = 160
"""Characters of one task, variable, dependency or reference."""
_DEPTH_MAX: Final = 2
_INNER_MAX: Final = 8
"""How deep and how broad a container is told: more would not fit a line."""


def summary_of(checkpoint: MemoryCheckpoint, references: Iterable[str], level: str, count_tokens: CountTokens) -> str:
    """`references`: a line for each entry, newest first, taken as far as they are wanted."""
    if not isinstance(level, str) or level not in LEVELS:
        raise InvalidArgumentError(f"no such level: level={level!r}; it is one of {', '.join(LEVELS)}")
    wanted = LEVELS[level]
    lines = [
        f"# Checkpoint {_short(checkpoint.id, _ITEM_SIZE)}",
        f"made {checkpoint.time:%Y-%m-%d %H:%M:%S} UTC, phase: {_short(checkpoint.phase or 'none', _ITEM_SIZE)}",
        _counted(checkpoint),
    ]
    if wanted.has_previous and checkpoint.previous is not None:
        lines.append(f"previous: {_short(checkpoint.previous, _ITEM_SIZE)}")
    if checkpoint.notes:
        lines += ["", _cut(checkpoint.notes.strip(), wanted.notes)]
    lines += _section("Tasks", by_name(checkpoint.tasks), wanted.items)
    lines += _section("Variables", checkpoint.variables, wanted.items)
    lines += _section("Dependencies", by_name(checkpoint.dependencies), wanted.items)
    taken = list(islice(references, wanted.references))
    if taken:
        lines += ["", "## References", *(f"- {_short(line, _ITEM_SIZE)}" for line in taken)]
        if checkpoint.entry_count > len(taken):
            lines.append(f"- and {checkpoint.entry_count - len(taken):,} more")
    return fitted("\n".join(lines), wanted.tokens, count_tokens)


def report_of(checkpoints: Sequence[MemoryCheckpoint], entries: int, tokens: int) -> str:
    """All of them, newest first, with what they refer to together."""
    lines = [
        "# Checkpoints",
        "",
        f"{counted(len(checkpoints), 'checkpoint')}, {_sums(entries, tokens)} kept out of the prompt",
    ]
    if checkpoints:
        lines += ["", "| id | time (UTC) | phase | entries | tokens | notes |", "|---|---|---|---:|---:|---|"]
    for one in reversed(checkpoints):
        cells = (one.id, f"{one.time:%Y-%m-%d %H:%M:%S}", one.phase or "", one.entry_count, one.tokens, one.notes)
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def fitted(text: str, tokens_max: int, count_tokens: CountTokens) -> str:
    """The text, or as much of its beginning as has so many tokens, with a line that says so. Cost: some 15 counts."""
    if count_tokens(text) <= tokens_max:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if count_tokens(_ended(text, middle)) <= tokens_max:
            low = middle
        else:
            high = middle - 1
    ended = _ended(text, low)
    return ended if count_tokens(ended) <= tokens_max else ""


def _ended(text: str, size: int) -> str:
    cut = text[:size]
    line_end = cut.rfind("\n")
    if line_end > size - _ITEM_SIZE:
        cut = cut[:line_end]  # whole lines, where that costs little
    return cut.rstrip() + "\n[more is left out]"


def _section(title: str, items: dict[str, Any], count_max: int) -> list[str]:
    if not items:
        return []
    lines = ["", f"## {title}"]
    for name, value in islice(items.items(), count_max):
        lines.append(f"- {_short(_told(name, value), _ITEM_SIZE)}")
    if len(items) > count_max:
        lines.append(f"- and {len(items) - count_max:,} more")
    return lines


def _told(name: str, value: Any, depth: int = 0) -> str:
    """A name and what is known of it, on a line; of a huge value only its beginning is turned into text."""
    before = f"{name}: " if name else ""
    if isinstance(value, str):
        return name if value == name else before + value[:_ITEM_SIZE]
    if value is None or isinstance(value, bool | int | float):
        return before + said(value)
    if isinstance(value, dict | list | tuple) and depth < _DEPTH_MAX:
        items = value.items() if isinstance(value, dict) else (("", one) for one in value)
        told = [_told(said(key), one, depth + 1) for key, one in islice(items, _INNER_MAX) if one != name]
        return before + ", ".join(told)
    return before + type(value).__name__


def told_shortly(name: str, value: Any) -> str:
    """What is known of a task, a variable or a dependency, on a line, without its name; empty when that is all."""
    said = _told(name, value)
    return _short("" if said == name else said.removeprefix(f"{name}: " if name else ""), _ITEM_SIZE)


def _counted(checkpoint: MemoryCheckpoint) -> str:
    kinds = sorted(checkpoint.counts.items(), key=lambda one: (-one[1], one[0]))
    named = ", ".join(f"{count:,} {_short(kind, 40)}" for kind, count in kinds[:8])
    return f"{_sums(checkpoint.entry_count, checkpoint.tokens)}" + (f" ({named})" if named else "")


def _sums(entries: int, tokens: int) -> str:
    return f"{counted(entries, 'entry', 'entries')}, {counted(tokens, 'token')}"


def _cell(cell: object) -> str:
    text = f"{cell:,}" if isinstance(cell, int) else str(cell)
    return _short(text, _ITEM_SIZE).replace("|", "\\|")


def _short(text: str, size: int) -> str:
    """On one line, at most so many characters."""
    return _cut(" ".join(text[: 4 * size].split()), size)


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1].rstrip() + "…"
