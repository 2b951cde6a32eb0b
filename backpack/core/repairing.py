"""Making an engine whole again after an exception came from outside in the middle of a change.

Ctrl-C, MemoryError and exceptions that other threads send may strike between any two steps. `timeline.head` is moved
as the last step of a commit, so what lies behind it has not happened; a commit is marked dead as a step of leaving
memory, so it has left. Everything else is derived from the entries and these two facts, and is made anew here.
"""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sortedcontainers import SortedList

from backpack.core.authors import Author, hand_on
from backpack.core.chain import DELETED, PACK, Chain, Entry, form_of, is_visible, kind_of, size_of
from backpack.core.payload import Content, LargeRef
from backpack.core.timeline import BLOCK_BITS, BLOCK_MASK, BLOCK_SIZE, Block, Gap

if TYPE_CHECKING:
    from backpack.core.engine import Engine


def repair(engine: "Engine", contents: Iterable[tuple[Chain, Content | None]] = ()) -> None:
    """Take back what is behind the head, finish what is leaving. `contents`: large values as they were before.

    Cost: O(changes in memory).
    """
    for chain, content in contents:
        chain.content = content
    _cut_timeline(engine)
    for chain in list(engine.chains.values()):
        _cut_chain(engine, chain)
    _close_gaps(engine)
    for chain in list(engine.chains.values()):
        _recount_chain(engine, chain)
    count_anew(engine)
    sleeping = [] if engine.past is None else list(engine.past.dormant_kinds())
    engine.names = SortedList([*engine.chains, *(key for key, kind in sleeping if kind != "delete")])
    engine.visible = SortedList(
        [
            *(key for key, chain in engine.chains.items() if is_visible(chain.last)),
            *(key for key, kind in sleeping if kind in (PACK, "release")),
        ]
    )
    engine.pins.checkpoint_counts = dict(Counter(seq for seq, _ in engine.pins.checkpoints.values()))
    engine.holey.clear()
    engine.pruned = engine.timeline.gone
    engine.pruner.reset()


def count_anew(engine: "Engine") -> None:
    """Every count of bytes and entries, and which values are large, from the chains. Cost: O(entries)."""
    chains = engine.chains.values()
    engine.ledger.rebuild(chains)
    engine.take_ledger()
    engine.large = {chain for chain in chains if chain.content is not None}
    engine.entry_offset = sum(len(chain.columns[1]) - chain.holes for chain in chains) - engine.timeline.head


def _cut_timeline(engine: "Engine") -> None:
    timeline = engine.timeline
    head = timeline.head
    for number in list(timeline.blocks):
        block = timeline.blocks[number]
        if number << BLOCK_BITS > head:
            del timeline.blocks[number]
            continue
        size = min(BLOCK_SIZE, head - (number << BLOCK_BITS) + 1)
        for column in (block.times, block.labels, block.changed):
            del column[size:]
        block.gone = block.dead.count(1)
        for position in range(BLOCK_SIZE):
            if block.dead[position]:
                block.hits[position] = 0
        for run in range(len(block.run_hits)):
            block.run_hits[run] = sum(block.hits[run << 6 : (run + 1) << 6])
    timeline.numbers = sorted(timeline.blocks)
    timeline.tail = timeline.blocks[timeline.numbers[-1]] if timeline.numbers else Block(0)
    alive = sum(len(block.times) - block.dead.count(1, 0, len(block.times)) for block in timeline.blocks.values())
    timeline.gone = head - alive
    timeline.first = timeline.next_from(0) or head + 1


