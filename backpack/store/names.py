"""Checks of the small strings that users give: keys, nodes, messages, tags, checkpoint names; and what a key has to do
with a value that can't be stored."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from backpack.archive.retention import Retention
from backpack.codec import pack_value
from backpack.core.commit import Label
from backpack.core.limits import as_shown, checked_count
from backpack.errors import InvalidArgumentError, InvalidKeyError, UnstorableValueError
from backpack.limits import KEEP_DAYS_MAX, KEY_SIZE_MAX, MESSAGE_SIZE_MAX, NAME_SIZE_MAX, TAG_COUNT_MAX

_SHOWN_MAX: Final = 100
"""Characters of a bad key that an error carries: it may be a whole text, put there by mistake."""

_K = TypeVar("_K")
_T = TypeVar("_T")
_C = TypeVar("_C", bound=Callable[..., Any])


def checked_key(key: Any) -> str:
    """The key as a plain str, or `InvalidKeyError`."""
    if not isinstance(key, str):
        raise InvalidKeyError(f"a key must be a str, not {type(key).__name__}", key=None)
    if not key:
        raise InvalidKeyError("a key must not be empty", key="")
    size = _size(key)
    if size is None:
        raise InvalidKeyError("a key must be valid Unicode: this one has a lone surrogate", key=_begin_of(key))
    if size > KEY_SIZE_MAX:
        raise InvalidKeyError(f"a key may have {KEY_SIZE_MAX} bytes of UTF-8: size={size}", key=_begin_of(key))
    return str.__str__(key)


def refused(key: str, error: UnstorableValueError, *, is_item: bool = False) -> UnstorableValueError:
    """The same refusal of a value, or of an item for the list, that was to be at that key: its place names the key."""
    shown = key if key.isprintable() else repr(key)
    inside = error.path if error.path[:1] in ("", "[") else f".{error.path}"
    what = f"cannot append to {shown}" if is_item else f"cannot pack {shown}{inside}"
    return UnstorableValueError(f"{what}: {error}", key=key, path=error.path)


def packed_by_key(values: Mapping[str, Any]) -> dict[str, bytes]:
    """The payloads, or `InvalidKeyError` or `UnstorableValueError` for the first that can't be one."""
    payloads = {}
    for key, value in values.items():
        key = checked_key(key)
        try:
            payloads[key] = pack_value(value)
        except UnstorableValueError as error:
            raise refused(key, error) from None
    return payloads


def made_label(node: str | None, message: str | None, tags: Iterable[str]) -> Label:
    """Who and why, checked."""
    if node is not None:
        node = checked_text("node", node, NAME_SIZE_MAX)
    if message is not None:
        message = checked_text("message", message, MESSAGE_SIZE_MAX, may_be_empty=True)
    listed = checked_list("tags", tags)
    if len(listed) > TAG_COUNT_MAX:
        raise InvalidArgumentError(f"a commit may have {TAG_COUNT_MAX} tags: count={len(listed)}")
    return node, message, tuple([checked_text("tag", tag, NAME_SIZE_MAX) for tag in listed])


def checked_items(what: str, items: Iterable[_T], of: str = "str") -> tuple[_T, ...]:
    """All of them, or `InvalidArgumentError` for what can't be gone through."""
    try:
        iterator = iter(items)
    except TypeError:
        raise InvalidArgumentError(f"{what} must be a list of {of}, not {type(items).__name__}") from None
    return tuple(iterator)


def checked_list(what: str, items: Iterable[_T]) -> tuple[_T, ...]:
    """All of them, or `InvalidArgumentError` for what can't be gone through, and for one str, whose letters are
    meant by nobody."""
    if isinstance(items, str):
        raise InvalidArgumentError(f"{what} must be a list of str, not one str")
    return checked_items(what, items)


def checked_mapping(what: str, mapping: Mapping[_K, _T]) -> Mapping[_K, _T]:
    """The mapping, or `InvalidArgumentError` when it is none."""
    if not isinstance(mapping, Mapping):
        raise InvalidArgumentError(f"{what} must be a mapping, not {type(mapping).__name__}")
    return mapping


def checked_text(what: str, text: Any, size_max: int, *, may_be_empty: bool = False) -> str:
    """The text as a plain str of bounded size, or `InvalidArgumentError`."""
    if not isinstance(text, str):
        raise InvalidArgumentError(f"a {what} must be a str, not {type(text).__name__}")
    if not text and not may_be_empty:
        raise InvalidArgumentError(f"a {what} must not be empty")
    size = _size(text)
    if size is None:
        raise InvalidArgumentError(f"a {what} must be valid Unicode: this one has a lone surrogate")
    if size > size_max:
        raise InvalidArgumentError(f"a {what} may have {size_max} bytes of UTF-8: size={size}")
    return str.__str__(text)


