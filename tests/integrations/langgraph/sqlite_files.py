"""Files of the real SqliteSaver for the tests."""

import operator
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict


class State(TypedDict):
    """A conversation, and a document that stays."""

    messages: Annotated[list[Any], operator.add]
    document: str
    turn: int


def talk(saver: Any, threads: tuple[str, ...] = ("rome", "oslo"), turns: int = 5) -> None:
    """A conversation of so many turns on each thread."""

    def node(state: State) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": f"turn {state['turn']}"}], "turn": state["turn"] + 1}

    builder = StateGraph(State)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    builder.add_conditional_edges("node", lambda state: "node" if state["turn"] < turns else END, ["node", END])
    graph = builder.compile(checkpointer=saver)
    for thread in threads:
        first = {"messages": [], "document": f"{thread} " * 200, "turn": 0}
        graph.invoke(first, {"configurable": {"thread_id": thread}, "recursion_limit": turns + 10})


def made(path: Path, **options: Any) -> str:
    """A file with conversations, closed."""
    with SqliteSaver.from_conn_string(str(path)) as saver:
        talk(saver, **options)
    return str(path)


@contextmanager
def changed(path: Path) -> Iterator[sqlite3.Connection]:
    """The file as somebody else changes it."""
    connection = sqlite3.connect(path)
    try:
        yield connection
        connection.commit()
    finally:
        connection.close()
