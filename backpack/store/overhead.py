"""What a store keeps beside the bytes of its values: objects, columns, indexes. An estimate, from a sample.

What is one thing, or one of few (dicts, the columns of 1,024 commits), is measured; of what there are as many as
commits, keys or shared pieces, so many are looked at, spread evenly, and the mean counts for all. So nothing is counted
while packing, and the cost is the same for any history. Sizes are those that the interpreter says it asked for.
"""

from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import islice
from sys import getsizeof
from typing import Final, TypeVar

from backpack.core.authors import Author, LoneAuthor
from backpack.core.chain import DELETED, Chain, Mark, form_of
from backpack.core.engine import Engine
from backpack.core.index import Index
from backpack.core.ledger import Record
from backpack.core.payload import LARGE_REF_SIZE, Buffer, LargeRef, Pieces
from backpack.core.timeline import BLOCK_BITS, BLOCK_MASK, BLOCK_SIZE, Block, Gap, Timeline

_SAMPLES: Final = 64
_GOLDEN: Final = 0.6180339887498949
"""Its multiples, cut to what is behind the point, are spread evenly, however many, and in step with nothing."""

_STORE: Final = 9_000
"""What an empty one has."""
_BYTES: Final = getsizeof(b"")
_INT: Final = 32
_TEXT: Final = getsizeof("")
_REF: Final = 72
"""A weak reference."""
_ENTRY: Final = 16.8
"""A place in the two columns of a chain, with the room they keep for growth."""
_CHAIN: Final = getsizeof(Chain("")) + 2 * getsizeof((0, 0)) + getsizeof([]) + getsizeof(Chain("").columns[0]) + 80
"""A chain with its two empty columns, the least room that these make, and its places in two sorted lists."""
_LEAST: Final = 64
"""Of that, the least room."""
_EMPTY: Final = sum(map(getsizeof, Chain("").columns))
_RECORD: Final = getsizeof(Record(b"")) + 2 * _INT
_FILED: Final = getsizeof((b"", None)) + _INT
"""A long payload in its index: a hash, and a tuple of payload and chain."""
_FILED_LARGE: Final = getsizeof((0, 0)) + 2 * _INT + _REF + 60
"""A large value in its index: a size, a hash, a reference that knows both, and its place."""
_KEY_SIZE: Final = 16
"""Of keys that nobody has looked at."""

_T = TypeVar("_T")


def overhead_bytes(engine: Engine) -> int:
    """The estimate. Cost: O(1), and a little for each block of 1,024 commits."""
    timeline, ledger = engine.timeline, engine.ledger
    sample = _Sample(timeline)
    total = _STORE + _columns(timeline) + _indexed(ledger.index)
    total += timeline.count * sample.changed_size + engine.entry_count * (_ENTRY + sample.entry_size)
    total += (timeline.count + len(engine.authors)) * sample.label_size
    total += getsizeof(engine.chains) + len(engine.chains) * (_CHAIN + _TEXT + sample.key_size)
    total += getsizeof(engine.retired) + getsizeof(engine.retired_seqs)
    total += len(engine.retired) * (2 * _INT + _TEXT + sample.key_size)
    total += getsizeof(engine.authors) + _all(engine.authors, engine.authors.values(), _author)
    total += getsizeof(timeline.gaps) + _all(timeline.gaps, timeline.gaps.values(), _gap)
    total += getsizeof(ledger.records) + _all(ledger.records, ledger.records.values(), _record)
    total += getsizeof(engine.large) + _all(engine.large, engine.large, _content)
    total += len(engine.large_refs) * _FILED_LARGE
    return int(total)


class _Sample:
    """What some commits look like, on average: sizes beyond those of the columns that they stand in."""

    def __init__(self, timeline: Timeline) -> None:
        self.label_size = 0.0
        """Who and why, as far as it is not shared."""
        self.changed_size = 0.0
        """The tuple of its changes."""
        self.entry_size = 0.0
        """The object that says which slices a value has, beyond the bytes that history counts; and the room that the
        columns of a chain have from when it was longer."""
        self.key_size = float(_KEY_SIZE)
        """The characters of a key."""
        count = changes = changed_size = key_size = 0
        entry_size = 0.0
        labels, nodes, messages, tags = (_Shared() for _ in range(4))
        for seq in _spread(timeline):
            _, label, changed = timeline.facts(seq)
            block, position = timeline.blocks[seq >> BLOCK_BITS], seq & BLOCK_MASK
            neighbour = block.labels[position - 1 if position else min(1, len(block.labels) - 1)]
            labels.see(label, neighbour)
            nodes.see(label[0], neighbour[0])
            messages.see(label[1], neighbour[1])
            tags.see(label[2], neighbour[2])
            chains = timeline.changed(seq)
            one = chains[int(_GOLDEN * seq % 1 * len(chains))]
            count += 1
            changes += len(chains)
            changed_size += getsizeof(changed) if type(changed) is tuple else 0
            entry_size += len(chains) * (_entry(one, one.index_of(seq)) + _room(one))
            key_size += len(chains) * len(one.key)
        if count:
            labels_size = sum(one.total(timeline.count) for one in (labels, nodes, messages, tags))
            self.label_size = labels_size / timeline.count
            self.changed_size = changed_size / count
            self.entry_size = entry_size / changes
            self.key_size = key_size / changes


