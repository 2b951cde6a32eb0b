"""Whatever a conversation refers to can be reached from what is sent, however long it gets."""

import re
from contextlib import suppress
from typing import Any

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
