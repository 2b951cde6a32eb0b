"""Lasting: what is on disk for good, how the store fares, what others have posted into it, who follows it, its end."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar, cast

from backpack.archive.opened import Health
from backpack.archive.visiting import look_again
from backpack.store.adopting import adopt, adopting_nothing, letters_at_rest
from backpack.store.ground import Follower
from backpack.store.history import History
from backpack.store.posted import posted
from backpack.store.remembered import Remembered
from backpack.store.travelling import Travelling

if TYPE_CHECKING:
    from backpack.archive.derived import Derived
    from backpack.archive.opened import Opened
    from backpack.archive.opening import Recovery
    from backpack.store.posted import Posted

_Following = TypeVar("_Following", bound=Follower)


class Lasting(Travelling):
    """From being opened to being closed."""

    def flush(self) -> None:
        """Everything so far is as durable as the store can make it: in memory that it is there, on disk that it
        survives a power loss. Raises `StorageError` for what failed in the background since the last time.

        What other processes have posted into the inbox is adopted first, as when a store is opened or closed. Where
        the store was opened with limits for its archive, this waits until it keeps them."""
        self._require_open()
        if self._opened is not None and self._opened.writer is not None:
            self._adopt()
            self._opened.flush()
            self._testify(self._opened)

    def refresh(self) -> bool:
        """Show what a writer in another process has done since: True when there was something new.

        Of a store that is open with `mode="r"`; of any other there is never. Open snapshots stay what they are. Cost:
        what is new, and O(keys) when there is something. `CorruptionError`, `StorageError`: all is as before.
        """
        self._require_open()
        opened = self._opened
        if opened is None or opened.writer is not None:
            return False
        with self._lock:
            is_new = look_again(opened)
            if is_new is None:
                return False
            engine, archive = opened.engine(self._engine.limits), opened.archive
            engine.pins.make_view = partial(Remembered, self._lock)
            self._engine, self._archive = engine, archive
            self._commit_one, self._extend_one, self._chains = engine.commit_one, engine.extend_one, engine.chains
            self._view = engine.pins.view  # type: ignore[assignment]
            self._last_ns = archive.last_ns
            self._history = History(engine, archive, self._lock)
        return is_new

    def health(self) -> "Health":
        """How the store fares: what failed in the background, how much waits to be sealed or synced."""
        self._require_open()
        return Health(True, "", 0, 0) if self._opened is None else self._opened.health()

    @property
    def recovery(self) -> "Recovery | None":
        """What opening found and did when the store had not been closed: killed, crashed, or the power went.

        It is then not None even where nothing had to be cut off (`dropped_bytes` is 0); None after a clean close, of a
        new store, of one that is open for reading, and in memory.
        """
        return self._recovery

    def close(self) -> None:
        """No more calls: each but this one raises `ClosedError` from now on, so do iterators begun before. Snapshots in
        memory can still be read. Idempotent.

        An opened store is flushed, sealed where there is room and unlocked; what can't be raises `StorageError`, and it
        is closed anyway.
        """
        try:
            self._take_leave()
        finally:
            self._close()

    def __enter__(self) -> Self:
        self._require_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- letters -----------------------------------------------------------------------------------------------

    def _adopt(self) -> int:
        """Commit what others have posted into the inbox; how many letters. What is refused stays there and is told by
        `health()`. Cost when there is nothing: a look at the folder."""
        return 0 if self._opened is None or self._opened.writer is None else adopt(self, self._opened)

    def _letters_at_rest(self) -> AbstractContextManager[None]:
        """Inside, letters are neither adopted nor discarded, but before: for who decides what nothing refers to, and
        takes that away. A letter brings all that it needs. Wants no lock that a subscriber may wait for."""
        return nullcontext() if self._opened is None else letters_at_rest(self, self._opened)

    def _adopting_nothing(self) -> AbstractContextManager[None]:
        """Inside, this thread adopts nothing: for who holds a lock that others take while they have letters at rest."""
        return nullcontext() if self._opened is None else adopting_nothing(self._opened)

    def _look_into_inbox(self) -> "Posted | None":
        """Have everything in sight that was posted: a writer adopts it, a reader is given what nobody has adopted yet,
        None when there is nothing, and sees the store as of now (`refresh`)."""
        if self._opened is None or self._opened.writer is not None:
            self._adopt()
            return None
        return posted(self, self._opened)

    # -- followers ---------------------------------------------------------------------------------------------

    def _follow(self, name: str, make: Callable[[], _Following]) -> _Following:
        """The follower of that name; made when there is none. It is told of a purge and of the close."""
        self._require_open()
        with self._lock:
            follower = self._followers.get(name)
            if follower is None:
                follower = self._followers[name] = make()
        return cast(_Following, follower)

    def _derived(self) -> "Derived | None":
        """Where files derived from the store may be; None where there may be none."""
        self._require_open()
        return None if self._opened is None else self._opened.derived()

    # -- inside ------------------------------------------------------------------------------------------------

    def _begin(self, durability: str, recovery: "Recovery | None") -> None:
        """What only an opened store has."""
        self._is_durable = durability == "power"
        self._recovery = recovery
        if self._opened is not None and self._opened.writer is None:
            self._is_barred = True

    def _testify(self, opened: "Opened") -> None:
        """Have the log say what a flush has done; a flush in the middle of a change leaves that to the next one."""
        with self._lock:
            if not self._is_barred and not self._gate.locked():
                opened.testify(self._last_ns)

    def _take_leave(self) -> None:
        """What is to be done before the end: adopt what was posted, have the followers finish."""
        if not self._is_closed:
            self._adopt()
        self._part()

    def _part(self) -> None:
        """Have the followers finish, once, while everything can still be read."""
        if self._is_closed:
            return
        with self._lock:
            followers, self._followers = self._followers, {}
        for follower in followers.values():
            follower.finish()

    def _close(self) -> None:
        with self._lock:
            is_changing = self._gate.locked() or (self._is_barred and not self._is_closed)
            self._is_closed = self._is_barred = True
            if self._opened is not None and not (is_changing or self._is_forked or self._opened.is_closed):
                self._opened.take_back()
        try:
            if self._opened is not None and not self._is_forked:
                self._opened.close()
        finally:
            self._expect_no_loss()
            self._readers.close()
            if self._opened is None and self._archive is not None and not self._is_forked:
                self._archive.let_go()
