"""Calls of a model to the tools of a memory: its arguments are understood or refused in words, and it gets text.

Whatever a model may write, no exception comes of it: what can't be done is a message that begins with `error: ` and
says what to ask for instead. What the store itself can't do (a full disk, say) is told as well, and counted as a
failure of `call_tool`. Of each result a digest is kept, so that offloading leaves it where it is (`answers.py`).
"""

import base64
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from backpack.errors import (
    BackpackError,
    ChunkNotFoundError,
    ClosedError,
    EntryNotFoundError,
    EntryPrunedError,
    FetchLimitError,
    InvalidArgumentError,
)
from backpack.memory.entry import Entry
from backpack.memory.failures import tell_failure
from backpack.memory.fetch import matching_lines
from backpack.memory.references import reference_of
from backpack.memory.tools import TOOLS, Parameter, Tool
from backpack.memory.types import types
from backpack.memory.wording import counted

if TYPE_CHECKING:
    from backpack.memory.memory import Memory

ERROR: Final = "error: "
"""How every message that is not a result begins."""

_SEARCH_LIMIT: Final = 10
_LIST_LIMIT: Final = 20
_SHOWN_MAX: Final = 200
"""Characters of a title or a passage, and of what a message quotes of the model's own words."""

_BINARY_SIZE_MAX: Final = 16 * 1024
"""Bytes that are no text, in one answer: they come as base64."""

_EXAMPLES: Final = {
    "memory_fetch": '{"id": "mem-20261121-151102-0af31c77", "lines": [1, 40]}',
    "memory_search": '{"query": "connection timeout"}',
    "memory_list": '{"limit": 20}',
}
_NUMBER: Final = re.compile(r"\s*([0-9]{1,15})\s*")
_PAIR: Final = re.compile(r"\s*\[?\s*L?([0-9]{1,15})\s*[-:,]\s*L?([0-9]{1,15})\s*\]?\s*")


class _Refused(Exception):
    """The call can't be done as it stands; the text says why and what to do."""


def call_tool(memory: "Memory", name: object, arguments: object) -> str:
    """What the tool of that name says to these arguments: a dict, or the JSON text of one."""
    failure: Exception
    try:
        tool = _tool_of(name)
        answer = _printable(_CALLS[tool.name](memory, _arguments_of(tool, arguments)))
    except _Refused as refused:
        return _printable(f"{ERROR}{refused}")
    except InvalidArgumentError as error:
        return _printable(f"{ERROR}{error}")
    except BackpackError as error:
        message, failure = str(error), error
    except Exception as error:  # a model must get an answer, whatever went wrong in here
        message, failure = f"{type(error).__name__} in {tool.name}; try another call", error
    else:
        memory.shared.answers.add(answer)
        return answer
    tell_failure(memory, "call_tool", failure)
    return _printable(f"{ERROR}{message}")


async def acall_tool(memory: "Memory", name: object, arguments: object) -> str:
    """The same for a task, in a thread of the store."""
    try:
        return await memory.bp._readers.run(call_tool, memory, name, arguments)
    except ClosedError as closed:
        error = closed
    tell_failure(memory, "call_tool", error)
    return f"{ERROR}{error}"


# -- the tools --------------------------------------------------------------------------------------------------


def _fetch(memory: "Memory", given: dict[str, Any]) -> str:
    id = given.pop("id")
    given = {name: value for name, value in given.items() if value is not False}
    if "pattern" not in given and not given.get("context_lines"):
        given.pop("context_lines", None)
    entry = None
    try:
        reference = reference_of(id)
        entry = memory.entry(reference)
        if "pattern" in given and set(given) <= {"pattern", "context_lines"} and not reference.is_slice:
            return _numbered(entry, matching_lines(memory, entry, given["pattern"], given.get("context_lines", 0)))
        data = memory.fetch(reference, **given)
    except EntryNotFoundError:
        raise _Refused(
            f"there is no entry {_quoted(id)}; memory_list shows the newest ids, memory_search finds entries by words"
        ) from None
    except EntryPrunedError as error:
        raise _Refused(_gone(error, has_summary=entry is not None)) from None
    except ChunkNotFoundError as error:
        raise _Refused(f"{error.id} has no chunk {error.chunk}: its chunks are 0 to {error.count - 1}") from None
    except FetchLimitError as error:
        assert entry is not None
        raise _Refused(_too_much(memory, entry, error)) from None
    text = data if isinstance(data, str) else _of_bytes(entry, data)
    if text:
        return text
    return f"(nothing there: {entry.id} has {_extent(entry)})"


