"""The full check: every invariant of every structure, and every count recounted from the entries themselves."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backpack.core.authors import Author
from backpack.core.chain import DELETED, PACK, form_of, is_visible
from backpack.core.ledger import Holder, weight_of
from backpack.core.payload import Form, LargeRef, Pieces, form_size, join

if TYPE_CHECKING:
    from backpack.core.engine import Engine


@dataclass(frozen=True, slots=True)
class Recount:
    """The counts that the ledger must agree with, in bytes."""

    live_bytes: int
    history_bytes: int


def recount(engine: "Engine") -> Recount:
    """Count from the payloads. Cost: O(entries)."""
    live: dict[int | bytes, Form] = {}
    history: dict[int | bytes, Holder] = {}
    for chain in engine.chains.values():
        seqs, forms = chain.columns
        for index, entry in enumerate(forms):
            form = None if entry is None else form_of(entry)
            if form is None:
                continue
            is_last = index == len(forms) - 1
            if is_last:
                live[_identity(form)] = form
            if not is_last or engine.timeline.has(seqs[index]):
                history[_identity(form)] = form
                if isinstance(form, Pieces):
                    history.update((_identity(source), source) for source in form.sources)
    return Recount(
        live_bytes=sum(form_size(form) for form in live.values()),
        history_bytes=sum(weight_of(holder) for holder in history.values()),
    )


def check(engine: "Engine") -> None:
    """Raise AssertionError at the first thing that is not as it must be."""
    timeline, ledger = engine.timeline, engine.ledger
    timeline.check()
    counted = recount(engine)
    assert counted.live_bytes == ledger.live_bytes, (counted.live_bytes, ledger.live_bytes)
    assert counted.history_bytes == ledger.history_bytes, (counted.history_bytes, ledger.history_bytes)
    survivors = list(timeline.seqs())
    entries_by_seq: dict[int, int] = {}
    visible = []
    indexed: set[bytes] = set()
    for key, chain in engine.chains.items():
        chain.check()
        assert chain.key == key
        assert chain.is_settled == (not timeline.has(chain.last_seq))
        if chain.is_usual:
            assert type(chain.last) is bytes and id(chain.last) not in ledger.records
            assert not chain.is_settled and chain.versions is None
        seqs, forms = chain.columns
        if is_visible(chain.last):
            visible.append(key)
        for index, entry in enumerate(forms):
            if entry is None:
                continue
            seq = seqs[index]
            entries_by_seq[seq] = entries_by_seq.get(seq, 0) + 1
            following = next((seqs[i] for i in range(index + 1, len(forms)) if forms[i] is not None), timeline.head + 1)
            is_seen = any(seq <= survivor < following for survivor in _near(survivors, seq, following))
            is_seen = is_seen or (index == len(forms) - 1 and not survivors and engine.past is not None)
            assert is_seen, f"entry of {key!r} at {seq} serves no commit"
            form = form_of(entry)
            if isinstance(form, bytes):
                indexed.add(form)
            if isinstance(form, Pieces):
                assert len(join(form)) == form.size
                indexed.update(source for source in form.sources if isinstance(source, bytes))
            if isinstance(form, LargeRef) and index == len(forms) - 1:
                assert chain.content is not None and len(join(chain.content)) == form.size
        if chain.last is DELETED and not timeline.has(chain.last_seq):
            assert len(forms) - chain.holes > 1, f"{key!r} should have been retired"
    sleeping = {} if engine.past is None else dict(engine.past.dormant_kinds())
    assert not sleeping.keys() & engine.chains.keys(), "a key sleeps and is awake"
    if engine.past is not None:
        assert engine.past.dormant_bytes == sum(engine.past.dormant_sizes())
    visible += [key for key, kind in sleeping.items() if kind in (PACK, "release")]
    names = [*engine.chains, *(key for key, kind in sleeping.items() if kind != "delete")]
    assert sorted(visible) == list(engine.visible)
    assert sorted(names) == list(engine.names)
    assert not set(engine.retired) & set(engine.chains)
    assert indexed == ledger.index.payloads()
    for seq in survivors:
        for chain in timeline.changed(seq):
            assert chain.index_of(seq) >= 0, f"commit {seq} lost its entry of {chain.key!r}"
    for seq, author in engine.authors.items():
        entries = author.entries if isinstance(author, Author) else 1
        assert not timeline.has(seq) and entries == entries_by_seq.get(seq), (seq, entries)
    for seq in engine.pins.checkpoint_counts:
        is_there = seq == 0 or timeline.has(seq) or (engine.past is not None and engine.past.has(seq))
        assert is_there, f"checkpoint at {seq} was pruned"
    assert sum(entries_by_seq.values()) == engine.entry_count
    assert engine.large == {chain for chain in engine.chains.values() if chain.content is not None}


def _near(survivors: list[int], seq: int, following: int) -> list[int]:
    from bisect import bisect_left

    at = bisect_left(survivors, seq)
    return [survivor for survivor in survivors[at : at + 1] if survivor < following]


def _identity(holder: Holder) -> int | bytes:
    return holder if isinstance(holder, bytes) else id(holder)
