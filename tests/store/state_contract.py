"""What every kind of state answers, whatever it stands on: subclass, say how one is made, and change nothing."""

from __future__ import annotations

from typing import Any

from backpack import Backpack
from backpack.codec import unpack_value
from backpack.core.patterns import Pattern
from backpack.core.payload import join
from backpack.store.state import Found, State, has_same_bytes

LARGE = "large " * 150
LIST = ["an item of some length"] * 20


def story() -> Backpack:
    """A store in which every kind of change happened, commit by commit."""
    bp = Backpack(max_value_size=600)
    bp.update({"a.x": 1, "a.y": LARGE, "b": LIST[:10]}, node="first", message="begin", tags=("t",))  # 1
    bp.pack("b", LIST, node="second")  # 2
    bp.pack("a.y", LARGE + "!")  # 3
    bp.quarantine("a.x", reason="doubt", node="judge")  # 4
    bp.release("a.x")  # 5
    bp.delete("b")  # 6
    bp.pack("a.x", 1)  # 7
    bp.pack("c.d.e", None)  # 8
    bp.pack("gone", "secret")  # 9
    bp.purge("gone")  # 10
    return bp


def value(found: Found | None) -> Any:
    """What was found, unpacked; the reason where its bytes are not within reach."""
    assert found is not None
    content = found.content()
    return content if isinstance(content, str) else unpack_value(join(content))


