"""Messages of LangChain go in as objects and come out as objects; the store has dicts."""

import sys
from typing import Any

import pytest

from backpack import Backpack
from backpack.context.storing import Storage
from backpack.errors import CorruptionError, MissingExtraError

from .talks import filler, talk

messages = pytest.importorskip("langchain_core.messages")


def each() -> list[Any]:
    calls = [{"name": "look", "args": {"at": None}, "id": "c1"}]
    return [
        messages.SystemMessage("be kind"),
        messages.HumanMessage("look", name="me", additional_kwargs={"own": 1}),
        messages.AIMessage(
            "", tool_calls=calls, usage_metadata={"input_tokens": 50, "output_tokens": 5, "total_tokens": 55}
        ),
        messages.ToolMessage("found", tool_call_id="c1", artifact={"rows": [1, 2]}, status="error"),
        messages.AIMessage([{"type": "text", "text": "done"}], id="run-1"),
        messages.ChatMessage(role="critic", content="hm"),
        messages.FunctionMessage(name="f", content="x"),
    ]


def test_objects_come_out_as_they_went_in() -> None:
    conversation = talk()
    given = each()
    for message in given:
        conversation.add(message)
    assert conversation.context() == conversation.full() == given == each()
    assert [type(one) for one in conversation.context()] == [type(one) for one in given]
    assert conversation.context()[1] is not given[1]
    assert all(type(one) is dict for one in conversation.bp["messages"])
    again = talk(conversation.bp)
    assert again.context() == given
    assert again.stats() == conversation.stats()


def test_the_usage_that_a_message_brings_along_counts() -> None:
    conversation = talk()
    for message in each():
        conversation.add(message)
    stats = conversation.stats()
    assert (stats.input_tokens - 50 > 0, stats.calls, stats.estimated_calls) == (True, 3, 2)


def test_the_summary_is_a_message_of_langchain_too() -> None:
    conversation = talk(window=2_000, config={"messages_to_keep": 4})
    for number in range(60):
        conversation.add(messages.HumanMessage(f"{number} {filler(40)}"))
    said = conversation.context()
    assert conversation.was_compressed_last
    assert all(isinstance(one, messages.HumanMessage) for one in said)
    assert said[0].content.startswith("Summary of")
    assert conversation.recall("3", limit=1)[0] == messages.HumanMessage(f"3 {filler(40)}")


def test_large_contents_leave_objects_as_well() -> None:
    conversation = talk(window=2_000, config={"recent_message_tokens_max": 100})
    conversation.add(messages.HumanMessage(filler(600)))
    (said,) = conversation.context()
    assert "mem://" in said.content
    assert not hasattr(said, "memory_refs")


def test_a_subclass_comes_out_as_what_it_extends() -> None:
    class Mine(messages.HumanMessage):  # type: ignore[misc, name-defined]
        pass

    conversation = talk()
    conversation.add(Mine("x"))
    assert conversation.context() == [messages.HumanMessage("x")]


def test_stored_fields_of_no_message_are_an_error_of_ours() -> None:
    bp = Backpack()
    conversation = talk(bp)
    conversation.add(messages.HumanMessage("x"))
    value = {**bp["messages"][0], "type": "evil.module.Class"}
    from backpack.context.langchain import message_of

    for wrong in (value, {"type": "human"}, {}, None, {"type": "tool", "content": 3}):
        with pytest.raises(CorruptionError):
            message_of(wrong)


def test_without_its_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import backpack.context

    bp = Backpack()
    talk(bp).add(messages.HumanMessage("x"))
    monkeypatch.delattr(backpack.context, "langchain")
    monkeypatch.delitem(sys.modules, "backpack.context.langchain")
    monkeypatch.setitem(sys.modules, "langchain_core.messages", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'backpack-state\[langchain\]'"):
        talk(bp).context()


def test_all_messages_are_those_of_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    conversation = talk()
    first = conversation.add(messages.HumanMessage("one"))
    conversation.add(messages.HumanMessage("two"))
    values = Storage.values

    def restored_before(storage: Storage) -> list[Any]:
        monkeypatch.setattr(Storage, "values", values)
        storage.bp.restore(first)
        return values(storage)

    monkeypatch.setattr(Storage, "values", restored_before)
    assert conversation.full() == [messages.HumanMessage("one")]
