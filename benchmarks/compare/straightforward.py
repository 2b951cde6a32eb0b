"""The rival that anybody would write first: live objects, deep copies, and a list of commits.

`pack` deep-copies the new value on its way in and the previous value beside it, so that every commit is a change
with its before and after. A snapshot starts with nothing and applies the commits in order. When the summed size of
the commits is above the budget, the oldest fifth of the list is deleted.

It is meant to be a fair build of that design, not a slow one: a value is pickled once, to know its size, and its
size is remembered for when it is the previous one; nothing is locked; nothing is logged. What it costs is what the
design costs: copies of whole objects at `pack`, one object a commit for the garbage collector to walk, snapshots
linear in the history, and (as designed) snapshots that lose the keys last set in a deleted commit.
"""

import copy
import pickle
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

HISTORY_SIZE_LIMIT: Final = 50 * 1024 * 1024
PRUNE_SHARE: Final = 0.2


@dataclass(slots=True)
class Commit:
    """One change of one key."""

    seq: int
    node: str | None
    message: str | None
    key: str
    old_value: Any
    new_value: Any
    size: int
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    time: datetime = field(default_factory=lambda: datetime.now(UTC))


class Straightforward:
    """A key-value store with a history, without a second thought."""

    def __init__(self, max_history_size: int = HISTORY_SIZE_LIMIT) -> None:
        self.max_history_size = max_history_size
        self.commits: list[Commit] = []
        self.history_size = 0
        self._state: dict[str, Any] = {}
        self._sizes: dict[str, int] = {}
        self._seq = 0

    def pack(self, key: str, value: Any, *, node: str | None = None, message: str | None = None) -> Commit:
        """Set `key` and note the change."""
        new_value = copy.deepcopy(value)
        old_value = copy.deepcopy(self._state.get(key))
        new_size = len(pickle.dumps(new_value, pickle.HIGHEST_PROTOCOL))
        self._seq += 1
        commit = Commit(
            seq=self._seq,
            node=node,
            message=message,
            key=key,
            old_value=old_value,
            new_value=new_value,
            size=new_size + self._sizes.get(key, 0),
        )
        self._state[key] = new_value
        self._sizes[key] = new_size
        self.commits.append(commit)
        self.history_size += commit.size
        if self.history_size > self.max_history_size:
            self._prune()
        return commit

    def unpack(self, key: str, default: Any = None) -> Any:
        """A copy of the present value."""
        return copy.deepcopy(self._state.get(key, default))

    def snapshot(self, seq: int) -> dict[str, Any]:
        """The state as of commit `seq`, by replay from the oldest commit left."""
        state: dict[str, Any] = {}
        for commit in self.commits:
            if commit.seq > seq:
                break
            state[commit.key] = commit.new_value
        return copy.deepcopy(state)

    def _prune(self) -> None:
        count = max(1, int(len(self.commits) * PRUNE_SHARE))
        self.history_size -= sum(commit.size for commit in self.commits[:count])
        del self.commits[:count]
