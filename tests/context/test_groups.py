"""Calls and what answers them are one group."""

from typing import Any

from hypothesis import given

from backpack.context.groups import Group, groups

from .conversations import CONVERSATIONS, calls, result, said, user, views_of


def grouped(*messages: Any) -> list[Group]:
    return groups(views_of(messages))


def test_five_calls_and_their_five_results_are_one_group() -> None:
    answers = [result(str(number), "x") for number in range(5)]
    assert grouped(user("a"), calls(*"01234"), *answers, said("b")) == [(0,), (1, 2, 3, 4, 5, 6), (7,)]


def test_results_in_one_user_message_belong_to_the_calls() -> None:
    asked = {"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "f", "input": {}} for id in "12"]}
    told = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "x"} for id in "12"]}
    assert grouped(asked, told, user("a")) == [(0, 1), (2,)]


def test_results_split_over_messages_belong_to_the_calls() -> None:
    asked = {"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "f", "input": {}} for id in "12"]}
    told = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "x"}]} for id in "12"]
    assert grouped(asked, *told) == [(0, 1, 2)]


def test_an_id_that_is_used_again_belongs_to_the_call_that_waits() -> None:
    assert grouped(calls("1"), result("1", "x"), calls("1"), result("1", "y")) == [(0, 1), (2, 3)]
    assert grouped(calls("1"), user("never mind"), calls("1"), result("1", "y")) == [(0,), (1,), (2, 3)]


def test_a_second_result_of_a_call_goes_with_it() -> None:
    assert grouped(calls("1"), result("1", "x"), result("1", "x")) == [(0, 1, 2)]


def test_orphans_stand_alone() -> None:
    assert grouped(result("1", "x"), calls("1"), user("a"), result("9", "x")) == [(0,), (1,), (2,), (3,)]


def test_a_result_without_an_id_belongs_to_the_group_before_it() -> None:
    nameless = {"role": "tool", "content": "x"}
    assert grouped(calls("1"), nameless, nameless, user("a"), nameless) == [(0, 1, 2), (3,), (4,)]


def test_messages_between_a_call_and_its_result_are_not_of_the_group() -> None:
    assert grouped(calls("1"), user("hurry"), result("1", "x")) == [(0, 2), (1,)]


def test_items_called_side_by_side_are_one_group() -> None:
    items = [{"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"} for id in "12"]
    items += [{"type": "function_call_output", "call_id": id, "output": "x"} for id in "12"]
    assert grouped(*items) == [(0, 1, 2, 3)]


def test_reasoning_goes_with_what_follows() -> None:
    item = {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"}
    told = {"type": "function_call_output", "call_id": "1", "output": "x"}
    assert grouped({"type": "reasoning", "id": "rs"}, item, told) == [(0, 1, 2)]


@given(CONVERSATIONS)
def test_each_message_is_in_one_group_and_calls_have_their_results(messages: list[Any]) -> None:
    views = views_of(messages)
    found = groups(views)
    assert sorted(place for group in found for place in group) == list(range(len(views)))
    assert found == sorted(found) and all(list(group) == sorted(group) for group in found)
    group_of = {place: group for group in found for place in group}
    for place, one in enumerate(views):
        for id in filter(None, one.result_of):
            before = [other for other in range(place + 1) if any(call.id == id for call in views[other].calls)]
            assert not before or any(other in group_of[place] for other in before)


def test_many_messages_are_grouped_in_a_line() -> None:
    messages = [
        calls(*(str(number) for number in range(2_000))),
        *(result(str(number), "x") for number in range(2_000)),
    ]
    assert grouped(*messages) == [tuple(range(2_001))]
