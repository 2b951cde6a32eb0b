"""The state of a commit in memory: a view of the engine that is read through the chains of its keys.

A read is one bisection. Reads that find the bytes at once take no lock (see `Chain`); all else takes the store's.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from backpack.core.chain import Chain, Entry, Mark, Purged, form_of, is_visible, kind_of, size_of
from backpack.core.commit import Commit
from backpack.core.engine import Engine
from backpack.core.patterns import Pattern
from backpack.core.payload import Content, LargeRef, Pieces, join
from backpack.core.pins import View
from backpack.store.state import Found, State, nothing


class Remembered(View):
    """Every key as of a commit. As long as it lives, the commit is not pruned."""

    __slots__ = ("loaded", "lock")

    def __init__(self, lock: AbstractContextManager[Any], engine: Engine, seq: int) -> None:
        self.engine = engine
        self.seq = seq
        self.held = {}
        self.lock = lock
        self.loaded: dict[str, bytes] = {}
        """Large values that were asked for beforehand and stand on disk."""

    # -- one key -------------------------------------------------------------------------------------------------

    def at_hand(self, key: Any) -> bytes | None:
        """The bytes of what is no large value, counted as an access. Cost: O(log versions)."""
        engine, seq = self.engine, self.seq
        try:
            seqs, forms = engine.chains[key].columns
        except (KeyError, TypeError):  # not there, not hashable
            return None
        index = bisect_right(seqs, seq)
        if not index:
            return None
        entry = forms[index - 1]
        if type(entry) is not bytes:
            if type(entry) is not Pieces:
                return None
            entry = join(entry)
        engine.timeline.touch(seq)
        return entry

    def find(self, key: str) -> Found | None:
        """What the key was. Cost: O(log versions)."""
        with self.lock:
            chain = self.engine.chain_of(key)
            return None if chain is None else self._found(chain, chain.index_at(self.seq))

    def has(self, key: str) -> bool:
        """Is there a visible value?"""
        return self._shows(key)

    def author(self, found: Found) -> Commit | None:
        """The commit that made the change: also one that was pruned while the change stays."""
        with self.lock:
            engine = self.engine
            chain = engine.chain_of(found.key)
            index = -1 if chain is None else chain.index_of(found.seq)
            return None if chain is None or index < 0 else engine.commit_of(chain, index)

    def setter(self, found: Found) -> Commit | None:
        """The commit that brought its value: also one that was pruned while the value stays."""
        with self.lock:
            engine = self.engine
            chain = engine.chain_of(found.key)
            index = -1 if chain is None else chain.index_of(found.seq)
            return None if chain is None or index < 0 else engine.setter_of(chain, index)

    def remover(self, key: str) -> Commit | None:
        """The commit that deleted a key of which memory has nothing as of then: the past knows it."""
        with self.lock:
            engine = self.engine
            chain = engine.chain_of(key)
            seq = engine.retired_seqs.get(key, 0) if chain is None else chain.former[1]
            is_known = 0 < seq <= self.seq and engine.past is not None and engine.past.knows(seq)
            return engine.commit_at(seq) if is_known else None

    # -- many keys -----------------------------------------------------------------------------------------------

    def keys(self) -> list[str]:
        """The keys with a visible value. Cost: O(keys)."""
        with self.lock:
            return [key for key in self.engine.names if self._shows(key)]

    def select(self, pattern: Pattern) -> list[str]:
        """Those of them that fit. Cost: these, and keys that once fitted."""
        with self.lock:
            return [key for key in pattern.select(self.engine.names) if self._shows(key)]

    def unreachable(self) -> list[Found]:
        """Large values that nothing keeps, neither memory nor the past, and purged ones. Cost: O(keys), and a cold read
        for each large value that memory has let go."""
        seq = self.seq
        missing = []
        with self.lock:
            for chain in self.engine.chains.values():
                entry = chain.entry_at(seq)
                if entry is None or type(entry) is bytes or type(entry) is Pieces:
                    continue
                has_value = form_of(entry) is not None or isinstance(entry, Purged)
                if has_value and isinstance(self._content(chain, entry), str):
                    found = self._found(chain, chain.index_at(seq))
                    assert found is not None
                    missing.append(found)
        return missing

    def candidates(self, other: State) -> Iterable[str] | None:
        """The keys that changed in between. Cost: those changes, or all keys if that is less."""
        if not isinstance(other, Remembered) or other.engine is not self.engine:
            return None
        first, last = sorted((self.seq, other.seq))
        engine = self.engine
        if engine.past is not None and not engine.timeline.has(first):
            return None  # keys that sleep came after it
        with self.lock:
            timeline, chains = engine.timeline, engine.chains
            if last - first < len(chains) and all(timeline.has(seq) for seq in range(first + 1, last + 1)):
                return {chain.key for seq in range(first + 1, last + 1) for chain in timeline.changed(seq)}
            return [key for key, chain in chains.items() if chain.entry_at(first) is not chain.entry_at(last)]

    def load(self, keys: Iterable[str] | None = None, give_way: Callable[[], None] = nothing) -> None:
        """Wake the keys that sleep; one at a time, so that nobody waits long for the lock."""
        if self.engine.past is not None:
            for key in self.keys() if keys is None else keys:
                found = self.find(key)
                if keys is not None and found is not None and found.is_large and found.is_visible:
                    content = found.content()
                    if not isinstance(content, str):
                        self._keep(key, join(content))
                give_way()

    # -- the commit ----------------------------------------------------------------------------------------------

    def commit(self) -> Commit | None:
        """Its own commit."""
        if not self.seq:
            return None
        with self.lock:
            return self.engine.commit_at(self.seq)

    def touch(self) -> None:
        """Count an access, for least-accessed pruning."""
        self.engine.timeline.touch(self.seq)

    def forget(self, key: str) -> None:
        """The key was purged: what is held of it goes, and what was loaded."""
        super().forget(key)
        self.loaded.pop(key, None)

    # -- inside --------------------------------------------------------------------------------------------------

    def _keep(self, key: str, payload: bytes) -> None:
        """Have what was loaded at hand, unless it was purged meanwhile."""
        with self.lock:
            chain = self.engine.chains.get(key)
            if chain is not None and not isinstance(chain.entry_at(self.seq), Purged):
                self.loaded[key] = payload

    def _shows(self, key: str) -> bool:
        engine = self.engine
        chain = engine.chains.get(key)
        if chain is not None:
            return is_visible(chain.entry_at(self.seq))
        if engine.past is None or not self.seq:
            return False
        with self.lock:
            return key in engine.visible  # it sleeps: nothing has changed it since before any commit in memory

    def _found(self, chain: Chain, index: int) -> Found | None:
        """An entry as an answer. Wants the lock."""
        if index < 0:
            return None
        seqs, forms = chain.columns
        entry = forms[index]
        if entry is None:
            return None
        form = form_of(entry)
        return Found(
            chain.key,
            seqs[index],
            kind_of(entry),
            chain.version_of(index),
            size_of(entry),
            lambda: self._content(chain, entry),
            is_large=isinstance(form, LargeRef),
            reason=entry.reason if isinstance(entry, Mark) else "",
            form=form,
            identity=entry if isinstance(entry, Purged) else form,
        )

    def _content(self, chain: Chain, entry: Entry) -> Content | str:
        engine = self.engine
        with self.lock:
            content = content_of(chain, entry, self)
            seq = 0 if engine.past is None else chain.columns[0][chain.index_at(self.seq)]
            if chain.key in self.loaded:
                return self.loaded[chain.key]
        if content == "dropped" and engine.past is not None:
            return engine.past.content(chain.key, seq) or "dropped"
        return content


def content_of(chain: Chain, entry: Entry, view: View) -> Content | str:
    """The bytes of an entry, or the reason why they are not within reach. Wants the store's lock."""
    if isinstance(entry, Purged):
        return "purged"
    form = entry.form if isinstance(entry, Mark) else entry
    if not isinstance(form, LargeRef):
        assert form is not None
        return form
    last = chain.last
    if chain.content is not None and last is not None and form_of(last) is form:
        return chain.content
    return form.content() or view.held.get(chain.key) or "dropped"
