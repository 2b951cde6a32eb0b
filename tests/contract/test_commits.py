"""Commits: immutable, dense, ordered by seq, and found by every form of address."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from typing import Any

import pytest

from backpack import Backpack
from backpack.errors import CommitNotFoundError, CommitPrunedError, InvalidKeyError

from .readings import is_parent


def ten() -> tuple[Any, list[Any]]:
    """A store with ten commits, and those commits; index 0 is commit 1."""
    bp = Backpack()
    return bp, [bp.pack("a", number) for number in range(1, 11)]


def test_seqs_are_dense_and_start_at_1() -> None:
    bp, commits = ten()
    assert [commit.seq for commit in commits] == list(range(1, 11))
    assert [commit.seq for commit in bp.history()] == list(range(10, 0, -1))


def test_a_refused_write_uses_up_no_seq() -> None:
    bp, _ = ten()
    with pytest.raises(TypeError):
        bp.pack("a", object())
    with pytest.raises(KeyError):
        bp.delete("missing")
    with pytest.raises(InvalidKeyError):
        bp.pack("", 1)
    assert bp.pack("a", 1).seq == 11


def test_the_parent_of_a_commit_is_the_one_before() -> None:
    bp, commits = ten()
    assert is_parent(commits[0].parent, None)
    for previous, commit in itertools.pairwise(commits):
        assert is_parent(commit.parent, previous)
        assert is_parent(bp.commit(commit.seq).parent, previous)


def test_ids_are_short_and_unique_and_differ_early() -> None:
    bp = Backpack()
    ids = [bp.pack("a", number).id for number in range(2_000)]
    assert all(isinstance(id_, str) and 4 <= len(id_) <= 40 for id_ in ids)
    assert len(set(ids)) == 2_000
    assert len({id_[:8] for id_ in ids}) > 1_900


def test_a_commit_is_immutable() -> None:
    bp = Backpack()
    commit = bp.pack("a", 1, tags=("t",))
    for name in ("id", "seq", "parent", "time", "node", "message", "tags", "changes", "size"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(commit, name, None)
    assert bp.commit(1).seq == 1


def test_tags_given_as_a_list_are_copied() -> None:
    bp = Backpack()
    tags = ["t"]
    commit = bp.pack("a", 1, tags=tags)
    tags.append("u")
    assert set(commit.tags) == {"t"}
    assert set(bp.commit(1).tags) == {"t"}


def test_a_commit_tells_kind_version_size_and_whether_it_is_large() -> None:
    bp = Backpack(max_value_size=100)
    commit = bp.update({"small": 1, "large": "x" * 500})
    assert commit.changes["small"].kind == "pack"
    assert not commit.changes["small"].is_large
    assert commit.changes["large"].is_large
    assert commit.changes["large"].size > 500
    assert commit.changes["large"].version == 1
    assert commit.size > 0


def test_a_commit_compares_equal_to_itself_read_again() -> None:
    bp, commits = ten()
    again = bp.commit(4)
    assert (again.id, again.seq, again.time, again.node, again.message) == (
        commits[3].id,
        4,
        commits[3].time,
        commits[3].node,
        commits[3].message,
    )


# -- addresses ---------------------------------------------------------------------------------------------


def unique_prefix(id_: str, ids: list[str]) -> str:
    length = 4
    while sum(other.startswith(id_[:length]) for other in ids) > 1:
        length += 1
    return id_[:length]


def test_a_commit_is_found_by_every_form_of_address() -> None:
    bp, commits = ten()
    bp.checkpoint("here", at=4)
    ids = [commit.id for commit in commits]
    for at in (4, commits[3], commits[3].id, unique_prefix(commits[3].id, ids), "HEAD~6", "here"):
        assert bp.commit(at).seq == 4
        assert bp.snapshot(at)["a"] == 4
        assert not bp.diff(at, at).changed
        assert next(iter(bp.history(before=at))).seq == 3
        assert bp.fork(at)["a"] == 4
    assert bp.commit("HEAD").seq == 10
    assert bp.commit("HEAD~0").seq == 10
    assert bp.commit("HEAD~9").seq == 1


def test_every_address_form_works_for_restore_and_checkpoint_and_replay() -> None:
    bp, commits = ten()
    bp.checkpoint("here", at="HEAD~6")
    for at in (4, commits[3], commits[3].id, "here"):
        assert bp.fork(10).replay(at, skip=[commits[9]])["a"] == 9
        bp.restore(at)
        assert bp["a"] == 4
        bp.pack("a", "other")


def test_an_aware_datetime_means_the_last_commit_at_or_before_it() -> None:
    bp = Backpack()
    commits = []
    for number in range(3):
        commits.append(bp.pack("a", number))
        time.sleep(0.002)
    first, second, third = commits
    assert first.time < second.time < third.time
    assert bp.commit(second.time).seq == 2
    assert bp.commit(second.time + (third.time - second.time) / 2).seq == 2
    assert bp.commit(third.time + dt.timedelta(days=9)).seq == 3
    assert bp.snapshot(first.time)["a"] == 0
    other_zone = second.time.astimezone(dt.timezone(dt.timedelta(hours=-7)))
    assert bp.commit(other_zone).seq == 2


def test_the_time_that_a_commit_tells_finds_that_commit_or_one_of_the_same_time() -> None:
    bp, commits = ten()
    for commit in commits:
        found = bp.commit(commit.time)
        assert found.seq >= commit.seq
        assert found.time == commit.time


def test_a_time_before_the_first_commit_is_the_empty_beginning() -> None:
    bp, commits = ten()
    early = commits[0].time - dt.timedelta(seconds=1)
    assert dict(bp.snapshot(early)) == {}
    assert set(bp.diff(early).added) == {"a"}
    assert bp.fork(early).pack("x", 1).seq == 1


def test_a_naive_datetime_is_refused() -> None:
    bp, _ = ten()
    for call in (bp.snapshot, bp.commit, bp.restore, bp.fork, bp.diff):
        with pytest.raises((ValueError, TypeError)):
            call(dt.datetime(2024, 1, 1))
    assert bp.head.seq == 10


def test_seq_0_is_the_empty_beginning() -> None:
    bp, _ = ten()
    assert dict(bp.snapshot(0)) == {}
    assert len(bp.snapshot(0)) == 0
    assert set(bp.diff(0).added) == {"a"}
    commit = bp.restore(0)
    assert commit.seq == 11
    assert len(bp) == 0
    assert dict(bp.fork(0)) == {}


@pytest.mark.parametrize(
    "at", [11, 10**30, -1, -10, "HEAD~11", "HEAD~99999999999999999999", "nobody", "", "HEAD~-1", "head", "HEAD~1x"]
)
def test_an_unknown_address_raises_commit_not_found(at: Any) -> None:
    bp, _ = ten()
    for call in (bp.snapshot, bp.commit, bp.restore, bp.fork, bp.diff, bp.replay):
        with pytest.raises(CommitNotFoundError):
            call(at)
    assert bp.head.seq == 10


def test_an_address_of_a_strange_type_is_refused() -> None:
    bp, _ = ten()
    for at in (1.5, [1], object(), b"HEAD"):
        with pytest.raises((TypeError, ValueError, LookupError)):
            bp.snapshot(at)


def test_none_is_refused_where_an_at_must_be_given() -> None:
    bp = Backpack()
    before = bp.head  # None: the empty beginning, and not what is the newest by and by
    first = bp.pack("a", 1)
    bp.pack("a", 2)
    node, snapshot = bp.node("n"), bp.snapshot(1)
    for call in (
        lambda: bp.commit(before),
        lambda: bp.diff(first.parent, first),
        lambda: bp.restore(before),
        lambda: bp.replay(before),
        lambda: bp.replay(0, skip=[before]),
        lambda: bp.replay(0, replace={before: {"a": 3}}),
        lambda: node.commit(before),
        lambda: node.diff(before),
        lambda: node.restore(before),
        lambda: snapshot.diff(before),
    ):
        with pytest.raises(ValueError, match="0 is the empty beginning"):
            call()
    assert dict(bp) == {"a": 2} and set(bp.diff(0, first).added) == {"a"}


def test_an_ambiguous_prefix_raises_commit_not_found() -> None:
    bp = Backpack()
    seen: dict[str, str] = {}
    for number in range(20_000):
        id_ = bp.pack("a", number).id
        if id_[:4] in seen:
            with pytest.raises(CommitNotFoundError):
                bp.commit(id_[:4])
            return
        seen[id_[:4]] = id_
    pytest.skip("no two ids share four characters in 20,000 commits")


def test_a_checkpoint_name_goes_before_an_id_prefix() -> None:
    bp, commits = ten()
    name = unique_prefix(commits[7].id, [commit.id for commit in commits])
    if name.isdigit():
        return
    bp.checkpoint(name, at=2)
    assert bp.commit(name).seq == 2
    assert bp.commit(commits[7].id).seq == 8


def test_a_string_of_digits_is_no_seq() -> None:
    bp, commits = ten()
    if any(commit.id.startswith("4") for commit in commits):
        return
    with pytest.raises(CommitNotFoundError):
        bp.commit("4")


def test_head_tilde_n_goes_by_seq_and_not_by_survivors() -> None:
    bp = Backpack(max_history_size=10_000, max_commits=5, prune_percentage=0.5)
    bp.pack("a", 1)
    bp.checkpoint("first")
    for number in range(2, 21):
        bp.pack("a", number)
    assert bp.commit("HEAD~1").seq == 19
    with pytest.raises(CommitPrunedError):
        bp.commit("HEAD~10")
    assert bp.commit("HEAD~19").seq == 1
    assert bp.commit("first").seq == 1
    with pytest.raises(CommitNotFoundError):
        bp.commit("HEAD~21")


def test_what_was_known_and_is_gone_raises_commit_pruned_with_the_oldest_one_left() -> None:
    bp = Backpack(max_history_size=2_000)
    commits = [bp.pack("a", "x" * 100 + str(number)) for number in range(100)]
    oldest = min(commit.seq for commit in bp.history())
    assert 1 < oldest <= 100
    for commit in commits[: oldest - 1]:
        for at in (commit, commit.seq, commit.id, f"HEAD~{100 - commit.seq}"):
            for call in (bp.commit, bp.snapshot, bp.restore, bp.fork, bp.diff):
                with pytest.raises(CommitPrunedError) as caught:
                    call(at)
                assert caught.value.oldest == oldest
    assert bp.commit(oldest).seq == oldest
    assert not issubclass(CommitPrunedError, CommitNotFoundError)


# -- time and order ----------------------------------------------------------------------------------------


def test_times_are_aware_and_about_now() -> None:
    before = dt.datetime.now(dt.UTC)
    commit = Backpack().pack("a", 1)
    after = dt.datetime.now(dt.UTC)
    assert commit.time.utcoffset() is not None
    margin = dt.timedelta(milliseconds=5)
    assert before - margin <= commit.time <= after + margin


def test_times_never_decrease_and_order_is_by_seq_though_the_clock_goes_backwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [time.time_ns()]

    def backwards_ns() -> int:
        now[0] -= 3_600 * 10**9
        return now[0]

    monkeypatch.setattr(time, "time_ns", backwards_ns)
    monkeypatch.setattr(time, "time", lambda: backwards_ns() / 1e9)
    bp = Backpack()
    commits = [bp.pack("a", number) for number in range(8)]
    times = [commit.time for commit in commits]
    assert times == sorted(times)
    assert [commit.time for commit in bp.history()] == sorted(times, reverse=True)
    assert [commit.seq for commit in bp.history()] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert bp.head.seq == 8
    assert bp["a"] == 7
    for commit in commits:
        assert bp.snapshot(commit)["a"] == commit.seq - 1
        assert bp.commit(f"HEAD~{8 - commit.seq}").seq == commit.seq
    assert bp.commit(times[-1]).seq == 8
    assert [commit.seq for commit in bp.history(after=3, before=6)] == [5, 4]
    fork = bp.fork(4)
    assert fork.pack("a", "fork").time >= commits[3].time


def test_a_clock_that_stands_still_keeps_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: frozen)
    monkeypatch.setattr(time, "time", lambda: frozen / 1e9)
    bp, commits = ten()
    assert [commit.seq for commit in bp.history()] == list(range(10, 0, -1))
    found = bp.commit(commits[0].time)
    assert found.time == commits[0].time
    assert bp.commit("HEAD").seq == 10


# -- history -----------------------------------------------------------------------------------------------


def mixed() -> Any:
    bp = Backpack()
    bp.pack("a", 1, node="x", tags=("t",))
    bp.pack("b", 1, node="y")
    bp.update({"a": 2, "b": 2}, node="x", tags=("t", "u"))
    bp.delete("a")
    bp.pack("c", 1, node="y", tags=("u",))
    return bp


@pytest.mark.parametrize(
    ("filters", "seqs"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"key": "a"}, [4, 3, 1]),
        ({"key": "never"}, []),
        ({"node": "x"}, [3, 1]),
        ({"tag": "t"}, [3, 1]),
        ({"tag": "u"}, [5, 3]),
        ({"before": 3}, [2, 1]),
        ({"after": 3}, [5, 4]),
        ({"after": 1, "before": 5}, [4, 3, 2]),
        ({"after": 0}, [5, 4, 3, 2, 1]),
        ({"before": "HEAD"}, [4, 3, 2, 1]),
        ({"limit": 2}, [5, 4]),
        ({"key": "a", "node": "x", "limit": 1}, [3]),
        ({"key": "b", "after": 2}, [3]),
    ],
)
def test_history_is_newest_first_and_filtered(filters: dict[str, Any], seqs: list[int]) -> None:
    assert [commit.seq for commit in mixed().history(**filters)] == seqs


def test_history_takes_the_key_by_position() -> None:
    assert [commit.seq for commit in mixed().history("b")] == [3, 2]


@pytest.mark.uncounted
def test_history_is_lazy() -> None:
    bp = Backpack()
    for number in range(50_000):
        bp.pack("a", number)
    start = time.perf_counter()
    assert next(iter(bp.history())).seq == 50_000
    assert time.perf_counter() - start < 0.02


def test_a_history_being_read_survives_new_commits() -> None:
    bp, _ = ten()
    seqs = []
    for commit in bp.history():
        seqs.append(commit.seq)
        bp.pack("b", commit.seq)
        if len(seqs) > 50:
            break
    assert seqs[:3] == sorted(seqs[:3], reverse=True)
    assert set(range(1, 10)) <= set(seqs)
