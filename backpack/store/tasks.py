"""What a store does for tasks of asyncio: it reads in threads of its own, and waits where their loop does not.

A change is made in the thread of the loop when memory has all that it needs: that is one unsynced append. Where it has
to read the disk first, or to write a blob, one of the threads makes it. Then the task waits for its sync, together
with others.

Cancelling a task never tears a change in two. One that has not begun does not happen; one that has is brought to its
end before the task goes on with the cancellation; waiting for a sync is given up at once, the commit stays.

The threads are a few of the store's own and not the pool that all of asyncio shares: a hundred cold snapshots must not
keep others from theirs.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from backpack.archive.values import Stored
from backpack.core.addresses import At
from backpack.core.commit import Commit, Facts
from backpack.core.payload import Content, Pieces
from backpack.errors import ClosedError

if TYPE_CHECKING:  # with what these bring along, 2 MB and 20 ms that only tasks need
    import asyncio
    from concurrent.futures import Future, ThreadPoolExecutor

    from backpack.store.reading import Reading

THREADS_MAX: Final = 4
"""Of one store: as many reads as a disk takes at a time, and few enough that the loop gets its turn."""

_WORK_S: Final = 0.001
_PAUSE_S: Final = 0.0001

_SHORT_MAX: Final = 64 * 1024
"""A slice of a payload in memory up to this size is cut by the loop itself."""

_making = Lock()

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Readers:
    """The threads in which one store works for tasks; made when they are needed, ended by `close`."""

    __slots__ = ("_executor", "is_closed")

    def __init__(self, *, is_closed: bool = False) -> None:
        self._executor: ThreadPoolExecutor | None = None
        self.is_closed = is_closed

    async def run(
        self, act: Callable[_Arguments, _Result], /, *arguments: _Arguments.args, **named: _Arguments.kwargs
    ) -> _Result:
        """What `act` returns, done by one of the threads. Who is cancelled waits no longer for it."""
        import asyncio

        return await asyncio.wrap_future(self._begun(act, *arguments, **named))

    async def end(self, act: Callable[[], None]) -> "asyncio.CancelledError | None":
        """Have one of the threads do what has to be done in any case before the store is closed: as `finish`. Where
        somebody else has closed it meanwhile it is as good as done, and the task does it."""
        try:
            return (await self.finish(act, is_needed=True))[1]
        except ClosedError:
            if not self.is_closed:
                raise
        act()
        return None

    async def finish(
        self, act: Callable[[], _Result], *, is_needed: bool = False
    ) -> "tuple[_Result, asyncio.CancelledError | None]":
        """As `run`, and who is cancelled meanwhile: the task waits until `act` is done, unless it has not even begun.

        `is_needed`: it is done in any case.
        """
        import asyncio

        job = self._begun(act)
        waiter = asyncio.wrap_future(job)
        interrupt: asyncio.CancelledError | None = None
        while not waiter.done():
            try:
                await asyncio.wait((waiter,))
            except asyncio.CancelledError as error:
                if not is_needed and job.cancel():
                    raise
                interrupt = error
        if interrupt is not None and waiter.exception() is not None:
            raise interrupt
        return waiter.result(), interrupt

    def close(self) -> None:
        """Take no more work; what was begun ends by itself. Idempotent."""
        if self.is_closed:
            return  # in a forked child another thread may have had the lock
        with _making:
            self.is_closed = True
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False)

    def _begun(
        self, act: Callable[_Arguments, _Result], /, *arguments: _Arguments.args, **named: _Arguments.kwargs
    ) -> "Future[_Result]":
        from concurrent.futures import ThreadPoolExecutor

        with _making:
            if self._executor is None and not self.is_closed:
                self._executor = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="backpack-reader")
            executor = self._executor
        if executor is not None:
            with suppress(RuntimeError):  # it was closed at this moment, or the interpreter is going down
                return executor.submit(copy_context().run, _carried, partial(act, *arguments, **named))
        raise ClosedError("the store is closed: open it again")


def _carried(act: Callable[[], _Result]) -> _Result:
    """What `act` returns. StopIteration becomes RuntimeError, as in any coroutine: a future can't carry it, and who
    awaits that would wait for ever."""
    try:
        return act()
    except StopIteration as stop:
        raise RuntimeError("what was called for a task raised StopIteration") from stop


class Pace:
    """Lets the loop have its turn: called between two steps of a long piece of work, gives way every millisecond.

    A thread that asks for the interpreter waits up to 5 ms for each one that is busy, and those behind it begin anew;
    one that sleeps for a moment hands it over at once.
    """

    __slots__ = ("_due_s",)

    def __init__(self) -> None:
        self._due_s = time.perf_counter() + _WORK_S

    def __call__(self) -> None:
        if time.perf_counter() >= self._due_s:
            time.sleep(_PAUSE_S)
            self._due_s = time.perf_counter() + _WORK_S


def renew_lock() -> None:
    """This is a forked child, and who held the lock may not be here."""
    global _making
    _making = Lock()


# -- reading -----------------------------------------------------------------------------------------------------


async def awake(store: "Reading", key: str) -> None:
    """Have the present value of the key in memory, but for long ones."""
    if _sleeps(store, key):
        await store._readers.run(store._wake, key)


async def sliced(store: "Reading", key: str, at: At | None, cut: Callable[[Content], _Result]) -> _Result:
    """What `cut` makes of the bytes of a value."""
    store._require_open()
    if store._archive is None:
        return cut(store._content_at(key, at))
    if at is not None:
        return await store._readers.run(lambda: cut(store._content_at(key, at)))
    await awake(store, key)
    content = store._content_at(key, None)
    if type(content) is bytes and len(content) <= _SHORT_MAX:
        return cut(content)
    return await store._readers.run(cut, content)


def is_at_hand(store: "Reading", key: str) -> bool:
    """Has memory what a change of the key takes?"""
    if store._archive is None:
        return True
    chain = store._engine.chains.get(key)
    if chain is None:
        return not _sleeps(store, key)
    content = chain.content
    return not isinstance(content, Pieces) or not any(isinstance(source, Stored) for source in content.sources)


def _sleeps(store: "Reading", key: Any) -> bool:
    archive = store._archive
    return (
        archive is not None
        and isinstance(key, str)
        and key not in store._engine.chains
        and archive.dormant.peek(key) is not None
    )


# -- changing ----------------------------------------------------------------------------------------------------


async def changed(
    store: "Reading",
    change: Callable[[], Facts | None],
    *,
    is_short: bool,
    became: Callable[[Commit | None], None] | None = None,
) -> Commit | None:
    """The commit that a change makes. `is_short`: it reads nothing and writes no blob.

    `became` is told of it in any case: also when the task is cancelled, which raises once the change is made.
    """
    store._require_open()
    interrupt: asyncio.CancelledError | None = None
    made = at_once(store, change, is_short=is_short)
    if made is not None:
        (facts,) = made
    else:
        facts, interrupt = await store._readers.finish(change)
    commit = None if facts is None else Commit(facts)
    if became is not None:
        became(commit)
    if commit is not None and store._events.subscribers:
        store._tell(commit)
    if interrupt is not None:
        raise interrupt
    return commit


def at_once(store: "Reading", change: Callable[[], _Result], *, is_short: bool) -> tuple[_Result] | None:
    """What a change makes, where the thread of the loop may make it. None where another thread has to: while one has
    the lock, it may be writing a blob."""
    if store._archive is None:
        return (change(),)
    if not is_short:
        return None
    is_mine: list[bool] = []
    try:
        is_mine.extend(map(store._lock.acquire, (False,)))  # told in the same step: a Ctrl-C comes before it or after
        return (change(),) if is_mine[0] else None
    finally:
        if is_mine and is_mine[0]:
            store._lock.release()


def waiter(store: "Reading", seq: int) -> "asyncio.Future[None] | None":
    """What to await until a commit is as durable as the store promises; None when it is."""
    return store._opened.syncer.waiter(seq) if store._is_durable and store._opened is not None else None


async def durable(store: "Reading", commit: Commit | None) -> None:
    """Return when the commit is as durable as the store promises."""
    waiting = None if commit is None else waiter(store, commit.seq)
    if waiting is not None:
        await waiting
