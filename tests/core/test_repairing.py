"""What a change left half done when an exception struck it is taken back or finished, whatever it was."""

from typing import Any

from backpack import Backpack, Unavailable
from backpack.core.authors import Author
from backpack.core.chain import DELETED, Chain
from backpack.core.timeline import BLOCK_SIZE


def states(bp: Backpack) -> dict[int, dict[str, Any]]:
    return {commit.seq: bp.snapshot(commit).to_dict(unavailable="gone") for commit in bp.history()}


def assert_repaired(bp: Backpack, before: dict[int, dict[str, Any]]) -> None:
    """Whole again, every snapshot as it was, and going on."""
    bp._engine.repair()
    bp._check()
    assert states(bp) == before
    head = bp._engine.timeline.head
    assert bp.pack("after", 1).seq == head + 1
    bp._check()


def kill(bp: Backpack, seq: int) -> None:
    """The first step of leaving memory, and no more."""
    block = bp._engine.timeline.blocks[seq // BLOCK_SIZE]
    block.dead[seq % BLOCK_SIZE] = 1


def test_an_entry_behind_the_head_never_was() -> None:
    bp = Backpack({"a": "one", "list": ["long enough to grow"] * 20})
    bp.append("list", "two")
    before = states(bp)
    head = bp._engine.timeline.head
    for key in ("a", "list"):
        chain = bp._engine.chains[key]
        bp._engine.ledger.hide(chain)
        chain.append(head + 1, b"\x01")
    assert_repaired(bp, before)
    assert (bp["a"], bp.version("a"), bp["list"][-1]) == ("one", 1, "two")


def test_a_form_without_a_seq_never_was() -> None:
    bp = Backpack({"a": "one"})
    before = states(bp)
    bp._engine.chains["a"].columns[1].append(b"\x01")
    assert_repaired(bp, before)


def test_a_key_that_was_being_made_never_was() -> None:
    bp = Backpack({"a": "one"})
    before = states(bp)
    chain = bp._engine.chains["new"] = Chain("new")
    bp._engine.names.add("new")
    chain.append(2, b"\x01")
    assert_repaired(bp, before)
    assert "new" not in bp and bp.version("new") == 0


def test_a_key_that_was_being_reborn_has_its_version_still() -> None:
    bp = Backpack(max_commits=1)
    bp.pack("a", 1)
    bp.delete("a")
    bp.pack("b", 1)
    engine = bp._engine
    assert engine.retired == {"a": 2}
    before = states(bp)
    chain = engine.chains["a"] = Chain("a", engine.retired.pop("a"))
    chain.former = (2, engine.retired_seqs.pop("a"))
    chain.append(4, b"\x01")
    engine.repair()
    assert (engine.retired, engine.retired_seqs) == ({"a": 2}, {"a": 2})
    assert_repaired(bp, before)
    assert bp.pack("a", 3).changes["a"].version == 3


def test_a_key_that_was_being_retired_is_retired() -> None:
    bp = Backpack({"a": 1, "b": 1})
    bp.delete("a")
    bp.pack("b", 2)
    kill(bp, 1)
    kill(bp, 2)
    bp._engine.repair()
    bp._check()
    assert bp._engine.retired == {"a": 2}
    assert states(bp) == {3: {"b": 2}}
    assert bp._engine.timeline.front_time is not None


def test_a_retired_key_that_is_still_there_is_not_retired() -> None:
    bp = Backpack({"a": 1})
    bp.delete("a")
    before = states(bp)
    engine = bp._engine
    engine.retired["a"], engine.retired_seqs["a"] = 2, 2
    assert engine.chains["a"].last is DELETED
    assert_repaired(bp, before)
    assert engine.retired == {}


def test_a_block_that_was_being_opened_never_was() -> None:
    bp = Backpack()
    for number in range(BLOCK_SIZE - 1):
        bp.pack("a", number)
    before = states(bp)
    timeline = bp._engine.timeline
    timeline.open_block(BLOCK_SIZE).times.append(0)
    assert_repaired(bp, before)
    assert timeline.numbers == [0, 1]


def test_the_facts_of_a_commit_that_never_was_go() -> None:
    bp = Backpack({"a": 1})
    before = states(bp)
    tail = bp._engine.timeline.tail
    tail.times.append(0)
    tail.labels.append(("nobody", None, ()))
    assert_repaired(bp, before)
    assert bp.commit(2).node is None


def test_a_large_value_that_was_being_replaced_is_there_still() -> None:
    bp = Backpack({"a": "L" * 500}, max_value_size=100)
    before = states(bp)
    chain, engine = bp._engine.chains["a"], bp._engine
    engine.former = (2, ((chain, chain.content),))
    chain.content = None
    engine.large.discard(chain)
    chain.append(2, b"\x01")
    assert_repaired(bp, before)


def test_a_large_value_that_something_else_keeps_is_found_again() -> None:
    bp = Backpack({"a": ["large"] * 50}, max_value_size=100)
    bp.append("a", "more")
    fork = bp.fork()
    chain = bp._engine.chains["a"]
    chain.content = None
    before = states(fork)
    assert_repaired(bp, before)


def test_a_content_that_no_value_has_goes() -> None:
    bp = Backpack({"a": "L" * 500}, max_value_size=100)
    chain = bp._engine.chains["a"]
    content = chain.content
    bp.pack("a", 1)
    chain.content = content
    bp._engine.repair()
    bp._check()
    del content
    assert isinstance(bp.snapshot(1).unpack("a"), Unavailable)


def test_authors_of_a_commit_that_was_leaving_are_known() -> None:
    bp = Backpack()
    bp.pack("a", 1, node="one", message="alone", tags=("t",))
    bp.update({"b": 2, "c": 3}, node="two", message="together")
    bp.pack("d", 4)
    before = {key: bp.blame(key) for key in "abc"}
    kill(bp, 1)
    kill(bp, 2)
    bp._engine.repair()
    bp._check()
    for key, commit in before.items():
        blamed = bp.blame(key)
        assert (blamed, blamed.node, blamed.message, blamed.tags) == (commit, commit.node, commit.message, commit.tags)
        assert (blamed.time, dict(blamed.changes)) == (commit.time, dict(commit.changes))


def test_authors_of_commits_that_have_left_stay_with_what_is_left_of_them() -> None:
    bp = Backpack()
    bp.update({"a": 1, "b": 2}, node="two")
    bp.pack("c", 3, node="one")
    bp.pack("d", 4)
    bp.configure(max_commits=1)
    bp.pack("a", 5)
    facts = {key: (bp.blame(key).seq, bp.blame(key).node, list(bp.blame(key).changes)) for key in "bc"}
    engine = bp._engine
    author = engine.authors[1]
    assert isinstance(author, Author)
    author.entries = 2
    assert_repaired(bp, states(bp))
    assert author.entries == 1
    assert facts == {"b": (1, "two", ["a", "b"]), "c": (2, "one", ["c"])}
    assert {key: (bp.blame(key).seq, bp.blame(key).node, list(bp.blame(key).changes)) for key in "bc"} == facts


def test_an_author_that_was_lost_with_its_block_is_nobody_at_the_earliest_time_it_may_have_been() -> None:
    bp = Backpack({"a": 1})
    for number in range(2 * BLOCK_SIZE):
        bp.pack("b", number)
    first_time = bp.commit(1).time_ns
    bp.configure(max_commits=10)
    engine = bp._engine
    assert 0 not in engine.timeline.blocks
    del engine.authors[1]
    assert_repaired(bp, states(bp))
    commit = bp.blame("a")
    assert (commit.seq, commit.node, commit.time_ns) == (1, None, first_time)


def test_a_gap_between_commits_is_found_again_with_the_time_of_its_first() -> None:
    bp = Backpack()
    for number in range(6):
        bp.pack("ab"[number % 2], number)
    bp.checkpoint("kept", at=2)
    before = {seq: state for seq, state in states(bp).items() if seq in (1, 2, 5, 6)}
    time_ns = bp.commit(3).time_ns
    kill(bp, 3)
    kill(bp, 4)
    assert_repaired(bp, before)
    gap = bp._engine.timeline.gaps[5]
    assert gap.first_time == time_ns
    assert {chain.key for chain in gap.carried} == {"b"}