def checked_limit(limit: Any) -> None:
    """Refuse what is no count, with `InvalidArgumentError`."""
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise InvalidArgumentError("limit must be a whole number, 0 or more, or None")


def checked_whole(name: str, number: Any, least: int | None = 0) -> int:
    """A whole number that is no less, or `InvalidArgumentError`, which names the argument."""
    if isinstance(number, bool) or not isinstance(number, int) or (least is not None and number < least):
        bound = "" if least is None else f", {least} or more"
        raise InvalidArgumentError(f"{name} must be a whole number{bound}, not {_told(number)}")
    return number


def checked_number(name: str, number: Any) -> float:
    """A number, 0 or more, which may be without end; or `InvalidArgumentError`, which names the argument."""
    if isinstance(number, bool) or not isinstance(number, int | float) or not number >= 0:
        raise InvalidArgumentError(f"{name} must be a number, 0 or more, not {_told(number)}")
    return number


def checked_callable(name: str, given: _C) -> _C:
    """What can be called, or `InvalidArgumentError`, which names the argument."""
    if not callable(given):
        raise InvalidArgumentError(f"{name} is something to be called, which {type(given).__name__} is not")
    return given


def checked_flag(name: str, given: Any) -> bool:
    """True or False, or `InvalidArgumentError`, which names the argument."""
    if not isinstance(given, bool):
        raise InvalidArgumentError(f"{name} must be True or False, not {type(given).__name__}")
    return given


def checked_parts(name: str, given: _T, parts: Iterable[str]) -> _T:
    """An object that has these methods, or `InvalidArgumentError`, which names the argument."""
    missing = [part for part in parts if not callable(getattr(given, part, None))]
    if missing or isinstance(given, type):
        lacks = f"which has no {missing[0]}()" if missing else "which is the class itself"
        raise InvalidArgumentError(f"{name} can't be of type {type(given).__name__}, {lacks}")
    return given


def checked_namespace(namespace: Any) -> str:
    """What stands before the keys of the namespace: it and a dot; nothing for the empty one."""
    if not namespace:
        return ""
    namespace = checked_key(namespace)
    if namespace.endswith("."):
        raise InvalidArgumentError(f"a namespace goes without the dot at its end: namespace={namespace!r}")
    return f"{namespace}."


def checked_run(run: Any) -> int:
    """Which run of a node, or `InvalidArgumentError`."""
    if isinstance(run, bool) or not isinstance(run, int):
        raise InvalidArgumentError(
            f"a run must be a whole number, not {type(run).__name__}: 0 is the first, -1 the last one"
        )
    return run


def checked_checkpoint_name(name: Any) -> str:
    """The name, or `InvalidArgumentError`: HEAD is taken for the newest commit."""
    checked_text("checkpoint name", name, NAME_SIZE_MAX)
    if re.fullmatch(r"HEAD(~[0-9]*)?\s*", name):
        raise InvalidArgumentError(f"a checkpoint can't be called {name}: that names a commit already")
    return str.__str__(name)


def _told(number: Any) -> str:
    """A number as it is; of anything else its type, for it may be somebody's value."""
    return as_shown(number) if isinstance(number, int | float) else type(number).__name__


def _begin_of(key: str) -> str:
    """As much of a key as an error tells."""
    return str.__str__(key)[:_SHOWN_MAX]


def _size(text: str) -> int | None:
    """Bytes of UTF-8; None if it has none."""
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None


def checked_retention(max_archive_size: int | None, keep_days: float | None, keep_commits: int | None) -> Retention:
    """What an archive is to keep; `InvalidArgumentError` for nonsense."""
    for name, limit in (("max_archive_size", max_archive_size), ("keep_commits", keep_commits)):
        if limit is not None:
            checked_count(name, limit)
    is_number = isinstance(keep_days, int | float) and not isinstance(keep_days, bool)
    if keep_days is not None and not (is_number and 0 < keep_days <= KEEP_DAYS_MAX):
        raise InvalidArgumentError(
            f"keep_days must be a number above 0 and up to {KEEP_DAYS_MAX:,}, or None (for ever), "
            f"not {as_shown(keep_days)}"
        )
    return Retention(max_archive_size, keep_days, keep_commits)
