"""One piece of work at a time, and those who want the same wait for it, whatever thread or loop they are in."""

from concurrent.futures import Future
from threading import Lock
from typing import Final

Flight = Future[None]


class Flights:
    """At most one flight at a time."""

    def __init__(self) -> None:
        self._lock: Final = Lock()
        self._current: Flight | None = None

    def begin(self) -> tuple[Flight, bool]:
        """The flight that is under way, and whether it is the caller's: then `end` is his to call."""
        with self._lock:
            if self._current is not None:
                return self._current, False
            flight = self._current = Flight()
            flight.set_running_or_notify_cancel()  # so nobody who waits for it can cancel it
            return flight, True

    def end(self, flight: Flight) -> None:
        """It is over; how it went, each of those who waited looks for himself."""
        with self._lock:
            if self._current is flight:
                self._current = None
        flight.set_result(None)
