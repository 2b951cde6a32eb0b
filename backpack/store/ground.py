"""What every call of a store stands on: its parts, being open or closed, the bar of changes, the clock, who acts, and
telling of what has happened.

`Backpack` is a straight line of classes. Each is one file and adds one group of calls to the one before: this ground,
then reading, recalling, packing, travelling, lasting, tending, waiting, and `store.py`, which makes one thing of them.
A class is there to be read by itself and is never made alone. So a call goes through no layer: it is a method of the
store, and what it asks of the groups before it are methods of the store too.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from threading import Lock, RLock
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from backpack.core.commit import NO_LABEL, Commit, Facts, Label, new_object, set_facts
from backpack.core.engine import Engine
from backpack.core.limits import Limits
from backpack.errors import BackpackError, ClosedError, ReadOnlyError, ReentryError
from backpack.store import tasks
from backpack.store.attribution import attributed_node
from backpack.store.events import Event, Events
from backpack.store.history import History
from backpack.store.inherited import expect_forks
from backpack.store.names import made_label
from backpack.store.remembered import Remembered
from backpack.store.spans import add_spans
from backpack.store.state import nothing

if TYPE_CHECKING:
    from backpack.archive.archive import Archive
    from backpack.archive.opened import Opened
    from backpack.archive.opening import Recovery
    from backpack.store.store import Backpack

_LABELS_KEPT: Final = 256
_T = TypeVar("_T")


class Follower(Protocol):
    """Keeps something that is derived from a store. It is never called under the store's lock, and raises nothing."""

    def discard(self) -> None:
        """Values are being erased: let go of all that was made of any."""
        ...

    def finish(self) -> None:
        """The store is about to be closed."""
        ...


