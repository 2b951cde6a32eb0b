"""What an SDK answers, as what its API takes: the message in a response, without what only responses have.

    Anthropic   a `Message` is the message and the response at once: role and content of it are input, its id, model,
                stop reason and usage are refused there
    OpenAI      a `ChatCompletion` or a `Response` has messages and is none: the error says where they are

Only objects are looked at so. A dict is what somebody wrote, and stays as it stands.
"""

from collections.abc import Mapping
from typing import Any

from backpack.errors import InvalidArgumentError


def input_of(message: Any) -> Any:
    """What is to be added for a message: itself, or role and content of a response that is one. O(1).

    `InvalidArgumentError` for a whole response: it says what to give instead.
    """
    if _field(message, "role") is None:
        for name, instead in (
            ("choices", "its message, response.choices[0].message, with usage=response.usage"),
            ("output", "each item of response.output, the last one with usage=response.usage"),
        ):
            if isinstance(_field(message, name), list) and _field(message, "type") is None:
                raise InvalidArgumentError(
                    f"a whole response is no message: type={type(message).__name__}; give {instead}"
                )
    is_object = not isinstance(message, Mapping) and callable(getattr(message, "model_dump", None))
    if is_object and hasattr(message, "stop_reason") and _field(message, "type") == "message":
        return {"role": message.role, "content": message.content}
    return message


def _field(message: Any, name: str) -> Any:
    return message.get(name) if isinstance(message, Mapping) else getattr(message, name, None)
