"""The checkpoints that fit, newest first; each is looked up when it is asked for: what went meanwhile is left out."""

from collections.abc import Iterator, Mapping
from heapq import merge
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple, get_checkpoint_id
from langgraph.checkpoint.serde.base import SerializerProtocol

from backpack.integrations.langgraph.reading import Kept, decoded, gather, metadata_of
from backpack.integrations.langgraph.threads import Threads

_Place = tuple[str, Any, str]
"""`(checkpoint id, thread id, namespace)`."""


def listed(
    threads: Threads,
    serde: SerializerProtocol,
    config: RunnableConfig | None,
    wanted: Mapping[str, Any] | None,
    before: str | None,
) -> Iterator[CheckpointTuple]:
    """Those of the thread, namespace and id that `config` names, as far as it names them, whose metadata say what is
    wanted and whose ids are below `before`."""
    name = get_checkpoint_id(config) if config else None
    kept: Kept = {}
    for place in _places(threads, config, before):
        if name and place[0] != name:
            continue
        found = _found(threads, serde, place, wanted, kept)
        if found is not None:
            yield found


def _places(threads: Threads, config: RunnableConfig | None, before: str | None) -> Iterator[_Place]:
    """Where checkpoints may be, the highest id first."""
    found: list[list[_Place]] = []
    with threads.lock:
        namespace = config["configurable"].get("checkpoint_ns") if config else None
        for thread_id in [config["configurable"]["thread_id"]] if config else threads.names():
            for known, space in threads.thread(str(thread_id)).spaces.items():
                if namespace is None or known == namespace:
                    found.append(
                        [(one, thread_id, known) for one in reversed(space.ids) if before is None or one < before]
                    )
    return iter(found[0]) if len(found) == 1 else merge(*found, key=lambda place: place[0], reverse=True)


def _found(
    threads: Threads, serde: SerializerProtocol, place: _Place, wanted: Mapping[str, Any] | None, kept: Kept
) -> CheckpointTuple | None:
    """The checkpoint, if it is still there and its metadata fit."""
    name, thread_id, namespace = place
    with threads.lock:
        thread = threads.thread(str(thread_id))
        row = thread.row(namespace, name)
        if row is None or row.is_hidden:
            return None
        metadata = metadata_of(row)
        found = None if wanted else gather(threads, thread, row, kept)
    if wanted:
        described = serde.loads_typed(metadata)
        if not all(described.get(key) == value for key, value in wanted.items()):
            return None
        return _found(threads, serde, place, None, kept)
    assert found is not None
    return decoded(serde, thread_id, namespace, found, None, kept)
