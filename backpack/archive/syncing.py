"""Group commit: many threads and tasks wait for their commits to be on disk; one sync serves all that came before it.

A thread that waits becomes the leader when nobody is syncing: it syncs itself, without the store's lock, so a lone
writer pays for the sync and nothing else; those that come meanwhile wait for the next round. Tasks never wait in the
thread of their loop: a flusher thread waits for them and wakes all tasks of a loop with one call. Those that begin to
wait in one turn of the loop are gathered without a lock, and the flusher is called once all tasks that were ready have
run: called by the first, it would take the interpreter from the others at their next write, and sync for a few what
soon waits for the rest.

Rounds are counted, so that `sync` too is shared: whoever asks for one is served by any round that begins afterwards.
"""

from collections.abc import Callable
from contextlib import suppress
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


Loop: TypeAlias = "asyncio.AbstractEventLoop"
Future: TypeAlias = "asyncio.Future[None]"
Wait: TypeAlias = tuple[Future, int, int]
"""A task, and the `seq` and round of its goal."""


class Turn:
    """The tasks of a loop that began to wait in one turn of it. Only the thread of the loop changes `waits`."""

    __slots__ = ("loop", "waits")

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.waits: list[Wait] = []

    def goal(self) -> Goal:
        """What serves them all, but for those that were cancelled."""
        seq = round_ = 0
        for future, its_seq, its_round in self.waits:
            if not future.done():
                seq, round_ = max(seq, its_seq), max(round_, its_round)
        return Goal(seq, round_)


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
        self._gathering: dict[Loop, Turn] = {}
        """Of loops that are going to call the flusher."""
        self._called: dict[Loop, Turn] = {}
        """For whom the flusher was called since it looked last."""
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
        waiter = self.waiter(seq)
        if waiter is not None:
            await waiter

    def waiter(self, seq: int) -> "Future | None":
        """What a task awaits until the commit is on disk; None when it is."""
        return None if self.synced >= seq else self._future(seq, 0)

    async def settled(self) -> None:
        """As `sync`, in a task."""
        with self._mutex:
            round_ = self._begun + 1
        await self._future(0, round_)

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
            self._called = {**self._gathering, **self._called}
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

    def _future(self, seq: int, round_: int) -> Future:
        import asyncio

        loop = asyncio.get_running_loop()
        turn = self._gathering.get(loop) or self._begun_turn(loop)
        future: Future = loop.create_future()
        turn.waits.append((future, seq, round_))
        return future

    def _begun_turn(self, loop: Loop) -> Turn:
        with self._mutex:
            if self.failure is not None:
                raise failed_error(self.failure)
            for closed in [other for other in self._gathering if other.is_closed()]:
                del self._gathering[closed]  # before it could call
            turn = Turn(loop)
            loop.call_soon(self._call, turn)
            self._gathering[loop] = turn
            return turn

    def _call(self, turn: Turn) -> None:
        """Call the flusher, in the thread of a loop, unless a thread has synced for them meanwhile."""
        with self._mutex:
            self._gathering.pop(turn.loop, None)  # none where an interrupt came; a later turn has its own call to come
            if self._is_reached(turn.goal()):
                self._resolve(turn, None)
                return
            called = self._called.setdefault(turn.loop, turn)
            if called is not turn:  # it has not come to look for those: who was cancelled meanwhile is forgotten
                called.waits = [wait for wait in called.waits if not wait[0].done()] + turn.waits
            self._call_flusher()

    def _call_flusher(self) -> None:
        """Wants the mutex."""
        if self._called and self._flusher is None:
            flusher = Thread(target=self._flush, name="backpack-flusher", daemon=True)
            self._flusher = flusher
            try:
                flusher.start()
            except BaseException as error:  # no thread is to be had, or Ctrl-C: the next call tries again
                if flusher.ident is None:
                    self._flusher = None
                if not isinstance(error, RuntimeError):
                    raise
                turns, self._called = self._called, {}
                for turn in turns.values():
                    self._release(turn, StorageError(f"no thread can be started that syncs for tasks ({error})"))
        else:
            self._condition.notify_all()

    def _flush(self) -> None:
        """What the flusher thread does."""
        while turns := self._next_turns():
            for turn in turns:
                error: Exception | None = None
                try:
                    self._reach(turn.goal())
                except Exception as caught:  # told to those who wait, who are the callers here
                    error = caught
                self._release(turn, error)

    def _next_turns(self) -> list[Turn]:
        """Who waits now; nobody when the flusher is to end, which it has then promised."""
        with self._mutex:
            self._condition.wait_for(self._is_due, _IDLE_S)
            turns, self._called = list(self._called.values()), {}
            if not turns:
                self._flusher = None
            return turns

    def _is_due(self) -> bool:
        return self._is_ending or bool(self._called)

    def _release(self, turn: Turn, error: Exception | None) -> None:
        """Wake the tasks that have what they wait for; all of them after an error."""
        with suppress(RuntimeError):  # the loop was closed, and its tasks with it
            turn.loop.call_soon_threadsafe(self._resolve, turn, error)

    def _resolve(self, turn: Turn, error: Exception | None) -> None:
        """What `_release` does, in the thread of the loop."""
        late: list[Wait] = []
        for wait in turn.waits:
            future, seq, round_ = wait
            if future.done():
                continue
            if self.synced >= seq and self._ended >= round_:
                future.set_result(None)
            elif error is not None:
                # to each its own: a traceback grows wherever the error is raised
                future.set_exception(copy(error) if isinstance(error, BackpackError) else error)
            else:  # it came while the others were being served before their loop had called: its call is to come
                late.append(wait)
        turn.waits = late  # at once: the flusher may be asking for the goal


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
