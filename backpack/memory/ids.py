"""Ids of entries: `mem-YYYYMMDD-HHMMSS-xxxxxxxx`, in UTC.

The eight hex digits are 12 bits of the second's fraction (a tick is 1/4096 s) and 20 random bits. An id is later than
every other one of its store, whatever the clock does: one that stands still or goes back counts on from the newest id.
So the names of entries, backwards, are the entries newest first; and who logs faster than a tick, for a while, is ahead
of the clock by as much.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final

TICKS_PER_S: Final = 4096
_RANDOM_BITS: Final = 20
_LATEST_S: Final = 221_845_392_000
"""The year 9000: a clock that says more is not believed, and whoever counts on from there stays below five digits."""

ID: Final = re.compile(r"mem-[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Ticks:
    """The newest tick that an id of one store has; shared by all who make such."""

    __slots__ = ("last", "lock")

    def __init__(self) -> None:
        self.last: int | None = None
        """None before the first id."""
        self.lock = Lock()


class Ids:
    """Makes ids, each later than the one before. Any number of threads may ask."""

    __slots__ = ("_clock", "_day", "_make_random", "_second", "_ticks")

    def __init__(self, clock: Callable[[], float], make_random: Callable[[int], bytes], ticks: Ticks) -> None:
        """`clock`: seconds since 1970; `make_random`: so many bytes that nobody can guess."""
        self._clock = clock
        self._make_random = make_random
        self._ticks = ticks
        self._second = -1
        self._day = ""

    def next(self, newest: Callable[[], str | None]) -> tuple[str, int]:
        """An id and its time in ns. `newest`: the newest id that the store has, asked for once."""
        random = int.from_bytes(self._make_random(4), "big") & ((1 << _RANDOM_BITS) - 1)
        ticks = self._ticks
        with ticks.lock:
            if ticks.last is None:
                ticks.last = tick_of(newest() or "")
            tick = ticks.last = max(self._now(), ticks.last + 1)
            second, fraction = divmod(tick, TICKS_PER_S)
            if second != self._second:
                self._day = (_EPOCH + timedelta(seconds=second)).strftime("%Y%m%d-%H%M%S")
                self._second = second
            return f"mem-{self._day}-{fraction << _RANDOM_BITS | random:08x}", tick * 1_000_000_000 // TICKS_PER_S

    def now_ns(self) -> int:
        """The time, not before that of the newest id."""
        return max(self._now(), self._ticks.last or 0) * 1_000_000_000 // TICKS_PER_S

    def _now(self) -> int:
        seconds = self._clock()
        return int(min(max(seconds, 0), _LATEST_S) * TICKS_PER_S) if seconds == seconds else 0


def is_id(text: str) -> bool:
    """Has it the form of an id, with a time that exists?"""
    return ID.fullmatch(text) is not None and tick_of(text) >= 0


def tick_of(name: str) -> int:
    """When an id was made, in ticks since 1970; -1 of what is no id."""
    try:
        when = datetime.strptime(name[4:19], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
        fraction = int(name[20:28], 16) >> _RANDOM_BITS
    except ValueError:
        return -1
    return int((when - _EPOCH).total_seconds()) * TICKS_PER_S + fraction
