"""The journal of an engine whose store was opened: a commit is written to the newest log before memory adopts it.

A commit that was written and not adopted (the engine failed, or was interrupted, in between) is taken out again before
the next one: it was never acknowledged. Cost: one append a commit, of the bytes that are new.
"""

from collections.abc import Callable, Mapping, Sequence

from backpack.archive.archive import Archive
from backpack.archive.scanning import Log
from backpack.archive.writing import Writer
from backpack.core.chain import Chain, Mark, form_of, kind_of
from backpack.core.commit import Label
from backpack.core.payload import Content, LargeRef, Pieces
from backpack.core.requests import Planned


class LogJournal:
    """Writes the commits of one engine by a writer. Wants the store's lock."""

    def __init__(self, archive: Archive, writer: Writer, retreat: Callable[[int], None]) -> None:
        """`retreat` is told the newest commit that may still count as synced, when one was taken out."""
        self._archive = archive
        self._writer = writer
        self._placer = writer.placer
        self._retreat = retreat

    def write_one(self, seq: int, time_ns: int, label: Label, key: str, version: int, payload: bytes) -> None:
        """Write a commit of one payload like none before."""
        writer = self._writer
        if seq <= writer.last_seq:  # it was written and not adopted
            self.retract(seq)
        writer.write_one(seq, time_ns, label, key, version, payload)

    def write_longer(
        self,
        seq: int,
        time_ns: int,
        label: Label,
        chain: Chain,
        content: Pieces,
        appended: bytes,
        records: Mapping[int, object],
    ) -> None:
        """Write a commit of a payload that has got longer at its end."""
        writer = self._writer
        if seq <= writer.last_seq:  # it was written and not adopted
            self.retract(seq)
        writer.write_longer(seq, time_ns, label, chain, content, appended, records)

    def write(
        self, seq: int, time_ns: int, label: Label, changes: Sequence[Planned], records: Mapping[int, object]
    ) -> None:
        """Write any commit."""
        writer = self._writer
        if seq <= writer.last_seq:  # it was written and not adopted
            self.retract(seq)
        writer.begin(records)
        placer = self._placer
        try:
            written = []
            for plan in changes:
                entry = plan.entry
                form = form_of(entry)
                is_large = isinstance(form, LargeRef)
                content: Content | None = plan.content if is_large else form  # type: ignore[assignment]
                written.append(
                    placer.pack(
                        plan.chain.key,
                        seq,
                        kind_of(entry),
                        plan.chain.version + 1,
                        content,
                        is_new=plan.is_new,
                        is_large=is_large,
                        reason=entry.reason if isinstance(entry, Mark) else "",
                    )
                )
            writer.write(seq, time_ns, label, written)
        except BaseException:
            placer.undo()
            raise

    def recall(self, key: str, seq: int, payload: bytes) -> None:
        """Find out where the payload stands that a commit put at a key. Cost: one cold read, if that is not known."""
        if self._placer.knows(payload):
            return
        change = self._archive.find(key, seq)
        if change is not None and change.seq == seq and change.value is not None and not change.is_purged:
            self._placer.know(payload, change.value)

    def retract(self, seq: int) -> None:
        """Take the commit out again, if it is the last that was written."""
        writer = self._writer
        if writer.last_seq == seq:
            writer.retract(seq)
            self._retreat(seq - 1)
            writer.synced_upto = min(writer.synced_upto, seq - 1)
            tail = self._archive.parts[-1]
            if isinstance(tail, Log):
                tail.forget_behind(writer.size)
