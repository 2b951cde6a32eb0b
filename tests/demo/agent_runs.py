"""Runs made by the tests themselves: of any length, with tools, and with a large result where one is wanted."""

import json
import random
from typing import Any

from backpack.demo.packed import Packed
from backpack.runs import Run, parse_runs


def made_messages(turns: int, *, seed: int = 0, large: int = 0) -> list[dict[str, Any]]:
    """A system prompt, and `turns` times a question, two calls at once, their results and an answer."""
    chance = random.Random(seed)
    messages: list[dict[str, Any]] = [{"role": "system", "content": "be brief"}]
    for turn in range(turns):
        ids = [f"call_{turn}_{number}" for number in range(2)]
        names = chance.sample(["search", "fetch", "count"], 2)
        arguments = json.dumps({"turn": turn})
        functions = [{"name": name, "arguments": arguments} for name in names]
        tool_calls = [{"id": i, "type": "function", "function": f} for i, f in zip(ids, functions, strict=True)]
        messages += [
            {"role": "user", "content": f"question {turn}"},
            {"role": "assistant", "content": None, "tool_calls": tool_calls},
            {"role": "tool", "tool_call_id": ids[0], "content": json.dumps({"rows": [turn, turn + 0.5]})},
            {"role": "tool", "tool_call_id": ids[1], "content": "x" * large or "plain text"},
            {"role": "assistant", "content": f"answer {turn}"},
        ]
    return messages


def made_run(turns: int, *, seed: int = 0, large: int = 0) -> Run:
    """The same as a run."""
    (run,) = parse_runs(json.dumps(made_messages(turns, seed=seed, large=large)).encode())
    return run


def made_packed() -> Packed:
    """A large value and a small one."""
    table = {f"id{number}": {"price": number, "name": f"thing {number}" * 5} for number in range(6_000)}
    return Packed(table=table, note="small")
