"""What must stay stays, whatever the strategy and the budget."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.context.config import STRATEGIES, ContextConfig
from backpack.context.fitting import FLOORS, fit
from backpack.context.groups import groups
from backpack.context.message import View
from backpack.context.planning import plan
from backpack.context.strategy import Plan, Request
from backpack.errors import ContextOverflowError, InvalidArgumentError

from .conversations import CONVERSATIONS, calls, result, said, system, user, views_of, words

LIMIT = 100_000


def planned(messages: list[Any], limit: int = LIMIT, **settings: Any) -> Plan:
    views = views_of(messages)
    return plan(views, [words(one) for one in views], ContextConfig(**{"messages_to_keep": 2, **settings}), limit)


def talk(count: int) -> list[Any]:
    return [user(f"question {number}") if number % 2 == 0 else said(f"answer {number}") for number in range(count)]


def test_old_messages_become_one_summary() -> None:
    made = planned([system("rules"), *talk(10)], strategy="sliding_window")
    assert (made.kept, made.summarized, made.dropped) == ((0, 9, 10), tuple(range(1, 9)), ())
    assert made.strategy == "sliding_window" and made.reasons[0] == "system"


def test_the_latest_question_stays_however_old_it_is() -> None:
    messages = [user("old"), user("Is BX-1 late?"), *(said(f"step {number}") for number in range(9))]
    made = planned(messages, strategy="sliding_window")
    assert made.kept == (1, 9, 10) and made.reasons[1] == "question"


def test_a_boundary_within_a_group_keeps_the_whole_group() -> None:
    messages = [user("a"), said("b"), calls(*"12345"), *(result(id, "x") for id in "12345")]
    made = planned(messages, strategy="deletion")
    assert made.kept == (0, 2, 3, 4, 5, 6, 7) and made.dropped == (1,)
    assert made.reasons[2] == "group"


def test_identical_system_messages_stay_once() -> None:
    messages = [user("a"), system("rules"), system("rules"), system("more"), *talk(6)]
    made = planned(messages, strategy="sliding_window")
    assert made.dropped == (2,) and made.reasons[2] == "identical"


def test_system_messages_are_not_counted_among_the_last_ones() -> None:
    made = planned([*talk(6), system("a"), system("b")], strategy="deletion")
    assert made.kept == (4, 5, 6, 7)


def test_system_messages_may_go_when_nobody_preserves_them() -> None:
    made = planned([system("rules"), *talk(6)], strategy="deletion", preserve_system_prompts=False)
    assert 0 in made.dropped


def test_nothing_to_keep_keeps_the_question() -> None:
    assert planned(talk(6), strategy="deletion", messages_to_keep=0).kept == (4,)


def test_selective_keeps_calls_errors_and_what_rules_preserve() -> None:
    messages = [
        user("hello"),
        calls("1"),
        result("1", "found"),
        said("The budget is 500."),
        result("9", "Error: no seats"),
        said("chat"),
        said("flagged"),
        *talk(4),
    ]
    settings = {"strategy": "selective", "preserve": ("BUDGET", lambda message: message["content"] == "flagged")}
    made = planned(messages, **settings)
    assert made.summarized == (0, 5, 7, 8)
    assert [made.reasons[place] for place in (1, 2, 3, 4, 6)] == [
        "tool call",
        "tool call",
        "words",
        "tool call",
        "hook",
    ]
    made = planned(messages, preserve_tool_calls=False, **settings)
    assert made.summarized == (0, 1, 2, 5, 7, 8) and made.reasons[4] == "error"


def test_a_rule_can_be_an_object() -> None:
    class Long:
        def keeps(self, view: View) -> bool:
            return len(view.text) > 20

    made = planned(
        [said("short"), said("a text of more than twenty letters"), *talk(4)], strategy="selective", preserve=Long()
    )
    assert made.summarized == (0, 2, 3) and made.reasons[1] == "rule"


def test_selective_lets_the_oldest_go_when_there_is_no_room() -> None:
    messages = []
    for number in range(20):
        messages += [calls(str(number), at=number), result(str(number), "word " * 100)]
    made = planned([*messages, *talk(2)], limit=1_000, strategy="selective")
    kept = [place for place in made.kept if place < 40]
    assert kept and kept == list(range(kept[0], 40)) and kept[0] % 2 == 0
    assert made.kept_tokens + made.summary_tokens <= 1_000


@pytest.mark.parametrize(
    ("messages", "limit", "chosen"),
    [
        ([*talk(40)], 10_000, "selective"),
        ([calls("1"), result("1", "word " * 600), *talk(4)], 1_000, "sliding_window"),
        ([said("word " * 600), *talk(4)], 70, "sliding_window"),
    ],
)
def test_auto_chooses_by_what_would_be_left(messages: list[Any], limit: int, chosen: str) -> None:
    assert planned(messages, limit=limit, strategy="auto").strategy == chosen


def test_identical_calls_in_a_row_are_said_once_with_their_count() -> None:
    messages = []
    for number in range(3):
        messages += [calls(str(number), code="BX1"), result(str(number), "late")]
    made = planned([*messages, *talk(4)], strategy="selective")
    assert made.dropped == (0, 1, 2, 3) and {4, 5} <= set(made.kept)
    assert made.notes == ('look_up({"code":"BX1"}) (called 3 times, same result)',)
    assert made.reasons[0] == "called 3 times, same result"


def test_results_that_differ_are_not_collapsed() -> None:
    messages = []
    for number, text in enumerate(["late", "on time", "late"]):
        messages += [calls(str(number), code="BX1"), result(str(number), text)]
    assert planned([*messages, *talk(4)], strategy="selective").dropped == ()


def test_a_repeated_call_stays_where_the_last_messages_have_it() -> None:
    messages = [calls("1"), result("1", "x"), user("a"), calls("2"), result("2", "x")]
    made = planned(messages, strategy="sliding_window")
    assert made.dropped == (0, 1) and made.kept == (2, 3, 4) and made.notes and made.summary_tokens


def test_repeated_calls_among_the_last_messages_all_stay() -> None:
    made = planned([user("a"), calls("1"), result("1", "x"), calls("2"), result("2", "x")], messages_to_keep=4)
    assert made.kept == (0, 1, 2, 3, 4) and made.is_empty and made.notes == ()


def test_a_summary_by_ratio_is_never_smaller_than_the_one_before() -> None:
    views = views_of([said("word " * 96), *talk(4)])
    tokens = [words(one) for one in views]
    sizes = [
        plan(views, tokens, ContextConfig(messages_to_keep=2, **settings), LIMIT, previous_tokens=900).summary_tokens
        for settings in ({"compression_ratio": 0.5}, {"compression_ratio": 0.95}, {"compression_target_tokens": 300})
    ]
    assert sizes == [900, int(0.95 * (100 + 12 + 900)), 300]


def test_a_summary_aims_at_a_part_of_what_it_stands_for_or_at_a_fixed_size() -> None:
    messages = [said("word " * 996), *talk(4)]
    assert planned(messages, strategy="sliding_window", compression_ratio=0.5).summary_tokens == int(1_012 * 0.5)
    assert planned(messages, strategy="sliding_window", compression_target_tokens=100).summary_tokens == 100
    assert planned(messages, strategy="deletion").summary_tokens == 0


@dataclass
class Own:
    """A strategy of somebody's own."""

    kept: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()
    name: str = "own"

    def plan(self, request: Request) -> Plan:
        return Plan(self.kept, (), self.dropped)


