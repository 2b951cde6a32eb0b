"""What does a LangGraph agent pay for its checkpoints? (beside InMemorySaver and SqliteSaver, the same graph on each)

The agent keeps a document of 200 KB in its state and adds a message of 1 KB a step: bytes stored and time of the whole
run; reading its history; the newest state of a thread with 10,000 checkpoints; and what is left after kill -9.
"""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from backpack import Backpack
from benchmarks import harness
from benchmarks.compare import langgraph_graphs as graphs
from benchmarks.folders import new_folder, size_on_disk
from benchmarks.harness import Row, clock

if graphs.is_installed:
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.checkpoint.sqlite import SqliteSaver

    from backpack.integrations.langgraph import BackpackSaver

STEPS: Final = 400
MANY_STEPS: Final = 2_000
CHECKPOINTS: Final = 10_000
MB: Final = 1_000_000
_READS: Final = 100
_TO_BE_KILLED: Final = "--to-be-killed"
RUN: Final = "LangGraph, {steps:,} steps of 1 KB and a document"


def run(size: float = 1.0) -> list[Row]:
    """The rows of each question."""
    if not graphs.is_installed:
        return [Row("LangGraph's savers", None, "x", detail="not installed")]
    steps = harness.scaled(STEPS, size, least=6)
    rounds = harness.scaled(5, size, least=1)
    with new_folder() as folder:
        return [
            *_stored(folder, steps, harness.scaled(MANY_STEPS, size, least=12)),
            *_run_time(folder, steps, rounds),
            *_history(folder, steps, rounds),
            *_delta_history(folder, steps, rounds),
            *_newest(harness.scaled(CHECKPOINTS, size, least=20), rounds),
            _after_a_kill(folder, harness.scaled(100, size, least=5)),
        ]


# -- bytes -----------------------------------------------------------------------------------------------------


def _stored(folder: Path, steps: int, many: int) -> list[Row]:
    memory = InMemorySaver()
    graphs.converse(memory, steps)
    file = folder / "stored.db"
    with SqliteSaver.from_conn_string(str(file)) as sqlite:
        graphs.converse(sqlite, steps)
        theirs = graphs.stored_by_sqlite(file)
    detail = f"InMemorySaver {graphs.stored_in_memory(memory) / MB:,.0f} MB, SqliteSaver {theirs / MB:,.0f} MB"
    name = RUN.format(steps=steps)
    in_memory, on_disk = _ours(folder / "stored", steps)
    more_in_memory, more_on_disk = _ours(folder / "more", many)
    added = (many - steps) * graphs.MESSAGE_SIZE
    return [
        Row(f"{name}: bytes on disk", on_disk / MB, "MB", 1.2, detail=detail),
        Row(f"{name}: bytes in memory", in_memory / MB, "MB", 1.2),
        Row(
            f"{many - steps:,} steps more: growth on disk, against what is added", (more_on_disk - on_disk) / added, "x"
        ),
        Row(f"{many - steps:,} steps more: growth in memory, the same", (more_in_memory - in_memory) / added, "x"),
    ]


def _ours(path: Path, steps: int) -> tuple[int, int]:
    """Bytes of all values in memory, where nothing of a thread is ever replaced, and of the folder."""
    bp = Backpack()
    graphs.converse(BackpackSaver(bp), steps)
    usage = bp.memory_usage()
    with BackpackSaver(str(path)) as saver:
        graphs.converse(saver, steps)
    return max(usage.live_bytes, usage.history_bytes), size_on_disk(path)


# -- time ------------------------------------------------------------------------------------------------------


def _run_time(folder: Path, steps: int, rounds: int) -> list[Row]:
    number = iter(range(1_000_000))

    def timed(saver: Any) -> int:
        graph = graphs.conversation(saver, steps)
        first = graphs.first(steps)
        start = clock()
        graph.invoke(*first)
        return clock() - start

    def on_disk() -> int:
        with BackpackSaver(str(folder / f"time-{next(number)}")) as saver:
            return timed(saver)

    def in_sqlite() -> int:
        with SqliteSaver.from_conn_string(str(folder / f"time-{next(number)}.db")) as saver:
            return timed(saver)

    def in_memory() -> int:
        return timed(BackpackSaver(Backpack()))

    def in_their_memory() -> int:
        return timed(InMemorySaver())

    ours, sqlite, ours_in_memory, memory = harness.interleave([on_disk, in_sqlite, in_memory, in_their_memory], rounds)
    name = f"{RUN.format(steps=steps)}: the run"
    return [
        harness.against(f"{name}, on disk, against SqliteSaver", ours, sqlite, count=1, limit=0.4, unit="ms"),
        harness.against(
            f"{name}, in memory, against InMemorySaver", ours_in_memory, memory, count=1, limit=1.1, unit="ms"
        ),
        harness.against(f"{name}, on disk, against InMemorySaver", ours, memory, count=1, limit=1.1, unit="ms"),
    ]


