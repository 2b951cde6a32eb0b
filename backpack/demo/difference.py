"""The scene of the difference between two commits."""

from typing import Any

from backpack import Unavailable
from backpack.demo.expected import seq_before
from backpack.demo.stage import Scene, Stage
from backpack.terminal.tables import table
from backpack.terminal.words import count_of, printable, shown, size_shown

_ROWS_MAX = 20
_PATHS_MAX = 2
_PREVIEW = 60


def difference(stage: Stage) -> Scene:
    """From the state before the node ran to the end of the run, down to the path inside a value."""
    bp = stage.bp
    last = bp.head.seq if bp.head else 0
    first = seq_before(stage.run, stage.packed, stage.showcase.node, stage.showcase.node_run)
    diff = bp.diff(first, last)
    rows: list[tuple[str, str, str, str]] = []
    facts: dict[str, Any] = {"from": first, "to": last, "added": {}, "removed": {}, "changed": {}}
    kinds = (("+", "added", diff.added), ("-", "removed", diff.removed), ("~", "changed", diff.changed))
    for mark, kind, entries in kinds:
        for key, entry in entries.items():
            paths = [path for path in entry.paths if path] if mark == "~" else []
            what = _places(paths) if paths else _values(mark, entry.old, entry.new)
            by = f"{entry.commit.seq} {entry.commit.node}" if entry.commit else ""
            rows.append((mark, printable(key), what, printable(by)))
            facts[kind][key] = {"paths": paths, "commit": entry.commit.seq if entry.commit else None}
    lines = table(("", "key", "what is different", "by commit"), rows[:_ROWS_MAX], stage.width, firm="key")
    if len(rows) > _ROWS_MAX:
        lines.append(f"... and {count_of(len(rows) - _ROWS_MAX, 'more key')}")
    return Scene(
        "diff",
        f"What changed from commit {first} to commit {last}",
        "Keys that are new (+), gone (-) or different (~), where inside the value, and who changed them last.",
        (f"diff = bp.diff({first}, {last})", "for key, entry in diff.changed.items(): print(key, entry.paths)"),
        tuple(lines) if rows else ("(no difference)",),
        facts,
    )


def _places(paths: list[str]) -> str:
    more = f" and {len(paths) - _PATHS_MAX:,} more" if len(paths) > _PATHS_MAX else ""
    return "at " + shown(", ".join(paths[:_PATHS_MAX]), _PREVIEW) + more


def _values(mark: str, old: Any, new: Any) -> str:
    if mark == "+":
        return _value(new, _PREVIEW)
    if mark == "-":
        return "was " + _value(old, _PREVIEW)
    return f"{_value(old, _PREVIEW // 3)} -> {_value(new, _PREVIEW // 2)}"


def _value(value: Any, width: int) -> str:
    return f"({size_shown(value.size)}, unavailable)" if isinstance(value, Unavailable) else shown(value, width)
