"""Conversations for tests: a counter that is easy to reckon with, and messages of each shape."""

from typing import Any

from backpack import Backpack
from backpack.context import ContextConfig, Conversation

FRAME = 4
"""Tokens around each message."""


def words(text: str) -> int:
    """A token a word."""
    return len(text.split())


def talk(bp: Backpack | None = None, key: str = "messages", *, window: int = 8_192, **settings: Any) -> Conversation:
    """A conversation whose tokens are words; `config` may be the fields of one."""
    config = settings.pop("config", None) or {}
    if isinstance(config, dict):
        config = ContextConfig(**{"compression_threshold": None, "threshold_percent": 70, **config})
    settings = {"model": "gpt-4o", "counter": words, "prices": {"gpt-4o": {"input": 2, "output": 10}}, **settings}
    return Conversation(Backpack() if bp is None else bp, key, window=window, config=config, **settings)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def system(text: str) -> dict[str, Any]:
    return {"role": "system", "content": text}


def call(number: int, name: str = "look_up", ids: int = 1) -> dict[str, Any]:
    calls = [
        {
            "id": f"call_{number}_{one}",
            "type": "function",
            "function": {"name": name, "arguments": f'{{"number": {number}}}'},
        }
        for one in range(ids)
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(number: int, text: str = "found", one: int = 0) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": f"call_{number}_{one}", "content": text}


def filler(count: int, word: str = "word") -> str:
    """A text of so many words."""
    return " ".join([word] * count)


def fill(conversation: Conversation, turns: int, size: int = 50, start: int = 0) -> list[dict[str, Any]]:
    """Add turns of four messages; what was added."""
    added = []
    for number in range(start, start + turns):
        for message in (
            user(f"question {number} about BX{number:04d} {filler(size)}"),
            call(number),
            result(number, f"seat {number}A for ${number}.50"),
            assistant(f"answer {number}"),
        ):
            conversation.add(message)
            added.append(message)
    return added
