"""Erasing: every value that some keys ever had leaves memory; what is left of each is its kind and its size."""

from collections.abc import Iterable

from backpack.core.chain import Mark, Purged, form_of, kind_of, size_of
from backpack.core.engine import Engine


def purge(engine: Engine, keys: Iterable[str], *, dry_run: bool, after: int = 0) -> tuple[dict[str, int], int]:
    """`(versions erased by key, their packed bytes)`. Their present values are out of sight already, unless `dry_run`.

    Versions of commits up to `after` are erased and not counted: whoever has their past counts them.
    Cost: O(changes of these keys).
    """
    versions: dict[str, int] = {}
    size = 0
    for key in keys:
        chain = engine.chains.get(key)
        if chain is None:  # it was deleted a moment ago, and the pruning that followed took the last of it
            continue
        seqs, forms = chain.columns
        for index, entry in enumerate(forms):
            if entry is None or form_of(entry) is None:
                continue
            if seqs[index] > after:
                versions[key] = versions.get(key, 0) + 1
                size += size_of(entry)
            if dry_run:
                continue
            assert index < len(forms) - 1, "a value that is purged is out of sight"
            engine.ledger.release(entry)
            forms[index] = Purged(kind_of(entry), size_of(entry), entry.setter if isinstance(entry, Mark) else None)
        if not dry_run:
            chain.content = chain.tip = None
            chain.is_plain = chain.is_usual = False
            engine.large.discard(chain)
            for link in list(engine.pins.views.values()):
                view = link()
                if view is not None:
                    view.forget(key)
    return versions, size
