"""What commits of a saver are called: `backpack log` speaks of threads, steps and nodes as LangGraph does."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from backpack.integrations.langgraph.names import shown

_NODES_SHOWN: Final = 4


class Words(NamedTuple):
    """Node, message and tags of one commit."""

    node: str | None
    message: str
    tags: tuple[str, ...]


def of_checkpoint(thread: str, namespace: str, metadata: Mapping[str, Any], ran: Iterable[str]) -> Words:
    """`ran`: the nodes that have seen something new."""
    step, source = metadata.get("step"), metadata.get("source")
    name = shown(thread)
    message = f'thread "{name}"'
    tags = [f"thread:{name}"]
    if namespace:
        message += f' namespace "{shown(namespace)}"'
        tags.append(f"namespace:{shown(namespace)}")
    if isinstance(step, int):
        message += f" step {step}"
        tags.append(f"step:{step}")
    if isinstance(source, str) and source:
        message += f" ({shown(source)})"
        tags.append(f"source:{shown(source)}")
    nodes = sorted(one for one in ran if one and not one.startswith("__"))
    return Words(_listed(nodes), message, tuple(tags))


def of_writes(thread: str, namespace: str, path: str, channels: Iterable[str]) -> Words:
    """`path`: that of the task, such as `~__pregel_pull, worker`."""
    name = shown(thread)
    task = path.rpartition(", ")[2] if path.startswith("~__pregel_pull") else ""
    special = next((one for one in channels if one in ("__interrupt__", "__error__", "__resume__")), None)
    what = "writes" if special is None else special.strip("_")
    message = f'thread "{name}" {what}'
    tags = [f"thread:{name}"]
    if namespace:
        message += f' in namespace "{shown(namespace)}"'
        tags.append(f"namespace:{shown(namespace)}")
    if task:
        message += f" of {shown(task)}"
    return Words(_listed([task] if task else []), message, tuple(tags))


def of_thread(thread: str, what: str) -> Words:
    """Something that was done to a whole thread."""
    name = shown(thread)
    return Words(None, f'thread "{name}" {what}', (f"thread:{name}",))


def _listed(nodes: list[str]) -> str | None:
    if not nodes:
        return None
    names = [shown(one) for one in nodes[:_NODES_SHOWN]]
    return ", ".join(names) + (f" and {len(nodes) - _NODES_SHOWN} more" if len(nodes) > _NODES_SHOWN else "")
