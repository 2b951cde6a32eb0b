"""Taking the old end of an archive away, and erasing keys in it: which segments are written anew, and with what.

Whole segments go. What the commits that stay still need of them is carried forward into one *base* segment in their
place: the newest change of each key before the first commit that stays, what checkpoints show, who made those changes,
and the bytes that later versions are cut from. Erasing a key rewrites each segment that has it, without its values.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from backpack.archive.archive import Archive
from backpack.archive.content import CARRYING, Change, SourceId
from backpack.archive.contents import Contents
from backpack.archive.frames import KINDS
from backpack.archive.merging import merged
from backpack.archive.parts import Part
from backpack.archive.retention import Retention
from backpack.archive.segment import Segment
from backpack.core.patterns import Pattern
from backpack.errors import CorruptionError


def first_kept(archive: Archive, retention: Retention, now_ns: int) -> int:
    """The first commit that stays: the beginning of a segment. Of several limits the one that keeps least counts; the
    newest segment stays whatever they say.

    Logs that are not sealed stay too. Cost: O(parts), and where a size is too large the blobs that they refer to.
    """
    runs = _runs(archive)
    if not runs:
        return archive.first_seq
    wanted = archive.first_seq
    if retention.keep_commits is not None:
        wanted = max(wanted, archive.head - retention.keep_commits + 1)
    if retention.keep_days is not None:
        wanted = max(wanted, archive.seq_at(now_ns - int(retention.keep_days * 86400e9)) + 1)
    boundary = max([archive.first_seq, *(part.first_seq for part, _ in runs if part.first_seq <= wanted)])
    if retention.max_archive_size is not None:
        boundary = max(boundary, _first_that_fits(archive, runs, retention.max_archive_size))
    unsealed = [part.first_seq for part, _ in runs if not isinstance(part, Segment)]
    return min([boundary, runs[-1][0].first_seq, *unsealed])


Runs = list[tuple[Part, int]]


def _runs(archive: Archive) -> Runs:
    """The parts that have commits, each with its newest one. A log may not have been looked at yet."""
    parts = archive.parts
    if not parts:  # none is left beside a store without a commit
        return []
    lasts = [*(part.first_seq - 1 for part in parts[1:]), archive.head]
    return [(part, last) for part, last in zip(parts, lasts, strict=True) if part.first_seq <= last]


def _first_that_fits(archive: Archive, runs: Runs, limit: int) -> int:
    size = archive.archive_bytes + archive.blob_bytes
    boundary = archive.first_seq
    if size <= limit:
        return boundary
    for (_, last), freed in zip(runs, _sizes_alone(archive, runs), strict=True):
        if size <= limit:
            break
        size -= freed
        boundary = last + 1
    return boundary


def _sizes_alone(archive: Archive, runs: Runs) -> list[int]:
    """Bytes that go with each part when those before it have gone: its own, and the blobs that no later one has."""
    sizes = [part.size for part, _ in runs]
    last = {digest: index for index, (part, _) in enumerate(runs) for digest in part.blobs()}
    for digest, index in last.items():
        with suppress(CorruptionError):  # it is missing
            sizes[index] += archive.blobs.size_of(digest)
    return sizes


def sealed(archive: Archive) -> list[Segment]:
    """The sealed segments, oldest first."""
    return [part for part in archive.parts if isinstance(part, Segment)]


def based(
    archive: Archive, boundary: int, checkpoints: Iterable[int]
) -> tuple[list[Segment], Contents, set[int]] | None:
    """`(the segments that go, what stands in their place, the checkpoints among their commits)`; None when none goes:
    the first may have been merged with those behind it since the boundary was chosen."""
    going = [segment for segment in sealed(archive) if segment.last_seq < boundary]
    if not going:
        return None
    staying = [segment for segment in sealed(archive) if segment.last_seq >= boundary]
    pinned = {seq for seq in checkpoints if 0 < seq < boundary}
    kept: set[tuple[str, int]] = set()
    for cutoff in {*pinned, boundary - 1}:
        columns, later = archive.newest_at(cutoff)
        kept.update((key, newest.seq) for key, newest in later.items())
        if columns is not None:
            kept.update(pair for pair in zip(columns.names, columns.seqs, strict=True) if pair[0] not in later)
        carried = [(key, newest.seq) for key, newest in later.items() if newest.kind in CARRYING]
        if columns is not None:
            rows = zip(columns.names, columns.seqs, columns.kinds, strict=True)
            carried += [(key, seq) for key, seq, kind in rows if KINDS[kind] in CARRYING and key not in later]
        setters = [(key, archive.setter_of(key, seq)) for key, seq in carried]
        kept.update((key, seq) for key, seq in setters if seq)
    commits = {seq for _, seq in kept} | pinned
    contents = merged(
        going,
        keep=lambda change: (change.key, change.seq) in kept,
        keep_commit=commits.__contains__,
        purged=_never,
        needed=needed_by(staying, _never) | needed_in_logs(archive) | needed_in_memory(archive),
    )
    return going, contents, pinned


def erased(archive: Archive, keys: set[str], upto: int) -> list[tuple[Segment, Contents]]:
    """Each segment that has values of these keys from commits up to `upto`, and what stands in its place."""
    segments = sealed(archive)

    def is_erased(change: Change) -> bool:
        return change.key in keys and change.seq <= upto and change.has_value

    found = [segment for segment in segments if any(map(is_erased, changes_of(segment, keys)))]
    needed = {id(segment): needed_by([segment], is_erased) for segment in segments}
    pairs = []
    for segment in found:
        others = needed_in_memory(archive)
        for other in segments:
            if other is not segment:
                others |= needed[id(other)]
        contents = merged([segment], keep=_always, keep_commit=_always, purged=is_erased, needed=others)
        pairs.append((segment, contents))
    return pairs


def versions_of(archive: Archive, key: str) -> tuple[int, int]:
    """`(how many values a key has had that are there still, their packed bytes)`. Cost: O(changes of the key)."""
    changes = [change for change in valued(archive, key) if not archive.is_erased(change)]
    return len(changes), sum(change.size for change in changes)


def valued(archive: Archive, key: str) -> Iterator[Change]:
    """The changes of a key, up to the newest commit of the archive, whose values the files have."""
    for part in archive.readable_parts:
        for seq in part.seqs(key):
            change = part.find(key, seq) if seq <= archive.head else None
            if change is not None and change.has_value:
                yield change


def keys_of(archive: Archive, pattern: Pattern) -> list[str]:
    """Every key that fits and was ever changed, sorted. Cost: O(keys) for each segment."""
    return sorted({key for part in archive.readable_parts for key in part.keys() if pattern.matches(key)})  # noqa: SIM118


def changes_of(segment: Segment, keys: set[str]) -> Iterable[Change]:
    """Every change of these keys in a segment."""
    for key in keys:
        yield from segment.changes(key)


def needed_by(segments: Sequence[Segment], is_left_out: Callable[[Change], bool]) -> set[SourceId]:
    """The sources that the values in these segments are cut from, but for those that are left out."""
    found: set[SourceId] = set()
    for segment in segments:
        for change in segment.rows():
            if change.value is not None and not is_left_out(change):
                found.update((origin, number) for origin, number, _, _ in change.value.cuts if origin > 0)
    return found


def needed_in_logs(archive: Archive) -> set[SourceId]:
    """The sources that the values in logs which are not sealed yet are cut from. Cost: reading these logs.

    Up to the head of the archive: the newest commit of a log is known once it was read."""
    stop = archive.head + 1
    return {
        (origin, number)
        for part in archive.parts
        if not isinstance(part, Segment)
        for row in part.commits(stop, 0)
        for change in row.changes
        if change.value is not None
        for origin, number, _, _ in change.value.cuts
        if origin > 0
    }


def needed_in_memory(archive: Archive) -> set[SourceId]:
    """The sources that large values in memory are to be read from."""
    return {(origin, number) for value in archive.stored_values() for origin, number, _, _ in value.cuts if origin > 0}


def _never(_: Change) -> bool:
    return False


def _always(_: object) -> bool:
    return True
