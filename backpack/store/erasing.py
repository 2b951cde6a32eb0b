"""Erasing keys: out of sight, out of memory, off the disk, in this order.

The keys go out of sight with a commit, so whoever reads meanwhile sees all of them or none. Then their values leave
memory and every open state; then segments are written anew without them, and blobs go that nothing refers to any more.
"""

import gc
from collections.abc import Iterable
from typing import TYPE_CHECKING

from backpack.archive.compacting import keys_of, versions_of
from backpack.archive.holding import held_by_forks
from backpack.core.commit import Commit
from backpack.core.patterns import Pattern
from backpack.core.purging import purge
from backpack.store.adopting import discard_letters
from backpack.store.attribution import attributed_node
from backpack.store.records import PurgeReport
from backpack.store.sight import Sight

if TYPE_CHECKING:
    from backpack.store.lasting import Lasting


def erase(store: "Lasting", pattern: Pattern, dry_run: bool, sight: Sight | None) -> PurgeReport:
    store._require_open()
    opened, archive = store._opened, store._archive
    if not dry_run:
        store._adopt()
    commit = None
    held = freed = 0
    erased: set[str] = set()
    with store._lock, store._change():
        known: Iterable[str] = [] if archive is None else keys_of(archive, pattern)
        if opened is None:
            known = sorted({*known, *pattern.select(store._engine.names)})
        keys = [key for key in known if sight is None or sight.can_read(key)]
        forbidden = [] if sight is None else [key for key in keys if not sight.can_write(key)]
        if forbidden:
            keys = []
        counts = {} if archive is None else {key: versions_of(archive, key) for key in keys}
        visible = [key for key in keys if store._engine.hides(key) or store._is_visible(key)]
        if visible and not dry_run:
            label = (attributed_node(store) if sight is None else sight.node, f"purge {pattern.text}", ())
            commit = Commit(store._engine.adopt_deletes(visible, label, store._now()))
        try:
            after = 0 if archive is None else archive.head
            versions, size = purge(store._engine, keys, dry_run=dry_run, after=after)
        except BaseException:
            store._engine.repair()
            raise
        for key, (count, _) in counts.items():
            if count:
                versions[key] = versions.get(key, 0) + count
        size += sum(size for _, size in counts.values())
        if archive is not None and versions and not dry_run:
            erased = set(versions)
            upto = archive.head
            if opened is None:
                archive.erase(erased)
            else:
                opened.settle()
        gone = versions.keys() | set(visible)
        is_known, matching = bool(keys), keys
        keys = [key for key in keys if key in gone]
    if forbidden and sight is not None:
        raise sight.denied(forbidden[0], "write")
    if not dry_run:
        for follower in list(store._followers.values()):
            follower.discard()
    if opened is not None and not dry_run:
        opened.discard_derived()
        if erased:
            opened.drain()
            freed = opened.erase(erased, upto)
    if archive is not None and erased:
        archive.erasures += 1
        for state in archive.loaded:
            state.forget(erased)
    if opened is not None and not dry_run:
        opened.discard_aside()
        if not opened.is_adopting:
            discard_letters(opened, pattern)
        if is_known:  # also what is left of a purge that crashed before it came to this
            if opened.archive.twins:
                gc.collect()  # a fork that nobody has any more may be waiting for this
            with store._lock:
                freed += opened.sweep(beside_readers=True)
                held = held_by_forks(opened.archive, matching)
            opened.flush()
    if commit is not None:
        store._tell(commit)
    return PurgeReport(tuple(keys), sum(versions.values()), size, dry_run, commit, held, max(0, freed))
