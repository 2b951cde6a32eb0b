"""How commits of a LangGraph store are labelled, so that `backpack log` speaks of nodes, threads and namespaces."""

from collections.abc import Sequence
from typing import Any, Final

from langchain_core.runnables.config import var_child_runnable_config

from backpack.core.commit import Label
from backpack.integrations.langgraph.store_catalog import Change
from backpack.limits import NAME_SIZE_MAX
from backpack.store.store import Backpack

_SHOWN: Final = 3
_SIZE_MAX: Final = 400


def label_of(bp: Backpack, message: str) -> Label:
    """Who and what: the node of the graph that runs here if one does, else whom the Backpack names."""
    metadata = _running()
    node = metadata.get("langgraph_node")
    tags = ["store"]
    for tag, name in (("thread", "thread_id"), ("step", "langgraph_step")):
        text = f"{tag}:{metadata[name]}" if isinstance(metadata.get(name), str | int) else ""
        if text and _is_short(text):
            tags.append(text)
    is_node = isinstance(node, str) and bool(node) and _is_short(node)
    return bp._label(node if is_node else None, message, tags)


def message_of(changes: Sequence[Change]) -> str:
    """What a commit does: `put users.123:prefs`."""
    parts = []
    for verb, is_put in (("put", True), ("delete", False)):
        names = [change.name for change in changes if (change.record is not None) is is_put]
        if names:
            shown = ", ".join(_shown(name) for name in names[:_SHOWN])
            parts.append(f"{verb} {shown}" + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""))
    return "; ".join(parts)


def _shown(name: str) -> str:
    text = name.replace(".:", ":", 1)
    return text if len(text) <= _SIZE_MAX else text[:_SIZE_MAX] + "..."


def _is_short(text: str) -> bool:
    return len(text.encode("utf-8", "replace")) <= NAME_SIZE_MAX and text.isprintable()


def _running() -> dict[str, Any]:
    """What LangGraph says of the node that runs in this context."""
    config = var_child_runnable_config.get() or {}
    metadata, configurable = config.get("metadata"), config.get("configurable")
    thread = configurable.get("thread_id") if isinstance(configurable, dict) else None
    return {"thread_id": thread, **(metadata if isinstance(metadata, dict) else {})}
