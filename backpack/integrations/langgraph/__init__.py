"""LangGraph on a Backpack. It needs the extra `langgraph`: `pip install 'backpack-state[langgraph]'`."""

from backpack.integrations.langgraph.store import BackpackStore

__all__ = ["BackpackStore"]
