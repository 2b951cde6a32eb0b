"""Messages as a store can keep them: the dicts that they are, and back again in the shape in which they came.

A dict of OpenAI's or Anthropic's shape is kept as it stands, unknown fields and all. An object of their SDKs (anything
with `model_dump`) becomes its dict, also where it stands within one; these APIs take dicts as readily. A message of
LangChain becomes the dict of its fields and comes out as an object: `langchain.py` does both.

In which shape a message came is said beside it and never in it, so a dict of the user's is always just that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backpack.codec import pack_value, unpack_value
from backpack.context.message import view
from backpack.errors import InvalidArgumentError, UnstorableValueError
from backpack.limits import VALUE_DEPTH_MAX

PLAIN, LANGCHAIN = 0, 1
"""The kinds of messages: dicts, and objects of LangChain. Stored as numbers; new ones go to the end."""

SYSTEM, USER, ASSISTANT, TOOL = range(4)
"""Who speaks, as it is stored."""

ROLES: Final = ("system", "user", "assistant", "tool")
"""The same, in words."""

_DEPTH: Final = 1
"""A message stands within a list."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A message on its way in: its bytes, what they say, its kind, and who speaks."""

    value: Any
    """Nobody else's: the caller may write on in his own."""
    packed: bytes
    kind: int
    role: int


def stored(message: Any) -> Stored:
    """A message as it is kept. O(its size); the message is not changed, and packed once: its bytes are what counts.

    `InvalidArgumentError` for what is no message, `UnstorableValueError` for one in which something can't be stored.
    """
    kind = PLAIN
    if type(message) is dict:
        value = message
    elif _is_langchain(message):
        from backpack.context import langchain  # whoever has such an object has its package

        kind, value = LANGCHAIN, langchain.fields_of(message)
    else:
        value = plain(message)
    if type(value) is not dict or not any(isinstance(value.get(name), str) for name in ("role", "type")):
        raise InvalidArgumentError(
            f"no message: type={type(message).__name__}; a message is a dict with a role, an object of an SDK with "
            "model_dump(), or a message of LangChain"
        )
    try:
        packed = pack_value(value, _DEPTH)
    except UnstorableValueError:
        value = plain(value)
        packed = pack_value(value, _DEPTH)
    value = unpack_value(packed)
    return Stored(value, packed, kind, role_of(value))


def restored(value: Any, kind: int) -> Any:
    """The message in the shape in which it came. The value is the caller's own, and may become part of it."""
    if kind == PLAIN:
        return value
    from backpack.context import langchain

    return langchain.message_of(value)


def role_of(value: Any) -> int:
    """Who speaks in a stored message. O(its text)."""
    return ROLES.index(view(value).role)


def plain(value: Any, room: int = VALUE_DEPTH_MAX) -> Any:
    """A copy of a value in which objects with `model_dump` are their dicts, and subclasses of builtins are these.

    What is neither stays, for the store to refuse it with its path.
    """
    if room <= 0 or value is None or type(value) in (str, int, float, bool, bytes):
        return value
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        return plain(dump(exclude_none=True), room - 1)
    if isinstance(value, Mapping):
        return {plain(key, room - 1): plain(item, room - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, room - 1) for item in value]
    if type(value) is tuple:
        return tuple(plain(item, room - 1) for item in value)
    if isinstance(value, str):
        return str.__str__(value)
    return value


def _is_langchain(message: Any) -> bool:
    return any(
        base.__name__ == "BaseMessage" and base.__module__.partition(".")[0] == "langchain_core"
        for base in type(message).__mro__
    )
