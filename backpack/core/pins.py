"""What may not be pruned: commits with a checkpoint, and those that a snapshot shows.

A snapshot holds a *view*: the commit stays while a view of it lives, and a large value that goes out of sight meanwhile
is held by the view.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from weakref import ref

from backpack.core.chain import Chain, form_of
from backpack.core.payload import Content, LargeRef

if TYPE_CHECKING:
    from backpack.core.engine import Engine

_VIEWS_MIN: Final = 64


class View:
    """The state as of one commit, held open: the commit is not pruned while a view of it lives, and large values that
    go out of sight meanwhile are held here."""

    __slots__ = ("__weakref__", "engine", "held", "seq")

    def __init__(self, engine: "Engine", seq: int) -> None:
        self.engine = engine
        self.seq = seq
        self.held: dict[str, Content] = {}

    def forget(self, key: str) -> None:
        """The key was purged: what is held of it goes."""
        self.held.pop(key, None)


class Pins:
    """The checkpoints of an engine and the open views of it."""

    __slots__ = ("_engine", "_views_limit", "checkpoint_counts", "checkpoints", "make_view", "views")

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self.checkpoints: dict[str, tuple[int, str]] = {}
        """By name: `(seq, notes)`, in the order they were made."""
        self.checkpoint_counts: dict[int, int] = {}
        self.make_view: Callable[[Engine, int], View] = View
        """What a view is made with: whoever has the lock may want it in there."""
        self.views: dict[int, ref[View]] = {}
        self._views_limit = _VIEWS_MIN

    def view(self, seq: int) -> View:
        """Hold the state as of a commit in memory (or 0) open. Cost: O(1)."""
        link = self.views.get(seq)
        view = None if link is None else link()
        if view is None:
            view = self.make_view(self._engine, seq)
            self.views[seq] = ref(view)
            if len(self.views) > self._views_limit:
                self.views = {seq: link for seq, link in self.views.items() if link() is not None}
                self._views_limit = 2 * len(self.views) + _VIEWS_MIN
        return view

    def holds(self, seq: int) -> bool:
        """Is the commit a checkpoint, or is a snapshot of it open?"""
        if seq in self.checkpoint_counts:
            return True
        link = self.views.get(seq)
        return link is not None and link() is not None

    def add(self, name: str, seq: int, notes: str) -> None:
        """Pin a commit under a name that is free."""
        self.checkpoints[name] = (seq, notes)
        self.checkpoint_counts[seq] = self.checkpoint_counts.get(seq, 0) + 1

    def remove(self, name: str) -> None:
        """Unpin it; the commit may be pruned again."""
        seq, _ = self.checkpoints.pop(name)
        self.checkpoint_counts[seq] -= 1
        if not self.checkpoint_counts[seq]:
            del self.checkpoint_counts[seq]
            self._engine.pruner.reset()

    def seqs(self) -> set[int]:
        """The commits that are checkpoints or have an open snapshot."""
        seqs = {seq for seq, link in list(self.views.items()) if link() is not None}
        seqs.update(self.checkpoint_counts)
        return {seq for seq in seqs if self._engine.timeline.has(seq)}

    def keep(self, chain: Chain, seq: int) -> None:
        """A large value goes out of sight: open views keep what they show of the key, as far as it is within reach."""
        last = chain.last
        hidden = None if last is None else form_of(last)
        record = self._engine.records.get(id(hidden))
        sharers = [chain] if record is None or record.total == 1 else list(self._engine.chains.values())
        for link in list(self.views.values()):
            view = link()
            if view is None or view.seq >= seq:
                continue
            for sharer in sharers:
                entry = sharer.entry_at(view.seq)
                form = None if entry is None else form_of(entry)
                if isinstance(form, LargeRef) and (sharer is chain or form is hidden):
                    content = chain.content if form is hidden else form.content()
                    if content is not None:
                        view.held[sharer.key] = content
