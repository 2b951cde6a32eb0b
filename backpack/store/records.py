"""Small records that the store hands out: items, checkpoints, what is unavailable."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, BinaryIO, NoReturn

from backpack.codec import pack_value, unpack_value
from backpack.core.commit import Commit
from backpack.errors import ValueUnavailableError

File = str | os.PathLike[str] | BinaryIO
"""A path, or something open for bytes that has `write` or `read`."""

Lines = tuple[int, int]
"""The first and the last line, both included, counted from 1."""


@dataclass(frozen=True, slots=True)
class Item:
    """A value with all that is known about it; `size` is its packed size in bytes.

    `commit` is the one that set the value, as `blame` says it: of a value that was released from quarantine, the one
    that packed it, while `version` counts these changes too. None where that is lost.
    """

    key: str
    version: int
    size: int
    is_large: bool
    commit: Commit | None
    _read: Callable[[], Any] = field(repr=False, compare=False)

    @property
    def value(self) -> Any:
        """A fresh copy of the value."""
        return self._read()

    @property
    def node(self) -> str | None:
        """The node that set it."""
        return None if self.commit is None else self.commit.node

    @property
    def message(self) -> str | None:
        """What its author said."""
        return None if self.commit is None else self.commit.message

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the commit that set it."""
        return () if self.commit is None else self.commit.tags

    @property
    def time(self) -> datetime | None:
        """When it was set."""
        return None if self.commit is None else self.commit.time

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle, and a deep copy, has the packed value in it, and no store."""
        facts = (self.key, self.version, self.size, self.is_large, self.commit)
        return Item, (*facts, detached(self._read))


@dataclass(frozen=True, slots=True)
class Unavailable:
    """In the place of a value whose bytes are not within reach.

    `reason` is "dropped" (a large value that nothing keeps any more), "purged" (erased on purpose) or "damaged" (lost
    before the store was recovered); `commit` set it.
    """

    key: str
    size: int
    reason: str
    commit: Commit | None

    def __bool__(self) -> bool:
        return False


def detached(read: Callable[[], Any]) -> Callable[[], Any]:
    """What gives or raises the same as `read` does now, again and again, and pickles. Cost: packing the value."""
    try:
        value = read()
    except ValueUnavailableError as error:
        return partial(_refuse, error)
    if type(value) is Unavailable:
        return partial(_given, value)
    return partial(unpack_value, pack_value(value))


def _given(value: Unavailable) -> Unavailable:
    return value


def _refuse(error: ValueUnavailableError) -> NoReturn:
    raise error


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A named commit that pruning never takes."""

    name: str
    commit: Commit
    notes: str

    @property
    def seq(self) -> int:
        """The `seq` of its commit."""
        return self.commit.seq

    @property
    def time(self) -> datetime:
        """The time of its commit."""
        return self.commit.time


@dataclass(frozen=True, slots=True)
class PurgeReport:
    """What a purge erased, or would erase: keys, how many of their versions, and the packed bytes of these."""

    keys: tuple[str, ...]
    versions: int
    size: int
    dry_run: bool
    commit: Commit | None
    """The commit that took the present values out of sight; None when there were none."""
    blobs_held: int = 0
    """Blobs of these keys that stay on the disk because live forks read them: purge there, or close them, and purge
    again."""
    freed_bytes: int = 0
    """How much smaller the files of an opened store are since these values were written out of them and blobs went.
    What the erasing wrote down itself, and saved by compressing a log on the way, isn't counted. 0 in memory."""


@dataclass(frozen=True, slots=True)
class CompactReport:
    """What compacting took off the disk, or would take."""

    commits: int
    size: int
    """Bytes that the disk got back."""
    first_seq: int
    """The oldest commit that is whole; checkpoints before it stay too."""
    dry_run: bool
