"""Offloading: long texts of a message leave it for the memory, and `hydrate` puts them back.

Each text becomes an entry of its own, by one commit; where it stood, `markers.py` says what stands there now, and the
message names the entries in its `memory_refs`. Data that is long although no text in it is (`data.py`) becomes an entry
as a whole, and its JSON text is what the beginning is of. Hydrating goes the other way: it takes the marker at the end
of a text for one only when the message's `memory_refs` name the entry (outside of messages: when the entry is there)
and the text is, character for character, what offloading makes of the entry's content. So a text of the user's that
looks like a marker stays what it is.

A message that was offloaded is one already: offloading it again changes nothing, and hydrating gives the original. That
holds for one whose entry is gone, too, as far as its figures show it: hydrating it is an error. What a tool of the
memory answered is a slice of an entry, and stays.
What a message had in `memory_refs` before stands, meanwhile, in the first reference, as `replaced`.
"""

import copy
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from backpack.errors import BackpackError, ClosedError, InvalidArgumentError
from backpack.memory import markers
from backpack.memory.data import is_answered_data, is_data
from backpack.memory.failures import tell_failure
from backpack.memory.labels import checked_labels
from backpack.memory.log import TITLE_MAX
from backpack.memory.messages import ABSENT, rewrite
from backpack.memory.rendering import text_of_value
from backpack.memory.shapes import CALL_ITEMS, CALLS, CONTENTS, MEDIA, RESULTS, ROLES, SIGNED
from backpack.store.names import checked_callable, checked_whole

if TYPE_CHECKING:
    from backpack.memory.entry import Entry
    from backpack.memory.memory import Memory

OFFLOAD_LIMIT: Final = 6_000
"""Characters (of bytes: bytes) that a text may have and stay."""

PREVIEW_SIZE: Final = 800
"""Characters of an offloaded text that stay."""

_REPLACED: Final = "replaced"
_TITLE_READ: Final = 400
"""Characters of the text of a value that its title is made of: at the beginning much of it are spaces."""

_ARGUMENTS: Final = "arguments"
"""The field of a tool call in which its arguments stand as JSON text."""

_NAMES: Final[Mapping[str, Container[object]]] = {
    "role": ROLES,
    "type": frozenset((*ROLES, *CALLS, *CALL_ITEMS, *RESULTS, *SIGNED, *MEDIA, *CONTENTS, "message")),
}
"""What is understood in these fields."""

_IDS: Final = frozenset(("tool_call_id", "tool_use_id", "call_id"))
_ID_SIZE_MAX: Final = 256
"""Characters: a longer one is no id, whatever the field is called."""

_TYPES: Final = {
    "tool": "tool_output",
    "function": "tool_output",
    "user": "context",
    "system": "context",
    "developer": "context",
}
"""What a text is when nobody says it, by who speaks; `output` otherwise."""

OnError = Callable[[Exception], object]


def offload(
    memory: "Memory",
    value: Any,
    limit: int,
    preview: int,
    title: str | None,
    type: str | None,
    subtype: str | None,
    tags: Iterable[str],
    on_error: OnError | None,
) -> Any:
    """A copy of the value with its long texts offloaded; the value itself when one of them couldn't be stored."""
    offloading = _offloading(memory, limit, preview, title, type, subtype, tags, on_error)
    return _offloaded(memory, value, offloading, on_error)


def _offloading(
    memory: "Memory",
    limit: int,
    preview: int,
    title: str | None,
    type: str | None,
    subtype: str | None,
    tags: Iterable[str],
    on_error: OnError | None,
) -> "_Offloading":
    """What was asked for, checked: `InvalidArgumentError` whether or not a text is long."""
    checked_whole("limit", limit, 1)
    preview = min(checked_whole("preview", preview), limit)
    labels = checked_labels("output" if type is None else type, subtype, title, None, tags, None, None, None)
    if on_error is not None:
        checked_callable("on_error", on_error)
    return _Offloading(memory, limit, preview, labels.title, type, labels.subtype, labels.tags)


