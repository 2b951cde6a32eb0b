"""One piece of work at a time, and those who want the same wait for it, whatever thread or loop they are in.

A thread whose own loop is to do the work can't wait for it: that is a `ReentryError`.
"""

import asyncio
from concurrent.futures import Future
from threading import Lock
from typing import Final

from backpack.errors import ReentryError

Flight = Future[None]


class Flights:
    """At most one flight at a time."""

    def __init__(self) -> None:
        self._lock: Final = Lock()
        self._current: Flight | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        """The loop that does the current one; None where a thread does."""

    def begin(self, loop: asyncio.AbstractEventLoop | None = None) -> tuple[Flight, bool]:
        """The flight that is under way, and whether it is the caller's: then `end` is his to call."""
        with self._lock:
            if self._current is not None:
                return self._current, False
            flight = self._current = Flight()
            self._loop = loop
            flight.set_running_or_notify_cancel()  # so nobody who waits for it can cancel it
            return flight, True

    def wait(self, flight: Flight) -> None:
        """Wait in a thread until it is over."""
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is not None and flight is self._current and running is self._loop:
            raise ReentryError(
                "a task of this very loop is compressing the conversation, and waiting here would stop it: use acontext"
            )
        flight.result()

    def end(self, flight: Flight) -> None:
        """It is over; how it went, each of those who waited looks for himself."""
        with self._lock:
            if self._current is flight:
                self._current = None
        flight.set_result(None)
