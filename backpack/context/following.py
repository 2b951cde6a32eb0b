"""What a conversation knows of its store, and how it follows what happens there.

It is read once and then kept up: what is added here is adopted in the order of the versions that the store gave it.
When the store says another version than was expected (somebody appended, restored, packed), it is read anew. Asking
costs three looks at a version.

The account of calls is the sum of what stands beside the messages; so it is the same in every process, whoever has
added what, and after a restore it is the account of then.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from logging import getLogger
from threading import RLock
from typing import Any, Final

from backpack.codec import unpack_value
from backpack.context.cost import Cost
from backpack.context.loading import Loaded
from backpack.context.present import Present
from backpack.context.record import Compression, Record, Spent, check_of
from backpack.context.storable import role_of
from backpack.context.storing import Storage, Versions
from backpack.context.totals import Key, Row, add_to
from backpack.context.tracker import TokenTracker
from backpack.core.commit import Commit
from backpack.errors import StorageError
from backpack.store.events import Event

_CALL: Final = "call"
_COMPRESSION: Final = "compression"
_PENDING_MAX: Final = 32
"""Messages of ours that wait for one of others to be read; so many adds are rarely under way at once."""

_logger: Final = getLogger("backpack.context")


class Following:
    """The present of one conversation. `tell` wants the lock free, `is_at_hand` doesn't care, all else wants it."""

    def __init__(self, storage: Storage, tracker: TokenTracker, *, is_sorting: bool) -> None:
        self.lock = RLock()
        self.storage = storage
        self.tracker = tracker
        self.present = Present(is_sorting=is_sorting)
        self.log: list[Compression] = []
        self.about: dict[str, Any] = {}
        self.estimated_calls = 0
        self.unseen = 0
        """Tokens that the last call counted beyond what was expected."""
        self.fault: str | None = None
        """What of the store couldn't be believed when it was read, and was left out."""
        self.error: str | None = None
        """What went wrong last without losing anything."""
        self.generation = 0
        """How often it was read anew."""
        self._is_sorting = is_sorting
        self._versions: Versions | None = None
        self._is_doubted = False
        self._unwritten: list[Record] = []
        """Of messages at the end that others have appended."""
        self._is_claimed = False
        """Is somebody about to write them?"""
        self._pending: dict[int, tuple[bytes, Record, Cost | None]] = {}

    @property
    def is_current(self) -> bool:
        """Is everything as it was when it was looked at last? O(1), reads nothing."""
        return self._versions is not None and not self._is_doubted and self.storage.versions() == self._versions

    @property
    def is_at_hand(self) -> bool:
        """Does asking take no waiting and no reading, so that a task may do it in the thread of its loop?"""
        if not self.lock.acquire(blocking=False):
            return False
        try:
            return self.is_current
        finally:
            self.lock.release()

    @property
    def is_behind(self) -> bool:
        """Does it know too little to count what is added?"""
        return self._versions is None or len(self._pending) > _PENDING_MAX

    def keep_up(self) -> None:
        """Know what the store says now."""
        if not self.is_current:
            self._versions = None
            self._is_doubted = False
            self._take(*self.storage.load(self._counted, is_sorting=self._is_sorting))

    def claim(self) -> list[Record]:
        """Records of messages of others that the next commit writes. Nobody else gets them, until `settle` is told."""
        found, self._unwritten = self._unwritten, []
        self._is_claimed = self._is_claimed or bool(found)
        return found

    def settle(self, claimed: Sequence[Record], *, is_written: bool) -> None:
        """What was claimed is written; or nobody knows, and reading will say what is missing."""
        if claimed:
            self._is_claimed = False
            if not is_written:
                self._versions = None

    def adopt(self, commit: Commit, packed: bytes, record: Record, cost: Cost | None) -> None:
        """A message was committed here, and this is what its call cost."""
        version = commit.changes[self.storage.keys.messages].version
        versions = self._versions
        if versions is not None and version <= versions.messages:
            return  # it was read meanwhile
        self._pending[version] = (packed, record, cost)
        if versions is None:
            return
        self._versions = None  # whoever is interrupted has it read anew, and so has a budget whose warning is an error
        while versions.messages + 1 in self._pending:
            versions = replace(versions, messages=versions.messages + 1)
            packed, record, cost = self._pending.pop(versions.messages)
            self.present.add(packed, record)
            if record.spent is not None:
                self.estimated_calls += record.spent.is_estimated
                self._look_at(record.spent)
            if cost is not None:
                self.tracker.record_cost(cost, is_kept=True)
        self._versions = versions

    def adopt_compression(
        self,
        commit: Commit,
        compression: Compression,
        paid: Cost | None,
        generation: int,
        show: Callable[[], None],
    ) -> None:
        """A compression was committed here, asking for it took that, and `show` does what it changes in `present`.

        Nothing of it is done where all was read anew since that generation: then it is read again.
        """
        versions, self._versions = self._versions, None  # whoever is interrupted has it read anew
        if self.generation != generation:
            return
        self.log.append(compression)
        show()
        if paid is not None:
            self.tracker.record_cost(paid, purpose=_COMPRESSION, is_kept=True)
        for name in ("present", "replaced"):
            change = commit.changes.get(getattr(self.storage.keys, name))
            if change is not None and versions is not None:
                is_next = change.version == getattr(versions, name) + 1
                versions = replace(versions, **{name: change.version}) if is_next else None
        self._versions = versions

    def commit(
        self,
        commit: Callable[[], Commit],
        compression: Compression,
        paid: Cost | None,
        generation: int,
        show: Callable[[], None],
    ) -> None:
        """Commit a compression and adopt it. Wants that the lock isn't held.

        What was paid for it counts here where it can't be committed.
        """
        try:
            made = commit()
            with self.lock:
                self.adopt_compression(made, compression, paid, generation, show)
        except BaseException as error:
            self.forget()
            if paid is not None and isinstance(error, StorageError):
                self.tracker.record_cost(paid, purpose=_COMPRESSION)
            raise

    def forget(self) -> None:
        """Have it read anew: nobody knows whether something was committed. Wants no lock."""
        self._is_doubted = True

    def originals(self, places: Iterable[int]) -> dict[int, bytes]:
        """The packed messages of these places, as they were added. Those that stand in the store alone are left out
        when it has other messages by now."""
        parts = {part.place: part for part in self.present.parts()}
        wanted = list(places)
        found = {place: parts[place].packed for place in wanted if place in parts and not parts[place].is_short}
        missing = [place for place in wanted if place not in found]
        if missing:
            found.update(self.storage.read(missing, self.present.sizes, self.present.digest))
        return found

    def tell(self, error: str, cause: BaseException | None = None) -> None:
        """Something went wrong, nothing is lost by it, and it has to be seen."""
        self.error = error
        _logger.warning("compressing a conversation: %s", error, exc_info=cause)
        self.storage.bp._events.publish(Event("error", (self.storage.keys.messages,), detail=error))

    def _take(self, versions: Versions, loaded: Loaded) -> None:
        self.generation += 1
        self.present, self.log, self.about = loaded.present, loaded.log, loaded.about
        self._unwritten = [] if self._is_claimed else loaded.unwritten
        if loaded.fault is not None and loaded.fault != self.fault:
            _logger.warning("reading a conversation: %s", loaded.fault)
        self.fault = loaded.fault
        self._pending = {version: added for version, added in self._pending.items() if version > versions.messages}
        self.estimated_calls = sum(spent.is_estimated for spent in loaded.spent)
        self.unseen = 0
        for spent in loaded.spent:
            self._look_at(spent)
        self.tracker.resume(_rows(loaded.spent, loaded.log, self.tracker.model))
        self._versions = versions

    def _look_at(self, spent: Spent) -> None:
        if not spent.is_estimated:
            self.unseen = max(0, spent.usage.input - spent.expected)

    def _counted(self, packed: bytes) -> Record:
        """The record of a message that somebody else has appended."""
        value = unpack_value(packed)
        return Record(self.tracker.count_message(value), len(packed), check_of(packed), role_of(value))


def _rows(calls: list[Spent], log: list[Compression], model: str) -> dict[Key, Row]:
    """What calls took, added up by purpose and model, as a tracker has it."""
    sums: dict[Key, Row] = {}
    for spent in calls:
        usage = spent.usage
        counts = (1, usage.input, usage.output, usage.cached, usage.cache_written, usage.reasoning)
        add_to(sums, (_CALL, spent.model), (*counts, spent.picodollars, int(spent.is_default_price)))
    for one in log:
        if one.input_tokens or one.output_tokens:
            row = (1, one.input_tokens, one.output_tokens, 0, 0, 0, one.picodollars, int(one.is_default_price))
            add_to(sums, (_COMPRESSION, one.model or model), row)
    return sums
