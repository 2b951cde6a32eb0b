"""Small graphs of every kind, and what can be compared of their states: ids and versions are chance."""

import operator
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Send, StateSnapshot, interrupt

Saver = BaseCheckpointSaver[Any]
Graph = CompiledStateGraph[Any, Any, Any, Any]
Make = Callable[[Saver], Graph]
Config = dict[str, Any]


class Talk(TypedDict, total=False):
    messages: Annotated[list[BaseMessage], add_messages]
    notes: Annotated[list[str], operator.add]
    document: str
    count: int


class Part(TypedDict):
    item: int


def config_of(thread: str = "t1", **named: Any) -> Config:
    return {"configurable": {"thread_id": thread, **named}, "recursion_limit": 1_000}


def conversation(saver: Saver, turns: int = 6) -> Graph:
    """A model and a person, some turns; the model edits a document."""

    def model(state: Talk) -> dict[str, Any]:
        count = state.get("count", 0) + 1
        text = f"answer {count} " * 20
        return {"messages": [AIMessage(text, id=f"a{count}")], "count": count, "notes": [f"note {count}"]}

    def person(state: Talk) -> dict[str, Any]:
        document = state.get("document", "")
        edited = document[:500] + f"<edit {state['count']}>" + document[500:]
        return {"messages": [HumanMessage("and " * 30, id=f"h{state['count']}")], "document": edited}

    builder = StateGraph(Talk)
    builder.add_node("model", model)
    builder.add_node("person", person)
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", lambda state: END if state["count"] >= turns else "person")
    builder.add_edge("person", "model")
    return builder.compile(checkpointer=saver)


def forgetting(saver: Saver) -> Graph:
    """Keeps a window of the last messages, as those that trim do."""

    def work(state: Talk) -> dict[str, Any]:
        count = state.get("count", 0) + 1
        removed = [RemoveMessage(id=str(one.id)) for one in state.get("messages", [])[:-4]]
        return {"messages": [*removed, AIMessage(f"{count} " * 60, id=f"a{count}")], "count": count}

    builder = StateGraph(Talk)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    builder.add_conditional_edges("work", lambda state: END if state["count"] >= 12 else "work")
    return builder.compile(checkpointer=saver)


def asking(saver: Saver) -> Graph:
    """Two nodes side by side, one of which asks a person, twice; then one that joins."""

    def ask(state: Talk) -> dict[str, Any]:
        name = interrupt({"question": "name?"})
        age = interrupt({"question": "age?"})
        return {"notes": [f"{name} is {age}"]}

    def other(state: Talk) -> dict[str, Any]:
        return {"notes": ["other"]}

    def join(state: Talk) -> dict[str, Any]:
        return {"notes": ["joined"]}

    builder = StateGraph(Talk)
    builder.add_node("ask", ask)
    builder.add_node("other", other)
    builder.add_node("join", join)
    builder.add_edge(START, "ask")
    builder.add_edge(START, "other")
    builder.add_edge(["ask", "other"], "join")
    return builder.compile(checkpointer=saver)


def sending(saver: Saver) -> Graph:
    """Fans out by `Send`, and some of what it sends to goes on by a `Command`."""

    def spread(state: Talk) -> list[Send]:
        return [Send("work", {"item": number}) for number in range(5)]

    def work(state: Part) -> Command[Any]:
        return Command(update={"notes": [f"item {state['item']} " * 10]}, goto="last")

    def last(state: Talk) -> dict[str, Any]:
        return {"count": len(state["notes"])}

    builder = StateGraph(Talk)
    builder.add_node("start", lambda state: {"count": 0})
    builder.add_node("work", work, destinations=("last",))
    builder.add_node("last", last)
    builder.add_edge(START, "start")
    builder.add_conditional_edges("start", spread, ["work"])
    return builder.compile(checkpointer=saver)


