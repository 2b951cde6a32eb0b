"""Where records and contents are read: the present of a store."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from backpack.store.store import Backpack


class Values(Protocol):
    """What reading an entry asks for. Keys are whole keys of the store."""

    def get(self, key: str) -> object | None:
        """A fresh copy of a value; None when there is none."""
        ...

    def keys(self, prefix: str, *, newest_first: bool = False) -> Iterable[str]:
        """The keys that begin so, sorted; backwards when asked. Taken as they are wanted, a few at a time."""
        ...

    def posted(self, prefix: str) -> Iterable[str]:
        """Those of the keys that begin so which are in no commit yet: they stand in the inbox of the store."""
        ...

    def in_sight(self) -> AbstractContextManager[None]:
        """Everything that was posted is in sight; inside, this thread adopts nothing more. Entered before a lock of the
        memory is taken: whoever adopts tells subscribers, who may want that lock, and may have to wait for another
        thread that holds letters at rest and wants it too."""
        ...

    def read_bytes(self, key: str, start: int, length: int) -> bytes:
        """So many bytes of a bytes value from there, fewer at the end only."""
        ...


class StoreValues:
    """The present of a store."""

    __slots__ = ("_bp",)

    def __init__(self, bp: Backpack) -> None:
        self._bp = bp

    def get(self, key: str) -> object | None:
        value: object = self._bp.peek(key)
        return value

    def keys(self, prefix: str, *, newest_first: bool = False) -> Iterable[str]:
        return self._bp._keys_below(prefix, backwards=newest_first)

    def posted(self, prefix: str) -> Iterable[str]:
        return ()

    def in_sight(self) -> AbstractContextManager[None]:
        return nullcontext()

    def read_bytes(self, key: str, start: int, length: int) -> bytes:
        return self._bp.read_bytes(key, start=start, length=length)
