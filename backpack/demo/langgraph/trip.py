"""The agent of the demo: it plans a trip day by day, has hotels priced in parallel, and asks before it books.

Its nodes are rules instead of a model, so that two runs are equal to the letter and can be compared.

    START -> plan_day -> plan_day -> ... -> (price, price, price) -> book -> END
                                              in parallel            asks first
"""

import operator
from collections.abc import Callable
from typing import Annotated, Any, Final

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Send, interrupt
from typing_extensions import TypedDict

DAYS: Final = 60
GUIDE_SIZE: Final = 200_000
_DAY_SIZE: Final = 1_000
_HOTELS: Final = {"Aurora": 310, "Bella": 290, "Corso": 340}
_SIGHTS: Final = ("forum", "market", "gallery", "river walk", "old harbour", "hill church", "print museum", "baths")
_STEPS_BESIDE: Final = 10
"""More than the steps of a run that plan no day."""


class Trip(TypedDict):
    """The state."""

    messages: Annotated[list[AnyMessage], add_messages]
    guide: str
    wish: str
    day: int
    offers: Annotated[list[dict[str, Any]], operator.add]
    booked: str


class Asked(TypedDict):
    """What is asked of a hotel."""

    hotel: str
    wish: str


def first_state() -> dict[str, Any]:
    """What a run begins with: a question, and a guidebook that stays as it is."""
    question = HumanMessage("Sixty days in Rome, please.", id="question")
    return {"messages": [question], "guide": _guide(), "wish": "sights", "day": 0, "offers": [], "booked": ""}


def config_of(thread: str) -> Any:
    """How a run on that thread is called."""
    return {"configurable": {"thread_id": thread}, "recursion_limit": DAYS + _STEPS_BESIDE}


def trip_graph(saver: Any, on_day: Callable[[int], None] = lambda _: None) -> Any:
    """The agent on a saver; `on_day` is called when it begins to plan a day."""

    def plan_day(state: Trip) -> dict[str, Any]:
        day = state["day"] + 1
        on_day(day)
        return {"messages": [AIMessage(_day(day, state["wish"]), id=f"day-{state['wish']}-{day}")], "day": day}

    def next_step(state: Trip) -> str | list[Send]:
        if state["day"] < DAYS:
            return "plan_day"
        return [Send("price", {"hotel": hotel, "wish": state["wish"]}) for hotel in _HOTELS]

    def price(asked: Asked) -> dict[str, Any]:
        rest = 60 if asked["wish"] == "rest" and asked["hotel"] == "Corso" else 0  # a week there is cheaper
        return {"offers": [{"hotel": asked["hotel"], "price": _HOTELS[asked["hotel"]] - rest}]}

    def book(state: Trip) -> dict[str, Any]:
        best = min(state["offers"], key=operator.itemgetter("price"))
        answer = interrupt(f"book {best['hotel']} for {best['price']}?")
        return {"booked": best["hotel"] if answer == "yes" else "nothing"}

    builder = StateGraph(Trip)
    builder.add_node("plan_day", plan_day)
    builder.add_node("price", price, input_schema=Asked)  # type: ignore[arg-type]
    builder.add_node("book", book)
    builder.add_edge(START, "plan_day")
    builder.add_conditional_edges("plan_day", next_step, ["plan_day", "price"])
    builder.add_edge("price", "book")
    builder.add_edge("book", END)
    return builder.compile(checkpointer=saver)


def _day(day: int, wish: str) -> str:
    """What is planned for a day, in about 1 KB."""
    places = [_SIGHTS[(day * (number + 3) + number) % len(_SIGHTS)] for number in range(3)]
    plan = f"Day {day}, for {wish}: the {places[0]} early, then the {places[1]}, and the {places[2]} before dinner. "
    notes = (
        f"{hour}:00 {_SIGHTS[(day * hour + hour) % len(_SIGHTS)]} ({day * hour % 89} min walk). "
        for hour in range(8, 40)
    )
    return (plan + "".join(notes))[:_DAY_SIZE]


def _guide() -> str:
    """A text of 200 KB, no part of it like another."""
    lines = (
        f"{number}. The {_SIGHTS[number % len(_SIGHTS)]}, room {number * 7919 % 9973}: see {number * 104729 % 99991}.\n"
        for number in range(10_000)
    )
    return "".join(lines)[:GUIDE_SIZE]
