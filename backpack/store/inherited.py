"""What becomes of stores in a forked child.

The child of `os.fork` has a copy of each store, as it was at that moment. What is in memory is the child's own from
then on: it goes on under ids of its own, so that no two commits of parent and child have the same id. What lies in
files stays the parent's: a store that was opened, and a fork that reads the files of one, are closed in the child.

Of the parent's threads only the one that forked is there. A lock that another one held would never be let go, and the
change which that thread was making would never end: so locks are made anew, and the change is taken back or finished,
as after Ctrl-C.

Cost: O(1) for each store in the child, and O(changes in memory) for one that another thread was using; nothing before.
"""

from typing import Final, Protocol
from weakref import WeakSet

from backpack.codec import registry
from backpack.storage import process
from backpack.store import tasks


class Heir(Protocol):
    """A store, which a child may come to have a copy of."""

    def _inherit(self) -> None:
        """This is the child: make the copy one that can be used here."""
        ...


_heirs: Final[WeakSet[Heir]] = WeakSet()


def expect_forks(store: Heir) -> None:
    """Have the store told in each child of a fork, for as long as it lives."""
    _heirs.add(store)


def _in_child() -> None:
    registry.renew_lock()
    tasks.renew_lock()
    for store in list(_heirs):
        store._inherit()


process.after_fork(_in_child)
