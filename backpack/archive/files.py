"""The files behind an archive: each way in which logs become segments, and segments others.

What a crash at any point leaves is always the same: the manifest that was published last, the segments it lists, and
the logs behind them. Everything here is done in the order that keeps this true: a segment is whole and synced before
the manifest lists it, the manifest is synced before what it replaces goes.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import RLock
from typing import Final

from backpack.archive.archive import Archive
from backpack.archive.cache import Cache
from backpack.archive.checkpoints import Checkpoints, apply_notes, checkpoints_in
from backpack.archive.compacting import based, erased, sealed
from backpack.archive.contents import Contents
from backpack.archive.foreseeing import LEVEL
from backpack.archive.gathering import gathered
from backpack.archive.holding import blobs_in_use
from backpack.archive.keyframe import Keyframe
from backpack.archive.keyframing import keyframe_after, keyframe_at, keyframe_joined
from backpack.archive.layout import cover_name
from backpack.archive.manifest import Manifest, SegmentInfo, publish_manifest
from backpack.archive.merging import joined
from backpack.archive.parts import Part
from backpack.archive.scanning import Log
from backpack.archive.sealing import seal
from backpack.archive.segment import Segment
from backpack.archive.syncing import Syncer
from backpack.archive.tiering import to_merge, weight_of
from backpack.archive.writing import Writer, log_name
from backpack.archive.yielding import Yielding
from backpack.errors import BackpackError, ClosedError, CorruptionError, StorageError, StoreLockedError
from backpack.storage.cover import Covers
from backpack.storage.pooling import PooledFile
from backpack.storage.protocol import File, Folder, Lock, publish

READERS: Final = "readers"
"""Locked by who reads: blobs stay as long as anybody does."""

LEVEL_LAST: Final = 6
"""Of zstd, for the log that is sealed at closing: 2 to 3 % less, for twice the time, when nobody commits beside it."""


LogEnd = tuple[int, int, int]
"""The number of a log, its size, its last checksum: no two states of a store have the same."""


class Files:
    """An archive with its files. One at a time changes which there are, and what he did is on disk when he returns."""

    def __init__(
        self,
        folder: Folder,
        covers: Covers,
        cache: Cache,
        manifest: Manifest,
        archive: Archive,
        writer: Writer | None,
    ) -> None:
        self.folder = folder
        self.covers = covers
        self.cache = cache
        self.manifest = manifest
        self.archive = archive
        self.writer = writer
        self.syncer = Syncer(self._sync, manifest.head if writer is None else writer.synced_upto)
        self.damage: BackpackError | None = None
        """Why a reader can't read all of the store, or the keeper of a writer couldn't."""
        self.left_alone: set[str] = set()
        """The segments that could not be read when they were to be merged."""
        self._sealed_checkpoints: Checkpoints = checkpoints_in(manifest)
        self._parts_lock = RLock()
        self._rewriting = RLock()
        """Held while the manifest changes."""
        self._is_closed = False
        """Was it closed, or is it being closed?"""
        self._is_released = False
        """Are the files another writer's from here on?"""
        self._unsynced: list[File] = []
        self._is_folder_unsynced = False
        self._synced_end: LogEnd | None = None
        """The end of the newest log when it was synced last."""

    def publish(self, manifest: Manifest) -> None:
        """Make it the manifest."""
        self.manifest.generation += 1  # its number is used, even if it is never known whether it is on disk
        publish_manifest(self.folder, manifest, self.covers)
        self.manifest = manifest

    @contextmanager
    def rewrite(self) -> Iterator[None]:
        """Nobody else changes which files there are meanwhile. `ClosedError` when that is not for this to do any
        more."""
        with self._rewriting:
            if self._is_released:
                raise ClosedError("the store is closed: open it again")
            yield

    # -- logs to segments ----------------------------------------------------------------------------------------

    def seal(self, log: Log, *, is_last: bool) -> None:
        """Make a segment of a log, have the manifest list it, take the log away."""
        with self.rewrite():
            if any(part is log for part in self.archive.parts):
                self._seal(log, is_last=is_last)

    def _seal(self, log: Log, *, is_last: bool) -> None:
        segment = log.head.segment
        infos = self._listed(self.archive.parts)
        part: Part | None = None
        index, contents = gathered(log, self._yielding())
        self._require_whole(index, log, is_last=is_last)
        if index.commit_count:
            keyframe = keyframe_after(self.archive, contents, is_last=is_last)
            level = LEVEL_LAST if is_last else LEVEL
            info, part = self._made(f"{segment:012d}.seg", contents, keyframe, level)
            infos.append(info)
        apply_notes(self._sealed_checkpoints, index.notes)
        newest = self.archive.parts[-1].origins[1]
        if not (is_last or self._is_all_synced()):
            self.syncer.sync()  # the manifest is going to say that the newest log is there
        manifest = replace(
            self.manifest,
            segments=infos,
            first_seq=self.archive.first_seq,
            next_segment=segment + 1,
            last_log=max(self.manifest.last_log, segment) if is_last else newest,
            previous=index.head_sum & 0xFFFFFFFF,
            head=index.last_seq,
            last_ns=max(self.manifest.last_ns, index.last_ns),
            checkpoints=[(name, seq, notes) for name, (seq, notes) in self._sealed_checkpoints.items()],
        )
        self.publish(manifest)
        with self._parts_lock:
            self.archive.set_parts(list(_replaced(self.archive.parts, log, part)))
        self.syncer.advance(index.last_seq)
        if isinstance(log.file, PooledFile):
            log.file.keep()
        self.folder.remove(log_name(segment))

    def _require_whole(self, index: Log, log: Log, *, is_last: bool) -> None:
        """`StorageError` when there is more in a log than what was read of it: it goes once it is sealed."""
        writer, parts = self.writer, self.archive.parts
        assert writer is not None
        if writer.segment == log.head.segment:
            end = writer.last_seq, writer.head_sum & 0xFFFFFFFF
        elif is_last:  # at opening, which has read it
            end = log.last_seq, log.head_sum & 0xFFFFFFFF
        else:
            follower = parts[next(place for place, part in enumerate(parts) if part is log) + 1]
            assert isinstance(follower, Log)
            end = follower.first_seq - 1, follower.head.previous & 0xFFFFFFFF
        if (index.last_seq, index.head_sum & 0xFFFFFFFF) != end:
            raise StorageError(
                f"the log goes on where it was taken to end: commit={index.last_seq}", file=log.file.name
            )

    # -- segments to others --------------------------------------------------------------------------------------

    def merge_below(self, full: int) -> bool:
        """Have one segment in place of several small ones, of that size at most. False when there are none."""
        with self.rewrite():
            segments = sealed(self.archive)
            weights = [full if one.name in self.left_alone else weight_of(one) for one in segments]
            places = to_merge(weights, full)
            if places is None:
                return False
            old = segments[places.start : places.stop]
            try:
                contents = joined(old)
                info, new = self._made(self._new_name(contents), contents, keyframe_joined(self.archive, old))
            except CorruptionError as error:  # nothing is lost by leaving them as they are
                self.damage = error
                self.left_alone.update(one.name for one in old)
                return True
            infos = self._listed(segments)
            infos[places.start : places.stop] = [info]
            self.publish(replace(self.manifest, segments=infos, first_seq=self.archive.first_seq))
            with self._parts_lock:
                parts = list(self.archive.parts)
                parts[places.start : places.stop] = [new]
                self.archive.set_parts(parts)
            del segments, parts
            self._remove(old)
            return True

    def rebase(self, boundary: int, checkpoints: Iterable[int]) -> int:
        """Take the segments before a commit away, but for what is needed of them. Returns the bytes that went.

        `settle` was called before, and all logs but the newest are sealed.
        """
        with self.rewrite():
            found = based(self.archive, boundary, checkpoints)
            if found is None:
                return 0
            going, contents, pinned = found
            keyframe = keyframe_at(self.archive, boundary - 1)
            info, base = self._made(self._new_name(contents), contents, keyframe)
            leaving = {id(segment) for segment in going}
            infos = [info, *self._listed(part for part in self.archive.parts if id(part) not in leaving)]
            self.syncer.sync()  # a checkpoint whose deletion a power loss undoes would be one of nothing
            self.publish(replace(self.manifest, segments=infos, first_seq=boundary))
            with self._parts_lock:
                self.archive.kept = pinned  # first: these are there whatever is asked meanwhile
                self.archive.first_seq = boundary
                self.archive.set_parts([base, *(part for part in self.archive.parts if id(part) not in leaving)])
            return sum(segment.size for segment in going) - info.size + self._remove(going)

    def erase(self, keys: set[str], upto: int) -> int:
        """Write every segment that has values of these keys, from commits up to `upto`, anew without them. Returns how
        many bytes smaller they are.

        As with `rebase`, `settle` comes first.
        """
        freed = 0
        with self.rewrite():
            parts: list[Part] = list(self.archive.parts)
            infos = self._listed(parts)
            old = []
            for segment, contents in erased(self.archive, keys, upto):
                info, new = self._made(self._new_name(contents), contents, segment.keyframe())
                infos = [info if one.origins == segment.origins else one for one in infos]
                parts = [new if part is segment else part for part in parts]
                freed += segment.size - new.size
                old.append(segment)
            if old:
                self.publish(replace(self.manifest, segments=infos, first_seq=self.archive.first_seq))
                with self._parts_lock:
                    changed = {part.origins: part for part in parts}
                    self.archive.set_parts([changed.get(part.origins, part) for part in self.archive.parts])
                self._remove(old)
        return freed

    def sweep(self, *, beside_readers: bool) -> int:
        """Remove the blobs that no value points to. Returns how many bytes that gave. Wants the store's lock.

        `beside_readers`: even when readers have the store open; else those find every blob for as long as they do.
        """
        guard: Lock | None = None
        if not beside_readers:
            try:
                guard = self.folder.lock(READERS)
            except StoreLockedError:
                return 0
        try:
            with self.rewrite():
                used = blobs_in_use(self.archive)
                freed = 0
                blobs = self.archive.blobs
                for digest in list(blobs.digests()):
                    if digest not in used:
                        freed += blobs.size_of(digest)
                        blobs.remove(digest)
                return freed
        finally:
            if guard is not None:
                guard.release()

    # -- inside --------------------------------------------------------------------------------------------------

    def _listed(self, parts: Iterable[Part]) -> list[SegmentInfo]:
        """How a manifest lists the segments among these parts. What the archive reads counts, not the manifest before:
        an interrupt may have come between the two."""
        return [part.info(_file_of(part)) for part in parts if isinstance(part, Segment)]

    def _yielding(self) -> Yielding:
        writer = self.writer
        assert writer is not None
        return Yielding(lambda: writer.last_seq, is_last=self._is_closed)

    def _made(
        self, name: str, contents: Contents, keyframe: Keyframe | None, level: int = LEVEL
    ) -> tuple[SegmentInfo, Segment]:
        """A new segment, whole and on disk for good."""
        cover = self.covers.fresh(cover_name(contents.origins))
        chunks = seal(contents, store_id=self.manifest.store_id, cover=cover, keyframe=keyframe, level=level)
        publish(self.folder, name, self._yielding().between(chunks))
        new = Segment(PooledFile(self.folder, name), self.cache, self.covers, self.manifest.store_id)
        info = new.info(name)
        return info, new

    def _new_name(self, contents: Contents) -> str:
        """For a segment that is written anew: no other has it."""
        return f"{contents.origins[0]:012d}-{self.manifest.generation}.seg"

    def _remove(self, old: list[Segment]) -> int:
        """Take the files of segments away, which forks and iterators can still read. One after the other: those that
        nobody reads are closed at once."""
        while old:
            segment = old.pop()
            segment.pieces.file.keep()
            self.folder.remove(_file_of(segment))
        self.folder.sync()
        return 0

    def _is_all_synced(self) -> bool:
        """Has nothing been written since the last sync? So it is while several logs are sealed at closing."""
        writer = self.writer
        assert writer is not None
        with self._parts_lock:
            is_settled = not self._unsynced and not self._is_folder_unsynced and self._synced_end == _end_of(writer)
        return is_settled and writer.failure is None and self.archive.blobs.is_synced

    def _sync(self) -> int:
        """What the syncer calls."""
        writer = self.writer
        assert writer is not None
        seq, end = writer.last_seq, _end_of(writer)
        with self._parts_lock:
            files = [*self._unsynced, writer.file]
            is_folder_unsynced, self._is_folder_unsynced = self._is_folder_unsynced, False
        try:
            if not self.archive.blobs.is_synced:
                self.archive.blobs.sync_all()
            for file in files:
                file.sync()
            if is_folder_unsynced:
                self.folder.sync()
        except BaseException as error:
            with self._parts_lock:
                self._is_folder_unsynced |= is_folder_unsynced
            if isinstance(error, StorageError):
                writer.failure = error
            raise
        with self._parts_lock:
            done = files[:-1]
            self._unsynced = [file for file in self._unsynced if file not in done]
            self._synced_end = end
            if done:
                self._pool(done)
        return seq

    def _pool(self, done: Sequence[File]) -> None:
        """Logs that nothing is written to any more, and that are on disk for good, don't stay open all at a time: as
        many may wait to be sealed as the disk has room for. Wants the lock of the parts: of a log that has just been
        sealed the name is going to be taken away."""
        for part in self.archive.parts[:-1]:
            if isinstance(part, Log) and part.file in done:
                with suppress(StorageError):  # it stays open then
                    part.file = PooledFile(self.folder, log_name(part.head.segment))


def _end_of(writer: Writer) -> LogEnd:
    return writer.segment, writer.size, writer.head_sum


def _file_of(segment: Segment) -> str:
    return segment.name.rpartition("/")[2]


def _replaced(parts: Sequence[Part], old: Part, new: Part | None) -> Iterator[Part]:
    for part in parts:
        if part is not old:
            yield part
        elif new is not None:
            yield new
