"""A conversation in a store: what goes in, what is sent, what stands there, and how it goes on."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

import backpack
from backpack import Backpack
from backpack.context import ContextConfig, Conversation, Usage
from backpack.context.present import Part
from backpack.context.shortening import Shortener
from backpack.errors import (
    BudgetExceededError,
    ContextOverflowError,
    InvalidArgumentError,
    ReadOnlyError,
    UnstorableValueError,
    UsageError,
)

from .talks import FRAME, assistant, call, fill, filler, result, system, talk, user, words

SHAPES: list[dict[str, Any]] = [
    user("hello"),
    {"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "u"}}]},
    {"role": "developer", "content": "be brief"},
    call(1, ids=2),
    result(1),
    result(1, one=1),
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {"a": None}}]},
    {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "x"}]}],
    },
    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": "4"},
    {"role": "assistant", "content": "x", "some_field_of_tomorrow": {"deep": [1, (2, 3), b"bytes"]}},
    {"type": "human", "data": {"content": "a dict that looks like a stored message of LangChain"}},
]


def test_messages_come_out_as_they_went_in() -> None:
    conversation = talk()
    given = copy.deepcopy(SHAPES)
    for message in given:
        conversation.add(message)
    assert given == SHAPES
    assert conversation.full() == SHAPES
    others = [message for message in SHAPES if message.get("role") != "developer"]
    assert conversation.context() == [{"role": "developer", "content": "be brief"}, *others]
    assert conversation.bp["messages"] == SHAPES


def test_what_comes_out_is_a_fresh_copy() -> None:
    conversation = talk()
    message = user("one")
    conversation.add(message)
    message["content"] = "changed"
    for got in (conversation.context(), conversation.full(), conversation.present()):
        got[0]["content"] = "changed"
        got.append(user("more"))
    assert conversation.context() == conversation.full() == [user("one")]


def test_a_message_is_one_commit_by_who_speaks() -> None:
    conversation = talk()
    commits = [conversation.add(message) for message in (system("s"), user("u"), call(1), result(1))]
    assert [commit.seq for commit in commits] == [1, 2, 3, 4]
    assert [commit.node for commit in commits] == ["system", "user", "assistant", "tool"]
    with conversation.bp.as_node("planner"):
        assert conversation.add(user("u")).node == "planner"
    assert conversation.add(user("u"), node="me").node == "me"


@pytest.mark.parametrize("wrong", [None, "text", 3, [], {}, {"content": "no role"}, {"role": 3}, object()])
def test_what_is_no_message_is_refused(wrong: Any) -> None:
    conversation = talk()
    with pytest.raises(InvalidArgumentError, match="message"):
        conversation.add(wrong)
    assert conversation.bp.head is None


def test_a_message_that_cannot_be_stored_changes_nothing() -> None:
    conversation = talk()
    with pytest.raises(UnstorableValueError):
        conversation.add({"role": "user", "content": "x", "handle": open})
    assert len(conversation) == 0
    assert conversation.bp.head is None


def test_a_wrong_usage_changes_nothing() -> None:
    conversation = talk()
    with pytest.raises(UsageError):
        conversation.add(assistant("x"), usage={"prompt_tokens": -1, "completion_tokens": 2})
    assert len(conversation) == 0
    assert conversation.stats().calls == 0


def test_objects_of_sdks_come_out_as_their_dicts() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Block(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        type: str
        text: str
        citations: list[str] | None = None

    class Message(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        role: str
        content: list[Block]

    conversation = talk()
    block = Block(type="text", text="hi")
    conversation.add(Message(role="assistant", content=[block]))
    conversation.add({"role": "assistant", "content": [block]})
    assert conversation.context() == [{"role": "assistant", "content": [{"type": "text", "text": "hi"}]}] * 2


def test_an_empty_conversation_is_one_and_says_what_it_is() -> None:
    conversation = talk(key="trip")
    assert conversation and len(conversation) == 0
    conversation.add(user("three nights"))
    assert repr(conversation) == f"<Conversation key='trip' model='gpt-4o' messages=1 tokens={2 + FRAME}>"


def test_a_preview_and_stats_differ_by_what_is_said_of_tools() -> None:
    conversation = talk(tools=[{"type": "function", "function": {"name": "look_up", "parameters": {}}}])
    conversation.add(user("three nights"))
    preview, stats = conversation.preview(), conversation.stats()
    assert preview.overhead == stats.overhead_tokens > 3
    assert stats.current_tokens == preview.before + preview.overhead
    assert f"tools       {preview.overhead} tokens besides" in str(preview)


# -- what is counted -----------------------------------------------------------------------------------------------


def test_tokens_are_counted_once_a_message() -> None:
    seen: list[str] = []

    def counted(text: str) -> int:
        seen.append(text)
        return 1

    conversation = talk(counter=counted)
    for number in range(20):
        conversation.add(user(f"message {number}"))
        conversation.context()
        conversation.stats()
    assert len(seen) == 20


def test_usage_replaces_the_estimate() -> None:
    conversation = talk()
    conversation.add(user("one two three"))
    conversation.add(assistant("four five"))
    stats = conversation.stats()
    assert (stats.calls, stats.estimated_calls) == (1, 1)
    assert (stats.input_tokens, stats.output_tokens) == (3 + FRAME + 3, 2 + FRAME)
    conversation.add(user("six"))
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 40}}
    conversation.add(assistant("seven"), usage=usage)
    later = conversation.stats()
    assert later.input_tokens - stats.input_tokens == 100
    assert later.output_tokens - stats.output_tokens == 10
    assert (later.cached_tokens, later.calls, later.estimated_calls) == (40, 2, 1)
    assert later.picodollars - stats.picodollars == 100 * 2_000_000 + 10 * 10_000_000


def test_what_a_model_counts_beyond_is_kept_free() -> None:
    conversation = talk(window=1_000)
    conversation.add(user("one"))
    conversation.add(assistant("two"), usage=Usage(90, 5))
    unseen = 90 - (1 + FRAME + 3)
    assert conversation.stats().unseen_tokens == unseen
    conversation.add(assistant("three"), usage=Usage(800, 5))
    assert conversation.stats().unseen_tokens == 250


def test_a_budget_that_refuses_does_so_before_the_call() -> None:
    from backpack.context import Budget

    conversation = talk(budget=Budget(0.001, "refuse"))
    conversation.add(user("one"))
    assert conversation.context()
    conversation.add(assistant("two"), usage=Usage(400, 10))
    with pytest.raises(BudgetExceededError):
        conversation.add(user(filler(60))) and conversation.context()
    assert conversation.stats().picodollars == 900_000_000
    again = talk(conversation.bp, budget=Budget(0.001, "refuse"))
    with pytest.raises(BudgetExceededError):
        again.context()


# -- when it is compressed -----------------------------------------------------------------------------------------


def test_at_the_threshold_nothing_happens_and_one_token_above_it_compression_runs() -> None:
    window = 262_144
    conversation = talk(window=window)
    for _ in range(30):
        conversation.add(user(filler(6_000)))
    missing = 183_500 - conversation.stats().current_tokens
    conversation.add(user(filler(missing - FRAME)))
    assert conversation.stats().current_tokens == 183_500 == int(window * 70 / 100)
    assert len(conversation.context()) == 31
    assert not conversation.was_compressed_last
    conversation.add({"role": "user", "content": ""})
    before = conversation.stats().current_tokens
    assert before == 183_504
    conversation.context()
    assert conversation.was_compressed_last
    assert conversation.last_compression_savings == before - conversation.stats().current_tokens > 0


def test_tools_and_the_reserve_for_the_answer_count() -> None:
    tool = {"type": "function", "function": {"name": "f", "description": filler(200), "parameters": {}}}
    for settings in ({"tools": [tool]}, {"config": {"answer_reserve": 200}}, {}):
        conversation = talk(window=1_000, **settings)
        for _ in range(30):
            conversation.add(user(filler(16)))
        conversation.context()
        assert conversation.was_compressed_last == bool(settings)
    assert len(conversation.context()) == 30
    conversation.context(tools=[tool])
    assert conversation.was_compressed_last


def test_with_both_thresholds_the_lower_one_counts_and_a_hundred_percent_never_compresses() -> None:
    both = talk(window=1_000, config={"compression_threshold": 300, "threshold_percent": 70})
    assert both.stats().threshold == 300
    never = talk(window=1_000, config={"threshold_percent": 100})
    assert never.stats().threshold is None
    for _ in range(30):
        never.add(user(filler(20)))
    assert len(never.context()) == 30
    for _ in range(30):
        never.add(user(filler(20)))
    with pytest.raises(ContextOverflowError, match="compression is off"):
        never.context()
    assert len(never.full()) == 60


def test_without_compression_everything_is_sent() -> None:
    conversation = talk(config={"enable_compression": False, "compression_threshold": 10})
    added = fill(conversation, 20)
    assert conversation.context() == added
    assert conversation.compress() is not None  # when somebody asks for it


def test_a_compression_is_one_commit_that_can_be_travelled_over() -> None:
    conversation = talk(window=2_000)
    added = fill(conversation, 40)
    head = conversation.bp.head
    assert head is not None
    before = conversation.present()
    compressed = conversation.context()
    assert conversation.was_compressed_last
    assert len(compressed) < len(before) == len(added)
    assert conversation.full() == added
    changes = [set(commit.changes) for commit in conversation.bp.history(after=head)]
    assert {"messages.context.present", "messages.context.log"} in changes
    conversation.bp.restore(head)
    assert conversation.present() == before
    assert conversation.stats().compressions == 0
    conversation.bp.restore("HEAD~1")
    assert conversation.present() == compressed


def test_what_is_sent_stays_the_same_until_something_is_added() -> None:
    conversation = talk(window=2_000)
    fill(conversation, 60)
    first = conversation.context()
    head = conversation.bp.head
    assert conversation.context() == first
    assert conversation.bp.head == head
    assert not conversation.was_compressed_last


def test_a_compression_that_is_asked_for_gives_its_figures() -> None:
    conversation = talk()
    assert conversation.compress() is None
    fill(conversation, 20)
    made = conversation.compress()
    assert made is not None
    assert made == conversation.log[-1]
    assert made.cause == "asked"
    assert made.before - made.after == made.saved == conversation.last_compression_savings
    assert made.kept + made.summary == made.after
    assert made.messages_kept + made.messages_summarized + made.messages_dropped == 80


def test_a_preview_changes_nothing_and_says_what_would_happen() -> None:
    conversation = talk()
    fill(conversation, 20)
    head = conversation.bp.head
    preview = conversation.preview()
    assert conversation.bp.head == head
    assert not preview.is_needed
    made = conversation.compress()
    assert made is not None
    assert (preview.before, preview.messages_kept, preview.messages_summarized, preview.strategy) == (
        made.before,
        made.messages_kept,
        made.messages_summarized,
        made.strategy,
    )
    assert preview.after >= made.after
    assert "messages" in str(preview)
    assert json.loads(json.dumps(preview.to_dict()))["saved"] == preview.saved


def test_the_summary_names_where_the_exact_words_are() -> None:
    conversation = talk()
    fill(conversation, 20)
    conversation.compress()
    fill(conversation, 20, start=20)
    conversation.compress()
    summary = conversation.context()[0]["content"]
    reference = conversation.log[-1].reference
    assert reference is not None and reference in summary
    text = conversation.memory.read(reference)
    assert "BX0020" in text
    first = conversation.log[0].reference
    assert first is not None and first in text
    assert "BX0003" in conversation.memory.read(first)


# -- going on ------------------------------------------------------------------------------------------------------


def test_a_reopened_conversation_goes_on_exactly(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        conversation = talk(bp, window=2_000)
        fill(conversation, 60)
        conversation.context()
        conversation.add(assistant("x"), usage=Usage(700, 20, 300))
        fill(conversation, 2, start=60)
        said, stats, full = conversation.context(), conversation.stats(), conversation.full()
        savings = conversation.last_compression_savings
        assert savings > 0
    with backpack.open(tmp_path / "store") as bp:
        again = talk(bp, window=2_000)
        head = bp.head
        assert again.stats() == stats
        assert again.last_compression_savings == savings
        assert again.context() == said
        assert again.full() == full
        assert bp.head == head
        assert fill(again, 60, start=70)
        assert again.context()
        assert again.stats().compressions == stats.compressions + 1


def test_model_and_window_are_known_after_reopening() -> None:
    bp = Backpack()
    Conversation(bp, model="claude-sonnet-4-5", window=50_000, config=ContextConfig(), counter=words).add(user("x"))
    again = Conversation(bp, config=ContextConfig(), counter=words)
    assert (again.model, again.window) == ("claude-sonnet-4-5", 50_000)
    other = Conversation(bp, model="gpt-4o", config=ContextConfig(), counter=words)
    assert (other.model, other.window) == ("gpt-4o", 128_000)


def test_a_list_of_messages_that_others_made_is_a_conversation() -> None:
    bp = Backpack({"messages": [user("one two"), assistant("three")]})
    conversation = talk(bp)
    assert conversation.context() == bp["messages"]
    conversation.add(user("four"))
    bp.append("messages", assistant("five"))
    assert [message["content"] for message in conversation.context()] == ["one two", "three", "four", "five"]
    conversation.add(user("six"))
    again = talk(bp)
    assert again.context() == conversation.context() == bp["messages"]
    assert again.stats() == conversation.stats()
    bp["messages"] = [user("other")]
    assert conversation.context() == [user("other")]


def test_a_compression_of_other_messages_counts_for_nothing() -> None:
    conversation = talk(window=2_000)
    fill(conversation, 60)
    conversation.context()
    conversation.bp["messages"] = [user(f"other{number}") for number in range(250)]
    assert conversation.context() == conversation.bp["messages"]


def test_two_conversations_in_one_store_know_nothing_of_one_another() -> None:
    bp = Backpack()
    one, other = talk(bp, "one", window=2_000), talk(bp, "other", window=2_000)
    added = fill(one, 60), fill(other, 10)
    one.context()
    assert other.context() == added[1]
    assert one.full() == added[0]
    assert other.stats().compressions == 0


def test_two_objects_of_one_conversation_see_what_the_other_does() -> None:
    bp = Backpack()
    one, other = talk(bp, window=2_000), talk(bp, window=2_000)
    for number in range(120):
        (one if number % 3 else other).add(user(f"{number} {filler(20)}"))
    assert one.context() == other.context()
    assert one.stats() == other.stats()
    assert [message["content"].split()[0] for message in one.full()] == [str(number) for number in range(120)]


def test_a_store_that_is_open_for_reading_shows_what_there_is(tmp_path: Path) -> None:
    with backpack.open(tmp_path / "store") as bp:
        added = fill(talk(bp), 5)
    with backpack.open(tmp_path / "store", "r") as bp:
        conversation = talk(bp)
        assert conversation.context() == added
        assert conversation.stats().messages == 20
        assert conversation.preview().messages_kept
        with pytest.raises(ReadOnlyError):
            conversation.add(user("x"))


# -- recalling -----------------------------------------------------------------------------------------------------


def test_recall_finds_what_the_context_has_no_more() -> None:
    conversation = talk()
    fill(conversation, 20)
    assert conversation.recall("BX0003") == []  # it is still there
    conversation.compress()
    assert conversation.recall("BX0003", limit=1)[0]["content"].startswith("question 3 about BX0003")
    assert conversation.recall("what was said about BX0003, please?", limit=1)[0]["content"].startswith("question 3")
    assert conversation.recall("BX0019") == []
    assert conversation.recall("nothing_like_it") == conversation.recall("") == conversation.recall("x", limit=0) == []
    fill(conversation, 20, start=20)
    conversation.compress()
    assert conversation.recall("BX0025", limit=1)[0]["content"].startswith("question 25")
    conversation.bp.restore(1)
    assert conversation.recall("BX0003") == []


def test_statistics_print_as_a_block_and_as_json() -> None:
    conversation = talk(window=2_000)
    fill(conversation, 60)
    conversation.context()
    stats = conversation.stats()
    assert str(stats).count("\n") >= 10
    facts = json.loads(stats.to_json())
    assert facts["tokens_saved"] == stats.tokens_saved == sum(one.saved for one in conversation.log)
    assert stats.full_tokens - stats.tokens_saved == stats.current_tokens
    assert 0 < stats.percent_saved < 100


@pytest.mark.parametrize(
    "wrong",
    [{"config": {}}, {"window": 0}, {"window": True}, {"memory": object()}, {"summarizer": "gpt"}],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError):
        Conversation(Backpack(), counter=words, **wrong)
    with pytest.raises(InvalidArgumentError):
        Conversation({}, counter=words)  # type: ignore[arg-type]


def test_system_messages_come_first_in_order_and_identical_ones_once() -> None:
    conversation = talk(window=2_000)
    for message in (user("one"), system("be kind"), system("be brief"), user("two"), system("be kind")):
        conversation.add(message)
    assert conversation.context() == [system("be kind"), system("be brief"), user("one"), user("two")]
    fill(conversation, 40)
    conversation.add(system("be brief"))
    said = conversation.context()
    assert conversation.was_compressed_last
    assert said[:2] == [system("be kind"), system("be brief")]
    assert sum(message["role"] == "system" for message in said) == 2


def test_calls_whose_results_are_still_to_come_stay_and_find_them() -> None:
    conversation = talk(window=2_000, config={"messages_to_keep": 2})
    conversation.add(call(999, ids=2))
    conversation.add(result(999))
    fill(conversation, 40)
    said = conversation.context()
    assert conversation.was_compressed_last
    assert said[1:3] == [call(999, ids=2), result(999)]
    conversation.add(result(999, "late", one=1))
    assert conversation.context()[1:3] == said[1:3]
    fill(conversation, 80, start=40)
    assert call(999, ids=2) not in conversation.context()


def test_a_message_that_nothing_makes_smaller_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    make = Shortener.to

    def counting(self: Shortener, part: Part, *rest: Any) -> Part | None:
        tried.append(part.place)
        return make(self, part, *rest)

    monkeypatch.setattr(Shortener, "to", counting)
    conversation = talk(window=100_000, config={"recent_message_tokens_max": 60})
    blocks = [{"type": "text", "text": f"short text of a block, number {number}"} for number in range(60)]
    conversation.add({"role": "user", "content": blocks})
    for number in range(20):
        conversation.add(user(f"ok {number}"))
        assert len(conversation.context()) == number + 2
    assert tried == [0]


def test_a_conversation_that_was_closed_goes_on() -> None:
    with talk(window=2_000) as conversation:
        fill(conversation, 60)
        conversation.context()
        found = conversation.recall("BX0003", limit=1)
    conversation.close()
    assert conversation.recall("BX0003", limit=1) == found != []
    conversation.close()
