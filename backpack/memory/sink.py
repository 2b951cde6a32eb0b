"""Where a log goes: into the store."""

from collections.abc import Mapping
from typing import Protocol

from backpack.codec import pack_value
from backpack.memory.operations import Operations
from backpack.store.names import checked_key
from backpack.store.store import Backpack


class Sink(Protocol):
    """Takes what a log makes. Keys are whole keys of the store."""

    def has(self, key: str) -> bool:
        """Is there a value already?"""
        ...

    def put(self, key: str, value: object) -> int:
        """Put a value in, unless there is one, ahead of the commit, which is harmless if that never comes.

        Returns how many bytes it takes.
        """
        ...

    def finish(
        self,
        values: Mapping[str, object],
        *,
        node: str | None,
        message: str | None,
        tags: tuple[str, ...],
    ) -> None:
        """All these values as one commit."""
        ...


class StoreSink:
    """A store that this process may write."""

    __slots__ = ("_bp", "_operations")

    def __init__(self, bp: Backpack, operations: Operations) -> None:
        self._bp = bp
        self._operations = operations

    def has(self, key: str) -> bool:
        return key in self._bp

    def put(self, key: str, value: object) -> int:
        return self._bp._stored_size(key) if key in self._bp else self._bp._pack_stored(key, value)

    def finish(
        self,
        values: Mapping[str, object],
        *,
        node: str | None,
        message: str | None,
        tags: tuple[str, ...],
    ) -> None:
        bp = self._bp
        if self._operations.are_due():
            with bp.transaction(node=node, message=message, tags=tags) as transaction:
                transaction.update(values)
                self._operations.write(transaction)
            return
        payloads = {checked_key(key): pack_value(value) for key, value in values.items()}
        facts = bp._commit_transaction(payloads, True, bp._label(node, message, tags))
        assert facts is not None
        bp._told(facts)
