"""What a conversation knows of its store stays what the store says, whoever writes there and whenever."""

import logging
from typing import Any

import numpy
import pytest

from backpack.context import Budget, BudgetWarning
from backpack.context.storing import Storage
from backpack.core.commit import Commit
from backpack.errors import UnstorableValueError

from .talks import FRAME, assistant, call, fill, filler, result, talk, user, words


def test_what_is_kept_is_what_was_packed_at_the_door() -> None:
    message = user("one two")

    def meddling(text: str) -> int:
        message["content"] = "a task has written on"
        return words(text)

    conversation = talk(counter=meddling)
    conversation.add(message)
    assert conversation.context() == conversation.full() == [user("one two")]
    assert talk(conversation.bp).stats() == conversation.stats()


def test_a_compression_that_counts_for_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    conversation = talk(window=2_000)
    fill(conversation, 60)
    conversation.context()
    assert conversation.last_error is None
    others: list[Any] = [user(f"other{number}") for number in range(250)]
    with caplog.at_level(logging.WARNING, "backpack.context"):
        conversation.bp["messages"] = others
        assert conversation.context() == others
        conversation.bp.append("messages", user("one more"))
        conversation.context()
    said = "the stored compression is of other messages than there are: all are shown"
    assert conversation.last_error == conversation.stats().last_error == said
    assert [record.message for record in caplog.records] == [f"reading a conversation: {said}"]
    conversation.bp["messages"] = others[:3]
    assert "damaged, or of more messages" in str(conversation.last_error)


def test_one_tracker_lives_as_long_as_its_conversation() -> None:
    conversation = talk()
    tracker = conversation.tracker
    conversation.add(assistant("one two"), usage={"input": 1_000, "output": 100})
    tracker.record({"input": 500, "output": 50}, purpose="mine")
    tracker.budget = Budget(0.5)
    conversation.bp.append("messages", user("by others"))
    conversation.context()
    assert conversation.tracker is tracker
    assert tracker.budget == Budget(0.5)
    assert {purpose: one.input for purpose, one in tracker.totals.by_purpose.items()} == {"call": 1_000, "mine": 500}
    assert tracker.totals.picodollars == 1_500 * 2_000_000 + 150 * 10_000_000
    assert talk(conversation.bp).stats().input_tokens == 1_000


def test_a_budget_warns_once_a_crossing_whoever_appends() -> None:
    conversation = talk(budget=0.0001)
    with pytest.warns(BudgetWarning) as said:
        for _ in range(6):
            conversation.add(assistant("x"), usage={"input": 1_000, "output": 100})
            conversation.bp.append("messages", user("by others"))
            conversation.context()
    assert len(said) == 1


def test_adding_alone_catches_up_with_what_others_have_appended() -> None:
    conversation = talk()
    conversation.add(user("hi"))
    conversation.bp.append("messages", user("by others"))
    for _ in range(100):
        conversation.add(assistant("x"), usage={"input": 10, "output": 1})
    assert conversation.tracker.totals.calls >= 64
    assert conversation.context() == conversation.full()
    assert conversation.tracker.totals.calls == 100
    assert talk(conversation.bp).stats() == conversation.stats()


def test_two_adds_under_way_write_records_of_others_once() -> None:
    conversation = talk()
    conversation.add(user("hi"))
    conversation.bp.append("messages", *[user("by others")] * 5)
    conversation.context()
    waiting = [user("two")]

    class Twice(Storage):
        def add(self, *given: Any) -> Commit:
            if waiting:
                conversation.add(waiting.pop())
            return super().add(*given)

    conversation._storage.__class__ = Twice
    conversation.add(user("one"))
    assert len(conversation.bp["messages.context.records"]) == len(conversation.bp["messages"]) == 8
    assert talk(conversation.bp).stats() == conversation.stats()
    conversation.context()
    assert talk(conversation.bp).context() == conversation.context() == conversation.full()


