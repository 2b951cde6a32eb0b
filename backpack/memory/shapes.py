"""The shapes of messages, of OpenAI, Anthropic, Gemini and LangChain: what their fields and their `type` mean.

Here is what all who read messages agree on; which of it counts for what is said where it is read: `messages.py` finds
texts to offload, `context/message.py` who says what, `context/framing.py` tokens. Nothing is imported because a message
says so: objects are told by their attributes.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

Role = Literal["system", "user", "assistant", "tool"]

LANGCHAIN_ROLES: Final[Mapping[str, Role]] = {
    "human": "user",
    "ai": "assistant",
    "system": "system",
    "tool": "tool",
    "function": "tool",
    "AIMessageChunk": "assistant",
    "HumanMessageChunk": "user",
    "SystemMessageChunk": "system",
    "ToolMessageChunk": "tool",
    "FunctionMessageChunk": "tool",
}
"""What LangChain says in `type` where others have a `role`."""

ROLES: Final[Mapping[str, Role]] = {
    **LANGCHAIN_ROLES,
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "model": "assistant",
    "SystemMessage": "system",
    "HumanMessage": "user",
    "AIMessage": "assistant",
    "ToolMessage": "tool",
    "FunctionMessage": "tool",
}
"""The same, what a `role` means, and the names of LangChain's classes."""

CONTENTS: Final = ("content", "parts", "text", "output", "refusal", "input_text", "output_text")
"""Where a message or a block may have its text; the first that is there counts."""

CALLS: Final = frozenset(("tool_use", "server_tool_use", "mcp_tool_use", "tool_call"))
"""Blocks in a message that call a tool."""

CALL_ITEMS: Final = frozenset(("function_call", "mcp_call"))
"""Items of OpenAI's responses that do."""

RESULTS: Final = frozenset(("tool_result", "function_call_output", "mcp_tool_result", "web_search_tool_result"))
"""Blocks in a message that hold what a tool said."""

SIGNED: Final = frozenset(("thinking", "redacted_thinking", "reasoning"))
"""Reasoning that must come back as it was."""

BASE64: Final = frozenset(("base64", "image", "audio", "video", "input_audio"))
"""Media that travel in base64."""

MEDIA: Final = BASE64 | frozenset(
    (
        *("image_url", "input_image", "file", "input_file", "document", "media", "container_upload"),
        *("inline_data", "inlineData", "file_data", "fileData"),
    )
)
"""The same, and media that are named or that may be texts."""

_WITH_ROLE: Final = "chat"
"""What LangChain says in `type` of a message that has a `role`."""

_MIMES: Final = ("image/", "audio/", "video/", "application/pdf", "application/octet-stream")
_DATA_URL_HEAD: Final = 256


def attributes(value: Any) -> dict[str, Any] | None:
    """The attributes of a message object; None when it is none."""
    if isinstance(value, type):
        return None
    found = getattr(value, "__dict__", None)
    if type(found) is dict and ("content" in found or hasattr(type(value), "model_copy")):
        return found
    return None


def unwrapped(fields: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The fields of a message that LangChain wrote down: within `kwargs` or `data`. Other fields as they stand."""
    kwargs, id = fields.get("kwargs"), fields.get("id")
    is_bare = "content" not in fields
    if isinstance(kwargs, dict) and ((isinstance(id, list) and id) or (is_bare and "content" in kwargs)):
        return _typed(kwargs, id[-1] if isinstance(id, list) and id else None)
    data, kind = fields.get("data"), kind_of(fields)
    if isinstance(data, dict) and is_bare and "content" in data and (kind in ROLES or kind == _WITH_ROLE):
        return _typed(data, kind)
    return fields


def _typed(fields: dict[Any, Any], kind: object) -> dict[Any, Any]:
    return {**fields, "type": kind} if isinstance(kind, str) and kind in ROLES else fields


def kind_of(fields: Mapping[Any, Any]) -> str:
    """What a message or a block says in `type`; empty when it doesn't."""
    kind = fields.get("type")
    return kind if isinstance(kind, str) else ""


def is_message(value: Mapping[Any, Any]) -> bool:
    """A dict that is a message wherever it stands. Told by what offloading never changes."""
    if "role" in value and ("content" in value or "tool_calls" in value or "parts" in value):
        return True
    return kind_of(value) in LANGCHAIN_ROLES and "content" in value


def speaker_of(fields: Mapping[Any, Any]) -> str:
    """Who speaks in these fields, as they name it; empty when they don't say."""
    role = fields.get("role")
    if isinstance(role, str):
        return role
    kind = kind_of(fields)
    if kind == "function" and "function" in fields:  # a call, which the model wrote
        return ""
    return "tool" if kind in RESULTS else LANGCHAIN_ROLES.get(kind, "")


def is_medium(fields: Mapping[Any, Any]) -> bool:
    """Is it a medium whose data, if it has any, are base64?"""
    if kind_of(fields) in BASE64 or ("format" in fields and "data" in fields):
        return True
    return any(
        isinstance(mime, str) and mime.startswith(_MIMES)
        for mime in (fields.get("media_type"), fields.get("mime_type"), fields.get("mimeType"))
    )


def is_data_url(text: str | bytes) -> bool:
    """Is it a URL that holds a medium?"""
    return isinstance(text, str) and text.startswith("data:") and ";base64," in text[:_DATA_URL_HEAD]