class StateContract:
    """The tests; `make` says how a state of the story is made."""

    def make(self, bp: Backpack, seq: int) -> State:
        raise NotImplementedError

    def test_a_state_is_as_of_its_commit(self) -> None:
        bp = story()
        for seq in range(11):
            state = self.make(bp, seq)
            assert state.seq == seq
            commit = state.commit()
            assert commit == (bp.commit(seq) if seq else None)
            if commit is not None:
                assert commit.raw_changes == bp.commit(seq).raw_changes
                assert commit.label == bp.commit(seq).label

    def test_the_beginning_has_nothing(self) -> None:
        state = self.make(story(), 0)
        assert state.keys() == state.select(Pattern("**")) == state.unreachable() == []
        assert state.at_hand("a.x") is state.find("a.x") is None
        assert not state.has("a.x")

    def test_keys_are_the_visible_ones_in_order(self) -> None:
        bp = story()
        shown = {
            0: [],
            1: ["a.x", "a.y", "b"],
            4: ["a.y", "b"],
            5: ["a.x", "a.y", "b"],
            6: ["a.x", "a.y"],
            9: ["a.x", "a.y", "c.d.e", "gone"],
            10: ["a.x", "a.y", "c.d.e"],
        }
        for seq, keys in shown.items():
            state = self.make(bp, seq)
            assert state.keys() == keys
            assert [key for key in ("a.x", "a.y", "b", "c.d.e", "gone", "none") if state.has(key)] == keys
            assert state.select(Pattern("**")) == keys
            assert state.select(Pattern("a.*")) == [key for key in keys if key.startswith("a.")]
            assert state.select(Pattern("*")) == [key for key in keys if "." not in key]
            assert state.select(Pattern("a.x")) == [key for key in keys if key == "a.x"]

    def test_what_is_found_is_the_last_change(self) -> None:
        bp = story()
        told = [
            (1, "a.x", 1, "pack", 1, False, ""),
            (2, "b", 2, "pack", 2, False, ""),
            (3, "a.y", 3, "pack", 2, True, ""),
            (4, "a.x", 4, "quarantine", 2, False, "doubt"),
            (5, "a.x", 5, "release", 3, False, ""),
            (7, "a.x", 7, "pack", 4, False, ""),
            (8, "a.y", 3, "pack", 2, True, ""),
        ]
        for at, key, seq, kind, version, is_large, reason in told:
            found = self.make(bp, at).find(key)
            assert found is not None
            assert (found.key, found.seq, found.kind, found.version) == (key, seq, kind, version)
            assert (found.is_large, found.reason) == (is_large, reason)
            assert found.is_visible == (kind in ("pack", "release"))
            assert found.size == bp.commit(seq).changes[key].size
        deleted = self.make(bp, 6).find("b")
        assert deleted is not None
        assert (deleted.kind, deleted.seq, deleted.is_visible, deleted.size) == ("delete", 6, False, 0)
        assert self.make(bp, 7).find("c.d.e") is None
        assert self.make(bp, 10).find("none") is None

    def test_bytes_are_those_that_were_packed(self) -> None:
        bp = story()
        assert value(self.make(bp, 1).find("a.x")) == 1
        assert value(self.make(bp, 3).find("a.y")) == LARGE + "!"
        assert value(self.make(bp, 2).find("b")) == LIST
        assert value(self.make(bp, 4).find("a.x")) == 1
        assert value(self.make(bp, 8).find("c.d.e")) is None
        for seq in range(11):
            state = self.make(bp, seq)
            for key in ("a.x", "a.y", "b", "c.d.e", "gone", "none", 5, ["not hashable"]):
                payload = state.at_hand(key)
                if payload is not None:
                    assert isinstance(key, str)
                    assert state.has(key)
                    assert unpack_value(payload) == value(state.find(key))

    def test_bytes_out_of_reach_are_told_with_the_reason(self) -> None:
        bp = story()
        state = self.make(bp, 9)
        assert state.at_hand("gone") is None
        assert state.has("gone")
        assert value(state.find("gone")) == "purged"
        assert [(found.key, found.content()) for found in state.unreachable()] == [("gone", "purged")]
        assert self.make(bp, 8).unreachable() == []

    def test_an_author_is_the_commit_that_made_the_change(self) -> None:
        bp = story()
        for seq in range(1, 11):
            state = self.make(bp, seq)
            for key in ("a.x", "a.y", "b", "c.d.e"):
                found = state.find(key)
                author = None if found is None else state.author(found)
                if found is not None and author is not None:
                    assert author == bp.commit(found.seq)
                    assert author.label == bp.commit(found.seq).label
        state = self.make(bp, 2)
        found = state.find("b")
        assert found is not None
        author = state.author(found)
        assert author is not None
        assert author.node == "second"

    def test_a_setter_is_the_commit_that_packed_the_value(self) -> None:
        bp = story()
        state = self.make(bp, 5)
        for key, seq in (("a.x", 1), ("a.y", 3), ("b", 2)):
            found = state.find(key)
            assert found is not None
            assert state.setter(found) == bp.commit(seq)

    def test_candidates_are_all_keys_that_differ(self) -> None:
        bp = story()
        for first in range(11):
            for last in range(11):
                one, other = self.make(bp, first), self.make(bp, last)
                keys = one.candidates(other)
                if keys is None:
                    continue
                kept = set(keys)
                for key in {*one.keys(), *other.keys()} - kept:
                    before, after = one.find(key), other.find(key)
                    assert before is not None
                    assert after is not None
                    assert before.is_visible == after.is_visible
                    assert has_same_bytes(before, after)

    def test_equal_identities_have_equal_bytes(self) -> None:
        bp = story()
        founds = [
            found for seq in range(1, 9) for key in ("a.x", "a.y", "b") if (found := self.make(bp, seq).find(key))
        ]
        visible = [found for found in founds if found.is_visible and not isinstance(found.content(), str)]
        for one in visible:
            for other in visible:
                assert has_same_bytes(one, other) == (value(one) == value(other))
                if one.identity is not None and one.identity == other.identity:
                    assert value(one) == value(other)

    def test_a_state_stays_when_the_store_goes_on(self) -> None:
        bp = story()
        state = self.make(bp, 2)
        bp.clear()
        bp.configure(max_history_size=1)
        for number in range(100):
            bp.pack("b", [number])
        assert state.keys() == ["a.x", "a.y", "b"]
        assert value(state.find("b")) == LIST
        assert state.commit() is not None

    def test_touching_does_no_harm(self) -> None:
        bp = story()
        for seq in range(11):
            self.make(bp, seq).touch()
        bp._check()