# -- reading ---------------------------------------------------------------------------------------------------


def _history(folder: Path, steps: int, rounds: int) -> list[Row]:
    """All checkpoints, newest first, against deserializing the same bytes and nothing else."""
    memory = InMemorySaver()
    graphs.converse(memory, steps)
    typed, loads = graphs.typed_values(memory), memory.serde.loads_typed
    with BackpackSaver(str(folder / "history")) as saver:
        graph = graphs.converse(saver, steps)
        sides = [
            _timed(lambda: _read_all(graph)),
            _timed(lambda: list(saver.list(graphs.CONFIG))),
            _timed(lambda: [loads(value) for value in typed]),
        ]
        states, tuples, floor = harness.interleave(sides, rounds)
    name = f"get_state_history of {steps} checkpoints"
    return [
        harness.against(f"{name}, against loads_typed alone", states, floor, count=1, limit=1.3, unit="ms"),
        harness.against(f"{name}: the saver's part of it", tuples, floor, count=1, unit="ms"),
    ]


def _delta_history(folder: Path, steps: int, rounds: int) -> list[Row]:
    """The same where messages are a `DeltaChannel`, so that each state is made of the writes before it."""
    file = str(folder / "delta.db")
    with BackpackSaver(str(folder / "delta")) as saver, SqliteSaver.from_conn_string(file) as sqlite:
        ours, theirs = (graphs.converse(one, steps, is_delta=True) for one in (saver, sqlite))
        times = harness.interleave([_timed(lambda: _read_all(ours)), _timed(lambda: _read_all(theirs))], rounds)
    figure = f"get_state_history of {steps} checkpoints, DeltaChannel, against SqliteSaver"
    return [harness.against(figure, *times, count=1, limit=1 / 10, unit="ms")]


def _read_all(graph: Any) -> int:
    return sum(1 for _ in graph.get_state_history(graphs.CONFIG))


def _timed(act: Callable[[], Any]) -> Callable[[], int]:
    def timed() -> int:
        start = clock()
        act()
        return clock() - start

    return timed


# -- the newest of many ----------------------------------------------------------------------------------------


def _newest(count: int, rounds: int) -> list[Row]:
    """`get_state` of a thread with so many checkpoints, of which each round reads the newest a hundred times."""
    graph_of = {saver: graphs.conversation(saver, 0) for saver in (BackpackSaver(Backpack()), InMemorySaver())}
    for saver in graph_of:
        graphs.fill(saver, count)
    ours, theirs = harness.interleave([_timed(partial(_states, graph)) for graph in graph_of.values()], max(3, rounds))
    figure = f"get_state of the newest of {count:,} checkpoints, against InMemorySaver"
    return [harness.against(figure, ours, theirs, count=_READS, limit=1.0)]


def _states(graph: Any) -> None:
    for _ in range(_READS):
        graph.get_state(graphs.CONFIG)


# -- after kill -9 ---------------------------------------------------------------------------------------------


def _after_a_kill(folder: Path, steps: int) -> Row:
    """Checkpoints that were acknowledged to a run which was then killed, and are not there."""
    path = folder / "killed"
    run = [sys.executable, "-m", "benchmarks.bench_langgraph", _TO_BE_KILLED, str(path)]
    acknowledged = 0
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            acknowledged = int(line)
            if acknowledged == steps:
                process.kill()
    with BackpackSaver(str(path)) as saver:
        newest = saver.get_tuple(graphs.CONFIG)
    turn = -1 if newest is None else newest.checkpoint["channel_values"]["turn"]
    return Row("acknowledged steps that are gone after kill -9", max(0, acknowledged - turn), "", 0)


def _run_until_killed(path: str) -> None:
    """Say the number of each step as soon as the checkpoint of the one before is there."""
    with BackpackSaver(path) as saver:
        graph = graphs.conversation(saver, CHECKPOINTS, told=lambda turn: print(turn, flush=True))
        graph.invoke(*graphs.first(CHECKPOINTS), durability="sync")


if __name__ == "__main__":
    if sys.argv[1:2] == [_TO_BE_KILLED]:
        _run_until_killed(sys.argv[2])
    else:
        harness.main(run)
