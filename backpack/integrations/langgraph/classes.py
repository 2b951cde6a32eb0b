"""Which classes serialized values name that LangGraph's strict serializer builds only when they are allowed.

An extension of the serializer has the module and the name of its class first. They are read as text; nothing is
imported, and neither LangGraph nor the class has to be there.
"""

from typing import Any, Final

import msgpack

from backpack.integrations.langgraph.plain import SIZE_MAX
from backpack.integrations.langgraph.raw import MSGPACK

COUNT_MAX: Final = 1_000
"""More classes than this are those of a file that somebody made up."""

_DEPTH_MAX: Final = 100
_NAME_SIZE_MAX: Final = 500
_NAMING: Final = frozenset((0, 1, 2, 4, 5))
"""Constructors by one argument, by several, by name, and both kinds of pydantic models."""
_OPENED: Final = _NAMING | {3, 7}
"""And calls of a method, and snapshots, which may have others inside."""
_PASSED_MAX: Final = 200_000
_NOT_OPENED: Final = (msgpack.UnpackException, ValueError, TypeError, RecursionError, OverflowError)

_MESSAGES: Final = {
    "base": ("BaseMessage", "BaseMessageChunk"),
    "human": ("HumanMessage", "HumanMessageChunk"),
    "ai": ("AIMessage", "AIMessageChunk"),
    "system": ("SystemMessage", "SystemMessageChunk"),
    "chat": ("ChatMessage", "ChatMessageChunk"),
    "tool": ("ToolMessage", "ToolMessageChunk"),
    "function": ("FunctionMessage", "FunctionMessageChunk"),
    "modifier": ("RemoveMessage",),
}
_OTHERS: Final = {
    "datetime": ("datetime", "date", "time", "timedelta", "timezone"),
    "uuid": ("UUID",),
    "decimal": ("Decimal",),
    "builtins": ("set", "frozenset"),
    "collections": ("deque",),
    "ipaddress": ("IPv4Address", "IPv4Interface", "IPv4Network", "IPv6Address", "IPv6Interface", "IPv6Network"),
    "pathlib": ("Path", "PosixPath", "WindowsPath"),
    "pathlib._local": ("Path", "PosixPath", "WindowsPath"),
    "zoneinfo": ("ZoneInfo",),
    "re": ("compile",),
    "langchain_core.documents.base": ("Document",),
    "langgraph.types": ("Send", "TimeoutPolicy", "Interrupt", "Command", "StateSnapshot", "PregelTask", "Overwrite"),
    "langgraph.store.base": ("Item", "GetOp"),
}
BUILT_ANYWAY: Final = frozenset(
    [(f"langchain_core.messages.{module}", name) for module, names in _MESSAGES.items() for name in names]
    + [(module, name) for module, names in _OTHERS.items() for name in names]
)
"""What the strict serializer builds of itself."""


class Classes:
    """The classes that values name and that need allowing, by module and name.

    Values of a channel mostly have in them what the one before had: what was looked at is known by its hash, and not
    opened again.
    """

    __slots__ = ("_passed", "found")

    def __init__(self) -> None:
        self.found: set[tuple[str, str]] = set()
        self._passed: set[int] = set()

    def add_of(self, type_: str, data: bytes) -> None:
        """Add those of a value. Cost: O(size), once for equal parts; never raises for what the bytes say."""
        if type_ != MSGPACK or len(data) > SIZE_MAX:
            return
        try:
            self._look(data, 0)
        except _NOT_OPENED:
            return

    def _look(self, data: bytes, depth: int) -> Any:
        if depth > _DEPTH_MAX:
            raise ValueError("nested too deep")

        def extended(code: int, inner: bytes) -> None:
            mark = hash((code, inner))
            if mark in self._passed or code not in _OPENED:
                return
            named = self._look(inner, depth + 1)
            if code in _NAMING:
                self._add(named)
            if len(self._passed) >= _PASSED_MAX:
                self._passed.clear()
            self._passed.add(mark)

        return msgpack.unpackb(data, ext_hook=extended, strict_map_key=False)

    def _add(self, named: Any) -> None:
        if type(named) is not list or len(named) < 2 or len(self.found) >= COUNT_MAX:
            return
        module, name = named[:2]
        if type(module) is not str or type(name) is not str or len(module) + len(name) > _NAME_SIZE_MAX:
            return
        if (module, name) not in BUILT_ANYWAY:
            self.found.add((module, name))
