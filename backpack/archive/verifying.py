"""Reading all of a store and telling whatever is wrong with it, without changing a byte.

Every piece of every segment, every frame of the logs, every blob with its digest, the manifest and the mark of a clean
close; then whether they agree: each value is cut from bytes that are there. It works beside a writer: what a writer
replaced meanwhile is looked at again by the manifest that it has published. Cost: reading and decompressing the store
once; where something is wrong, once more, to tell what it hits. Memory: a few numbers a key and a blob.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from time import sleep
from typing import Final

from backpack.archive.broken import place_of, reason_of
from backpack.archive.cache import Cache
from backpack.archive.content import BLOB, OWN, Change, SourceId
from backpack.archive.derived import is_derived
from backpack.archive.encrypting import covers_of
from backpack.archive.files import READERS
from backpack.archive.inbox import INBOX, Inbox
from backpack.archive.losing import Losses, blob_fault, left_of
from backpack.archive.manifest import CLEAN, MANIFEST, Manifest, read_clean, read_manifest
from backpack.archive.opened import ASIDE, RESERVE
from backpack.archive.opening import BLOBS, LOCK
from backpack.archive.recovery import Damage, planned
from backpack.archive.salvaging import open_listed, salvaged
from backpack.archive.scanning import Log
from backpack.archive.segment import Segment
from backpack.archive.visiting import (
    TRIES,
    Before,
    NoLock,
    blobs_to_read,
    has_lost_manifest,
    lock_to_read,
    missing_store,
    read_logs,
)
from backpack.blobs.store import Blobs
from backpack.errors import CorruptionError, MissingFileError, StorageError, WrongKeyError
from backpack.storage.cover import Covers
from backpack.storage.encryption import Key
from backpack.storage.memory import MemoryFolder
from backpack.storage.opening import open_folder
from backpack.storage.protocol import Folder, Lock

KEYS_MAX: Final = 100
"""Keys that one problem names."""

_SAME_MAX: Final = 3

Progress = Callable[[int, int], None]
"""Is told `(bytes read, bytes there are)` now and then."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not what was written.

    Where and what: `file`, `offset`, `reason`. What it hits, as far as that is known: `commits`, `keys`.
    """

    file: str
    """From the folder of the store."""
    offset: int
    reason: str
    commits: tuple[int, int] | None
    """The first and the last commit that it hits, as far as that is known."""
    keys: tuple[str, ...]
    """Keys of values that it hits, as far as they are known; at most 100."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What is wrong with a store, and how much of it was read.

    `ok` (True when nothing is wrong), `problems` (a `Problem` each) and `notes` (what is no problem); `files`, `size`
    (their bytes), `commits` and `blobs` that were read.
    """

    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    """What is no problem, and worth knowing: files that nothing refers to, an end that the next opening cuts off."""
    files: int
    size: int
    """Bytes of them."""
    commits: int
    blobs: int

    @property
    def ok(self) -> bool:
        """Is everything what was written?"""
        return not self.problems


def verify(path: str | os.PathLike[str], key: Key | None = None, *, progress: Progress | None = None) -> Verification:
    """Read all of the store in a directory and tell what is wrong with it. No file is changed; a writer may go on.

    `key` is that of an encrypted store; `progress` is called with the bytes that were read and those there are.
    Raises `StoreNotFoundError`, `WrongKeyError`, `StorageError` when the folder can't be read; never for damage.
    """
    return verified(open_folder(path, create=False, writable=False, allow_network=True), key, progress)


def verified(folder: Folder, key: Key | None = None, progress: Progress | None = None) -> Verification:
    """The same of a store in a folder of any kind."""
    if not folder.has(MANIFEST) and not has_lost_manifest(folder):
        raise missing_store(folder)
    try:
        lock: Lock = lock_to_read(folder, sleep)
    except StorageError:  # it is told with the other files
        lock = NoLock()
    try:
        verifier = _Verifier(folder, progress)
        verifier.run(key)
        return verifier.result()
    finally:
        lock.release()


class _Verifier:
    """One look at everything."""

    def __init__(self, folder: Folder, progress: Progress | None) -> None:
        self._folder = folder
        self._progress = progress
        self._sizes = _sizes_in(folder, "")
        self._done: dict[str, int] = {}
        """The files that were read, and their sizes."""
        self._faults: dict[str, list[CorruptionError | StorageError]] = {}
        """By file."""
        self._notes: list[str] = []
        self._cache = Cache()
        self._segments: dict[str, Segment] = {}
        self._logs: dict[str, Log] = {}
        self._cut: dict[str, int] = {}
        """By log: from where on the next opening for writing cuts it off."""
        self._needed: dict[str, dict[SourceId, int]] = {}
        """By file: the sources elsewhere that its values are cut from, and up to where."""
        self._blobs_of: dict[str, set[bytes]] = {}
        self._unread: set[str] = set()
        """The files whose values are not all known."""
        self._commits: dict[str, int] = {}
        self._blob_count = 0
        self._hits: dict[tuple[str, int], tuple[set[int], set[str]]] = {}

    def run(self, key: Key | None) -> None:
        """Look at everything."""
        self._look_at_store(key)
        self._check_kinds()

    def _look_at_store(self, key: Key | None) -> None:
        try:
            covers, _ = covers_of(self._folder, key)
            manifest = read_manifest(self._folder, covers)
        except WrongKeyError:
            raise
        except (CorruptionError, StorageError) as error:
            self._fault(MANIFEST, error)
            self._notes.append("without its manifest nothing else of the store can be judged")
            return
        for _ in range(TRIES):
            self._look_at_listed(covers, manifest)
            before, manifest = manifest.generation, read_manifest(self._folder, covers)
            if manifest.generation == before:
                break
        self._read(MANIFEST)
        try:
            blobs = blobs_to_read(self._folder, covers)
        except StorageError as error:  # it is no folder: there are none
            self._fault(BLOBS, error)
            blobs = Blobs(MemoryFolder().folder(BLOBS), covers)
        self._check_needed(manifest)
        self._check_blobs(blobs)
        self._check_letters(Inbox(self._folder, covers, manifest.store_id))
        self._look_at_rest(manifest)
        if self._faults:
            self._find_hits(covers, manifest, blobs)

    def result(self) -> Verification:
        """What was found."""
        problems = []
        for file, faults in self._faults.items():
            for fault in faults:
                offset = place_of(fault)[1]
                seqs, keys = self._hits.get((file, offset), (set[int](), set[str]()))
                span = (min(seqs), max(seqs)) if seqs else None
                problems.append(Problem(file, offset, reason_of(fault), span, tuple(sorted(keys)[:KEYS_MAX])))
        return Verification(
            tuple(problems),
            tuple(self._notes),
            len(self._done),
            sum(self._done.values()),
            sum(self._commits.values()),
            self._blob_count,
        )

    # -- segments and logs ---------------------------------------------------------------------------------------

    def _look_at_listed(self, covers: Covers, manifest: Manifest) -> None:
        """Segments that were not looked at yet, and the logs; forget those that are no more."""
        listed = {info.name for info in manifest.segments}
        for table in (self._faults, self._segments, self._logs, self._needed, self._blobs_of, self._commits):
            for name in [name for name in table if name not in listed]:
                del table[name]
        for info in manifest.segments:
            if info.name in self._segments or info.name in self._faults:
                continue
            try:
                segment = open_listed(self._folder, covers, self._cache, manifest, info)
            except (CorruptionError, StorageError) as error:
                self._fault(info.name, error)
                self._unread.add(info.name)
                continue
            self._segments[info.name] = segment
            self._commits[info.name] = segment.commit_count
            for fault in segment.check():
                self._fault(info.name, fault)
            try:
                self._take(info.name, segment.rows(), segment.origins)
            except (CorruptionError, StorageError) as error:
                self._fault(info.name, error)
                self._unread.add(info.name)
            self._read(info.name)
        self._look_at_logs(covers, manifest)

    def _look_at_logs(self, covers: Covers, manifest: Manifest) -> None:
        self._cut.clear()
        seen, count = "", 0
        while count < _SAME_MAX:
            try:
                logs, faults, torn = read_logs(self._folder, covers, manifest, Before())
                plan = planned(manifest, logs, faults, torn, read_clean(self._folder), self._folder.boot)
            except (CorruptionError, StorageError) as error:
                fault: CorruptionError | StorageError | None = error
            else:
                fault = plan.error if isinstance(plan, Damage) else None
            if fault is None:
                break
            if read_manifest(self._folder, covers).generation != manifest.generation:
                return  # whatever it was: all of it is looked at again
            count = count + 1 if str(fault) == seen else 1
            seen = str(fault)
        if fault is not None:
            name = place_of(fault)[0] or MANIFEST
            self._fault(name, fault)
            self._unread.add(name)
            salvage = salvaged(self._folder, covers, self._cache, manifest)
            for mended in salvage.logs:
                for offset, reason in mended.bad:
                    self._fault(mended.file.name, CorruptionError(reason, file=mended.file.name, offset=offset))
            rest: list[Log] = [*salvage.logs]
        else:
            assert not isinstance(plan, Damage)
            rest = plan.logs
            for name, offset in plan.cut:
                self._cut[name] = offset
        for log in rest:
            self._logs[log.file.name] = log
            self._commits[log.file.name] = log.commit_count
            rows = left_of(log)[0] if type(log) is not Log else log.commits(log.last_seq + 1, 0)
            self._take(log.file.name, (change for row in rows for change in row.changes), log.origins)
            self._read(log.file.name)
        for name in (CLEAN, RESERVE):
            if self._folder.has(name):
                self._read(name)

    def _take(self, name: str, changes: Iterable[Change], origins: tuple[int, int]) -> None:
        """Remember what the values of a part need of others."""
        needed = self._needed[name] = {}
        blobs = self._blobs_of[name] = set()
        for change in changes:
            if change.value is None:
                continue
            for origin, number, _, stop in change.value.cuts:
                if origin == BLOB:
                    blobs.add(change.value.blobs[number])
                elif origin != OWN and not origins[0] <= origin <= origins[1]:
                    needed[origin, number] = max(needed.get((origin, number), 0), stop)

    def _check_needed(self, manifest: Manifest) -> None:
        """Are the bytes there that values are cut from in other segments?"""
        for name, needed in self._needed.items():
            for (origin, number), stop in needed.items():
                if not self._has(manifest, origin, number, stop):
                    self._fault(name, _dangling(name, origin))

    def _has(self, manifest: Manifest, origin: int, number: int, stop: int) -> bool:
        """Is there that much of a source? True where what should have it is damaged: that is told already."""
        for log in self._logs.values():
            if log.head.segment == origin:
                return number < log.next_source and stop <= log.size_of(number)
        for info in manifest.segments:
            if info.origins[0] <= origin <= info.origins[1]:
                try:
                    return (
                        bool(self._faults.get(info.name)) or self._segments[info.name].size_of((origin, number)) >= stop
                    )
                except CorruptionError:
                    return False
        return any(self._faults)

    # -- blobs and the rest --------------------------------------------------------------------------------------

    def _check_blobs(self, blobs: Blobs) -> None:
        used = set().union(*self._blobs_of.values())
        there = set(blobs.digests())
        unused = 0
        for digest in sorted(there | used):
            name = f"{BLOBS}/{digest.hex()}"
            fault = blob_fault(blobs, digest)
            if digest in used:
                if fault is not None:
                    self._fault(name, fault)
            else:
                unused += 1
            if digest in there:
                self._blob_count += 1
                self._read(name)
        if unused and not self._unread & self._faults.keys():  # else who knows
            self._notes.append(f"blobs that nothing refers to: {unused}; compact() removes them")

    def _check_letters(self, inbox: Inbox) -> None:
        """Is every letter what was posted? One that is adopted meanwhile is gone."""
        try:
            names = inbox.names()
        except StorageError as error:  # it is no folder
            self._fault(INBOX, error)
            return
        for name in names:
            try:
                letter = inbox.open(name)
                letter.check()
            except MissingFileError:
                continue
            except (CorruptionError, StorageError) as error:
                self._fault(inbox.path_of(name), error)
            self._read(inbox.path_of(name))
        if names:
            self._notes.append(f"letters in the inbox: {len(names)}; a writer adopts those that are whole")
        for name in inbox.others():
            self._notes.append(f"{INBOX}/{name} is a letter on its way, or what is left of one")

    def _check_kinds(self) -> None:
        """Is what holds no data a file or a folder, as it should be? What is not there is made when it is needed."""
        for name, open_one in ((LOCK, self._folder.open), (READERS, self._folder.open), (ASIDE, self._folder.folder)):
            try:
                open_one(name).close()
            except MissingFileError:
                continue
            except StorageError as error:
                self._fault(name, error)

    def _look_at_rest(self, manifest: Manifest) -> None:
        """Files that are no part of the store now."""
        listed = {info.name for info in manifest.segments}
        fixed = {MANIFEST, CLEAN, LOCK, READERS, RESERVE, BLOBS, ASIDE, INBOX}
        known = fixed | listed | self._done.keys() | self._cut.keys()
        for name, offset in self._cut.items():
            size = max(self._sizes.get(name, 0) - offset, 0)
            self._notes.append(
                f"{name} has {size} bytes from offset {offset} on that were not acknowledged as durable: "
                "the next opening for writing puts them aside"
            )
        for name in self._folder.names():
            if name not in known and name in self._sizes:
                self._notes.append(f"{name} is no part of the store: the next opening for writing may remove it")
        for name in self._sizes:
            if name.startswith(f"{ASIDE}/"):
                self._notes.append(f"{name} is what a recovery cut off")

    def _find_hits(self, covers: Covers, manifest: Manifest, blobs: Blobs) -> None:
        """Which commits and keys the problems hit."""
        salvage = salvaged(self._folder, covers, self._cache, manifest)
        for hole in salvage.holes:
            self._hit(hole.file, hole.offset, range(hole.first_seq, hole.last_seq + 1), ())
        losses = Losses(salvage.parts, blobs)
        for part in salvage.parts:
            losses.look_at(part)
            rows, loose = left_of(part)
            for change in [*(change for row in rows for change in row.changes), *loose]:
                fault = None if change.value is None else losses.fault_of(change.value)
                if fault is not None:
                    self._hit(*place_of(fault), (change.seq,), (change.key,))

    def _hit(self, file: str, offset: int, seqs: Iterable[int], keys: Iterable[str]) -> None:
        known_seqs, known_keys = self._hits.setdefault((file, offset), (set(), set()))
        known_seqs.update(seqs)
        known_keys.update(keys)

    def _fault(self, file: str, fault: CorruptionError | StorageError) -> None:
        faults = self._faults.setdefault(file, [])
        if all(place_of(one)[1] != place_of(fault)[1] for one in faults):
            faults.append(fault)

    def _read(self, name: str) -> None:
        self._done[name] = self._sizes.get(name, 0)
        if self._progress is not None:
            done = sum(self._done.values())
            self._progress(done, max(done, sum(self._sizes.values())))


def _dangling(name: str, origin: int) -> CorruptionError:
    return CorruptionError(f"values point to bytes of segment {origin} that are not there", file=name, offset=0)


def _sizes_in(folder: Folder, prefix: str) -> dict[str, int]:
    """Every file in a store but the derived ones, and its size."""
    sizes: dict[str, int] = {}
    for name in folder.names():
        if is_derived(name) and not prefix:
            continue  # no part of the truth; and to close it here would let go of the locks that SQLite has on it
        if name in (BLOBS, ASIDE, INBOX) and not prefix:
            with suppress(StorageError):  # no folder: likewise
                sizes.update(_sizes_in(folder.folder(name), f"{name}/"))
            continue
        try:
            file = folder.open(name)
        except StorageError:
            continue  # gone meanwhile, or no file: it is told when it is looked at
        try:
            sizes[prefix + name] = file.size()
        finally:
            file.close()
    return sizes
