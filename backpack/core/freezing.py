"""A copy of the columns of an engine, which later commits don't change.

No payload is copied, so the store's lock is needed for O(changes in memory) of copying columns, and no longer: what is
written down of an engine is written from the copy, while the store goes on.
"""

from array import array

from backpack.core.authors import Author
from backpack.core.chain import Chain, Entry
from backpack.core.commit import Label, RawChange
from backpack.core.engine import Engine
from backpack.core.ids import Epoch
from backpack.core.timeline import Block

FrozenAuthor = tuple[int, Label, tuple[RawChange, ...]]
"""`(time, label, changes)`; no changes when there was one and its entry tells it."""


class FrozenChain:
    """The columns of a key without holes, as they were."""

    __slots__ = ("content", "former", "forms", "gone", "key", "seqs", "versions")

    def __init__(self, chain: Chain) -> None:
        self.key = chain.key
        self.content = chain.content
        self.former = chain.former
        self.gone = chain.gone + chain.holes
        seqs, forms = chain.columns
        self.seqs = seqs[:]
        self.forms: list[Entry] = forms[:]  # type: ignore[assignment]
        self.versions = None if chain.versions is None else chain.versions[:]
        if chain.holes:
            kept = [index for index, entry in enumerate(forms) if entry is not None]
            if self.versions is not None or chain.is_ragged:
                self.versions = array("q", [chain.version_of(index) for index in kept])
            self.seqs = array("q", [seqs[index] for index in kept])
            self.forms = [entry for entry in forms if entry is not None]


class Image:
    """A copy of all columns of an engine; what they hold is immutable, or only grows at its end."""

    __slots__ = (
        "authors",
        "blocks",
        "chains",
        "checkpoints",
        "epochs",
        "front_time",
        "gap_times",
        "head",
        "last_ns",
        "limits",
        "pruned",
        "retired",
    )

    def __init__(self, engine: Engine, last_ns: int) -> None:
        timeline = engine.timeline
        self.last_ns = last_ns
        self.head = timeline.head
        self.chains = [FrozenChain(chain) for chain in engine.chains.values()]
        self.blocks = [(number, _copied(timeline.blocks[number])) for number in timeline.numbers]
        self.front_time = timeline.front_time
        self.gap_times = {seq: gap.first_time for seq, gap in timeline.gaps.items()}
        self.authors: dict[int, FrozenAuthor] = {
            seq: (author.time_ns, author.label, author.changes) if isinstance(author, Author) else (*author, ())
            for seq, author in engine.authors.items()
        }
        self.checkpoints = [(name, seq, notes) for name, (seq, notes) in engine.pins.checkpoints.items()]
        self.retired = {key: (version, engine.retired_seqs.get(key, 0)) for key, version in engine.retired.items()}
        """By key: its version, and the commit that deleted it."""
        self.limits = engine.limits
        self.pruned = engine.pruned
        self.epochs: list[tuple[bytes, int]] = []
        """`(secret, first_seq)` of those that have made commits, oldest first."""
        epoch: Epoch | None = engine.epoch
        stop = self.head + 1
        while epoch is not None:
            if epoch.first_seq < stop:
                self.epochs.insert(0, (epoch.secret, epoch.first_seq))
                stop = epoch.first_seq
            epoch = epoch.parent


def freeze(engine: Engine, last_ns: int) -> Image:
    """A copy of the engine that later commits don't change; `last_ns` is the time that no later commit may precede.

    Wants the store's lock. Cost: O(changes in memory), no payload is copied.
    """
    return Image(engine, last_ns)


def _copied(block: Block) -> Block:
    twin = Block(0)
    twin.times, twin.labels, twin.changed = block.times[:], block.labels[:], block.changed[:]
    twin.dead, twin.hits = block.dead[:], block.hits[:]
    return twin
