"""Changes of which nothing is left but their traces.

Versions of a key count up by one, so a gap between two that are left says that changes are lost, and where. A keyframe
says more: the last change of each key with its seq, kind, version and size. And where neither speaks, a key that was
not changed behind a hole may have been changed in it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backpack.archive.broken import Hole
from backpack.archive.content import DAMAGED, Change, Value
from backpack.archive.frames import KINDS
from backpack.archive.parts import Part
from backpack.archive.segment import Segment


@dataclass(frozen=True, slots=True)
class Traces:
    """What is known of lost changes."""

    changes: list[Change]
    """They stand where lost ones did, without a value, or where the last of them may have been."""
    doubtful: dict[str, int]
    """Keys of which the last change that is left may not be the last, and the seq of that."""


def traced(parts: Sequence[Part], holes: Sequence[Hole], left: Iterable[Change]) -> Traces:
    """`left`: every change that can be read, in any order."""
    known: dict[str, dict[int, tuple[int, str]]] = {}
    for change in left:
        known.setdefault(change.key, {})[change.seq] = change.version, change.kind
    if not holes:
        return Traces([], {})
    found: list[Change] = []
    frames = [part for part in parts if isinstance(part, Segment) and part.has_keyframe]
    for part in frames:
        for change in _named(part, holes):
            seqs = known.setdefault(change.key, {})
            if change.seq not in seqs:
                seqs[change.seq] = change.version, change.kind
                found.append(change)
    doubtful: dict[str, int] = {}
    for key, seqs in known.items():
        found += _between(key, sorted((seq, version) for seq, (version, _) in seqs.items()), holes)
        last = max(seqs)
        later = [hole for hole in holes if hole.last_seq > last]
        if later and seqs[last][1] != "delete":
            is_proved = any(
                part.last_seq >= later[-1].last_seq and part.keyframe_seq_of(key) == last for part in frames
            )
            if not is_proved:
                doubtful[key] = last
    return Traces(found, doubtful)


def _named(part: Segment, holes: Sequence[Hole]) -> Iterable[Change]:
    """What a keyframe says of changes that are lost."""
    keyframe = part.keyframe()
    assert keyframe is not None
    for place, seq in enumerate(keyframe.seqs):
        if any(hole.first_seq <= seq <= hole.last_seq for hole in holes):
            kind = KINDS[keyframe.kinds[place]]
            yield _lost(keyframe.names[place], seq, kind, keyframe.versions[place], keyframe.sizes[place])


def _between(key: str, entries: list[tuple[int, int]], holes: Sequence[Hole]) -> Iterable[Change]:
    """A change where versions are missing: in the first hole that may have had them, at its end."""
    before, last_version = 0, 0
    for seq, version in entries:
        if version > last_version + 1:
            for hole in holes:
                place = min(hole.last_seq, seq - 1)
                if place > before and place >= hole.first_seq:
                    yield _lost(key, place, "pack", last_version + 1, 0)
                    break
        before, last_version = seq, version


def _lost(key: str, seq: int, kind: str, version: int, size: int) -> Change:
    if kind == "delete":
        return Change(key, seq, kind, version, None)
    reason = "" if kind == "quarantine" else DAMAGED
    return Change(key, seq, kind, version, Value((), size=size), is_purged=True, reason=reason)
