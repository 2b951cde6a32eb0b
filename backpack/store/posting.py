"""Posting: commits for a store that another process may be writing to, by way of its inbox.

    with open_to_post("run.backpack").letter() as letter:
        letter.put("memory.parts.ab12", part)                             # large, shared: one in memory at a time
        letter.finish({"memory.entries.mem-1": entry}, node="pytest")     # the commit

When the block is over the letter survives a power loss, whoever writes to the store or not: readers see it at once, and
the writer adopts it when it is asked for it, when it flushes or closes, or when the store is opened for writing next.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from backpack.archive.encrypting import covers_of
from backpack.archive.inbox import Draft, Inbox
from backpack.archive.manifest import MANIFEST
from backpack.archive.opening import find_manifest
from backpack.archive.visiting import missing_store
from backpack.codec import pack_checked, pack_value
from backpack.storage.encryption import Key
from backpack.storage.opening import open_folder
from backpack.storage.protocol import Folder
from backpack.store.names import checked_key, made_label, packed_by_key


class Letter:
    """A letter that is being written."""

    __slots__ = ("_draft", "_keys")

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._keys: set[str] = set()

    def __contains__(self, key: str) -> bool:
        """Was a value for it put ahead?"""
        return key in self._keys

    def put(self, key: str, value: Any) -> None:
        """A value that is packed ahead of the others, in a commit of its own, where there is none at that key.

        It is on its way to the disk when this returns. At most 64 MiB packed: `InvalidArgumentError`.
        """
        key = checked_key(key)
        if key not in self._keys:
            self._draft.put(key, pack_value(value))
            self._keys.add(key)

    def finish(
        self,
        values: Mapping[str, Any],
        *,
        added: Mapping[str, Any] | None = None,
        node: str | None = None,
        message: str | None = None,
        tags: Iterable[str] = (),
    ) -> None:
        """The values of the one commit that makes the letter true, and for lists an item each to be added in it.

        A value is packed where there is none at its key. Where all these keys have been there before, the letter is
        taken as adopted: so one of them must be made for it.
        """
        label = made_label(node, message, tags)
        payloads = packed_by_key(values)
        items = {checked_key(key): pack_checked(value, depth=1)[0] for key, value in (added or {}).items()}
        self._draft.finish(payloads, items, label)


class Posting:
    """The inbox of a store, for a process that does not write to the store itself."""

    __slots__ = ("_inbox",)

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    @contextmanager
    def letter(self) -> Iterator[Letter]:
        """A letter to be written in the block, where `finish` has to be called; posted when the block is over.

        An exception in the block, a full disk or a crash leaves no letter. Raises `StorageError`, `DiskFullError`.
        """
        with self._inbox.post(time.time_ns(), os.urandom, time.sleep) as draft:
            yield Letter(draft)


def open_to_post(path: str | os.PathLike[str], *, key: Key | None = None) -> Posting:
    """The inbox of the store in a directory. No lock of the store is needed; a reader or a writer may go on.

    Raises `StoreNotFoundError`, `WrongKeyError`, `CorruptionError` (no manifest of a version that is known here, so
    nobody could say what would become of the letter), `StorageError` (the folder is someone else's).
    """
    return post_in(open_folder(path, create=False, writable=True), key)


def post_in(folder: Folder, key: Key | None = None) -> Posting:
    """The same for a folder of any kind."""
    if not folder.has(MANIFEST):
        raise missing_store(folder)
    covers, _ = covers_of(folder, key)
    manifest = find_manifest(folder, covers)
    return Posting(Inbox(folder, covers, manifest.store_id))
