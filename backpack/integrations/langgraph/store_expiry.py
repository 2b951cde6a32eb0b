"""When items of a LangGraph store expire: minutes after they were last asked for, where anybody said so.

All expiries of a Backpack are in memory, loaded when the first one is asked for. A read begins the time to live anew.
That is exact in memory at once; on disk it is written when the expiry has moved by a 32nd of the time to live, and when
the store is closed: so many reads are few commits. After a crash an item may expire by that much too early.

An item without an expiry lasts for ever, and an expiry without its item is waste that a sweep takes away.
"""

from collections.abc import Iterable
from math import isfinite
from typing import Any, Final

from backpack.errors import InvalidArgumentError
from backpack.integrations.langgraph.store_names import EXPIRY
from backpack.integrations.langgraph.store_records import Expiry, unpacked_expiry
from backpack.store.names import checked_flag, checked_mapping, checked_number
from backpack.store.store import Backpack

_WRITTEN_SHARE: Final = 32
_MINUTE_US: Final = 60_000_000
_MINUTES_MAX: Final = 1e9
"""Some 1,900 years."""


class Expiries:
    """Those of one Backpack. Whoever calls holds the lock of the catalog."""

    def __init__(self, bp: Backpack) -> None:
        self._bp = bp
        self._known: dict[str, Expiry] | None = None
        self._written: dict[str, int] = {}
        """Of what was refreshed since it was written: the time that was written."""

    def of(self, name: str) -> Expiry | None:
        """When an item expires, if ever."""
        return self._all().get(name)

    def is_over(self, name: str, now_us: int) -> bool:
        """Is an item as good as gone?"""
        expiry = self._all().get(name)
        return expiry is not None and expiry.time_us <= now_us

    def over(self, now_us: int) -> list[str]:
        """All that are. Cost: the items that expire at all."""
        return [name for name, expiry in self._all().items() if expiry.time_us <= now_us]

    def refresh(self, names: Iterable[str], now_us: int) -> dict[str, Expiry]:
        """Begin the time to live of items anew. Those whose expiry is due to be written."""
        known = self._all()
        due = {}
        for name in names if known else ():
            old = known.get(name)
            if old is None:
                continue
            new = known[name] = begun(old.minutes, now_us)
            moved_us = new.time_us - self._written.setdefault(name, old.time_us)
            if moved_us * _WRITTEN_SHARE >= new.time_us - now_us:
                due[name] = new
        return due

    def unwritten(self) -> dict[str, Expiry]:
        """Those that were refreshed since they were written."""
        known = self._all()
        return {name: known[name] for name, time_us in self._written.items() if known[name].time_us != time_us}

    def became(self, name: str, expiry: Expiry | None) -> None:
        """It was written, or there is none any more."""
        self._written.pop(name, None)
        if self._known is None:
            return
        if expiry is None:
            self._known.pop(name, None)
        else:
            self._known[name] = expiry

    def look_at(self, name: str) -> None:
        """Somebody has changed it."""
        content = None if self._known is None else self._bp._present_content(EXPIRY + name)
        self.became(name, None if content is None else unpacked_expiry(name, content))

    def forget(self) -> None:
        """Know nothing any more, but for what was refreshed and isn't written."""
        kept = self.unwritten() if self._written else {}
        self._known = None
        if not kept:
            return
        known = self._all()
        self._written = {name: known[name].time_us for name in kept if name in known}
        known.update((name, kept[name]) for name in self._written)

    def _all(self) -> dict[str, Expiry]:
        if self._known is None:
            start = len(EXPIRY)
            names = [key[start:] for key in self._bp._keys_below(EXPIRY)]
            found = ((name, self._bp._present_content(EXPIRY + name)) for name in names)
            self._known = {name: unpacked_expiry(name, content) for name, content in found if content is not None}
        return self._known


def begun(minutes: float, now_us: int) -> Expiry:
    """A time to live that begins now."""
    return Expiry(minutes, now_us + round(minutes * _MINUTE_US))


def check_ttl(ttl: Any) -> None:
    """Refuse what is no configuration of expiry, with `InvalidArgumentError`."""
    if ttl is None:
        return
    checked_mapping("ttl", ttl)
    if ttl.get("default_ttl") is not None:
        checked_minutes(ttl["default_ttl"])
    if ttl.get("refresh_on_read") is not None:
        checked_flag("ttl['refresh_on_read']", ttl["refresh_on_read"])
    if ttl.get("sweep_interval_minutes") is not None:
        checked_interval("ttl['sweep_interval_minutes']", ttl["sweep_interval_minutes"])


def checked_interval(name: str, minutes: Any) -> float:
    """Minutes between two sweeps, or `InvalidArgumentError`."""
    if not 0 < checked_number(name, minutes) <= _MINUTES_MAX:
        raise InvalidArgumentError(f"{name} must be minutes, above 0 and up to {_MINUTES_MAX:,.0f}")
    return float(minutes)


def checked_minutes(minutes: Any) -> float:
    """A time to live, or `InvalidArgumentError`. 0 and less is over at once."""
    is_number = isinstance(minutes, int | float) and not isinstance(minutes, bool)
    if not is_number or not isfinite(minutes) or abs(minutes) > _MINUTES_MAX:
        raise InvalidArgumentError(
            f"a ttl is minutes, up to {_MINUTES_MAX:,.0f}, or None (for ever): type={type(minutes).__name__}"
        )
    return float(minutes)
