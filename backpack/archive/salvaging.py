"""What can be read of a damaged store: its parts in order, with stand-ins and holes where nothing verifies.

Each part is taken by itself. A segment whose index can't be read is lost as a whole, since nothing in it can be found
without. One that has lost its keyframe is read without, and one whose end is cut off or damaged as if it had it: what
the trailer says follows from where the file ended, but for a checksum. Logs are read as far as their frames verify,
behind bad ones too. The head is the last commit that verifies anywhere.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from backpack.archive.broken import Hole, Lost, place_of, reason_of
from backpack.archive.cache import Cache
from backpack.archive.frames import damaged
from backpack.archive.layout import TRAILER_SIZE
from backpack.archive.manifest import Manifest, SegmentInfo
from backpack.archive.parts import Part
from backpack.archive.resyncing import MendedLog
from backpack.archive.segment import Segment
from backpack.archive.writing import log_name
from backpack.errors import CorruptionError, MissingFileError, StorageError
from backpack.storage.cover import Covers
from backpack.storage.pooling import PooledFile
from backpack.storage.protocol import Folder


class Unframed(Segment):
    """A segment whose keyframe can't be read: it says the same, at more cost."""

    __slots__ = ()

    @classmethod
    def of(cls, segment: Segment) -> "Unframed":
        """The same file."""
        unframed = cls.__new__(cls)
        unframed.pieces, unframed._found = segment.pieces, segment._found
        return unframed

    @property
    def has_keyframe(self) -> bool:
        return False


class Salvage:
    """The parts of a store, as far as they can be read."""

    __slots__ = ("faults", "head", "holes", "logs", "parts")

    def __init__(self) -> None:
        self.parts: list[Part] = []
        """In the order of their commits; the last one has the head."""
        self.holes: list[Hole] = []
        """Commits up to the head of which nothing can be read."""
        self.logs: list[MendedLog] = []
        """Those of the parts that are logs, and logs behind them that have nothing but notes."""
        self.faults: list[CorruptionError] = []
        """What is wrong with whole files."""
        self.head = 0


def salvaged(folder: Folder, covers: Covers, cache: Cache, manifest: Manifest) -> Salvage:
    """All that can be read. Cost: reading the index of each segment, and all logs."""
    salvage = Salvage()
    for info in manifest.segments:
        salvage.parts.append(_segment(folder, covers, cache, manifest, info, salvage.faults))
    _take_logs(salvage, folder, covers, manifest)
    while salvage.parts and not salvage.head:
        salvage.head = _last_readable(salvage.parts[-1])
        if not salvage.head:
            salvage.parts.pop()
    for part in salvage.parts:
        holes = [part.hole] if isinstance(part, Lost) else part.holes if isinstance(part, MendedLog) else []
        salvage.holes += [hole for hole in holes if hole.first_seq <= salvage.head]
    return salvage


def log_numbers(folder: Folder, manifest: Manifest) -> list[int]:
    """The numbers of the logs that are not sealed, in order."""
    numbers = []
    for name in folder.names():
        number = name.removesuffix(".log")
        is_log = number != name and number.isdigit() and name == log_name(int(number))
        if is_log and int(number) >= manifest.next_segment:
            numbers.append(int(number))
    return numbers


def open_listed(folder: Folder, covers: Covers, cache: Cache, manifest: Manifest, info: SegmentInfo) -> Segment:
    """A segment that the manifest lists; `CorruptionError` when it is missing or another one, `StorageError`."""
    try:
        file = PooledFile(folder, info.name)
    except MissingFileError:
        missing = info.name
    else:
        segment = Segment(file, cache, covers, manifest.store_id)
        if _is_listed(segment, info) and segment.size == info.size:
            return segment
        raise damaged(info.name, 0, "the segment is not the one that the manifest lists")
    raise damaged(missing, 0, "a segment that the manifest lists is missing")


