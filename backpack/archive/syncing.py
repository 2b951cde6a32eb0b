"""Group commit: many threads and tasks wait for their commits to be on disk; one sync serves all that came before it.

A thread that waits becomes the leader when nobody is syncing: it syncs itself, without the store's lock, so a lone
writer pays for the sync and nothing else; those that come meanwhile wait for the next round. Tasks never wait in the
thread of their loop: a flusher thread waits for them and wakes all tasks of a loop with one call. It is called once the
loop has run all tasks that were ready: called by the first, it would take the interpreter from the others at their
next write, and sync for a few what soon waits for the rest.

Rounds are counted, so that `sync` too is shared: whoever asks for one is served by any round that begins afterwards.
"""

from collections.abc import Callable
from copy import copy
from threading import Condition, RLock, Thread
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from backpack.errors import BackpackError, StorageError

if TYPE_CHECKING:  # it takes 9 MB, and only tasks need it, who have it already
    import asyncio

_IDLE_S: Final = 5.0
"""A flusher thread without work ends after this time."""

_NEVER: Final = 1 << 62


class Goal(NamedTuple):
    """What somebody waits for: a commit on disk, the end of a round."""

    seq: int
    round: int


Future: TypeAlias = "asyncio.Future[None]"
Waiters: TypeAlias = "dict[Future, tuple[Goal, asyncio.AbstractEventLoop]]"


