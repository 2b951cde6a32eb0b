"""What a tool returned, as items: a list of hits, rows or paragraphs, each of which can be shortened or left out.

    a JSON list                              its entries
    a JSON object that is mostly a list      the entries of `items`, `results`, `data`, ... or of the longest list
    JSON lines                               the lines
    any other JSON                           one item
    text                                     its paragraphs

Written again it has the same form: JSON stays JSON, whatever was taken from it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn

from backpack.context.message import dumped
from backpack.limits import VALUE_DEPTH_MAX

Form = Literal["list", "object", "lines", "single", "text"]

_LISTS: Final = ("items", "results", "data", "records", "documents", "hits", "matches", "rows", "entries", "values")
_BETTER_HIGH: Final = ("score", "relevance", "similarity", "relevance_score", "_score", "confidence")
_BETTER_LOW: Final = ("rank", "position", "distance")
_SCORES: Final = frozenset((*_BETTER_HIGH, *_BETTER_LOW))
_NAMES: Final = ("url", "link", "uri", "id", "_id", "doc_id", "document_id")
_TEXTS: Final = ("text", "content", "snippet", "body")
_HOLDER_SIZE_MIN: Final = 400
"""Characters that may stand around a list, however short it is; else at most half of the text."""

_GLOBAL: Final = ("url", "link", "uri")
"""Names that mean the same thing wherever they stand; an id does so only among things with the same fields."""

Count = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Item:
    """One of them: a JSON value, or a paragraph as text."""

    value: Any
    score: float | None
    """Higher is better."""
    identity: str
    """Equal for items that say the same."""

    def says_all_of(self, other: "Item") -> bool:
        """Is the other one this one, but for its scores?"""
        if not isinstance(self.value, dict) or not isinstance(other.value, dict):
            return True
        return _unscored(self.value) == _unscored(other.value)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A result as items, and the form to write them in again."""

    form: Form
    items: tuple[Item, ...]
    holder: dict[str, Any]
    """What stands around the list of an object."""
    field: str = ""
    """Under which name it stands there."""

    def written(self, values: Sequence[Any], more: str) -> str:
        """The same with these items; `more` says where the rest is, if it isn't empty."""
        if self.form == "text":
            return "\n\n".join([*values, more] if more else values)
        rest: list[Any] = [{"more": more}] if more else []
        if self.form == "list":
            return dumped([*values, *rest])
        if self.form == "lines":
            return "\n".join(map(dumped, [*values, *rest]))
        if self.form == "object" and values:
            return dumped({**self.holder, self.field: list(values), **_more(self.holder, more)})
        if not values:
            return dumped({"more": more})
        value = values[0]
        if not more:
            return dumped(value)
        return dumped({**value, **_more(value, more)} if isinstance(value, dict) else {"value": value, "more": more})


def parse(text: str) -> Parsed:
    """The items of a result. O(length)."""
    try:
        value = _loaded(text) if text.lstrip()[:1] in ("[", "{") else _NONE
    except (ValueError, RecursionError):
        value = _NONE
    if isinstance(value, list):
        return Parsed("list", tuple(map(_item, value)), {})
    if isinstance(value, dict):
        field = _field(value)
        holder = {name: part for name, part in value.items() if name != field}
        if field is None or not value[field] or len(dumped(holder)) > max(_HOLDER_SIZE_MIN, len(text) // 2):
            return Parsed("single", (_item(value),), {})
        return Parsed("object", tuple(map(_item, value[field])), holder, field)
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].lstrip().startswith(("{", "[")):
        try:
            return Parsed("lines", tuple(_item(_loaded(line)) for line in lines), {})
        except (ValueError, RecursionError):
            pass  # it only begins as JSON lines do: it is text
    paragraphs = [part for part in text.replace("\r\n", "\n").split("\n\n") if part.strip()]
    return Parsed("text", tuple(Item(part, None, " ".join(part.split())) for part in paragraphs), {})


