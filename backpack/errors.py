"""Every error that the package raises, grouped by what a handler would do.

    BackpackError
      ask differently    KeyNotFoundError, CommitNotFoundError, CommitPrunedError, ValueUnavailableError,
                         EntryNotFoundError, EntryPrunedError, ChunkNotFoundError, FetchLimitError, SessionNotFoundError
      mend the call      InvalidKeyError, InvalidArgumentError, UnstorableValueError, NotAListError,
                         NotTextError, CheckpointExistsError, QuarantineError, UsageError, ReadOnlyError,
                         ReentryError, ClosedError
      ask for rights     AccessDeniedError, HiddenKeyError
      make room          HistoryFullError, DiskFullError, BudgetExceededError, ContextOverflowError
      mend the store     UnknownTypeError, WrongKeyError, CorruptionError, StorageError, MissingFileError,
                         StoreLockedError, StoreNotFoundError
      mend the machine   SearchUnavailableError, MissingExtraError

Each also derives from the builtin that people already catch. Facts are attributes (`error.key`), given by
keyword at the raise; errors pickle; no error ever carries a value of the user's.
"""

from decimal import Decimal
from typing import Any


class BackpackError(Exception):
    """The root: whatever this package raises on purpose."""

    def __init__(self, message: str = "", **facts: Any) -> None:
        super().__init__(message)
        self._message = message
        self._facts = facts
        for name, fact in facts.items():
            setattr(self, name, fact)

    def __str__(self) -> str:
        return self._message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self._message, self._facts)


def _rebuild(cls: type[BackpackError], message: str, facts: dict[str, Any]) -> BackpackError:
    return cls(message, **facts)


# -- ask differently ---------------------------------------------------------------------------------------


class KeyNotFoundError(BackpackError, KeyError):
    """No value is visible under that key. Facts: `key`."""

    key: str


class CommitNotFoundError(BackpackError, LookupError):
    """Nothing was ever known under that address, or it is ambiguous. Facts: `at`."""

    at: Any


class CommitPrunedError(BackpackError, LookupError):
    """The commit was known once and has left for good. Facts: `at`, `oldest` (a `seq` that can still be read)."""

    at: Any
    oldest: int


class ValueUnavailableError(BackpackError, LookupError):
    """The commit is known, the bytes of this value are not within reach. Facts: `key`, `size`, `reason`, `commit`."""

    key: str
    size: int
    reason: str
    commit: Any


class EntryNotFoundError(BackpackError, KeyError):
    """No entry of the memory has that id. Facts: `id`."""

    id: str


class EntryPrunedError(BackpackError, LookupError):
    """The entry was there, and pruning took its content. Facts: `id`, `title`, `when` (an aware datetime)."""

    id: str
    title: str
    when: Any


class ChunkNotFoundError(BackpackError, IndexError):
    """The entry has no chunk of that number. Facts: `id`, `chunk`, `count` (the chunks are 0 to count - 1)."""

    id: str
    chunk: int
    count: int


class FetchLimitError(BackpackError, ValueError):
    """What would be returned is more than a fetch may give. Facts: `unit` ("lines" or "bytes"), `size`, `limit`."""

    unit: str
    size: int
    limit: int


class SessionNotFoundError(BackpackError, LookupError):
    """No session has that id, or the beginning of it is that of several. Facts: `id`."""

    id: str


# -- mend the call -----------------------------------------------------------------------------------------


class InvalidArgumentError(BackpackError, ValueError):
    """An argument that means nothing here: a limit, a mode, a name, a pattern, a naive datetime."""


class InvalidKeyError(InvalidArgumentError):
    """A key that is not a non-empty str of at most 1,024 bytes of UTF-8. Facts: `key`, its first 100 characters; None
    where it is no str."""

    key: str | None


class UnstorableValueError(BackpackError, TypeError):
    """A value that cannot become bytes. Facts: `path`, where inside the value it stands, and `key`, what it was to be
    packed under; None where it was under none, as by `register`."""

    key: str | None = None
    path: str


class NotAListError(InvalidArgumentError, TypeError):
    """Only to a list can be appended. Facts: `key`."""

    key: str


class NotTextError(InvalidArgumentError, TypeError):
    """Only text has lines, only text and bytes have slices of bytes. Facts: `kind`, what the value is."""

    kind: str


class CheckpointExistsError(InvalidArgumentError):
    """The name is taken. Facts: `name`."""

    name: str


class QuarantineError(InvalidArgumentError):
    """The key is not in the state that quarantine or release asks for. Facts: `key`."""

    key: str


class UsageError(InvalidArgumentError):
    """What a model is said to have used can't be. Facts: `field`, which of its numbers is wrong or missing."""

    field: str


class ReadOnlyError(BackpackError, PermissionError):
    """A write to something that is open for reading only."""


class ReentryError(BackpackError, RuntimeError):
    """A change was asked for in the middle of another one in the same thread: by a signal handler or a `__del__`."""


class ClosedError(BackpackError, ValueError):
    """The store or the transaction is closed."""


# -- ask for rights ----------------------------------------------------------------------------------------


class AccessDeniedError(BackpackError, PermissionError):
    """The node may not do this to that key. Facts: `node`, `key`, `operation`."""

    node: str
    key: str
    operation: str


class HiddenKeyError(AccessDeniedError, KeyNotFoundError):
    """For the node there is no such key: in a snapshot or a diff, where what it may not read is absent. Says the same
    whether or not the key exists. Facts: those of `AccessDeniedError`."""


# -- make room ---------------------------------------------------------------------------------------------


class HistoryFullError(BackpackError, MemoryError):
    """`hard_limit` is set and nothing prunable makes room; nothing was changed. Facts: `size`, `limit`."""

    size: int
    limit: int


class BudgetExceededError(BackpackError, RuntimeError):
    """The call would cost more than the budget has left, so it may not be made. Facts: `spent`, `estimate`, `limit`."""

    spent: Decimal
    estimate: Decimal
    limit: Decimal


class ContextOverflowError(BackpackError, ValueError):
    """What has to be sent as it stands is more than the limit. Facts: `what`, `tokens`, `limit` (both in tokens)."""

    what: str
    tokens: int
    limit: int


# -- mend the store ----------------------------------------------------------------------------------------


class StorageError(BackpackError, OSError):
    """The disk refused; only reopening recovers. Facts: `errno` and `file`, None where the system named none."""


class MissingFileError(StorageError, FileNotFoundError):
    """A file that the store needs is not there. Facts: `file`."""

    file: str


class DiskFullError(StorageError):
    """No space left; nothing is lost, and the store works again when there is space."""


class StoreLockedError(BackpackError, BlockingIOError):
    """Another writer holds the store. Facts: `path` of the store; `pid`, 0 where it can't be known."""

    path: str
    pid: int


class StoreNotFoundError(BackpackError, FileNotFoundError):
    """There is no store at that path."""


class CorruptionError(BackpackError, ValueError):
    """Bytes are not what was written. Facts: `file` and `offset` where a file is meant."""


class UnknownTypeError(CorruptionError):
    """Stored bytes name an extension or a class that is not registered here. Facts: `name`."""

    name: str


class WrongKeyError(CorruptionError):
    """Bytes are encrypted with a key that was not given. Facts: `key_id`."""

    key_id: str


# -- mend the machine --------------------------------------------------------------------------------------


class SearchUnavailableError(BackpackError, NotImplementedError):
    """This Python has no SQLite with FTS5. Nothing but search needs it."""


class MissingExtraError(BackpackError, ImportError):
    """An optional package is not installed. Facts: `extra`, which extra of this package brings it."""

    extra: str
