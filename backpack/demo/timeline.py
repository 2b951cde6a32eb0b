"""The scene of the timeline: every commit, who made it, what it did, how large it is."""

from typing import Any

from backpack import Commit
from backpack.demo.stage import Scene, Stage
from backpack.terminal.tables import table
from backpack.terminal.words import count_of, printable, size_shown

_ROWS_MAX, _FIRST, _LAST = 20, 12, 6
_ID_SHOWN = 6
_HEAD = ("seq", "id", "node", "what it did", "keys", "size")


def timeline(stage: Stage) -> Scene:
    """Oldest first; in the middle left out when there are more than 20."""
    commits = list(stage.bp.history())[::-1]
    usage = stage.bp.memory_usage()
    rows = [
        (
            str(commit.seq),
            commit.id[:_ID_SHOWN],
            printable(commit.node or ""),
            commit.message or "",
            str(len(commit.changes)),
            size_shown(commit.size),
        )
        for commit in commits
    ]
    if len(rows) > _ROWS_MAX:
        left_out = f"{len(rows) - _FIRST - _LAST:,} more commits"
        rows = [*rows[:_FIRST], ("", "", "...", left_out, "", ""), *rows[-_LAST:]]
    packed = size_shown(sum(commit.size for commit in commits))
    lines = table(_HEAD, rows, stage.width, right="seq id keys size", firm="node")
    lines.append(f"All that was packed comes to {packed}; history holds {size_shown(usage.history_bytes)} for it.")
    return Scene(
        "timeline",
        f"The timeline: {count_of(len(commits), 'commit')}",
        "Every message became one commit of one or more keys: it can't be changed any more, and says who made it. "
        "The size is that of the values that were packed; what was there before is not stored again.",
        ("for c in bp.history(): print(c.seq, c.id, c.node, c.message, c.size)",),
        tuple(lines),
        {
            "commits": [_facts(commit) for commit in commits],
            "live_bytes": usage.live_bytes,
            "history_bytes": usage.history_bytes,
        },
    )


def _facts(commit: Commit) -> dict[str, Any]:
    return {
        "seq": commit.seq,
        "id": commit.id,
        "node": commit.node,
        "message": commit.message,
        "time": commit.time.isoformat(),
        "size": commit.size,
        "changes": {
            key: {"kind": change.kind, "version": change.version, "size": change.size, "is_large": change.is_large}
            for key, change in commit.changes.items()
        },
    }
