"""Group commit: many threads and tasks wait for their commits to be on disk; one sync serves all that came before it.

A thread that waits becomes the leader when nobody is syncing: it syncs itself, without the store's lock, so a lone
writer pays for the sync and nothing else; those that come meanwhile wait for the next round. Tasks never wait in the
thread of their loop: a flusher thread waits for them and wakes all tasks of a loop with one call.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Thread
from typing import Final

from backpack.errors import StorageError

_IDLE_S: Final = 5.0
"""A flusher thread without work ends after this time."""

_NEVER: Final = 1 << 62

Waiter = tuple[int, asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class Syncer:
    """Knows which commits are on disk for good, and makes more of them so."""

    def __init__(self, sync: Callable[[], int], synced: int) -> None:
        """`sync`: have everything written so far on disk; returns the newest commit among it. Called by one thread at
        a time; what it raises ends syncing for good."""
        self._sync = sync
        self._condition = Condition()
        self._is_syncing = False
        self.synced = synced
        self.settled: Callable[[int], None] = _nothing
        """Told how far that is after each sync, while nobody can take a commit out again."""
        self._ceiling = _NEVER
        """What was taken out while a sync was under way lies behind it."""
        self.failure: StorageError | None = None
        self._waiters: list[Waiter] = []
        self._flusher: Thread | None = None
        self._is_ending = False

    def wait(self, seq: int) -> None:
        """Return when the commit is on disk. `StorageError` when a sync has failed."""
        condition = self._condition
        while True:
            with condition:
                if self.synced >= seq:
                    return
                if self.failure is not None:
                    raise failed_error(self.failure)
                if self._is_syncing:
                    condition.wait()
                    continue
                self._begin()
            self._lead()

    def sync(self) -> None:
        """Sync once, whatever is known to be on disk already."""
        condition = self._condition
        with condition:
            while self._is_syncing:
                condition.wait()
            if self.failure is not None:
                raise failed_error(self.failure)
            self._begin()
        self._lead()
        if self.failure is not None:
            raise failed_error(self.failure)

    async def until(self, seq: int) -> None:
        """As `wait`, in a task: the thread of its loop neither syncs nor waits."""
        if self.synced >= seq:
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._condition:
            if self.failure is not None:
                raise failed_error(self.failure)
            self._waiters.append((seq, loop, future))
            if self._flusher is None:
                self._flusher = Thread(target=self._flush, name="backpack-flusher", daemon=True)
                self._flusher.start()
            else:
                self._condition.notify_all()
        await future

    def advance(self, seq: int) -> None:
        """Everything up to there has come to disk in another way."""
        with self._condition:
            self.synced = max(self.synced, seq)
            self._condition.notify_all()

    def retreat(self, seq: int) -> None:
        """What came after `seq` was taken out again."""
        with self._condition:
            self.synced = min(self.synced, seq)
            self._ceiling = min(self._ceiling, seq)

    def join(self) -> None:
        """Wait until no thread works for this any more."""
        with self._condition:
            flusher = self._flusher
            self._is_ending = True
            self._condition.notify_all()
        if flusher is not None:
            flusher.join()

    # -- inside --------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Be the one that syncs. Wants the condition."""
        self._is_syncing = True
        self._ceiling = _NEVER

    def _lead(self) -> None:
        """Sync, as the one that does."""
        synced, failure, interrupt = 0, None, None
        try:
            synced = self._sync()
        except StorageError as error:
            failure = error
        except BaseException as error:
            interrupt = error
        with self._condition:
            self._is_syncing = False
            self.synced = max(self.synced, min(synced, self._ceiling))
            self.settled(self.synced)
            if failure is not None:
                self.failure = failure
            self._condition.notify_all()
        if interrupt is not None:
            raise interrupt

    def _flush(self) -> None:
        """What the flusher thread does."""
        while True:
            with self._condition:
                self._condition.wait_for(lambda: bool(self._waiters) or self._is_ending, _IDLE_S)
                if not self._waiters:
                    self._flusher = None
                    return
                waiters, self._waiters = self._waiters, []
            error: BaseException | None = None
            try:
                self.wait(max(seq for seq, _, _ in waiters))
            except BaseException as caught:
                error = caught
            by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
            for _, loop, future in waiters:
                by_loop.setdefault(loop, []).append(future)
            for loop, futures in by_loop.items():
                with suppress(RuntimeError):  # the loop was closed: nobody waits there any more
                    loop.call_soon_threadsafe(_resolve, futures, error)


def _resolve(futures: list["asyncio.Future[None]"], error: BaseException | None) -> None:
    for future in futures:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


def _nothing(_: int) -> None:
    pass


def failed_error(failure: StorageError) -> StorageError:
    """The error for everybody who waits after a sync has failed."""
    return StorageError(
        f"the disk refused to sync ({failure}); what was acknowledged is there, what came after may not be: close the "
        "store and open it again"
    )
