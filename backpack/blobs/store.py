"""All blobs of a store: one folder, one file a content, named by the digest of what it holds in 64 hex digits.

A blob is written under a temporary name and renamed when it is whole. `put` with `is_durable` returns when file and
folder are synced; without, `sync_all` does that. A sync that fails is never tried again: from then on nothing is put.

What stands under a digest is relied on only when this object knows how it got there. A file that was *found* may be
what a crash left of an unsynced one: so it is held against its checksums before the first use, and written anew when
it doesn't pass. Even when it does, and where it has to be durable, a sync is not enough: when the sync of an earlier
process failed, the page cache shows bytes that no later sync brings to the disk. So its bytes are copied to a new
file, once, and that is synced.

Any number of threads may put, sync and read at a time; `remove` only what nobody puts at that moment.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import count
from threading import Lock
from typing import Final

from backpack.blobs import layout
from backpack.blobs.blob import Blob
from backpack.blobs.frames import FRAME_SIZE, LEVEL_FAST, LEVEL_SMALL, SMALL_SIZE_MAX
from backpack.blobs.writing import BlobWriter
from backpack.errors import CorruptionError, InvalidArgumentError, MissingFileError, StorageError
from backpack.limits import MIB
from backpack.storage.cover import DIGEST_SIZE, Covers
from backpack.storage.protocol import File, Folder

_NAME: Final = re.compile(rf"[0-9a-f]{{{2 * DIGEST_SIZE}}}")
_TEMPORARY: Final = ".tmp"
_COPY_SIZE: Final = MIB


class Blobs:
    """The blobs in one folder."""

    __slots__ = (
        "_changes",
        "_covers",
        "_folder",
        "_found",
        "_frame_size",
        "_has_removed",
        "_is_failed",
        "_lock",
        "_numbers",
        "_settled",
        "_sizes",
        "_unsynced",
    )

    def __init__(self, folder: Folder, covers: Covers, *, frame_size: int = FRAME_SIZE) -> None:
        self._folder = folder
        self._covers = covers
        self._frame_size = frame_size
        self._numbers = count()
        self._is_failed = False
        self._has_removed = False
        """Was a blob removed since the folder was synced?"""
        self._lock = Lock()
        self._settled: set[bytes] = set()
        """Whole and synced, as this object knows."""
        self._unsynced: set[bytes] = set()
        """Written here and not synced."""
        self._found: set[bytes] = set()
        """Were there before, and whole."""
        self._sizes: dict[bytes, int] | None = None
        self._changes = 0
        """How many blobs were put or removed here."""

    def __repr__(self) -> str:
        return f"<Blobs in {self._folder.path!r}>"

    # -- writing ---------------------------------------------------------------------------------------------------

    def put(self, chunks: Iterable[bytes], *, is_durable: bool) -> tuple[bytes, int]:
        """Write a content as it comes; its digest and its size. Memory: a frame or two.

        `DiskFullError` and any other error leave no trace. A content that is there already costs the writing: its
        digest is known at the end.
        """
        writer: BlobWriter | None = None

        def write(file: File) -> bytes:
            nonlocal writer
            writer = BlobWriter(file, self._covers.fresh(layout.COVER_NAME), self._frame_size)
            digest = self._covers.digest(writer.written(chunks))
            writer.finish(digest)
            return digest

        digest = self._publish(write, is_durable=is_durable)
        assert writer is not None
        return digest, writer.size

    def put_bytes(self, payload: bytes, *, is_durable: bool) -> bytes:
        """Make sure that there is a blob with these bytes; its digest. Cost when it is there: the digest."""
        digest = self._covers.digest((payload,))
        if self._is_there(digest):
            self._refuse_failed()
            if is_durable:
                self._settle(digest)
            return digest

        def write(file: File) -> bytes:
            level = LEVEL_SMALL if len(payload) <= SMALL_SIZE_MAX else LEVEL_FAST
            writer = BlobWriter(file, self._covers.fresh(layout.COVER_NAME), self._frame_size, level)
            writer.write(payload)
            writer.finish(digest)
            return digest

        return self._publish(write, is_durable=is_durable)

    def renew(self, digest: bytes) -> None:
        """Copy the file of a blob and sync it: after a crash what can be read may not be on the disk. One that is
        removed meanwhile stays away. `CorruptionError`, and nothing changed, when it isn't there or isn't whole."""

        def write(file: File) -> bytes:
            with self.open(digest) as blob:
                blob.check_stored()
            source = self._opened(digest)
            try:
                for start in range(0, source.size(), _COPY_SIZE):
                    file.append(source.pread(_COPY_SIZE, start))
            finally:
                source.close()
            return digest

        self._publish(write, is_durable=True, is_copy=True)

    @property
    def is_synced(self) -> bool:
        """Does everything that was put, found when it was put, or removed survive a power loss?"""
        return not (self._unsynced or self._found or self._has_removed)

    def sync_all(self) -> None:
        """Everything that was put, found or removed survives a power loss when this returns."""
        self._refuse_failed()
        with self._lock:
            found, unsynced = sorted(self._found), sorted(self._unsynced)
            has_removed, self._has_removed = self._has_removed, False  # what is removed from here on waits
        try:
            for waiting, act in ((found, self.renew), (unsynced, self._sync_file)):
                for digest in waiting:
                    try:
                        act(digest)
                    except (CorruptionError, MissingFileError):
                        if self._is_known(digest):
                            raise  # else it was removed meanwhile
            self._sync(self._folder)
        except BaseException:
            with self._lock:
                self._has_removed |= has_removed
            raise
        self._mark_settled(unsynced)

    def remove(self, digest: bytes) -> None:
        """Take a blob away, for good once the folder is synced; one that is missing is fine."""
        name = _name(digest)
        with self._lock:
            self._folder.remove(name)
            self._has_removed = True
            self._changes += 1
            for known in (self._settled, self._unsynced, self._found):
                known.discard(digest)
            if self._sizes is not None:
                self._sizes.pop(digest, None)

    def sweep_temporary(self) -> int:
        """Take away what a crash left half written; how many files. Only while nobody puts."""
        names = [name for name in self._folder.names() if name.endswith(_TEMPORARY)]
        for name in names:
            self._folder.remove(name)
        return len(names)

    # -- reading ---------------------------------------------------------------------------------------------------

    def open(self, digest: bytes) -> Blob:
        """A blob to read from; close it, or let go of it. `CorruptionError` when it is missing or damaged."""
        file = self._opened(digest)
        try:
            return Blob(file, digest, self._covers)
        except BaseException:
            file.close()
            raise

    def is_whole(self, digest: bytes) -> bool:
        """Is there a blob of that digest, with the right checksums? It is read once, and copied when `sync_all` is
        called next: after a crash what can be read may not be on the disk."""
        return self._is_there(digest)

    def has(self, digest: bytes) -> bool:
        """Is there a file of that name? It may be damaged."""
        return self._folder.has(_name(digest))

    def digests(self) -> Iterator[bytes]:
        """The digests of all blobs, in order. What else there is in the folder is none."""
        for name in self._folder.names():
            if _NAME.fullmatch(name):
                yield bytes.fromhex(name)

    def size_of(self, digest: bytes) -> int:
        """Bytes that a blob takes on the disk; `CorruptionError` when it is missing."""
        file = self._opened(digest)
        try:
            return file.size()
        finally:
            file.close()

    @property
    def total_size(self) -> int:
        """Bytes that all blobs take on the disk: of those that were there when this was first asked, and of what was
        put and removed here. The first time costs a look at each file, after that it is an addition a blob."""
        while True:
            with self._lock:
                if self._sizes is not None:
                    return sum(self._sizes.values())
                changes = self._changes
            sizes = {}
            for digest in self.digests():
                with suppress(CorruptionError):  # removed at this moment
                    sizes[digest] = self.size_of(digest)
            with self._lock:
                if self._sizes is None and self._changes == changes:  # else some may have been missed
                    self._sizes = sizes

    def _opened(self, digest: bytes) -> File:
        name = _name(digest)
        try:
            return self._folder.open(name)
        except MissingFileError as error:
            file = error.file
        raise CorruptionError(f"a blob is missing: {file=}", file=file, offset=0)

    # -- what is relied on -----------------------------------------------------------------------------------------

    def _publish(self, write: Callable[[File], bytes], *, is_durable: bool, is_copy: bool = False) -> bytes:
        """Have a file written under a temporary name, and give it the name that its digest makes."""
        self._refuse_failed()
        temporary = f"{next(self._numbers)}{_TEMPORARY}"
        self._folder.remove(temporary)
        file = self._folder.create(temporary)
        try:
            try:
                digest = write(file)
                is_needed = is_copy or self._is_wanted(digest, is_durable=is_durable)
                if is_needed and is_durable:
                    self._sync(file)
                size = file.size()
            finally:
                file.close()
            with self._lock:
                if is_copy:
                    is_needed = self._folder.has(_name(digest))  # not removed meanwhile
                elif digest in self._settled or digest in self._unsynced:
                    is_needed = False  # another thread was first
                if is_needed:
                    self._folder.rename(temporary, _name(digest))
                    self._found.discard(digest)
                    self._unsynced.add(digest)
                    self._changes += 1
                    if self._sizes is not None:
                        self._sizes[digest] = size
            if not is_needed:
                self._folder.remove(temporary)
        except BaseException:
            with suppress(StorageError):  # the first error is the one to tell; `sweep_temporary` takes the file away
                self._folder.remove(temporary)
            raise
        if is_needed and is_durable:
            self._sync(self._folder)
            self._mark_settled((digest,))
        elif is_durable and not is_copy:
            self._settle(digest)
        return digest

    def _is_wanted(self, digest: bytes, *, is_durable: bool) -> bool:
        """Shall a new file take the place of whatever has that digest? One that is found may be what acknowledged
        commits refer to: a file that isn't synced never takes its place, unless it is damaged."""
        with self._lock:
            if digest in self._settled or digest in self._unsynced:
                return False
        return is_durable or not self._is_there(digest)

    def _is_known(self, digest: bytes) -> bool:
        with self._lock:
            return digest in self._settled or digest in self._unsynced or digest in self._found

    def _is_there(self, digest: bytes) -> bool:
        """Is there a whole blob of that content? One that is found is read once."""
        if self._is_known(digest):
            return True
        if not self._folder.has(_name(digest)):
            return False
        try:
            with self.open(digest) as blob:
                blob.check_stored()
        except CorruptionError:
            return False  # the rest of a crash: whoever asks has the bytes, and writes them again
        with self._lock:
            if digest not in self._settled and digest not in self._unsynced:
                self._found.add(digest)
        return True

    def _settle(self, digest: bytes) -> None:
        """Make sure that a blob which is known survives a power loss."""
        with self._lock:
            if digest in self._settled:
                return
            is_found = digest in self._found
        if is_found:
            self.renew(digest)
        else:
            self._sync_file(digest)
            self._sync(self._folder)
            self._mark_settled((digest,))

    def _mark_settled(self, digests: Iterable[bytes]) -> None:
        """They are synced; those that were removed meanwhile are not there."""
        with self._lock:
            synced = self._unsynced.intersection(digests)
            self._settled |= synced
            self._unsynced -= synced

    def _sync_file(self, digest: bytes) -> None:
        file = self._folder.reopen(_name(digest))
        try:
            self._sync(file)
        finally:
            file.close()

    def _sync(self, target: File | Folder) -> None:
        try:
            target.sync()
        except StorageError:
            self._is_failed = True
            raise

    def _refuse_failed(self) -> None:
        if self._is_failed:
            raise StorageError(
                f"a sync of the blobs has failed before; reopen the store: file={self._folder.path!r}",
                file=self._folder.path,
            )


def _name(digest: bytes) -> str:
    if type(digest) is not bytes or len(digest) != DIGEST_SIZE:
        raise InvalidArgumentError(f"a digest has {DIGEST_SIZE} bytes")
    return digest.hex()
