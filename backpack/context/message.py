"""A read-only view of a message, whatever its shape: who speaks, what it says, what it calls, what it answers.

    OpenAI chat       dicts and SDK objects: `content` (a text or parts), `tool_calls`, `function_call`, roles `tool`,
                      `function` and `developer`
    OpenAI responses  items: `message`, `*_call` with a `call_id`, `*_call_output`, `reasoning`
    Anthropic         dicts and SDK objects: blocks, among them `tool_use` and `tool_result`
    LangChain         objects, `{"type": "human", "content": ...}`, `{"type": "human", "data": ...}`, `dumpd` forms

A view is made of any value and never fails: what is not understood has no text and no calls. Nothing of the message is
copied but its texts, nothing is changed, nothing is imported because a message says so.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from backpack.memory.messages import REFS
from backpack.memory.shapes import CALLS, CONTENTS, ROLES, SIGNED, Role, attributes, kind_of, unwrapped

_DEPTH_MAX: Final = 8
"""Levels of blocks within blocks; providers have three."""

_ERROR_BEGINNINGS: Final = ("error", "exception", "traceback", "fatal", "failed", "failure", '{"error"', "{'error'")
_ENTRY: Final = re.compile(r"mem-[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool: its arguments are JSON with sorted keys where they were JSON, else the text as it stood."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool said: to which call (empty when it doesn't say), and whether that is an error."""

    id: str
    text: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class View:
    """What a message says, in one shape.

    `text` is all of its text, results included, without reasoning that providers sign and without media. A message of
    the user that holds results and nothing else has the role `tool`.
    """

    role: Role
    text: str
    calls: tuple[Call, ...] = ()
    results: tuple[Result, ...] = ()
    refs: tuple[str, ...] = ()
    """Ids of entries of the memory, from `memory_refs` and from texts."""
    is_leading: bool = False
    """Is it an item that goes with the next one that the model wrote: reasoning, a call among calls?"""
    raw: Any = None

    @property
    def result_of(self) -> tuple[str, ...]:
        """The ids of the calls that this answers."""
        return tuple(result.id for result in self.results)

    @property
    def is_error(self) -> bool:
        """Does a tool report an error here?"""
        return any(result.is_error for result in self.results)


def view(message: Any) -> View:
    """The view of a message. O(its text).

    >>> view({"role": "user", "content": [{"type": "text", "text": "Is BX-1 late?"}]}).text
    'Is BX-1 late?'
    """
    if isinstance(message, str):
        return View("user", message, refs=_refs({}, message), raw=message)
    fields = _fields(message)
    kind = kind_of(fields)
    role = _role(fields)
    texts: list[str] = []
    calls: list[Call] = []
    results: list[Result] = []
    is_leading = False
    if kind.endswith("_call") and "call_id" in fields:
        calls.append(_item_call(fields, kind))
        role, is_leading = "assistant", True
    elif kind.endswith("_output") and "call_id" in fields:
        results.append(_result(fields, _text_of(fields, "call_id"), fields.get("output")))
        role = "tool"
    elif kind in SIGNED and "role" not in fields:
        return View("assistant", "", refs=_refs(fields, ""), is_leading=True, raw=message)
    elif role == "tool":
        results.append(_tool_result(fields, kind))
    else:
        for block in _blocks(fields):
            _take(block, texts, calls, results)
        told = {call.id for call in calls if call.id}
        calls += [call for call in _calls(fields) if call.id not in told]
    if role == "system":  # it calls nothing and answers nothing, whatever it holds
        texts += [result.text for result in results]
        calls, results = [], []
    if results and role == "user" and not any(texts) and not _has_media(fields):
        role = "tool"
    text = "\n".join(part for part in (*texts, *(result.text for result in results)) if part)
    return View(role, text, tuple(calls), tuple(results), _refs(fields, text), is_leading, message)


def _fields(value: Any) -> Mapping[Any, Any]:
    """The fields of a message or a block: a dict's, an object's, those within the forms that LangChain writes."""
    if isinstance(value, dict):
        return unwrapped(value)
    own = attributes(value)
    if own is None:
        return {}
    extra = getattr(value, "__pydantic_extra__", None)
    return {**own, **extra} if isinstance(extra, dict) else own


def _role(fields: Mapping[Any, Any]) -> Role:
    """Who speaks. Any other role than those that are known is taken for one that answers: nothing protects it."""
    role = fields.get("role")
    return ROLES.get(role if isinstance(role, str) else kind_of(fields), "assistant")


def _text_of(fields: Mapping[Any, Any], *names: str) -> str:
    """The first of these fields that is a text; empty when none is."""
    return next((fields[name] for name in names if isinstance(fields.get(name), str)), "")


def _blocks(fields: Mapping[Any, Any]) -> Iterator[Any]:
    """What a message consists of: one text or its blocks."""
    for name in CONTENTS:
        content = fields.get(name)
        if content is not None and content != "":
            yield from content if isinstance(content, list | tuple) else (content,)
            return


