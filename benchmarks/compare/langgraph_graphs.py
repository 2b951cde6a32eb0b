"""A LangGraph agent without a model: a document in its state, and a conversation that grows by one message a step.

The same graph runs on any saver. Its messages are texts of random words from a fixed seed, so that no store gains by
compressing what a real conversation would not repeat.
"""

import operator
import random
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

try:
    from langgraph.channels.delta import DeltaChannel
    from langgraph.checkpoint.base.id import uuid6
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.graph import END, START, StateGraph
    from typing_extensions import TypedDict
except ImportError:
    is_installed = False
else:
    is_installed = True

MESSAGE_SIZE: Final = 1_000
DOCUMENT_SIZE: Final = 200_000
CONFIG: Final[dict[str, Any]] = {"configurable": {"thread_id": "trip"}}


def text(seed: int, size: int) -> str:
    """Random words, exactly so many characters."""
    chance = random.Random(seed)
    letters = chance.choices("etaoinshrdlucmfwyp", k=size)
    for at in range(5, size, 6):
        letters[at] = " "
    return "".join(letters)


def conversation(
    saver: Any, steps: int, *, is_delta: bool = False, told: Callable[[int], None] = lambda _: None
) -> Any:
    """The graph, compiled: START -> talk -> talk -> ... -> END after so many steps. `told` hears when one begins."""
    channel: Any = DeltaChannel(_all) if is_delta else operator.add

    class State(TypedDict):
        messages: Annotated[list[Any], channel]
        document: str
        turn: int

    def talk(state: State) -> dict[str, Any]:
        turn = state["turn"]
        told(turn)
        return {"messages": [{"role": "user", "content": text(turn, MESSAGE_SIZE)}], "turn": turn + 1}

    def more(state: State) -> str:
        return "talk" if state["turn"] < steps else END

    builder = StateGraph(State)
    builder.add_node("talk", talk)
    builder.add_edge(START, "talk")
    builder.add_conditional_edges("talk", more, ["talk", END])
    return builder.compile(checkpointer=saver)


def converse(saver: Any, steps: int, *, is_delta: bool = False, document: int = DOCUMENT_SIZE) -> Any:
    """Run the graph to its end; the graph."""
    graph = conversation(saver, steps, is_delta=is_delta)
    graph.invoke(*first(steps, document=document))
    return graph


def first(steps: int, *, document: int = DOCUMENT_SIZE) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a run of so many steps is called with: input and config."""
    return {"messages": [], "document": text(-1, document), "turn": 0}, {**CONFIG, "recursion_limit": steps + 10}


def _all(state: list[Any], writes: list[list[Any]]) -> list[Any]:
    """The reducer of a `DeltaChannel`: one state and many writes."""
    return [*state, *(message for write in writes for message in write)]


def stored_in_memory(saver: "InMemorySaver") -> int:
    """Bytes of the serialized values that an InMemorySaver keeps."""
    blobs = sum(len(data) for _, data in saver.blobs.values())
    writes = sum(len(value[2][1]) for group in saver.writes.values() for value in group.values())
    rows = sum(
        len(checkpoint[1]) + len(metadata[1])
        for namespaces in saver.storage.values()
        for rows in namespaces.values()
        for checkpoint, metadata, _ in rows.values()
    )
    return blobs + writes + rows


def typed_values(saver: "InMemorySaver") -> list[tuple[str, bytes]]:
    """What the history of the thread is made of in serialized form, checkpoint by checkpoint, newest first."""
    thread = CONFIG["configurable"]["thread_id"]
    found: list[tuple[str, bytes]] = []
    for name, (checkpoint, metadata, _) in sorted(saver.storage[thread][""].items(), reverse=True):
        found += [checkpoint, metadata, *(value[2] for value in saver.writes[(thread, "", name)].values())]
        versions = saver.serde.loads_typed(checkpoint)["channel_versions"]
        blobs = (saver.blobs.get((thread, "", channel, version)) for channel, version in versions.items())
        found += [blob for blob in blobs if blob is not None and blob[0] != "empty"]
    return found


def fill(saver: Any, count: int) -> None:
    """A thread with so many checkpoints of a small state, put as the loop puts them."""
    config: Any = {"configurable": {**CONFIG["configurable"], "checkpoint_ns": ""}}
    version: Any = None
    for step in range(count):
        version = saver.get_next_version(version, None)
        checkpoint: Any = {
            "v": 4,
            "ts": "2026-11-21T12:00:00+00:00",
            "id": str(uuid6(clock_seq=step)),
            "channel_values": {"turn": step},
            "channel_versions": {"turn": version},
            "versions_seen": {"talk": {"turn": version}},
            "updated_channels": ["turn"],
        }
        config = saver.put(config, checkpoint, {"source": "loop", "step": step, "parents": {}}, {"turn": version})


def stored_by_sqlite(path: Path) -> int:
    """Bytes of the file of a SqliteSaver and of its log."""
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
