"""How many tokens does a long conversation send with each preset, and how much of it does the summary say?

Runs of agents, joined in file order to one conversation, of which the first 1,000 messages are taken; after each
message of a user or a tool there is a call, which sends the context; without compression it sends all messages. Counted
exactly (o200k, by bpe-openai) where that is there, else estimated. `BACKPACK_BENCH_DATA` (or `--data`) names a folder
that has `airline-runs.jsonl.gz`; without it the conversation is one that is made here.

Identifiers are reservation numbers, flight numbers, amounts, dates and lines of errors: of those in what was compressed
up to the end, the part that the last summary lacks; they are in the text that its reference names. Beside it: adding a
message when there are 1,000 against when there are 100, and the context of 1,000 messages against decoding them.
"""

import gzip
import json
import os
import random
import re
import statistics
from pathlib import Path
from typing import Any, Final

import backpack
from backpack import Backpack
from backpack.context import ContextConfig, Conversation, view
from backpack.context.config import PRESETS
from benchmarks import harness
from benchmarks.bench_agent_runs import DATA, RUNS
from benchmarks.folders import new_folder, size_on_disk
from benchmarks.harness import Row, clock, decode, packing

MESSAGES: Final = 1_000
WITHOUT: Final = "without"
FALL_MIN: Final = 60
KEPT_MIN: Final = 70
_IDENTIFIER: Final = re.compile(
    r"\b(?=[A-Z0-9]{6}\b)(?=[A-Z0-9]*[A-Z])(?=[A-Z0-9]*[0-9])[A-Z0-9]{6}\b"  # reservations
    r"|\b[A-Z]{2,3}\d{3,4}\b"  # flights
    r"|\$\d[\d,]*(?:\.\d+)?"  # amounts
    r"|\b\d{4}-\d{2}-\d{2}\b"  # dates
)
_ROUNDS: Final = 30
_WINDOW: Final = 50


def run(size: float = 1.0) -> list[Row]:
    """The rows; limits are shares of what is sent, so that less is better."""
    count = harness.scaled(MESSAGES, size, least=60)
    messages = conversation_of(count)
    sent = {name: measured(messages, name) for name in (WITHOUT, *PRESETS)}
    rows = []
    for name, one in sent.items():
        if name == WITHOUT:
            rows.append(Row(f"tokens sent in {count:,} messages, without compression", one.sent, ""))
            continue
        part = 100 * one.sent / sent[WITHOUT].sent
        limit = 100 - FALL_MIN if name == "balanced" else None
        detail = f"{one.sent:,} tokens, {one.compressions} compressions, largest call {one.largest:,}"
        rows.append(Row(f"tokens sent with {name}, of those without", part, "%", limit, detail=detail))
        lost = 100 - one.kept_percent
        what = f"{one.identifiers:,} identifiers in what was compressed"
        rows.append(Row(f"identifiers that the summary of {name} lacks", lost, "%", 100 - KEPT_MIN, detail=what))
    return [*rows, *_times(messages), _disk(messages)]


class Measured:
    """What one preset came to."""

    def __init__(self, sent: int, largest: int, compressions: int, identifiers: int, kept_percent: float) -> None:
        self.sent = sent
        self.largest = largest
        self.compressions = compressions
        self.identifiers = identifiers
        self.kept_percent = kept_percent


def measured(messages: list[Any], preset: str) -> Measured:
    """The conversation with these settings, a call after each message of a user or a tool."""
    is_off = preset == WITHOUT
    config = ContextConfig(enable_compression=False) if is_off else ContextConfig.preset(preset)
    conversation = Conversation(Backpack(), window=10**9 if is_off else 128_000, config=config)
    sent = largest = 0
    for message in messages:
        conversation.add(message)
        if message["role"] in ("user", "tool"):
            conversation.context()
            stats = conversation.stats()
            now = stats.full_tokens if is_off else stats.current_tokens
            sent, largest = sent + now, max(largest, now)
    said = conversation.stored()
    summary = next((one["content"] for one in said if _is_summary(one)), "")
    shown = {json.dumps(one) for one in said}
    gone = [one for one in messages if json.dumps(one) not in shown]
    wanted = set().union(*map(identifiers, gone)) if summary else set()
    kept = sum(one in summary for one in wanted)
    percent = 100 * kept / len(wanted) if wanted else 100.0
    return Measured(sent, largest, conversation.stats().compressions, len(wanted), percent)


