"""How one commit leaves memory without changing what any other snapshot says.

When commit d goes, let p be the last commit before it that stays and n the first behind it. An entry of a key serves
the snapshots from its own commit up to the next entry of that key, so an entry in (p, d] is needed no more exactly
when the key has another entry in (d, n]. Those keys are: what n changed, and what is carried in the gap between d and
n. Everything else stays, carried for n. With nothing before d (pruning from the old end) nothing needs carrying, so
the cost is that of the changes of n: no copy of a base, however many keys there are.
"""

from bisect import bisect_left
from typing import TYPE_CHECKING

from backpack.core.authors import Author, forget_author, hand_on, raw_changes
from backpack.core.chain import DELETED, HOLES_MIN, Chain
from backpack.core.index import SHARD_SHIFT, SHORT_MAX
from backpack.core.timeline import BLOCK_BITS, BLOCK_MASK, RUN_BITS, Gap

if TYPE_CHECKING:
    from backpack.core.engine import Engine


def drop(engine: "Engine", seq: int) -> None:
    """Commit `seq`, which is in memory and not the newest, leaves. Cost: its changes and those of the next commit."""
    timeline = engine.timeline
    following = seq + 1 if timeline.has(seq + 1) else timeline.next_after(seq)
    before = 0 if seq == timeline.first else timeline.last_before(seq)
    time_ns, label, changed = timeline.facts(seq)
    chains = timeline.changed(seq)
    if isinstance(changed, Chain):
        engine.authors[seq] = (time_ns, label)
    else:
        engine.authors[seq] = Author(time_ns, label, raw_changes(chains, seq), len(chains))
    timeline.remove(seq, following)
    for chain in chains:
        if chain.last_seq == seq:
            settle(engine, chain)
    following_chains = timeline.changed(following)
    for chain in following_chains:
        release_before(engine, chain, chain.index_of(following), before)
    gap = timeline.gaps.pop(seq, None)
    next_gap = timeline.gaps.get(following)
    if next_gap is not None:
        for chain in next_gap.carried:
            release_before(engine, chain, chain.index_at(following - 1), before)
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


def drop_neighbours(engine: "Engine", first: int, last: int, bytes_target: int, commits_target: int) -> int:
    """Drop `first` and the commits behind it up to `last`, as long as they are of one key each and all is as usual.

    Stops at a target (`history_bytes`, commits in memory) and before the first commit that wants more: a pinned one,
    one of several keys, the end of a block, a neighbour that is gone. Returns how many left; 0 leaves it to `drop`.
    This is `drop` with everything left out that such commits don't need, and what most pruning consists of.
    """
    timeline, ledger = engine.timeline, engine.ledger
    records, index, authors, holey = ledger.records, ledger.index, engine.authors, engine.holey
    shards = index.shards
    checkpoints, views = engine.pins.checkpoint_counts, engine.pins.views
    block = timeline.blocks[first >> BLOCK_BITS]
    dead, changed, hits = block.dead, block.changed, block.hits
    is_front = first == timeline.first
    before = 0 if is_front else timeline.last_before(first)
    gap = None if is_front else timeline.gaps.pop(first, None)
    carried = None if is_front else (gap or Gap(0)).carried
    last = min(last, timeline.head - 1, first | BLOCK_MASK)
    count_stop = first + timeline.count - commits_target
    history, entries, seq = ledger.history_bytes, 0, first
    while seq <= last and (history > bytes_target or seq < count_stop):
        position = seq & BLOCK_MASK
        if position == BLOCK_MASK or dead[position + 1] or dead[position] or seq in checkpoints or seq in views:
            break
        chain, next_chain = changed[position], changed[position + 1]
        if type(chain) is not Chain or type(next_chain) is not Chain or chain.columns[0][-1] == seq:
            break
        seqs, forms = next_chain.columns
        place = next_chain.holes
        following = seq + 1
        if not next_chain.is_ragged and seqs[place] == following:
            place = -1
        elif next_chain.is_ragged or seqs[place + 1] != following:
            place = next_chain.kept_before(bisect_left(seqs, following))
        entry = forms[place] if place >= 0 and seqs[place] > before else None
        if entry is not None and (type(entry) is not bytes or id(entry) in records):
            break
        authors[seq] = (block.times[position], block.labels[position])
        if type(entry) is bytes:
            author = authors.pop(seqs[place], None)
            if type(author) is Author:
                authors[seqs[place]] = author
                forget_author(engine, seqs[place])
            size = len(entry)
            history -= size
            if size > SHORT_MAX:
                index.remove(entry)
            else:
                del shards[hash(entry) >> SHARD_SHIFT][entry]
            entries += 1
            forms[place] = None
            holes = next_chain.holes  # what Chain.forget does
            if place != holes:
                next_chain.is_ragged = True
            next_chain.holes = holes = holes + 1
            if holes > HOLES_MIN and holes * 2 > len(forms):
                holey[next_chain] = None
        if carried is not None:
            carried.add(chain)
            carried.discard(next_chain)
        dead[position] = 1
        if hits[position]:
            run = position >> RUN_BITS
            block.run_hits[run] -= min(hits[position], block.run_hits[run])
            hits[position] = 0
        seq = following
    count = seq - first
    block.gone += count
    timeline.gone += count
    ledger.history_bytes = history
    engine.entry_offset -= entries
    if is_front:
        timeline.first = seq
        if count and timeline.front_time is None:
            timeline.front_time = block.times[first & BLOCK_MASK]
    elif count or gap is not None:
        gap = gap or Gap(block.times[first & BLOCK_MASK])
        assert carried is not None
        gap.carried = carried
        timeline.gaps[seq] = gap
    return count


def settle(engine: "Engine", chain: Chain) -> None:
    """The commit of the newest entry has left memory."""
    last = chain.last
    assert last is not None
    chain.is_settled = True
    chain.is_usual = False
    engine.ledger.settle(last)
    if last is DELETED:
        retire(engine, chain)


def retire(engine: "Engine", chain: Chain) -> None:
    """A deleted key of which nothing else is left keeps its version only."""
    seqs, forms = chain.columns
    if len(forms) - chain.holes == 1 and not engine.timeline.has(seqs[-1]) and engine.chains.get(chain.key) is chain:
        del engine.chains[chain.key]
        engine.names.remove(chain.key)
        engine.retired[chain.key] = chain.version
        engine.retired_seqs[chain.key] = seqs[-1]
        engine.entry_offset -= 1
        forget_author(engine, seqs[-1])


def release_before(engine: "Engine", chain: Chain, index: int, before: int) -> None:
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
    hand_on(engine, chain, index)
    engine.ledger.release(entry)
    engine.entry_offset -= 1
    forget_author(engine, seq)
    if chain.forget(index):
        engine.holey[chain] = None
    if chain.last is DELETED:
        retire(engine, chain)


def _union(one: set[Chain], other: set[Chain]) -> set[Chain]:
    """Both, in the larger of the two: merging neighbours again and again costs O(log) an element."""
    if len(one) < len(other):
        one, other = other, one
    one.update(other)
    return one
