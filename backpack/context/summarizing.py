"""Asking a summarizer of the user's, sync or async, and looking at what it says before anybody relies on it.

A summarizer is any callable. It is handed the messages that go, oldest first (the summary before them as the first
one), and the size in tokens that the summary should have:

    summarizer(messages, target_tokens) -> str          or a coroutine, or (str, usage)

One whose first parameter is called `text`, `transcript` or `prompt`, or is annotated `str`, gets the messages as one
text; one that takes a single argument gets no size. What it can't be is trusted: an exception, nothing, something that
is no text, or a text longer than what went in are a `SummaryFailed`, which keeps the reason.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from traceback import format_exception_only
from typing import Any, Final

from backpack.context.message import View
from backpack.errors import InvalidArgumentError

Summarizer = Callable[..., Any]
"""Called with messages and a target size; gives back a text, `(text, usage)`, or an awaitable of either."""

_TEXT_NAMES: Final = frozenset(("text", "transcript", "prompt", "conversation_text", "content"))
_SHOWN_MAX: Final = 200
"""Characters of an exception that `last_error` has; the logger is given the exception itself."""

_SIZE_NAMES: Final = ("target_tokens", "target", "target_size", "max_tokens", "size")

inside: ContextVar[frozenset[int]] = ContextVar("backpack_summarizing", default=frozenset())
"""The conversations whose summarizer runs in this task or thread: one that asks its own conversation gets an answer
without a compression."""


class SummaryFailed(Exception):
    """The summarizer gave nothing that could be used. Not raised to users: they find `reason` in `last_error`."""

    def __init__(self, reason: str, cause: BaseException | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Said:
    """What a summarizer said: the text, and what the call took, where it tells."""

    text: str
    usage: Any = None


def checked_summarizer(summarizer: Any) -> Summarizer | None:
    """The summarizer, or `InvalidArgumentError` for what can't be called."""
    if summarizer is not None and not callable(summarizer):
        raise InvalidArgumentError(
            f"a summarizer is called with messages and a size in tokens: type={type(summarizer).__name__} can't be"
        )
    return summarizer  # type: ignore[no-any-return]


def is_async(summarizer: Summarizer) -> bool:
    """Is it a coroutine function, or an object whose call is one?"""
    function = summarizer
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def summarize(summarizer: Summarizer, messages: list[Any], views: Sequence[View], target_tokens: int) -> Said:
    """Ask it once, from a thread. `SummaryFailed`; KeyboardInterrupt and cancellation pass through.

    An async one is run to its end in a loop of its own; where a loop runs in this thread already, in another thread.
    """
    try:
        found = call_of(summarizer, messages, views, target_tokens)()
        if inspect.isawaitable(found):
            found = _run(found)
    except Exception as error:
        failure = SummaryFailed(f"the summarizer raised {shown(error)}", error)
    else:
        return said(found)
    raise failure


async def asummarize(summarizer: Summarizer, messages: list[Any], views: Sequence[View], target_tokens: int) -> Said:
    """The same for a task: an async one is awaited, a sync one runs in a thread. `SummaryFailed`."""
    call = call_of(summarizer, messages, views, target_tokens)
    try:
        found = call() if is_async(summarizer) else await asyncio.to_thread(_without_stop, call)
        if inspect.isawaitable(found):
            found = await found
    except SummaryFailed:
        raise
    except Exception as error:
        failure = SummaryFailed(f"the summarizer raised {shown(error)}", error)
    else:
        return said(found)
    raise failure


def _without_stop(call: Callable[[], Any]) -> Any:
    """What the call gives, for a thread whose task waits: a future can't carry StopIteration, and would never end."""
    try:
        return call()
    except StopIteration as stop:
        raise SummaryFailed(f"the summarizer raised {shown(stop)}", stop) from stop


def shown(error: BaseException) -> str:
    """An exception of the caller's code in one line, its type and the beginning of its text."""
    text = " ".join("".join(format_exception_only(error)).split()).encode("utf-8", "replace").decode()
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 3].rstrip() + "..."


def call_of(
    summarizer: Summarizer, messages: list[Any], views: Sequence[View], target_tokens: int
) -> Callable[[], Any]:
    """The call, with the arguments that this summarizer takes."""
    try:
        parameters = list(inspect.signature(summarizer).parameters.values())
    except (TypeError, ValueError):  # of a builtin: nothing is known of it
        return partial(summarizer, messages, target_tokens)
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    first: Any = messages
    if positional and (positional[0].name in _TEXT_NAMES or positional[0].annotation in (str, "str")):
        first = transcript(views)
    if any(one.kind is one.VAR_POSITIONAL for one in parameters) or len(positional) > 1:
        return partial(summarizer, first, target_tokens)
    named = {one.name for one in parameters if one.kind is one.KEYWORD_ONLY}
    takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters)
    name = next((name for name in _SIZE_NAMES if name in named), _SIZE_NAMES[0] if takes_any else None)
    return partial(summarizer, first) if name is None else partial(summarizer, first, **{name: target_tokens})


def transcript(views: Sequence[View]) -> str:
    """Messages as one text, each with who speaks, and with the references that stand beside its text."""
    parts = []
    for view in views:
        calls = "".join(f"\n[calls {call.name}({call.arguments})]" for call in view.calls)
        refs = "".join(f"\n[refers to mem://{id}]" for id in view.refs if f"mem://{id}" not in view.text)
        parts.append(f"{view.role}: {view.text}{calls}{refs}")
    return "\n\n".join(parts)


def said(found: Any) -> Said:
    """What it gave back, if it is a text with something in it. `SummaryFailed`."""
    usage = None
    if isinstance(found, tuple) and len(found) == 2:
        found, usage = found
    if found is None or found == "":
        raise SummaryFailed("the summarizer returned nothing")
    if not isinstance(found, str):
        raise SummaryFailed(f"the summarizer returned no text: type={type(found).__name__}")
    if not found.strip():
        raise SummaryFailed("the summarizer returned nothing")
    return Said(str.__str__(found), usage)


def _run(found: Awaitable[Any]) -> Any:
    async def awaited() -> Any:
        return await found

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(awaited())
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context

    with ThreadPoolExecutor(1, thread_name_prefix="backpack-summarizer") as executor:
        return executor.submit(copy_context().run, asyncio.run, awaited()).result()
