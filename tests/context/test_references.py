"""Whatever a conversation refers to can be reached from what is sent, however long it gets."""

import re
from contextlib import suppress
from typing import Any

import pytest

from backpack.errors import EntryNotFoundError

from .talks import assistant, filler, talk, user

REFERENCE = re.compile(r"mem-[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")


def test_every_reference_is_reached_through_the_one_that_the_summary_names() -> None:
    conversation = talk(window=3_000, config={"messages_to_keep": 4})
    wanted = [f"mem-20261121-151102-{number:08x}" for number in range(120)]
    for number, id in enumerate(wanted):
        conversation.add(user(f"question {number} {filler(60)}"))
        if number % 2:
            conversation.add(assistant(f"answer {number} is in mem://{id}"))
        else:
            conversation.add({**assistant(f"answer {number}"), "memory_refs": [{"id": id}]})
        sent = conversation.context()
    assert conversation.stats().compressions > 3
    summary = next(one["content"] for one in sent if one["content"].startswith("Summary of"))
    assert summary.splitlines()[1].count("mem://") == 16
    assert set(wanted) <= reached(conversation, sent)


def own_summary(messages: list[Any], target: int) -> str:
    return "they talked"


@pytest.mark.parametrize(
    ("settings", "config"),
    [
        ({}, {"strategy": "sliding_window"}),
        ({"summarizer": own_summary}, {"strategy": "sliding_window"}),
        ({}, {"strategy": "deletion"}),
    ],
)
def test_whatever_makes_the_summary_it_names_what_left_referred_to(
    settings: dict[str, Any], config: dict[str, Any]
) -> None:
    conversation = talk(config={"compression_threshold": 2_000, "messages_to_keep": 2, **config}, **settings)
    ids = []
    for number in range(20):
        entry = conversation.memory.log(f"some long output {number}", type="output")
        ids.append(entry.id)
        conversation.add(assistant(f"see mem://{entry.id}"))
    for _ in range(3):
        for number in range(60):
            conversation.add(assistant(f"talk number {number} {filler(30)}"))
            conversation.context()
    first = next(message for message in conversation.present() if "earlier messages" in str(message["content"]))
    text = str(first["content"])
    assert conversation.stats().compressions > 2
    assert sum(id in text for id in ids) == 16 and text.count("References (4 more in the exact words): ") == 1
    assert all(id in text for id in ids[4:])
    assert set(ids) <= reached(conversation, conversation.present())


def reached(conversation: Any, sent: list[Any]) -> set[str]:
    """Every reference that is named in what is sent, or in a text that such a reference names."""
    waiting, found = REFERENCE.findall(str(sent)), set()
    while waiting:
        id = waiting.pop()
        if id not in found:
            found.add(id)
            with suppress(EntryNotFoundError):  # those that messages name are made up
                waiting += REFERENCE.findall(conversation.memory.read(id))
    return found
