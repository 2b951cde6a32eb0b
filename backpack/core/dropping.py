"""How one commit leaves memory without changing what any other snapshot says.

When commit d goes, let p be the last commit before it that stays and n the first behind it. An entry of a key serves
the snapshots from its own commit up to the next entry of that key, so an entry in (p, d] is needed no more exactly
when the key has another entry in (d, n]. Those keys are: what n changed, and what is carried in the gap between d and
n. Everything else stays, carried for n. With nothing before d (pruning from the old end) nothing needs carrying, so
the cost is that of the changes of n: no copy of a base, however many keys there are.
"""

from typing import TYPE_CHECKING

from backpack.core.chain import DELETED, HOLES_MIN, Chain, form_of, kind_of, size_of
from backpack.core.commit import Label, RawChange
from backpack.core.index import SHARD_SHIFT, SHORT_MAX
from backpack.core.payload import LargeRef
from backpack.core.timeline import BLOCK_BITS, BLOCK_MASK, BLOCK_SIZE, RUN_BITS, Gap

if TYPE_CHECKING:
    from backpack.core.engine import Engine


class Author:
    """What is kept of a commit of several keys that has left while entries of it stay."""

    __slots__ = ("changes", "entries", "label", "time_ns")

    def __init__(self, time_ns: int, label: Label, changes: tuple[RawChange, ...], entries: int) -> None:
        self.time_ns = time_ns
        self.label = label
        self.changes = changes
        self.entries = entries
        """How many of its entries stay."""


LoneAuthor = tuple[int, Label, Chain]
"""The same of a commit of one key: `(time, label, chain)`; its change is read from the entry, which stays as long."""


def drop(engine: "Engine", seq: int) -> None:
    """Commit `seq`, which is in memory and not the newest, leaves. Cost: its changes and those of the next commit."""
    timeline = engine.timeline
    following = seq + 1 if timeline.has(seq + 1) else timeline.next_after(seq)
    before = 0 if seq == timeline.first else timeline.last_before(seq)
    time_ns, label, changed = timeline.facts(seq)
    chains = timeline.changed(seq)
    if isinstance(changed, Chain):
        engine.authors[seq] = (time_ns, label, changed)
    else:
        engine.authors[seq] = Author(time_ns, label, raw_changes(chains, seq), len(chains))
    timeline.remove(seq, following)
    for chain in chains:
        if chain.last_seq == seq:
            settle(engine, chain)
    following_chains = timeline.changed(following)
    for chain in following_chains:
        _release_before(engine, chain, chain.index_of(following), before)
    gap = timeline.gaps.pop(seq, None)
    next_gap = timeline.gaps.get(following)
    if next_gap is not None:
        for chain in next_gap.carried:
            _release_before(engine, chain, chain.index_at(following - 1), before)
    if before:
        gap = gap or Gap(time_ns)
        gap.carried.update(chains)
        if next_gap is not None:
            gap.carried = _union(gap.carried, next_gap.carried)
        gap.carried.difference_update(following_chains)
        timeline.gaps[following] = gap
    else:
        timeline.gaps.pop(following, None)
        if timeline.front_time is None:
            timeline.front_time = time_ns


