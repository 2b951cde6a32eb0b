"""An engine made of fields and data that someone else wrote, each of them proved.

The parts are made in the order in which they need each other: texts, labels, forms, chains, timeline, authors; counters
and indexes follow from them. Cost: O(bytes + changes), and no value is joined. Memory is in proportion to the fields:
30 KB a commit in the worst case, when each stands in a block of its own.
"""

from collections.abc import Iterable
from typing import Final

from backpack.core.chain import form_of, is_visible
from backpack.core.engine import Engine
from backpack.core.fields import NUMBER_MAX, SEQ_MAX, Fields, Given, is_name, require
from backpack.core.ids import Epoch
from backpack.core.limits import Limits
from backpack.core.payload import Pieces
from backpack.core.rebuilt_chains import read_chains
from backpack.core.rebuilt_commits import connect, read_authors, read_labels, read_setters, read_timeline
from backpack.core.rebuilt_forms import read_forms

EPOCHS_MAX: Final = 10_000
"""Lives of a store: forks of forks, loads of exports of loads."""

SECRET_SIZE_MAX: Final = 64


def rebuild(fields: Fields, data: Iterable[bytes], secret: bytes) -> tuple[Engine, int]:
    """An engine and its `last_ns`. Its next commits get ids of a new epoch with that secret.

    `data` may be cut anywhere. Fields that don't fit together raise `CorruptionError`, and as what Python raises on
    nonsense: KeyError, IndexError, TypeError, ValueError, OverflowError. No memory is made that the fields don't fill.
    """
    given = Given(fields)
    head = given.head
    labels = read_labels(given)
    forms = read_forms(given, data)
    engine = Engine(_read_limits(given), Epoch(secret, head + 1, _read_epochs(given)))
    chains = read_chains(given, forms)
    timeline = engine.timeline = read_timeline(given, labels)
    engine.chains = {chain.key: chain for chain in chains}
    require(len(engine.chains) == len(chains), "a key stands twice")
    engine.authors = read_authors(given, labels, connect(given, timeline, chains))
    read_setters(given, labels, chains)
    engine.names.update(engine.chains)
    engine.visible.update(chain.key for chain in chains if is_visible(chain.last))
    _read_retired(given, engine)
    engine.ledger.rebuild(chains)
    engine.take_ledger()
    engine.large = {chain for chain in chains if chain.content is not None}
    engine.entry_offset = sum(len(chain.columns[1]) for chain in chains) - head
    engine.pruned = engine.pruned_told = given.number("pruned", SEQ_MAX)
    _read_checkpoints(given, engine)
    last_ns = given.number("last_ns")
    return engine, max(last_ns, timeline.tail.times[-1] if timeline.numbers else 0)


def joined_size(engine: Engine) -> int:
    """How many bytes `Engine.check` copies to see whether values are as long as they say."""
    total = 0
    for chain in engine.chains.values():
        for entry in chain.columns[1]:
            if type(entry) is not bytes and entry is not None:
                form = form_of(entry)
                if isinstance(form, Pieces):
                    total += form.size
        if chain.content is not None:
            total += chain.content.size if isinstance(chain.content, Pieces) else len(chain.content)
    return total


def _read_limits(given: Given) -> Limits:
    value_size, history_size, commits, strategy, share, hard_limit = given.fields["limits"]
    for limit in (value_size, history_size, commits):
        require(limit is None or (type(limit) is int and limit <= NUMBER_MAX), "a limit is no number")
    return Limits(value_size, history_size, commits, strategy, share, hard_limit)


def _read_epochs(given: Given) -> Epoch | None:
    epoch: Epoch | None = None
    epochs = given.items("epochs", list)
    require(len(epochs) <= EPOCHS_MAX and (len(epochs) > 0 or not given.head), "there are too many epochs or none")
    last = 0
    for secret, first_seq in epochs:
        require(type(secret) is bytes and 0 < len(secret) <= SECRET_SIZE_MAX, "the secret of an epoch is none")
        require(type(first_seq) is int and last < first_seq <= given.head, "the epochs do not follow one another")
        epoch, last = Epoch(secret, first_seq, epoch), first_seq
    return epoch


def _read_retired(given: Given, engine: Engine) -> None:
    keys = [given.key(place) for place in given.column("retired_keys", "I", stop=len(given.texts))]
    versions = given.column("retired_versions", "q", len(keys), start=1, stop=SEQ_MAX)
    seqs = given.column("retired_seqs", "q", len(keys), stop=given.head + 1)
    engine.retired = dict(zip(keys, versions, strict=True))
    engine.retired_seqs = dict(zip(keys, seqs, strict=True))
    is_whole = len(engine.retired) == len(keys) and engine.retired.keys().isdisjoint(engine.chains)
    require(is_whole, "a retired key is none")


def _read_checkpoints(given: Given, engine: Engine) -> None:
    for name, seq, notes in given.items("checkpoints", list):
        is_whole = type(name) is str and is_name(name) and type(notes) is str and name not in engine.pins.checkpoints
        require(is_whole and type(seq) is int and engine.timeline.has(seq), "a checkpoint is none")
        engine.pins.add(name, seq, notes)