def _search(memory: "Memory", given: dict[str, Any]) -> str:
    hits = memory.search(given["query"], limit=given.get("limit", _SEARCH_LIMIT))
    if not hits:
        return "(nothing found; all words must be there: try fewer, or the beginning of a word as wor*)"
    return "\n".join(f"{_line_of(hit.entry)} {hit.reference}\n    {_line(hit.snippet)}" for hit in hits)


def _list(memory: "Memory", given: dict[str, Any]) -> str:
    entries = memory.list(**{"limit": _LIST_LIMIT, **given})
    if entries:
        return "\n".join(_line_of(entry) for entry in entries)
    wanted = given.get("type")
    hint = f"; types are: {', '.join(types())}" if wanted is not None and wanted not in types() else ""
    return f"(no entries{' like that' if set(given) - {'limit'} else ''}{hint})"


_CALLS: Final[dict[str, Callable[["Memory", dict[str, Any]], str]]] = {
    "memory_fetch": _fetch,
    "memory_search": _search,
    "memory_list": _list,
}


# -- what a model wrote -----------------------------------------------------------------------------------------


def _tool_of(name: object) -> Tool:
    for tool in TOOLS:
        if tool.name == name:
            return tool
    raise _Refused(f"there is no tool {_quoted(name)}; there are: {', '.join(tool.name for tool in TOOLS)}")


def _arguments_of(tool: Tool, arguments: object) -> dict[str, Any]:
    """The arguments by name, each of the right type; null and empty text count as not given."""
    if isinstance(arguments, str):
        arguments = _parsed(tool, arguments)
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        raise _Refused(f"the arguments of {tool.name} are an object, such as {_example(tool)}")
    known = {parameter.name: parameter for parameter in tool.parameters}
    given = {}
    for name, value in arguments.items():
        if name not in known:
            raise _Refused(f"{tool.name} has no argument {_quoted(name)}; it has: {', '.join(known)}")
        if value is not None and not (isinstance(value, str) and not value.strip()):
            given[name] = _understood(known[name], value)
    for parameter in tool.parameters:
        if parameter.is_required and parameter.name not in given:
            raise _Refused(f"{tool.name} needs {_quoted(parameter.name)}, as in {_example(tool)}")
    return given


def _parsed(tool: Tool, text: str) -> object:
    if not text.strip():
        return None
    try:
        parsed: object = json.loads(text)
        return parsed
    except ValueError as error:
        place = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
    except RecursionError:
        place = ": it is nested too deep"
    raise _Refused(f"the arguments of {tool.name} are no JSON{place}; write an object such as {_example(tool)}")


def _understood(parameter: Parameter, value: object) -> Any:
    if parameter.kind == "text":
        if isinstance(value, str):
            return value
        raise _Refused(f"{_quoted(parameter.name)} is a text")
    if parameter.kind == "flag":
        if isinstance(value, str) and value.strip().lower() in ("true", "false"):
            return value.strip().lower() == "true"
        if isinstance(value, bool):
            return value
        raise _Refused(f"{_quoted(parameter.name)} is true or false")
    if parameter.kind == "number":
        number = _number(value)
        if number is None or number < parameter.least or (parameter.most is not None and number > parameter.most):
            most = "" if parameter.most is None else f" to {parameter.most:,}"
            raise _Refused(f"{_quoted(parameter.name)} is a whole number, {parameter.least}{most or ' or more'}")
        return number
    found = _PAIR.fullmatch(value) if isinstance(value, str) else None
    pair = list(found.groups()) if found else value
    numbers = [_number(one) for one in pair] if isinstance(pair, list | tuple) else []
    if len(numbers) == 2 and all(number is not None and number >= parameter.least for number in numbers):
        return numbers[0], numbers[1]
    raise _Refused(f"{_quoted(parameter.name)} are two whole numbers, {parameter.least} or more, such as [1, 40]")


