"""Logging into a store that another process may be writing to."""

import os
from collections.abc import Iterable
from typing import Any

from backpack.memory.entry import Entry
from backpack.memory.memory import Memory
from backpack.memory.post_sink import PostSink
from backpack.memory.tokens import CountTokens, estimate_tokens
from backpack.storage.encryption import Key
from backpack.store.opening import open as open_store
from backpack.store.posting import open_to_post


def log_beside(
    path: str | os.PathLike[str],
    content: Any,
    *,
    key: Key | None = None,
    namespace: str = "memory",
    count_tokens: CountTokens = estimate_tokens,
    type: str = "output",
    tags: Iterable[str] = (),
    title: str | None = None,
    summary: str | None = None,
    checkpoint: str | None = None,
    directory: str | os.PathLike[str] | None = None,
    subtype: str | None = None,
    mime: str | None = None,
) -> Entry:
    """As `Memory.log`, into the inbox of the store in a directory, which needs no lock and no writer.

    When it returns the entry survives a power loss. Readers see it at once; the writer adopts it when a memory of his
    is asked for something, when he flushes or closes, or when the store is opened for writing next. Memory: as for
    `log`, a file of any size needs a few parts of it.

    Raises what `log` raises, and `StoreNotFoundError`, `WrongKeyError`, `CorruptionError`, `StorageError`.
    """
    posting = open_to_post(path, key=key)
    with open_store(path, "r", key=key) as bp:
        memory = Memory(bp, namespace=namespace, count_tokens=count_tokens)
        with posting.letter() as letter:
            memory.sink = PostSink(letter)
            return memory.log(
                content,
                type=type,
                tags=tags,
                title=title,
                summary=summary,
                checkpoint=checkpoint,
                directory=directory,
                subtype=subtype,
                mime=mime,
            )
