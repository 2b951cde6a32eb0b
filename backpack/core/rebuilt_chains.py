"""The chains of all keys made of fields.

Entries are numbers of forms. A mark stands aside: the place of its entry, its kind, and its reason or, where the value
was erased, its size. Cost: O(entries).
"""

from backpack.core.chain import DELETED, PACK, Chain, Entry, Mark, Purged, form_of
from backpack.core.fields import KINDS, PURGED, SEQ_MAX, Given, is_rising, require
from backpack.core.payload import Form, LargeRef
from backpack.core.rebuilt_forms import Forms


def read_chains(given: Given, forms: Forms) -> list[Chain]:
    """The chains of all keys, in the order in which they were written."""
    keys = [given.key(place) for place in given.column("chain_keys", "I", stop=len(given.texts))]
    counts = given.column("chain_counts", "q", len(keys), start=1)
    gone = given.column("chain_gone", "q", len(keys), stop=SEQ_MAX)
    former_versions = given.column("chain_former_versions", "q", len(keys), stop=SEQ_MAX)
    former_seqs = given.column("chain_former_seqs", "q", len(keys), stop=given.head + 1)
    has_versions = given.raw("chain_has_versions", len(keys), 2)
    versioned = sum(count for count, has in zip(counts, has_versions, strict=True) if has)
    versions = given.column("chain_versions", "q", versioned, start=1)
    entries = _read_entries(given, forms, sum(counts))
    seqs = given.column("entry_seqs", "q", len(entries), start=1, stop=given.head + 1)
    chains = []
    at = version_at = 0
    columns = zip(keys, counts, gone, former_versions, former_seqs, has_versions, strict=True)
    for key, count, gone_count, former_version, former_seq, has in columns:
        chain = Chain(key, gone_count)
        chain.former = (former_version, former_seq)
        column = seqs[at : at + count]
        require(is_rising(column), "the changes of a key are out of order")
        chain.columns = (column, list(entries[at : at + count]))
        at += count
        if has:
            chain.versions = versions[version_at : version_at + count]
            version_at += count
            is_last = chain.versions[-1] == chain.version
            require(is_last and is_rising(chain.versions), "the versions of a key are out of order")
        last = chain.last
        form = None if last is None else form_of(last)
        if isinstance(form, LargeRef):
            chain.content = forms.contents.get(id(form))
            require(chain.content is not None, "the bytes of a present value are missing")
        chains.append(chain)
    return chains


def _read_entries(given: Given, forms: Forms, count: int) -> list[Entry]:
    payloads, composites = forms.payloads, forms.composites
    numbers = given.column("entry_forms", "I", count)
    entries: list[Entry | None] = [
        None if not number else payloads[number >> 1] if number & 1 else composites[(number >> 1) - 1]
        for number in numbers
    ]
    places = given.column("mark_places", "q", stop=count)
    kinds = given.raw("mark_kinds", len(places))
    facts = given.column("mark_facts", "q", len(places))
    require(is_rising(places), "the marks are out of order")
    for place, kind, fact in zip(places, kinds, facts, strict=True):
        form = entries[place]
        assert not isinstance(form, Mark | Purged)
        entries[place] = _mark(given.texts, form, kind, fact)
    whole = [entry for entry in entries if entry is not None]
    require(len(whole) == count, "a change without a value has no mark")
    return whole


def _mark(texts: list[str], form: Form | None, kind: int, fact: int) -> Entry:
    if kind >= PURGED:
        require(form is None, "a purged value is there")
        return Purged(KINDS[kind - PURGED], fact)
    name = KINDS[kind]
    if name == "delete":
        require(form is None, "a deleted value is there")
        return DELETED
    require(name != PACK and form is not None, "a mark has no value, or a pack has a mark")
    return Mark(name, form, texts[fact])