def test_an_own_strategy_decides_of_what_may_go() -> None:
    made = planned(talk(8), strategy=Own(kept=(0,), dropped=(1,)))
    assert (made.kept, made.dropped, made.summarized) == ((0, 6, 7), (1,), (2, 3, 4, 5))
    assert made.strategy == "own"


def test_an_own_strategy_cannot_take_what_must_stay() -> None:
    assert {6, 7} <= set(planned(talk(8), strategy=Own(dropped=tuple(range(8)))).kept)


@pytest.mark.parametrize(
    ("strategy", "fault"),
    [
        (Own(kept=(0,), dropped=(0,)), "kept and that it goes"),
        (Own(kept=(99,)), "not asked about"),
        (Own(kept=(0,)), "breaks a group"),
    ],
)
def test_an_own_strategy_that_breaks_the_rules_is_refused(strategy: Own, fault: str) -> None:
    with pytest.raises(InvalidArgumentError, match=fault):
        planned([calls("1"), result("1", "x"), *talk(4)], strategy=strategy)


@pytest.mark.parametrize("given", [None, (), "kept"])
def test_an_own_strategy_that_gives_no_plan_is_named(given: Any) -> None:
    class Nothing:
        name = "nothing"

        def plan(self, request: Request) -> Any:
            return given

    with pytest.raises(InvalidArgumentError, match="gives a Plan: strategy='nothing'"):
        planned(talk(8), strategy=Nothing())


def test_each_message_needs_its_tokens() -> None:
    with pytest.raises(InvalidArgumentError, match="messages=1, tokens=0"):
        plan(views_of(["x"]), [], ContextConfig(), 10)


@given(
    CONVERSATIONS,
    st.sampled_from(STRATEGIES),
    st.integers(0, 12),
    st.integers(0, 3_000),
    st.booleans(),
    st.booleans(),
    st.integers(0, 100),
)
def test_the_rules_hold_for_any_conversation_and_any_budget(
    messages: list[Any], strategy: str, kept: int, limit: int, systems: bool, tools: bool, previous: int
) -> None:
    views = views_of(messages)
    tokens = [words(one) for one in views]
    config = ContextConfig(
        strategy=strategy, messages_to_keep=kept, preserve_system_prompts=systems, preserve_tool_calls=tools
    )
    made = plan(views, tokens, config, limit, previous_tokens=previous)
    assert made == plan(views, tokens, config, limit, previous_tokens=previous)
    places = sorted([*made.kept, *made.summarized, *made.dropped])
    assert places == list(range(len(views)))
    assert all(list(part) == sorted(part) for part in (made.kept, made.summarized, made.dropped))
    staying = set(made.kept)
    for group in groups(views):
        assert len({(place in staying, place in made.dropped) for place in group}) == 1
    spoken = [place for place, one in enumerate(views) if one.role != "system"]
    assert set(spoken[max(0, len(spoken) - kept) :]) <= staying
    questions = [place for place in spoken if views[place].role == "user"]
    assert set(questions[-1:]) <= staying
    if systems:
        said_once = {one.text for one in views if one.role == "system"}
        assert [views[place].text for place in made.kept if views[place].role == "system"] == list(
            dict.fromkeys(one.text for one in views if one.role == "system")
        )
        assert len(said_once) == sum(views[place].role == "system" for place in made.kept)
    assert made.kept_tokens == sum(tokens[place] for place in made.kept)
    assert made.summary_tokens <= max(0, limit - made.kept_tokens)
    try:
        caps = fit(views, tokens, made.kept, limit)
    except ContextOverflowError as error:
        assert error.tokens == made.kept_tokens and error.limit == limit < error.tokens
        assert sum(min(tokens[place], FLOORS[-1]) for place in made.kept) > limit
    else:
        assert sum(caps.get(place, tokens[place]) for place in made.kept) <= limit
        assert all(caps[place] < tokens[place] for place in caps)
