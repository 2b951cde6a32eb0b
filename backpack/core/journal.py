"""What an engine asks of whoever writes its commits down."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from backpack.core.chain import Chain
from backpack.core.commit import Label
from backpack.core.payload import Pieces
from backpack.core.requests import Planned


class Journal(Protocol):
    """Writes commits down before they are adopted. What it raises refuses the commit."""

    def write_one(self, seq: int, time_ns: int, label: Label, key: str, version: int, payload: bytes, /) -> None:
        """A commit of one payload like none before."""
        ...

    def write_longer(
        self,
        seq: int,
        time_ns: int,
        label: Label,
        chain: Chain,
        content: Pieces,
        appended: bytes,
        records: Mapping[int, object],
        /,
    ) -> None:
        """A commit of what the chain has now, longer by these bytes, which are at the end of its last buffer already.

        It is large if the present value is. `records` as for `write`.
        """
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
