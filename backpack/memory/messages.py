"""Messages, whatever their shape: finding the texts in them, and a copy with other texts in their places.

`rewrite` walks dicts, lists, tuples and message objects (duck typed: anything with `model_copy`, or with a `content`
among its attributes, as those of LangChain and of the SDKs of OpenAI and Anthropic have) and makes a copy of all of
it; strings and bytes go through a `Rewriter`. Everything else is taken over as it stands.

A message owns its `memory_refs`: the outermost dict or object, and each dict or object in it that is a message by
itself. So each message of a list has its own, and a text in a field of a message counts as that message's. An object
with `additional_kwargs` has them there, another one as an attribute.

Left alone, because what they are for needs them whole and unchanged: media in base64 (a cut picture is no picture),
reasoning that providers sign or encrypt, subclasses of str and bytes, keys, members of sets.

What a tool answered may be data instead of text and content blocks: a list or a dict in the `content` of its message.
Whoever rewrites may put something in the place of that as a whole.
"""

import copy
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeVar

from backpack.limits import VALUE_DEPTH_MAX
from backpack.memory.shapes import (
    BASE64,
    LANGCHAIN_ROLES,
    RESULTS,
    SIGNED,
    attributes,
    is_data_url,
    is_medium,
    is_message,
    kind_of,
    speaker_of,
)

REFS: Final = "memory_refs"
ABSENT: Final = object()
"""What stands for `memory_refs` that aren't there."""

_KWARGS: Final = "additional_kwargs"
_LEAVES: Final = frozenset((int, float, bool, type(None)))
_ANSWERING: Final = frozenset(("tool", "function"))
_PAYLOADS: Final = frozenset(("content", "output"))
"""Fields with what a tool answered."""

_MEDIA_FIELDS: Final = frozenset(("data", "base64", "file_data", "b64_json"))
_LOOKED_AT: Final = 4096
_WIDTH: Final = 64
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_BASE64_END: Final = re.compile(r"[A-Za-z0-9+/_\-\r\n]*={0,2}[\r\n]*")
_KINDS: Final = frozenset(LANGCHAIN_ROLES) | RESULTS | SIGNED | BASE64
"""What `type` may say that is understood here: it stays, whatever the limit, so that it is understood again."""

Scope = TypeVar("Scope")


class Rewriter(Protocol, Generic[Scope]):
    """What becomes of the texts of messages."""

    def begin(self, refs: Any) -> Scope:
        """A message begins whose `memory_refs` are these, or `ABSENT`."""
        ...

    def text(self, text: str | bytes, field: str, role: str, scope: Scope | None) -> Any:
        """What stands in the place of this text; no scope where it is in no message."""
        ...

    def payload(self, value: Any, rewritten: Callable[[], Any], role: str, scope: Scope | None) -> Any:
        """What stands in the place of a list or dict that a tool answered: `rewritten` makes the copy."""
        ...

    def end(self, scope: Scope) -> Any:
        """All texts of the message are through: its `memory_refs` now (those given, if they stay), or `ABSENT`."""
        ...


def rewrite(value: Any, rewriter: Rewriter[Any]) -> Any:
    """A copy of a value in which each text is what the rewriter makes of it; the value itself is not changed.

    Containers within containers deeper than a value may be (256), and those that contain themselves, are taken over as
    they stand. O(what there is), not counting the rewriter.
    """
    return _Walk(rewriter).value(value, None, "", "", False)


