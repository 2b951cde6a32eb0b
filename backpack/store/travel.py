"""Going back, and going elsewhere: restore, bisect, replay, and the run of a node."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from backpack.core.addresses import At, resolve
from backpack.core.chain import Mark, is_visible
from backpack.core.commit import Commit
from backpack.core.engine import Engine
from backpack.core.payload import Content, as_content, join
from backpack.core.requests import Request
from backpack.errors import CommitNotFoundError, CommitPrunedError
from backpack.store.records import Unavailable
from backpack.store.snapshot import Snapshot, unavailable_error
from backpack.store.state import State, has_same_bytes, hides

if TYPE_CHECKING:
    from backpack.store.recalling import Recalling
    from backpack.store.store import Backpack


def restore_requests(
    present: State, snapshot: Snapshot, keys: Iterable[str] | None, substitute: bytes | None
) -> list[Request]:
    """The changes that make these (absolute) keys, as they are in `present`, equal a snapshot of the same store.

    `keys`: None is all that the snapshot's node sees. `substitute`: the payload for values that are not within reach;
    without it they raise `ValueUnavailableError`. Bytes that memory has are shared, others are packed again. A value
    that was in quarantine then goes there again when it is the one in sight; what is there now stays there.
    """
    state, sight = snapshot._state, snapshot._sight
    if keys is None:
        keys = state.candidates(present)
        keys = sorted({*state.keys(), *present.keys()} if keys is None else keys)
        if sight is not None:
            keys = [key for key in keys if sight.can_read(key)]
    requests = []
    for key in keys:
        found, now = state.find(key), present.find(key)
        if now is not None and not now.is_visible:
            now = None
        if found is None or not found.is_visible:
            if found is not None and now is not None and hides(found, now):
                requests.append(Request(key, "quarantine", reason=found.reason))
            elif now is not None:
                requests.append(Request(key, "delete"))
            continue
        if now is not None and has_same_bytes(found, now):
            continue
        content = found.content()
        if isinstance(content, str):
            if substitute is None:
                raise unavailable_error(Unavailable(key, found.size, content, snapshot._setter(found)))
            requests.append(Request(key, "pack", substitute))
        elif found.form is None:
            requests.append(Request(key, "pack", join(content)))
        else:
            requests.append(Request(key, "pack", form=found.form, content=content if found.is_large else None))
    return requests


def replacements(state: State, large_size: int, substitute: bytes | None) -> dict[str, Content]:
    """What to put where the bytes of values are not within reach, by key."""
    replaced: dict[str, Content] = {}
    for found in state.unreachable():
        if substitute is None:
            raise unavailable_error(Unavailable(found.key, found.size, str(found.content()), state.setter(found)))
        replaced[found.key] = as_content(substitute) if len(substitute) > large_size else substitute
    return replaced


def bisect(store: "Recalling", predicate: Callable[[Snapshot], object], good: int, bad: int) -> Commit:
    """The first commit behind `good` and up to `bad` whose snapshot satisfies the predicate.

    Of several that have left between one where it is false and one where it is true, the latter is said; when that is
    the oldest left, and it is not known to be false anywhere, `CommitPrunedError`.
    """
    if bad == 0 or not predicate(store.snapshot(bad)):
        raise CommitNotFoundError("the predicate is false at the end of the range: no commit turned it true", at=bad)
    while True:
        middle = store._history.last_before((good + bad) // 2 + 1) if bad - good > 1 else good
        if middle <= good:  # nothing left in the lower half
            middle = store._history.last_before(bad)
        if middle <= good:
            if not good and bad > 1:
                raise CommitPrunedError(
                    f"the predicate is true already at the oldest commit left, seq={bad}, and those before it were "
                    "pruned: give as good= a commit that is left, if you know it to be false there",
                    at=0,
                    oldest=bad,
                )
            return store.commit(bad)
        if predicate(store.snapshot(middle)):
            bad = middle
        else:
            good = middle


def replay(
    states: Iterable[State], twin: "Backpack", replaced: Mapping[int, Mapping[str, bytes]], substitute: bytes | None
) -> None:
    """Apply the commits of these states, which follow each other, to the fork `twin` again."""
    engine = twin._engine
    for state in states:
        commit = state.commit()
        assert commit is not None
        requests = {}
        for key, *_ in commit.raw_changes:
            request = _again(state, engine, key, substitute)
            if request is not None:
                requests[key] = request
        for key, payload in replaced.get(state.seq, {}).items():
            requests[key] = Request(key, "pack", payload)
        if requests:
            engine.commit(list(requests.values()), commit.label, commit.time_ns)


def _again(state: State, twin: Engine, key: str, substitute: bytes | None) -> Request | None:
    """The change that the commit of a state made to a key, for another engine; None where it means nothing there."""
    found = state.find(key)
    assert found is not None
    present = twin.chain_of(key)
    last = None if present is None else present.last
    if found.kind == "delete":
        return Request(key, "delete") if is_visible(last) else None
    if found.kind == "quarantine":
        return Request(key, found.kind, reason=found.reason) if is_visible(last) else None
    if found.kind == "release":
        return Request(key, found.kind) if isinstance(last, Mark) and last.kind == "quarantine" else None
    content = found.content()
    if isinstance(content, str):
        if substitute is None:
            raise unavailable_error(Unavailable(key, found.size, content, state.commit()))
        return Request(key, "pack", substitute)
    return Request(key, "pack", join(content))


def run_before(commits: Iterable[Commit], node: str, run: int) -> int | None:
    """The `seq` before a run of a node: 0 is its first, -1 its last; None if there is none such.

    `commits` are those that can be read, newest first; no more of them are taken than needed.
    """
    starts: list[int] = []
    start = 0
    for commit in commits:
        if commit.node == node:
            if start and start != commit.seq + 1:
                starts.append(start)
            start = commit.seq
        elif start:
            starts.append(start)
            start = 0
        if run < 0 and len(starts) == -run:
            return starts[-1] - 1
    if start:
        starts.append(start)
    try:
        return starts[-1 - run] - 1
    except IndexError:
        return None


def at_or(engine: Engine, at: At | None, default: int) -> int:
    """The `seq` that `at` means, or the default for None."""
    return default if at is None else resolve(engine, at)
