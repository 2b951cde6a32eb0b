"""What is sealed comes back exactly."""

from bisect import bisect_right
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.archive.content import Change, CommitRow, Value
from backpack.archive.keyframe import Keyframe
from backpack.errors import CorruptionError, InvalidArgumentError
from tests.archive.made import DIGESTS, KEYS, Made, alike, everything, made, opened


def same_commit(one: CommitRow, other: CommitRow) -> bool:
    return (
        (one.seq, one.time_ns, one.label) == (other.seq, other.time_ns, other.label)
        and len(one.changes) == len(other.changes)
        and all(map(alike, one.changes, other.changes))
    )


@given(made())
def test_every_commit_comes_back_by_its_number_and_in_a_row(content: Made) -> None:
    segment = opened(content.sealed())
    assert (segment.first_seq, segment.last_seq) == content.range
    assert segment.commit_count == len(content.commits)
    for commit in content.commits:
        found = segment.commit(commit.seq)
        assert found is not None and same_commit(found, commit)
    assert segment.commit(content.range[0] - 1) is None and segment.commit(content.range[1] + 1) is None
    rows = list(segment.commits(content.range[1] + 1, 0))
    assert len(rows) == len(content.commits) and all(map(same_commit, rows, reversed(content.commits)))


@given(made())
def test_every_change_comes_back_by_key(content: Made) -> None:
    segment = opened(content.sealed())
    assert segment.keys() == sorted({change.key for change in content.changes})
    for key in (*KEYS, "never"):
        expected = [change for change in content.changes if change.key == key]
        found = segment.changes(key)
        assert len(found) == len(expected) and all(map(alike, found, expected))
        assert list(segment.seqs(key)) == [change.seq for change in expected]
    assert sorted((change.key, change.seq) for change in segment.rows()) == sorted(
        (change.key, change.seq) for change in content.changes
    )


@given(made(first_seq=1000), st.integers(990, 1020))
def test_a_read_as_of_any_commit_is_what_a_model_says(content: Made, seq: int) -> None:
    segment = opened(content.sealed())
    newest: dict[str, Change] = {}
    for change in content.changes:
        if change.seq <= seq:
            newest[change.key] = change
    for key in (*KEYS, "never"):
        assert alike(segment.find(key, seq), newest.get(key))
        found = segment.find_bytes(key, seq)
        if isinstance(found, bytes):
            change = newest[key]
            assert change.kind == "pack" and not change.is_large and not change.is_purged and change.value is not None
            (origin, number, start, stop), *others = change.value.cuts
            assert found == content.sources[origin, number][start:stop] and not others
        else:
            assert alike(found, newest.get(key))
    told = dict(segment.newest(seq))
    assert {key: (one.seq, one.kind, one.version) for key, one in told.items()} == {
        key: (change.seq, change.kind, change.version) for key, change in newest.items()
    }


@given(made(), st.data())
def test_every_slice_of_every_source_comes_back(content: Made, data: st.DataObject) -> None:
    segment = opened(content.sealed())
    assert segment.sources() == sorted(content.sources)
    for source, whole in content.sources.items():
        assert segment.size_of(source) == len(whole)
        start = data.draw(st.integers(0, len(whole)))
        stop = data.draw(st.integers(start, len(whole)))
        assert segment.read(*source, start, stop) == whole[start:stop]
        assert segment.read(*source, 0, len(whole)) == whole


def test_own_bytes_and_blobs_that_no_cut_uses_come_back_too() -> None:
    content = everything()
    value = Value(((1, 0, 0, len(content.sources[1, 0])),), b"own", DIGESTS)
    content.commits = [CommitRow(1, 1, (None, None, ()), [Change("a", 1, "pack", 1, value)])]
    found = opened(content.sealed()).find("a", 1)
    assert found is not None and found.value == value


@pytest.fixture
def small_large_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("backpack.archive.sealing.LARGE_BLOCK_SIZE", 100)
    yield


@pytest.mark.usefixtures("small_large_blocks")
def test_slices_of_a_long_source_come_back_over_the_borders_of_its_blocks() -> None:
    content = everything()
    whole = content.sources[1, 1] = bytes(range(256)) * 3
    del content.commits[1:]
    segment = opened(content.sealed())
    for start in range(0, 768, 7):
        for stop in range(start, 769, 13):
            assert segment.read(1, 1, start, stop) == whole[start:stop]


