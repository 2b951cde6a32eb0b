"""The archive of one store: all its commits on disk, in sealed segments and the logs that are not sealed yet.

It is the past of the engine: what has left memory, and the keys that were not asked for yet. `parts.py`, `values.py`
and `finding.py` have what it is made of, each adding to the one before; here is what an engine asks, and who reads the
same files: forks have archives of their own that share the parts.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from weakref import WeakSet

from backpack.archive.content import Change, facts_of
from backpack.archive.dormant import Dormant
from backpack.archive.finding import Finding, Replaced
from backpack.archive.frames import damaged
from backpack.archive.living import Living
from backpack.archive.parts import Part
from backpack.archive.placing import Placer
from backpack.archive.writing import Writer
from backpack.blobs.store import Blobs
from backpack.core.commit import Label, RawChange
from backpack.core.engine import Engine
from backpack.core.ids import Epoch
from backpack.core.journal import Journal
from backpack.core.limits import Limits
from backpack.core.past import Woken
from backpack.core.payload import Content, LargeRef, Pieces

_VISIBLE: Final = frozenset({"pack", "release"})
_NAMED: Final = frozenset({"pack", "release", "quarantine"})


class Archive(Finding):
    """Reads anything that was ever committed. `writer`: who writes more, None for readers."""

    def __init__(
        self, blobs: Blobs, parts: Sequence[Part], placer: Placer, writer: Writer | None, first_seq: int
    ) -> None:
        super().__init__(blobs, parts, placer, writer, first_seq)
        self.dormant = Dormant(None, {})
        self.loaded: Living[Any] = Living()
        """States that have bytes in memory which a purge has to reach."""
        self.erasures = 0
        """How many purges have come to these states so far."""
        self.twins: Living[Archive] = Living()
        """What forks read of it: the blobs that they point to stay."""
        self._lender: Archive | None = None
        """Large values of an engine over this may be read from there: the two engines share them."""
        self._borrowers: WeakSet[Archive] = WeakSet()
        self._is_let_go = False

    def has(self, seq: int) -> bool:
        """Can the commit be read?"""
        if self.missing_count and self.first_seq <= seq <= self.head:
            return self.row(seq) is not None
        return self.first_seq <= seq <= self.head or (seq in self.kept and seq <= self.head)

    def knows(self, seq: int) -> bool:
        """Is it known who made the commit, even if it can't be read any more?"""
        if seq >= self.first_seq and not self.missing_count:
            return seq <= self.head
        return 0 < seq <= self.head and self.row(seq) is not None

    def facts(self, seq: int) -> tuple[int, Label, tuple[RawChange, ...]]:
        """`(time, label, changes)` of a commit."""
        row = self.row(seq)
        if row is None:
            raise damaged(self._file_of(seq), 0, f"commit {seq} is not where it should be")
        return facts_of(row)

    def setter_of(self, key: str, seq: int) -> int:
        """The commit that brought the value which the key has as of another one: behind a quarantine and a release the
        pack before them. 0 where that is lost. Cost: a cold read for each of these."""
        change = self.find(key, seq)
        while change is not None and change.carries_on:
            change = self.find(key, change.seq - 1)
        return 0 if change is None else change.seq

    def content(self, key: str, seq: int) -> Content | None:
        """The bytes of what a commit put at a key; None when they are not within reach."""
        change = self.find(key, seq)
        if change is None or change.seq != seq or change.value is None or change.is_purged:
            return None
        return self.content_of(change)

    # -- keys that sleep -----------------------------------------------------------------------------------------

    @property
    def dormant_bytes(self) -> int:
        """Live bytes of the keys that have not woken."""
        return self.dormant.live_bytes

    @property
    def dormant_large(self) -> int:
        """How many of them have a large value."""
        return self.dormant.large_count

    def dormant_sizes(self) -> Iterator[int]:
        """The packed sizes of their values, from what is stored of them."""
        return self.dormant.sizes()

    def dormant_kinds(self) -> Iterator[tuple[str, str]]:
        """The keys that sleep, each with the kind of its newest change."""
        return self.dormant.kinds()

    def names(self) -> tuple[list[str], list[str]]:
        """The keys that sleep and were not deleted, and those of them with a visible value; sorted."""
        return self.dormant.names(_NAMED), self.dormant.names(_VISIBLE)

    def wake(self, key: str) -> Woken | None:
        """The newest change of a key that sleeps. Cost: one cold read."""
        newest = self.dormant.peek(key)
        if newest is None:
            return None
        change = self.find(key, newest.seq)
        if change is None or change.seq != newest.seq:
            what = f"the newest change of a key is not where it should be (commit {newest.seq})"
            raise damaged(self._file_of(newest.seq), 0, what)
        value = change.value
        instead = self._replaced.get((key, change.seq))
        if instead is not None and not change.is_purged:
            return _woken_instead(change, instead)
        form: bytes | LargeRef | None = None
        content: Content | None = None
        if value is not None and not change.is_purged:
            if change.is_large:
                content = self._stored(value)
                form = LargeRef(content)
            else:
                form = self.payload(value)
                self.placer.know(form, value)
        return Woken(key, change.seq, change.kind, change.version, form, content, change.reason)

    def woke(self, key: str) -> None:
        """The key does not sleep any more."""
        self.dormant.take(key)

    # -- the same for others -------------------------------------------------------------------------------------

    def until(self, seq: int, replaced: Mapping[str, Content]) -> "Archive":
        """The same up to a commit, to read only: what a fork has before its first commit.

        `replaced`: what to put where the bytes of values are not within reach. Files stay readable for as long as one
        of the two lives.
        """
        twin = Archive(self.blobs, self.parts, Placer(_no_blob), None, self.first_seq)
        self.twins.add(twin)
        twin.twins = self.twins
        twin._limit = seq
        twin.kept = self.kept
        twin._erased = self._erased
        twin.dormant = Dormant(*self.newest_at(seq))
        twin.replace(self.replaced(), replaced)
        return twin

    def awake(self) -> "Archive":
        """The same, to read only, for an engine that has all its keys in memory."""
        twin = self.until(self.head, {})
        twin.dormant = Dormant(None, {})
        twin._lender = self
        self._borrowers.add(twin)
        return twin

    def shadow(self) -> "Archive":
        """The same up to the newest commit, of which somebody may say that it has other parts. Never to be closed."""
        twin = Archive(self.blobs, self.parts, Placer(_no_blob), None, self.first_seq)
        twin.kept, twin.twins, twin._on_disk = self.kept, self.twins, self._on_disk
        twin._limit = self.head
        return twin

    def replace(self, known: "Replaced", replaced: Mapping[str, Content]) -> None:
        """Put these in the place of values that are not within reach, in the newest changes of keys."""
        newest = {key: self.dormant.peek(key) for key in replaced}
        self._replaced = {**known, **{(key, one.seq): replaced[key] for key, one in newest.items() if one is not None}}

    def let_go(self) -> None:
        """The fork that read this is closed: nothing has to stay for it. What it shares with forks of its own is read
        until these are closed too."""
        self.twins.discard(self)
        self._is_let_go = True
        self._close_unread()

    def _close_unread(self) -> None:
        if self._is_let_go and not self._borrowers:
            self.close()
            lender, self._lender = self._lender, None
            if lender is not None:
                lender._borrowers.discard(self)
                lender._close_unread()


def _no_blob(_: bytes) -> bytes:
    raise NotImplementedError


def _woken_instead(change: Change, content: Content) -> Woken:
    form = LargeRef(content) if isinstance(content, Pieces) else content
    return Woken(
        change.key,
        change.seq,
        change.kind,
        change.version,
        form,
        content if isinstance(form, LargeRef) else None,
        change.reason,
    )


def engine_over(past: Archive, limits: Limits, epoch: Epoch, journal: Journal | None = None) -> Engine:
    """An engine whose past is an archive: it has the names of all keys and no commit in memory."""
    engine = Engine(limits, epoch, head=past.head, journal=journal, past=past)
    names, visible = past.names()
    engine.names.update(names)
    engine.visible.update(visible)
    if past.head:
        engine.timeline.front_time = 0
    return engine
