"""Which covers a store has: none, or those of its own key, which stands in the manifest under the key of the user.

The user's key opens one secret of the store, and a key that is derived from it wraps the data keys of all files. So
another key of the user means one new manifest, whatever the store holds.
"""

from collections.abc import Iterable

from backpack.archive.manifest import publish_manifest, read_front, read_manifest
from backpack.errors import InvalidArgumentError, WrongKeyError
from backpack.storage.cover import PLAIN, Cover, Covers
from backpack.storage.encryption import Key, KeyedCovers, key_id
from backpack.storage.protocol import Folder

_PURPOSE = b"backpack: the key that wraps the keys of files"


class StoreCovers:
    """Covers under the key of a store."""

    __slots__ = ("_files", "_master")

    def __init__(self, master: KeyedCovers, store_id: bytes) -> None:
        self._master = master
        self._files = KeyedCovers(master.digest((_PURPOSE,)), store_id=store_id)

    def fresh(self, name: bytes) -> Cover:
        """For a new file."""
        return self._files.fresh(name)

    def known(self, name: bytes, header: bytes) -> Cover:
        """For a file that is there."""
        return self._files.known(name, header)

    def digest(self, chunks: Iterable[bytes]) -> bytes:
        """The name of a content, for those who have the key."""
        return self._master.digest(chunks)


def new_covers(store_id: bytes, key: Key | None) -> tuple[Covers, bytes]:
    """`(covers, secret for the manifest)` of a new store."""
    if key is None:
        return PLAIN, b""
    master = KeyedCovers(key, store_id=store_id)
    return StoreCovers(master, store_id), master.sealed_secret


def covers_of(folder: Folder, key: Key | None) -> tuple[Covers, bytes]:
    """Those of a store that is there. `WrongKeyError` without its key or with another one."""
    store_id, secret = read_front(folder)
    if not secret:
        if key is not None:
            raise InvalidArgumentError("the store is not encrypted: open it without key=, or make a new one with it")
        return PLAIN, b""
    if key is None:
        raise WrongKeyError("the store is encrypted: pass key=", key_id="")
    master = KeyedCovers(key, store_id=store_id, sealed_secret=secret)
    return StoreCovers(master, store_id), secret


def rotate(folder: Folder, key: Key, new_key: bytes) -> None:
    """Have the store open with another key from here on. Wants the writer's lock. Cost: one manifest."""
    store_id, secret = read_front(folder)
    covers, _ = covers_of(folder, key)
    if not secret:
        raise InvalidArgumentError("the store is not encrypted: there is no key to change")
    manifest = read_manifest(folder, covers)
    new_id = key_id(new_key)

    def find(wanted: str) -> bytes:
        if wanted in ("", new_id):
            return new_key
        return key(wanted) if callable(key) else key

    manifest.secret = KeyedCovers(find, store_id=store_id, sealed_secret=secret).rewrapped(secret)
    publish_manifest(folder, manifest, covers)
