"""Where records and contents are read in an opened store: its present, and what others have posted into its inbox.

Who writes to the store adopts the letters first, so that all is in the store. Who only reads it takes both: what stands
in letters counts as if it were adopted already. The inbox is looked into when keys are listed, and when a key is asked
for that is not known: so an entry is there as soon as it was posted.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from heapq import merge

from backpack.codec import unpack_value
from backpack.errors import MissingFileError
from backpack.memory.values import StoreValues, Values
from backpack.store.posted import Posted
from backpack.store.slicing import bytes_of
from backpack.store.store import Backpack


class OpenedValues(StoreValues):
    """The present of an opened store, and its inbox. A look costs the listing of a folder, for a reader a `refresh`."""

    __slots__ = ("_posted",)

    def __init__(self, bp: Backpack) -> None:
        super().__init__(bp)
        self._posted: Posted | None = None

    def get(self, key: str) -> object | None:
        value = self._get(key)
        if value is None:
            self._look()
            value = self._get(key)
        return value

    def keys(self, prefix: str, *, newest_first: bool = False) -> Iterable[str]:
        self._look()
        found, more = super().keys(prefix, newest_first=newest_first), list(self.posted(prefix))
        if not more:
            return found
        return merge(found, more[::-1] if newest_first else more, reverse=newest_first)

    def posted(self, prefix: str) -> Iterable[str]:
        posted = self._posted
        return [] if posted is None else [key for key in posted if key.startswith(prefix) and key not in self._bp]

    def in_sight(self) -> AbstractContextManager[None]:
        self._look()
        return self._bp._adopting_nothing()

    def read_bytes(self, key: str, start: int, length: int) -> bytes:
        payload = None if key in self._bp else self._payload(key)
        return super().read_bytes(key, start, length) if payload is None else bytes_of(payload, start, length)

    def _get(self, key: str) -> object | None:
        value = super().get(key)
        if value is None and self._posted is not None:
            payload = self._payload(key)
            value = super().get(key) if payload is None else unpack_value(payload)
        return value

    def _payload(self, key: str) -> bytes | None:
        """What a letter has; None when none has it, or the store has it by now."""
        posted = self._posted
        if posted is None:
            return None
        with suppress(MissingFileError):
            return posted.payload(key)
        self._look()  # the writer has adopted it
        return None

    def _look(self) -> None:
        self._posted = self._bp._look_into_inbox()


def values_of(bp: Backpack) -> Values:
    """The right ones for a store."""
    return StoreValues(bp) if bp._opened is None else OpenedValues(bp)
