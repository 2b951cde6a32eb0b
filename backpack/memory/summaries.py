"""The summary of an entry: the caller's, or a hook's, or an extract by rule.

A hook is called with the text, or of a long one its beginning and end, and returns a summary; it may be a coroutine
function. Entries below 500 tokens are not worth a call, and bytes that are no text have nothing to read. A hook that
fails costs no entry: the extract is taken, and the failure is logged and counted.
"""

import inspect
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from logging import getLogger
from typing import TYPE_CHECKING, Any, Final

from backpack.limits import KIB
from backpack.memory.labels import SUMMARY_SIZE_MAX

if TYPE_CHECKING:
    from backpack.memory.log import Draft
    from backpack.memory.memory import Memory

Summarize = Callable[[str], str | Awaitable[str]]

SEEN_SIZE_MAX: Final = 256 * KIB
"""Bytes of a text that a hook gets as a whole; of a longer one half as many of each end."""

_logger: Final = getLogger("backpack.memory")


def summary_of(memory: "Memory", draft: "Draft") -> tuple[str, bool]:
    """`(summary, is it an extract)`."""
    text = _asked(memory, draft)
    if text is not None and memory.summarize is not None:
        try:
            answer = memory.summarize(text)
            if inspect.isawaitable(answer):
                answer = _waited(answer)
            return _checked(answer), False
        except Exception as error:  # whatever a hook of somebody's raises
            _failed(memory, error)
    return draft.default_summary()


async def asummary_of(memory: "Memory", draft: "Draft") -> tuple[str, bool]:
    """The same, for a task: a coroutine is awaited, anything else is called by a thread."""
    text = _asked(memory, draft)
    if text is not None and memory.summarize is not None:
        try:
            if inspect.iscoroutinefunction(memory.summarize):
                return _checked(await memory.summarize(text)), False
            answer = await memory.bp._readers.run(memory.summarize, text)
            return _checked(await answer if inspect.isawaitable(answer) else answer), False
        except Exception as error:  # whatever a hook of somebody's raises
            _failed(memory, error)
    return draft.default_summary()


def _asked(memory: "Memory", draft: "Draft") -> str | None:
    """What a hook is to summarise; None when none is to be asked."""
    return None if memory.summarize is None else draft.text_to_summarize()


def _waited(answer: Awaitable[Any]) -> Any:
    """What a coroutine gives to a caller who has no time to await it: in a loop of its own."""
    import asyncio  # 20 ms that only such hooks need

    async def run() -> Any:
        return await answer

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(run())
    with ThreadPoolExecutor(1, thread_name_prefix="backpack-summary") as executor:
        return executor.submit(asyncio.run, run()).result()


def _checked(answer: Any) -> str:
    """A summary of bounded size; TypeError when it is no text."""
    if not isinstance(answer, str):
        raise TypeError(f"a summary must be a str, not {type(answer).__name__}")
    return answer.encode("utf-8", "replace")[:SUMMARY_SIZE_MAX].decode("utf-8", "ignore")


def _failed(memory: "Memory", error: Exception) -> None:
    memory.failures["summarize"] += 1
    _logger.warning("a summary hook failed, an extract is taken: %s", type(error).__name__)