def _is_listed(segment: Segment, info: SegmentInfo) -> bool:
    facts = (segment.origins, segment.first_seq, segment.last_seq, segment.commit_count)
    return facts == (info.origins, info.first_seq, info.last_seq, info.commit_count)


def mended(
    make: Callable[[PooledFile, int], Segment], folder: Folder, name: str, sizes: Iterable[int] = ()
) -> Iterator[Segment]:
    """The segment in a file whose end is damaged or cut off, as `make(file, end)` makes it.

    It is found where it has to be if the file was one of these `sizes`, or up to a trailer longer than it is now.
    """
    try:
        size = folder.open(name).size()
    except (MissingFileError, StorageError):
        return
    for end in dict.fromkeys((*sizes, *range(size, size + TRAILER_SIZE + 1))):
        with suppress(CorruptionError, StorageError):
            yield make(PooledFile(folder, name), end)


def _segment(
    folder: Folder, covers: Covers, cache: Cache, manifest: Manifest, info: SegmentInfo, faults: list[CorruptionError]
) -> Part:
    def made(file: PooledFile, end: int) -> Segment:
        return Segment(file, cache, covers, manifest.store_id, end=end)

    try:
        return _as_readable(open_listed(folder, covers, cache, manifest, info))
    except (CorruptionError, StorageError) as error:
        fault = error if isinstance(error, CorruptionError) else damaged(info.name, 0, str(error))
    faults.append(fault)
    for segment in mended(made, folder, info.name, (info.size,)):
        if _is_listed(segment, info):
            with suppress(CorruptionError, StorageError):
                return _as_readable(segment)
    return Lost(info.origins, _hole(info.first_seq, info.last_seq, fault))


def _as_readable(segment: Segment) -> Segment:
    """The segment, without its keyframe where only that can't be read. `CorruptionError`, `StorageError`."""
    segment.keys()
    segment.sources()
    try:
        segment.keyframe()
    except (CorruptionError, StorageError):
        return Unframed.of(segment)
    return segment


def _hole(first_seq: int, last_seq: int, error: CorruptionError) -> Hole:
    return Hole(first_seq, last_seq, *place_of(error), reason_of(error))


def _take_logs(salvage: Salvage, folder: Folder, covers: Covers, manifest: Manifest) -> None:
    expected, segment = manifest.head + 1, manifest.next_segment
    lost: CorruptionError | None = None
    """Why the log before can't be read."""
    numbers = log_numbers(folder, manifest)
    for number in numbers:
        if number > segment:
            lost = lost or damaged(log_name(segment), 0, "the log is missing")
            salvage.faults.append(lost)
        segment = number + 1
        try:
            name = log_name(number)
            file = folder.open(name) if number == numbers[-1] else PooledFile(folder, name)
            log = MendedLog.salvaged(file, covers, manifest.store_id, number, expected)
            fault = damaged(log_name(number), 0, "nothing in the log is what was written") if log is None else None
        except StorageError as error:
            log, fault = None, damaged(log_name(number), 0, str(error))
        if log is None:
            assert fault is not None
            salvage.faults.append(fault)
            lost = lost or fault
            continue
        if lost is not None and log.holes and log.holes[0].first_seq == expected:
            log.holes[0] = _hole(expected, log.holes[0].last_seq, lost)
        lost = None
        salvage.logs.append(log)
        if log.commit_count:
            salvage.parts.append(log)
            expected = log.last_seq + 1
    if segment <= manifest.last_log:
        salvage.faults.append(damaged(log_name(segment), 0, "a log that the manifest knows of is missing"))


def _last_readable(part: Part) -> int:
    """The last commit of a part that can be read; 0 when there is none."""
    if isinstance(part, MendedLog):
        return part.last_readable
    if not isinstance(part, Segment):
        return 0
    try:
        count = part.pieces.page_table().count
    except (CorruptionError, StorageError):
        return 0
    for number in range(count - 1, -1, -1):
        try:
            seq = part.pieces.page(number).seqs[-1]
            if part.commit(seq) is not None:
                return seq
        except (CorruptionError, StorageError):
            continue
    return 0
