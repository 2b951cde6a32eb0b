"""What all memories over one store and namespace share in this process: who is logging which content right now, and
what tools have answered.

A log looks whether its content is there and commits a little later. In between nothing may take that content away: so
both sides, logging and taking away, go through here. Nobody waits for a disk while holding the lock but who takes away.
"""

from collections.abc import Iterable
from threading import RLock
from weakref import WeakKeyDictionary

from backpack.memory.answers import Answers
from backpack.memory.ids import Ticks
from backpack.store.store import Backpack


class Shared:
    """The digests in use, the newest id, and the latest answers of tools."""

    __slots__ = ("_used", "answers", "lock", "ticks")

    def __init__(self) -> None:
        self.lock = RLock()
        """Held by whoever takes contents away, from the decision to the end; after having letters at rest."""
        self.ticks = Ticks()
        self.answers = Answers()
        self._used: dict[str, int] = {}
        """How often each is."""

    def is_used(self, digest: str) -> bool:
        """Does somebody rely on it at this moment? Wants the lock."""
        return digest in self._used

    def use(self, digest: str) -> None:
        with self.lock:
            self._used[digest] = self._used.get(digest, 0) + 1

    def leave(self, digests: Iterable[str]) -> None:
        """Each as often as it was used."""
        with self.lock:
            for digest in digests:
                count = self._used[digest] - 1
                if count:
                    self._used[digest] = count
                else:
                    del self._used[digest]


class UseOverError(Exception):
    """The `with` block has ended: for a thread whose task was cancelled, and nobody waits for it."""


class Use:
    """Digests that stay where they are, if they are there, until the end of a `with` block."""

    __slots__ = ("_digests", "_is_over", "_shared")

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._digests: list[str] = []
        self._is_over = False

    def add(self, digest: str) -> None:
        """One more. Whether it is there is asked after this. `UseOverError`."""
        with self._shared.lock:
            if self._is_over:  # nobody would ever leave it
                raise UseOverError
            self._shared.use(digest)
            self._digests.append(digest)

    def __enter__(self) -> "Use":
        return self

    def __exit__(self, *_: object) -> None:
        with self._shared.lock:
            self._is_over = True
            self._shared.leave(self._digests)


_known: "WeakKeyDictionary[Backpack, dict[str, Shared]]" = WeakKeyDictionary()
_lock = RLock()


def shared_of(bp: Backpack, namespace: str) -> Shared:
    """The one for a store and a namespace."""
    with _lock:
        return _known.setdefault(bp, {}).setdefault(namespace, Shared())
