"""A full-text index that follows the keys of a store below a prefix: of entries, or of other things that have words.

    base      the file of a plain opened store, which its writer keeps up in batches; else there is none
    recent    an index in memory of what has changed since the base was made, or of everything

Nothing is indexed when something is packed. A search looks which commits came since the last one, indexes the things
that they changed, and asks both. When more than a batch has changed the writer brings the base up to date and begins
the recent one anew; so does the close of a store, as far as a bounded amount of text goes. A base knows whose it is and
the mark of the last commit that it knows: one of another store, of another past, or from before a recovery is no base.
"""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from threading import RLock
from typing import Final, TypeVar

from backpack.archive.derived import Derived
from backpack.core.commit import Commit
from backpack.errors import BackpackError, CommitNotFoundError, CommitPrunedError, CorruptionError, StorageError
from backpack.hashing import blake2b
from backpack.limits import MIB
from backpack.memory.documents import Document
from backpack.memory.index_file import IndexFile
from backpack.memory.search_index import Connect, Index
from backpack.store.store import Backpack

BATCH: Final = 256
"""So many changed things are kept in memory before the writer has them in the file; one transaction of the file."""

CLOSE_SIZE_MAX: Final = 8 * MIB
"""Bytes of content that a close indexes at most, about half a second: the rest waits for the next search."""

WASTE_MIN: Final = 1_000
"""Documents that may be gone before it is worth making an index anew."""

_FILE_TRIES: Final = 2
_BEGUN: Final = " "
"""Comes before every id."""

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


class _Stale(Exception):
    """What an index knows can't be carried on from."""


