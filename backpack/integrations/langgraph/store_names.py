"""Namespaces and keys of LangGraph as keys of a Backpack: readable, sorted by namespace, never too long.

    key   := "langgraph.store." kind "." shelf ":" name        kind := item | vectors | expiry
    shelf := { label "." } [ "%~" digest "." ]                 one namespace
    name  := escaped key | "%~" digest

The item "prefs" of the namespace ("users", "123") is `langgraph.store.item.users.123.:prefs`. So all items of a
namespace stand side by side, together with those of the namespaces below it, and patterns of the store fit:
`langgraph.store.*.users.123.**` is whatever there is of that user.

Strings are arbitrary. What would be taken for structure is escaped as in a URL: the dot, the star, the percent sign, a
colon at the beginning of a label, control characters, lone surrogates. Labels behind `_LABELS_SIZE_MAX` bytes are
hashed together, and so is a key that is too long; the record has the true name then.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from backpack.hashing import blake2b
from backpack.limits import KEY_SIZE_MAX

ROOT: Final = "langgraph.store."
ITEMS: Final = ROOT + "item."
VECTORS: Final = ROOT + "vectors."
EXPIRY: Final = ROOT + "expiry."

_SIZE_MAX: Final = KEY_SIZE_MAX - len(VECTORS)
_LABELS_SIZE_MAX: Final = 560
_HASHED: Final = "%~"
_EMPTY: Final = "%-"
_DIGEST_SIZE: Final = 20
_SCOPE_LENGTH: Final = 16
_SCOPES_MAX: Final = 16
_KNOWN_MAX: Final = 1024
"""Namespaces whose shelves are kept at hand."""

_SPECIAL: Final = "%*\\x00-\\x1f\\x7f\\ud800-\\udfff\U0010ffff"
"""The last one marks where a range of keys ends."""
_IN_LABEL: Final = re.compile(f"[.{_SPECIAL}]|^:")
_IN_KEY: Final = re.compile(f"[{_SPECIAL}]")

Namespace = tuple[str, ...]


@lru_cache(_KNOWN_MAX)
def shelf_of(namespace: Namespace) -> str:
    """The part of a key that stands for a namespace; that of a namespace below it begins so, unless it is hashed."""
    shelf, count = _whole_labels(namespace)
    return shelf if count == len(namespace) else f"{shelf}{_HASHED}{_digest(namespace[count:])}."


@lru_cache(_KNOWN_MAX)
def prefix_of(namespace: Namespace) -> str:
    """What the shelves of a namespace and of all below it begin with. Others may, where it doesn't fit whole."""
    shelf, count = _whole_labels(namespace)
    return shelf if count == len(namespace) else shelf + _HASHED


def name_of(shelf: str, key: str) -> str:
    """Shelf and name of an item: what keys of each kind end with."""
    name = _IN_KEY.sub(_escaped, key)
    if _size(shelf) + 1 + _size(name) > _SIZE_MAX:
        name = _HASHED + _digest((key,))
    return f"{shelf}:{name}"


def shelf_in(name: str) -> str:
    """The shelf of what `name_of` made."""
    return name[: name.find(".:") + 1] if not name.startswith(":") else ""


@lru_cache(_KNOWN_MAX)
def namespace_in(shelf: str) -> Namespace | None:
    """The namespace that a shelf stands for; None when it is hashed."""
    labels = shelf.split(".")[:-1]
    if labels and labels[-1].startswith(_HASHED):
        return None
    return tuple(["" if label == _EMPTY else _plain(label) for label in labels])


def key_in(name: str, shelf: str) -> str | None:
    """The key that stands behind the shelf; None when it is hashed."""
    key = name[len(shelf) + 1 :]
    return None if key.startswith(_HASHED) else _plain(key)


def scopes_of(namespace: Namespace) -> list[str]:
    """A word for each namespace that this one is in, itself included, from the outermost on, up to a depth."""
    return [f"n{_digest(namespace[:depth])[:_SCOPE_LENGTH]}" for depth in range(1, len(namespace[:_SCOPES_MAX]) + 1)]


def _whole_labels(namespace: Sequence[str]) -> tuple[str, int]:
    """As many labels, from the first on, as may be written out, and how many they are."""
    labels: list[str] = []
    left = _LABELS_SIZE_MAX
    for label in namespace:
        text = _IN_LABEL.sub(_escaped, label) if label else _EMPTY
        left -= _size(text) + 1
        if left < 0:
            break
        labels.append(text + ".")
    return "".join(labels), len(labels)


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def _plain(text: str) -> str:
    return unquote(text, errors="surrogatepass") if "%" in text else text


def _digest(texts: Sequence[str]) -> str:
    state = blake2b(digest_size=_DIGEST_SIZE)
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(8, "big") + data)
    return state.hexdigest()


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
