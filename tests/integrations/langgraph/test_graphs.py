"""Real graphs: whatever is done with one, it has the states that it has with LangGraph's saver in memory."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from backpack import Backpack
from backpack.integrations.langgraph import BackpackSaver

from .graphs import ALL, INPUTS, Config, Graph, Saver, comparable, config_of, states

Opened = Callable[[], BackpackSaver]


@pytest.fixture(params=["memory", "disk"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """Makes a saver; on disk it closes the one before and opens the same store again."""
    bp = Backpack()
    before: list[BackpackSaver] = []

    def reopened() -> BackpackSaver:
        if request.param == "memory":
            return BackpackSaver(bp)
        for saver in before:
            saver.close()
        before[:] = [BackpackSaver(tmp_path / "store")]
        return before[0]

    yield reopened
    for saver in before:
        saver.bp._check()
        saver.close()


def finished(graph: Graph, config: Config, **how: Any) -> None:
    """Answer whatever a graph asks until it is done."""
    answers = count()
    while graph.get_state(config).next:
        waits = any(task.interrupts for task in graph.get_state(config).tasks)
        graph.invoke(Command(resume=f"answer {next(answers)}") if waits else None, config, **how)


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("name", ALL)
def test_a_run_has_the_states_that_the_saver_in_memory_has(opened: Opened, name: str, durability: Any) -> None:
    outcomes = []
    for saver in (InMemorySaver(), opened()):
        graph = ALL[name](saver)
        graph.invoke(INPUTS[name], config_of(), durability=durability)
        finished(graph, config_of(), durability=durability)
        outcomes.append(states(graph, config_of()))
    assert outcomes[1] == outcomes[0]
    assert len(outcomes[0]) > (1 if durability == "exit" else 4)


@pytest.mark.parametrize("name", ALL)
def test_a_run_goes_on_where_it_was_when_the_store_was_closed(opened: Opened, name: str) -> None:
    def run(next_saver: Callable[[], Saver]) -> list[dict[str, Any]]:
        graph = ALL[name](next_saver())
        stream = graph.stream(INPUTS[name], config_of(), durability="sync", stream_mode="values")
        for _ in range(2):  # between two steps the process is gone
            next(stream, None)
        stream.close()
        graph = ALL[name](next_saver())
        finished(graph, config_of())
        graph = ALL[name](next_saver())
        return states(graph, config_of())

    reference = InMemorySaver()
    assert run(opened) == run(lambda: reference)


@pytest.mark.parametrize("name", ALL)
def test_an_older_state_is_gone_back_to_and_forked(opened: Opened, name: str) -> None:
    def run(saver: Saver, reopened: Callable[[], Saver]) -> list[Any]:
        graph = ALL[name](saver)
        graph.invoke(INPUTS[name], config_of())
        finished(graph, config_of())
        history = list(graph.get_state_history(config_of()))
        old = history[len(history) // 2]
        seen = [comparable(graph.get_state(old.config))]
        key, node = ("log", "work") if name == "deltas" else ("notes", None)
        forked = graph.update_state(old.config, {key: ["forked"]}, as_node=node)
        seen.append(comparable(graph.get_state(forked)))
        graph = ALL[name](reopened())
        graph.invoke(None, forked)
        finished(graph, config_of())
        graph.invoke(None, history[-3].config)  # replayed from there
        finished(graph, config_of())
        seen.append(comparable(graph.get_state(old.config)))
        return [*seen, *states(graph, config_of())]

    reference = InMemorySaver()
    assert run(opened(), opened) == run(reference, lambda: reference)


@pytest.mark.parametrize("name", ALL)
def test_tasks_of_asyncio_see_the_same(opened: Opened, name: str) -> None:
    async def run(saver: Saver) -> list[Any]:
        graph = ALL[name](saver)
        config = config_of()
        streamed = [sorted(update) async for update in graph.astream(INPUTS[name], config, stream_mode="updates")]
        answers = count()
        while (state := await graph.aget_state(config)).next:
            waits = any(task.interrupts for task in state.tasks)
            await graph.ainvoke(Command(resume=f"answer {next(answers)}") if waits else None, config)
        history = [comparable(state) async for state in graph.aget_state_history(config)]
        return [sorted(streamed), *history]

    assert asyncio.run(run(opened())) == asyncio.run(run(InMemorySaver()))


def test_threads_of_many_tasks_and_threads_stay_apart(opened: Opened) -> None:
    saver = opened()
    graph = ALL["conversation"](saver)

    async def one(number: int) -> None:
        config = config_of(f"thread {number}")
        if number % 2:
            await graph.ainvoke(INPUTS["conversation"], config)
        else:
            await asyncio.to_thread(graph.invoke, INPUTS["conversation"], config)

    async def all_of_them() -> None:
        await asyncio.gather(*(one(number) for number in range(8)))

    asyncio.run(all_of_them())
    reference = ALL["conversation"](InMemorySaver())
    reference.invoke(INPUTS["conversation"], config_of())
    expected = states(reference, config_of())
    for number in range(8):
        assert states(graph, config_of(f"thread {number}")) == expected
    assert sorted({one.config["configurable"]["thread_id"] for one in saver.list(None)}) == [
        f"thread {number}" for number in range(8)
    ]
