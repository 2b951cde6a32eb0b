"""LangGraph's InMemorySaver, driven once a commit as LangGraph's own loop drives it after each step.

A store of 200 keys is a graph with 200 channels. After a step the loop makes a checkpoint (the values of all
channels, their versions, what each node has seen), finds the versions that are new by comparing with those of the
checkpoint before, copies the checkpoint, and hands it to the saver's `put`, which serialises the values whose
version is new, the checkpoint without its values, and the metadata. The comparison and the copy are LangGraph's own
functions.

The rest of the loop (channel objects, tasks, the walk over all channels, the search for the highest version, the
executor) is left out, in the rival's favour; so are the writes of each task, which the loop hands to the saver as
well.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from typing import Any, Final

try:
    from langgraph.checkpoint.base.id import uuid6
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.pregel._checkpoint import copy_checkpoint
    from langgraph.pregel._utils import get_new_channel_versions
except ImportError:
    is_installed = False
else:
    is_installed = True

CHECKPOINT_FORMAT: Final = 4
"""The `v` that the pinned LangGraph writes into a checkpoint."""


def installed_version() -> str:
    """LangGraph's version, or `not installed`."""
    return version_of("langgraph") if is_installed else "not installed"


def commit_all(keys: Sequence[str], values: Sequence[Any], node: str) -> tuple[Any, int]:
    """Put one checkpoint for each of `values` into a new saver: it, and the nanoseconds inside its `put`."""
    saver = InMemorySaver()
    channel_values: dict[str, Any] = {}
    channel_versions: dict[str, Any] = {}
    previous_versions: dict[str, Any] = {}
    version: str | None = None
    config: Any = {"configurable": {"thread_id": "benchmark", "checkpoint_ns": ""}}
    inside_put = 0
    for step, (key, value) in enumerate(zip(keys, values, strict=True)):
        version = saver.get_next_version(version, None)
        channel_values[key] = value
        channel_versions[key] = version
        checkpoint: Any = {
            "v": CHECKPOINT_FORMAT,
            "ts": datetime.now(UTC).isoformat(),
            "id": str(uuid6(clock_seq=step)),
            "channel_values": channel_values,
            "channel_versions": channel_versions,
            "versions_seen": {node: {key: version}},
            "updated_channels": [key],
        }
        current_versions = channel_versions.copy()
        new_versions = get_new_channel_versions(previous_versions, current_versions)
        previous_versions = current_versions
        copied = copy_checkpoint(checkpoint)
        start = time.perf_counter_ns()
        config = saver.put(config, copied, {"source": "loop", "step": step, "parents": {}}, new_versions)
        inside_put += time.perf_counter_ns() - start
    return saver, inside_put
