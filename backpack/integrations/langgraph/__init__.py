"""LangGraph on a Backpack. It needs the extra `langgraph`: `pip install 'backpack-state[langgraph]'`."""

try:
    import langgraph.checkpoint.base  # noqa: F401
except ImportError as error:
    raise ModuleNotFoundError(
        "what is for LangGraph needs the package langgraph: pip install 'backpack-state[langgraph]'",
        name="langgraph",
    ) from error

from backpack.integrations.langgraph.retention import Retention
from backpack.integrations.langgraph.saver import BackpackSaver
from backpack.integrations.langgraph.store import BackpackStore

__all__ = ["BackpackSaver", "BackpackStore", "Retention"]
