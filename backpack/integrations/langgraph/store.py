"""A store of LangGraph in a Backpack: items with their history, in memory or on disk, searched by words or by vectors.

A put is a commit, and so is a batch of puts. Where items stand: `store_names.py`; what of them: `store_records.py`; in
what order: `store_catalog.py`.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Final, Self, TypeVar
from weakref import WeakMethod

from langgraph.store.base import BaseStore, IndexConfig, Op, Result, TTLConfig

from backpack.core.commit import Commit, Facts
from backpack.integrations.langgraph.opening import IN_MEMORY, store_of
from backpack.integrations.langgraph.store_batches import Batch, batch_of
from backpack.integrations.langgraph.store_catalog import Catalog, catalog_of
from backpack.integrations.langgraph.store_expiry import check_ttl, checked_interval
from backpack.integrations.langgraph.store_reading import Reading
from backpack.integrations.langgraph.store_sweeping import Sweeper
from backpack.integrations.langgraph.store_vectors import Indexing
from backpack.integrations.langgraph.store_words import words_of
from backpack.integrations.langgraph.store_writing import Vectors, put_all, refresh, sweep
from backpack.memory import clock as real_clock
from backpack.store import tasks
from backpack.store.names import checked_callable, checked_number
from backpack.store.store import Backpack

_SWEEP_INTERVAL_MINUTES: Final = 5.0

_Result = TypeVar("_Result")


class BackpackStore(BaseStore):
    """LangGraph's long-term memory in a Backpack: a `BaseStore`, sync and async, with the results of `InMemoryStore`.

    >>> store = BackpackStore(Backpack())
    >>> store.put(("users", "123"), "prefs", {"theme": "dark", "food": "pizza"})
    >>> store.get(("users", "123"), "prefs").value["theme"]
    'dark'
    >>> [item.key for item in store.search(("users",), query="which pizza?")]
    ['prefs']

    Made of a Backpack, which may be shared with others and is not closed here; or of a path, which is opened with the
    `options` of `backpack.open` and closed with `close`, or a `with` or `async with` block. Thread-safe; the async
    calls block no loop. A put is one commit, and so is a batch: `backpack log` names nodes, threads and namespaces, and
    old values are in the history of their keys (`langgraph.store.item.users.123.:prefs`).

    `index` is as LangGraph has it: `{"dims", "embed", "fields"}`. With `embed` a query is answered by vectors, which
    are kept in the store; without it, or without `index`, by words (SQLite's FTS5), and `index=False` and
    `index=[paths]` of a put count there too. The `score` of words ranks the items of one search and is no measure of
    how alike texts are: no threshold fits it. `ttl`: `{"default_ttl", "refresh_on_read", "sweep_interval_minutes"}`, in
    minutes; what is expired is never returned, swept or not.

    As in `InMemoryStore` a put sets `created_at` and `updated_at`. Unlike there, a namespace without items is not
    listed, a put replaces all vectors of an item, and a filter that can't compare doesn't fit instead of raising.
    """

    supports_ttl = True

    def __init__(
        self,
        store_or_path: Backpack | str | os.PathLike[str],
        *,
        index: IndexConfig | None = None,
        ttl: TTLConfig | None = None,
        clock: Callable[[], float] = real_clock.now,
        **options: Any,
    ) -> None:
        """`clock`: seconds since 1970. What `backpack.open` raises, this raises."""
        check_ttl(ttl)
        self._indexing = Indexing(index)
        self.index_config = self._indexing.config
        self.embeddings = self._indexing.embeddings
        self.ttl_config = ttl
        self._clock = checked_callable("clock", clock)
        self._is_owner = not isinstance(store_or_path, Backpack)
        self.bp = store_of(store_or_path, "BackpackStore", options)
        self._sweeper = Sweeper(_weakly(self))

    @classmethod
    def from_conn_string(
        cls, conn_string: str, *, index: IndexConfig | None = None, ttl: TTLConfig | None = None
    ) -> Self:
        """As other stores of LangGraph have it, for a `with` or `async with` block: a path, or ":memory:"."""
        if conn_string != IN_MEMORY:
            return cls(conn_string, index=index, ttl=ttl)
        store = cls(Backpack(), index=index, ttl=ttl)
        store._is_owner = True
        return store

    def setup(self) -> None:
        """There is nothing to set up; other stores of LangGraph want this call."""
        self.bp._require_open()

    # -- operations ------------------------------------------------------------------------------------------------

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Do several operations: first all reads, then all puts, as one commit.

        `InvalidNamespaceError`, `InvalidArgumentError` and `UnstorableValueError`, a TypeError that names the place in
        the value, before anything is changed.
        """
        batch = batch_of(ops)
        embeddings = self.embeddings
        queries = None if embeddings is None else {one: embeddings.embed_query(one) for one in batch.queries}
        reading = self._reading(queries)
        results = self._answered(reading, batch)
        self._told(self._refreshed(reading))
        if batch.puts:
            texts = self._texts(batch)
            listed = list(dict.fromkeys(text for paths in texts.values() for text in paths.values()))
            vectors = embeddings.embed_documents(listed) if listed and embeddings is not None else []
            self._told(self._put(batch, self._by_names(texts, listed, vectors)))
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """As `batch`. What embeds is awaited; reads of the disk, long searches and syncs are other threads' work."""
        batch = batch_of(ops)
        embeddings = self.embeddings
        queries = None
        if embeddings is not None:
            found = await asyncio.gather(*map(embeddings.aembed_query, batch.queries))
            queries = dict(zip(batch.queries, found, strict=True))
        reading = self._reading(queries)
        results = await self._done(lambda: self._answered(reading, batch), is_quick=batch.is_quick)
        if reading.refreshed:
            await self._atold(lambda: self._refreshed(reading))
        if batch.puts:
            texts = self._texts(batch)
            listed = list(dict.fromkeys(text for paths in texts.values() for text in paths.values()))
            vectors = await embeddings.aembed_documents(listed) if listed and embeddings is not None else []
            by_names = self._by_names(texts, listed, vectors)
            await self._atold(lambda: self._put(batch, by_names))
        return results

    # -- expiry ----------------------------------------------------------------------------------------------------

    def sweep_ttl(self) -> int:
        """Take expired items away, as one commit; how many they were. Cost: all items that expire, 0.1 us each."""
        facts, count = sweep(self.bp, self._catalog, self._now_us())
        self._told(facts)
        return count

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> Future[None]:
        """Sweep every few minutes in a thread, if the store has a `ttl`: else the future is done at once.

        Cancelling the future stops it, as do `stop_ttl_sweeper` and `close`. Without an argument the interval is that
        of `ttl`, or 5 minutes.
        """
        if not self.ttl_config:
            future: Future[None] = Future()
            future.set_result(None)
            return future
        minutes = sweep_interval_minutes
        if minutes is None:
            minutes = self.ttl_config.get("sweep_interval_minutes") or _SWEEP_INTERVAL_MINUTES
        return self._sweeper.start(checked_interval("sweep_interval_minutes", minutes) * 60)

    def stop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        """End that thread and wait for it, so many seconds (None: for ever); False when it hasn't ended in time."""
        return self._sweeper.stop(None if timeout is None else checked_number("timeout", timeout))

    # -- the end ---------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop the sweeper, and close the Backpack if it was opened here. Idempotent."""
        self._sweeper.stop()
        if self._is_owner:
            self.bp.close()

    async def aclose(self) -> None:
        """As `close`, without blocking the loop."""
        await asyncio.to_thread(self._sweeper.stop)
        if self._is_owner:
            await self.bp.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<BackpackStore of {self.bp!r}>"

    # -- inside ----------------------------------------------------------------------------------------------------

    @property
    def _catalog(self) -> Catalog:
        """Asked for each time: in a forked child it is another one."""
        return catalog_of(self.bp)

    def _now_us(self) -> int:
        return int(self._clock() * 1_000_000)

    def _reading(self, queries: Mapping[str, Sequence[float]] | None) -> Reading:
        for vector in (queries or {}).values():
            self._indexing.check(vector)
        return Reading(self._catalog, self._now_us(), queries)

    def _answered(self, reading: Reading, batch: Batch) -> list[Result]:
        bp = self.bp
        bp._require_open()
        if bp._opened is not None and bp._opened.writer is None:
            bp.refresh()
        words = words_of(bp, self._indexing) if batch.queries and self.embeddings is None else None
        return reading.results(batch, words)

    def _refreshed(self, reading: Reading) -> Facts | None:
        return refresh(self.bp, self._catalog, reading.refreshed, self._now_us()) if reading.refreshed else None

    def _put(self, batch: Batch, vectors: Vectors) -> Facts | None:
        return put_all(self.bp, self._catalog, batch.puts.values(), vectors, self._now_us())

    def _texts(self, batch: Batch) -> dict[str, dict[str, str]]:
        """What of the puts is to be embedded, by names of items and by paths."""
        if self.embeddings is None:
            return {}
        return {
            name: self._indexing.texts(put.value, put.index)
            for name, put in batch.puts.items()
            if put.value is not None
        }

    def _by_names(self, texts: Mapping[str, Mapping[str, str]], listed: Sequence[str], vectors: Any) -> Vectors:
        found = self._indexing.checked(listed, vectors)
        return {name: {path: found[text] for path, text in paths.items()} for name, paths in texts.items()}

    def _told(self, facts: Facts | None) -> None:
        """Wait until a commit is as durable as the store promises, and tell who subscribed. Wants no lock."""
        if facts is not None:
            self.bp._told(facts)

    async def _atold(self, change: Callable[[], Facts | None]) -> None:
        """The same for a task, of a commit that is yet to be made: once that has begun it is brought to its end."""
        interrupt: asyncio.CancelledError | None = None
        with self._at_once() as is_at_once:
            facts = change() if is_at_once else None
        if not is_at_once:
            facts, interrupt = await self.bp._readers.finish(change)
        commit = None if facts is None else Commit(facts)
        if commit is not None and self.bp._events.subscribers:
            self.bp._tell(commit)
        if interrupt is not None:
            raise interrupt
        await tasks.durable(self.bp, commit)

    async def _done(self, act: Callable[[], _Result], *, is_quick: bool) -> _Result:
        """What `act` returns: in memory at once if it is quick, else by a thread."""
        if is_quick:
            with self._at_once() as is_at_once:
                if is_at_once:
                    return act()
        return await self.bp._readers.run(act)

    @contextmanager
    def _at_once(self) -> Iterator[bool]:
        """May the thread of a loop work inside? Where nothing is read from disk and nobody is in the way."""
        lock = self._catalog.lock
        if self.bp._archive is not None or not lock.acquire(blocking=False):
            yield False
            return
        try:
            yield True
        finally:
            lock.release()


def _weakly(store: BackpackStore) -> Callable[[], bool]:
    """Sweeps for as long as the store lives."""
    link = WeakMethod(store.sweep_ttl)

    def sweep_once() -> bool:
        act = link()
        if act is None:
            return False
        act()
        return True

    return sweep_once
