"""What differs: between two values, down to the path inside them; between two snapshots, key by key."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from backpack.codec import pack_value
from backpack.core.commit import Commit
from backpack.errors import KeyNotFoundError, UnstorableValueError
from backpack.store.records import detached
from backpack.store.state import has_same_bytes

if TYPE_CHECKING:
    from backpack.store.snapshot import Snapshot

PATHS_MAX: Final = 1000
"""Paths that one comparison names at most: beyond that a list of them helps nobody."""


def differing_paths(old: Any, new: Any) -> tuple[str, ...]:
    """Where two values differ, such as `("findings[3].score", "title")`; `("",)` when they differ as a whole.

    Dicts are compared by key, lists and tuples by position, all else by type and value. Cost: O(size), at most
    `PATHS_MAX` paths.
    """
    paths: list[str] = []
    for path in _walk(old, new, ""):
        paths.append(path)
        if len(paths) == PATHS_MAX:
            break
    return tuple(paths)


def _walk(old: Any, new: Any, path: str) -> Iterator[str]:
    if type(old) is type(new) and isinstance(old, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            inner = _key_path(path, key)
            if key not in old or key not in new:
                yield inner
            else:
                yield from _walk(old[key], new[key], inner)
        if list(old) != list(new) and old.keys() == new.keys():
            yield path
    elif type(old) is type(new) and isinstance(old, list | tuple):
        for index in range(max(len(old), len(new))):
            inner = f"{path}[{index}]"
            if index >= len(old) or index >= len(new):
                yield inner
            else:
                yield from _walk(old[index], new[index], inner)
    elif not _is_same(old, new):
        yield path


def _key_path(path: str, key: Any) -> str:
    if isinstance(key, str) and key.isidentifier():
        return f"{path}.{key}" if path else key
    return f"{path}[{key!r}]"


def _is_same(old: Any, new: Any) -> bool:
    """Are two values that are no containers the same: of one type, with the same bytes?"""
    if type(old) is not type(new):
        return False
    if type(old) in (str, int, bool, bytes, type(None)):
        return bool(old == new)
    try:
        return pack_value(old) == pack_value(new)
    except UnstorableValueError:  # what stands for a value, such as Unavailable
        return bool(old == new)


@dataclass(frozen=True, slots=True)
class DiffEntry:
    """One key that differs.

    `key`, `commit` (the one that changed it last; None where that is not known), `old` and `new` (fresh copies each
    time; None where there is no value, `Unavailable` where its bytes are out of reach) and `paths` (where inside the
    value it differs, such as `("findings[3].score",)`; worked out when asked for, at the cost of both values).
    """

    key: str
    commit: Commit | None
    """The commit that changed it last."""
    _old: Callable[[], Any] = field(repr=False, compare=False)
    _new: Callable[[], Any] = field(repr=False, compare=False)

    @property
    def old(self) -> Any:
        """The value before."""
        return self._old()

    @property
    def new(self) -> Any:
        """The value after."""
        return self._new()

    @property
    def paths(self) -> tuple[str, ...]:
        """Where inside the value it differs; `("",)` for the value as a whole."""
        return differing_paths(self.old, self.new) or ("",)  # same by `==`, different in kind: {1} and {True}

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle, and a deep copy, has both values in it, and no store."""
        return DiffEntry, (self.key, self.commit, detached(self._old), detached(self._new))


@dataclass(frozen=True, slots=True)
class Diff:
    """What changed from one snapshot to another: `added`, `removed` and `changed`, mappings from key to `DiffEntry`.

    Another key raises `KeyNotFoundError`. False when nothing did; `len` counts keys; `print` shows a line a key.
    """

    added: Mapping[str, DiffEntry]
    removed: Mapping[str, DiffEntry]
    changed: Mapping[str, DiffEntry]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def __len__(self) -> int:
        return len(self.added) + len(self.removed) + len(self.changed)

    def __str__(self) -> str:
        lines = [f"+ {key}" for key in self.added]
        lines += [f"- {key}" for key in self.removed]
        for key, entry in self.changed.items():
            paths = [path for path in entry.paths if path]
            shown = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
            lines.append(f"~ {key}" + (f": {shown}" if shown else ""))
        return "\n".join(lines) or "no difference"


class _Entries(dict[str, DiffEntry]):
    """Entries by key, which knows what to raise for a key that has none. Copies are plain dicts."""

    __slots__ = ("_missing_error",)

    def __init__(
        self,
        entries: Iterable[tuple[str, DiffEntry]] = (),
        missing_error: Callable[[str], KeyNotFoundError] | None = None,
    ) -> None:
        super().__init__(entries)
        self._missing_error = missing_error or _no_difference

    def __missing__(self, key: str) -> DiffEntry:
        raise self._missing_error(key)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def diff_of(old: "Snapshot", new: "Snapshot") -> Diff:
    """Compare two snapshots, of one store or of two, in memory or on disk; values are unpacked only when asked for.

    Cost: the changes between two commits in memory of one store, or O(keys) if that is less; else O(keys), and the
    bytes of those values that may be equal and stand in different places.
    """
    missing = partial(_missing_error, old, new)
    added, removed, changed = [_Entries(missing_error=missing) for _ in range(3)]
    for key in _candidates(old, new):
        before, after = old._find(key), new._find(key)
        has_old, has_new = before is not None and before.is_visible, after is not None and after.is_visible
        if not has_old and not has_new:
            continue
        if has_old and has_new:
            if before is None or after is None or has_same_bytes(before, after):
                continue
            place = changed
        else:
            place = added if has_new else removed
        later, found, sooner = (old, before, new) if old.seq > new.seq else (new, after, old)
        author = later._remover(key) if found is None else later._author(found) if found.seq > sooner.seq else None
        place[key] = DiffEntry(
            key,
            author if author is not None and author.seq > sooner.seq else None,
            partial(old.unpack, key) if has_old else _nothing,
            partial(new.unpack, key) if has_new else _nothing,
        )
    return Diff(added, removed, changed)


def _candidates(old: "Snapshot", new: "Snapshot") -> list[str]:
    """The keys that may differ and that both snapshots may show, sorted."""
    if old._sight is new._sight:
        keys = old._state.candidates(new._state)
        if keys is not None:
            sight = old._sight
            return sorted(keys if sight is None else [sight.relative(key) for key in keys if sight.can_read(key)])
    return sorted({*old, *new})


def _missing_error(old: "Snapshot", new: "Snapshot", key: str) -> KeyNotFoundError:
    return old._hidden_error(key) or new._hidden_error(key) or _no_difference(key)


def _no_difference(key: str) -> KeyNotFoundError:
    return KeyNotFoundError(f"there is no such difference: key={key!r}", key=key)


def _nothing() -> None:
    return None
