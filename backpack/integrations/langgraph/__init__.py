"""LangGraph on a Backpack. It needs the extra `langgraph`: `pip install 'backpack-state[langgraph]'`.

Without it the command line still moves and shows what is stored: each class is loaded when it is asked for.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from backpack.integrations.langgraph.retention import Retention as Retention
    from backpack.integrations.langgraph.saver import BackpackSaver as BackpackSaver
    from backpack.integrations.langgraph.store import BackpackStore as BackpackStore

__all__ = ["BackpackSaver", "BackpackStore", "Retention"]

_HOMES: Final = {
    "BackpackSaver": "backpack.integrations.langgraph.saver",
    "BackpackStore": "backpack.integrations.langgraph.store",
    "Retention": "backpack.integrations.langgraph.retention",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if find_spec("langgraph") is None or find_spec("langgraph.checkpoint") is None:
        raise ModuleNotFoundError(
            "what is for LangGraph needs the package langgraph: pip install 'backpack-state[langgraph]'",
            name="langgraph",
        )
    return getattr(import_module(_HOMES[name]), name)
