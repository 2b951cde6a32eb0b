"""The commits in memory: who, when, which keys, in blocks of columns.

One object a commit would cost 600 bytes and a second of garbage collection at a million commits, so a block holds the
facts of 1,024 neighbours in columns, and `Commit` objects are made when asked for. A commit that leaves memory turns
a flag; a block without commits goes as a whole.

Where commits have left before one that stays, there is a `Gap`: what is still known of them as a group.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final

from backpack.core.chain import Chain
from backpack.core.commit import NO_LABEL, Label

BLOCK_BITS: Final = 10
BLOCK_SIZE: Final = 1 << BLOCK_BITS
BLOCK_MASK: Final = BLOCK_SIZE - 1
_HITS_MAX: Final = 0xFFFFFFFF
RUN_BITS: Final = 6
RUN_SIZE: Final = 1 << RUN_BITS
"""Neighbouring commits whose accesses are counted together once there are many."""

Changed = Chain | tuple[Chain, ...]


class Block:
    """The columns of up to 1,024 neighbouring commits; a position is the low bits of `seq`."""

    __slots__ = ("changed", "dead", "gone", "hits", "labels", "run_hits", "times")

    def __init__(self, offset: int) -> None:
        """Positions before `offset` are nobody's: the first block of a fork may begin in the middle."""
        self.times: array[int] = array("q", bytes(8 * offset))
        self.labels: list[Label] = [NO_LABEL] * offset
        self.changed: list[Changed] = [()] * offset
        self.dead = bytearray(b"\1" * offset + bytes(BLOCK_SIZE - offset))
        self.gone = offset
        """How many of `dead` are set."""
        self.hits: array[int] = array("I", bytes(4 * BLOCK_SIZE))
        self.run_hits: array[int] = array("Q", bytes(8 * (BLOCK_SIZE >> RUN_BITS)))
        """The accesses of each run of 64, added up."""


class Gap:
    """Commits that have left between two that stay: the time of the first of them, and the chains with an entry of
    theirs that the commit behind the gap still needs."""

    __slots__ = ("carried", "first_time")

    def __init__(self, first_time: int) -> None:
        self.first_time = first_time
        self.carried: set[Chain] = set()


