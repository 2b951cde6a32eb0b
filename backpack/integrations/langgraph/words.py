"""What commits of a saver are called: `backpack log` speaks of threads, steps and nodes as LangGraph does."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from backpack.integrations.langgraph.names import shown

_NODES_SHOWN: Final = 4
_NODE_SHOWN_MAX: Final = 50
"""Characters: four of them are a name that a commit may have."""

_KEPT: Final = 64
"""Words that are the same at every step: of threads and namespaces, and of the writes of tasks."""


class Words(NamedTuple):
    """Node, message and tags of one commit."""

    node: str | None
    message: str
    tags: tuple[str, ...]


DELETED: Final = Words(None, "a thread is deleted", ())
"""Who has a thread deleted does not want a new commit with its id."""


def of_checkpoint(thread: str, namespace: str, metadata: Mapping[str, Any], ran: Iterable[str]) -> Words:
    """`ran`: the nodes that have seen something new. `thread`: as it is shown."""
    step, source = metadata.get("step"), metadata.get("source")
    message, tags = _of_place(thread, namespace)
    if isinstance(step, int):
        message += f" step {step}"
        tags += (f"step:{step}",)
    if isinstance(source, str) and source:
        name = shown(source)
        message += f" ({name})"
        tags += (f"source:{name}",)
    return Words(_listed(sorted([one for one in ran if one and not one.startswith("__")])), message, tags)


@lru_cache(_KEPT)
def _of_place(thread: str, namespace: str) -> tuple[str, tuple[str, ...]]:
    """What message and tags of a checkpoint begin with."""
    if not namespace:
        return f'thread "{thread}"', (f"thread:{thread}",)
    name = shown(namespace)
    return f'thread "{thread}" namespace "{name}"', (f"thread:{thread}", f"namespace:{name}")


def of_writes(thread: str, namespace: str, path: str, channels: Iterable[str]) -> Words:
    """`path`: that of the task, such as `~__pregel_pull, worker`. `thread`: as it is shown."""
    return _of_writes(thread, namespace, path, next(filter(_SPECIAL.__contains__, channels), None))


@lru_cache(_KEPT)
def _of_writes(thread: str, namespace: str, path: str, special: str | None) -> Words:
    task = path.rpartition(", ")[2] if path.startswith("~__pregel_pull") else ""
    message = f'thread "{thread}" {"writes" if special is None else special.strip("_")}'
    tags: tuple[str, ...] = (f"thread:{thread}",)
    if namespace:
        name = shown(namespace)
        message += f' in namespace "{name}"'
        tags += (f"namespace:{name}",)
    if task:
        task = shown(task, _NODE_SHOWN_MAX)
        message += f" of {task}"
    return Words(task or None, message, tags)


def of_thread(thread: str, what: str) -> Words:
    """Something that was done to a whole thread."""
    name = shown(thread)
    return Words(None, f'thread "{name}" {what}', (f"thread:{name}",))


_SPECIAL: Final = frozenset(("__interrupt__", "__error__", "__resume__"))


def _listed(nodes: Sequence[str]) -> str | None:
    if not nodes:
        return None
    names = ", ".join([shown(one, _NODE_SHOWN_MAX) for one in nodes[:_NODES_SHOWN]])
    return names if len(nodes) <= _NODES_SHOWN else f"{names}, ..."