def size_of(value: Any, form: Form, count: Count) -> int:
    """The tokens of an item as it is written, with what stands between items."""
    return count(value if form == "text" else dumped(value)) + 2


def shortened(value: Any, form: Form, tokens: int, count: Count) -> Any:
    """An item of at most so many tokens: its long texts are cut, all to one length; the beginning of it, where that
    isn't enough. O(size log size)."""
    if size_of(value, form, count) <= tokens:
        return value
    if form != "text":
        longest = _longest(value, 0)
        low, high = 0, longest
        while low < high:
            middle = (low + high + 1) // 2
            if size_of(_cut(value, middle, 0), form, count) <= tokens:
                low = middle
            else:
                high = middle - 1
        if low >= _TEXT_MIN:
            return _cut(value, low, 0)
    text = value if form == "text" else dumped(value)
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if size_of(_ended(text, middle), form, count) <= tokens:
            low = middle
        else:
            high = middle - 1
    return _ended(text, low)


_NONE: Final = object()
_TEXT_MIN: Final = 16
"""Characters of texts in an item: below this its beginning says more than its fields do."""


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _loaded(text: str) -> Any:
    """A JSON value that can be written again: without NaN, and not deeper than values may be."""
    value = json.loads(text, parse_constant=_refuse)
    _check_depth(value, 0)
    return value


def _check_depth(value: Any, depth: int) -> None:
    if depth > VALUE_DEPTH_MAX:
        raise ValueError("too deep")
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(part, dict | list):
            _check_depth(part, depth + 1)


def _field(value: dict[str, Any]) -> str | None:
    """Where an object has its list."""
    for name in _LISTS:
        if isinstance(value.get(name), list):
            return name
    lists = [name for name, part in value.items() if isinstance(part, list) and len(part) > 1]
    return max(lists, key=lambda name: len(value[name]), default=None)


def _item(value: Any) -> Item:
    if not isinstance(value, dict):
        return Item(value, None, dumped(value))
    return Item(value, _score(value), _identity(value))


def _score(value: dict[str, Any]) -> float | None:
    for names, sign in ((_BETTER_HIGH, 1.0), (_BETTER_LOW, -1.0)):
        for name in names:
            number = value.get(name)
            if isinstance(number, int | float) and not isinstance(number, bool) and abs(number) < _SCORE_MAX:
                return sign * float(number)
    return None


_SCORE_MAX: Final = 1e300


def _identity(value: dict[str, Any]) -> str:
    """What makes two items the same: an address, an id among things of the same fields, a text; else all of it."""
    for name in _NAMES:
        if isinstance(value.get(name), str | int) and value[name] != "":
            fields = () if name in _GLOBAL else sorted(field for field in value if field not in _SCORES)
            return dumped([name, value[name], *fields])
    for name in _TEXTS:
        if isinstance(value.get(name), str) and value[name]:
            return dumped([name, " ".join(value[name].split())])
    return dumped(_unscored(value), sort_keys=True)


def _unscored(value: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in value.items() if name not in _SCORES}


def _more(beside: dict[str, Any], more: str) -> dict[str, str]:
    """The field that says where the rest is, under a name that is free."""
    if not more:
        return {}
    name = "more"
    while name in beside:
        name += "_"
    return {name: more}


def _longest(value: Any, depth: int) -> int:
    if isinstance(value, str):
        return len(value)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((_longest(part, depth + 1) for part in parts), default=0)


def _ended(text: str, size: int) -> str:
    return text if len(text) <= size else text[:size] + "..."


def _cut(value: Any, size: int, depth: int) -> Any:
    if isinstance(value, str):
        return _ended(value, size)
    if isinstance(value, dict):
        return {name: _cut(part, size, depth + 1) for name, part in value.items()}
    return [_cut(part, size, depth + 1) for part in value] if isinstance(value, list) else value
