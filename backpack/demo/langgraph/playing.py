"""The same calls on any saver: a trip to its end, a look back, a fork. What came of them is kept for comparing."""

from dataclasses import dataclass
from typing import Any, Final

from langgraph.types import Command

from backpack.demo.langgraph.trip import config_of, first_state, trip_graph

THREAD: Final = "rome"
FORK_DAY: Final = 10
"""The day to which the demo goes back."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of the calls."""

    asked: str
    """What the run asked before it booked."""
    ended: dict[str, Any]
    """The state in the end."""
    history: int
    """Checkpoints of the thread before it was forked."""
    back: dict[str, Any]
    """The state after the day to which it went back."""
    asked_in_fork: str
    forked: dict[str, Any]
    """The state in the end of the fork."""


def play(saver: Any, *, is_begun: bool) -> Played:
    """Begin the trip or go on with it, answer, go back to a day, fork there, answer again."""
    graph, config = trip_graph(saver), config_of(THREAD)
    asked = _question(graph.invoke(None if is_begun else first_state(), config))
    ended = graph.invoke(Command(resume="yes"), config)
    history = list(graph.get_state_history(config))
    back = next(state for state in history if state.values.get("day") == FORK_DAY)
    fork = {**config, **graph.update_state(back.config, {"wish": "rest"})}
    asked_in_fork = _question(graph.invoke(None, fork))
    forked = graph.invoke(Command(resume="yes"), config)
    return Played(asked, ended, len(history), back.values, asked_in_fork, forked)


def newest(saver: Any) -> tuple[int, int]:
    """How many checkpoints the thread has, and which day the newest one has planned."""
    config = config_of(THREAD)
    count = sum(1 for _ in saver.list(config))
    return count, trip_graph(saver).get_state(config).values["day"]


def _question(state: dict[str, Any]) -> str:
    (asked,) = state["__interrupt__"]
    return str(asked.value)
