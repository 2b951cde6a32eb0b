"""States of both kinds, and what is read through them: snapshots, diffs, restores, replays across kinds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from backpack import Backpack, ValueUnavailableError
from backpack.core.commit import Commit
from backpack.core.ids import Epoch
from backpack.core.patterns import Pattern
from backpack.core.payload import join
from backpack.store import travel
from backpack.store.snapshot import Snapshot
from backpack.store.state import Found, State, has_same_bytes

from .state_contract import StateContract, story


class Copied:
    """A state that shares nothing with the memory of its store, as on a disk: plain bytes, no forms, no candidates."""

    def __init__(self, bp: Backpack, seq: int) -> None:
        remembered = bp._state(seq)
        self.seq = seq
        self._commit = remembered.commit()
        self._founds: dict[str, Found] = {}
        self._authors: dict[str, Commit | None] = {}
        self._setters: dict[str, Commit | None] = {}
        self.touched = 0
        for key in bp._engine.names:
            found = remembered.find(key)
            if found is not None:
                content = None if found.kind == "delete" else found.content()
                told: Any = content if content is None or isinstance(content, str) else bytes(bytearray(join(content)))
                self._founds[key] = Found(
                    key,
                    found.seq,
                    found.kind,
                    found.version,
                    found.size,
                    lambda told=told: told,  # type: ignore[misc]
                    is_large=found.is_large,
                    reason=found.reason,
                )
                self._authors[key] = remembered.author(found)
                self._setters[key] = remembered.setter(found)

    def at_hand(self, key: Any) -> bytes | None:
        return None

    def find(self, key: str) -> Found | None:
        return self._founds.get(key)

    def has(self, key: str) -> bool:
        return key in self._founds and self._founds[key].is_visible

    def keys(self) -> list[str]:
        return sorted(key for key in self._founds if self.has(key))

    def select(self, pattern: Pattern) -> list[str]:
        return [key for key in sorted(self._founds) if self.has(key) and pattern.matches(key)]

    def unreachable(self) -> list[Found]:
        return [found for found in self._founds.values() if isinstance(found.content(), str)]

    def commit(self) -> Commit | None:
        return self._commit

    def author(self, found: Found) -> Commit | None:
        return self._authors[found.key]

    def remover(self, key: str) -> Commit | None:
        return None

    def setter(self, found: Found) -> Commit | None:
        return self._setters[found.key]

    def touch(self) -> None:
        self.touched += 1

    def candidates(self, other: State) -> Iterable[str] | None:
        return None


class TestRemembered(StateContract):
    def make(self, bp: Backpack, seq: int) -> State:
        return bp._state(seq)


class TestCopied(StateContract):
    def make(self, bp: Backpack, seq: int) -> State:
        return Copied(bp, seq)


def test_a_snapshot_reads_any_kind_of_state() -> None:
    bp = story()
    for seq in range(9):
        state = Copied(bp, seq)
        snapshot = Snapshot(bp, state)
        assert snapshot == bp.snapshot(seq)
        assert snapshot.commit == bp.snapshot(seq).commit
        assert len(snapshot) == len(bp.snapshot(seq))
        assert snapshot.select("a.**") == bp.snapshot(seq).select("a.**")
        for key in snapshot:
            item, other = snapshot.item(key), bp.snapshot(seq).item(key)
            assert (item, item.value) == (other, other.value)
        assert state.touched or not seq


@pytest.mark.parametrize(("first", "last"), [(0, 8), (1, 2), (1, 8), (3, 7), (4, 5), (8, 1), (6, 6), (9, 10)])
def test_a_diff_is_the_same_over_all_kinds_of_states(first: int, last: int) -> None:
    bp = story()
    expected = bp.diff(first, last)
    old = bp.snapshot(first), Snapshot(bp, Copied(bp, first)), bp.fork().snapshot(first)
    new = bp.snapshot(last), Snapshot(bp, Copied(bp, last)), bp.fork().snapshot(last)
    for one in old:
        for other in new:
            diff = one.diff(other)
            assert diff == expected
            for mine, theirs in ((diff.added, expected.added), (diff.changed, expected.changed)):
                assert [(entry.old, entry.new) for entry in mine.values()] == [
                    (entry.old, entry.new) for entry in theirs.values()
                ]


def test_a_diff_asks_for_what_changed_in_between_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    bp = Backpack({f"k{number}": number for number in range(1000)})
    bp.pack("k7", "new")
    bp.pack("k8", "new")
    bp.delete("k9")
    asked: list[str] = []
    look = Snapshot._find
    monkeypatch.setattr(Snapshot, "_find", lambda self, key: asked.append(key) or look(self, key))
    diff = bp.diff(1)
    assert (set(diff.changed), set(diff.removed)) == ({"k7", "k8"}, {"k9"})
    assert set(asked) == {"k7", "k8", "k9"}


def test_a_diff_over_a_pruned_gap_is_complete() -> None:
    bp = Backpack({f"k{number}": number for number in range(3000)}, max_commits=10)
    bp.checkpoint("begin")
    for number in range(2500):
        bp.pack(f"k{number % 5}", f"new {number}")
    assert bp.memory_usage().commits_in_memory <= 10
    assert set(bp.diff("begin").changed) == {f"k{number}" for number in range(5)}


@pytest.mark.parametrize("seq", range(9))
def test_restore_from_a_state_without_forms_is_the_same(seq: int) -> None:
    bp, twin = story(), story()
    label = bp._label(None, None, ())
    expected = bp.restore(seq, unavailable="gone")
    # told the same store, from bytes alone
    commit = twin._restore(lambda: Snapshot(twin, Copied(twin, seq)), None, label, "gone", None)
    assert dict(twin) == dict(bp)
    assert (commit is None) == (expected is None)
    if commit is not None and expected is not None:
        assert dict(commit.changes) == dict(expected.changes)
    twin._check()


def test_restore_in_memory_shares_the_bytes() -> None:
    bp = Backpack({"a": "some text " * 100})
    bp.pack("a", "other")
    state = bp._state(1)
    requests = travel.restore_requests(bp._state(2), Snapshot(bp, state), None, None)
    found = state.find("a")
    assert found is not None
    assert [(request.key, request.form) for request in requests] == [("a", found.form)]
    before = bp.memory_usage().history_bytes
    bp.restore(1)
    assert bp.memory_usage().history_bytes == before


def test_restore_of_a_purged_value_raises_and_changes_nothing() -> None:
    bp = story()
    with pytest.raises(ValueUnavailableError) as caught:
        bp.restore(9)
    assert (caught.value.key, caught.value.reason) == ("gone", "purged")
    assert bp.head is not None
    assert bp.head.seq == 10


def test_replay_reads_any_kind_of_state() -> None:
    bp = story()
    expected = bp.replay(1, skip=[2, 9, 10])
    twin = bp.fork(1)
    travel.replay([Copied(bp, seq) for seq in (3, 4, 5, 6, 7, 8)], twin, {8: {"c.d.e": b"\x05"}}, None)
    assert {**expected, "c.d.e": 5} == dict(twin)
    for one, other in zip(twin.history(), expected.history(), strict=True):
        assert (one.label, one.time, list(one.changes)) == (other.label, other.time, list(other.changes))


def test_replacements_name_the_first_value_out_of_reach_or_stand_in_for_all() -> None:
    bp = story()
    for state in (bp._state(9), Copied(bp, 9)):
        with pytest.raises(ValueUnavailableError):
            travel.replacements(state, 600, None)
        assert travel.replacements(state, 600, b"\x05") == {"gone": b"\x05"}
        assert travel.replacements(bp._state(8), 600, None) == {}


def test_runs_of_a_node_are_rows_of_its_commits_and_no_more_are_read_than_needed() -> None:
    nodes = [(1, "a"), (2, "b"), (3, "b"), (4, None), (5, "b"), (7, "b")]
    commits = [Commit((Epoch(b"s"), seq, 0, (node, None, ()), ())) for seq, node in reversed(nodes)]
    assert [travel.run_before(commits, "b", run) for run in (0, 1, 2, 3, -1, -3, -4)] == [1, 4, 6, None, 6, 1, None]
    assert travel.run_before(commits, "c", 0) is None
    taken = iter(commits)
    assert travel.run_before(taken, "b", -1) == 6
    assert next(taken).seq == 4


def test_values_with_nothing_to_compare_are_not_called_equal() -> None:
    def found(size: int, content: bytes | str, identity: Any = None) -> Found:
        return Found("k", 1, "pack", 1, size, lambda: content, identity=identity)

    assert has_same_bytes(found(1, b"a"), found(1, b"a"))
    assert not has_same_bytes(found(1, b"a"), found(1, b"b"))
    assert not has_same_bytes(found(1, "purged"), found(1, "purged"))
    assert has_same_bytes(found(1, "dropped", 7), found(1, "dropped", 7))
    assert not has_same_bytes(found(1, b"a", 7), found(2, b"ab", 7))