class Syncer:
    """Knows which commits are on disk for good, and makes more of them so."""

    def __init__(self, sync: Callable[[], int], synced: int) -> None:
        """`sync`: have everything written so far on disk; returns the newest commit among it. Called by one thread at
        a time; a `StorageError` of it ends syncing for good."""
        self._sync = sync
        self._mutex = RLock()
        self._condition = Condition(self._mutex)  # `with` the lock, not this: a Ctrl-C in its `__enter__` would keep it
        self._is_syncing = False
        self._is_ending = False
        self._begun = 0
        """Rounds that began."""
        self._ended = 0
        """The last of them that was a success."""
        self.synced = synced
        self.tell: Callable[[int], None] = _nothing
        """Told how far that is after each sync, while nobody can take a commit out again."""
        self._ceiling = _NEVER
        """What was taken out while a sync was under way lies behind it."""
        self.failure: StorageError | None = None
        self._waiters: Waiters = {}
        self._calling: asyncio.AbstractEventLoop | None = None
        """The loop that is going to call the flusher; another than the newest may do so without need."""
        self._is_called = False
        """The flusher has been called since it looked for waiters last."""
        self._flusher: Thread | None = None

    def wait(self, seq: int) -> None:
        """Return when the commit is on disk. `StorageError` when a sync has failed."""
        self._reach(Goal(seq, 0))

    def sync(self) -> None:
        """Return when everything written before this call is on disk, whatever is known to be there already."""
        with self._mutex:
            goal = Goal(0, self._begun + 1)
        self._reach(goal)

    async def until(self, seq: int) -> None:
        """As `wait`, in a task: the thread of its loop neither syncs nor waits."""
        if self.synced < seq:
            await self._reached(Goal(seq, 0))

    async def settled(self) -> None:
        """As `sync`, in a task."""
        with self._mutex:
            goal = Goal(0, self._begun + 1)
        await self._reached(goal)

    def advance(self, seq: int) -> None:
        """Everything up to there has come to disk in another way."""
        with self._mutex:
            self.synced = max(self.synced, seq)
            self._condition.notify_all()

    def retreat(self, seq: int) -> None:
        """What came after `seq` was taken out again."""
        with self._mutex:
            self.synced = min(self.synced, seq)
            self._ceiling = min(self._ceiling, seq)

    def join(self) -> None:
        """Wait until no thread works for this any more: those who wait are served first."""
        with self._mutex:
            self._is_ending = True
            self._call_flusher()
            flusher = self._flusher
        if flusher is not None:
            flusher.join()

    # -- inside --------------------------------------------------------------------------------------------------

    def _is_reached(self, goal: Goal) -> bool:
        return self.synced >= goal.seq and self._ended >= goal.round

    def _reach(self, goal: Goal) -> None:
        while not self._step(goal):
            pass

    def _step(self, goal: Goal) -> bool:
        """Is the goal reached? If not: wait for the round of another thread to end, or sync as the one that does."""
        is_leading = False  # known before anything can interrupt: else a Ctrl-C would leave a round that never ends
        synced = -1
        failure: StorageError | None = None
        try:
            with self._mutex:
                if self._is_reached(goal):
                    return True
                if self.failure is not None:
                    raise failed_error(self.failure)
                if self._is_syncing:
                    self._condition.wait()
                    return False
                self._begun += 1
                self._ceiling = _NEVER
                is_leading = self._is_syncing = True
            synced = self._sync()
        except StorageError as error:
            if not is_leading:
                raise
            failure = error
        finally:
            if is_leading:
                self._end_round(synced, failure)
        return False

    def _end_round(self, synced: int, failure: StorageError | None) -> None:
        """`synced`: the newest commit on disk, -1 where the round was no success."""
        with self._mutex:
            self._is_syncing = False
            if synced >= 0:
                self.synced = max(self.synced, min(synced, self._ceiling))
                self._ended = self._begun
                self.tell(self.synced)
            if failure is not None:
                self.failure = failure
            self._condition.notify_all()

    async def _reached(self, goal: Goal) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        future: Future = loop.create_future()
        with self._mutex:
            if self._is_reached(goal):
                return
            if self.failure is not None:
                raise failed_error(self.failure)
            self._waiters[future] = goal, loop
            if self._calling is not loop:
                loop.call_soon(self._call)
                self._calling = loop
        try:
            await future
        finally:
            self._waiters.pop(future, None)  # it was cancelled

    def _call(self) -> None:
        """Call the flusher, in the thread of a loop."""
        with self._mutex:
            self._calling = None
            self._is_called = True
            self._call_flusher()

    def _call_flusher(self) -> None:
        """Wants the mutex."""
        if self._waiters and self._flusher is None:
            flusher = Thread(target=self._flush, name="backpack-flusher", daemon=True)
            self._flusher = flusher
            try:
                flusher.start()
            except BaseException as error:  # no thread is to be had, or Ctrl-C: the next call tries again
                if flusher.ident is None:
                    self._flusher = None
                if not isinstance(error, RuntimeError):
                    raise
                self._release(StorageError(f"no thread can be started that syncs for tasks ({error})"))
        else:
            self._condition.notify_all()

    def _flush(self) -> None:
        """What the flusher thread does."""
        while goals := self._next_goals():
            while goals:
                error: Exception | None = None
                try:
                    self._reach(goals[0])
                except Exception as caught:  # told to those who wait, who are the callers here
                    error = caught
                self._release(error)
                # whoever was there and is not served has no call to come: a thread's round may serve the first alone
                goals = [] if error is not None else [goal for goal in goals if not self._is_reached(goal)]

    def _next_goals(self) -> list[Goal]:
        """What those who wait now wait for; none when the flusher is to end, which it has then promised."""
        with self._mutex:
            while True:
                is_due = self._condition.wait_for(self._is_due, _IDLE_S)
                self._is_called = False
                goals = [goal for goal, _ in list(self._waiters.values())]
                if goals:
                    return goals
                if self._is_ending or not is_due:
                    self._flusher = None
                    return []

    def _is_due(self) -> bool:
        return self._is_ending or self._is_called

    def _release(self, error: Exception | None) -> None:
        """Wake the tasks that have what they wait for; all of them after an error."""
        by_loop: dict[asyncio.AbstractEventLoop, list[Future]] = {}
        with self._mutex:
            for future, (goal, loop) in list(self._waiters.items()):
                if error is not None or self._is_reached(goal):
                    self._waiters.pop(future, None)
                    by_loop.setdefault(loop, []).append(future)
        for loop, futures in by_loop.items():
            try:
                loop.call_soon_threadsafe(_resolve, futures, error)
            except RuntimeError:  # the loop was closed, and its tasks with it
                continue


def _resolve(futures: list[Future], error: Exception | None) -> None:
    for future in futures:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            # to each its own: a traceback grows wherever the error is raised
            future.set_exception(copy(error) if isinstance(error, BackpackError) else error)


def _nothing(_: int) -> None:
    pass


def failed_error(failure: StorageError) -> StorageError:
    """The error for everybody who waits after a sync has failed."""
    return StorageError(
        f"the disk refused to sync ({failure}); what was acknowledged is there, what came after may not be: close the "
        "store and open it again",
        file=getattr(failure, "file", None),
        errno=failure.errno,
    )