def _offloaded(memory: "Memory", value: Any, offloading: "_Offloading", on_error: OnError | None) -> Any:
    try:
        return offloading.value(value)
    except InvalidArgumentError:
        raise
    except _NotStored as failed:
        error = failed.error
    except Exception as failure:  # of a class of somebody's in the message: the original is what there is
        error = failure
    offloading.take_back()
    return _kept(memory, value, error, on_error)


async def aoffload(
    memory: "Memory",
    value: Any,
    limit: int,
    preview: int,
    title: str | None,
    type: str | None,
    subtype: str | None,
    tags: Iterable[str],
    on_error: OnError | None,
) -> Any:
    """The same for a task, in a thread of the store."""
    offloading = _offloading(memory, limit, preview, title, type, subtype, tags, on_error)
    try:
        return await memory.bp._readers.run(_offloaded, memory, value, offloading, on_error)
    except ClosedError as closed:
        error = closed
    return _kept(memory, value, error, on_error)


def hydrate(memory: "Memory", value: Any) -> Any:
    """A copy of the value with every offloaded text back in its place."""
    return rewrite(value, _Hydrating(memory))


def _kept(memory: "Memory", value: Any, error: Exception, on_error: OnError | None) -> Any:
    """The original, which could not be stored."""
    tell_failure(memory, "offload", error)
    if on_error is not None:
        on_error(error)
    return value