def _take(block: Any, texts: list[str], calls: list[Call], results: list[Result]) -> None:
    """One block of a message, by what it is."""
    fields = _fields(block)
    kind = kind_of(fields)
    if kind in CALLS:
        arguments = fields.get("input", fields.get("args", fields.get("arguments")))
        calls.append(Call(_text_of(fields, "id"), _text_of(fields, "name"), canonical(arguments)))
    elif kind.endswith("tool_result") or ("tool_use_id" in fields and kind.endswith("_result")):
        results.append(_result(fields, _text_of(fields, "tool_use_id", "tool_call_id"), fields.get("content")))
    else:
        texts.append(_plain(block, 0))


def _plain(value: Any, depth: int) -> str:
    """The text in a content: of blocks one line each. Media and signed reasoning have none."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if depth >= _DEPTH_MAX or value is None:
        return ""
    if isinstance(value, list | tuple):
        return "\n".join(part for part in (_plain(item, depth + 1) for item in value) if part)
    if isinstance(value, bool | int | float):
        return canonical(value)
    fields = _fields(value)
    if kind_of(fields) in SIGNED:
        return ""
    for name in CONTENTS:
        if fields.get(name) is not None:
            return _plain(fields[name], depth + 1)
    return canonical(fields["json"]) if "json" in fields else ""


def _calls(fields: Mapping[Any, Any]) -> Iterator[Call]:
    """The calls beside the content: of OpenAI, of LangChain, of the legacy `function_call`."""
    kwargs = fields.get("additional_kwargs")
    places = (fields, kwargs if isinstance(kwargs, dict) else {})
    for name in ("tool_calls", "invalid_tool_calls"):
        given = next((place[name] for place in places if place.get(name)), ())
        for call in given if isinstance(given, list | tuple) else ():
            parts = _fields(call)
            if not parts:
                continue
            function = _fields(parts.get("function", parts.get("custom")))
            arguments = next(
                (
                    part[field]
                    for part in (function, parts)
                    for field in ("arguments", "args", "input")
                    if field in part
                ),
                None,
            )
            yield Call(_text_of(parts, "id"), _text_of(function or parts, "name"), canonical(arguments))
    for place in places:
        legacy = _fields(place.get("function_call"))
        if legacy:
            name = _text_of(legacy, "name")
            yield Call(_by_name(name), name, canonical(legacy.get("arguments")))
            return


def _by_name(name: str) -> str:
    """What stands for the id of a legacy call, which has none: its result names the function."""
    return f"function:{name}" if name else ""


def _item_call(fields: Mapping[Any, Any], kind: str) -> Call:
    arguments = next((fields[name] for name in ("arguments", "input", "action") if name in fields), None)
    return Call(_text_of(fields, "call_id"), _text_of(fields, "name") or kind, canonical(arguments))


def _tool_result(fields: Mapping[Any, Any], kind: str) -> Result:
    is_legacy = fields.get("role") == "function" or kind.startswith(("function", "Function"))
    id = _text_of(fields, "tool_call_id", "call_id")
    if not id and is_legacy:
        id = _by_name(_text_of(fields, "name"))
    return _result(fields, id, next((fields[name] for name in CONTENTS if fields.get(name) is not None), None))


def _result(fields: Mapping[Any, Any], id: str, content: Any) -> Result:
    text = _plain(content, 0)
    said = fields.get("is_error") is True or fields.get("status") in ("error", "failed")
    return Result(id, text, said or is_error_text(text))


def is_error_text(text: str) -> bool:
    """Does what a tool said begin as errors do? O(1)."""
    return text[:64].lstrip(" \t\r\n[#*").lower().startswith(_ERROR_BEGINNINGS)


def canonical(arguments: Any) -> str:
    """Arguments as JSON with sorted keys, so that equal ones are equal texts; a text that is no JSON as it stands."""
    try:
        value = json.loads(arguments) if isinstance(arguments, str | bytes) else arguments
        return dumped({} if value is None else value, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return _plain(arguments, _DEPTH_MAX)


def dumped(value: Any, **how: Any) -> str:
    """A value as JSON in one line, characters as they are; escaped where one of them is none (half of a pair)."""
    text = json.dumps(value, ensure_ascii=False, **how)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, **how)
    return text


def _has_media(fields: Mapping[Any, Any]) -> bool:
    """Does a message hold more than texts and results: an image, say?"""
    content = fields.get("content")
    kinds = (kind_of(_fields(block)) for block in content) if isinstance(content, list | tuple) else ()
    return any(kind and kind not in ("text", "input_text") and not kind.endswith("result") for kind in kinds)


def _refs(fields: Mapping[Any, Any], text: str) -> tuple[str, ...]:
    """The entries of the memory that a message names, each once, in order."""
    kwargs = fields.get("additional_kwargs")
    found: dict[str, None] = {}
    for place in (fields, kwargs if isinstance(kwargs, dict) else {}):
        given = place.get(REFS)
        for ref in given if isinstance(given, list | tuple) else ():
            id = ref.get("id") if isinstance(ref, dict) else ref
            if isinstance(id, str) and (match := _ENTRY.fullmatch(id.removeprefix("mem://").partition("#")[0])):
                found[match[0]] = None
    at = text.find("mem://")
    while at >= 0:
        if match := _ENTRY.match(text, at + len("mem://")):
            found[match[0]] = None
        at = text.find("mem://", at + 1)
    return tuple(found)
