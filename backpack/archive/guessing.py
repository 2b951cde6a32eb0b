"""A manifest made of the files themselves, where that of the store is lost.

Names and headers say which segments there are and in which order. What only the manifest had is lost: the ids of
commits, and checkpoints that were sealed. Of an encrypted store it had the key of all files.
"""

from collections.abc import Callable

from backpack.archive.cache import Cache
from backpack.archive.frames import LOG_HEAD_SIZE_MAX, read_log_head
from backpack.archive.layout import HEADER_SIZE_MAX, read_header
from backpack.archive.manifest import Manifest, SegmentInfo
from backpack.archive.salvaging import mended
from backpack.archive.segment import Segment
from backpack.errors import CorruptionError, StorageError
from backpack.storage.cover import PLAIN
from backpack.storage.pooling import PooledFile
from backpack.storage.protocol import Folder


def guessed(folder: Folder, make_random: Callable[[int], bytes]) -> Manifest | None:
    """The manifest that fits the files of a folder; None when there is no file of a store that can be read."""
    store_id = _store_id(folder)
    if store_id is None:
        return None
    found: list[tuple[int, Segment, str]] = []
    for name in folder.names():
        stem, _, generation = name.removesuffix(".seg").partition("-")
        if not name.endswith(".seg") or not stem.isdigit() or not (generation or "0").isdigit():
            continue
        segment = _segment(folder, name, store_id)
        if segment is not None:
            found.append((int(generation or 0), segment, name))
    kept: list[SegmentInfo] = []
    for _, segment, name in sorted(found, key=lambda one: -one[0]):  # of two for the same commits the newer
        if all(segment.last_seq < one.first_seq or segment.first_seq > one.last_seq for one in kept):
            info = segment.info(name)
            kept.append(info)
    kept.sort(key=lambda one: one.first_seq)
    manifest = Manifest(store_id, [(make_random(16), 1)], kept)
    if kept:
        manifest.next_segment = kept[-1].origins[1] + 1
        manifest.head = kept[-1].last_seq
        base = kept[0]
        if "-" in base.name and base.commit_count < base.last_seq - base.first_seq + 1:
            manifest.first_seq = base.last_seq + 1  # it is what a compaction left of older ones
    return manifest


def _segment(folder: Folder, name: str, store_id: bytes) -> Segment | None:
    def made(file: PooledFile, end: int | None = None) -> Segment:
        return Segment(file, Cache(), PLAIN, store_id, end=end)

    try:
        return made(PooledFile(folder, name))
    except (CorruptionError, StorageError):
        return next(mended(made, folder, name), None)


def _store_id(folder: Folder) -> bytes | None:
    for name in folder.names():
        try:
            if name.endswith(".seg"):
                return read_header(folder.open(name).pread(HEADER_SIZE_MAX, 0), name).store_id
            if name.endswith(".log"):
                return read_log_head(folder.open(name).pread(LOG_HEAD_SIZE_MAX, 0), name).store_id
        except (CorruptionError, StorageError):
            continue
    return None
