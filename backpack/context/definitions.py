"""How many tokens the definitions of tools have, which go to the model with every call.

OpenAI's models are told of tools in a form of its own, in which some marks of JSON are saved; how many tokens that
takes OpenAI documents for gpt-4o and the models before it (`Figures`). What is nested deeper than its examples is
counted the same way, level by level. Definitions of Anthropic, of MCP and of LangChain have the same parts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backpack.context.framing import Count, as_text
from backpack.errors import InvalidArgumentError
from backpack.limits import VALUE_DEPTH_MAX


@dataclass(frozen=True, slots=True)
class Figures:
    """Tokens around the parts of a definition."""

    function: int
    properties: int = 3
    property: int = 3
    enumeration: int = -3
    item: int = 3
    end: int = 12


NEWER: Final = Figures(function=7)
"""gpt-4o and what came after it."""

OLDER: Final = Figures(function=10)
"""gpt-4 and gpt-3.5: what is counted as cl100k."""


def tools_tokens(tools: Sequence[Any], count: Count, figures: Figures = NEWER) -> int:
    """Tokens of these definitions; 0 for none. O(their size)."""
    if isinstance(tools, str | bytes | Mapping) or not isinstance(tools, Sequence):
        raise InvalidArgumentError(f"tools are a list of definitions: type={type(tools).__name__}")
    if not tools:
        return 0
    return sum(_tool(tool, count, figures) for tool in tools) + figures.end


def _tool(tool: Any, count: Count, figures: Figures) -> int:
    fields = _definition(tool)
    inner = fields.get("function")
    function: Mapping[str, Any] = inner if isinstance(inner, Mapping) else fields
    if "name" not in function:  # a tool that the provider has built in: only its settings are sent
        return figures.function + count(as_text(fields))
    names = ("parameters", "input_schema", "inputSchema")
    schema: Any = next((function[name] for name in names if function.get(name)), None)
    described = f"{function['name']}:{str(function.get('description') or '').removesuffix('.')}"
    return figures.function + count(described) + _properties(schema, count, figures, 0)


def _definition(tool: Any) -> Mapping[str, Any]:
    """A definition as a mapping; a tool object says it by its schema."""
    if isinstance(tool, Mapping):
        return tool
    name: Any = getattr(tool, "name", None)
    schema: Any = getattr(tool, "args_schema", None)
    if isinstance(name, str):
        if hasattr(schema, "model_json_schema"):
            schema = schema.model_json_schema()
        described = str(getattr(tool, "description", "") or "")
        return {"name": name, "description": described, "parameters": schema if isinstance(schema, Mapping) else {}}
    raise InvalidArgumentError(
        "a tool is defined by a dict, or an object with name, description and args_schema; "
        f"give the schema of a function as a dict: type={type(tool).__name__}"
    )


def _properties(schema: Any, count: Count, figures: Figures, depth: int) -> int:
    """The properties of an object, and what they hold."""
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping) or not properties or depth > VALUE_DEPTH_MAX:
        return 0
    tokens = figures.properties
    for name, given in properties.items():
        field = given if isinstance(given, Mapping) else {}
        tokens += figures.property
        enumeration = field.get("enum")
        if isinstance(enumeration, list | tuple) and enumeration:
            tokens += figures.enumeration
            tokens += sum(figures.item + count(as_text(item)) for item in enumeration)
        described = str(field.get("description") or "").removesuffix(".")
        tokens += count(f"{name}:{as_text(_type(field))}:{described}")
        tokens += _properties(field, count, figures, depth + 1)
        tokens += _properties(field.get("items"), count, figures, depth + 1)
    return tokens


def _type(field: Mapping[str, Any]) -> Any:
    """What a property may be; for unions all of it."""
    for name in ("type", "anyOf", "oneOf", "allOf", "$ref"):
        if name in field:
            return field[name]
    return ""
