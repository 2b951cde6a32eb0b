"""What the contract leaves open, read in one place, so that no test insists on one of two fair readings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .model import same


def is_unavailable(value: Any) -> bool:
    """An `Unavailable`, wherever it can be imported from."""
    return type(value).__name__ == "Unavailable"


def checkpoint_names(found: Any) -> set[str]:
    """The names in what `checkpoints()` answered: a mapping by name, names, or objects with a `name`."""
    return _named(found, "name")


def quarantined_keys(found: Any) -> set[str]:
    """The keys in what `quarantined()` answered: a mapping by key, keys, pairs, or objects with a `key`."""
    return _named(found, "key")


def _named(found: Any, attribute: str) -> set[str]:
    if isinstance(found, Mapping):
        return set(found)
    names = set()
    for entry in found:
        if isinstance(entry, str):
            names.add(entry)
        elif hasattr(entry, attribute):
            names.add(getattr(entry, attribute))
        else:
            names.add(entry[0])
    return names


def is_parent(parent: Any, previous: Any) -> bool:
    """Whether a commit's `parent` means `previous`: as a commit, by its id or by its seq."""
    if previous is None:
        return parent is None or parent == 0 or getattr(parent, "seq", None) == 0
    return parent == previous.id or parent == previous.seq or getattr(parent, "seq", None) == previous.seq


def is_nobody(node: Any) -> bool:
    """The node of a commit that nobody signed."""
    return node is None or node == ""


def end(subscription: Any) -> None:
    """End a subscription by whichever verb it has."""
    for verb in ("close", "cancel", "unsubscribe", "stop", "end", "dispose"):
        method = getattr(subscription, verb, None)
        if callable(method):
            method()
            return
    subscription.__exit__(None, None, None)


def event_keys(event: Any) -> set[str]:
    """The keys that an event tells of."""
    found: set[str] = set()
    if isinstance(getattr(event, "key", None), str):
        found.add(event.key)
    for attribute in ("keys", "changes"):
        several = getattr(event, attribute, None)
        several = several() if callable(several) else several
        if isinstance(several, Iterable) and not isinstance(several, str):
            found.update(several)
    commit = getattr(event, "commit", None)
    if hasattr(commit, "changes"):
        found.update(commit.changes)
    return found


def everything_in(thing: Any, depth: int = 3) -> str:
    """All text that can be read off an object: its repr, its str, its attributes and theirs."""
    parts = [repr(thing), str(thing)]
    if depth and not isinstance(thing, (str, bytes, int, float, type(None))):
        for name in dir(thing):
            if name.startswith("_"):
                continue
            try:
                attribute = getattr(thing, name)
            except Exception:
                continue
            if not callable(attribute):
                parts.append(everything_in(attribute, depth - 1))
    return "\n".join(parts)


def holds(store: Any, expected: Mapping[str, Any]) -> bool:
    """Whether a store, node view or snapshot holds exactly these keys and values, types included."""
    return set(store) == set(expected) and all(same(store[key], value) for key, value in expected.items())


def finishes(act: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    """Run `act` on a thread that may not hang; give back its answer or raise its error."""
    answer: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answer.append(act())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout_s)
    assert not thread.is_alive(), "it hangs"
    if errors:
        raise errors[0]
    return answer[0]


def check(store: Any) -> None:
    """Call the structure's own check of its invariants, when it offers one."""
    for name in ("_check", "check"):
        method = getattr(store, name, None)
        if callable(method):
            method()
            return
