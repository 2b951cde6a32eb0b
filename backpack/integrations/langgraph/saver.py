"""The checkpointer: LangGraph's threads in a Backpack, so that a step costs what it adds.

    graph = builder.compile(checkpointer=BackpackSaver("threads.backpack"))

Every checkpoint is one commit, and so is every call of `put_writes`; an acknowledged one survives kill -9. Unchanged
channels are not serialised again; a list of messages that grew costs what was added to it (`sharing.py`). What is read
is decoded by the serializer alone, which lets through the types that are allowed: nothing here unpickles or imports.
"""

import os
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from heapq import merge
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    get_checkpoint_id,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from backpack.integrations.langgraph.reading import config_of, decoded, gather, history_of, metadata_of, walk
from backpack.integrations.langgraph.records import NO_UPDATED, Typed
from backpack.integrations.langgraph.threads import Threads, threads_of
from backpack.integrations.langgraph.writing import Draft, WriteDraft, missing_channels, put, put_writes
from backpack.store.opening import open as open_store
from backpack.store.store import Backpack

_KNOWN_FIELDS: Final = frozenset(
    ("v", "ts", "id", "channel_values", "channel_versions", "versions_seen", "updated_channels")
)
_Result = TypeVar("_Result")


class BackpackSaver(
    BaseCheckpointSaver[str],
    AbstractContextManager["BackpackSaver", None],
    AbstractAsyncContextManager["BackpackSaver", None],
):
    """A LangGraph checkpointer over a Backpack: sync and async in one class, thread-safe.

    `store`: a `Backpack`, which stays yours, or the path of a directory, which is opened here (with what else is given,
    as for `backpack.open`) and closed by `close()` or at the end of a `with` block.
    """

    def __init__(
        self,
        store: "Backpack | str | os.PathLike[str]",
        *,
        serde: SerializerProtocol | None = None,
        **options: Any,
    ) -> None:
        super().__init__(serde=JsonPlusSerializer(allowed_msgpack_modules=None) if serde is None else serde)
        self._owns_store = not isinstance(store, Backpack)
        self.bp: Backpack = store if isinstance(store, Backpack) else open_store(store, **options)

    # -- one checkpoint ----------------------------------------------------------------------------------------

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, or the newest of its thread and namespace; None when there is none."""
        thread_id, namespace = _place(config)
        name = get_checkpoint_id(config) or None
        threads = self._threads()
        with threads.lock:
            thread = threads.thread(str(thread_id))
            row = thread.row(namespace, name)
            if row is None or row.is_hidden:
                return None
            found = gather(threads, thread, row)
        return decoded(self.serde, thread_id, namespace, found, None if name is None else config)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint: one commit. Cost: what is new in it, and comparing changed values with those before."""
        thread_id, namespace = _place(config)
        values = checkpoint["channel_values"]
        typed: dict[str, Typed | None] = {
            channel: self._dumped(values[channel]) if channel in values else None for channel in new_versions
        }
        described = get_checkpoint_metadata(config, metadata)
        draft = self._draft(checkpoint, namespace, get_checkpoint_id(config), typed, self._dumped(described))
        threads = self._threads()
        with threads.lock:
            thread = threads.thread(str(thread_id))
            for channel in missing_channels(thread, draft, values):
                typed[channel] = self._dumped(values[channel])
            put(threads, thread, draft, described)
        return config_of(thread_id, namespace, checkpoint["id"])

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store the writes of a task: one commit. Those known by task and index stay as they are, but for interrupts,
        errors and the like, which are replaced."""
        thread_id, namespace = _place(config)
        name = config["configurable"]["checkpoint_id"]
        drafts = [
            WriteDraft(WRITES_IDX_MAP.get(channel, index), channel, self._dumped(value))
            for index, (channel, value) in enumerate(writes)
        ]
        threads = self._threads()
        with threads.lock:
            put_writes(threads, threads.thread(str(thread_id)), namespace, name, task_id, task_path, drafts)

    # -- many checkpoints --------------------------------------------------------------------------------------

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """The checkpoints that fit, newest first, one by one as they are asked for.

        `config`: of this thread, namespace and id, as far as it names them; None: of all threads. `filter`: what their
        metadata have to say. `before`: those below its checkpoint id.
        """
        if limit is not None and limit <= 0:
            return
        count = 0
        name = get_checkpoint_id(config) if config else None
        for one, thread_id, namespace in self._places(config, get_checkpoint_id(before) if before else None):
            if name and one != name:
                continue
            found = self._found(thread_id, namespace, one, filter)
            if found is None:
                continue
            yield found
            count += 1
            if count == limit:
                return

    # -- DeltaChannel ------------------------------------------------------------------------------------------

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """The writes that make the channels, from the nearest ancestor that has a value on, and that value."""
        if not channels:
            return {}
        thread_id, namespace = _place(config)
        threads = self._threads()
        with threads.lock:
            thread = threads.thread(str(thread_id))
            found = walk(threads, thread, thread.row(namespace, get_checkpoint_id(config) or None), channels)
        return history_of(self.serde, channels, found)

    # -- the end -----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the store, if it was opened here. Idempotent."""
        if self._owns_store:
            self.bp.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owns_store:
            await self.bp.aclose()

    # -- asyncio -----------------------------------------------------------------------------------------------

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As `get_tuple`."""
        return await self._read(lambda: self.get_tuple(config))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """As `put`."""
        return await self._changed(lambda: self.put(config, checkpoint, metadata, new_versions))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """As `put_writes`."""
        await self._changed(lambda: self.put_writes(config, writes, task_id, task_path))

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """As `list`."""
        found = self.list(config, filter=filter, before=before, limit=limit)
        while True:
            one = await self._read(lambda: next(found, None))
            if one is None:
                return
            yield one

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """As `get_delta_channel_history`."""
        return await self._read(lambda: self.get_delta_channel_history(config=config, channels=channels))

    # -- versions ----------------------------------------------------------------------------------------------

    def get_next_version(self, current: str | None, channel: None) -> str:
        """The version after this one, in the form that the savers of LangGraph use."""
        if current is None:
            number = 0
        elif isinstance(current, int):
            number = current
        else:
            number = int(current.split(".")[0])
        return f"{number + 1:032}.{random.random():016}"

    # -- inside ------------------------------------------------------------------------------------------------

    def _threads(self) -> Threads:
        return threads_of(self.bp)

    async def _read(self, act: Callable[[], _Result]) -> _Result:
        if self.bp._archive is None:
            return act()
        return await self.bp._readers.run(act)

    async def _changed(self, act: Callable[[], _Result]) -> _Result:
        """What `act` returns, done by another thread. Who is cancelled waits until it is done."""
        if self.bp._archive is None:
            return act()
        result, interrupt = await self.bp._readers.finish(act)
        if interrupt is not None:
            raise interrupt
        return result

    def _dumped(self, value: Any) -> Typed:
        kind, data = self.serde.dumps_typed(value)
        return kind, bytes(data)

    def _draft(
        self,
        checkpoint: Checkpoint,
        namespace: str,
        parent: str | None,
        typed: dict[str, Typed | None],
        metadata: Typed,
    ) -> Draft:
        fields = cast(dict[str, Any], checkpoint)
        rest = {name: field for name, field in fields.items() if name not in _KNOWN_FIELDS}
        updated = fields.get("updated_channels", NO_UPDATED)
        return Draft(
            namespace=namespace,
            id=fields["id"],
            parent=parent,
            v=fields.get("v"),
            ts=fields.get("ts"),
            updated=updated if updated is None or updated is NO_UPDATED else list(updated),
            rest=self._dumped(rest) if rest else None,
            metadata=metadata,
            versions=dict(fields["channel_versions"]),
            seen={node: dict(versions) for node, versions in fields["versions_seen"].items()},
            values=typed,
        )

    def _places(self, config: RunnableConfig | None, before: str | None) -> Iterator[tuple[str, Any, str]]:
        """`(checkpoint id, thread id, namespace)`, the highest id first."""
        threads = self._threads()
        found: list[list[tuple[str, Any, str]]] = []
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
        self, thread_id: Any, namespace: str, name: str, wanted: Mapping[str, Any] | None
    ) -> CheckpointTuple | None:
        """The checkpoint, if it is still there and its metadata fit."""
        threads = self._threads()
        with threads.lock:
            thread = threads.thread(str(thread_id))
            row = thread.row(namespace, name)
            if row is None or row.is_hidden:
                return None
            metadata = metadata_of(row)
            found = None if wanted else gather(threads, thread, row)
        if wanted:
            described = self.serde.loads_typed(metadata)
            if not all(described.get(key) == value for key, value in wanted.items()):
                return None
            return self._found(thread_id, namespace, name, None)
        assert found is not None
        return decoded(self.serde, thread_id, namespace, found, None)


def _place(config: RunnableConfig) -> tuple[Any, str]:
    named = config["configurable"]
    return named["thread_id"], named.get("checkpoint_ns", "")
