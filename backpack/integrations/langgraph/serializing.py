"""The serializer that a saver has when it is given none: LangGraph's own, strict, which says what it left out.

LangGraph tells listeners of each class that it did not build. Those tell of every serializer in the process, so a mark
of the thread says whether ours is at work. Cost: two assignments a value that is read.
"""

import logging
import threading
from collections.abc import Iterable
from typing import Any, Final

from langgraph.checkpoint.serde.event_hooks import SerdeEvent, register_serde_event_listener
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from backpack.errors import InvalidArgumentError
from backpack.store.names import checked_list

_log: Final = logging.getLogger(__name__)

_BLOCKED: Final = "msgpack_blocked"
_TOLD_MAX: Final = 1_000
_NAME_SHOWN_MAX: Final = 200


def checked_types(what: str, types: Iterable[type | tuple[str, ...]]) -> tuple[type | tuple[str, ...], ...]:
    """Classes, or their modules and names; `InvalidArgumentError` for anything else."""
    found = checked_list(what, types)
    for one in found:
        is_named = isinstance(one, tuple) and len(one) >= 2 and all(isinstance(part, str) for part in one)
        if not isinstance(one, type) and not is_named:
            raise InvalidArgumentError(f"{what} has classes, or (module, name): type={type(one).__name__}")
    return found


class StrictSerializer(JsonPlusSerializer):
    """Builds what LangGraph knows as safe and what is allowed; all else comes back as plain data, told once a class."""

    def __init__(self, allowed_types: Iterable[type | tuple[str, ...]] = ()) -> None:
        super().__init__(allowed_msgpack_modules=tuple(allowed_types) or None)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value. Raises what the serializer of LangGraph raises."""
        _at_work.is_ours = True
        try:
            return super().loads_typed(data)
        finally:
            _at_work.is_ours = False


class _AtWork(threading.local):
    is_ours = False


_at_work: Final = _AtWork()
_told: Final[set[tuple[str, str]]] = set()


def _tell(event: SerdeEvent) -> None:
    name = (event["module"], event["name"])
    if event["kind"] != _BLOCKED or not _at_work.is_ours or name in _told or len(_told) >= _TOLD_MAX:
        return
    _told.add(name)
    shown = repr(name)
    if len(shown) > _NAME_SHOWN_MAX:
        shown = f"{shown[:_NAME_SHOWN_MAX]}..."
    _log.warning(
        "a class of a checkpoint is not allowed and came back as plain data; to have it built: "
        "BackpackSaver(..., allowed_types=[%s])",
        shown,
    )


register_serde_event_listener(_tell)
