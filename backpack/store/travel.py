"""Going back, and going elsewhere: restore, bisect, replay, and the run of a node."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from backpack.core.addresses import At, pruned_error, resolve
from backpack.core.chain import Mark, form_of, is_visible, kind_of, size_of
from backpack.core.commit import Commit
from backpack.core.engine import Engine, Request
from backpack.core.payload import Content, LargeRef, as_content, form_size, join
from backpack.core.shaping import present_content
from backpack.errors import CommitNotFoundError
from backpack.store.records import Unavailable
from backpack.store.snapshot import Snapshot, content_of, unavailable_error

if TYPE_CHECKING:
    from backpack.store.store import Backpack


def restore_requests(snapshot: Snapshot, keys: Iterable[str], substitute: bytes | None) -> list[Request]:
    """The changes that make the present of these keys equal the snapshot. Wants the store's lock.

    `substitute`: the payload for values that are not within reach; without it they raise `ValueUnavailableError`.
    """
    engine = snapshot._view.engine
    requests = []
    for key in keys:
        chain = engine.chains.get(key)
        if chain is None:
            continue
        entry = chain.entry_at(snapshot.seq)
        last = chain.last
        assert last is not None
        if entry is None or not is_visible(entry):
            if is_visible(last):
                requests.append(Request(key, "delete"))
            continue
        if last is entry:
            continue
        content = content_of(chain, entry, snapshot._view.held)
        if isinstance(content, str):
            if substitute is None:
                index = chain.index_at(snapshot.seq)
                commit = engine.commit_of(chain, index)
                if commit is not None and snapshot._sight is not None:
                    commit = snapshot._sight.filtered(commit)
                raise unavailable_error(Unavailable(key, size_of(entry), content, commit))
            requests.append(Request(key, "pack", substitute))
            continue
        form = form_of(entry)
        assert form is not None
        if is_visible(last) and (form_of(last) is form or _is_equal(present_content(chain), content)):
            continue
        requests.append(Request(key, "pack", form=form, content=content if isinstance(form, LargeRef) else None))
    return requests


def _is_equal(one: Content | None, other: Content) -> bool:
    return one is not None and form_size(one) == form_size(other) and join(one) == join(other)


def replacements(engine: Engine, seq: int, substitute: bytes | None) -> dict[str, Content]:
    """What to put where large values as of `seq` are not within reach. Wants the store's lock."""
    found: dict[str, Content] = {}
    for key, chain in engine.chains.items():
        entry = chain.entry_at(seq)
        if entry is None or (form_of(entry) is None and not is_visible(entry)):
            continue
        reason = content_of(chain, entry, {})
        if isinstance(reason, str):
            if substitute is None:
                commit = engine.commit_of(chain, chain.index_at(seq))
                size = size_of(entry)
                raise unavailable_error(Unavailable(key, size, reason, commit))
            large = len(substitute) > engine.large_size
            found[key] = as_content(substitute) if large else substitute
    return found


def bisect(store: "Backpack", predicate: Callable[[Snapshot], object], good: int, bad: int) -> Commit:
    """The first commit behind `good` and up to `bad` whose snapshot satisfies the predicate."""
    timeline = store._engine.timeline
    if bad == 0 or not predicate(store.snapshot(bad)):
        raise CommitNotFoundError("the predicate is false at the end of the range: no commit turned it true", at=bad)
    while True:
        with store._lock:
            middle = timeline.next_from((good + bad) // 2 if bad - good > 1 else bad)
            if middle >= bad or middle <= good:
                middle = timeline.last_before(bad)
        if middle <= good:
            return store.commit(bad)
        if predicate(store.snapshot(middle)):
            bad = middle
        else:
            good = middle


def replay(
    store: "Backpack",
    twin: "Backpack",
    start: int,
    skipped: set[int],
    replaced: Mapping[int, Mapping[str, bytes]],
    substitute: bytes | None,
) -> None:
    """Apply the commits behind `start` to the fork `twin` again. Wants the store's lock."""
    engine = store._engine
    for seq in range(start + 1, engine.timeline.head + 1):
        if not engine.timeline.has(seq):
            raise pruned_error(engine, seq, seq)
        if seq in skipped:
            continue
        time_ns, label, _ = engine.timeline.facts(seq)
        requests = {}
        for chain in engine.timeline.changed(seq):
            request = _again(engine, twin._engine, chain.key, seq, substitute)
            if request is not None:
                requests[chain.key] = request
        for key, payload in replaced.get(seq, {}).items():
            requests[key] = Request(key, "pack", payload)
        if requests:
            twin._engine.commit(list(requests.values()), label, time_ns)


def _again(engine: Engine, twin: Engine, key: str, seq: int, substitute: bytes | None) -> Request | None:
    """The change that commit `seq` made to a key, for another engine; None where it means nothing there."""
    chain = engine.chains[key]
    entry = chain.columns[1][chain.index_of(seq)]
    assert entry is not None
    kind = kind_of(entry)
    present = twin.chains.get(key)
    last = None if present is None else present.last
    if kind == "delete":
        return Request(key, "delete") if is_visible(last) else None
    if kind == "quarantine":
        return Request(key, kind, reason=entry.reason) if isinstance(entry, Mark) and is_visible(last) else None
    if kind == "release":
        return Request(key, kind) if isinstance(last, Mark) and last.kind == "quarantine" else None
    content = content_of(chain, entry, {})
    if isinstance(content, str):
        if substitute is None:
            raise unavailable_error(Unavailable(key, size_of(entry), content, engine.commit_at(seq)))
        return Request(key, "pack", substitute)
    return Request(key, "pack", join(content))


def run_before(engine: Engine, node: str, run: int) -> int | None:
    """The `seq` before a run of a node: 0 is its first in memory, -1 its last; None if there is none such."""
    timeline = engine.timeline
    starts: list[int] = []
    previous_node: str | None = None
    previous_seq = 0
    for seq in timeline.seqs():
        _, label, _ = timeline.facts(seq)
        if label[0] == node and (previous_node != node or previous_seq != seq - 1):
            starts.append(seq)
            if 0 <= run < len(starts):
                break
        previous_node, previous_seq = label[0], seq
    try:
        return starts[run] - 1
    except IndexError:
        return None


def at_or(engine: Engine, at: At | None, default: int) -> int:
    """The `seq` that `at` means, or the default for None."""
    return default if at is None else resolve(engine, at)
