"""The checkpointer: LangGraph's threads in a Backpack, so that a step costs what it adds.

    graph = builder.compile(checkpointer=BackpackSaver("threads.backpack"))

Every checkpoint is one commit, and so is every call of `put_writes`; an acknowledged one survives kill -9. Unchanged
channels are not serialised again; a list of messages that grew costs what was added to it (`sharing.py`). What is read
is decoded by the serializer alone, which lets through the types that are allowed: nothing here unpickles or imports.
"""

import os
import random
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import timedelta
from itertools import islice
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

from backpack.errors import InvalidArgumentError
from backpack.integrations.langgraph.copying import copy
from backpack.integrations.langgraph.listing import listed
from backpack.integrations.langgraph.names import segment_of
from backpack.integrations.langgraph.opening import IN_MEMORY, store_of
from backpack.integrations.langgraph.reading import config_of, decoded, gather, history_of, walk
from backpack.integrations.langgraph.records import NO_UPDATED, Typed
from backpack.integrations.langgraph.retaining import erase_when_due, retain
from backpack.integrations.langgraph.retention import DELETE, KEEP_LATEST, STRATEGIES, Retention
from backpack.integrations.langgraph.rewriting import drop, erased, rewrite
from backpack.integrations.langgraph.selecting import Known, Selection, latest, within, without_runs
from backpack.integrations.langgraph.serializing import StrictSerializer, checked_types
from backpack.integrations.langgraph.threads import Threads, threads_of
from backpack.integrations.langgraph.writing import Draft, missing_channels, put, put_writes
from backpack.memory.clock import now
from backpack.store.names import checked_callable, checked_limit, checked_list, checked_mapping, checked_parts
from backpack.store.store import Backpack

_KNOWN_FIELDS: Final = frozenset(
    ("v", "ts", "id", "channel_values", "channel_versions", "versions_seen", "updated_channels")
)
_CONFIG: Final = '{"configurable": {"thread_id": "1"}}'
_Result = TypeVar("_Result")


