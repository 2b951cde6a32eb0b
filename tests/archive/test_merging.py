"""What a rewrite keeps, carries forward, and drops."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.archive.content import Change, CommitRow, SourceId, Value
from backpack.archive.layout import cover_name
from backpack.archive.merging import blobs_of, merged, referenced
from backpack.archive.sealing import seal
from backpack.archive.segment import Segment
from backpack.errors import CorruptionError, InvalidArgumentError
from backpack.storage.cover import PLAIN
from tests.archive.made import DIGESTS, ELSEWHERE, KEYS, STORE, Made, alike, everything, made, opened
from tests.archive.test_segments import same_commit


def always(_: object) -> bool:
    return True


def never(_: object) -> bool:
    return False


def rewritten(
    segments: list[Segment],
    keep: Callable[[Change], bool] = always,
    keep_commit: Callable[[int], bool] = always,
    purged: Callable[[Change], bool] = never,
    needed: frozenset[SourceId] = frozenset(),
) -> Segment:
    contents = merged(segments, keep=keep, keep_commit=keep_commit, purged=purged, needed=needed)
    cover = PLAIN.fresh(cover_name(contents.origins))
    segment = opened(b"".join(seal(contents, store_id=STORE, cover=cover, block_size=64)))
    assert list(segment.check()) == []
    return segment


@st.composite
def neighbours(draw: st.DrawFn) -> list[Made]:
    """Segments that follow each other, with versions that go on."""
    found: list[Made] = []
    versions: dict[str, int] = {}
    for number in range(draw(st.integers(1, 3))):
        first = found[-1].range[1] + 1 if found else 1
        one = draw(made(first_seq=first, origin=3 * number + 1, commit_max=5))
        for change in one.changes:
            change.version = versions[change.key] = versions.get(change.key, 0) + 1
        later = found[-1].commits[-1].time_ns if found else 0
        for commit in one.commits:
            commit.time_ns += later
        found.append(one)
    return found


@given(neighbours())
def test_merging_all_of_them_changes_nothing_that_is_used(several: list[Made]) -> None:
    segments = [opened(one.sealed()) for one in several]
    segment = rewritten(segments)
    assert segment.origins == (several[0].origins[0], several[-1].origins[1])
    commits = [commit for one in several for commit in one.commits]
    assert segment.commit_count == len(commits)
    assert all(map(same_commit, segment.commits(10**6, 0), reversed(commits)))
    used = {cut[:2] for one in several for change in one.changes if change.value for cut in change.value.cuts}
    sources = {source: data for one in several for source, data in one.sources.items() if source in used}
    assert segment.sources() == sorted(sources)
    for source, data in sources.items():
        assert segment.read(*source, 0, len(data)) == data
    for key in KEYS:
        for seq in range(commits[-1].seq + 2):
            newest = [change for commit in commits for change in commit.changes if change.key == key]
            newest = [change for change in newest if change.seq <= seq]
            assert alike(segment.find(key, seq), newest[-1] if newest else None)


@given(neighbours(), st.data())
def test_a_rewrite_keeps_what_it_is_told_to_and_what_that_is_cut_from(several: list[Made], data: st.DataObject) -> None:
    changes = [change for one in several for change in one.changes]
    rows = {
        (change.key, change.seq): data.draw(st.sampled_from(["keep", "keep", "drop", "purge"])) for change in changes
    }
    kept_commits = {commit.seq for one in several for commit in one.commits if data.draw(st.booleans())}
    needed = frozenset(source for one in several for source in one.sources if data.draw(st.integers(0, 4)) == 0)
    segments = [opened(one.sealed()) for one in several]
    segment = rewritten(
        segments,
        lambda change: rows[change.key, change.seq] != "drop",
        kept_commits.__contains__,
        lambda change: rows[change.key, change.seq] == "purge",
        needed,
    )
    expected = []
    used = set(needed)
    for change in changes:
        verdict = rows[change.key, change.seq]
        if verdict == "purge" and change.value is not None and not change.is_purged:
            value = Value((), size=change.value.size)
            change = Change(
                change.key, change.seq, change.kind, change.version, value, is_large=change.is_large, is_purged=True
            )
        if verdict != "drop":
            expected.append(change)
            used |= {cut[:2] for cut in (change.value.cuts if change.value else ())}
    for key in KEYS:
        wanted = [change for change in expected if change.key == key]
        found = segment.changes(key)
        assert len(found) == len(wanted) and all(map(alike, found, wanted))
    for one in several:
        for commit in one.commits:
            row = segment.commit(commit.seq)
            assert (row is not None) == (commit.seq in kept_commits)
            if row is not None:
                wanted = [change for change in expected if change.seq == commit.seq]
                assert same_commit(row, CommitRow(commit.seq, commit.time_ns, commit.label, wanted))
        for source, content in one.sources.items():
            assert (source in segment.sources()) == (source in used)
            if source in used:
                assert segment.read(*source, 0, len(content)) == content
            else:
                with pytest.raises(CorruptionError):
                    segment.size_of(source)


def test_a_rewrite_can_be_rewritten_and_still_carries_rows_without_commits() -> None:
    once = rewritten([opened(everything().sealed())], keep_commit=lambda seq: seq > 3)
    assert [row.seq for row in once.commits(99, 0)] == [5, 4]
    twice = rewritten([once], keep_commit=lambda seq: seq > 4)
    assert [row.seq for row in twice.commits(99, 0)] == [5]
    for key in ("a", "b", "c"):
        assert all(map(alike, once.changes(key), twice.changes(key)))
        assert len(once.changes(key)) == len(twice.changes(key)) > 0
    assert (twice.first_seq, twice.last_seq) == (1, 5)
    assert twice.seq_at(8_999) == 0 and twice.seq_at(9_000) == 5


def test_a_rewrite_of_nothing_that_stays_is_an_empty_segment() -> None:
    segment = rewritten([opened(everything().sealed())], keep=never, keep_commit=never)
    assert segment.keys() == [] and segment.commit_count == 0 and segment.sources() == []
    assert segment.find("a", 5) is None and segment.commit(1) is None and segment.seq_at(10**9) == 0
    assert list(segment.commits(99, 0)) == [] and list(segment.newest(99)) == []


def test_purging_takes_the_bytes_out_of_the_file() -> None:
    content = everything()
    segment = opened(content.sealed())
    without = rewritten([segment], purged=lambda change: change.key == "b")
    assert without.sources() == [(1, 0), (1, 2)]
    (first, second) = without.changes("b")
    assert (first.is_purged, first.kind, first.version, first.size) == (True, "pack", 1, len(content.sources[1, 1]))
    assert (second.kind, second.reason, second.value and second.value.cuts) == ("quarantine", "", ())


def test_marking_finds_every_source_and_blob() -> None:
    segment = opened(everything().sealed())
    assert referenced(segment) == {(1, 0), (1, 1), (1, 2), (ELSEWHERE, 7)}
    assert blobs_of(segment) == {DIGESTS[0]}


def test_sources_are_read_when_they_are_sealed_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[SourceId] = []
    original = Segment.read

    def counted(self: Segment, origin: int, number: int, start: int, stop: int) -> bytes:
        read.append((origin, number))
        return original(self, origin, number, start, stop)

    monkeypatch.setattr(Segment, "read", counted)
    segment = opened(everything().sealed())
    contents = merged([segment], keep=always, keep_commit=always, purged=never, needed=frozenset())
    assert read == []
    list(seal(contents, store_id=STORE, cover=PLAIN.fresh(b"segment:1")))
    assert sorted(read) == [(1, 0), (1, 1), (1, 2)]


def test_segments_that_do_not_follow_each_other_are_refused() -> None:
    segment = opened(everything().sealed())
    for segments in ([], [segment, segment]):
        with pytest.raises(InvalidArgumentError, match="follow"):
            merged(segments, keep=always, keep_commit=always, purged=never, needed=frozenset())
