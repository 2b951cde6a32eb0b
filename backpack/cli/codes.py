"""Exit codes, and which error leads to which."""

from typing import Final

from backpack.errors import (
    BackpackError,
    ChunkNotFoundError,
    CommitNotFoundError,
    CommitPrunedError,
    CorruptionError,
    EntryNotFoundError,
    EntryPrunedError,
    HistoryFullError,
    KeyNotFoundError,
    SessionNotFoundError,
    StorageError,
    StoreLockedError,
    ValueUnavailableError,
)

FINE: Final = 0
FOUND: Final = 1
"""A check found a problem, or what was asked for is not there."""
BAD_INPUT: Final = 2
"""Arguments, a file or a store that can't be worked with; a store that is not there is one."""
STORE_FAILED: Final = 3
"""The store is damaged or locked, or its disk refused."""
INTERRUPTED: Final = 130

_NOT_FOUND: Final = (
    KeyNotFoundError,
    CommitNotFoundError,
    CommitPrunedError,
    ValueUnavailableError,
    EntryNotFoundError,
    EntryPrunedError,
    ChunkNotFoundError,
    SessionNotFoundError,
)
_FAILED: Final = (CorruptionError, StorageError, StoreLockedError, HistoryFullError)


def code_of(error: BackpackError) -> int:
    """The exit code for an error."""
    if isinstance(error, _NOT_FOUND):
        return FOUND
    return STORE_FAILED if isinstance(error, _FAILED) else BAD_INPUT