class Ground:
    """What a store has, and what each of its calls asks first."""

    def _set_up(
        self, engine: Engine, last_ns: int, opened: "Opened | None" = None, archive: "Archive | None" = None
    ) -> None:
        self._engine = engine
        self._opened = opened
        """The files of an opened store."""
        self._archive = archive
        """What has left memory: of an opened store, or of the one that this is a fork of."""
        self._origin: Ground | None = None
        """Of a fork that reads the files of an opened store: that store, which must not be lost before it."""
        self._expect_no_loss: Callable[[], object] = nothing
        """To be called when it is closed."""
        self._is_durable = False
        """Does a commit wait until it is on disk for good?"""
        self._recovery: Recovery | None = None
        self._commit_one = engine.commit_one
        self._extend_one = engine.extend_one
        self._chains = engine.chains
        self._lock = RLock()
        engine.pins.make_view = partial(Remembered, self._lock)
        self._view: Callable[[int], Remembered] = engine.pins.view  # type: ignore[assignment]
        self._is_barred = False
        """No change may begin: a `pack` is under way in this very thread, or the store is closed or a reader's."""
        self._gate = Lock()
        """Held during any other change."""
        self._last_ns = last_ns
        self._labels: dict[str | None, Label] = {None: NO_LABEL}
        self._events = Events()
        add_spans(self._events)
        self._history = History(engine, archive, self._lock)
        self._readers = tasks.Readers()
        self._followers: dict[str, Follower] = {}
        """What keeps something derived from the store, by a name of its own."""
        self._inherited: dict[str, Follower] = {}
        """In a forked child: those of the parent."""
        self._is_closed = False
        self._is_forked = False
        expect_forks(self)

    @classmethod
    def _from_engine(
        cls, engine: Engine, last_ns: int, opened: "Opened | None" = None, archive: "Archive | None" = None
    ) -> "Backpack":
        store = cls.__new__(cls)
        store._set_up(engine, last_ns, opened, archive)
        return store  # type: ignore[return-value]  # none is made that is not a whole one

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        self._require_open()
        return self._engine.limits

    def _inherit(self) -> None:
        """This is a forked child: what is in memory is a store of its own from here on, files are its parent's."""
        is_torn = not self._lock.acquire(blocking=False)  # a thread that is not here was using it
        if not is_torn:
            self._lock.release()
        else:
            lock = self._lock = self._history.lock = RLock()
            self._gate = Lock()
            self._engine.pins.make_view = partial(Remembered, lock)
            for link in list(self._engine.pins.views.values()):
                view = link()
                if isinstance(view, Remembered):
                    view.lock = lock
        self._events.renew_lock()
        self._inherited = self._followers  # kept: what is closed here may be a file of the parent's
        self._followers = {}
        self._readers = tasks.Readers()
        if self._archive is not None:
            self._archive.abandon()
            self._readers.is_closed = True
            self._is_closed = self._is_barred = self._is_forked = True
            return
        if is_torn:
            self._engine.repair()
            self._is_barred = self._is_closed
        self._engine.begin_epoch(os.urandom(16))

    def _check(self) -> None:
        """Every invariant of every structure, or AssertionError."""
        with self._lock:
            self._engine.check()

    # -- open or closed ----------------------------------------------------------------------------------------

    def _require_open(self) -> None:
        if self._is_closed:
            raise self._closed_error()

    def _closed_error(self) -> ClosedError:
        """The error for every call after `close`, and in a forked child."""
        if self._is_forked:
            return ClosedError("the store was opened by another process, and this is a fork of it: open it here")
        return ClosedError("the store is closed: open it again")

    def _while_open(self, items: Iterable[_T]) -> Iterator[_T]:
        """These, one by one, for as long as the store is open; then `ClosedError`."""
        iterator = iter(items)
        while True:
            self._require_open()
            try:
                item = next(iterator)
            except StopIteration:
                return
            yield item

    # -- changing ----------------------------------------------------------------------------------------------

    def _change(self) -> Lock:
        """The gate of a change, unless none may begin: to be held, with the lock, while changing. Both are locks of
        CPython itself, which Ctrl-C finds held or free and never in between."""
        if self._is_barred or self._gate.locked():
            raise self._barred_error()
        return self._gate

    def _barred_error(self) -> BackpackError:
        if self._is_closed:
            return self._closed_error()
        if self._opened is not None and self._opened.writer is None:
            return ReadOnlyError('the store is open for reading: open it with mode="rw" to change it')
        return ReentryError(
            "the store is in the middle of a change in this very thread: what interrupted it (a signal handler, a "
            "__del__ method) may not write; set a flag there and write later"
        )

    def _now(self) -> int:
        """The clock, which never runs backwards here. Wants the lock."""
        now = time.time_ns()
        if now < self._last_ns:
            return self._last_ns
        self._last_ns = now
        return now

    def _label(self, node: str | None, message: str | None, tags: Iterable[str]) -> Label:
        """Who and why: the same tuple for the same node each time."""
        if node is None:
            node = attributed_node(self)
        if message is not None or tags != ():
            return made_label(node, message, tags)
        try:
            label = self._labels.get(node)
        except TypeError:  # what can't be looked up is no str
            return made_label(node, None, ())
        if label is None:
            label = made_label(node, None, ())
            if len(self._labels) >= _LABELS_KEPT:
                self._labels = {None: NO_LABEL}
            self._labels[node] = label
        return label

    def _told(self, facts: Facts) -> Commit:
        commit = new_object(Commit)
        set_facts(commit, facts)
        if self._is_durable:
            self._wait(facts[1])
        if self._events.subscribers:
            self._tell(commit)
        return commit

    def _wait(self, seq: int) -> None:
        """Return when the commit is on disk for good."""
        if self._opened is not None:
            self._opened.syncer.wait(seq)

    def _settle_note(self) -> None:
        """What was noted about the store is as durable as its commits."""
        if self._is_durable and self._opened is not None:
            self._opened.syncer.sync()

    # -- telling -----------------------------------------------------------------------------------------------

    def _tell(self, commit: Commit) -> None:
        """One event for the commit, and one if it pruned."""
        changes = commit.raw_changes
        kind = changes[0][1] if len(changes) == 1 else "commit"
        self._events.publish(Event(kind, tuple(one[0] for one in changes), commit.node, commit, commit.size))
        self._tell_pruned()

    def _tell_pruned(self) -> None:
        count, size = self._take_pruned()
        if count and self._events.subscribers:
            self._events.publish(Event("prune" if self._opened is None else "archive", size=size, count=count))

    def _take_pruned(self) -> tuple[int, int]:
        """How many commits were pruned since this was asked last, and how many bytes of history they took along."""
        if self._engine.pruned == self._engine.pruned_told:
            return 0, 0  # without the lock: a task that made a commit asks in the thread of its loop
        with self._lock:
            return self._engine.take_pruned()