@given(made(commit_max=30), st.lists(st.integers(0, 5 * 10**13), max_size=10))
def test_the_commit_at_a_time_is_what_a_model_says(content: Made, steps: list[int]) -> None:
    segment = opened(content.sealed())
    times = [commit.time_ns for commit in content.commits]
    for time_ns in [*times, times[0] - 1, *[times[0] + step for step in steps]]:
        index = bisect_right(times, time_ns)
        assert segment.seq_at(time_ns) == (content.commits[index - 1].seq if index else 0)


@pytest.fixture
def equal_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module in ("sieve", "index"):
        monkeypatch.setattr(f"backpack.archive.{module}.hash_of", lambda name: len(name) % 2)
    yield


@pytest.mark.usefixtures("equal_hashes")
def test_keys_of_equal_hashes_are_told_apart() -> None:
    content = everything()
    names = [f"key{number}" for number in range(20)]
    value = content.changes[0].value
    content.commits = [
        CommitRow(seq, seq, (None, None, ()), [Change(name, seq, "pack", 1, value)])
        for seq, name in enumerate(names, 1)
    ]
    segment = opened(content.sealed(keyframe=keyframe_of(content)))
    for seq, name in enumerate(names, 1):
        assert [change.seq for change in segment.changes(name)] == [seq]
        assert segment.keyframe_seq_of(name) == seq
    assert segment.find("key99", 100) is None and segment.keyframe_seq_of("key99") == 0


def keyframe_of(content: Made) -> Keyframe:
    newest = {change.key: change for change in content.changes}
    names = sorted(newest)
    changes = [newest[name] for name in names]
    codes = [("pack", "delete", "quarantine", "release").index(change.kind) for change in changes]
    return Keyframe(
        names,
        [change.seq for change in changes],
        [change.version for change in changes],
        codes,
        [0 if change.value is None else change.value.size for change in changes],
        [int(change.is_large) for change in changes],
        [0] * len(names),
    )


@given(made())
def test_a_keyframe_comes_back_whole_and_key_by_key(content: Made) -> None:
    keyframe = keyframe_of(content)
    segment = opened(content.sealed(keyframe=keyframe))
    assert segment.has_keyframe
    found = segment.keyframe()
    assert found is not None
    for column in ("names", "seqs", "versions", "kinds", "sizes", "larges", "repeats"):
        assert list(getattr(found, column)) == list(getattr(keyframe, column))
    for name, seq in zip(keyframe.names, keyframe.seqs, strict=True):
        assert segment.keyframe_seq_of(name) == seq
    assert segment.keyframe_seq_of("never") == 0


def test_a_segment_without_a_keyframe_says_so() -> None:
    segment = opened(everything().sealed())
    assert not segment.has_keyframe and segment.keyframe() is None


def test_commits_stop_where_they_are_told_to_and_skip_pages_without_a_wanted_label() -> None:
    value = Value(((1, 0, 0, 1),))
    commits = [
        CommitRow(seq, seq, ("even" if seq % 2 else "odd", str(seq // 300), ()), [Change("k", seq, "pack", seq, value)])
        for seq in range(1, 1001)
    ]
    segment = opened(Made(commits, {(1, 0): b"x"}).sealed())
    assert [row.seq for row in segment.commits(700, 200)] == list(range(699, 200, -1))
    assert [row.seq for row in segment.commits(5000, 998)] == [1000, 999]
    assert list(segment.commits(1, 0)) == []
    wanted = segment.facts(1001, 0, lambda label: label[1] == "2" and label[0] == "odd")
    assert [seq for seq, _, _ in wanted] == [seq for seq in range(898, 599, -2)]
    assert [row.seq for row in segment.commits(700, 690, lambda label: label[0] == "odd")] == [698, 696, 694, 692]


def test_what_a_segment_does_not_hold_is_refused() -> None:
    segment = opened(everything().sealed())
    for place in ((1, 9, 0, 1), (2, 0, 0, 1), (1, 0, 0, 37), (1, 0, 3, 2), (1, 0, -1, 2), (1, -1, 0, 1)):
        with pytest.raises(CorruptionError, match="file=1"):
            segment.read(*place)
    with pytest.raises(CorruptionError):
        segment.size_of((1, 9))


def test_a_segment_of_another_store_is_refused() -> None:
    with pytest.raises(CorruptionError, match="another store"):
        opened(everything().sealed(), store_id=b"of another store")


def test_contents_that_can_be_no_segment_are_refused() -> None:
    content = everything()
    content.commits.reverse()
    with pytest.raises(InvalidArgumentError, match="not in order"):
        content.contents()
        content.sealed()
