"""The columns of commits at their edges: ends of blocks, counters that are full, accesses that come too late."""

import pytest

from backpack.core.chain import Chain
from backpack.core.timeline import _HITS_MAX, BLOCK_SIZE, RUN_BITS, Block, Timeline

CHAIN = Chain("k")


def filled(count: int, head: int = 0) -> Timeline:
    """Commit n at n times 10."""
    timeline = Timeline(head)
    for seq in range(head + 1, head + count + 1):
        timeline.append(seq * 10, (None, None, ()), CHAIN)
    return timeline


def remove(timeline: Timeline, *seqs: int) -> None:
    for seq in seqs:
        if timeline.front_time is None and seq == timeline.first:
            timeline.front_time = 10
        timeline.remove(seq, timeline.next_after(seq))


def test_accesses_are_counted_up_to_what_their_counter_holds() -> None:
    timeline = filled(3)
    timeline.tail.hits[2] = _HITS_MAX - 1
    for _ in range(3):
        timeline.touch(2)
    assert timeline.hits_of(2) == _HITS_MAX
    assert timeline.tail.run_hits[0] == 1


def test_an_access_to_a_commit_that_has_left_is_not_counted() -> None:
    timeline = filled(3)
    remove(timeline, 2)
    timeline.touch(2)
    timeline.touch(BLOCK_SIZE * 7)
    assert timeline.hits_of(2) == 0
    assert not any(timeline.tail.run_hits)
    timeline.check()


def test_accesses_go_with_their_commit_also_when_one_of_two_at_the_same_time_was_lost() -> None:
    timeline = filled(300)
    for _ in range(3):
        timeline.touch(70)
    timeline.touch(71)
    timeline.tail.run_hits[70 >> RUN_BITS] -= 2
    remove(timeline, 70)
    assert timeline.tail.run_hits[70 >> RUN_BITS] == 0
    assert (timeline.hits_of(70), timeline.hits_of(71)) == (0, 1)


@pytest.mark.parametrize("count", [1, BLOCK_SIZE - 2, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1])
def test_no_commit_is_behind_the_head_and_none_before_the_first(count: int) -> None:
    timeline = filled(count)
    assert timeline.has(count) and not timeline.has(count + 1) and not timeline.has(count + BLOCK_SIZE)
    assert timeline.next_from(count) == count
    assert timeline.next_after(count) == 0
    assert timeline.last_before(count + 1) == timeline.last_before(count + 5_000) == count
    assert timeline.last_before(1) == 0
    assert list(timeline.seqs(count - 1)) == [count]
    timeline.check()


def test_a_block_leaves_with_its_last_commit_and_no_other_block_does() -> None:
    timeline = filled(4 * BLOCK_SIZE)
    middle = range(BLOCK_SIZE, 2 * BLOCK_SIZE)
    remove(timeline, *middle[:-1])
    assert timeline.numbers == [0, 1, 2, 3, 4]
    remove(timeline, middle[-1])
    assert timeline.numbers == [0, 2, 3, 4] == sorted(timeline.blocks)
    assert timeline.next_after(middle[0] - 1) == middle[-1] + 1
    assert timeline.last_before(middle[-1] + 1) == middle[0] - 1
    assert timeline.last_before(middle[5]) == middle[0] - 1
    timeline.check()


def test_a_timeline_may_begin_in_the_middle_of_a_block() -> None:
    timeline = filled(5, head=BLOCK_SIZE + 6)
    first = BLOCK_SIZE + 7
    assert (timeline.first, timeline.count) == (first, 5)
    assert not any(timeline.has(seq) for seq in range(BLOCK_SIZE, first))
    assert timeline.next_from(0) == first
    assert timeline.last_before(first) == 0
    assert timeline.last_at(first * 10 - 1) == 0
    assert timeline.last_at(first * 10) == first
    assert Block(3).dead[:4] == b"\1\1\1\0"


@pytest.mark.parametrize("seq", [1, 2, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, 2 * BLOCK_SIZE])
def test_a_time_finds_the_last_commit_up_to_it(seq: int) -> None:
    timeline = filled(2 * BLOCK_SIZE)
    assert timeline.last_at(seq * 10) == timeline.last_at(seq * 10 + 9) == seq
    assert timeline.last_at(seq * 10 - 1) == seq - 1
    if seq < 2 * BLOCK_SIZE:
        remove(timeline, seq)
        assert timeline.last_at(seq * 10 + 9) == seq - 1
        assert timeline.last_at(seq * 10 + 10) == seq + 1