class BackpackSaver(
    BaseCheckpointSaver[str],
    AbstractContextManager["BackpackSaver", None],
    AbstractAsyncContextManager["BackpackSaver", None],
):
    """A LangGraph checkpointer over a Backpack: sync and async in one class, thread-safe.

    `store`: a `Backpack`, which stays yours, or the path of a directory, which is opened here (with what else is given,
    as for `backpack.open`) and closed by `close()` or at the end of a `with` block. Then calls raise `ClosedError`.

    `serde`: any serializer of LangGraph; its type tag is stored beside its bytes. The default is LangGraph's own in its
    strict mode: of classes it builds only those that LangGraph knows as safe (messages, documents, dates...), and the
    `allowed_types`: classes, or `(module, name)`. Others come back as the plain data they are made of, and the log says
    so, once a class. A `serde` of yours has its own way to allow them.

    A store of `mode="r"` shows what its writer has done up to each call, and refuses to be changed.

    `retention`: what threads keep, applied as they grow, at O(1) a checkpoint. `clock`: seconds since 1970, for that.
    """

    def __init__(
        self,
        store: "Backpack | str | os.PathLike[str]",
        *,
        serde: SerializerProtocol | None = None,
        allowed_types: Iterable[type | tuple[str, ...]] = (),
        retention: Retention | None = None,
        clock: Callable[[], float] = now,
        **options: Any,
    ) -> None:
        allowed = checked_types("allowed_types", allowed_types)
        if serde is None:
            serde = StrictSerializer(allowed)
        elif allowed:
            raise InvalidArgumentError("allowed_types are those of the default serializer: allow them in your serde")
        else:
            checked_parts("serde", serde, ("dumps_typed", "loads_typed"))
        if retention is not None and not isinstance(retention, Retention):
            raise InvalidArgumentError(f"retention must be a Retention or None, not {type(retention).__name__}")
        super().__init__(serde=serde)
        self.retention = retention
        self._clock = checked_callable("clock", clock)
        self._owns_store = not isinstance(store, Backpack)
        self.bp: Backpack = store_of(store, "BackpackSaver", options)
        opened = self.bp._opened
        self._is_reader = opened is not None and opened.writer is None

    @classmethod
    def from_conn_string(cls, conn_string: str, **options: Any) -> Self:
        """The saver of a path, or of a store in memory for `":memory:"`: use it in a `with` or `async with` block.

        The name is that of the other savers of LangGraph, so that only the class changes.
        """
        if conn_string != IN_MEMORY:
            return cls(conn_string, **options)
        made = cls(Backpack(), **options)
        made._owns_store = True
        return made

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
            found = gather(threads, thread, row, {})
        return decoded(self.serde, thread_id, namespace, found, None if name is None else config, {})

    def get(self, config: RunnableConfig) -> Checkpoint | None:
        """The checkpoint alone that `get_tuple` finds."""
        found = self.get_tuple(config)
        return None if found is None else found.checkpoint

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
            seq = thread.checked
            has_left = self.retention is not None and retain(threads, thread, self.serde, self.retention, self._clock)
        threads.settle(seq)
        if has_left:
            erase_when_due(threads)
        return config_of(thread_id, namespace, checkpoint["id"])

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store the writes of a task: one commit. Those known by task and index stay as they are, but for interrupts,
        errors and the like, which are replaced."""
        thread_id, namespace = _place(config)
        name = config["configurable"]["checkpoint_id"]
        dumped = self._dumped
        drafts = [
            (WRITES_IDX_MAP.get(channel, index), channel, dumped(value))
            for index, (channel, value) in enumerate(writes)
        ]
        threads = self._threads()
        with threads.lock:
            thread = threads.thread(str(thread_id))
            put_writes(threads, thread, namespace, name, task_id, task_path, drafts)
            seq = thread.checked
        threads.settle(seq)

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
        checked_limit(limit)
        for name, given in (("config", config), ("filter", filter), ("before", before)):
            if given is not None:
                checked_mapping(name, given)
        return self._listed(config, filter, before, limit)

    def _listed(
        self,
        config: RunnableConfig | None,
        filter: dict[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> Iterator[CheckpointTuple]:
        if limit is None or limit > 0:
            found = listed(self._threads(), self.serde, config, filter, get_checkpoint_id(before) if before else None)
            yield from islice(found, limit)

    # -- threads -----------------------------------------------------------------------------------------------

    def delete_thread(self, thread_id: str) -> None:
        """Take a thread out for good: gone from the present at once, and from history and the disk when this returns.

        That is said of what it held: states, messages, writes, metadata. The history of commits stays, and with it how
        those of the thread are called: their keys and labels have its id and namespaces, and the names of nodes. So
        let an id be no secret.

        Cost: that of `Backpack.purge`: on disk, every segment that has something of the thread is written anew.
        """
        self._drop([str(thread_id)])

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Take out the checkpoints of these runs, by the `run_id` of their metadata, with their writes, for good.

        What later checkpoints of a `DeltaChannel` are made of stays, hidden. Cost: reading all threads, and writing
        those that lose something.
        """
        wanted = checked_list("run_ids", run_ids)
        if wanted:
            threads = self._threads()
            self._keep(threads.names(), lambda known: without_runs(known, wanted))
            erased(threads, None)

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """All checkpoints and writes of a thread in another one too: one commit that brings in no bytes.

        A target that has something already gets them added, at the cost of both threads. No such source: nothing.
        """
        threads = self._threads()
        with threads.lock:
            copy(threads, threads.thread(str(source_thread_id)), threads.thread(str(target_thread_id)))

    def prune(
        self,
        thread_ids: Sequence[str],
        *,
        strategy: str = KEEP_LATEST,
        keep_last: int | None = None,
        older_than: timedelta | None = None,
        max_bytes: int | None = None,
    ) -> None:
        """Take old checkpoints of these threads out, for good: from the present, from history and from the disk.

        `strategy`: "keep_latest" keeps the newest of each namespace; "delete" keeps nothing, as `delete_thread` does.
        With `keep_last`, `older_than` (a timedelta) or `max_bytes` they are what is kept: see `Retention`, which also
        says what stays in any case. Unknown threads are no error; nonsense raises `InvalidArgumentError` and changes
        nothing.

        Cost: what stays, and that of `Backpack.purge`, once for all threads.
        """
        rule = Retention(keep_last, older_than, max_bytes)
        if strategy not in STRATEGIES:
            raise InvalidArgumentError(f"no such strategy: strategy={strategy!r}; it is one of {', '.join(STRATEGIES)}")
        if strategy == DELETE and rule.is_bounded:
            raise InvalidArgumentError('strategy="delete" keeps nothing: leave keep_last, older_than and max_bytes out')
        ids = [str(thread_id) for thread_id in checked_list("thread_ids", thread_ids)]
        if strategy == DELETE:
            self._drop(ids)
        else:
            self._keep(ids, lambda known: within(known, rule, self._clock()) if rule.is_bounded else latest(known))
            erased(self._threads(), [segment_of(thread_id) for thread_id in ids])

    # -- DeltaChannel ------------------------------------------------------------------------------------------

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """The writes that make the channels, from the nearest ancestor that has a value on, and that value."""
        if not checked_list("channels", channels):
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

    async def adelete_thread(self, thread_id: str) -> None:
        """As `delete_thread`."""
        await self._changed(lambda: self.delete_thread(thread_id))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """As `delete_for_runs`."""
        await self._changed(lambda: self.delete_for_runs(run_ids))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """As `copy_thread`."""
        await self._changed(lambda: self.copy_thread(source_thread_id, target_thread_id))

    async def aprune(
        self,
        thread_ids: Sequence[str],
        *,
        strategy: str = KEEP_LATEST,
        keep_last: int | None = None,
        older_than: timedelta | None = None,
        max_bytes: int | None = None,
    ) -> None:
        """As `prune`."""
        await self._changed(
            lambda: self.prune(
                thread_ids, strategy=strategy, keep_last=keep_last, older_than=older_than, max_bytes=max_bytes
            )
        )

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """As `get_delta_channel_history`."""
        return await self._read(lambda: self.get_delta_channel_history(config=config, channels=channels))

    async def aget(self, config: RunnableConfig) -> Checkpoint | None:
        """As `get`."""
        found = await self.aget_tuple(config)
        return None if found is None else found.checkpoint

    # -- versions and types ------------------------------------------------------------------------------------

    def get_next_version(self, current: str | None, channel: None) -> str:
        """The version after this one, in the form that the savers of LangGraph use."""
        if current is None:
            number = 0
        elif isinstance(current, int):
            number = current
        else:
            number = int(current.split(".")[0])
        return f"{number + 1:032}.{random.random():016}"

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> "BackpackSaver":
        """The same saver, over the same store, whose serializer lets these types through as well."""
        allowed = checked_types("extra_allowlist", extra_allowlist)
        return cast(BackpackSaver, super().with_allowlist(cast("Collection[tuple[str, ...]]", allowed)))

    # -- inside ------------------------------------------------------------------------------------------------

    def _threads(self) -> Threads:
        threads = threads_of(self.bp)
        if self._is_reader:
            with threads.lock:
                self.bp.refresh()  # what the writer has done since
        return threads

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
        rest = None
        if not _KNOWN_FIELDS.issuperset(fields):
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

    def _drop(self, thread_ids: Sequence[str]) -> None:
        """Take whole threads out for good."""
        threads = self._threads()
        for thread_id in thread_ids:
            with threads.lock:
                drop(threads, thread_id)
        erased(threads, [segment_of(thread_id) for thread_id in thread_ids])

    def _keep(self, thread_ids: Sequence[str], selected: Callable[[Known], Selection]) -> None:
        """Take all but what is selected out of these threads. The caller has it erased, and of all of them: an earlier
        call may have taken something out and not come so far."""
        threads = self._threads()
        for thread_id in thread_ids:
            with threads.lock:
                thread = threads.thread(thread_id)
                rewrite(threads, thread, selected(Known(thread, self.serde)))


def _place(config: RunnableConfig) -> tuple[Any, str]:
    if not isinstance(config, Mapping):
        raise InvalidArgumentError(f"config is a dict, not {type(config).__name__}: {_CONFIG}")
    named = config["configurable"]
    return named["thread_id"], named.get("checkpoint_ns", "")
