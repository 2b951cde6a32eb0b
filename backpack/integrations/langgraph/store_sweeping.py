"""A thread that takes expired items away every few minutes, for as long as its store lives."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event, Lock, Thread
from typing import Final

from backpack.errors import BackpackError, ClosedError

_log: Final = logging.getLogger(__name__)


class Sweeper:
    """At most one thread at a time, but for one that is ending. It holds what it calls weakly: see `sweep`."""

    def __init__(self, sweep: Callable[[], bool]) -> None:
        """`sweep`: take away what is expired; False when there is nothing left to sweep, ever."""
        self._sweep = sweep
        self._lock = Lock()
        self._stop = Event()
        self._thread: Thread | None = None
        self._future: Future[None] = Future()

    def start(self, interval_s: float) -> Future[None]:
        """Begin, unless it has begun. Cancelling the future stops it; it is done when the thread ends."""
        with self._lock:
            if self._thread is None or self._stop.is_set() or not self._thread.is_alive():
                self._stop = Event()
                self._future = Future()
                arguments = (interval_s, self._stop, self._future)
                self._thread = Thread(target=self._run, args=arguments, daemon=True, name="backpack-ttl-sweeper")
                self._future.add_done_callback(_stopping(self._stop))
                self._thread.start()
            return self._future

    def stop(self, timeout_s: float | None = None) -> bool:
        """End it and wait for that; False when it hasn't ended in time."""
        with self._lock:
            self._stop.set()
            thread = self._thread
        if thread is None:
            return True
        thread.join(timeout_s)
        return not thread.is_alive()

    def _run(self, interval_s: float, stop: Event, future: Future[None]) -> None:
        is_going_on = True
        while is_going_on and not stop.wait(interval_s):
            try:
                is_going_on = self._sweep()
            except ClosedError:
                is_going_on = False
            except BackpackError:
                _log.exception("expired items could not be swept; they are tried again")
        if future.set_running_or_notify_cancel():
            future.set_result(None)


def _stopping(stop: Event) -> Callable[[Future[None]], None]:
    def tell(future: Future[None]) -> None:
        if future.cancelled():
            stop.set()

    return tell
