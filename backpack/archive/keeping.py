"""The one background thread of an opened store: it seals logs, merges segments, takes away what is replaced.

It waits for a pause between commits, as there is whenever an agent waits for its model, but not for ever: what it does
takes the interpreter from the threads that commit.

Nothing waits for it but `close` and `drain`. What fails there loses nothing (the logs are there still): it is kept for
`health`, raised at the next `flush`, and tried again when there is more to do.
"""

from collections.abc import Callable
from threading import Condition, RLock, Thread, current_thread
from typing import Final

from backpack.errors import BackpackError

QUIET_S: Final = 0.02
"""How long nobody commits before it is taken for a pause."""


class Keeper:
    """Runs `step` in a thread of its own whenever there is work, until it says that there is none."""

    def __init__(self, step: Callable[[], bool], is_busy: Callable[[], bool]) -> None:
        """`step`: one piece of work; False when there was none. `is_busy`: asked again and again, says that others have
        so much to do that work had better wait."""
        self._step = step
        self._is_busy = is_busy
        self._mutex = RLock()
        self._condition = Condition(self._mutex)  # `with` the lock, not this: a Ctrl-C in its `__enter__` would keep it
        self._is_due = False
        self._is_awaited = False
        """Does somebody wait for the work?"""
        self._is_idle = True
        self._is_stopped = False
        self._thread: Thread | None = None
        self.failure: BackpackError | None = None
        """What the last piece of work failed with, until one succeeds."""

    def wake(self) -> None:
        """There may be work. Cost: a lock; never waits for the work."""
        with self._mutex:
            if self._is_stopped:
                return
            self._is_due = True
            self._is_idle = False
            if self._thread is None:  # it says itself that it is there: an interrupt may come before or after it starts
                Thread(target=self._run, name="backpack-keeper", daemon=True).start()
            self._condition.notify_all()

    def drain(self, is_enough: Callable[[], bool] = lambda: False) -> None:
        """Wait until there is nothing left to do, or it failed, or until that is enough: it is asked after each piece
        of work. In its own thread: not at all."""
        if current_thread() is self._thread:
            return
        with self._mutex:
            self._is_awaited = True
            self.wake()
            self._condition.wait_for(lambda: self._is_idle or self._is_stopped or is_enough())

    def stop(self) -> None:
        """Finish the piece of work at hand and end. Idempotent."""
        with self._mutex:
            self._is_stopped = True
            self._condition.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    @property
    def is_idle(self) -> bool:
        """Is there nothing to do, as far as is known?"""
        return self._is_idle

    def take_failure(self) -> BackpackError | None:
        """What failed, once."""
        failure, self.failure = self.failure, None
        return failure

    def _run(self) -> None:
        with self._mutex:
            if self._thread is not None or self._is_stopped:  # never two: one would take the other's work for done
                return
            self._thread = current_thread()
        while True:
            with self._mutex:
                if not self._is_due:
                    self._is_idle = True
                    self._condition.notify_all()
                self._condition.wait_for(lambda: self._is_due or self._is_stopped)
                if self._is_stopped:
                    self._is_idle = True
                    self._condition.notify_all()
                    return
                while not (self._is_awaited or self._is_stopped) and self._is_busy():
                    self._condition.wait(QUIET_S)
                self._is_due = self._is_awaited = False
            try:
                while not self._is_stopped and self._step():
                    self.failure = None
                    with self._mutex:
                        self._condition.notify_all()
            except BackpackError as error:
                self.failure = error
            except Exception as error:  # kept and raised at the next flush; else the thread would end unseen
                self.failure = BackpackError(f"the background work failed: {type(error).__name__}: {error}")
