"""The messages of one run as steps: who spoke, which tools were called, and which call a result answers.

A step keeps its message as it came. What is checked is what the rest relies on: a role, content that is text, null or
a list of parts, calls that have a name. Cost: O(messages), however many calls nobody answers.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from backpack.runs.positions import Path

_TOOL_NAME_SIZE_MAX: Final = 200
"""Characters of a tool's name that stand in keys and nodes; longer ones are cut and marked."""

_RESULT_ROLES: Final = ("tool", "function")

Fail = Callable[[Path, str], NoReturn]
"""Raises the error for what is wrong at a path."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of an assistant. `key` is unique in the run, even where ids are missing or used again."""

    key: str
    id: str | None
    name: str
    arguments: Any


@dataclass(frozen=True, slots=True)
class Step:
    """One message, attributed: the node that made it, its text, its calls, the call that it answers."""

    index: int
    role: str
    node: str
    message: dict[str, Any]
    text: str | None
    calls: tuple[Call, ...] = ()
    tool: str | None = None
    """The tool whose result this is."""
    answers: Call | None = None


def steps_of(messages: Sequence[Any], fail: Fail) -> tuple[Step, ...]:
    """One step a message, in order; `fail` is called with the path of what is wrong."""
    reading = _Reading(fail)
    return tuple(reading.step(index, message) for index, message in enumerate(messages))


@dataclass(slots=True)
class _Reading:
    """What is known of the calls so far."""

    fail: Fail
    keys: set[str] = field(default_factory=set)
    by_id: dict[str, Call] = field(default_factory=dict)
    unanswered: dict[str, Call] = field(default_factory=dict)
    """By key."""
    open_by_name: dict[str, OrderedDict[str, Call]] = field(default_factory=dict)
    """The unanswered ones, oldest first, each by its key."""

    def step(self, index: int, message: Any) -> Step:
        if not isinstance(message, dict):
            self.fail((index,), f"message {index + 1} is {_kind(message)}, not an object")
        if "role" not in message:
            self.fail((index,), f"message {index + 1} has no role")
        role = message["role"]
        if not isinstance(role, str) or not role:
            self.fail((index, "role"), f"the role of message {index + 1} is {_kind(role)}, not a name")
        text = self._text(index, message.get("content"))
        if role in _RESULT_ROLES:
            call = self._answered(index, message)
            tool = call.name if call else clean_name(message.get("name"))
            return Step(index, role, f"tool.{tool}", message, text, tool=tool, answers=call)
        calls = self._calls(index, message) if role == "assistant" else ()
        return Step(index, role, clean_name(role), message, text, calls)

    def _text(self, index: int, content: Any) -> str | None:
        if content is None or isinstance(content, str):
            return content
        if not isinstance(content, list):
            reason = f"the content of message {index + 1} is {_kind(content)}, not text, null or a list of parts"
            self.fail((index, "content"), reason)
        texts = []
        for number, part in enumerate(content):
            if isinstance(part, str):
                texts.append(part)
            elif isinstance(part, dict):
                text = part.get("text")
                texts.append(text if isinstance(text, str) else f"[{part.get('type', 'part')}]")
            else:
                reason = f"part {number + 1} of the content of message {index + 1} is {_kind(part)}, not an object"
                self.fail((index, "content", number), reason)
        return "\n".join(texts)

    def _calls(self, index: int, message: dict[str, Any]) -> tuple[Call, ...]:
        calls = []
        tool_calls = message.get("tool_calls")
        if tool_calls is not None:
            if not isinstance(tool_calls, list):
                reason = f"the tool_calls of message {index + 1} are {_kind(tool_calls)}, not a list"
                self.fail((index, "tool_calls"), reason)
            for number, entry in enumerate(tool_calls):
                calls.append(self._tool_call(index, number, entry))
        legacy = message.get("function_call")
        if legacy is not None:
            calls.append(self._call((index, "function_call"), None, legacy))
        return tuple(calls)

    def _tool_call(self, index: int, number: int, entry: Any) -> Call:
        path = (index, "tool_calls", number)
        if not isinstance(entry, dict):
            self.fail(path, f"tool call {number + 1} of message {index + 1} is {_kind(entry)}, not an object")
        own_id = entry.get("id")
        field_name = "custom" if "function" not in entry and "custom" in entry else "function"
        return self._call((*path, field_name), own_id if isinstance(own_id, str) else None, entry.get(field_name))

    def _call(self, path: tuple[str | int, ...], own_id: str | None, body: Any) -> Call:
        if not isinstance(body, dict) or not isinstance(body.get("name"), str) or not body["name"]:
            self.fail(path, f"a tool call of message {int(path[0]) + 1} has no name")
        key = own_id if own_id and own_id not in self.keys else ".".join(map(str, path[:3:2]))
        while key in self.keys:
            key += "'"
        self.keys.add(key)
        call = Call(key, own_id, clean_name(body["name"]), body.get("arguments", body.get("input")))
        if own_id:
            self.by_id[own_id] = call
        self.unanswered[key] = call
        self.open_by_name.setdefault(call.name, OrderedDict())[key] = call
        return call

    def _answered(self, index: int, message: dict[str, Any]) -> Call | None:
        """The call that a result answers: by id, else the oldest open one of that name, else the only open one."""
        own_id = message.get("tool_call_id")
        if own_id is not None and not isinstance(own_id, str):
            reason = f"the tool_call_id of message {index + 1} is {_kind(own_id)}, not text"
            self.fail((index, "tool_call_id"), reason)
        call = self.by_id.get(own_id) if own_id else None
        if call is None:
            name = message.get("name")
            if isinstance(name, str) and name:
                call = next(iter(self.open_by_name.get(clean_name(name), {}).values()), None)
            elif len(self.unanswered) == 1 and not own_id:
                (call,) = self.unanswered.values()
        if call is not None and self.unanswered.pop(call.key, None) is not None:
            del self.open_by_name[call.name][call.key]
        return call


def clean_name(name: Any) -> str:
    """A tool's or a role's name as it stands in keys and nodes: printable, of bounded length, never empty."""
    if not isinstance(name, str) or not name:
        return "unknown"
    clean = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in name)
    if len(clean) <= _TOOL_NAME_SIZE_MAX:
        return clean
    mark = hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    return f"{clean[: _TOOL_NAME_SIZE_MAX - 9]}~{mark}"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if value == "":
        return "empty"
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return names[type(value)]
