"""A state: every key as of one commit, wherever it stands. What snapshots, diffs, restore and replay read.

There is one kind for commits in memory (`Remembered`) and one for those on disk. A state knows nothing of values
(it has packed bytes), of nodes or of their permissions. It takes the locks that it needs itself.

Its commit stays readable for as long as the state lives; nothing that it answered ever becomes different, but for bytes
that a purge erases and for large values that go out of reach.
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from backpack.core.chain import PACK
from backpack.core.commit import Commit
from backpack.core.patterns import Pattern
from backpack.core.payload import Content, Form, form_size, join
from backpack.errors import CorruptionError


class Found:
    """What one key was as of a commit: its last change up to there. The value is in sight, or hidden by that change."""

    __slots__ = ("content", "form", "identity", "is_large", "key", "kind", "reason", "seq", "size", "version")

    def __init__(
        self,
        key: str,
        seq: int,
        kind: str,
        version: int,
        size: int,
        content: Callable[[], Content | str],
        *,
        is_large: bool = False,
        reason: str = "",
        form: Form | None = None,
        identity: Any = None,
    ) -> None:
        self.key = key
        self.seq = seq
        """The commit that made the change."""
        self.kind = kind
        """pack, delete, quarantine or release."""
        self.version = version
        self.size = size
        """The packed size that the change reports: 0 where it brings nothing into sight."""
        self.content = content
        """Asks for the bytes of the value, or the reason why they are not within reach ("dropped", "purged"). May read
        the disk. Of a quarantine: those that it hides. Not to be asked of a delete."""
        self.is_large = is_large
        self.reason = reason
        """Why, of a quarantine."""
        self.form = form
        """How the memory of its store has the value, so that a restore there shares the bytes; None if it hasn't."""
        self.identity = form if identity is None else identity
        """Values of equal identities (not None) have the same bytes; for others the bytes have to be compared."""

    @property
    def is_visible(self) -> bool:
        """Does a reader find a value (even one whose bytes are gone) there?"""
        return self.kind == PACK or self.kind == "release"


def nothing() -> None:
    """Gives way to nobody."""


class State(Protocol):
    """Every key as of commit `seq` (0: the empty beginning). Keys are absolute. Any thread may ask."""

    @property
    def seq(self) -> int: ...

    def at_hand(self, key: Any) -> bytes | None:
        """The packed bytes of a visible value, by the shortest way, counted as an access. None says nothing: `find`."""
        ...

    def find(self, key: str) -> Found | None:
        """The last change of the key, visible or not. None: it never had one, or nothing but a delete is left of it."""
        ...

    def has(self, key: str) -> bool:
        """Is there a visible value?"""
        ...

    def keys(self) -> list[str]:
        """The keys with a visible value, sorted."""
        ...

    def select(self, pattern: Pattern) -> list[str]:
        """Those of them that fit, sorted."""
        ...

    def unreachable(self) -> list[Found]:
        """The values, in sight or in quarantine, whose bytes are not within reach."""
        ...

    def commit(self) -> Commit | None:
        """Its own commit; None at the empty beginning."""
        ...

    def author(self, found: Found) -> Commit | None:
        """The commit that made the change, as far as it is known."""
        ...

    def setter(self, found: Found) -> Commit | None:
        """The commit that brought its value: of one that was released, who packed it. As far as it is known."""
        ...

    def remover(self, key: str) -> Commit | None:
        """The commit that deleted a key of which `find` knows nothing any more, as far as it is known."""
        ...

    def touch(self) -> None:
        """Count an access to its commit."""
        ...

    def load(self, keys: Iterable[str] | None = None, give_way: Callable[[], None] = nothing) -> None:
        """Have at hand what reads will want: all but large values, or these keys with theirs. Reads the disk.

        `give_way` is called after each key."""
        ...

    def candidates(self, other: "State") -> Iterable[str] | None:
        """The keys that may differ between the two; all others are equal. None: it can't tell, compare them all."""
        ...


def has_same_bytes(one: Found, other: Found) -> bool:
    """Are two visible values equal, of whatever states they are? False where bytes to compare are not within reach.

    Cost: O(1), but for values of one size that stand in different places.
    """
    return one.size == other.size and _has_same_content(one, other)


def hides(hidden: Found, visible: Found) -> bool:
    """Is the one a quarantine, and what it hides equal to the visible value? False where that can't be read any more.

    Cost: as `has_same_bytes`.
    """
    if hidden.kind != "quarantine":
        return False
    try:
        return _has_same_content(hidden, visible)
    except CorruptionError:  # of bytes that nobody has asked for: reading them says so, putting nothing there doesn't
        return False


def _has_same_content(one: Found, other: Found) -> bool:
    if one.identity is not None and one.identity == other.identity:
        return True
    content = one.content()
    if isinstance(content, str) or form_size(content) != other.size:
        return False
    other_content = other.content()
    if isinstance(other_content, str):
        return False
    return content is other_content or join(content) == join(other_content)
