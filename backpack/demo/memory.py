"""The scene of the memory report."""

from backpack.demo.stage import Scene, Stage

_FIGURES = (
    "live_bytes",
    "history_bytes",
    "history_limit",
    "history_percent",
    "pinned_bytes",
    "commits_in_memory",
    "commits_archived",
    "commits_pruned",
    "large_values",
    "blob_bytes",
    "archive_bytes",
    "overhead_bytes",
    "over_budget",
)


def memory(stage: Stage) -> Scene:
    """Where the bytes are, counted and counted again from the payloads."""
    usage, recounted = stage.bp.memory_usage(), stage.bp.memory_usage(deep=True)
    is_same = (usage.live_bytes, usage.history_bytes) == (recounted.live_bytes, recounted.history_bytes)
    stage.checked.expect(is_same, f"run {stage.run.name}: the memory report differs from a recount")
    facts = {name: getattr(usage, name) for name in _FIGURES}
    return Scene(
        "memory",
        "The memory report",
        "Live is the present state; history is what the commits in memory brought in, every byte once. "
        f"Counted to the byte: a recount from the payloads themselves {'says the same' if is_same else 'DIFFERS'}.",
        ("print(bp.memory_usage())",),
        tuple(str(usage).splitlines()),
        {**facts, "largest_keys": dict(usage.largest_keys)},
    )
