"""What the page about the context shows is what happens, and its tables are what the code has."""

import inspect
import json
import re
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydantic
import pytest

from backpack.context import ContextConfig, Conversation
from backpack.context.environment import VARIABLES

from .blocks import document, run

OUTPUT = "\n".join(f"test_{number} ... ok" for number in range(1_000))


class Object(pydantic.BaseModel):
    """As the SDKs give what they give."""

    model_config = pydantic.ConfigDict(extra="allow")


class OpenAi:
    """A model that runs the tests, fetches a slice of what they said, and answers. Strict about fields."""

    def __init__(self) -> None:
        self.chat = SimpleNamespace(completions=self)

    def create(self, *, model: str, messages: list[dict[str, Any]], tools: list[Any]) -> Any:
        assert all(set(one) <= {"role", "content", "tool_calls", "tool_call_id"} for one in messages) and tools
        function = _wanted([one["content"] for one in messages if one["role"] == "tool"])
        call = Object(id=f"call_{len(messages)}", type="function", function=Object(**function)) if function else None
        facts = {"role": "assistant", "content": None if call else "none did", "tool_calls": [call] if call else None}
        usage = Object(prompt_tokens=100, completion_tokens=5)
        return Object(id="r", choices=[Object(message=Object(**facts))], usage=usage)


class Anthropic:
    """The same."""

    def __init__(self) -> None:
        self.messages = self

    def create(
        self, *, model: str, max_tokens: int, system: str, messages: list[dict[str, Any]], tools: list[Any]
    ) -> Any:
        assert all(set(one) == {"role", "content"} for one in messages) and tools and "mem://" in system
        assert all(one["role"] in ("user", "assistant") for one in messages)
        blocks = [block for one in messages if type(one["content"]) is list for block in one["content"]]
        function = _wanted([block["content"] for block in blocks if block["type"] == "tool_result"])
        facts = {"type": "text", "text": "none did", "citations": None}
        if function:
            input = json.loads(function["arguments"])
            facts = {"type": "tool_use", "id": f"use_{len(messages)}", "name": function["name"], "input": input}
        return Object(
            id="msg_1",
            type="message",
            role="assistant",
            model=model,
            content=[Object(**facts)],
            stop_reason="tool_use" if function else "end_turn",
            usage=Object(input_tokens=100, output_tokens=5),
        )


def _wanted(said: list[str]) -> dict[str, str] | None:
    """The next call of the model, by what tools have said to it; None for an answer."""
    if not said:
        return {"name": "run_tests", "arguments": "{}"}
    assert len(said[0]) < len(OUTPUT) / 2
    if len(said) == 1:
        id = said[0].split("mem://")[1].split()[0]
        return {"name": "memory_fetch", "arguments": f'{{"id": "{id}", "lines": [990, 1000]}}'}
    assert "test_995 ... ok" in said[1]
    return None


def test_the_examples_of_the_page_are_what_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable.name, raising=False)
    monkeypatch.chdir(tmp_path)
    names = {"openai_client": OpenAi(), "anthropic_client": Anthropic(), "output": OUTPUT}
    assert run("docs/context.md", names) >= 50


def test_every_setting_and_every_variable_is_on_the_page() -> None:
    text = document("docs/context.md")
    named = set(re.findall(r"`(\w+)`", text))
    assert {field.name for field in fields(ContextConfig)} <= named
    for variable in VARIABLES:
        assert re.search(rf"\| `{variable.name}` \| `{variable.field}`", text), variable.name


def test_every_parameter_and_every_method_of_a_conversation_is_on_the_page() -> None:
    text = document("docs/context.md")
    tables = text[text.index("## Conversation") : text.index("## Whole loops")]
    named = set(re.findall(r"`(\w+)(?:\(\))?`", tables))
    parameters = set(inspect.signature(Conversation).parameters)
    assert parameters <= named
    public = {name for name in dir(Conversation) if not name.startswith("_")}
    assert public <= named