class Following(ABC):
    """One index of one store. An id is what stands behind the prefix in a key. Any number of threads may ask."""

    def __init__(self, bp: Backpack, prefix: str, namespace: str, *, connect: Connect = sqlite3.connect) -> None:
        """`namespace`: by which the file is told from others of the store."""
        self._bp = bp
        self._prefix = prefix
        self._namespace = namespace
        self._connect = connect
        self._lock = RLock()
        self._file: IndexFile | None = None
        self._is_file_wanted = True
        self._base_head = 0
        """Up to which commit the base goes."""
        self._recent: Index | None = None
        self._head = -1
        """Up to which commit both go together; -1 when there is nothing yet."""
        self._hidden: set[str] = set()
        """What changed since the base was made: what it says of that doesn't count."""
        self._posted: set[str] = set()
        """What is in the inbox and nobody has adopted yet; once adopted it comes as changes of the store."""

    # -- what is followed ------------------------------------------------------------------------------------------

    @abstractmethod
    def _ids(self) -> Iterator[str]:
        """All there are, in order."""

    @abstractmethod
    def _documents(self, id: str) -> Iterator[Document] | None:
        """What is searched of one; None when it is gone."""

    def _posted_ids(self) -> set[str]:
        """Those that were posted into the inbox and aren't adopted."""
        return set()

    # -- asking ----------------------------------------------------------------------------------------------------

    def _asked(self, found: Callable[[], _Answer]) -> _Answer:
        """What `found` makes of base and recent, once both are what the store is at present. Wants the lock."""
        for _ in range(_FILE_TRIES):
            try:
                return self._answer(found)
            except sqlite3.Error:
                self._give_up_file()
        self._is_file_wanted = False  # made anew, and wrong again: without it, then
        return self._answer(found)

    def _base(self) -> Index | None:
        return None if self._file is None else self._file.index

    # -- as the store sees it ------------------------------------------------------------------------------------

    def discard(self) -> None:
        """Values are being erased: nothing that was made of any is kept."""
        with self._lock:
            self._give_up_file()

    def finish(self) -> None:
        """The store is about to be closed."""
        with self._bp._adopting_nothing(), self._lock:
            try:
                self._index_before_close()
            except (sqlite3.Error, BackpackError):
                self._give_up_file()  # it is made anew at the next search
            self._let_go_of_file()

    def _index_before_close(self) -> None:
        head = self._head_seq()
        derived = self._derived()
        if derived is None or not derived.is_writable:
            return
        self._open_file(derived)
        index = self._base()
        if index is not None and head - self._base_head >= BATCH:
            self._carry_on(index, head, CLOSE_SIZE_MAX)

    # -- keeping up ----------------------------------------------------------------------------------------------

    def _answer(self, found: Callable[[], _Answer]) -> _Answer:
        while True:
            self._keep_up()
            base = self._base()
            if base is None or self._may_write():
                return found()
            with base.reading():  # beside a writer, who may have carried on
                if base.meta().get("head") == self._base_head and self._is_whole(base):
                    return found()
            self._forget_recent()
            self._look_at(base)

    def _keep_up(self) -> None:
        """Have base and recent together say what the store says at present, and what was posted into its inbox."""
        self._keep_up_with_store()
        posted = self._posted_ids()
        if posted - self._posted:
            self._added_recent(sorted(posted - self._posted), has_base=self._file is not None)
        self._posted = posted

    def _keep_up_with_store(self) -> None:
        head = self._head_seq()
        if head == self._head:
            return
        derived = self._derived()
        if self._file is not None and (derived is None or not self._file.is_there()):
            self._give_up_file() if derived is None else self._let_go_of_file()
        if derived is not None:
            self._open_file(derived)
        try:
            self._follow(self._head_seq())
        except _Stale:
            self._begin_anew()
            self._follow(self._head_seq())

    def _follow(self, head: int) -> None:
        base = self._base()
        if base is not None and not self._is_whole(base):
            if not self._may_write():
                raise _Stale
            self._carry_on(base, head, None)
        if base is None and self._head < 0:
            self._recent = Index(connect=self._connect)
            with self._recent.transaction():
                self._recent.add(self._entries(self._ids()))
            self._head = head
            return
        changed = self._changed(self._base_head if self._head < 0 else self._head, head)
        if base is not None and self._may_write() and len(self._hidden.union(*changed.values())) > BATCH:
            self._forget_recent()
            self._carry_on(base, head, None)
        elif not self._added_recent(sorted(set().union(*changed.values())), has_base=base is not None):
            self._forget_recent()
            self._follow(head)
        self._head = head

    def _added_recent(self, ids: list[str], *, has_base: bool) -> bool:
        """Have these entries in the recent index as they are; False when it is better made anew."""
        if not ids:
            return True
        if self._recent is None:
            self._recent = Index(connect=self._connect)
        if has_base:
            self._hidden.update(ids)
        with self._recent.transaction():
            self._recent.remove(ids)
            self._recent.add(self._entries(ids))
        live, waste = self._recent.counts()
        return waste <= live + WASTE_MIN

    def _carry_on(self, base: Index, head: int, size_max: int | None) -> None:
        """Bring the base up to date, until so much content was read. A batch counts once it is whole."""
        assert self._file is not None
        self._file.begin_change()
        left = _Left(size_max)
        if not self._is_whole(base) and not self._is_begun(base, head, left):
            return
        changed = self._changed(self._base_head, head)
        for seqs in _batches(changed):
            ids = sorted(set().union(*(changed[seq] for seq in seqs)))
            with base.transaction():
                base.remove(ids)
                base.add(left.counting(self._entries(ids)))
                base.set_meta(self._position(seqs[-1]))
            self._base_head = seqs[-1]
            if left.is_over:
                return
        with base.transaction():
            base.set_meta(self._position(head))
        self._base_head = head
        live, waste = base.counts()
        if waste > live + WASTE_MIN:
            raise _Stale

    def _is_begun(self, base: Index, head: int, left: "_Left") -> bool:
        """Have all entries in a new base, as they are or become meanwhile: it goes up to the commit at which this was
        begun. What was begun earlier is gone on with. True when it is whole."""
        after = str(base.meta().get("after", ""))
        if not after:
            with base.transaction():
                base.clear()
                base.set_meta({**self._identity(), **self._position(head), "after": _BEGUN})
            after, self._base_head = _BEGUN, head
        for ids in _batches(id for id in self._ids() if id > after):
            with base.transaction():
                base.add(left.counting(self._entries(ids)))
                base.set_meta({"after": ids[-1]})
            if left.is_over:
                return False
        with base.transaction():
            base.set_meta({"after": ""})
        return True

    def _changed(self, since: int, head: int) -> dict[int, list[str]]:
        """The entries that were changed by each commit behind one, oldest first. `_Stale` when that isn't known."""
        changed: dict[int, list[str]] = {}
        if since == head:
            return changed
        start = len(self._prefix)
        count = 0
        for commit in self._commits(since):
            if commit.seq > head:
                continue  # somebody has committed meanwhile
            count += 1
            ids = [key[start:] for key in commit.changes if key.startswith(self._prefix)]
            if ids:
                changed[commit.seq] = ids
        if count != head - since:
            raise _Stale
        return dict(reversed(changed.items()))

    def _commits(self, since: int) -> Iterator[Commit]:
        try:
            yield from self._bp.history(after=since or None)
        except (CommitPrunedError, CommitNotFoundError, CorruptionError):
            raise _Stale from None

    # -- the base ------------------------------------------------------------------------------------------------

    def _open_file(self, derived: Derived) -> None:
        """Have the file open when there may be one, and see whether it can be carried on from."""
        if self._file is not None or not self._is_file_wanted:
            return
        file = IndexFile(derived, self._namespace, connect=self._connect)
        index = file.open()
        if index is not None:
            self._forget_recent()
            self._file = file
            self._look_at(index)

    def _look_at(self, index: Index) -> None:
        """Take the base over if it is of this store and its past."""
        try:
            self._take_over(index)
        except _Stale:
            self._begin_anew()

    def _take_over(self, index: Index) -> None:
        """See whose it is and how far it goes. `_Stale`."""
        meta = index.meta()
        if "store" not in meta:
            self._base_head = 0
            return
        head, commit = meta.get("head"), meta.get("commit")
        identity = self._identity()
        if {name: meta.get(name) for name in identity} != identity or type(head) is not int:
            raise _Stale
        if head > self._head_seq():
            self._bp.refresh()  # a reader is behind the writer who made it
        try:
            is_ours = head <= self._head_seq() and self._mark(head) == commit
        except (CommitPrunedError, CommitNotFoundError):
            is_ours = False
        if not is_ours:
            raise _Stale
        self._base_head = head

    def _is_whole(self, base: Index) -> bool:
        meta = base.meta()
        return "store" in meta and not meta.get("after")

    def _identity(self) -> dict[str, int | str]:
        derived = self._derived()
        return {"store": "" if derived is None else derived.store_id, "namespace": self._namespace}

    def _position(self, head: int) -> dict[str, int | str]:
        return {"head": head, "commit": self._mark(head)}

    def _mark(self, seq: int) -> str:
        """What tells a commit from one of the same seq in another past: ids don't, a copy of a store makes the same."""
        if not seq:
            return ""
        commit = self._bp.commit(seq)
        facts = [commit.id, commit.time.isoformat(), *(f"{key} {commit.changes[key].size}" for key in commit.changes)]
        return blake2b("\0".join(facts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def _begin_anew(self) -> None:
        """What there is can't be carried on from."""
        self._forget_recent()
        file = self._file
        if file is None:
            return
        if not self._may_write():
            self._let_go_of_file()
            self._is_file_wanted = False
            return
        file.discard()
        self._base_head = 0
        if file.open() is None:
            self._file = None

    def _give_up_file(self) -> None:
        self._forget_recent()
        file, self._file = self._file, None
        if file is not None:
            file.discard()

    def _let_go_of_file(self) -> None:
        """It may stay where it is."""
        self._forget_recent()
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except StorageError:
                file.discard()

    def _forget_recent(self) -> None:
        recent, self._recent = self._recent, None
        if recent is not None:
            recent.close()
        self._hidden = set()
        self._posted = set()
        self._head = -1

    # -- the store -----------------------------------------------------------------------------------------------

    def _head_seq(self) -> int:
        head = self._bp.head
        return 0 if head is None else head.seq

    def _derived(self) -> Derived | None:
        return self._bp._derived() if self._is_file_wanted else None

    def _may_write(self) -> bool:
        derived = self._derived()
        return derived is not None and derived.is_writable

    def _entries(self, ids: Iterable[str]) -> Iterator[Iterator[Document]]:
        return (documents for documents in map(self._documents, ids) if documents is not None)


class _Left:
    """How much may be indexed yet."""

    def __init__(self, size: int | None) -> None:
        self._size = size
        """Characters; None: any number."""

    @property
    def is_over(self) -> bool:
        return self._size is not None and self._size <= 0

    def counting(self, entries: Iterable[Iterator[Document]]) -> Iterator[Iterator[Document]]:
        """The same, counted as they are read."""
        return map(self._counted, entries)

    def _counted(self, documents: Iterator[Document]) -> Iterator[Document]:
        for document in documents:
            if self._size is not None:
                self._size -= len(document.text)
            yield document


def _batches(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
