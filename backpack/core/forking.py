"""A second engine that shares the bytes of the first up to a commit and goes on by itself."""

from array import array
from bisect import bisect_right
from collections import Counter
from weakref import WeakValueDictionary

from backpack.core.authors import Author
from backpack.core.chain import DELETED, PACK, Chain, Entry, Mark, Purged, form_of, is_visible
from backpack.core.engine import Engine
from backpack.core.ids import Epoch
from backpack.core.payload import Buffer, Content, Form, LargeRef, Pieces
from backpack.core.timeline import BLOCK_BITS, BLOCK_SIZE, Block, Gap, Timeline


def fork(engine: Engine, seq: int, secret: bytes, replaced: dict[str, Content]) -> Engine:
    """A new engine at the state of `seq`. Cost: O(changes up to there), no payload is copied; a cold read for each
    large value that only the past has.

    `replaced` has the bytes to put where a value at `seq` is not within reach.
    """
    twin = Engine(engine.limits, Epoch(secret, seq + 1, engine.epoch))
    chains = {
        key: _fork_chain(engine, chain, seq, replaced.get(key))
        for key, chain in engine.chains.items()
        if chain.columns[0] and chain.entry_at(seq) is not None
    }
    for key, chain in list(chains.items()):
        if chain.last is DELETED and chain.is_settled and len(chain.columns[1]) - chain.holes == 1:
            twin.retired[key], twin.retired_seqs[key] = chain.version, chain.last_seq
            del chains[key]
    formers = {key: (version, engine.retired_seqs.get(key, 0)) for key, version in engine.retired.items()}
    formers.update((key, chain.former) for key, chain in engine.chains.items() if key not in chains)
    for key, (version, deleted_at) in formers.items():
        if version and deleted_at <= seq and key not in twin.retired:
            twin.retired[key], twin.retired_seqs[key] = version, deleted_at
    twin.chains = chains
    twin.large_refs = WeakValueDictionary(engine.large_refs)
    twin.names.update(chains)
    twin.visible.update(key for key, chain in chains.items() if is_visible(chain.last))
    twin.timeline = _fork_timeline(engine.timeline, seq, chains)
    twin.ledger.rebuild(chains.values())
    twin.take_ledger()
    twin.pruner.reset()
    twin.pruned = twin.pruned_told = twin.timeline.gone
    twin.large = {chain for chain in chains.values() if chain.content is not None}
    twin.entry_offset = sum(len(chain.columns[1]) - chain.holes for chain in chains.values()) - seq
    for name, (at, notes) in engine.pins.checkpoints.items():
        if at <= seq:
            twin.pins.add(name, at, notes)
    left = Counter(
        at
        for chain in chains.values()
        for at, entry in zip(*chain.columns, strict=True)
        if entry is not None and not twin.timeline.has(at)
    )
    for at, entries in left.items():
        author = engine.authors.get(at)
        if author is None:  # the past knows who
            continue
        if isinstance(author, Author):
            author = Author(author.time_ns, author.label, author.changes, entries)
        twin.authors[at] = author
    return twin


def _fork_chain(engine: Engine, chain: Chain, seq: int, replaced: Content | None) -> Chain:
    twin = Chain(chain.key)
    seqs, forms = chain.columns
    stop = bisect_right(seqs, seq)
    kept: list[Entry | None] = forms[:stop]
    twin.columns = (seqs[:stop], kept)
    twin.gone = chain.gone
    twin.former = chain.former
    if chain.versions is not None:
        twin.versions = chain.versions[:stop]
        twin.gone = twin.versions[-1] - stop
    twin.holes = kept.count(None)
    twin.is_ragged = kept[: twin.holes].count(None) != twin.holes
    twin.is_settled = not engine.timeline.has(seqs[stop - 1])
    twin.is_plain = chain.is_plain and stop == len(forms)
    last = kept[-1]
    assert last is not None
    form = form_of(last)
    if isinstance(form, LargeRef):
        twin.content = chain.content if stop == len(forms) else form.content()
        if twin.content is None and replaced is None and engine.past is not None:
            twin.content = engine.past.content(chain.key, seqs[stop - 1])
    if replaced is not None:
        form = LargeRef(replaced) if isinstance(replaced, Pieces) else replaced
        kept[-1] = _instead(last, form)
        twin.content = replaced if isinstance(replaced, Pieces) else None
    for entry in kept:
        shared = None if entry is None else form_of(entry)
        content = shared.content() if isinstance(shared, LargeRef) else shared
        if isinstance(content, Pieces):
            _seal(content)
    if isinstance(twin.content, Pieces):
        _seal(twin.content)
    return twin


def _instead(entry: Entry, form: Form) -> Entry:
    """An entry whose value is out of reach, with another one."""
    if isinstance(entry, Mark):
        return entry.over(form)
    if not isinstance(entry, Purged) or entry.kind == PACK:
        return form
    mark = Mark(entry.kind, form)
    mark.setter = entry.setter
    return mark


def _seal(pieces: Pieces) -> None:
    """From here on two stores have these buffers: neither may make them longer."""
    for source in pieces.sources:
        if isinstance(source, Buffer):
            source.is_sealed = True


def _fork_timeline(timeline: Timeline, seq: int, chains: dict[str, Chain]) -> Timeline:
    twin = Timeline(0)
    twin.head = seq
    last_number = seq >> BLOCK_BITS
    for number in timeline.numbers:
        if number > last_number or not seq:
            break
        twin.blocks[number] = _fork_block(timeline.blocks[number], number, seq, chains)
        twin.numbers.append(number)
    alive = 0
    for number in list(twin.numbers):
        block = twin.blocks[number]
        if block.gone == BLOCK_SIZE and number != last_number:
            del twin.blocks[number]
            twin.numbers.remove(number)
        alive += block.dead.count(0, 0, len(block.times))
    if seq:
        twin.tail = twin.blocks[last_number]
    twin.gone = seq - alive
    twin.front_time = timeline.front_time if seq else None
    for behind, gap in timeline.gaps.items():
        if behind <= seq:
            copy = twin.gaps[behind] = Gap(gap.first_time)
            copy.carried = {chains[chain.key] for chain in gap.carried if chain.key in chains}
    twin.first = twin.next_after(0) or seq + 1
    return twin


def _fork_block(block: Block, number: int, seq: int, chains: dict[str, Chain]) -> Block:
    stop = min(BLOCK_SIZE, seq - (number << BLOCK_BITS) + 1)
    twin = Block(0)
    twin.times = block.times[:stop]
    twin.labels = block.labels[:stop]
    twin.changed = [
        tuple(chains[chain.key] for chain in changed if chain.key in chains)
        if type(changed) is tuple
        else chains.get(changed.key, ())  # type: ignore[union-attr]
        for changed in block.changed[:stop]
    ]
    twin.dead = block.dead[:stop] + bytearray(BLOCK_SIZE - stop)
    twin.gone = twin.dead.count(1)
    twin.hits = block.hits[:stop] + array("I", bytes(4 * (BLOCK_SIZE - stop)))
    twin.run_hits = array("Q", [sum(twin.hits[at : at + 64]) for at in range(0, BLOCK_SIZE, 64)])
    return twin
