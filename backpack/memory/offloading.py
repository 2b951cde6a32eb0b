"""Offloading: long texts of a message leave it for the memory, and `hydrate` puts them back.

Each text becomes an entry of its own, by one commit; where it stood, `markers.py` says what stands there now, and the
message names the entries in its `memory_refs`. Hydrating goes the other way: it takes the marker at the end of a text
for one only when the message's `memory_refs` name the entry (outside of messages: when the entry is there) and the
text is, character for character, what offloading makes of the entry's content. So a text of the user's that looks like
a marker stays what it is.

A message that was offloaded is one already: offloading it again changes nothing, and hydrating gives the original. That
holds for one whose entry is gone, too, as far as its figures show it: hydrating it is an error. What a tool of the
memory answered is a slice of an entry, and stays.
What a message had in `memory_refs` before stands, meanwhile, in the first reference, as `replaced`.
"""

import copy
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from backpack.errors import BackpackError, ClosedError, InvalidArgumentError
from backpack.memory import markers
from backpack.memory.failures import tell_failure
from backpack.memory.messages import ABSENT, rewrite
from backpack.memory.types import check_type

if TYPE_CHECKING:
    from backpack.memory.entry import Entry
    from backpack.memory.memory import Memory

OFFLOAD_LIMIT: Final = 6_000
"""Characters (of bytes: bytes) that a text may have and stay."""

PREVIEW_SIZE: Final = 800
"""Characters of an offloaded text that stay."""

_REPLACED: Final = "replaced"
_ARGUMENTS: Final = "arguments"
"""The field of a tool call in which its arguments stand as JSON text."""

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
    tags: tuple[str, ...],
    on_error: OnError | None,
) -> Any:
    """A copy of the value with its long texts offloaded; the value itself when one of them couldn't be stored."""
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise InvalidArgumentError("limit is a number of characters, 1 or more")
    if isinstance(preview, bool) or not isinstance(preview, int) or preview < 0:
        raise InvalidArgumentError("preview is a number of characters, 0 or more")
    if type is not None:
        check_type(type)
    offloading = _Offloading(memory, limit, min(preview, limit), title, type, subtype, tags)
    try:
        return rewrite(value, offloading)
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
    tags: tuple[str, ...],
    on_error: OnError | None,
) -> Any:
    """The same for a task, in a thread of the store."""
    try:
        return await memory.bp._readers.run(
            offload, memory, value, limit, preview, title, type, subtype, tags, on_error
        )
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

    __slots__ = ("_limit", "_made", "_memory", "_preview", "_subtype", "_tags", "_title", "_type")

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
                is_ours = markers.restores(text, marker, self._memory.value(marker.id))
            except BackpackError:
                is_ours = scope is not None and markers.fits(text, marker, scope.refs[marker.id])
                is_lost = not is_ours  # hydrating would take it for one of ours that is gone: so it is stored
            if is_ours:
                if scope is not None:
                    scope.seen.add(marker.id)
                return text
        if len(text) <= self._limit and not is_lost:
            return text
        if isinstance(text, str) and not is_lost and self._memory.shared.answers.has(text):
            return text
        is_arguments = field == _ARGUMENTS and isinstance(text, str) and markers.is_json_object(text)
        entry = self._stored(text, role, is_arguments)
        self._made.append(entry.id)
        if scope is not None:
            scope.made.append(_ref(entry))
        return markers.shorten(text, self._preview, entry.id, is_arguments=is_arguments, line_count=entry.lines)

    def end(self, scope: _Message) -> Any:
        if not scope.made:
            return scope.given
        if scope.seen:
            return [*copy.deepcopy(scope.given), *scope.made]
        if scope.given is not ABSENT:
            scope.made[0][_REPLACED] = copy.deepcopy(scope.given)
        return scope.made

    def _stored(self, text: str | bytes, role: str, is_arguments: bool) -> "Entry":
        try:
            return self._memory.log(
                text,
                type=self._type or _TYPES.get(role, "output"),
                subtype=self._subtype,
                title=self._title,
                mime="application/json" if is_arguments else None,
                tags=self._tags,
            )
        except InvalidArgumentError:
            raise
        except Exception as error:
            raise _NotStored(error) from None


class _Hydrating:
    """Texts back in."""

    __slots__ = ("_memory",)

    def __init__(self, memory: "Memory") -> None:
        self._memory = memory

    def begin(self, refs: Any) -> _Message:
        return _Message(refs)

    def text(self, text: str | bytes, field: str, role: str, scope: _Message | None) -> str | bytes:
        marker = markers.find(text)
        if marker is None or (scope is not None and marker.id not in scope.refs):
            return text
        content = self._memory.value(marker.id)
        if not isinstance(content, str | bytes) or not markers.restores(text, marker, content):
            return text
        if scope is not None:
            scope.seen.add(marker.id)
        return content

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
