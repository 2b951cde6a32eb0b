"""Messages of LangChain as dicts of their fields, and back: the one file that imports langchain-core.

A dict of fields has `type` among them, which names one of the classes that langchain-core builds from dicts; a subclass
of the user's comes back as the class of langchain-core that it extends. No class is found by a name in stored bytes:
`messages_from_dict` knows a fixed list.
"""

from typing import Any

from backpack.errors import CorruptionError, InvalidArgumentError, MissingExtraError

try:
    from langchain_core.messages import BaseMessage, messages_from_dict
except ModuleNotFoundError as missing:
    raise MissingExtraError(
        "messages of LangChain need langchain-core: pip install 'backpack-state[langchain]'", extra="langchain"
    ) from missing


def fields_of(message: Any) -> dict[str, Any]:
    """The fields of a message of LangChain, `type` included."""
    assert isinstance(message, BaseMessage)
    fields = dict(message.model_dump())
    try:
        message_of(dict(fields))
    except CorruptionError:
        is_known = False
    else:
        is_known = True
    if not is_known:
        raise InvalidArgumentError(
            f"a kind of message that langchain-core can't build from its fields: type={type(message).__name__}"
        )
    return fields


def message_of(fields: Any) -> Any:
    """The message of these fields; `CorruptionError` when they are of none."""
    if isinstance(fields, dict) and isinstance(fields.get("type"), str):
        try:
            return messages_from_dict([{"type": fields["type"], "data": fields}])[0]
        except Exception as error:  # pydantic's, of fields that no message has
            fault = type(error).__name__
    else:
        fault = "no type"
    raise CorruptionError(f"stored fields are of no message of LangChain: fault={fault}")