class _NotStored(Exception):
    """Storing a text failed; ends the walk."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class _Message:
    """The references of one message, while its texts go through."""

    __slots__ = ("given", "made", "refs", "seen")

    def __init__(self, given: Any) -> None:
        self.given = given
        self.refs = dict(_by_id(given))
        self.seen: set[str] = set()
        """Which of the given references a text really has."""
        self.made: list[dict[str, Any]] = []


class _Offloading:
    """Texts out."""

    __slots__ = ("_limit", "_made", "_memory", "_preview", "_seen", "_subtype", "_tags", "_title", "_type")

    def __init__(
        self,
        memory: "Memory",
        limit: int,
        preview: int,
        title: str | None,
        type: str | None,
        subtype: str | None,
        tags: tuple[str, ...],
    ) -> None:
        self._memory = memory
        self._limit = limit
        self._preview = preview
        self._title = title
        self._type = type
        self._subtype = subtype
        self._tags = tags
        self._made: list[str] = []
        self._seen = 0
        """How many texts are an entry, were one before, or are the answer of a tool of the memory."""

    def value(self, value: Any) -> Any:
        """What stands in the place of all that was handed in."""
        return self._data(value, partial(rewrite, value, self), "", None, is_data)

    def take_back(self) -> None:
        """Delete the entries of texts whose message stays as it was: nothing refers to them."""
        with suppress(BackpackError):  # what failed first is told
            for id in self._made:
                self._memory.delete(id)

    def begin(self, refs: Any) -> _Message:
        return _Message(refs)

    def text(self, text: str | bytes, field: str, role: str, scope: _Message | None) -> str | bytes:
        is_lost = False
        marker = markers.find(text)
        if marker is not None and (scope is None or marker.id in scope.refs):
            try:
                is_ours = markers.restores(text, marker, _content(self._memory, marker.id)[1])
            except BackpackError:
                is_ours = scope is not None and markers.fits(text, marker, scope.refs[marker.id])
                is_lost = not is_ours  # hydrating would take it for one of ours that is gone: so it is stored
            if is_ours:
                self._seen += 1
                if scope is not None:
                    scope.seen.add(marker.id)
                return text
        if not is_lost and (len(text) <= self._limit or _is_name(text, field)):
            return text
        self._seen += 1
        if isinstance(text, str) and not is_lost and self._memory.shared.answers.has(text):
            return text
        is_arguments = field == _ARGUMENTS and isinstance(text, str) and markers.is_json_object(text)
        entry = self._stored(text, role, scope, mime="application/json" if is_arguments else None)
        return markers.shorten(text, self._preview, entry.id, is_arguments=is_arguments, line_count=entry.lines)

    def payload(self, value: Any, rewritten: Callable[[], Any], role: str, scope: _Message | None) -> Any:
        return self._data(value, rewritten, role, scope, is_answered_data)

    def _data(
        self,
        value: Any,
        rewritten: Callable[[], Any],
        role: str,
        scope: _Message | None,
        may_go: Callable[[Any], bool],
    ) -> Any:
        """The copy, or what stands for all of it: when it is data whose JSON text is too long, though no text in it
        is."""
        seen = self._seen
        made = rewritten()
        if self._seen != seen or not may_go(value):
            return made
        text = text_of_value(value)
        if len(text) <= self._limit:
            return made
        self._seen += 1
        entry = self._stored(value, role, scope, title=_title_of(text))
        return markers.shorten(text, self._preview, entry.id, line_count=entry.lines)

    def end(self, scope: _Message) -> Any:
        if not scope.made:
            return scope.given
        if scope.seen:
            return [*copy.deepcopy(scope.given), *scope.made]
        if scope.given is not ABSENT:
            scope.made[0][_REPLACED] = copy.deepcopy(scope.given)
        return scope.made

    def _stored(
        self, content: Any, role: str, scope: _Message | None, *, title: str | None = None, mime: str | None = None
    ) -> "Entry":
        """The entry of it, which the message refers to. `title` is for what nobody gave one."""
        try:
            entry = self._memory.log(
                content,
                type=self._type or _TYPES.get(role, "output"),
                subtype=self._subtype,
                title=title if self._title is None else self._title,
                mime=mime,
                tags=self._tags,
            )
        except InvalidArgumentError:
            raise
        except Exception as error:
            raise _NotStored(error) from None
        self._made.append(entry.id)
        if scope is not None:
            scope.made.append(_ref(entry))
        return entry


class _Hydrating:
    """Texts back in."""

    __slots__ = ("_memory",)

    def __init__(self, memory: "Memory") -> None:
        self._memory = memory

    def begin(self, refs: Any) -> _Message:
        return _Message(refs)

    def text(self, text: str | bytes, field: str, role: str, scope: _Message | None) -> Any:
        marker = markers.find(text)
        if marker is None or (scope is not None and marker.id not in scope.refs):
            return text
        value, content = _content(self._memory, marker.id)
        if not markers.restores(text, marker, content):
            return text
        if scope is not None:
            scope.seen.add(marker.id)
        return value

    def payload(self, value: Any, rewritten: Callable[[], Any], role: str, scope: _Message | None) -> Any:
        return rewritten()

    def end(self, scope: _Message) -> Any:
        if not scope.seen:
            return scope.given
        left = []
        replaced = ABSENT
        for ref in copy.deepcopy(scope.given):
            if isinstance(ref, dict) and ref.get("id") in scope.seen:
                replaced = ref.get(_REPLACED, replaced)
            else:
                left.append(ref)
        if left and replaced is not ABSENT and isinstance(left[0], dict):
            left[0][_REPLACED] = replaced
        return left or replaced


def _is_name(text: str | bytes, field: str) -> bool:
    """Does it say what a message or a block is, or which call it answers? That stays, whatever the limit."""
    return (field in _IDS and len(text) <= _ID_SIZE_MAX) or text in _NAMES.get(field, ())


def _title_of(text: str) -> str:
    """The beginning of the text of a value, on one line."""
    return " ".join(text[:_TITLE_READ].split())[:TITLE_MAX].encode("utf-8", "replace").decode("utf-8")


def _content(memory: "Memory", id: str) -> tuple[Any, str | bytes]:
    """What an entry was made of, and the text or bytes that its beginning is of."""
    value = memory.value(id)
    return value, value if isinstance(value, str | bytes) else text_of_value(value)


def _by_id(refs: Any) -> Iterable[tuple[str, dict[Any, Any]]]:
    if isinstance(refs, list | tuple):
        for ref in refs:
            if isinstance(ref, dict) and isinstance(ref.get("id"), str):
                yield ref["id"], ref


def _ref(entry: "Entry") -> dict[str, Any]:
    return {
        "id": entry.id,
        "title": entry.title,
        "mime": entry.mime,
        "type": entry.type,
        "subtype": entry.subtype,
        "size": entry.size,
        "lines": entry.lines,
        "tokens": entry.tokens,
    }
