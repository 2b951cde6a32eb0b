"""Which blobs have to stay, and on whose account: the store's own values, those in memory, those that forks read."""

from collections.abc import Iterable

from backpack.archive.archive import Archive
from backpack.archive.compacting import valued
from backpack.archive.content import Change
from backpack.archive.parts import Part


def blobs_in_use(archive: Archive) -> set[bytes]:
    """The digests of all blobs that somebody may still read. Cost: O(values) of the store, and of forks that purged
    large values."""
    found = {digest for value in archive.stored_values() for digest in value.blobs}
    parts: set[Part] = set(archive.parts)
    for twin in archive.twins:
        erased = _digests(change for key in twin.erased for change in valued(twin, key) if twin.is_erased(change))
        if erased:
            found |= erased & _digests(_kept(twin, {key for part in twin.readable_parts for key in part.keys()}))  # noqa: SIM118
            found |= {digest for part in twin.parts for digest in part.blobs()} - erased
        else:
            parts.update(twin.parts)
    for part in parts:
        found |= part.blobs()
    return found


def held_by_forks(archive: Archive, keys: Iterable[str]) -> int:
    """How many blobs of these keys no value of the store points to any more, but of forks. Cost: O(their changes)."""
    held = _digests(change for twin in archive.twins for change in _kept(twin, keys))
    return len(held.difference(*(part.blobs() for part in archive.parts))) if held else 0


def _kept(archive: Archive, keys: Iterable[str]) -> Iterable[Change]:
    return (change for key in keys for change in valued(archive, key) if not archive.is_erased(change))


def _digests(changes: Iterable[Change]) -> set[bytes]:
    return {digest for change in changes if change.value is not None for digest in change.value.blobs}
