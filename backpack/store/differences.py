"""What differs: between two values, down to the path inside them; between two snapshots, key by key."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from backpack.codec import pack_value
from backpack.core.commit import Commit
from backpack.errors import UnstorableValueError

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
    """One key that differs; `old` and `new` are fresh copies each time (None where there is no value)."""

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


@dataclass(frozen=True, slots=True)
class Diff:
    """What changed from one snapshot to another: three mappings from key to `DiffEntry`."""

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


def diff_of(old: "Snapshot", new: "Snapshot") -> Diff:
    """Compare two snapshots by their entries; values are unpacked only when asked for. Cost: O(keys)."""
    before, after = old._entries(), new._entries()
    added: dict[str, DiffEntry] = {}
    removed: dict[str, DiffEntry] = {}
    changed: dict[str, DiffEntry] = {}
    for key in sorted(before.keys() | after.keys()):
        if key not in before:
            added[key] = _entry(key, old, new, is_in_old=False)
        elif key not in after:
            removed[key] = _entry(key, old, new, is_in_new=False)
        elif before[key] is not after[key] and not old._is_same(new, key, before[key], after[key]):
            changed[key] = _entry(key, old, new)
    return Diff(added, removed, changed)


def _entry(key: str, old: "Snapshot", new: "Snapshot", *, is_in_old: bool = True, is_in_new: bool = True) -> DiffEntry:
    later, sooner = (old, new) if old.seq > new.seq else (new, old)
    return DiffEntry(
        key,
        later._last_change(key, sooner.seq),
        (lambda: old.unpack(key)) if is_in_old else _nothing,
        (lambda: new.unpack(key)) if is_in_new else _nothing,
    )


def _nothing() -> None:
    return None