class _Walk:
    """One walk: the rewriter, and what it is within at the moment."""

    __slots__ = ("_rewriter", "_within")

    def __init__(self, rewriter: Rewriter[Any]) -> None:
        self._rewriter = rewriter
        self._within: set[int] = set()

    def value(self, value: Any, scope: Any, field: str, role: str, is_kept: bool) -> Any:
        kind = type(value)
        if kind is str or kind is bytes:
            if is_kept or is_data_url(value):
                return value
            return self._rewriter.text(value, field, role, scope)
        if kind in _LEAVES:
            return value
        is_object = not isinstance(value, dict | list | tuple)
        if is_object and attributes(value) is None:
            return value
        mark = id(value)
        if mark in self._within or len(self._within) >= VALUE_DEPTH_MAX:
            return value
        self._within.add(mark)
        try:
            if is_object:
                return self._object(value, scope, role, is_kept)
            if isinstance(value, dict):
                return self._dict(value, scope, role, is_kept)
            return _like(value, [self.value(item, scope, field, role, is_kept) for item in value])
        finally:
            self._within.discard(mark)

    def _dict(self, value: dict[Any, Any], scope: Any, role: str, is_kept: bool) -> dict[Any, Any]:
        if scope is None or is_message(value):
            given = value.get(REFS, ABSENT)
            scope = self._rewriter.begin(given)
            made = self._fields(value, scope, role, is_kept, REFS)
            _put(made, given, self._rewriter.end(scope))
        else:
            made = self._fields(value, scope, role, is_kept)
        if type(value) is dict:
            return made
        copied = copy.copy(value)
        copied.clear()
        copied.update(made)
        return copied

    def _object(self, value: Any, scope: Any, role: str, is_kept: bool) -> Any:
        own: dict[str, Any] = value.__dict__
        copied = _copied(value)
        if copied is None:
            return value
        parts: dict[str, dict[Any, Any]] = {"own": own}
        if isinstance(own.get(_KWARGS), dict):
            parts = {"kwargs": own[_KWARGS], "own": {**own, _KWARGS: None}}
        if isinstance(getattr(value, "__pydantic_extra__", None), dict):
            parts["extra"] = value.__pydantic_extra__
        role = speaker_of(own) or role
        if scope is None or "content" in own:
            there = [name for name, part in parts.items() if REFS in part]
            place = there[0] if there else "kwargs" if "kwargs" in parts else "extra" if "extra" in parts else "own"
            given = parts[place].get(REFS, ABSENT)
            scope = self._rewriter.begin(given)
            made = {name: self._fields(part, scope, role, is_kept, REFS) for name, part in parts.items()}
            _put(made[place], given, self._rewriter.end(scope))
        else:
            made = {name: self._fields(part, scope, role, is_kept) for name, part in parts.items()}
        if "kwargs" in made:
            made["own"][_KWARGS] = made["kwargs"]
        fields = copied.__dict__
        fields.clear()
        fields.update(made["own"])
        if "extra" in made:
            object.__setattr__(copied, "__pydantic_extra__", made["extra"])
        return copied

    def _fields(
        self, fields: Mapping[Any, Any], scope: Any, role: str, is_kept: bool, refs: str | None = None
    ) -> dict[Any, Any]:
        """The fields of a dict or an object, rewritten; the one named `refs` is only copied."""
        kind = kind_of(fields)
        own_role = speaker_of(fields)
        role = own_role or role
        is_kept = is_kept or kind in SIGNED
        still = _MEDIA_FIELDS if is_medium(fields) else frozenset()
        made = {}
        for key, item in fields.items():
            if key == "type" and kind in _KINDS:
                made[key] = item
                continue
            field = key if type(key) is str else ""
            is_payload = own_role in _ANSWERING and field in _PAYLOADS and type(item) in (list, dict)
            is_still = is_kept or (field in still and not _is_plain_text(item)) or (refs is not None and field == refs)
            if is_payload and not is_still:
                rewritten = partial(self.value, item, scope, field, role, is_still)
                made[key] = self._rewriter.payload(item, rewritten, role, scope)
            else:
                made[key] = self.value(item, scope, field, role, is_still)
        return made


def _copied(value: Any) -> Any:
    """A copy of a message object whose attributes are its own; None where there can't be one."""
    try:
        copied = value.model_copy() if hasattr(type(value), "model_copy") else copy.copy(value)
        with suppress(AttributeError, TypeError):  # where it can't be set a copy has one of its own
            object.__setattr__(copied, "__dict__", dict(copied.__dict__))
        is_own = type(copied.__dict__) is dict and copied.__dict__ is not value.__dict__
    except Exception:  # copying is somebody else's code: what it refuses is taken over as it stands
        return None
    return copied if is_own else None


def _put(fields: dict[Any, Any], given: Any, refs: Any) -> None:
    if refs is ABSENT:
        fields.pop(REFS, None)
    elif refs is not given:
        fields[REFS] = refs


def _like(value: Any, items: list[Any]) -> Any:
    """These items as a list or tuple of the same class."""
    kind = type(value)
    if kind is list:
        return items
    if kind is tuple:
        return tuple(items)
    if isinstance(value, list):
        copied = copy.copy(value)
        copied[:] = items
        return copied
    make = getattr(kind, "_make", None)
    return value if make is None else make(items)


def _is_plain_text(item: Any) -> bool:
    """Is it a text that can't be base64? Looks at its beginning and its end."""
    if type(item) is not str:
        return False
    *lines, last = item[:_LOOKED_AT].splitlines() or [""]
    is_wrapped = len({len(line) for line in lines}) <= 1 and (not lines or len(last) <= len(lines[0]))
    return not (is_wrapped and all(map(_BASE64.fullmatch, (*lines, last))) and _BASE64_END.fullmatch(item[-_WIDTH:]))
