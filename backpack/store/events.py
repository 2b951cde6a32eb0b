"""Events: what happens in a store, told to those who subscribed.

Events carry ids, keys and sizes, never a value. They are delivered in the thread that caused them, after the store's
lock is free again, so a callback may use the store. A callback that raises stops nobody: the failure is told as an
`error` event to the subscribers of that kind, and logged.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from backpack.core.commit import Commit
from backpack.core.patterns import Pattern
from backpack.errors import InvalidArgumentError
from backpack.limits import NAME_SIZE_MAX
from backpack.store.names import checked_items, checked_text

KINDS: Final = ("pack", "delete", "quarantine", "release", "commit", "unpack", "denied", "prune", "archive", "error")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: its kind, the keys and the node it is about, sizes in bytes.

    `commit` is there for changes; `count` says how many commits a prune or an archiving took out of memory, and `size`
    how many bytes of history; `detail` names what went wrong (the class of an error) or was refused (the operation).
    """

    kind: str
    keys: tuple[str, ...] = ()
    node: str | None = None
    commit: Commit | None = None
    size: int = 0
    count: int = 0
    detail: str = ""

    @property
    def key(self) -> str | None:
        """The key, when there is exactly one."""
        return self.keys[0] if len(self.keys) == 1 else None

    @property
    def seq(self) -> int | None:
        """The `seq` of its commit."""
        return None if self.commit is None else self.commit.seq


Callback = Callable[[Event], object]
Filter = Callable[[Event], Event | None]


class Subscription:
    """A callback that is told; `cancel()`, or leaving the `with` block, ends it."""

    __slots__ = ("_events", "_filter", "_key", "_kinds", "_node", "callback")

    def __init__(
        self,
        events: "Events",
        callback: Callback,
        kinds: Iterable[str] | None,
        node: str | None,
        key: str | None,
        filter: Filter | None,
    ) -> None:
        if not callable(callback):
            raise InvalidArgumentError(f"a callback must be callable, not {type(callback).__name__}")
        if isinstance(kinds, str):
            kinds = (kinds,)
        listed = None if kinds is None else checked_items("kinds", kinds)
        unknown = [kind for kind in listed or () if kind not in KINDS]
        if unknown:
            raise InvalidArgumentError(f"unknown kinds {unknown}; there are: {', '.join(KINDS)}")
        self._kinds = None if listed is None else frozenset(listed)
        self._events = events
        self._node = None if node is None else checked_text("node", node, NAME_SIZE_MAX)
        self._key = None if key is None else Pattern(key)
        self._filter = filter
        self.callback = callback

    def wanted(self, event: Event) -> Event | None:
        """The event as this subscriber may see it; None when it is not for it."""
        if self._kinds is not None and event.kind not in self._kinds:
            return None
        if self._node is not None and event.node != self._node:
            return None
        seen = event if self._filter is None else self._filter(event)
        if seen is None or self._key is None or any(self._key.matches(key) for key in seen.keys):
            return seen
        return None

    def cancel(self) -> None:
        """No more events. Idempotent."""
        self._events.remove(self)

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()


class Events:
    """The subscribers of one store."""

    __slots__ = ("_lock", "subscribers")

    def __init__(self) -> None:
        self._lock = Lock()
        self.subscribers: tuple[Subscription, ...] = ()

    def add(
        self,
        callback: Callback,
        *,
        kinds: Iterable[str] | None = None,
        node: str | None = None,
        key: str | None = None,
        filter: Filter | None = None,
    ) -> Subscription:
        """A new subscriber; `filter` turns an event into what it may see of it."""
        subscription = Subscription(self, callback, kinds, node, key, filter)
        with self._lock:
            self.subscribers = (*self.subscribers, subscription)
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """Forget a subscriber, if it is one."""
        with self._lock:
            self.subscribers = tuple(one for one in self.subscribers if one is not subscription)

    def renew_lock(self) -> None:
        """This is a forked child, and who held the lock may not be here."""
        self._lock = Lock()

    def publish(self, event: Event) -> None:
        """Tell everyone who wants to know."""
        for subscriber in self.subscribers:
            seen = subscriber.wanted(event)
            if seen is None:
                continue
            try:
                subscriber.callback(seen)
            except (KeyboardInterrupt, SystemExit, GeneratorExit):
                raise
            except BaseException as error:  # a cancelled task's error is no Exception, and stops nobody either
                name = type(error).__name__
                import logging  # which takes half a megabyte, and none of it where nobody fails

                logging.getLogger("backpack").warning("a subscriber failed: error=%s kind=%s", name, event.kind)
                if event.kind != "error":
                    self.publish(Event("error", event.keys, event.node, event.commit, detail=name))
