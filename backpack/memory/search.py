"""The door to the search of a memory: nothing of SQLite is loaded before somebody searches, or much was logged.

One for a store and a namespace, however many memories are made of them.
"""

from threading import RLock
from typing import TYPE_CHECKING, Final

from backpack.store.names import checked_limit

if TYPE_CHECKING:
    from backpack.memory.memory import Memory
    from backpack.memory.searching import Found, Searching

_ALL: Final = 1 << 62
STEP: Final = 256
"""A close indexes when the store has passed a multiple of so many commits since it was opened."""


class Search:
    """Follows a store; see `searching.py`."""

    __slots__ = ("_first_head", "_lock", "_memory", "_searching")

    def __init__(self, memory: "Memory") -> None:
        self._memory = memory
        self._lock = RLock()
        self._searching: Searching | None = None
        self._first_head = _head_of(memory)

    def find(self, memory: "Memory", query: str, limit: int) -> "list[Found]":
        """The entries that fit, best first."""
        return self._made().search(memory, query, limit)

    def discard(self) -> None:
        """Values are being erased."""
        if self._searching is not None:
            self._searching.discard()

    def finish(self) -> None:
        """The store is about to be closed."""
        has_passed = _head_of(self._memory) // STEP > self._first_head // STEP
        if self._searching is not None or (has_passed and self._memory.bp._derived() is not None):
            self._made().finish()

    def _made(self) -> "Searching":
        from backpack.memory.searching import Searching

        with self._lock:
            if self._searching is None:
                self._searching = Searching(self._memory)
            return self._searching


def search_of(memory: "Memory") -> Search:
    """The search of a memory."""
    return memory.bp._follow(f"search of {memory.keys.namespace}", lambda: Search(memory))


def search(memory: "Memory", query: str, limit: int | None) -> "list[Found]":
    """See `Memory.search`."""
    checked_limit(limit)
    return search_of(memory).find(memory, query, _ALL if limit is None else limit)


def _head_of(memory: "Memory") -> int:
    head = memory.bp.head
    return 0 if head is None else head.seq