class Timeline:
    """The commits in memory, by `seq`."""

    __slots__ = ("blocks", "first", "front_time", "gaps", "gone", "head", "numbers", "tail")

    def __init__(self, head: int = 0) -> None:
        self.head = head
        """The `seq` of the newest commit ever made; 0 before the first."""
        self.first = head + 1
        """The oldest commit in memory; `head + 1` when there is none."""
        self.gone = head
        """How many of the commits up to the head are not in memory."""
        self.blocks: dict[int, Block] = {}
        self.numbers: list[int] = []
        """The numbers of the blocks, ascending."""
        self.tail = Block(0)
        """The block of the newest commit."""
        self.front_time: int | None = None
        """The time of the first commit ever, once it has left."""
        self.gaps: dict[int, Gap] = {}
        """By the commit that stays behind the gap; the one before `first` is not among them."""

    @property
    def count(self) -> int:
        """How many commits are in memory."""
        return self.head - self.gone

    def append(self, time_ns: int, label: Label, changed: Changed) -> None:
        """The next commit."""
        seq = self.head + 1
        tail = self.tail if seq & BLOCK_MASK and self.numbers else self.open_block(seq)
        tail.times.append(time_ns)
        tail.labels.append(label)
        tail.changed.append(changed)
        self.head = seq

    def open_block(self, seq: int) -> Block:
        """The block that `seq`, the next commit, is the first of."""
        number = seq >> BLOCK_BITS
        block = self.tail = self.blocks[number] = Block(seq & BLOCK_MASK)
        self.numbers.append(number)
        return block

    def has(self, seq: int) -> bool:
        """Is the commit in memory?"""
        block = self.blocks.get(seq >> BLOCK_BITS)
        return block is not None and not block.dead[seq & BLOCK_MASK] and seq <= self.head

    def facts(self, seq: int) -> tuple[int, Label, Changed]:
        """`(time, label, chains)` of a commit in memory."""
        block, position = self.blocks[seq >> BLOCK_BITS], seq & BLOCK_MASK
        return block.times[position], block.labels[position], block.changed[position]

    def changed(self, seq: int) -> tuple[Chain, ...]:
        """The chains that a commit in memory changed."""
        changed = self.blocks[seq >> BLOCK_BITS].changed[seq & BLOCK_MASK]
        return changed if type(changed) is tuple else (changed,)  # type: ignore[return-value]

    def next_after(self, seq: int) -> int:
        """The first commit in memory behind `seq`; 0 if there is none."""
        return self.next_from(seq + 1)

    def next_from(self, seq: int) -> int:
        """The first commit in memory at or behind `seq`; 0 if there is none."""
        number = seq >> BLOCK_BITS
        block = self.blocks.get(number)
        position = -1 if block is None else block.dead.find(0, seq & BLOCK_MASK)
        if position < 0:
            index = bisect_right(self.numbers, number)
            if index == len(self.numbers):
                return 0
            number = self.numbers[index]
            position = self.blocks[number].dead.find(0)
        found = number << BLOCK_BITS | position
        return found if found <= self.head else 0

    def last_before(self, seq: int) -> int:
        """The last commit in memory before `seq`; 0 if there is none."""
        seq = min(seq, self.head + 1)
        number = seq >> BLOCK_BITS
        block = self.blocks.get(number)
        position = -1 if block is None else block.dead.rfind(0, 0, seq & BLOCK_MASK)
        if position < 0:
            index = bisect_left(self.numbers, number) - 1
            if index < 0:
                return 0
            number = self.numbers[index]
            position = self.blocks[number].dead.rfind(0)
        return number << BLOCK_BITS | position

    def seqs(self, after: int = 0) -> Iterator[int]:
        """The commits in memory behind `after`, oldest first. They may leave or come while this runs."""
        seq = self.next_after(after)
        while seq:
            yield seq
            seq = self.next_after(seq)

    def last_at(self, time_ns: int) -> int:
        """The last commit in memory made at or before a time; 0 if there is none. Cost: O(log commits)."""
        low, high = 0, len(self.numbers)
        while low < high:
            middle = (low + high) // 2
            block = self.blocks[self.numbers[middle]]
            if block.times[block.dead.find(0)] <= time_ns:
                low = middle + 1
            else:
                high = middle
        if not low:
            return 0
        number = self.numbers[low - 1]
        block = self.blocks[number]
        position = bisect_right(block.times, time_ns, block.dead.find(0))
        return number << BLOCK_BITS | block.dead.rfind(0, 0, position)

    def touch(self, seq: int) -> None:
        """Count an access to a commit, if it is in memory.

        Readers call it without the lock: of two accesses at the same time one may be lost; `remove` allows for that.
        """
        block = self.blocks.get(seq >> BLOCK_BITS)
        if block is not None:
            position = seq & BLOCK_MASK
            hits = block.hits[position]
            if hits < _HITS_MAX and not block.dead[position]:
                block.hits[position] = hits + 1
                block.run_hits[position >> RUN_BITS] += 1

    def hits_of(self, seq: int) -> int:
        """The accesses to a commit in memory."""
        return self.blocks[seq >> BLOCK_BITS].hits[seq & BLOCK_MASK]

    def remove(self, seq: int, following: int) -> None:
        """The commit leaves memory, its block with its last commit; `following` is the next one that stays."""
        number = seq >> BLOCK_BITS
        block = self.blocks[number]
        position = seq & BLOCK_MASK
        block.dead[position] = 1
        block.gone += 1
        self.gone += 1
        if block.hits[position]:
            run = position >> RUN_BITS
            block.run_hits[run] -= min(block.hits[position], block.run_hits[run])
            block.hits[position] = 0
        if seq == self.first:
            self.first = following
        if block.gone == BLOCK_SIZE:
            del self.blocks[number]
            del self.numbers[bisect_left(self.numbers, number)]

    def check(self) -> None:
        """Every invariant, or AssertionError."""
        assert self.numbers == sorted(self.blocks)
        count = 0
        last_time = self.front_time or 0
        for number in self.numbers:
            block = self.blocks[number]
            assert block.gone == block.dead.count(1) < BLOCK_SIZE
            assert len(block.times) == len(block.labels) == len(block.changed) <= BLOCK_SIZE
            for position, time in enumerate(block.times):
                if not block.dead[position]:
                    count += 1
                    assert time >= last_time, "time never decreases"
                    last_time = time
        assert count == self.count
        assert self.first == (self.next_after(0) or self.head + 1)
        assert (self.front_time is None) == (self.first == 1)
        for seq in self.gaps:
            assert self.first < seq and self.has(seq) and not self.has(seq - 1)
