"""A message on its way in: checked, counted, committed with what is noted of it, and adopted. For threads and tasks.

Nothing is recorded before it is committed. What others have appended without a record has one by the next commit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backpack.context.cost import Cost
from backpack.context.following import Following
from backpack.context.record import Record, Spent, check_of, spent_of
from backpack.context.responses import input_of
from backpack.context.storable import ASSISTANT, Stored, stored
from backpack.context.usage import Usage, usage_of
from backpack.core.commit import Commit
from backpack.errors import UsageError

LONG: Final = 64 * 1024
"""Bytes of a message that a task doesn't count, and of a context that it doesn't decode, in the thread of its loop."""


@dataclass(frozen=True, slots=True)
class _Incoming:
    """A message that was looked at."""

    item: Stored
    record: Record
    cost: Cost | None
    """What its call cost."""
    about: dict[str, Any] | None
    """What is known of the conversation, where that is new."""


class Adding:
    """Adds to one conversation. `facts` are what is to be known of it, `expected` the tokens that would be sent now."""

    def __init__(self, following: Following, facts: Callable[[], dict[str, Any]], expected: Callable[[], int]) -> None:
        self._following = following
        self._facts = facts
        self._expected = expected

    def add(self, message: Any, usage: Any, node: str | None) -> Commit:
        """Add a message; its commit."""
        made = self._looked_at(message, usage)
        with self._following.lock:
            before = self._following.claim()
        try:
            commit = self._following.storage.add(made.item, made.record, node, before, made.about)
        except BaseException:
            self._unsettled(before)
            raise
        self._added(commit, made, before)
        return commit

    async def aadd(self, message: Any, usage: Any, node: str | None) -> Commit:
        """The same for a task: neither counting a long message nor waiting for durability blocks its loop."""
        readers = self._following.storage.bp._readers
        if self._following.is_at_hand and _size_of(message) <= LONG:
            made = self._looked_at(message, usage)
        else:
            made = await readers.run(self._looked_at, message, usage)
        before = self._claimed()
        try:
            commit = await self._following.storage.aadd(made.item, made.record, node, before, made.about)
        except BaseException:
            self._unsettled(before)
            raise
        if self._following.lock.acquire(blocking=False):
            try:
                self._added(commit, made, before)
            finally:
                self._following.lock.release()
        else:
            await readers.finish(lambda: self._added(commit, made, before), is_needed=True)
        return commit

    def _looked_at(self, message: Any, usage: Any) -> _Incoming:
        """A message and what will be noted of it."""
        given = input_of(message)
        item = stored(given)
        used = _used(item, usage, item.value if given is message else message)
        following, tracker = self._following, self._following.tracker
        tokens = tracker.count_message(item.value)
        with following.lock:
            if following.is_behind:
                following.keep_up()
            expected = self._expected()
            about = {**following.about, **self._facts()}
            is_news = about != following.about
        cost: Cost | None = None
        spent: Spent | None = None
        if used is not None:
            cost = tracker.cost_of(used)
            spent = spent_of(cost, expected=expected)
        elif item.role == ASSISTANT:
            cost = tracker.cost_of(Usage(expected, tokens))
            spent = spent_of(cost, is_estimated=True, expected=expected)
        record = Record(tokens, len(item.packed), check_of(item.packed), item.role, item.kind, spent)
        return _Incoming(item, record, cost, about if is_news else None)

    def _added(self, commit: Commit, made: _Incoming, before: Sequence[Record]) -> None:
        with self._following.lock:
            self._following.settle(before, is_written=True)
            if made.about is not None:
                self._following.about = made.about
            self._following.adopt(commit, made.item.packed, made.record, made.cost)

    def _claimed(self) -> Sequence[Record]:
        """Records of others that a task writes before its own; none while a thread has the lock: loops do not wait."""
        if not self._following.lock.acquire(blocking=False):
            return ()
        try:
            return self._following.claim()
        finally:
            self._following.lock.release()

    def _unsettled(self, before: Sequence[Record]) -> None:
        """Committing has failed, or was cancelled: then it may have happened."""
        if before:
            with self._following.lock:
                self._following.settle(before, is_written=False)


def _used(item: Stored, usage: Any, brought: Any) -> Any:
    """The usage that was given, checked; else the one that a message or a response of the assistant's brings."""
    if usage is not None:
        usage_of(usage)
        return usage
    if item.role == ASSISTANT and (brought is not item.value or item.value.keys() & {"usage_metadata", "usage"}):
        try:
            return usage_of(brought)
        except UsageError:
            return None
    return None


def _size_of(message: Any) -> int:
    """About how many characters a message has; of what isn't seen through, many."""
    content = message.get("content") if isinstance(message, dict) else getattr(message, "content", None)
    if content is None or isinstance(content, str):
        return len(content or "")
    if isinstance(content, list):
        return sum(
            len(block.get("text") or "") if isinstance(block, dict) and set(block) <= {"type", "text"} else LONG
            for block in content
        )
    return LONG + 1