def test_records_of_others_are_written_by_the_next_commit_where_one_fails() -> None:
    conversation = talk()
    conversation.add(user("hi"))
    conversation.bp.append("messages", user("by others"))
    conversation.context()
    with pytest.raises(UnstorableValueError), pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversation._storage, "add", failing)
        conversation.add(user("one"))
    conversation.add(user("two"))
    assert [len(conversation.bp[key]) for key in ("messages", "messages.context.records")] == [3, 3]


def failing(*_: Any) -> Commit:
    raise UnstorableValueError("the disk is full")


def test_a_message_that_was_changed_to_one_as_long_is_counted_anew() -> None:
    conversation = talk()
    conversation.add(user("aa bb"))
    conversation.bp["messages"] = [user("a b c")]
    assert conversation.stats().full_tokens - talk().stats().full_tokens == FRAME + 3
    assert talk(conversation.bp).stats() == conversation.stats()


def test_a_hole_in_the_records_costs_nothing_but_counting_its_message() -> None:
    counted: list[str] = []

    def counting(text: str) -> int:
        counted.append(text)
        return words(text)

    conversation = talk()
    for number in range(10):
        conversation.add(user(f"message {number}"))
    records = conversation.bp["messages.context.records"]
    conversation.bp["messages.context.records"] = [*records[:4], *records[5:]]
    assert talk(conversation.bp, counter=counting).context() == conversation.full()
    assert [text for text in counted if text.startswith("message")] == ["message 4"]


@pytest.mark.parametrize("damage", ["junk", [], [1, 2], {}, None, [-1, 30, 0, 1], [5, 30, 0, 1, 0, [1]]])
def test_damaged_records_and_figures_are_left_out_and_told(damage: Any) -> None:
    conversation = talk(window=2_000)
    fill(conversation, 20)
    conversation.compress()
    bp = conversation.bp
    bp["messages.context.records"] = [damage, *bp["messages.context.records"][1:]]
    bp.append("messages.context.log", damage)
    again = talk(bp, window=2_000)
    assert again.full() == conversation.full() and again.context() == conversation.context()
    assert again.stats().full_tokens == conversation.stats().full_tokens
    assert again.last_error is not None
    assert "records of messages are damaged" in again.last_error and "count=1" in again.last_error
    assert ("figures of compressions are damaged" in again.last_error) == (len(again.log) == 1)
    again.add(user("it goes on"))
    assert again.context()[-1] == user("it goes on")
    assert Storage(bp, "messages").account().messages == 81


@pytest.mark.parametrize(
    "config", [{"recent_message_tokens_max": 100}, {"turn_results_tokens": 100, "result_floor_tokens": 20}]
)
def test_a_shorter_form_shows_in_the_place_of_its_own_message_alone(config: dict[str, Any]) -> None:
    conversation = talk(window=8_000, config=config)
    for message in (user("read it"), call(1), result(1, filler(500, "old"))):
        conversation.add(message)
    others = [user("no, read that"), call(2), result(2, "three words only")]
    is_changed = []

    def change(_: Any) -> None:
        if not is_changed:
            is_changed.append(True)
            conversation.bp["messages"] = others

    with conversation.bp.subscribe(change, kinds=["commit", "pack"]):
        conversation.context()
    assert is_changed
    assert conversation.context() == talk(conversation.bp, window=8_000, config=config).context() == others
    conversation.bp["messages"] = [user("read it"), call(1), result(1, filler(500, "old"))]
    assert "mem://" in conversation.context()[2]["content"]


def test_a_shorter_form_of_which_no_message_is_known_counts_for_nothing() -> None:
    conversation = talk(window=8_000, config={"recent_message_tokens_max": 100})
    conversation.add(user(filler(300)))
    said = conversation.context()
    (form,) = conversation.bp["messages.context.replaced"]
    checks: list[Any] = [form[3] ^ 1, "x", float(form[3]), numpy.arange(2)]
    for damaged in (form[:3], *([*form[:3], check] for check in checks), [0], None):
        conversation.bp["messages.context.replaced"] = [damaged]
        assert talk(conversation.bp).context() == [user(filler(300))]
    conversation.bp["messages.context.replaced"] = [form, form[:3]]
    assert talk(conversation.bp).context() == said