def _cut_chain(engine: "Engine", chain: Chain) -> None:
    """Entries behind the head never were; entries that no commit sees are gone."""
    timeline = engine.timeline
    seqs, forms = chain.columns
    del forms[len(seqs) :]
    while seqs and seqs[-1] > timeline.head:
        seqs.pop()
        forms.pop()
    if chain.versions is not None:
        del chain.versions[len(seqs) :]
    following = timeline.head + 1
    unseen: list[int] = []
    for index in range(len(seqs) - 1, -1, -1):
        if forms[index] is None:
            continue
        seen_by = timeline.next_from(seqs[index])
        if following <= timeline.head and (not seen_by or seen_by >= following):
            unseen.append(index)
        else:
            following = seqs[index]
    for index in reversed(unseen):  # oldest first: who brought a value is handed on from each to the next
        hand_on(engine, chain, index)
        forms[index] = None
    chain.holes = forms.count(None)
    chain.is_ragged = forms[: chain.holes].count(None) != chain.holes
    chain.tip = None
    chain.is_plain = chain.is_usual = False
    last = forms[-1] if forms else None
    is_alone = len(forms) - chain.holes == 1
    if last is None or (last is DELETED and is_alone and not timeline.has(seqs[-1])):
        del engine.chains[chain.key]
        if chain.version:
            engine.retired[chain.key] = chain.version
            engine.retired_seqs[chain.key] = seqs[-1] if last is not None else chain.former[1]
    else:
        engine.retired.pop(chain.key, None)
        engine.retired_seqs.pop(chain.key, None)


def _recount_chain(engine: "Engine", chain: Chain) -> None:
    chain.is_settled = not engine.timeline.has(chain.last_seq)
    last = chain.last
    form = None if last is None else form_of(last)
    if not isinstance(form, LargeRef):
        chain.content = None
    elif chain.content is None:
        chain.content = form.content()


def _close_gaps(engine: "Engine") -> None:
    """The gaps between commits, what is carried over them, and the authors of what stays."""
    timeline = engine.timeline
    first_times = {seq: gap.first_time for seq, gap in timeline.gaps.items()}
    timeline.gaps = {}
    authors, engine.authors = engine.authors, {}
    changes: dict[int, list[tuple[Chain, int, Entry]]] = {}
    for chain in engine.chains.values():
        for index, (seq, entry) in enumerate(zip(*chain.columns, strict=True)):
            if entry is not None and not timeline.has(seq):
                changes.setdefault(seq, []).append((chain, index, entry))
    if timeline.front_time is None and timeline.first > 1:
        timeline.front_time = _time_of(engine, 1)
    for seq in timeline.seqs(timeline.first):
        before = timeline.last_before(seq)
        if before != seq - 1:
            known = [time for behind, time in first_times.items() if before < behind <= seq]
            timeline.gaps[seq] = Gap(min(known, default=_time_of(engine, before + 1)))
    for seq, entries in changes.items():
        following = timeline.next_from(seq)
        if following in timeline.gaps:
            timeline.gaps[following].carried.update(chain for chain, _, _ in entries)
        author = authors.get(seq)
        if isinstance(author, Author):
            author.entries = len(entries)
            engine.authors[seq] = author
        elif author is not None and len(entries) == 1:
            engine.authors[seq] = author
        elif engine.past is None or not engine.past.knows(seq):
            raw = tuple(
                (
                    chain.key,
                    kind_of(entry),
                    chain.version_of(index),
                    size_of(entry),
                    isinstance(form_of(entry), LargeRef),
                )
                for chain, index, entry in entries
            )
            block = timeline.blocks.get(seq >> BLOCK_BITS)
            label = (None, None, ()) if block is None else block.labels[seq & BLOCK_MASK]
            engine.authors[seq] = Author(_time_of(engine, seq), label, raw, len(entries))


def _time_of(engine: "Engine", seq: int) -> int:
    """The time of a commit, even one that has just left; that of the last one known before it, else."""
    timeline = engine.timeline
    while seq > 0:
        block = timeline.blocks.get(seq >> BLOCK_BITS)
        if block is not None:
            return block.times[seq & BLOCK_MASK]
        seq = timeline.last_before(seq)
    return timeline.front_time or 0
