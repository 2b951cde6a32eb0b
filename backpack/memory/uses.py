"""Which contents the entries of a memory have, and which parts those contents: what goes with an entry, and what stays.

Kept up as entries come and go, so asking costs no look at the others. Which parts a long content is made of is read
when somebody asks first; it never changes while an entry has the content, because a digest stands for one run of bytes.
"""

from collections.abc import Callable

from backpack.memory.content import WHOLE_SIZE_MAX
from backpack.memory.entry import Entry

PartsOf = Callable[[str], tuple[str, ...] | None]
"""The digests of the parts of a content; None when it isn't there."""


class Uses:
    """How many entries have each content. Not for several threads at a time."""

    __slots__ = ("_counts", "_part_counts", "_parts", "_unread")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._parts: dict[str, frozenset[str]] = {}
        """Of contents that may be parts, as far as it was asked for."""
        self._unread: set[str] = set()
        """The others of these."""
        self._part_counts: dict[str, int] = {}
        """How many contents have each part."""

    def add(self, entry: Entry) -> None:
        """An entry came. One without its content uses none."""
        if not entry.is_pruned:
            self.use(entry.digest, may_be_parts=entry.size > WHOLE_SIZE_MAX)

    def remove(self, entry: Entry) -> None:
        """An entry went that was added."""
        if not entry.is_pruned:
            self.leave(entry.digest)

    def use(self, digest: str, *, may_be_parts: bool = True) -> None:
        """One more has this content."""
        self._counts[digest] = self._counts.get(digest, 0) + 1
        if may_be_parts and digest not in self._parts:
            self._unread.add(digest)

    def leave(self, digest: str) -> None:
        """One less."""
        count = self._counts[digest] - 1
        if count:
            self._counts[digest] = count
            return
        del self._counts[digest]
        self._unread.discard(digest)
        for part in self._parts.pop(digest, ()):
            left = self._part_counts[part] - 1
            if left:
                self._part_counts[part] = left
            else:
                del self._part_counts[part]

    def count(self, digest: str) -> int:
        """How many have this content."""
        return self._counts.get(digest, 0)

    def shared_parts(self, digest: str, parts: tuple[str, ...], parts_of: PartsOf) -> set[str]:
        """Which of the parts of a content another content has, too. Cost: O(parts), and reading what was not asked
        for before."""
        for other in list(self._unread):
            found = parts_of(other)
            if found is not None:
                self._learn(other, frozenset(found))
        own = self._parts.get(digest, frozenset())
        return {part for part in parts if self._part_counts.get(part, 0) > (part in own)}

    def _learn(self, digest: str, parts: frozenset[str]) -> None:
        self._unread.discard(digest)
        self._parts[digest] = parts
        for part in parts:
            self._part_counts[part] = self._part_counts.get(part, 0) + 1
