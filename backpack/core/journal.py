"""What an engine asks of whoever writes its commits down."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from backpack.core.commit import Label
from backpack.core.requests import Planned


class Journal(Protocol):
    """Writes commits down before they are adopted. What it raises refuses the commit."""

    def write_one(self, seq: int, time_ns: int, label: Label, key: str, version: int, payload: bytes, /) -> None:
        """A commit of one payload like none before."""
        ...

    def write(
        self, seq: int, time_ns: int, label: Label, changes: Sequence[Planned], records: Mapping[int, object], /
    ) -> None:
        """Any commit. `records`: what the ledger counts the holds of, by identity."""
        ...

    def recall(self, key: str, seq: int, payload: bytes, /) -> None:
        """Other keys are about to hold the very payload that this commit put at the key: write where it stands."""
        ...

    def retract(self, seq: int, /) -> None:
        """Take the commit out again, if it is the last that was written: it was not adopted."""
        ...
