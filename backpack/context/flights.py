"""One piece of work at a time, and those who want the same wait for it, whatever thread or loop they are in.

A thread whose own loop is to do the work can't wait for it: that is a `ReentryError`. A flight is made before it
begins, so that whoever does the work ends it wherever he is interrupted; and where even ending it was interrupted, the
thread that comes again finds a flight of its own under way, which can't be, and takes off instead.
"""

import asyncio
from concurrent.futures import Future
from threading import Lock, get_ident
from typing import Final

from backpack.errors import ReentryError


class Flight:
    """One piece of work, of the thread or the loop that made this."""

    __slots__ = ("landed", "loop", "thread")

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.loop: Final = loop
        self.thread: Final = get_ident()
        self.landed: Final[Future[None]] = Future()
        self.landed.set_running_or_notify_cancel()  # so nobody who waits for it can cancel it

    def end(self) -> None:
        """It is over; how it went, each of those who waited looks for himself."""
        self.landed.set_result(None)


class Flights:
    """At most one flight at a time."""

    def __init__(self) -> None:
        self._lock: Final = Lock()
        self._current: Flight | None = None

    def begin(self, flight: Flight) -> Flight:
        """The flight that is under way: this one, unless another is."""
        with self._lock:
            current = self._current
            if current is not None and not current.landed.done():
                if current.loop is not None or current.thread != get_ident():
                    return current
                current.end()
            self._current = flight
            return flight

    def wait(self, flight: Flight) -> None:
        """Wait in a thread until it is over."""
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is not None and running is flight.loop and not flight.landed.done():
            raise ReentryError(
                "a task of this very loop is compressing the conversation, and waiting here would stop it: use acontext"
            )
        flight.landed.result()
