"""Reports of the store as text and as JSON: whatever fields they have, in their order."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from os import PathLike
from typing import Any

import backpack
from backpack.errors import InvalidArgumentError
from backpack.terminal.values import as_json
from backpack.terminal.words import cut, printable, shown, size_shown


def needed(name: str, owner: Any = backpack) -> Any:
    """What the package offers under that name; `InvalidArgumentError` if this version does not."""
    found = getattr(owner, name, None)
    if found is None:
        raise InvalidArgumentError(f"this version of backpack can't do that yet: missing={name}; install a newer one")
    return found


def report_facts(report: Any) -> Any:
    """A report as JSON: records by field, all else as a value."""
    if is_dataclass(report) and not isinstance(report, type):
        names = [field.name for field in fields(report) if not field.name.startswith("_")]
        return {name: report_facts(getattr(report, name)) for name in names}
    if isinstance(report, Mapping):
        return {str(name): report_facts(value) for name, value in report.items()}
    if isinstance(report, list | tuple):
        return [report_facts(value) for value in report]
    if isinstance(report, PathLike):
        return str(report)
    return as_json(report)[0]


def report_lines(facts: Mapping[str, Any], width: int) -> list[str]:
    """A report in lines: a name and its value; of lists, each entry."""
    name_width = max(map(len, facts), default=0)
    lines = []
    for name, value in facts.items():
        said = name.replace("_", " ")
        if isinstance(value, list) and value:
            lines.append(f"{said} ({len(value):,})")
            lines += [f"  {printable(entry) if isinstance(entry, str) else shown(entry, width)}" for entry in value]
        else:
            lines.append(f"{said:<{name_width}}  {_shown(name, value)}")
    return [cut(line, width) for line in lines]


def _shown(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        is_size = name == "size" or name.endswith(("_bytes", "_size"))
        return f"{size_shown(value) if is_size else format(value, ',')}"
    return "none" if value is None or value == [] else printable(value) if isinstance(value, str) else shown(value, 200)