def nesting(saver: Saver) -> Graph:
    """A graph within a graph within a graph; the innermost asks."""

    def ask(state: Talk) -> dict[str, Any]:
        return {"notes": [f"inner {interrupt('go on?')}"]}

    inner = StateGraph(Talk)
    inner.add_node("before", lambda state: {"notes": ["before"]})
    inner.add_node("ask", ask)
    inner.add_edge(START, "before")
    inner.add_edge("before", "ask")
    middle = StateGraph(Talk)
    middle.add_node("inner", inner.compile())
    middle.add_node("after", lambda state: {"count": state.get("count", 0) + 1})
    middle.add_edge(START, "inner")
    middle.add_edge("inner", "after")
    outer = StateGraph(Talk)
    outer.add_node("first", lambda state: {"messages": [HumanMessage("hello", id="h0")]})
    outer.add_node("middle", middle.compile())
    outer.add_edge(START, "first")
    outer.add_edge("first", "middle")
    return outer.compile(checkpointer=saver)


def calling(saver: Saver) -> tuple[Graph, list[str]]:
    """A node that calls a graph which asks, so that its checkpoints are a namespace by itself; and what ran in that."""
    ran = []

    def before(state: Talk) -> dict[str, Any]:
        ran.append("before")
        return {"notes": ["asked"]}

    inner = StateGraph(Talk)
    inner.add_node("before", before)
    inner.add_node("ask", lambda state: {"notes": [interrupt("?")]})
    inner.add_edge(START, "before")
    inner.add_edge("before", "ask")
    called = inner.compile()

    def call(state: Talk) -> dict[str, Any]:
        return {"notes": [", ".join(called.invoke({"notes": []})["notes"])]}

    outer = StateGraph(Talk)
    outer.add_node("call", call)
    outer.add_edge(START, "call")
    return outer.compile(checkpointer=saver), ran


def _added(state: list[str], writes: list[list[str]]) -> list[str]:
    return [*(state or []), *(one for write in writes for one in write)]


class Deltas(TypedDict, total=False):
    log: Annotated[list[str], DeltaChannel(_added, snapshot_frequency=7)]
    seldom: Annotated[list[str], DeltaChannel(_added)]
    count: int


def deltas(saver: Saver, turns: int = 20) -> Graph:
    """Channels of which checkpoints have no value."""

    def work(state: Deltas) -> dict[str, Any]:
        count = state.get("count", 0) + 1
        update = {"log": [f"line {count} " * 10], "count": count}
        return {**update, "seldom": [f"seldom {count}"]} if count % 6 == 0 else update

    def beside(state: Deltas) -> dict[str, Any]:
        return {"log": [f"beside {state.get('count', 0)}"]}

    builder = StateGraph(Deltas)
    builder.add_node("work", work)
    builder.add_node("beside", beside)
    builder.add_edge(START, "work")
    builder.add_edge(START, "beside")
    builder.add_conditional_edges("work", lambda state: END if state["count"] >= turns else ["work", "beside"])
    return builder.compile(checkpointer=saver)


ALL: dict[str, Make] = {
    "conversation": conversation,
    "forgetting": forgetting,
    "asking": asking,
    "sending": sending,
    "nesting": nesting,
    "deltas": deltas,
}

INPUTS: dict[str, dict[str, Any]] = {
    "conversation": {"messages": [HumanMessage("hi", id="h0")], "document": "word " * 2_000},
    "forgetting": {"messages": [HumanMessage("hi", id="h0")]},
    "asking": {"notes": ["begin"]},
    "sending": {"notes": ["begin"]},
    "nesting": {"notes": ["begin"]},
    "deltas": {"log": ["begin"]},
}


def comparable(snapshot: StateSnapshot) -> dict[str, Any]:
    """All of a state that is no chance."""
    metadata = dict(snapshot.metadata or {})
    metadata.pop("parents", None)
    return {
        "values": snapshot.values,
        "next": snapshot.next,
        "metadata": metadata,
        "has parent": snapshot.parent_config is not None,
        "interrupts": [one.value for one in snapshot.interrupts],
        "tasks": [
            (task.name, task.path, task.result, [one.value for one in task.interrupts], type(task.state).__name__)
            for task in snapshot.tasks
        ],
    }


def states(graph: Graph, config: Config) -> list[dict[str, Any]]:
    """The whole history of a thread, the newest first, and the newest state with those of its subgraphs."""
    newest = graph.get_state(config, subgraphs=True)
    nested = [comparable(task.state) | {"depth": 1} for task in newest.tasks if isinstance(task.state, StateSnapshot)]
    return [comparable(newest), *nested, *map(comparable, graph.get_state_history(config))]
