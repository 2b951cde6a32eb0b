"""A fork has what its commit saw, in as few blocks and keys as that takes."""

import pytest

from backpack import Backpack, ValueUnavailableError
from backpack.core.timeline import BLOCK_SIZE


def settle(bp: Backpack, left: int = 1) -> None:
    bp.configure(max_commits=left)
    bp.configure(max_commits=None)


def test_a_key_of_which_a_fork_sees_the_delete_only_is_retired_there() -> None:
    bp = Backpack({"a": 1, "b": 1})
    bp.delete("a")
    bp.pack("b", 2)
    bp.pack("a", 2)
    bp.checkpoint("after the delete", at=3)
    settle(bp)
    assert "a" in bp._engine.chains
    fork = bp.fork("after the delete")
    fork._check()
    assert fork._engine.retired == {"a": 2}
    assert dict(fork) == {"b": 2}
    assert fork.pack("a", 3).changes["a"].version == 3


def test_a_fork_of_an_old_commit_puts_what_is_given_for_a_large_value_that_is_gone() -> None:
    bp = Backpack({"a": "L" * 500, "b": "M" * 500}, max_value_size=100)
    bp.quarantine("b", reason="doubt")
    bp.update({"a": 1, "b": 2})
    with pytest.raises(ValueUnavailableError):
        bp.fork(2)
    for given in ("short", "N" * 600):
        fork = bp.fork(2, unavailable=given)
        fork._check()
        assert fork["a"] == given
        fork.release("b")
        assert fork["b"] == given
        fork._check()


def test_blocks_of_which_nothing_is_left_do_not_go_along() -> None:
    bp = Backpack()
    for number in range(3 * BLOCK_SIZE):
        bp.pack("a", number)
        if number == BLOCK_SIZE + 9:
            bp.checkpoint("kept")
    settle(bp, 2_000)
    opened = bp.snapshot(2 * BLOCK_SIZE + 50)
    settle(bp)
    fork = bp.fork(opened.seq)
    fork._check()
    assert fork._engine.timeline.numbers == [1, 2]
    for seq in ("kept", opened.seq):
        assert fork.snapshot(seq).to_dict() == bp.snapshot(seq).to_dict()
    late = bp.fork("kept")
    late._check()
    assert late._engine.timeline.numbers == [1]
    assert late.pack("a", 1).seq == BLOCK_SIZE + 11
