"""Messages as they go to a model: without `memory_refs`, which strict APIs refuse as a field that they don't know."""

from collections.abc import Callable
from typing import Any

from backpack.memory.messages import ABSENT, rewrite


def for_model(value: Any) -> Any:
    """A copy of a message, or of any value with messages in it, whose messages have no `memory_refs`."""
    return rewrite(value, _Sending())


class _Sending:
    """Texts stay, references go."""

    __slots__ = ()

    def begin(self, refs: Any) -> None:
        return None

    def text(self, text: str | bytes, field: str, role: str, scope: None) -> str | bytes:
        return text

    def payload(self, value: Any, rewritten: Callable[[], Any], role: str, scope: None) -> Any:
        return rewritten()

    def end(self, scope: None) -> Any:
        return ABSENT
