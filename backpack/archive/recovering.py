"""A new store of all that verifies of a damaged one. The damaged one is read, and never written to.

Commits that verify keep their seq, id, time, label and versions. What is lost stays lost in plain sight:

- A commit that can't be read is a gap: asking for it raises `CommitPrunedError`. Where its changes can be read all the
  same (the page of commits is damaged, the index is not) they stay, without the commit.
- A value whose bytes are lost becomes unavailable, with the reason "damaged".
- A change that is known to be lost (the next one of its key has a version too many, or a keyframe names it) stands as
  such a value where it may have been, so that no older value is taken for it.
- A present value that is lost is deleted by one more commit at the end, which says so.
- Letters in the inbox that verify go into the inbox of the new store, whose first writer adopts them; its readers see
  them at once.
- A key that may have been changed in a commit that is lost, where nothing says whether it was, keeps the last value
  that verifies. The report names these keys.

Each part of the old store becomes one segment of the new, with the same numbers of sources: values point where they
did. Ranges of a source that are lost are filled with zeros, and no value that stays is cut from them.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from backpack.archive.cache import Cache
from backpack.archive.checkpoints import checkpoints_in
from backpack.archive.content import BLOB, DAMAGED, Change, CommitRow, SourceId, Value
from backpack.archive.contents import Contents
from backpack.archive.dormant import Newest, newest_of
from backpack.archive.encrypting import covers_of
from backpack.archive.files import READERS
from backpack.archive.frames import KIND_CODES
from backpack.archive.guessing import guessed
from backpack.archive.inbox import INBOX, LETTER, Inbox
from backpack.archive.keyframe import Keyframe
from backpack.archive.layout import LARGE_BLOCK_SIZE, cover_name
from backpack.archive.losing import Losses, left_of
from backpack.archive.manifest import (
    MANIFEST,
    CleanMark,
    Manifest,
    SegmentInfo,
    publish_clean,
    publish_manifest,
    read_manifest,
)
from backpack.archive.opening import BLOBS, LOCK
from backpack.archive.parts import Part
from backpack.archive.salvaging import Salvage, salvaged
from backpack.archive.sealing import seal
from backpack.archive.tracing import traced
from backpack.archive.visiting import NoLock, blobs_to_read, has_lost_manifest, missing_store
from backpack.blobs.store import Blobs
from backpack.errors import CorruptionError, InvalidArgumentError, MissingFileError, StorageError, WrongKeyError
from backpack.storage.cover import PLAIN, Covers
from backpack.storage.encryption import Key
from backpack.storage.opening import open_folder, path_text
from backpack.storage.protocol import Folder, Lock, publish

_MESSAGE: Final = "recovered: the present values of these keys were lost to damage"
_KEYS_MAX: Final = 1000
_CHUNK: Final = 1 << 20


Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Recovered:
    """What came of a recovery.

    What is there: `head`, `commits`, `blobs`, `letters`, `has_ids`. What is not: `lost_commits` (runs), `lost_values`
    and `lost_keys`, `deleted` and `doubtful` (keys), `lost_checkpoints` (names), `lost_blobs`, `lost_letters`.
    `is_whole` when nothing was lost.
    """

    head: int
    """The newest commit of the new store."""
    commits: int
    """Commits that are there."""
    lost_commits: tuple[tuple[int, int], ...]
    """Those that are not: the first and the last of each run."""
    lost_values: int
    """Versions of keys that are unavailable now."""
    lost_keys: tuple[str, ...]
    """Keys that these are of. At most 1,000 are named."""
    deleted: tuple[str, ...]
    """Keys whose present value was lost: the last commit deletes them. At most 1,000 are named."""
    doubtful: tuple[str, ...]
    """Keys that a lost commit may have changed: they have the last value that verifies. At most 1,000 are named."""
    lost_checkpoints: tuple[str, ...]
    blobs: int
    lost_blobs: int
    has_ids: bool
    """Do commits have the ids they had? Not where the manifest was lost."""
    letters: int = 0
    """Letters of the inbox that are in that of the new store: who opens it for writing adopts them."""
    lost_letters: int = 0

    @property
    def is_whole(self) -> bool:
        """Was nothing lost?"""
        lost = self.lost_commits or self.deleted or self.doubtful or self.lost_checkpoints
        return self.has_ids and not (lost or self.lost_values or self.lost_blobs or self.lost_letters)


def recover(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    key: Key | None = None,
    *,
    progress: Progress | None = None,
) -> Recovered:
    """Make a new store in the directory `out`, which must not be there, of all that verifies of the one at `path`.

    The old one is not changed, and nobody may be writing to it. `key` is that of an encrypted store; the new one has
    the same. `progress` is called with the bytes of the old one that are done and those there are. Raises
    `CorruptionError` when nothing can be recovered, `StoreNotFoundError`, `StoreLockedError`, `WrongKeyError`,
    `InvalidArgumentError` (`out` is there, or inside the store); nothing is left at `out` then.
    """
    label = path_text(out)
    folder = open_folder(path, create=False, writable=False, allow_network=True)
    store = os.path.realpath(folder.path)
    if os.path.commonpath((store, os.path.realpath(label))) == store:
        raise InvalidArgumentError(f"that is inside the damaged store: out={label!r}; name a folder outside of it")
    if os.path.lexists(label):
        raise InvalidArgumentError(f"there is something already: out={label!r}; name a folder that is not there")
    target = open_folder(out, create=True, writable=True, allow_network=True)
    try:
        return recovered(folder, target, key, progress)
    except BaseException:
        with suppress(OSError):
            for name in (BLOBS, INBOX, ""):
                if name and not target.has(name):
                    continue
                for file in (target.folder(name) if name else target).names():
                    if file not in (BLOBS, INBOX):
                        (target.folder(name) if name else target).remove(file)
                os.rmdir(os.path.join(out, name))
        raise


def recovered(folder: Folder, out: Folder, key: Key | None = None, progress: Progress | None = None) -> Recovered:
    """The same for folders of any kind; `out` is empty."""
    if not folder.has(MANIFEST) and not has_lost_manifest(folder):
        raise missing_store(folder)
    lock: Lock = folder.lock(LOCK, shared=True) if folder.has(LOCK) else NoLock()
    try:
        manifest, covers, has_ids = _manifest(folder, key)
        salvage = salvaged(folder, covers, Cache(), manifest)
        if not salvage.head:
            raise CorruptionError(
                f"no commit of the store can be read: path={folder.path!r}", file=folder.path, offset=0
            )
        letters = _copied_letters(Inbox(folder, covers, manifest.store_id), folder, out)
        found = _Recovery(manifest, covers, salvage, blobs_to_read(folder, covers), out).run(progress, has_ids=has_ids)
        return replace(found, letters=letters[0], lost_letters=letters[1])
    finally:
        lock.release()


def _copied_letters(inbox: Inbox, folder: Folder, out: Folder) -> tuple[int, int]:
    """Copy the letters that verify: the new store has the id, and so the keys, of the old. `(copied, lost)`."""
    copied = lost = 0
    for name in inbox.names():
        try:
            letter = inbox.open(name)
            letter.check()
        except (CorruptionError, StorageError):
            lost += 1
            continue
        source = folder.folder(INBOX).open(f"{name}{LETTER}")
        chunks = (source.pread(_CHUNK, at) for at in range(0, letter.size, _CHUNK))
        publish(out.folder(INBOX), f"{name}{LETTER}", chunks)
        copied += 1
    return copied, lost


def _manifest(folder: Folder, key: Key | None) -> tuple[Manifest, Covers, bool]:
    """`(manifest, covers, are the ids of commits known?)`."""
    try:
        covers, _ = covers_of(folder, key)
        return read_manifest(folder, covers), covers, True
    except WrongKeyError:
        raise
    except (CorruptionError, MissingFileError) as error:
        fault = str(error)
    manifest = None if key is not None else guessed(folder, os.urandom)
    if manifest is None:
        raise CorruptionError(f"nothing can be recovered without the manifest: {fault}", file=MANIFEST, offset=0)
    return manifest, PLAIN, False


class _Recovery:
    """The new store, on its way."""

    def __init__(self, manifest: Manifest, covers: Covers, salvage: Salvage, blobs: Blobs, out: Folder) -> None:
        self._manifest = manifest
        self._covers = covers
        self._salvage = salvage
        self._old_blobs = blobs
        self._out = out
        self._blobs = Blobs(out.folder(BLOBS), covers)
        self._losses = Losses(salvage.parts, blobs)
        self._copied: set[bytes] = set()
        self._infos: list[SegmentInfo] = []
        self._newest: dict[str, Newest] = {}
        self._gone: dict[str, Change] = {}
        """Keys whose newest change has lost its value."""
        self._changed: set[str] = set()
        """Since the last keyframe."""
        self._seqs: set[int] = set()
        """The commits that are there."""
        self._lost_values = 0
        self._lost_keys: set[str] = set()
        self._last_ns = 0

    def run(self, progress: Progress | None, *, has_ids: bool) -> Recovered:
        """Write everything; the manifest comes last."""
        salvage, manifest, out = self._salvage, self._manifest, self._out
        traces = traced(salvage.parts, salvage.holes, self._left())
        done, total = 0, sum(part.size for part in salvage.parts)
        for index, part in enumerate(salvage.parts):
            last_seq = min(part.last_seq, salvage.head)
            own = [change for change in traces.changes if part.first_seq <= change.seq <= last_seq]
            self._rebuild(part, last_seq, own, is_last=index == len(salvage.parts) - 1)
            done += part.size
            if progress is not None:
                progress(done, total)
        head, origin = salvage.head, salvage.parts[-1].origins[1]
        deleted = sorted(self._gone)
        if deleted:
            head, origin = head + 1, origin + 1
            self._delete(deleted, head, origin)
        if self._copied:
            self._blobs.sync_all()
        checkpoints = checkpoints_in(manifest, salvage.logs)
        kept = [(name, seq, notes) for name, (seq, notes) in checkpoints.items() if seq in self._seqs]
        first_seq = min(seq for seq in self._seqs if seq >= min(manifest.first_seq, head))
        out.create(READERS).close()
        publish_clean(out, CleanMark(0, 0, 0, head))
        publish_manifest(
            out,
            Manifest(
                manifest.store_id,
                [*manifest.epochs, (os.urandom(16), head + 1)],
                self._infos,
                next_segment=origin + 1,
                last_log=origin,
                head=head,
                first_seq=first_seq,
                last_ns=self._last_ns,
                checkpoints=kept,
                secret=manifest.secret,
                generation=manifest.generation,
            ),
            self._covers,
        )
        return Recovered(
            head,
            len(self._seqs),
            tuple(_runs(seq for seq in range(manifest.first_seq, head + 1) if seq not in self._seqs)),
            self._lost_values,
            tuple(sorted(self._lost_keys)[:_KEYS_MAX]),
            tuple(deleted[:_KEYS_MAX]),
            tuple(sorted(traces.doubtful.keys() - self._gone.keys())[:_KEYS_MAX]),
            tuple(sorted(checkpoints.keys() - {name for name, _, _ in kept})),
            len(self._copied),
            sum(fault is not None for fault in self._losses.bad_blobs.values()),
            has_ids,
        )

    def _left(self) -> Iterator[Change]:
        for part in self._salvage.parts:
            rows, loose = left_of(part)
            for row in rows:
                if row.seq <= self._salvage.head:
                    yield from row.changes
            yield from (change for change in loose if change.seq <= self._salvage.head)

    def _rebuild(self, part: Part, last_seq: int, traces: list[Change], *, is_last: bool) -> None:
        """Make a segment of what is left of a part."""
        self._losses.look_at(part)
        rows, loose = left_of(part)
        rows = [row for row in rows if row.seq <= last_seq]
        for row in rows:
            row.changes = [self._judged(change) for change in row.changes]
        base_rows = [self._judged(change) for change in loose if change.seq <= last_seq]
        lost = [change.key for change in traces if change.value is not None]
        self._lost_values += len(lost)
        self._lost_keys.update(lost)
        first, last = part.origins
        sources = {source: size for source, size in self._losses.sizes.items() if first <= source[0] <= last}
        if rows or base_rows or traces:
            contents = Contents(
                part.origins, part.first_seq, last_seq, rows, sources, self._bytes_of(part), [*base_rows, *traces]
            )
            self._seal(contents, rows, is_last=is_last)

    def _delete(self, keys: list[str], seq: int, origin: int) -> None:
        """One more commit, which takes keys out of sight."""
        changes = [Change(key, seq, "delete", self._newest[key].version + 1, None) for key in keys]
        row = CommitRow(seq, self._last_ns, (None, _MESSAGE, ()), changes)
        self._seal(Contents((origin, origin), seq, seq, [row], {}, _no_bytes), [row], is_last=True)

    def _judged(self, change: Change) -> Change:
        """The change, without its value where the bytes of that are lost."""
        value = change.value
        if value is None or change.is_purged:
            return change
        if self._losses.fault_of(value) is None:
            self._copy_blobs(value)
            return change
        self._lost_values += 1
        self._lost_keys.add(change.key)
        return Change(
            change.key,
            change.seq,
            change.kind,
            change.version,
            Value((), size=value.size),
            is_large=change.is_large,
            is_purged=True,
            reason=change.reason if change.kind == "quarantine" else DAMAGED,
        )

    def _copy_blobs(self, value: Value) -> None:
        for origin, number, _, _ in value.cuts:
            if origin == BLOB and value.blobs[number] not in self._copied:
                digest = value.blobs[number]
                with self._old_blobs.open(digest) as blob:
                    copied, _ = self._blobs.put(blob.chunks(), is_durable=False)
                assert copied == digest
                self._copied.add(digest)

    def _bytes_of(self, part: Part) -> Callable[[SourceId], Iterator[bytes]]:
        """The bytes of a source, with zeros for those that are lost."""

        def parts_of(source: SourceId) -> Iterator[bytes]:
            lost = [(start, stop) for start, stop, _ in self._losses.lost.get(source, ())]
            size = self._losses.sizes[source]
            start = 0
            while start < size:
                stop = min(start + LARGE_BLOCK_SIZE, size)
                ranges = [(first, last) for first, last in lost if first < stop and start < last]
                if not ranges:
                    yield part.read(*source, start, stop)
                elif ranges[0][0] <= start:
                    stop = min(stop, ranges[0][1])
                    yield bytes(stop - start)
                else:
                    stop = ranges[0][0]
                    yield part.read(*source, start, stop)
                start = stop

        return parts_of

    def _seal(self, contents: Contents, rows: list[CommitRow], *, is_last: bool) -> None:
        for change in sorted((*contents.base_rows, *(change for row in rows for change in row.changes)), key=_seq_of):
            self._newest[change.key] = newest_of(change)
            self._changed.add(change.key)
            self._gone.pop(change.key, None)
            if change.is_purged and change.kind != "delete":
                self._gone[change.key] = change
        for row in rows:
            self._seqs.add(row.seq)
            self._last_ns = max(self._last_ns, row.time_ns)
        keyframe = None
        if is_last or len(self._changed) >= len(self._newest):
            keyframe = _keyframe(self._newest)
            self._changed.clear()
        name = f"{contents.origins[0]:012d}.seg"
        cover, store_id = self._covers.fresh(cover_name(contents.origins)), self._manifest.store_id
        publish(self._out, name, seal(contents, store_id=store_id, cover=cover, keyframe=keyframe))
        size = self._out.open(name).size()
        self._infos.append(
            SegmentInfo(
                name,
                contents.origins,
                contents.first_seq,
                contents.last_seq,
                len(rows),
                size,
                keyframe is not None,
            )
        )


def _keyframe(newest: dict[str, Newest]) -> Keyframe:
    names = sorted(newest)
    found = [newest[name] for name in names]
    return Keyframe(
        names,
        [one.seq for one in found],
        [one.version for one in found],
        [KIND_CODES[one.kind] for one in found],
        [one.size for one in found],
        [int(one.is_large) for one in found],
        bytes(len(names)),
    )


def _runs(seqs: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as runs."""
    first = last = 0
    for seq in seqs:
        if first and seq == last + 1:
            last = seq
            continue
        if first:
            yield first, last
        first = last = seq
    if first:
        yield first, last


def _seq_of(change: Change) -> int:
    return change.seq


def _no_bytes(_: SourceId) -> Iterator[bytes]:
    return iter(())