def _number(value: object) -> int | None:
    if isinstance(value, str) and (found := _NUMBER.fullmatch(value)):
        return int(found[1])
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _example(tool: Tool) -> str:
    return _EXAMPLES[tool.name]


# -- what it gets to read ---------------------------------------------------------------------------------------


def _numbered(entry: Entry, found: list[tuple[int, bool, str]]) -> str:
    """As grep shows it: `12: line` where the pattern is, `13- line` around it, `--` where lines are left out."""
    if not found:
        return f"(no line of {entry.id} matches; it has {counted(entry.lines, 'line')})"
    shown = []
    last = None
    for number, is_match, line in found:
        if last is not None and number != last + 1:
            shown.append("--")
        shown.append(f"{number}{':' if is_match else '-'} {line}")
        last = number
    return "\n".join(shown)


def _of_bytes(entry: Entry, data: bytes) -> str:
    """Bytes as text: of a text they may begin and end within a character; what is no text comes as base64."""
    if entry.kind != "bytes":
        return data.decode("utf-8", "replace")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" not in text:
        return text
    if len(data) > _BINARY_SIZE_MAX:
        raise _Refused(
            f"{entry.id} is no text ({entry.mime}); at most {_BINARY_SIZE_MAX:,} bytes of it come at once, as base64: "
            f'"bytes": [0, {_BINARY_SIZE_MAX}]'
        )
    return f"({len(data):,} bytes that are no text, in base64) {base64.b64encode(data).decode('ascii')}"


def _gone(error: EntryPrunedError, *, has_summary: bool) -> str:
    """What is left of an entry that pruning took."""
    when = f"was removed on {error.when:%Y-%m-%d}"
    if has_summary:
        return (
            f'the content of {error.id} ({_line(error.title)}) {when}; its summary is still there: "summary_only": true'
        )
    return f"{error.id} ({_line(error.title)}) {when}, nothing is left of it"


def _too_much(memory: "Memory", entry: Entry, error: FetchLimitError) -> str:
    """What a model does about a limit: ask for a part that exists and fits."""
    if error.unit == "seconds":
        return f'the search took longer than {error.limit} s: use a simpler "pattern", or look at "lines" or a "chunk"'
    limits = memory.limits
    ways = [f'"bytes": [0, {min(limits.size_max, 4_000)}]']
    if entry.lines > 1:
        ways.insert(0, f'"lines": [1, {min(limits.lines_max, 100)}]')
    if entry.chunk_count > 1:
        ways.append(f'"chunk": 0 (to {entry.chunk_count - 1})')
    ways += ['a narrower "pattern"', '"summary_only": true']
    return (
        f"that is {error.size:,} {error.unit}, and one fetch gives at most {error.limit:,}. {entry.id} has "
        f"{_extent(entry)}. Ask for less: {', '.join(ways)}"
    )


def _line_of(entry: Entry) -> str:
    tags = "".join(f" #{_line(tag)}" for tag in entry.tags)
    gone = " (content removed, summary there)" if entry.is_pruned else ""
    extent = f"{counted(entry.lines, 'line')}, {counted(entry.tokens, 'token')}"
    facts = f"{entry.type}, {entry.time:%Y-%m-%d %H:%M}, {extent}{gone}"
    return f"[{entry.id}] {facts}: {_line(entry.title)}{tags}"


def _extent(entry: Entry) -> str:
    return f"{counted(entry.lines, 'line')}, {counted(entry.size, 'byte')}"


def _line(text: str) -> str:
    """On one line, not too long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN_MAX else flat[: _SHOWN_MAX - 3] + "..."


def _quoted(value: object) -> str:
    return json.dumps(_line(value)) if isinstance(value, str) else f"of type {type(value).__name__}"


def _printable(text: str) -> str:
    """Text that UTF-8 can hold: half characters, which a str may have, become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
