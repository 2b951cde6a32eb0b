"""The scene of a large value: whole while it lives, a reference in history, never a wrong one."""

from collections.abc import Mapping
from typing import Any

from backpack import Backpack
from backpack.demo.checking import is_unavailable
from backpack.demo.editing import edited
from backpack.demo.stage import Scene, Stage
from backpack.demo.tables import table
from backpack.demo.words import printable, size_shown


def large(stage: Stage) -> Scene:
    """The largest value of the run, changed at one place and then deleted in a store of its own."""
    key, value, limit = _chosen(stage)
    size = stage.bp.item(key).size
    desk = Backpack({key: value}, **({} if limit is None else {"max_value_size": limit}))
    steps = [_step(desk, "packed", "")]

    changed, path, old, new = edited(value)
    desk.pack(key, changed, node="you", message=f"changes {path}")
    before = desk.snapshot(1).unpack(key)
    steps.append(_step(desk, "changed", f"commit 1: {_answer(before, value)}"))
    paths = list(desk.diff(1, 2).changed[key].paths) if not is_unavailable(before) else []
    opened = desk.snapshot(2)
    desk.delete(key, node="you")
    held = opened.unpack(key)
    steps.append(_step(desk, "deleted, snapshot 2 open", f"commit 2: {_answer(held, changed)}"))
    del opened
    after = desk.snapshot(2).unpack(key)
    steps.append(_step(desk, "that snapshot closed", f"commit 2: {_answer(after, changed)}"))
    for found, right, what in (
        (before, value, "the value before the change"),
        (after, changed, "the deleted value"),
    ):
        is_right = is_unavailable(found) or repr(found) == repr(right)
        stage.checked.expect(is_right, f"run {stage.run.name}, large value {key}: {what} is wrong")
    is_right = repr(held) == repr(changed)
    stage.checked.expect(is_right, f"run {stage.run.name}, large value {key}: the open snapshot lost it")
    if limit is None:
        heading = f"{printable(key)} is {size_shown(size)}: history has a reference in its place, not a copy."
    else:
        default = size_shown(stage.bp.limits.max_value_size)
        heading = f"No value of this run is larger than max_value_size ({default}), so this store has a lower one."
    limit_code = "" if limit is None else f", max_value_size={limit}"
    lines = table(("what happens", "live", "history", "what history answers"), steps, stage.width, right="live history")
    lines.insert(0, f"The change is at {path}: {old} -> {new}")
    return Scene(
        "large",
        f"A value that is large: {printable(key)}",
        f"{heading}\nOnce nothing holds the bytes any more, an old snapshot says so; it never shows a newer value.\n"
        "Here it is changed at one place and then deleted, in a store of its own.",
        (
            f"desk = Backpack({{{key!r}: value}}{limit_code})",
            f"desk.pack({key!r}, changed); desk.snapshot(1).unpack({key!r})",
        ),
        tuple(lines),
        {
            "key": key,
            "size": size,
            "limit": desk.limits.max_value_size,
            "path": path,
            "paths": paths,
            "steps": [dict(zip(("what", "live", "history", "answer"), step, strict=True)) for step in steps],
        },
    )


def _chosen(stage: Stage) -> tuple[str, Any, int | None]:
    """The largest value, those packed first before all others; and the limit that makes it large, if it is not."""
    bp = stage.bp
    sizes: Mapping[str, int] = {key: bp.item(key).size for key in bp}
    large_packed = [key for key in stage.packed if sizes[key] > bp.limits.max_value_size]
    candidates = large_packed or [key for key in sizes if key not in ("messages", "pending")] or list(sizes)
    key = max(candidates, key=lambda key: sizes[key])
    limit = None if sizes[key] > bp.limits.max_value_size else max(1, sizes[key] // 2)
    return key, bp[key], limit


def _step(desk: Backpack, what: str, answer: str) -> tuple[str, str, str, str]:
    usage = desk.memory_usage()
    return what, size_shown(usage.live_bytes), size_shown(usage.history_bytes), answer


def _answer(value: Any, right: Any) -> str:
    if is_unavailable(value):
        return f"{size_shown(value.size)}, unavailable ({value.reason})"
    return "the whole value, as it was" if repr(value) == repr(right) else "ANOTHER VALUE"
