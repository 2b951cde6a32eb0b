"""The values that the benchmarks pack: realistic, distinct, and the same in every run.

A value is a function of its number, so nothing has to be kept to know what was packed. All text is a slice of one
fixed stream of words, at an offset that jumps, so that two values share no long run of it.
"""

import random
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

SEED: Final = 20_240_607
KEY_COUNT: Final = 200
NODE: Final = "worker"

_STREAM_SIZE: Final = 4_000_000
_STRIDE: Final = 1_299_709
"""A prime that is far from any divisor of the stream's size: neighbours in number are far apart in text."""

_SENTENCES: Final = (
    "the agent asked for a flight from Boston to Denver and the tool returned three offers under four hundred dollars "
    "because no direct connection was left after the schedule changed so it compared prices checked the baggage rules "
    "of each carrier confirmed the passenger name wrote a summary and waited until a human approved payment by card "
    "search result source document page section claim evidence score question answer plan step retry error report"
)


@cache
def _stream() -> str:
    chance = random.Random(SEED)
    words = chance.choices(_SENTENCES.split(), k=_STREAM_SIZE // 4)
    return " ".join(words)[:_STREAM_SIZE]


def text(number: int, size: int) -> str:
    """`size` ASCII characters that begin with the number: no two are equal."""
    head = f"{number} "
    start = number * _STRIDE % (_STREAM_SIZE - size)
    return head + _stream()[start : start + size - len(head)]


def keys(count: int = KEY_COUNT) -> list[str]:
    """Dotted names, as an agent's parts would use them."""
    parts = ("research", "planner", "writer", "review", "tools")
    return [f"{parts[i % len(parts)]}.item_{i:03d}" for i in range(count)]


def step_record(number: int) -> dict[str, Any]:
    """What an agent notes after a step: 14 fields, about 500 B packed."""
    return {
        "id": f"step-{number:08d}",
        "run": f"run-{number * 2_654_435_761 % 2**48:012x}",
        "role": "assistant" if number % 3 else "tool",
        "node": NODE,
        "status": "completed" if number % 7 else "retried",
        "attempt": 1 + number % 3,
        "started_at": 1_717_750_000.25 + number * 0.731,
        "duration_ms": 120.5 + number * 0.37 % 900.0,
        "score": number * 0.618_033_988_75 % 1.0,
        "usage": {"prompt_tokens": 900 + number % 4096, "completion_tokens": 40 + number % 512},
        "is_cached": number % 5 == 0,
        "error": None,
        "tags": ["search", "flight" if number % 2 else "hotel"],
        "text": text(number, 270),
    }


def flattened(record: dict[str, Any]) -> dict[str, Any]:
    """A step record of the same size in which nothing is nested."""
    flat = {name: value for name, value in record.items() if name not in ("usage", "tags")}
    return {**flat, "tags": " ".join(record["tags"]), **record["usage"]}


def small_record(number: int) -> dict[str, Any]:
    """A short note, about 80 B packed."""
    return {"id": number, "role": "tool", "status": "ok", "score": number * 0.618 % 1.0, "text": text(number, 36)}


def message(number: int) -> dict[str, Any]:
    """A chat message of about 500 packed bytes, with the fields that agent frameworks give it."""
    call = {"id": f"call_{number:08x}", "type": "tool_call", "name": "search_flights", "args": {"page": number % 9}}
    return {
        "type": "ai" if number % 2 else "human",
        "id": f"m{number:07d}",
        "name": None,
        "content": text(number, 290),
        "tool_calls": [call],
        "metadata": {"model": "small", "finish_reason": "stop"},
        "usage": {"input_tokens": 900 + number % 4096, "output_tokens": 40 + number % 512, "total_tokens": 2000},
    }


def short_message(number: int, size: int) -> dict[str, Any]:
    """A chat message of about `size` packed bytes, with the fields that a model's interface asks for."""
    return {"role": "user" if number % 2 else "assistant", "id": f"m{number:07d}", "content": text(number, size - 46)}


def document(number: int, size: int = 50_000) -> dict[str, Any]:
    """A dict around one long text."""
    return {"id": number, "title": text(number, 40), "body": text(number, size)}


def edited_texts(count: int, size: int = 50_000) -> Iterator[str]:
    """One text, and then that text after each of `count - 1` edits: some 20 characters replaced at a random place."""
    chance = random.Random(SEED)
    current = text(0, size)
    yield current
    for number in range(1, count):
        start = chance.randrange(size // 100, size - size // 100)
        current = current[:start] + text(number, chance.randint(14, 26)) + current[start + 20 :]
        yield current


def edited_conversations(count: int, length: int = 1_000) -> Iterator[list[Any]]:
    """One list of short messages, yielded after each edit of one of them. It is the same list each time."""
    chance = random.Random(SEED)
    messages = [short_message(number, 85) for number in range(length)]
    yield messages
    for number in range(1, count):
        messages[chance.randrange(length)] = short_message(length + number, chance.randint(75, 95))
        yield messages


def edited_dicts(count: int, length: int = 2_000) -> Iterator[dict[str, Any]]:
    """One big dict, yielded after each change of one field. It is the same dict each time."""
    chance = random.Random(SEED)
    fields: dict[str, Any] = {f"field_{number:04d}": text(number, 30) for number in range(length)}
    yield fields
    for number in range(1, count):
        fields[f"field_{chance.randrange(length):04d}"] = text(length + number, chance.randint(20, 40))
        yield fields


def sliding_windows(count: int, length: int = 1_000) -> Iterator[list[Any]]:
    """The last `length` short messages, yielded after each new one. It is the same list each time."""
    messages = [short_message(number, 85) for number in range(length)]
    yield messages
    for number in range(1, count):
        del messages[0]
        messages.append(short_message(length + number, 85))
        yield messages
