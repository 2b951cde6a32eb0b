"""backpack: git for an agent's state, inside the process.

>>> from backpack import Backpack
>>> bp = Backpack({"query": "hello"})
>>> commit = bp.pack("answer", "hi", node="writer")
>>> bp.snapshot(1).to_dict()
{'query': 'hello'}
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from backpack.archive.opened import Health
from backpack.archive.opening import Recovery
from backpack.codec import register
from backpack.core.commit import Change, Commit
from backpack.errors import (
    AccessDeniedError,
    BackpackError,
    BudgetExceededError,
    CheckpointExistsError,
    ChunkNotFoundError,
    ClosedError,
    CommitNotFoundError,
    CommitPrunedError,
    ContextOverflowError,
    CorruptionError,
    DiskFullError,
    EntryNotFoundError,
    EntryPrunedError,
    FetchLimitError,
    HiddenKeyError,
    HistoryFullError,
    InvalidArgumentError,
    InvalidKeyError,
    KeyNotFoundError,
    MissingExtraError,
    MissingFileError,
    NotAListError,
    NotTextError,
    QuarantineError,
    ReadOnlyError,
    ReentryError,
    SearchUnavailableError,
    SessionNotFoundError,
    StorageError,
    StoreLockedError,
    StoreNotFoundError,
    UnknownTypeError,
    UnstorableValueError,
    UsageError,
    ValueUnavailableError,
    WrongKeyError,
)
from backpack.store.differences import Diff, DiffEntry
from backpack.store.events import Event, Subscription
from backpack.store.node import Node
from backpack.store.opening import open, rotate_key
from backpack.store.records import Checkpoint, CompactReport, Item, PurgeReport, Unavailable
from backpack.store.snapshot import Snapshot
from backpack.store.store import Backpack
from backpack.store.transaction import Transaction
from backpack.store.usage import MemoryUsage

if TYPE_CHECKING:
    from backpack.archive.recovering import Recovered, recover
    from backpack.archive.verifying import Problem, Verification, verify

__version__ = "0.1.0"

__all__ = [
    "AccessDeniedError",
    "Backpack",
    "BackpackError",
    "BudgetExceededError",
    "Change",
    "Checkpoint",
    "CheckpointExistsError",
    "ChunkNotFoundError",
    "ClosedError",
    "Commit",
    "CommitNotFoundError",
    "CommitPrunedError",
    "CompactReport",
    "ContextOverflowError",
    "CorruptionError",
    "Diff",
    "DiffEntry",
    "DiskFullError",
    "EntryNotFoundError",
    "EntryPrunedError",
    "Event",
    "FetchLimitError",
    "Health",
    "HiddenKeyError",
    "HistoryFullError",
    "InvalidArgumentError",
    "InvalidKeyError",
    "Item",
    "KeyNotFoundError",
    "MemoryUsage",
    "MissingExtraError",
    "MissingFileError",
    "Node",
    "NotAListError",
    "NotTextError",
    "Problem",
    "PurgeReport",
    "QuarantineError",
    "ReadOnlyError",
    "Recovered",
    "Recovery",
    "ReentryError",
    "SearchUnavailableError",
    "SessionNotFoundError",
    "Snapshot",
    "StorageError",
    "StoreLockedError",
    "StoreNotFoundError",
    "Subscription",
    "Transaction",
    "Unavailable",
    "UnknownTypeError",
    "UnstorableValueError",
    "UsageError",
    "ValueUnavailableError",
    "Verification",
    "WrongKeyError",
    "__version__",
    "open",
    "recover",
    "register",
    "rotate_key",
    "verify",
]

_LAZY = {
    "Problem": "backpack.archive.verifying",
    "Recovered": "backpack.archive.recovering",
    "Verification": "backpack.archive.verifying",
    "recover": "backpack.archive.recovering",
    "verify": "backpack.archive.verifying",
}
"""What few programs need: imported when it is asked for. Opening a store is not among it."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        module = _LAZY.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(module), name)
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *_LAZY})