def drop_front(engine: "Engine", count_max: int, bytes_target: int, commits_target: int) -> int:
    """Drop the oldest commits while they are of one key each and all is as usual; how many left.

    Stops at a target (`history_bytes`, commits in memory), at `count_max`, and at the first commit that wants more
    than this: then it is for `drop` to go on. It is `drop` with everything left out that such commits don't need, and
    what most pruning consists of.
    """
    timeline, ledger = engine.timeline, engine.ledger
    records, index, authors = ledger.records, ledger.index, engine.authors
    shards, holey = index.shards, engine.holey
    checkpoints, views = engine.checkpoint_counts, engine.views
    seq = start = timeline.first
    if timeline.front_time is None or seq >= timeline.head:
        return 0
    history, entries = ledger.history_bytes, 0
    stop = min(seq + count_max, timeline.head)
    count_stop = seq + timeline.count - commits_target
    block = timeline.blocks[seq >> BLOCK_BITS]
    try:
        while seq < stop and (history > bytes_target or seq < count_stop):
            position = seq & BLOCK_MASK
            if position + 1 == BLOCK_SIZE or block.dead[position + 1] or seq in checkpoints or seq in views:
                break
            chain, next_chain = block.changed[position], block.changed[position + 1]
            if type(chain) is not Chain or type(next_chain) is not Chain or next_chain.is_ragged:
                break
            if chain.columns[0][-1] == seq:
                break
            seqs, forms = next_chain.columns
            place = next_chain.holes
            entry = forms[place]
            has_base = seqs[place] != seq + 1
            if has_base and (type(entry) is not bytes or seqs[place + 1] != seq + 1 or id(entry) in records):
                break
            authors[seq] = (block.times[position], block.labels[position], chain)
            if has_base:
                assert type(entry) is bytes
                size = len(entry)
                if size <= SHORT_MAX:
                    del shards[hash(entry) >> SHARD_SHIFT][entry]
                else:
                    index.remove(entry)
                history -= size
                author = authors.pop(seqs[place], None)
                if author is not None and type(author) is not tuple:
                    authors[seqs[place]] = author
                    forget_author(engine, seqs[place])
                forms[place] = None
                next_chain.holes = place + 1
                entries += 1
                if place > HOLES_MIN and place * 2 > len(forms):
                    holey[next_chain] = None
            block.dead[position] = 1
            if block.hits[position]:
                block.run_hits[position >> RUN_BITS] -= block.hits[position]
                block.hits[position] = 0
            block.gone += 1
            seq += 1
    finally:
        timeline.gone += seq - start
        timeline.first = seq
        timeline.dense_from = max(timeline.dense_from, seq)
        ledger.history_bytes = history
        engine.entry_offset -= entries
    return seq - start


def settle(engine: "Engine", chain: Chain) -> None:
    """The commit of the newest entry has left memory."""
    last = chain.last
    assert last is not None
    chain.is_settled = True
    engine.ledger.settle(last)
    if last is DELETED:
        retire(engine, chain)


def raw_changes(chains: tuple[Chain, ...], seq: int) -> tuple[RawChange, ...]:
    """What commit `seq` did to these chains."""
    changes = []
    for chain in chains:
        index = chain.index_of(seq)
        entry = chain.columns[1][index]
        assert entry is not None
        is_large = isinstance(form_of(entry), LargeRef)
        changes.append((chain.key, kind_of(entry), chain.version_of(index), size_of(entry), is_large))
    return tuple(changes)


def retire(engine: "Engine", chain: Chain) -> None:
    """A deleted key of which nothing else is left keeps its version only."""
    seqs, forms = chain.columns
    if len(forms) - chain.holes == 1 and not engine.timeline.has(seqs[-1]) and engine.chains.get(chain.key) is chain:
        del engine.chains[chain.key]
        engine.names.remove(chain.key)
        engine.retired[chain.key] = chain.version
        engine.entry_offset -= 1
        forget_author(engine, seqs[-1])


def _release_before(engine: "Engine", chain: Chain, index: int, before: int) -> None:
    """The entry before `index` is seen by no commit, unless one at or before `before` sees it."""
    index = chain.kept_before(index)
    if index < 0:
        return
    seqs, forms = chain.columns
    seq = seqs[index]
    if seq <= before:
        return
    entry = forms[index]
    assert entry is not None
    engine.ledger.release(entry)
    engine.entry_offset -= 1
    forget_author(engine, seq)
    if chain.forget(index):
        engine.holey[chain] = None
    if chain.last is DELETED:
        retire(engine, chain)


def forget_author(engine: "Engine", seq: int) -> None:
    author = engine.authors.get(seq)
    if author is None:
        return
    if isinstance(author, Author) and author.entries > 1:
        author.entries -= 1
    else:
        del engine.authors[seq]


def _union(one: set[Chain], other: set[Chain]) -> set[Chain]:
    """Both, in the larger of the two: merging neighbours again and again costs O(log) an element."""
    if len(one) < len(other):
        one, other = other, one
    one.update(other)
    return one
