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
from backpack.core.payload import LargeRef
from backpack.core.timeline import BLOCK_BITS, BLOCK_MASK, BLOCK_SIZE, Gap

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
    if seq == timeline.first and _drop_front(engine, seq):
        return
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


def _drop_front(engine: "Engine", seq: int) -> bool:
    """The oldest commit leaves, where it and the next are of one key each and all is as usual; False if it is not.

    This is `drop` with everything left out that such commits don't need: most of all pruning is this.
    """
    timeline, ledger = engine.timeline, engine.ledger
    following = seq + 1
    number = seq >> BLOCK_BITS
    position = seq & BLOCK_MASK
    block = timeline.blocks[number]
    chain = block.changed[position]
    if position + 1 == BLOCK_SIZE or block.dead[position + 1] or type(chain) is tuple or timeline.front_time is None:
        return False
    next_chain = block.changed[position + 1]
    if type(next_chain) is tuple or next_chain.is_ragged or chain.columns[0][-1] == seq:  # type: ignore[union-attr]
        return False
    seqs, forms = next_chain.columns  # type: ignore[union-attr]
    index = next_chain.holes  # type: ignore[union-attr]
    entry = forms[index]
    is_first_entry = seqs[index] == following
    if not is_first_entry and (
        type(entry) is not bytes or seqs[index + 1] != following or id(entry) in ledger.records or forms[-1] is DELETED
    ):
        return False
    engine.authors[seq] = (block.times[position], block.labels[position], chain)  # type: ignore[assignment]
    block.dead[position] = 1
    block.gone += 1
    timeline.gone += 1
    if block.hits[position]:
        block.run_hits[position >> 6] -= block.hits[position]
        block.hits[position] = 0
    timeline.first = following
    if seq == timeline.dense_from:
        timeline.dense_from = following
    if not is_first_entry:
        ledger.history_bytes -= len(entry)  # type: ignore[arg-type]
        ledger.index.remove(entry)  # type: ignore[arg-type]
        _forget_author(engine, seqs[index])
        engine.entry_offset -= 1
        forms[index] = None
        next_chain.holes = index = index + 1  # type: ignore[union-attr]
        if index > HOLES_MIN and index * 2 > len(forms):
            next_chain.squeeze()  # type: ignore[union-attr]
    return True


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
        _forget_author(engine, seqs[-1])


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
    _forget_author(engine, seq)
    chain.forget(index)
    if chain.last is DELETED:
        retire(engine, chain)


def _forget_author(engine: "Engine", seq: int) -> None:
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
