"""What entries can be: the types that are there from the beginning, and those that were registered.

The table is of this process: like classes of the codec, a type is registered where it is used. An entry that is read
back keeps whatever type it was logged with.
"""

import re
from threading import Lock
from typing import Final

from backpack.errors import InvalidArgumentError

TYPES: Final = (
    "tool_output",
    "web_scrape",
    "file_list",
    "doc_chunk",
    "transcript",
    "summary",
    "output",
    "context",
    "chunk",
)
"""The types that need no registration."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_lock: Final = Lock()
_known: frozenset[str] = frozenset(TYPES)


def register_type(name: str) -> str:
    """Allow a type of entries in this process, and give its name back; one that is known already is fine.

    A name is 1 to 64 of `a-z`, `0-9` and `_`, the first a letter; anything else is an `InvalidArgumentError`.

    >>> register_type("test_report")
    'test_report'
    """
    global _known
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidArgumentError("a type is named by 1 to 64 of a-z, 0-9 and _, beginning with a letter")
    with _lock:
        _known |= {name}
    return name


def types() -> tuple[str, ...]:
    """Every type that is known here, sorted."""
    return tuple(sorted(_known))


def check_type(name: str) -> str:
    """The name of a known type as it was given; else `InvalidArgumentError` with those that are known."""
    if not isinstance(name, str) or name not in _known:
        said = name[:64] if isinstance(name, str) else type(name).__name__
        raise InvalidArgumentError(
            f"an unknown type of entry: type={said!r}; there are: {', '.join(types())}; others by register_type(name)"
        )
    return name
