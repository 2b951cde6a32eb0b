"""Who made what memory has: also the commits that have left while something of theirs stays.

An entry of a chain outlives its commit while a snapshot shows it, and so does who made it. A value outlives even its
entry: a quarantine and a release carry it on. So when the entry that brought a value goes, what carries the value on is
told who that was. Cost: O(1) for each entry that goes, and the facts are shared.
"""

from typing import TYPE_CHECKING

from backpack.core.chain import Chain, Mark, Purged, Setter, carries_on, form_of, kind_of, size_of
from backpack.core.commit import Commit, Label, RawChange
from backpack.core.payload import LargeRef

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


LoneAuthor = tuple[int, Label]
"""The same of a commit of one key: `(time, label)`; its change is read from the entry, which stays as long. Only
atoms, so that the garbage collector soon leaves it alone."""


def setter_of(engine: "Engine", chain: Chain, index: int) -> Commit | None:
    """The commit that brought the value of an entry: for a quarantine or a release, that of the pack before it.

    None where that is lost. Cost: the entries of the key since then; those that the past has are read there.
    """
    seqs, forms = chain.columns
    seq = 0
    while index >= 0:
        entry = forms[index]
        if not carries_on(entry):
            return engine.commit_of(chain, index)
        if isinstance(entry, Mark | Purged) and entry.setter is not None:
            return Commit((engine.epoch.of(entry.setter[0]), *entry.setter))
        seq = seqs[index]
        index = chain.kept_before(index)
    past = engine.past
    seq = 0 if past is None else past.setter_of(chain.key, seq)
    return engine.commit_at(seq) if past is not None and seq and past.knows(seq) else None


def hand_on(engine: "Engine", chain: Chain, index: int) -> None:
    """The entry at `index` is about to go: the next one, if it carries the value on, is told who brought it."""
    seqs, forms = chain.columns
    following = index + 1
    while following < len(forms) and forms[following] is None:
        following += 1
    heir = forms[following] if following < len(forms) else None
    if not isinstance(heir, Mark | Purged) or not carries_on(heir) or heir.setter is not None:
        return
    entry, seq = forms[index], seqs[index]
    if isinstance(entry, Mark | Purged) and carries_on(entry):
        heir.setter = entry.setter
        return
    author = engine.authors.get(seq)
    if author is not None:  # else the past knows
        heir.setter = facts_of(author, chain, seq)


def facts_of(author: Author | LoneAuthor, chain: Chain, seq: int) -> Setter:
    """What is known of a commit that has left, of which the chain has an entry."""
    if isinstance(author, Author):
        return seq, author.time_ns, author.label, author.changes
    return seq, *author, raw_changes((chain,), seq)


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


def forget_author(engine: "Engine", seq: int) -> None:
    """One of the entries that have outlived a commit goes."""
    author = engine.authors.get(seq)
    if author is None:
        return
    if isinstance(author, Author) and author.entries > 1:
        author.entries -= 1
    else:
        del engine.authors[seq]