def _room(chain: Chain) -> float:
    """What the columns of a chain have beyond what their entries need, for each of these."""
    seqs, forms = chain.columns
    count = len(forms) - chain.holes
    room = getsizeof(seqs) + getsizeof(forms) - _EMPTY - _LEAST - count * _ENTRY
    return max(room, 0.0) / count


class _Shared:
    """Objects of a kind that commits may share: all of them, some neighbours, or none."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        """By identity, each once."""
        self._count = 0
        self._changes = 0
        """How often the commit beside it had another one."""

    def see(self, one: object, beside: object) -> None:
        self._sizes[id(one)] = 0 if one is None else getsizeof(one)
        self._count += 1
        self._changes += one is not beside

    def total(self, count: int) -> float:
        """The size of all there are among so many commits."""
        size = sum(self._sizes.values())
        if 2 * len(self._sizes) <= self._count:
            return size  # they come again and again
        return size / len(self._sizes) * self._changes / self._count * count


def _spread(timeline: Timeline) -> Iterator[int]:
    """Commits in memory, spread evenly; all of them, while they are few."""
    numbers = timeline.numbers
    if timeline.count <= _SAMPLES:
        yield from timeline.seqs()
        return
    places = (len(numbers) - 1) * BLOCK_SIZE + len(timeline.tail.times)
    for sample in range(_SAMPLES):
        place = int(_GOLDEN * (sample + 1) % 1 * places)
        seq = timeline.next_from(numbers[place >> BLOCK_BITS] << BLOCK_BITS | place & BLOCK_MASK)
        if seq:
            yield seq


def _all(things: Sized, values: Iterable[_T], size_of: Callable[[_T], int]) -> float:
    """The sizes of all, of which the first ones are looked at."""
    seen = [size_of(one) for one in islice(values, _SAMPLES)]
    return sum(seen) / len(seen) * len(things) if seen else 0.0


def _columns(timeline: Timeline) -> float:
    """Those of all commits. All blocks but the last are full, and alike."""
    if not timeline.numbers:
        return 0
    full = _block(timeline.blocks[timeline.numbers[0]]) if len(timeline.numbers) > 1 else 0
    return full * (len(timeline.numbers) - 1) + _block(timeline.tail)


def _block(block: Block) -> int:
    columns = (block.times, block.labels, block.changed, block.dead, block.hits, block.run_hits)
    return getsizeof(block) + sum(map(getsizeof, columns)) + 2 * _INT


def _indexed(index: Index) -> int:
    """The places of payloads, and what a payload is beyond its bytes."""
    short = sum(map(len, index.shards))
    size = sum(map(getsizeof, index.shards)) + getsizeof(index.filed) + getsizeof(index.alike)
    return size + (short + len(index.filed) + len(index.alike)) * _BYTES + len(index.filed) * _FILED


def _entry(chain: Chain, index: int) -> int:
    """What an entry has beyond its place, and does not share with the one before it."""
    forms = chain.columns[1]
    entry, former = forms[index], forms[index - 1] if index else None
    if entry is DELETED or entry is None:
        return 0
    size = getsizeof(entry) + getsizeof(entry.reason) if isinstance(entry, Mark) else 0
    form, before = form_of(entry), None if former is None else form_of(former)
    if form is None or form is before or isinstance(form, bytes):
        return size
    size += getsizeof(form) + _INT + _BYTES
    same = before if type(before) is type(form) else None
    if same is None or same.cuts is not form.cuts:
        size += getsizeof(form.cuts)
    if isinstance(form, Pieces):
        return size + (0 if isinstance(same, Pieces) and same.sources is form.sources else getsizeof(form.sources))
    if not (isinstance(same, LargeRef) and same.links is form.links):
        size += getsizeof(form.links) + len(form.links) * _REF
    return size + len(form.own) - LARGE_REF_SIZE


def _record(record: Record) -> int:
    return _RECORD + (_buffer(record.holder) if isinstance(record.holder, Buffer) else 0)


def _buffer(buffer: Buffer) -> int:
    """What a buffer has beyond its bytes: among other things, the room that it keeps for growth."""
    return getsizeof(buffer) + (getsizeof(buffer.data) - len(buffer.data) if type(buffer) is Buffer else _REF)


def _content(chain: Chain) -> int:
    """What a present value that is large has beyond its bytes."""
    content = chain.content
    if not isinstance(content, Pieces):
        return 0
    objects = (content, content.sources, content.cuts)
    return sum(map(getsizeof, objects)) + sum(_buffer(one) for one in content.sources if isinstance(one, Buffer))


def _author(author: Author | LoneAuthor) -> int:
    if not isinstance(author, Author):
        return getsizeof(author) + 2 * _INT
    return getsizeof(author) + 2 * _INT + getsizeof(author.changes) + sum(map(getsizeof, author.changes))


def _gap(gap: Gap) -> int:
    return getsizeof(gap) + 2 * _INT + getsizeof(gap.carried)
