"""Contents of segments for tests: random ones, and one that is small and has everything."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st

from backpack.archive.cache import Cache
from backpack.archive.content import BLOB, OWN, Change, CommitRow, Cut, SourceId, Value
from backpack.archive.contents import Contents
from backpack.archive.keyframe import Keyframe
from backpack.archive.layout import cover_name
from backpack.archive.sealing import seal
from backpack.archive.segment import Segment
from backpack.core.commit import Label
from backpack.storage.cover import PLAIN, Covers
from backpack.storage.memory import MemoryFolder

STORE: Final = b"store-of-a-test!"
ELSEWHERE: Final = 99
"""An origin that no segment of a test holds."""
DIGESTS: Final = (b"a" * 32, b"b" * 32)
KEYS: Final = ("a", "b.c", "ключ", "key\nwith\0odd", "k" * 300, "z")


@dataclass
class Made:
    """Commits, and the bytes they point to."""

    commits: list[CommitRow]
    sources: dict[SourceId, bytes]
    origins: tuple[int, int] = (1, 1)

    @property
    def changes(self) -> list[Change]:
        return [change for commit in self.commits for change in commit.changes]

    @property
    def range(self) -> tuple[int, int]:
        return self.commits[0].seq, self.commits[-1].seq

    def contents(self, base_rows: Sequence[Change] = ()) -> Contents:
        def parts_of(source: SourceId) -> Iterable[bytes]:
            data = self.sources[source]
            return [data[: len(data) // 2], data[len(data) // 2 :]]

        sizes = {source: len(data) for source, data in self.sources.items()}
        return Contents(self.origins, *self.range, self.commits, sizes, parts_of, base_rows)

    def sealed(self, *, covers: Covers = PLAIN, keyframe: Keyframe | None = None, block_size: int = 64) -> bytes:
        cover = covers.fresh(cover_name(self.origins))
        return b"".join(seal(self.contents(), store_id=STORE, cover=cover, keyframe=keyframe, block_size=block_size))


def opened(data: bytes, *, covers: Covers = PLAIN, cache: Cache | None = None, store_id: bytes = STORE) -> Segment:
    file = MemoryFolder({"1.seg": data}).open("1.seg")
    return Segment(file, cache or Cache(), covers, store_id)


def alike(one: Change | None, other: Change | None) -> bool:
    """Do they say the same?"""
    if one is None or other is None:
        return one is other
    if (one.value is None) != (other.value is None):
        return False
    if one.value is not None and other.value is not None:
        return one.value == other.value and one.value.size == other.value.size and _facts(one) == _facts(other)
    return _facts(one) == _facts(other)


def _facts(change: Change) -> tuple[object, ...]:
    return change.key, change.seq, change.kind, change.version, change.is_large, change.is_purged, change.reason


_TEXTS = st.sampled_from(["", "one", "два", "three words here"])
_LABELS: st.SearchStrategy[Label] = st.tuples(
    st.sampled_from([None, "node", "другой"]), st.none() | _TEXTS, st.lists(_TEXTS, max_size=3).map(tuple)
)


@st.composite
def made(draw: st.DrawFn, *, first_seq: int = 1, origin: int = 1, commit_max: int = 12) -> Made:
    """A run of commits that do anything."""
    sizes = draw(st.lists(st.sampled_from([1, 2, 7, 60, 64, 65, 200, 1000]), min_size=1, max_size=8))
    noise = draw(st.binary(min_size=1, max_size=40))
    sources = {
        (origin, number): (noise * (size // len(noise) + 1))[: size - 1] + bytes([number])
        for number, size in enumerate(sizes)
    }
    versions = dict.fromkeys(KEYS, draw(st.sampled_from([0, 5, 1 << 33])))
    seq, time_ns = first_seq, draw(st.sampled_from([0, 1_700_000_000_000_000_000]))
    commits = []
    for _ in range(draw(st.integers(1, commit_max))):
        keys = draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4, unique=True))
        changes = []
        for key in keys:
            versions[key] += draw(st.sampled_from([1, 1, 1, 3]))
            changes.append(draw(_changes(key, seq, versions[key], sources)))
        time_ns += draw(st.sampled_from([0, 1, 4_000, 10**12]))
        commits.append(CommitRow(seq, time_ns, draw(_LABELS), changes))
        seq += 1
    return Made(commits, sources, (origin, origin))


@st.composite
def _changes(draw: st.DrawFn, key: str, seq: int, version: int, sources: dict[SourceId, bytes]) -> Change:
    kind = draw(st.sampled_from(["pack", "pack", "pack", "delete", "quarantine", "release"]))
    if kind == "delete":
        return Change(key, seq, kind, version, None)
    is_purged = draw(st.integers(0, 9)) == 0
    reason = draw(_TEXTS) if kind == "quarantine" else ""
    value = Value((), size=draw(st.integers(0, 1 << 40))) if is_purged else draw(_values(sources))
    is_large = draw(st.booleans())
    return Change(key, seq, kind, version, value, is_large=is_large, is_purged=is_purged, reason=reason)


@st.composite
def _values(draw: st.DrawFn, sources: dict[SourceId, bytes]) -> Value:
    if draw(st.booleans()):
        source = draw(st.sampled_from(sorted(sources)))
        return Value(((*source, 0, len(sources[source])),))
    own = draw(st.binary(max_size=6))
    blobs = DIGESTS[: draw(st.integers(0, 2))]
    cuts: list[Cut] = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["here", "here", "own", "blob", "elsewhere"]))
        if kind == "here":
            source = draw(st.sampled_from(sorted(sources)))
            start = draw(st.integers(0, len(sources[source])))
            cuts.append((*source, start, draw(st.integers(start, len(sources[source])))))
        elif kind == "own":
            cuts.append((OWN, 0, 0, len(own)))
        elif kind == "blob" and blobs:
            cuts.append((BLOB, len(blobs) - 1, 10, 1 << 35))
        else:
            cuts.append((ELSEWHERE, 3, 4, 5))
    return Value(tuple(cuts), own, blobs)


def everything() -> Made:
    """Few bytes, and one of each."""
    sources = {(1, 0): b"first value " * 3, (1, 1): b"\x92 a longer one, " * 12, (1, 2): b"x", (1, 3): b"nobody's"}
    whole = [Value(((*source, 0, len(data)),)) for source, data in sources.items()]
    mixed = Value(((OWN, 0, 0, 3), (1, 1, 5, 100), (ELSEWHERE, 7, 0, 9), (BLOB, 0, 0, 50)), b"own", (DIGESTS[0],))
    return Made(
        [
            CommitRow(1, 1_000, ("node", "a message", ("tag",)), [Change("a", 1, "pack", 1, whole[0])]),
            CommitRow(2, 2_000, (None, None, ()), [Change("b", 2, "pack", 1, whole[1], is_large=True)]),
            CommitRow(
                3,
                2_500,
                ("node", None, ("tag", "other")),
                [Change("b", 3, "quarantine", 2, mixed, reason="odd"), Change("a", 3, "delete", 2, None)],
            ),
            CommitRow(4, 9_000, ("node", "a message", ()), [Change("c", 4, "pack", 9, whole[2])]),
            CommitRow(5, 9_000, (None, "", ()), [Change("a", 5, "release", 3, Value((), size=77), is_purged=True)]),
        ],
        sources,
    )