def identifiers(message: Any) -> set[str]:
    """What a message says exactly."""
    one = view(message)
    text = "\n".join((one.text, *(call.arguments for call in one.calls)))
    found = set(_IDENTIFIER.findall(text))
    return found | {line[:80] for line in text.splitlines() if line.startswith("Error")}


def conversation_of(count: int) -> list[Any]:
    """So many messages of runs of agents, joined; of a conversation that is made here where there are none."""
    folder = Path(os.environ.get(DATA, ""))
    if os.environ.get(DATA) and (folder / RUNS).exists():
        with gzip.open(folder / RUNS, "rt", encoding="utf-8") as lines:
            return [message for line in lines for message in json.loads(line)["messages"]][:count]
    return made(count)


def made(count: int) -> list[Any]:
    """Questions, calls with results of some hundred tokens, answers; the same in every run."""
    chance = random.Random(5)
    words = ["".join(chance.choices("abcdefghijklmnop", k=chance.randint(2, 9))) for _ in range(800)]
    found: list[Any] = [{"role": "system", "content": " ".join(chance.choices(words, k=700))}]
    number = 0
    while len(found) < count:
        number += 1
        code = "".join(chance.choices("ABCDEFGHJK", k=3)) + f"{number % 1000:03}"
        seats = {f"seat_{row}": {"price": chance.randint(50, 400), "is_free": True} for row in range(20)}
        call = {"name": "look_up", "arguments": json.dumps({"id": code})}
        found += [
            {
                "role": "user",
                "content": f"What of {code} on 2026-11-{number % 30 + 1:02}? " + " ".join(chance.choices(words, k=30)),
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": f"c{number}", "type": "function", "function": call}],
            },
            {"role": "tool", "tool_call_id": f"c{number}", "content": json.dumps({"code": code, "seats": seats})},
            {"role": "assistant", "content": f"{code} costs ${number % 500}. " + " ".join(chance.choices(words, k=40))},
        ]
    return found[:count]


def _is_summary(message: Any) -> bool:
    return isinstance(message.get("content"), str) and message["content"].startswith("Summary of ")


def _times(messages: list[Any]) -> list[Row]:
    """Adding, early and late; the context against decoding."""
    many = (messages * (MESSAGES // len(messages) + 2))[: MESSAGES + _WINDOW]
    config = ContextConfig(enable_compression=False)
    times: list[int] = []
    conversation = Conversation(Backpack(), window=10**9, config=config, counter=len)
    for message in many:
        start = clock()
        conversation.add(message)
        times.append(clock() - start)
    early, late = (statistics.median(times[at - _WINDOW : at + _WINDOW]) for at in (100, MESSAGES))
    packed = packing()(conversation.stored())
    sides = harness.interleave([_timed(conversation.context), _timed(lambda: decode(packed))], _ROUNDS)
    detail = f"{late / 1e3:.0f} us against {early / 1e3:.0f} us"
    return [
        Row("add: the 1,000th message against the 100th", late / early, "x", 1.5, detail=detail),
        harness.against("context of 1,000 messages, against decoding them", *sides, count=1, limit=2.0),
    ]


def _timed(act: Any) -> harness.Round:
    def measure() -> int:
        start = clock()
        act()
        return clock() - start

    return measure


def _disk(messages: list[Any]) -> Row:
    """A store with the conversation in it, closed, against the JSON of its messages."""
    with new_folder() as folder:
        path = folder / "store"
        with backpack.open(path) as store:
            conversation = Conversation(
                store, config=ContextConfig.preset("balanced"), counter=lambda text: len(text) // 4
            )
            for message in messages:
                conversation.add(message)
                conversation.context()
        size = size_on_disk(path)
    json_size = len(json.dumps(messages).encode())
    detail = f"{size / 1e3:,.0f} kB against {json_size / 1e3:,.0f} kB"
    return Row(
        "disk: a conversation with its compressions, against its JSON", 100 * size / json_size, "%", detail=detail
    )


if __name__ == "__main__":
    harness.main(run)
