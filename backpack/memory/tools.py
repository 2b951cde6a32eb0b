"""The tools that a model is given: what they are called, what they take, and how providers want to be told.

One table says it all: the schemas are made from it, and `calling.py` reads arguments by it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from backpack.errors import InvalidArgumentError

LIST_MAX: Final = 100
"""Entries that one `memory_list` may return: a line each."""

SEARCH_MAX: Final = 50
"""Hits that one `memory_search` may return: two lines each."""

_INTEGER: Final = {"type": "integer"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a tool. `kind`: text, number (least to most), pair (of numbers from `least`) or flag."""

    name: str
    kind: str
    description: str
    is_required: bool = False
    least: int = 0
    most: int | None = None

    def schema(self) -> dict[str, Any]:
        """What it may be, as JSON Schema."""
        made: dict[str, Any] = {"description": self.description}
        if self.kind == "pair":
            items = {**_INTEGER, "minimum": self.least}
            return {"type": "array", "items": items, "minItems": 2, "maxItems": 2, **made}
        if self.kind == "number":
            made["minimum"] = self.least
            if self.most is not None:
                made["maximum"] = self.most
            return {**_INTEGER, **made}
        return {"type": "boolean" if self.kind == "flag" else "string", **made}


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]

    def schema(self) -> dict[str, Any]:
        """What its arguments may be, as JSON Schema."""
        return {
            "type": "object",
            "properties": {parameter.name: parameter.schema() for parameter in self.parameters},
            "required": [parameter.name for parameter in self.parameters if parameter.is_required],
            "additionalProperties": False,
        }


TOOLS: Final = (
    Tool(
        "memory_fetch",
        "Read stored content: an entry that a message names as mem://ID, or a part of it. Ask for the part that you "
        "need, by at most one of lines, bytes, chunk, pattern and summary_only; without any the whole entry comes, if "
        "it is short enough.",
        (
            Parameter("id", "text", "The id, mem-..., or a reference such as mem://mem-...#L10-40.", is_required=True),
            Parameter("lines", "pair", "First and last line, both included, counted from 1: [10, 40].", least=1),
            Parameter("bytes", "pair", "Offset and length in bytes: [0, 4000]. For content with very long lines."),
            Parameter("chunk", "number", "A chunk of at most 4,000 tokens, counted from 0."),
            Parameter("pattern", "text", "A regular expression (Python): the lines it is found in, with line numbers."),
            Parameter("context_lines", "number", "Lines to show around each line that the pattern is found in."),
            Parameter("summary_only", "flag", "Only the summary of the entry."),
        ),
    ),
    Tool(
        "memory_search",
        "Find stored content by words in it, its title, summary or tags. Each hit has an id or a reference for "
        "memory_fetch and a passage that shows where.",
        (
            Parameter(
                "query", "text", 'Words that must all be there; "..." is a phrase, wor* a beginning.', is_required=True
            ),
            Parameter("limit", "number", "At most so many hits; 10 if not given.", least=1, most=SEARCH_MAX),
        ),
    ),
    Tool(
        "memory_list",
        "List stored content, newest first: id, what it is, its size, title and tags.",
        (
            Parameter("type", "text", "Only entries of this type, such as tool_output."),
            Parameter("tag", "text", "Only entries with this tag."),
            Parameter("directory", "text", "Only entries that belong to this directory."),
            Parameter("checkpoint", "text", "Only entries that belong to this checkpoint."),
            Parameter("limit", "number", "At most so many; 20 if not given.", least=1, most=LIST_MAX),
        ),
    ),
)  # fmt: skip
"""What a model may call."""

_PROVIDERS: Final[dict[str, Callable[[Tool], dict[str, Any]]]] = {
    "openai": lambda tool: {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema()},
    },
    "anthropic": lambda tool: {
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.schema(),
    },
}


def tool_schema(provider: str) -> list[dict[str, Any]]:
    """The tools as "openai" or "anthropic" takes them in `tools=`; a new list each time.

    >>> [tool["name"] for tool in tool_schema("anthropic")]
    ['memory_fetch', 'memory_search', 'memory_list']
    """
    if not isinstance(provider, str) or provider not in _PROVIDERS:
        raise InvalidArgumentError(f"tools are told to one of: {', '.join(_PROVIDERS)}")
    return [_PROVIDERS[provider](tool) for tool in TOOLS]
