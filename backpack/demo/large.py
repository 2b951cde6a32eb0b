"""The scene of a large value: whole while it lives, a reference in history, never a wrong one."""

from typing import Any

from backpack import Backpack, Unavailable
from backpack.demo.editing import edited
from backpack.demo.stage import Scene, Stage
from backpack.terminal.tables import table
from backpack.terminal.words import printable, size_shown


def large(stage: Stage) -> Scene:
    """The largest value of the run, changed at one place and then deleted in a store of its own."""
    key, value, limit = _chosen(stage)
    size = stage.bp.item(key).size
    desk = Backpack({key: value}, max_value_size=limit or stage.bp.limits.max_value_size)
    steps = [_step(desk, "packed", "")]

    changed, path, old, new = edited(value)
    desk.pack(key, changed, node="you", message=f"changes {path}")
    before = desk.snapshot(1).unpack(key)
    steps.append(_step(desk, "changed", f"commit 1: {_answer(before, value)}"))
    paths = list(desk.diff(1, 2).changed[key].paths) if not isinstance(before, Unavailable) else []
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
        is_right = isinstance(found, Unavailable) or repr(found) == repr(right)
        stage.checked.expect(is_right, f"run {stage.run.name}, large value {key}: {what} is wrong")
    is_right = repr(held) == repr(changed)
    stage.checked.expect(is_right, f"run {stage.run.name}, large value {key}: the open snapshot lost it")
    if limit is None:
        heading = f"{printable(key)} is {size_shown(size)}: history has a reference in its place, not a copy."
    else:
        default = size_shown(stage.bp.limits.max_value_size)
        heading = f"No value of this run is larger than max_value_size ({default}), so this store has a lower one."
    limit_code = "" if limit is None else f", max_value_size={limit}"
    rows = [(what, size_shown(live), size_shown(history), answer) for what, live, history, answer in steps]
    lines = table(("what happens", "live", "history", "what history answers"), rows, stage.width, right="live history")
    lines.insert(0, f"The change is at {path}: {old} -> {new}")
    return Scene(
        "large",
        f"A value that is large: {printable(key)}",
        f"{heading} Once nothing holds the bytes any more, an old snapshot says so; it never shows a newer value. "
        "Here it is changed at one place and then deleted, in a store of its own.",
        (
            f"desk = Backpack({{{key!r}: value}}{limit_code})",
            f"desk.pack({key!r}, changed)",
            f"desk.snapshot(1).unpack({key!r})",
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
    sizes = {key: bp.item(key).size for key in bp}
    limit = bp.limits.max_value_size
    single = [key for key in sizes if key not in ("messages", "pending")]
    for candidates in (list(stage.packed), single, ["messages"]):
        large_ones = [key for key in candidates if sizes.get(key, 0) > limit]
        if large_ones:
            key = max(large_ones, key=lambda key: sizes[key])
            return key, bp[key], None
    key = max(single or list(sizes), key=lambda key: sizes[key])
    return key, bp[key], max(1, sizes[key] // 2)


def _step(desk: Backpack, what: str, answer: str) -> tuple[str, int, int, str]:
    usage = desk.memory_usage()
    return what, usage.live_bytes, usage.history_bytes, answer


def _answer(value: Any, right: Any) -> str:
    if isinstance(value, Unavailable):
        return f"unavailable ({value.reason})"
    return "whole, as it was" if repr(value) == repr(right) else "ANOTHER VALUE"
